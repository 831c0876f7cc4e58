//! The partitions that a source instance reads, and how far it has come in each.
//!
//! One lock orders the three threads that touch them: taking messages and saying whose they are is
//! one step, and so are assigning and unassigning a partition. A message is therefore never counted
//! for an earlier or later ownership of its partition.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use swiftwater_engine::{Position, Reading};

use super::context::Split;

/// One partition during one ownership.
pub(super) struct Partition {
    pub(super) topic: Arc<str>,
    pub(super) number: i32,
    /// `topic/number`: its name in positions and metrics.
    pub(super) label: Arc<str>,
    /// Offset of the first record that a bounded source does not read.
    pub(super) end: i64,
    next: AtomicI64,
    committed: AtomicI64,
    passed: AtomicBool,
    caught_up: AtomicBool,
    /// End of the log up to which the client has fetched all there was, though no record may lie
    /// directly before it.
    drained: AtomicI64,
}

impl Partition {
    /// A partition that is read from `next` on; `committed` is -1 where the group has no offset.
    pub(super) fn new(topic: Arc<str>, number: i32, next: i64, committed: i64, end: i64) -> Self {
        Self {
            label: label(&topic, number).into(),
            topic,
            number,
            end,
            next: AtomicI64::new(next),
            committed: AtomicI64::new(committed),
            passed: AtomicBool::new(false),
            caught_up: AtomicBool::new(false),
            drained: AtomicI64::new(-1),
        }
    }

    pub(super) fn split(&self) -> Split {
        (self.topic.as_ref().to_owned(), self.number)
    }

    /// Offset after the last record handed over.
    pub(super) fn next(&self) -> i64 {
        self.next.load(Ordering::Acquire)
    }

    /// Takes the record at `offset`; `false` where it was handed over before or lies behind the end.
    pub(super) fn take(&self, offset: i64) -> bool {
        let fits = offset >= self.next.load(Ordering::Relaxed) && offset < self.end;
        if fits {
            self.next.store(offset + 1, Ordering::Release);
            self.caught_up.store(false, Ordering::Release);
        } else if offset >= self.end {
            self.next.fetch_max(self.end, Ordering::AcqRel);
        }
        fits
    }

    /// The record at `offset` was taken but could not be handed over yet.
    pub(super) fn take_back(&self, offset: i64) {
        self.next.fetch_min(offset, Ordering::AcqRel);
    }

    /// The record at `offset` is handed over.
    pub(super) fn hand_over(&self, offset: i64) {
        self.next.fetch_max(offset + 1, Ordering::AcqRel);
    }

    /// Nothing is left before the end, though the last offsets held no records.
    pub(super) fn finish(&self) {
        self.next.fetch_max(self.end, Ordering::AcqRel);
    }

    /// Whether everything before the end was handed over.
    pub(super) fn is_finished(&self) -> bool {
        self.next() >= self.end
    }

    /// The client has fetched everything before the end: once its queue is empty, the partition is
    /// finished, though the last offsets may hold markers or nothing instead of records.
    pub(super) fn set_passed(&self, passed: bool) {
        self.passed.store(passed, Ordering::Release);
    }

    pub(super) fn is_passed(&self) -> bool {
        self.passed.load(Ordering::Acquire)
    }

    /// Everything before the log's end at `end` was fetched, and nothing of it waits.
    pub(super) fn drained_to(&self, end: i64) {
        self.drained.store(end, Ordering::Release);
    }

    /// Compares what was handed over with the log, whose end is at `high` and of which the client
    /// has come to `position` (which moves over markers of transactions too); -1 is not known.
    pub(super) fn compare(&self, position: i64, high: i64) {
        let come = self.next().max(position).max(self.drained.load(Ordering::Acquire));
        let all = self.is_finished() || (high >= 0 && come >= high);
        self.caught_up.store(all, Ordering::Release);
    }

    fn reading(&self) -> Reading {
        let caught_up = self.caught_up.load(Ordering::Acquire);
        Reading { split: Arc::clone(&self.label), caught_up }
    }

    /// Whether `offset` is to be committed; remembers that it was. With `again` also an offset that
    /// was asked for before.
    pub(super) fn commits(&self, offset: i64, again: bool) -> bool {
        let before = self.committed.fetch_max(offset, Ordering::AcqRel);
        offset > before || (again && offset == before)
    }

    /// A commit failed: the next epoch asks again.
    pub(super) fn forget_commit(&self) {
        self.committed.store(-1, Ordering::Release);
    }
}

/// `topic/number`.
pub(super) fn label(topic: &str, number: i32) -> String {
    format!("{topic}/{number}")
}

/// Partitions by label.
pub(super) type Owned = BTreeMap<String, Arc<Partition>>;

/// The partitions of one instance.
#[derive(Default)]
pub(super) struct Assignment {
    owned: Mutex<Owned>,
    changes: AtomicU64,
    emptied: AtomicU64,
}

impl Assignment {
    /// Holds the assignment as it is.
    pub(super) fn lock(&self) -> MutexGuard<'_, Owned> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says, with the lock held, that partitions came or went.
    pub(super) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// How often partitions came or went.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The reader found the queue empty: nothing holds it back.
    pub(super) fn emptied(&self) {
        self.emptied.fetch_add(1, Ordering::Relaxed);
    }

    /// How often the reader found the queue empty.
    pub(super) fn times_emptied(&self) -> u64 {
        self.emptied.load(Ordering::Relaxed)
    }

    /// How the instance stands with each partition, as of the last comparison with the log. An
    /// instance without partitions has nothing to wait for.
    pub(super) fn reading(&self) -> Vec<Reading> {
        let owned = self.lock();
        if owned.is_empty() {
            return vec![Reading { split: "none".into(), caught_up: true }];
        }
        owned.values().map(|p| p.reading()).collect()
    }

    /// The position after what was handed over.
    pub(super) fn position(&self) -> Position {
        Position(self.lock().values().map(|p| (p.label.to_string(), p.next())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(next: i64, committed: i64, end: i64) -> Partition {
        Partition::new("t".into(), 0, next, committed, end)
    }

    #[test]
    fn a_record_is_handed_over_once_and_never_behind_the_end() {
        let p = partition(5, -1, 9);
        assert!(p.take(5) && p.take(7));
        assert!(!p.take(5) && !p.take(7), "fetched again after a rebalance");
        assert!(!p.is_finished());
        assert!(!p.take(12), "the records before the end were compacted away");
        assert!(p.is_finished());
        assert_eq!(p.next(), 9);
    }

    #[test]
    fn a_partition_is_caught_up_until_the_next_record_comes() {
        let p = partition(5, -1, i64::MAX);
        let caught_up = || p.reading().caught_up;
        p.compare(-1, -1);
        assert!(!caught_up(), "the end of the log is not known yet");
        p.compare(-1, 5);
        assert!(caught_up());
        assert!(p.take(5));
        assert!(!caught_up(), "until it is compared again");
        p.compare(6, 8);
        assert!(!caught_up());
        p.compare(8, 8);
        assert!(caught_up(), "the last offsets are markers");
        p.compare(6, 9);
        assert!(!caught_up());
        p.drained_to(9);
        p.compare(6, 9);
        assert!(caught_up(), "the last records were compacted away");
    }

    #[test]
    fn commits_never_go_back() {
        let p = partition(5, -1, i64::MAX);
        assert!(p.commits(5, false), "the start is committed where the group had nothing");
        assert!(p.commits(9, false));
        assert!(!p.commits(7, false), "an epoch of an earlier ownership");
        assert!(!p.commits(9, false) && p.commits(9, true));
        p.forget_commit();
        assert!(p.commits(9, false));
    }
}
