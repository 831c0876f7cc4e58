//! Which topics and partitions there are, asked before anything is read or written, so that a wrong
//! address, login or name is told as what it is.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;
use regex::Regex;
use swiftwater_engine::{Error, Result};

use super::context::{Consumer, Split};
use super::{embedded, faults};

/// How long an attempt to reach the brokers may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a topic may take to appear: a sink of the same topology may be creating it now, and
/// brokers tell each other of a new topic a while after it was made.
const APPEARS: Duration = Duration::from_secs(5);
/// Pause between two looks for it.
const LOOK: Duration = Duration::from_millis(100);
/// After each step it is looked whether waiting on makes sense.
const STEP: Duration = Duration::from_millis(500);

/// A client that asks brokers about topics.
pub(super) struct Directory<'a> {
    pub(super) consumer: &'a Consumer,
    pub(super) brokers: &'a str,
    /// Whether events are served here; a member of a group has a thread for that.
    pub(super) serves: bool,
}

impl Directory<'_> {
    /// Asks about one topic, or about all.
    ///
    /// # Errors
    /// `Unavailable` (`SW2110`) where no broker answers, `Config` (`SW2111`) where a login is
    /// refused.
    pub(super) fn ask(&self, topic: Option<&str>) -> Result<Metadata> {
        let faults = self.consumer.context().faults();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let asked = self.consumer.fetch_metadata(topic, STEP);
            if self.serves {
                while self.consumer.poll(Duration::ZERO).is_some() {}
            }
            match asked {
                Ok(metadata) => {
                    faults.connected();
                    return Ok(metadata);
                }
                Err(_) if faults.is_hopeless() || Instant::now() >= deadline => {
                    return Err(faults.unreachable(self.brokers));
                }
                Err(_) => {}
            }
        }
    }

    /// The number of partitions of a topic; `None` where there is no such topic.
    ///
    /// # Errors
    /// As [`Directory::ask`], and `Config` (`SW2113`) without permission.
    pub(super) fn partitions(&self, topic: &str) -> Result<Option<Vec<i32>>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metadata = self.ask(Some(topic))?;
            let Some(found) = metadata.topics().iter().find(|t| t.name() == topic) else {
                return Ok(None);
            };
            match found.error().map(Code::from) {
                None => return Ok(Some(found.partitions().iter().map(|p| p.id()).collect())),
                Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::InvalidTopic) => {
                    return Ok(None);
                }
                Some(Code::TopicAuthorizationFailed) => {
                    return Err(faults::denied(&format!("describe the topic `{topic}`")));
                }
                // A topic that was created just now has no leader yet.
                Some(_) if Instant::now() < deadline => {}
                Some(code) => {
                    let error = KafkaError::MetadataFetch(code);
                    return Err(faults::failed(&format!("describe the topic `{topic}`"), &error));
                }
            }
        }
    }

    /// The partitions of a topic that should be there, given a moment to appear.
    fn wait_for(&self, topic: &str) -> Result<Option<Vec<i32>>> {
        let deadline = Instant::now() + APPEARS;
        loop {
            let found = self.partitions(topic)?;
            if found.is_some() || Instant::now() >= deadline {
                return Ok(found);
            }
            thread::sleep(LOOK);
        }
    }

    /// All partitions of topics that must exist; the embedded broker creates what is missing.
    ///
    /// # Errors
    /// As [`Directory::partitions`], and `Config` (`SW2112`) for an unknown topic.
    pub(super) fn splits(&self, topics: &[String], is_embedded: bool) -> Result<Vec<Split>> {
        let mut all = Vec::new();
        for topic in topics {
            if is_embedded {
                embedded::create_topic(topic, embedded::PARTITIONS)?;
            }
            let numbers = self.wait_for(topic)?.ok_or_else(|| {
                faults::unknown_topic(topic, self.brokers, "create it, or check the name")
            })?;
            all.extend(numbers.into_iter().map(|number| (topic.clone(), number)));
        }
        Ok(all)
    }

    /// Names of the topics that match a pattern.
    ///
    /// # Errors
    /// As [`Directory::ask`], and `Config` (`SW2112`) where none matches.
    pub(super) fn matching(&self, pattern: &Regex) -> Result<Vec<String>> {
        let metadata = self.ask(None)?;
        let names = metadata.topics().iter().map(|t| t.name().to_owned());
        let found: Vec<String> = names.filter(|name| pattern.is_match(name)).collect();
        if found.is_empty() {
            let what = format!("find a topic that matches `{pattern}` on `{}`", self.brokers);
            return Err(Error::config("SW2112", what)
                .with_hint("a bounded source needs its topics when it starts"));
        }
        Ok(found)
    }
}
