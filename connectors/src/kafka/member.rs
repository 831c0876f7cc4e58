//! The source's place in its consumer group: a thread that polls the group's queue whatever the
//! rows are doing, and carries out what the group decides. A source that takes everything (see
//! [`Everything`]) is no member of a group; the thread then looks for new partitions.
//!
//! A partition that shall go is first announced to the reader, which finishes and commits what was
//! read of it; then, or when the deadline has passed, it is unassigned. A partition that is lost
//! belongs to somebody else already: it goes at once and nothing more is committed for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use swiftwater_engine::metrics::SourceMetrics;
use swiftwater_engine::{Error, ErrorKind, Result};

use super::assignment::{Assignment, Partition, label};
use super::bounds::{self, Start};
use super::context::{Consumer, Note, Split};
use super::ends::Ends;
use super::everything::Everything;
use super::faults;
use super::ffi::{self, DataQueue};
use super::lag::Lag;

/// How often the group's queue is polled, and how often while something is under way.
const POLL: Duration = Duration::from_millis(100);
const POLL_BUSY: Duration = Duration::from_millis(5);
/// Pause between two tries to find out where new partitions start.
const RETRY: Duration = Duration::from_millis(500);
/// How long the group gets to let us go.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often a bounded source looks whether others have read their partitions to the end.
const OTHERS: Duration = Duration::from_secs(1);

/// Partitions that shall go, and until when they may stay.
struct Revocation {
    splits: Vec<Split>,
    deadline: Instant,
    announced: bool,
    released: bool,
}

/// What the reader and the group's thread share.
#[derive(Default)]
pub(super) struct Desk {
    revocation: Mutex<Option<Revocation>>,
    failure: Mutex<Option<Error>>,
    stopping: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// How long partitions that shall go can wait, if the reader has not been told yet.
    pub(super) fn announce(&self) -> Option<Duration> {
        let mut revocation = lock(&self.revocation);
        let going = revocation.as_mut().filter(|r| !r.announced)?;
        going.announced = true;
        Some(going.deadline.saturating_duration_since(Instant::now()))
    }

    /// The partitions that were announced may go.
    pub(super) fn release(&self) {
        if let Some(going) = lock(&self.revocation).as_mut() {
            going.released = true;
        }
    }

    /// What went wrong in the group's thread.
    pub(super) fn take_failure(&self) -> Option<Error> {
        lock(&self.failure).take()
    }

    /// The thread leaves the group and ends.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Tells the reader of an error at its next call.
    pub(super) fn fail(&self, error: Error) {
        // A worse error is not replaced by one that will pass.
        let mut failure = lock(&self.failure);
        if failure.as_ref().is_none_or(|f| f.kind == ErrorKind::Unavailable) {
            *failure = Some(error);
        }
    }
}

/// The group's thread.
pub(super) struct Member {
    pub(super) node: String,
    pub(super) consumer: Arc<Consumer>,
    pub(super) queue: Arc<DataQueue>,
    pub(super) assignment: Arc<Assignment>,
    pub(super) desk: Arc<Desk>,
    pub(super) start: Arc<Start>,
    pub(super) ends: Option<Arc<Ends>>,
    pub(super) metrics: Arc<SourceMetrics>,
    pub(super) lag: Lag,
    /// How long partitions that shall go may stay.
    pub(super) grace: Duration,
    /// Partitions that are ours and wait to be started, and when to try.
    pub(super) arriving: Option<(Vec<Split>, Instant)>,
    /// Set where the partitions are not the group's to give.
    pub(super) everything: Option<Everything>,
}

impl Member {
    /// Polls the group until the source closes, then leaves it.
    pub(super) fn run(mut self) {
        let mut looked = Instant::now();
        while !self.desk.is_stopping() {
            self.turn();
            self.go_when_released();
            self.start_arrived();
            self.look_for_newcomers();
            if self.ends.is_some() && self.everything.is_none() && looked.elapsed() >= OTHERS {
                looked = Instant::now();
                self.look_at_others();
            }
        }
        self.leave();
    }

    /// Serves one event of the group.
    fn turn(&mut self) {
        let busy = self.arriving.is_some() || lock(&self.desk.revocation).is_some();
        match self.consumer.poll(if busy { POLL_BUSY } else { POLL }) {
            None => {}
            Some(Ok(message)) => {
                use rdkafka::Message as _;
                let place = label(message.topic(), message.partition());
                self.desk
                    .fail(Error::bug(format!("a message of {place} came by the group's queue")));
            }
            Some(Err(error)) => tracing::debug!(node = self.node.as_str(), %error, "group"),
        }
        if let Some(fatal) = self.consumer.context().faults().take_fatal() {
            self.desk.fail(fatal);
        }
        for note in self.consumer.context().take_notes() {
            match note {
                Note::Assigned(splits) => self.arriving = Some((splits, Instant::now())),
                Note::Revoked { splits, lost } => self.revoked(splits, lost),
                Note::CommitFailed { splits, reason } => {
                    tracing::warn!(node = self.node.as_str(), reason, "commit offsets");
                    let owned = self.assignment.lock();
                    let labels = splits.iter().map(|(topic, number)| label(topic, *number));
                    labels.filter_map(|l| owned.get(&l)).for_each(|p| p.forget_commit());
                }
                Note::Statistics(json) => self.lag.update(&json, &self.assignment),
            }
        }
    }

    fn revoked(&mut self, splits: Vec<Split>, lost: bool) {
        self.metrics.rebalanced(if lost { "lost" } else { "revoked" });
        let node = self.node.as_str();
        if lost {
            tracing::warn!(node, partitions = splits.len(), "partitions lost");
        }
        let idle = {
            let owned = self.assignment.lock();
            splits.iter().all(|(topic, number)| !owned.contains_key(&label(topic, *number)))
        };
        if lost || idle || self.desk.is_stopping() {
            self.arriving = None;
            self.unassign(&splits);
            return;
        }
        tracing::info!(node, partitions = splits.len(), "partitions are going");
        let deadline = Instant::now() + self.grace;
        let going = Revocation { splits, deadline, announced: false, released: false };
        *lock(&self.desk.revocation) = Some(going);
        self.queue.wake();
    }

    fn go_when_released(&mut self) {
        let due = |r: &mut Revocation| r.released || Instant::now() >= r.deadline;
        let Some(going) = lock(&self.desk.revocation).take_if(due) else {
            return;
        };
        if !going.released {
            let node = self.node.as_str();
            tracing::warn!(node, "partitions go unfinished; their rows will be read again");
        }
        self.unassign(&going.splits);
    }

    fn unassign(&mut self, splits: &[Split]) {
        let labels: Vec<String> =
            splits.iter().map(|(topic, number)| label(topic, *number)).collect();
        let result = {
            let mut owned = self.assignment.lock();
            labels.iter().for_each(|label| drop(owned.remove(label)));
            self.assignment.changed();
            match self.consumer.rebalance_protocol() {
                RebalanceProtocol::Cooperative => list(splits.iter().map(|s| (s, Offset::Invalid)))
                    .and_then(|list| self.consumer.incremental_unassign(&list)),
                _ => self.consumer.unassign(),
            }
        };
        labels.iter().for_each(|label| self.lag.forget(label));
        if let Err(error) = result {
            self.desk.fail(faults::failed("give up partitions", &error));
        }
    }

    /// Finds out where new partitions start, and starts them; tries again where nobody answers.
    fn start_arrived(&mut self) {
        let Some((splits, _)) = self.arriving.take_if(|(_, when)| Instant::now() >= *when) else {
            return;
        };
        if let Err(error) = self.assign(&splits) {
            if error.kind == ErrorKind::Unavailable {
                tracing::warn!(node = self.node.as_str(), %error, "start partitions, trying again");
                self.arriving = Some((splits, Instant::now() + RETRY));
            }
            self.desk.fail(error);
        }
    }

    /// Partitions that were made since the start; a bounded source reads those of its start only.
    fn look_for_newcomers(&mut self) {
        let Some(everything) = self.everything.as_mut().filter(|_| self.ends.is_none()) else {
            return;
        };
        if self.arriving.is_none() {
            let new = everything.newcomers(&self.consumer, &self.node);
            if !new.is_empty() {
                self.arriving = Some((new, Instant::now()));
            }
        }
    }

    /// Finds out where partitions start, and reads them from there.
    ///
    /// # Errors
    /// `Unavailable` where the brokers do not answer.
    pub(super) fn assign(&mut self, splits: &[Split]) -> Result<()> {
        let origins = match &self.everything {
            None => self.start.resolve(&self.consumer, splits)?,
            Some(all) => all.origins(&self.consumer, splits, &self.start)?,
        };
        let all = origins.iter().map(|(split, origin)| {
            let first =
                if origin.beginning { Offset::Beginning } else { Offset::Offset(origin.offset) };
            (split, first)
        });
        let list = list(all).map_err(|e| faults::failed("assign partitions", &e))?;
        let result = {
            let mut owned = self.assignment.lock();
            let adds = !owned.is_empty();
            for (split, origin) in &origins {
                self.queue.forward(&split.0, split.1);
                let end = self.ends.as_ref().map_or(i64::MAX, |ends| ends.end(split));
                let committed = if origin.committed { origin.offset } else { -1 };
                let topic = Arc::from(split.0.as_str());
                let partition = Partition::new(topic, split.1, origin.offset, committed, end);
                owned.insert(partition.label.to_string(), Arc::new(partition));
            }
            self.assignment.changed();
            match self.consumer.rebalance_protocol() {
                RebalanceProtocol::Cooperative => self.consumer.incremental_assign(&list),
                RebalanceProtocol::None if adds => self.consumer.incremental_assign(&list),
                _ => self.consumer.assign(&list),
            }
        };
        result.map_err(|e| faults::failed("assign partitions", &e))?;
        if let Some(everything) = &mut self.everything {
            everything.started();
        }
        self.metrics.rebalanced("assigned");
        self.queue.wake();
        let membership = ffi::membership(&self.consumer);
        let places: Vec<String> = origins
            .iter()
            .map(|((topic, number), origin)| {
                format!("{} from {}", label(topic, *number), origin.offset)
            })
            .collect();
        tracing::info!(
            node = self.node.as_str(),
            generation = membership.as_ref().map(|m| m.generation),
            member = membership.as_ref().map(|m| m.member.as_str()),
            partitions = places.join(", "),
            "partitions assigned"
        );
        Ok(())
    }

    /// Which partitions of a bounded source other processes have read up to their end.
    fn look_at_others(&self) {
        let Some(ends) = &self.ends else {
            return;
        };
        let theirs: Vec<Split> = {
            let owned = self.assignment.lock();
            let is_theirs = |(topic, number): &Split| !owned.contains_key(&label(topic, *number));
            ends.open().into_iter().filter(is_theirs).collect()
        };
        match bounds::committed(&self.consumer, &theirs) {
            Ok(committed) => {
                for (split, offset) in committed {
                    if offset >= ends.end(&split) {
                        ends.reached(split);
                    }
                }
                self.queue.wake();
            }
            Err(error) => tracing::debug!(node = self.node.as_str(), %error, "others' offsets"),
        }
    }

    /// Leaves the group, and gives back what is assigned.
    pub(super) fn leave(&mut self) {
        if let Err(error) = self.consumer.close_queue() {
            tracing::debug!(node = self.node.as_str(), %error, "leave the group");
            return;
        }
        *lock(&self.desk.revocation) = None;
        self.arriving = None;
        let deadline = Instant::now() + FAREWELL;
        while !self.consumer.closed() && Instant::now() < deadline {
            self.consumer.poll(POLL_BUSY);
            for note in self.consumer.context().take_notes() {
                match note {
                    Note::Revoked { splits, .. } => self.unassign(&splits),
                    // An assignment has to be taken to be given back.
                    Note::Assigned(_) => drop(self.consumer.unassign()),
                    Note::CommitFailed { reason, .. } => {
                        tracing::warn!(node = self.node.as_str(), reason, "commit offsets");
                    }
                    Note::Statistics(_) => {}
                }
            }
        }
        if !self.consumer.closed() {
            tracing::warn!(node = self.node.as_str(), "the group did not let go; leaving without");
            // Dropping a consumer that is not closed waits without end.
            std::mem::forget(Arc::clone(&self.consumer));
        }
    }
}

fn list<'a>(all: impl Iterator<Item = (&'a Split, Offset)>) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for ((topic, number), offset) in all {
        list.add_partition_offset(topic, *number, offset)?;
    }
    Ok(list)
}
