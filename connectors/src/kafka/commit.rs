//! Committing offsets: last finished + 1, of partitions that are still ours, never backwards.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use swiftwater_engine::{Commit, Error, Position, Result};

use super::assignment::{Assignment, Partition};
use super::context::Consumer;
use super::faults;

/// How long the last commit is tried again while the group is busy with itself.
const PATIENCE: Duration = Duration::from_secs(15);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// Commits the offsets of one source instance.
pub(super) struct Offsets {
    pub(super) consumer: Arc<Consumer>,
    pub(super) assignment: Arc<Assignment>,
    /// Whether the group has made us a member; otherwise the offsets only tell how far we are.
    pub(super) is_member: bool,
}

impl Offsets {
    fn chosen(&self, position: &Position, again: bool) -> Vec<(Arc<Partition>, i64)> {
        let owned = self.assignment.lock();
        let ours =
            |(label, offset): (&String, &i64)| Some((Arc::clone(owned.get(label)?), *offset));
        let all = position.0.iter().filter_map(ours);
        all.filter(|(partition, offset)| partition.commits(*offset, again)).collect()
    }

    fn send(&self, list: &TopicPartitionList, wait: bool) -> Result<()> {
        let mode = if wait { CommitMode::Sync } else { CommitMode::Async };
        let started = Instant::now();
        loop {
            let error = match self.consumer.commit(list, mode) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match error.rdkafka_error_code() {
                Some(Code::IllegalGeneration | Code::UnknownMemberId) if !self.is_member => {
                    tracing::warn!(%error, "offsets not committed: the group has members, who commit their own");
                    return Ok(());
                }
                // They belong to somebody else, who reads them again from the last commit.
                Some(Code::IllegalGeneration | Code::UnknownMemberId | Code::NoOffset) => {
                    tracing::warn!(%error, "offsets left to the partitions' new owner");
                    return Ok(());
                }
                Some(
                    Code::RebalanceInProgress
                    | Code::NotCoordinator
                    | Code::CoordinatorNotAvailable
                    | Code::CoordinatorLoadInProgress
                    | Code::WaitingForCoordinator
                    | Code::OperationTimedOut
                    | Code::RequestTimedOut
                    | Code::BrokerTransportFailure,
                ) if wait && started.elapsed() < PATIENCE => thread::sleep(PAUSE),
                _ => {
                    let error = faults::failed("commit offsets", &error);
                    return Err(Error { code: "SW2118", ..error });
                }
            }
        }
    }
}

impl Commit for Offsets {
    fn commit(&self, position: &Position, wait: bool) -> Result<()> {
        let chosen = self.chosen(position, wait);
        let mut list = TopicPartitionList::with_capacity(chosen.len());
        for (partition, offset) in &chosen {
            list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(*offset))
                .map_err(|e| Error::bug(format!("commit offset {offset}: {e}")))?;
        }
        if chosen.is_empty() {
            return Ok(());
        }
        self.send(&list, wait).inspect_err(|_| {
            chosen.iter().for_each(|(partition, _)| partition.forget_commit());
        })
    }
}
