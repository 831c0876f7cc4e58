//! The rows of one key in the order of event time.

use std::collections::VecDeque;
use std::ops::Range;

use super::row_log::RowId;

/// A row of a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Event time in microseconds.
    pub(crate) time: i64,
    pub(crate) id: RowId,
    /// Whether a row of the other side was found for it.
    pub(crate) matched: bool,
}

/// Rows in the order of time and number. A single row, the most frequent case of unique keys,
/// allocates nothing.
#[derive(Debug, Clone, Default)]
pub(crate) enum Timeline {
    #[default]
    Empty,
    One(Entry),
    Many(VecDeque<Entry>),
}

impl Timeline {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::One(_) => false,
            Self::Many(all) => all.is_empty(),
        }
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        match self {
            Self::Empty => *self = Self::One(entry),
            Self::One(first) => {
                *self = Self::Many(VecDeque::from([*first]));
                self.insert(entry);
            }
            Self::Many(all) => {
                let key = (entry.time, entry.id);
                // Most rows come in order.
                if all.back().is_none_or(|last| (last.time, last.id) < key) {
                    all.push_back(entry);
                } else {
                    let at = all.partition_point(|e| (e.time, e.id) < key);
                    all.insert(at, entry);
                }
            }
        }
    }

    fn place(&self, before: impl Fn(&Entry) -> bool) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(entry) => usize::from(before(entry)),
            Self::Many(all) => all.partition_point(before),
        }
    }

    fn get(&self, at: usize) -> Option<&Entry> {
        match self {
            Self::One(entry) if at == 0 => Some(entry),
            Self::Many(all) => all.get(at),
            _ => None,
        }
    }

    /// The oldest row.
    pub(crate) fn first(&self) -> Option<&Entry> {
        self.get(0)
    }

    /// Rows from `first` to `last`, both included.
    pub(crate) fn between(&self, first: i64, last: i64) -> impl Iterator<Item = &Entry> {
        let places: Range<usize> = self.place(|e| e.time < first)..self.place(|e| e.time <= last);
        places.filter_map(|at| self.get(at))
    }

    /// The newest row up to `time`; of the same time, the one that came last.
    pub(crate) fn newest_until(&self, time: i64) -> Option<&Entry> {
        self.get(self.place(|e| e.time <= time).checked_sub(1)?)
    }

    /// Rows up to `time`, the newest first; of the same time, the one that came last first.
    pub(crate) fn newest_first(&self, time: i64) -> impl Iterator<Item = &Entry> {
        (0..self.place(|e| e.time <= time)).rev().filter_map(|at| self.get(at))
    }

    /// A row that is there.
    pub(crate) fn get_mut(&mut self, time: i64, id: RowId) -> Option<&mut Entry> {
        let at = self.place(|e| (e.time, e.id) < (time, id));
        let entry = match self {
            Self::One(entry) => Some(entry),
            Self::Many(all) => all.get_mut(at),
            Self::Empty => None,
        };
        entry.filter(|e| e.id == id)
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, time: i64, id: RowId) -> Option<Entry> {
        let at = self.place(|e| (e.time, e.id) < (time, id));
        let found = self.get(at).copied().filter(|e| e.id == id)?;
        match self {
            Self::Many(all) if all.len() > 1 => {
                all.remove(at);
                if all.len() * 4 < all.capacity() && all.capacity() > 64 {
                    all.shrink_to(all.len() * 2);
                }
            }
            _ => *self = Self::Empty,
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_timeline_is_a_sorted_list(
            times in prop::collection::vec(0i64..20, 0..30), removed in prop::collection::vec(0usize..30, 0..30),
            first in 0i64..20, length in 0i64..20,
        ) {
            let mut timeline = Timeline::default();
            let mut oracle: Vec<(i64, RowId)> = Vec::new();
            for (id, time) in (0..).zip(times) {
                timeline.insert(Entry { time, id, matched: false });
                oracle.push((time, id));
            }
            oracle.sort_unstable();
            for at in removed {
                if at < oracle.len() {
                    let (time, id) = oracle.remove(at);
                    prop_assert_eq!(timeline.remove(time, id).map(|e| e.id), Some(id));
                    prop_assert!(timeline.remove(time, id).is_none());
                }
            }
            prop_assert_eq!(timeline.is_empty(), oracle.is_empty());
            let last = first + length;
            let found: Vec<_> = timeline.between(first, last).map(|e| (e.time, e.id)).collect();
            let inside: Vec<_> = oracle.iter().copied().filter(|e| (first..=last).contains(&e.0)).collect();
            prop_assert_eq!(found, inside);
            let newest = timeline.newest_until(last).map(|e| (e.time, e.id));
            prop_assert_eq!(newest, oracle.iter().copied().rfind(|e| e.0 <= last));
            for (time, id) in &oracle {
                prop_assert!(timeline.get_mut(*time, *id).is_some());
            }
            let found: Vec<_> = timeline.newest_first(last).map(|e| (e.time, e.id)).collect();
            let until: Vec<_> = oracle.into_iter().rev().filter(|e| e.0 <= last).collect();
            prop_assert_eq!(found, until);
        }
    }
}
