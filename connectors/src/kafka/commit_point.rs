//! Commits epochs by a Kafka transaction: outputs, offsets of the sources, and the manifest's name.
//!
//! What was committed last is remembered by one offset of a group that bears the transactional id's
//! name: the offset is the epoch, its metadata the manifest's name. Which partition carries it does
//! not matter to recovery, which looks at all offsets of the group for the highest epoch: a topology
//! whose sinks change finds it all the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;
use swiftwater_engine::{
    CommitContext, CommitPoint, CommitPointPlan, Committed, Error, Position, Result,
};

use super::client::not_created;
use super::context::Consumer;
use super::faults;
use super::ffi::{Marked, Pipe, Trouble, committed};
use super::terms::{Seat, Terms};
use super::transaction::Transaction;

/// Longest wait for earlier processes to be shut out, and for offsets.
const START: Duration = Duration::from_secs(30);
const OFFSETS: Duration = Duration::from_secs(10);
/// Pause before the group of the epochs is asked again.
const AGAIN: Duration = Duration::from_millis(100);
/// Words of librdkafka for a coordinator that is on its way. Its code does not tell: it says that the
/// answer could not be read.
const MOVING: [&str; 3] = ["Not coordinator", "oordinator load", "oordinator not available"];
/// What brokers keep beside an offset, unless they are told otherwise.
const METADATA_BYTES: usize = 4096;

/// The commit point of a cluster.
struct KafkaCommitPoint {
    terms: Terms,
    /// Topic whose partition 0 carries the epoch; `None` for the first that a source reads.
    marker: Option<String>,
    seat: Arc<Seat>,
    /// Offsets as they were committed last, by group and partition.
    known: Mutex<BTreeMap<(String, String), i64>>,
}

/// Plans the commit point of a cluster.
pub(crate) fn plan(terms: Terms, marker: Option<String>) -> CommitPointPlan {
    let system = terms.connection.system();
    let make = move |cx: &CommitContext| {
        let (terms, marker) = (terms.clone(), marker.clone());
        let seat = Seat::of(&cx.shared, &terms.connection)?;
        let known = Mutex::default();
        Ok(Arc::new(KafkaCommitPoint { terms, marker, seat, known }) as Arc<dyn CommitPoint>)
    };
    CommitPointPlan { system, make: Arc::new(make) }
}

/// The last epoch that offsets of the group remember.
fn last(marked: Vec<Marked>) -> Option<Committed> {
    let epochs = marked.into_iter().filter(|m| !m.metadata.is_empty());
    let newest = epochs.max_by_key(|m| m.offset)?;
    Some(Committed { epoch: newest.offset.unsigned_abs(), manifest: newest.metadata })
}

/// Topic and number of a partition's label.
fn split(label: &str) -> Option<(&str, i32)> {
    let (topic, number) = label.rsplit_once('/')?;
    Some((topic, number.parse().ok()?))
}

impl KafkaCommitPoint {
    /// The offsets of the group of the epochs. While its coordinator moves or loads it is asked again.
    fn marked(&self, brokers: &str) -> Result<Result<Vec<Marked>, Trouble>> {
        let started = Instant::now();
        loop {
            let answer = committed(&self.reader(brokers)?, &self.terms.id, OFFSETS);
            let passes = |t: &Trouble| MOVING.iter().any(|word| t.reason.contains(word));
            match answer {
                Err(trouble) if passes(&trouble) && started.elapsed() < OFFSETS => {
                    std::thread::sleep(AGAIN);
                }
                answer => return Ok(answer),
            }
        }
    }

    /// A consumer of the group of the epochs that never joins it.
    fn reader(&self, brokers: &str) -> Result<Consumer> {
        let settings = [
            ("client.id", self.terms.id.clone()),
            ("group.id", self.terms.id.clone()),
            ("enable.auto.commit", "false".to_owned()),
        ];
        let config = self.terms.connection.configure(brokers, &settings)?;
        let context = self.terms.connection.context("commit");
        config.create_with_context(context).map_err(|e| not_created(&e))
    }

    fn not_read(&self, trouble: &Trouble) -> Error {
        let id = &self.terms.id;
        let what = format!("read the last epoch of the group `{id}`: {}", trouble.reason);
        match trouble.code {
            Code::GroupAuthorizationFailed | Code::TopicAuthorizationFailed => {
                faults::denied(&what)
            }
            _ => Error::unavailable("SW2115", what),
        }
    }

    /// Offsets that moved since the last commit, by group.
    fn moved(
        &self,
        committed: &Committed,
        positions: &[(String, Position)],
    ) -> BTreeMap<String, Vec<Marked>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut moved: BTreeMap<String, Vec<Marked>> = BTreeMap::new();
        for (node, position) in positions {
            // A source of another cluster: the manifest alone remembers where it stands.
            let Some(group) = self.seat.group(node) else {
                continue;
            };
            for (label, offset) in &position.0 {
                let is_known = known.get(&(group.clone(), label.clone())) == Some(offset);
                if let Some((topic, partition)) = split(label).filter(|_| !is_known) {
                    let (topic, metadata) = (topic.to_owned(), committed.manifest.clone());
                    let marked = Marked { topic, partition, offset: *offset, metadata };
                    moved.entry(group.clone()).or_default().push(marked);
                }
            }
        }
        moved
    }

    fn marker(&self, committed: &Committed, positions: &[(String, Position)]) -> Result<Marked> {
        let read = positions
            .iter()
            .filter(|(node, _)| self.seat.group(node).is_some())
            .flat_map(|(_, position)| position.0.keys())
            .filter_map(|label| Some(split(label)?.0))
            .min();
        let topic = self.marker.as_deref().or(read).ok_or_else(|| {
            let what = "commit an epoch: no topic is read that could remember it";
            Error::unavailable("SW4311", what)
        })?;
        Ok(Marked {
            topic: topic.to_owned(),
            partition: 0,
            offset: i64::try_from(committed.epoch).unwrap_or(i64::MAX),
            metadata: committed.manifest.clone(),
        })
    }
}

impl CommitPoint for KafkaCommitPoint {
    fn recover(&self) -> Result<Option<Committed>> {
        self.seat.install(None);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let brokers = self.terms.connection.bootstrap()?;
        let config = self.terms.configure(&brokers)?;
        let context = self.terms.connection.context("commit");
        let pipe = Pipe::new(&config, context).map_err(|e| not_created(&e))?;
        let transaction = Transaction::start(pipe, self.terms.clone(), &brokers, START)?;
        let marked = self.marked(&brokers)?;
        let newest = last(marked.map_err(|trouble| self.not_read(&trouble))?);
        self.seat.install(Some(Arc::new(transaction)));
        Ok(newest)
    }

    fn commit(&self, committed: &Committed, positions: &[(String, Position)]) -> Result<()> {
        if committed.manifest.len() > METADATA_BYTES {
            let what = format!("commit a manifest's name of {} bytes", committed.manifest.len());
            return Err(Error::bug(what));
        }
        let transaction = self
            .seat
            .transaction()
            .ok_or_else(|| Error::bug("commit an epoch before the last one was recovered"))?;
        let marker = self.marker(committed, positions)?;
        let mut offsets = vec![(self.terms.id.clone(), vec![marker])];
        for (group, moved) in self.moved(committed, positions) {
            match offsets.iter_mut().find(|(known, _)| *known == group) {
                // A source that reads as the group of the epochs would be taken for one.
                Some(_) => {}
                None => offsets.push((group, moved)),
            }
        }
        transaction.commit(&offsets)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (group, moved) in offsets.into_iter().skip(1) {
            for m in moved {
                known.insert((group.clone(), format!("{}/{}", m.topic, m.partition)), m.offset);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(topic: &str, offset: i64, metadata: &str) -> Marked {
        let (topic, metadata) = (topic.to_owned(), metadata.to_owned());
        Marked { topic, partition: 0, offset, metadata }
    }

    #[test]
    fn the_highest_epoch_counts_wherever_it_is() {
        assert_eq!(last(Vec::new()), None);
        let all = vec![marked("old", 7, "e7"), marked("new", 12, "e12"), marked("reset", 99, "")];
        assert_eq!(last(all), Some(Committed { epoch: 12, manifest: "e12".into() }));
    }

    #[test]
    fn labels_name_topic_and_partition() {
        assert_eq!(split("a.b-c/12"), Some(("a.b-c", 12)));
        assert_eq!(split("stdin"), None);
    }
}
