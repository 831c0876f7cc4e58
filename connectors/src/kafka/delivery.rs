//! Which batches are durable: delivery reports come back for each record, in any order, and carry
//! the number of their batch.

use std::collections::VecDeque;

use bytes::Bytes;
use rdkafka::error::RDKafkaErrorCode as Code;
use swiftwater_engine::dead_letter::Rejected;
use swiftwater_engine::{Error, Sequence};

use super::faults;

/// A record that Kafka will never take, or that stops everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// This record is at fault: it is set aside.
    Rejected(&'static str),
    /// It was refused because of another record of its Kafka batch: it is sent again.
    Again,
    /// Nothing can be written any more.
    Failed,
}

/// What an error of one record means.
pub(super) const fn verdict(code: Code) -> Verdict {
    match code {
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => Verdict::Rejected("SW2131"),
        Code::InvalidRecord => Verdict::Rejected("SW2136"),
        Code::UnknownPartition => Verdict::Rejected("SW2133"),
        Code::InvalidDifferentRecord => Verdict::Again,
        _ => Verdict::Failed,
    }
}

/// The record with the reason why Kafka does not take it.
pub(super) fn rejected(
    number: &'static str,
    topic: &str,
    code: Code,
    payload: Option<&[u8]>,
    key: Option<&[u8]>,
) -> Rejected {
    let size = payload.map_or(0, <[u8]>::len) + key.map_or(0, <[u8]>::len);
    Rejected {
        code: number,
        message: format!("write a record of {size} bytes to the topic `{topic}`: {code}"),
        key: key.map(Bytes::copy_from_slice),
        payload: payload.map(Bytes::copy_from_slice),
        origin: None,
        attempts: 1,
    }
}

/// Batches that were taken and what became of them.
#[derive(Default)]
pub(super) struct Deliveries {
    /// Number of the last batch up to which everything is durable.
    durable: Sequence,
    /// Records of the batches after it that are not.
    open: VecDeque<usize>,
    rejected: Vec<Rejected>,
    failed: Option<(Code, usize)>,
}

impl Deliveries {
    /// A batch of `records` was taken.
    pub(super) fn begin(&mut self, sequence: Sequence, records: usize) {
        if self.open.is_empty() {
            self.durable = sequence - 1;
        }
        self.open.push_back(records);
        self.advance();
    }

    /// A record of batch `sequence` needs no more care: it is durable or set aside.
    pub(super) fn done(&mut self, sequence: Sequence) {
        self.done_many(sequence, 1);
    }

    /// As many records of batch `sequence` need no more care.
    pub(super) fn done_many(&mut self, sequence: Sequence, records: usize) {
        let index = sequence.checked_sub(self.durable + 1).and_then(|i| usize::try_from(i).ok());
        if let Some(open) = index.and_then(|i| self.open.get_mut(i)) {
            *open = open.saturating_sub(records);
            self.advance();
        }
    }

    /// A record is set aside.
    pub(super) fn reject(&mut self, sequence: Sequence, rejected: Rejected) {
        self.rejected.push(rejected);
        self.done(sequence);
    }

    /// A record could not be written: its batch never becomes durable.
    pub(super) fn fail(&mut self, code: Code) {
        self.fail_many(code, 1);
    }

    /// As many records could not be written.
    pub(super) fn fail_many(&mut self, code: Code, records: usize) {
        self.failed.get_or_insert((code, 0)).1 += records;
    }

    fn advance(&mut self) {
        while self.open.front() == Some(&0) {
            self.open.pop_front();
            self.durable += 1;
        }
    }

    /// The number of the last batch up to which everything is durable.
    pub(super) const fn durable(&self) -> Sequence {
        self.durable
    }

    /// Whether every batch that was taken is durable.
    pub(super) fn is_clear(&self) -> bool {
        self.open.is_empty()
    }

    /// Records that were set aside, leaving none.
    pub(super) fn take_rejected(&mut self) -> Vec<Rejected> {
        std::mem::take(&mut self.rejected)
    }

    /// Why nothing can be written any more.
    pub(super) fn failure(&self, topic: &str, brokers: &str) -> Option<Error> {
        let (code, records) = self.failed?;
        Some(match code {
            Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
                faults::denied(&format!("write the topic `{topic}`"))
            }
            Code::UnknownTopic | Code::UnknownTopicOrPartition => {
                faults::unknown_topic(topic, brokers, "it was there at the start: was it deleted?")
            }
            Code::MessageTimedOut => {
                let what = format!(
                    "deliver {records} records to the topic `{topic}` on `{brokers}` in time"
                );
                Error::state("SW2132", what).with_hint(
                    "`retry: {budget: …}` of the topology says how long is tried; what is not \
                     delivered is read again at the next start",
                )
            }
            _ => Error::state(
                "SW2132",
                format!("deliver {records} records to the topic `{topic}`: {code}"),
            )
            .with_hint("what is not delivered is read again at the next start"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_durable_when_it_and_all_before_it_are() {
        let mut deliveries = Deliveries::default();
        deliveries.begin(1, 2);
        deliveries.begin(2, 0);
        deliveries.begin(3, 1);
        deliveries.done(3);
        deliveries.done(1);
        assert_eq!(deliveries.durable(), 0);
        deliveries.done(1);
        assert_eq!(deliveries.durable(), 3);
        deliveries.begin(4, 1);
        deliveries.reject(4, rejected("SW2131", "t", Code::MessageSizeTooLarge, Some(b"p"), None));
        assert_eq!((deliveries.durable(), deliveries.take_rejected().len()), (4, 1));
    }

    #[test]
    fn what_failed_is_never_durable() {
        let mut deliveries = Deliveries::default();
        deliveries.begin(1, 1);
        deliveries.begin(2, 1);
        deliveries.fail(Code::MessageTimedOut);
        deliveries.done(2);
        assert_eq!(deliveries.durable(), 0);
        assert_eq!(deliveries.failure("t", "b").unwrap().code, "SW2132");
    }
}
