//! Which rows an instance of a source that makes up numbered rows hands over, and how far it is.
//!
//! Rows belong to a fixed number of lanes by their number, whatever the parallelism; an instance
//! owns some of the lanes and always takes the lowest row that is left in them. So a position says
//! for each lane which row comes next, and instances of another number can go on from it.

use std::collections::BTreeMap;

use crate::source::Position;

/// A run of rows, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// Number of the first row, from 0.
    pub first: u64,
    /// How many.
    pub count: usize,
}

impl Rows {
    /// The row numbers.
    pub fn iter(self) -> impl Iterator<Item = u64> {
        (self.first..).take(self.count)
    }
}

/// Rows that stay together: block b belongs to lane b modulo the number of lanes.
const BLOCK: u64 = 8192;
/// Divisible by most numbers of instances that are in use, so that they share evenly.
const LANES: u64 = 120;

/// Position of all lanes at once: every row below is done.
const ALL: &str = "rows";
/// Before the number of a lane: the number of its next row.
const LANE: &str = "lane/";

/// The lanes of one instance, with the number of the next row of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lanes(BTreeMap<u64, u64>);

const fn lane_of(row: u64) -> u64 {
    row / BLOCK % LANES
}

/// The first row of a lane that is not below `row`.
const fn first_from(lane: u64, row: u64) -> u64 {
    let (block, own) = (row / BLOCK, lane_of(row));
    if own == lane {
        return row;
    }
    let ahead = (lane + LANES - own) % LANES;
    (block + ahead) * BLOCK
}

impl Lanes {
    /// The lanes of instance `instance` of `instances`, at their beginning or where `resume` says.
    #[must_use]
    pub fn of(instance: u64, instances: u64, resume: Option<&Position>) -> Self {
        let at = |name: &str| {
            let row = resume.and_then(|p| p.0.get(name)).copied();
            row.and_then(|row| u64::try_from(row).ok())
        };
        let all = at(ALL).unwrap_or(0);
        let own = (0..LANES).filter(|lane| lane % instances.max(1) == instance);
        let next = own.map(|lane| {
            let from = at(&format!("{LANE}{lane}")).unwrap_or(all);
            (lane, first_from(lane, from))
        });
        Self(next.collect())
    }

    /// The rows that come next, one after the other, at most `most`; none for an instance without
    /// lanes.
    #[must_use]
    pub fn next_rows(&self, most: usize) -> Rows {
        let Some(first) = self.0.values().min().copied() else {
            return Rows { first: 0, count: 0 };
        };
        let wanted = first.saturating_add(most as u64);
        let mut end = (first / BLOCK + 1) * BLOCK;
        while end < wanted && self.0.get(&lane_of(end)) == Some(&end) {
            end += BLOCK;
        }
        let count = usize::try_from(end.min(wanted) - first).unwrap_or(usize::MAX);
        Rows { first, count }
    }

    /// Notes that rows which came from [`Lanes::next_rows`] were handed over.
    pub fn handed_over(&mut self, rows: Rows) {
        let end = rows.first + rows.count as u64;
        let mut row = rows.first;
        while row < end {
            let lane = lane_of(row);
            let block_end = (row / BLOCK + 1) * BLOCK;
            if let Some(next) = self.0.get_mut(&lane) {
                *next = first_from(lane, end.min(block_end));
            }
            row = block_end;
        }
    }

    /// The position: one number where the instance owns all lanes and they are level.
    #[must_use]
    pub fn position(&self) -> Position {
        let signed = |row: u64| i64::try_from(row).unwrap_or(i64::MAX);
        let lowest = self.0.values().min().copied().unwrap_or(0);
        let level = self.0.iter().all(|(lane, next)| *next == first_from(*lane, lowest));
        if level && self.0.len() as u64 == LANES {
            return Position(BTreeMap::from([(ALL.to_owned(), signed(lowest))]));
        }
        let lanes = self.0.iter().map(|(lane, next)| (format!("{LANE}{lane}"), signed(*next)));
        Position(lanes.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    /// Takes batches of `most` rows and notes them.
    fn take(lanes: &mut Lanes, most: usize, batches: usize, seen: &mut Vec<u64>) {
        for _ in 0..batches {
            let rows = lanes.next_rows(most);
            assert!(rows.count <= most);
            seen.extend(rows.iter());
            lanes.handed_over(rows);
        }
    }

    #[test]
    fn one_instance_takes_row_after_row_and_its_position_is_one_number() {
        let mut lanes = Lanes::of(0, 1, None);
        let mut seen = Vec::new();
        take(&mut lanes, 10_000, 150, &mut seen);
        assert!(seen.iter().copied().eq(0..1_500_000));
        assert_eq!(lanes.position().0, BTreeMap::from([("rows".to_owned(), 1_500_000)]));
        assert_eq!(Lanes::of(0, 1, Some(&lanes.position())), lanes);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn every_row_comes_once_however_often_the_instances_change(
            runs in prop::collection::vec((1_u64..7, 1_usize..20_000, prop::collection::vec(0_usize..40, 6)), 1..4),
        ) {
            let mut seen = Vec::new();
            let mut resume = None;
            let end = 2_000_000;
            for (instances, most, batches) in runs {
                let mut merged = Position::default();
                for (instance, batches) in (0..instances).zip(batches) {
                    let mut lanes = Lanes::of(instance, instances, resume.as_ref());
                    take(&mut lanes, most, batches, &mut seen);
                    merged.0.extend(lanes.position().0);
                }
                resume = Some(merged);
            }
            // The rest, by one instance.
            let mut lanes = Lanes::of(0, 1, resume.as_ref());
            while lanes.next_rows(1).first < end {
                take(&mut lanes, 50_000, 1, &mut seen);
            }
            seen.retain(|row| *row < end);
            seen.sort_unstable();
            prop_assert!(seen.iter().copied().eq(0..end), "{} rows of {end}", seen.len());
        }
    }

    #[test]
    fn more_instances_than_lanes_leave_some_without_rows() {
        assert_eq!(Lanes::of(LANES, LANES + 1, None).next_rows(10).count, 0);
        assert_eq!(
            Lanes::of(3, LANES + 1, None).next_rows(10),
            Rows { first: 3 * BLOCK, count: 10 }
        );
    }
}
