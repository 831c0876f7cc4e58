//! Reading every partition there is, without a group that could give some to another process: what
//! state and exactly-once rest on.
//!
//! The partitions are shared out among the node's instances by their number. Those that come later
//! are found by looking every now and then, and are read from their beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaResult;
use swiftwater_engine::{Error, Position, Result, SourceContext};

use super::assignment::label;
use super::bounds::{Origin, Start};
use super::context::{Consumer, Split};
use super::murmur2;
use super::source::{Design, Subscription};
use super::topics::Directory;

/// How often it is looked for new partitions, unless the property says otherwise.
const LOOK: Duration = Duration::from_secs(30);
const LOOK_PROPERTY: &str = "topic.metadata.refresh.interval.ms";
/// Longest wait for the answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The share of one instance.
pub(super) struct Everything {
    subscription: Subscription,
    instance: usize,
    instances: usize,
    resume: Position,
    /// All partitions that were seen, also those of other instances.
    known: BTreeSet<Split>,
    every: Duration,
    next_look: Instant,
    is_started: bool,
}

impl Everything {
    pub(super) fn new(design: &Design, cx: &SourceContext) -> Self {
        let millis = design.connection.properties.get(LOOK_PROPERTY).and_then(|m| m.parse().ok());
        let every = millis.map_or(LOOK, Duration::from_millis);
        Self {
            subscription: design.subscription.clone(),
            instance: cx.instance,
            instances: cx.instances.max(1),
            resume: cx.resume.clone().unwrap_or_default(),
            known: BTreeSet::new(),
            every,
            next_look: Instant::now() + every,
            is_started: false,
        }
    }

    /// Finds all partitions; returns them all.
    ///
    /// # Errors
    /// As [`Directory::splits`], and `State` (`SW2116`) where a partition to resume is gone.
    pub(super) fn find(
        &mut self,
        directory: &Directory<'_>,
        is_embedded: bool,
    ) -> Result<Vec<Split>> {
        let names = match &self.subscription {
            Subscription::Topics(topics) => topics.clone(),
            Subscription::Pattern(pattern) => directory.matching(pattern)?,
        };
        let all = directory.splits(&names, is_embedded)?;
        self.known = all.iter().cloned().collect();
        for split in self.resume.0.keys() {
            let topic = split.rsplit_once('/').map_or(split.as_str(), |(topic, _)| topic);
            let is_read = names.iter().any(|name| name == topic);
            if is_read && !all.iter().any(|(topic, number)| label(topic, *number) == *split) {
                let what = format!("read `{split}` on: the topic has no such partition any more");
                return Err(Error::state("SW2116", what).with_hint(GONE));
            }
        }
        Ok(self.known.iter().cloned().collect())
    }

    /// Those of `splits` that this instance reads.
    pub(super) fn share(&self, splits: &[Split]) -> Vec<Split> {
        splits.iter().filter(|split| self.reads(split)).cloned().collect()
    }

    /// Whether this instance reads a partition.
    ///
    /// Partitions of one topic lie one after the other; topics begin with different instances, so
    /// that many topics of one partition are shared out too.
    fn reads(&self, (topic, number): &Split) -> bool {
        let first = match &self.subscription {
            Subscription::Topics(topics) => topics.iter().position(|t| t == topic).unwrap_or(0),
            Subscription::Pattern(_) => {
                let instances = u32::try_from(self.instances).unwrap_or(u32::MAX);
                usize::try_from(murmur2::partition(topic.as_bytes(), instances)).unwrap_or(0)
            }
        };
        let number = usize::try_from(*number).unwrap_or(0);
        (first + number) % self.instances == self.instance
    }

    /// Partitions that came since the last look and are ours, every now and then.
    pub(super) fn newcomers(&mut self, consumer: &Consumer, node: &str) -> Vec<Split> {
        if Instant::now() < self.next_look {
            return Vec::new();
        }
        self.next_look = Instant::now() + self.every;
        match self.look(consumer) {
            Ok(all) => {
                let new: Vec<Split> =
                    all.into_iter().filter(|split| !self.known.contains(split)).collect();
                self.known.extend(new.iter().cloned());
                self.share(&new)
            }
            Err(error) => {
                tracing::warn!(node, %error, "look for new partitions, trying again");
                Vec::new()
            }
        }
    }

    fn look(&self, consumer: &Consumer) -> KafkaResult<Vec<Split>> {
        let mut all = Vec::new();
        let mut add = |metadata: &rdkafka::metadata::Metadata, wanted: &dyn Fn(&str) -> bool| {
            for topic in metadata.topics().iter().filter(|t| t.error().is_none()) {
                if wanted(topic.name()) {
                    let name = topic.name();
                    all.extend(topic.partitions().iter().map(|p| (name.to_owned(), p.id())));
                }
            }
        };
        match &self.subscription {
            Subscription::Topics(topics) => {
                for topic in topics {
                    add(&consumer.fetch_metadata(Some(topic), TIMEOUT)?, &|name| name == topic);
                }
            }
            Subscription::Pattern(pattern) => {
                add(&consumer.fetch_metadata(None, TIMEOUT)?, &|name| pattern.is_match(name));
            }
        }
        Ok(all)
    }

    /// The partitions of the start are assigned: what comes now is new.
    pub(super) fn started(&mut self) {
        self.is_started = true;
    }

    /// Where partitions are read from: where the snapshot says; new ones of a topic that it knows,
    /// and those that came after the start, at their beginning; others as the options say.
    ///
    /// # Errors
    /// `Unavailable` where the brokers do not answer.
    pub(super) fn origins(
        &self,
        consumer: &Consumer,
        splits: &[Split],
        start: &Start,
    ) -> Result<BTreeMap<Split, Origin>> {
        let mut all = BTreeMap::new();
        let (mut new, mut other) = (Vec::new(), Vec::new());
        for split in splits {
            let of_topic = format!("{}/", split.0);
            if let Some(offset) = self.resume.0.get(&label(&split.0, split.1)) {
                let origin = Origin { offset: *offset, committed: false, beginning: false };
                all.insert(split.clone(), origin);
            } else if self.is_started
                || self.resume.0.keys().any(|known| known.starts_with(&of_topic))
            {
                new.push(split.clone());
            } else {
                other.push(split.clone());
            }
        }
        all.extend(Start::Earliest.resolve(consumer, &new)?);
        all.extend(start.resolve(consumer, &other)?);
        Ok(all)
    }
}

/// What to do when the records that a snapshot goes on from are gone.
pub(super) const GONE: &str = "records were deleted before they were read, or the topic was made anew, \
    and the snapshot goes on from there: restore the topic, or start over under another `name` or `store`";
