//! What is to be done at which event time, in the order of time and number. Streams are mostly in
//! order, so that most entries are appended to and taken from a queue; those out of order go through
//! a heap.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Time in microseconds, number, and whatever belongs to them.
type Entry<T> = (i64, u64, T);

/// Entries by time and number.
pub(crate) struct Agenda<T: Ord + Copy> {
    ordered: VecDeque<Entry<T>>,
    stray: BinaryHeap<Reverse<Entry<T>>>,
}

impl<T: Ord + Copy> Default for Agenda<T> {
    fn default() -> Self {
        Self { ordered: VecDeque::new(), stray: BinaryHeap::new() }
    }
}

impl<T: Ord + Copy> Agenda<T> {
    /// Notes something for `time`; of the same time, lower numbers come first.
    pub(crate) fn push(&mut self, time: i64, number: u64, what: T) {
        let entry = (time, number, what);
        if self.ordered.back().is_none_or(|last| *last <= entry) {
            self.ordered.push_back(entry);
        } else {
            self.stray.push(Reverse(entry));
        }
    }

    /// The time of the first entry.
    pub(crate) fn next_time(&self) -> Option<i64> {
        let ordered = self.ordered.front().map(|e| e.0);
        let stray = self.stray.peek().map(|e| e.0.0);
        match (ordered, stray) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Takes the first entry if its time is `until` or before.
    pub(crate) fn pop_until(&mut self, until: i64) -> Option<Entry<T>> {
        let stray_first = match (self.ordered.front(), self.stray.peek()) {
            (Some(a), Some(Reverse(b))) => b < a,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if stray_first {
            let due = self.stray.peek().is_some_and(|e| e.0.0 <= until);
            return if due { self.stray.pop().map(|e| e.0) } else { None };
        }
        let due = self.ordered.front().is_some_and(|e| e.0 <= until);
        if due { self.ordered.pop_front() } else { None }
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        (self.ordered.capacity() + self.stray.capacity()) * size_of::<Entry<T>>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn entries_come_in_order(times in prop::collection::vec((-50i64..50, 0i64..60), 0..80)) {
            let mut agenda = Agenda::default();
            let mut oracle = Vec::new();
            for (number, (time, until)) in (0..).zip(times) {
                agenda.push(time, number, ());
                oracle.push((time, number, ()));
                oracle.sort_unstable();
                prop_assert_eq!(agenda.next_time(), oracle.first().map(|e| e.0));
                if number % 3 == 0 {
                    while let Some(entry) = agenda.pop_until(until - 50) {
                        prop_assert_eq!(entry, oracle.remove(0));
                    }
                    prop_assert!(oracle.first().is_none_or(|e| e.0 > until - 50));
                }
            }
        }
    }
}
