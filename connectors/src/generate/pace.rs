//! When generated rows are due: an open loop, so that a slow consumer makes rows late, and never
//! moves their due times.

use swiftwater_engine::Timestamp;

use super::timeline::{Slots, Timeline};

/// The least time between two batches of a paced source: a row waits this long at most so that
/// batches of a fast stream do not shrink to single rows.
const GATHER_MICROS: i64 = 1000;

/// Due times by row number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    timeline: Timeline,
    handed_over: Timestamp,
}

impl Pace {
    /// Event 0 is due at `start`, and `rate` events follow each second; `slots` says which are rows.
    pub(crate) const fn new(start: Timestamp, rate: f64, slots: Slots) -> Self {
        let timeline = Timeline { start: start.0, rate, slots };
        Self { timeline, handed_over: Timestamp(i64::MIN) }
    }

    /// When a row is due.
    pub(crate) fn due(&self, row: u64) -> Timestamp {
        Timestamp(self.timeline.at(row))
    }

    /// When a batch that begins with `row` should be handed over.
    pub(crate) fn next(&self, row: u64) -> Timestamp {
        self.due(row).max(Timestamp(self.handed_over.0.saturating_add(GATHER_MICROS)))
    }

    /// How many rows from `row` on are due at `now`; at least one, for a caller that has waited.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a batch's rows are far fewer than 2^53, and the cast saturates"
    )]
    pub(crate) fn ready(&mut self, row: u64, now: Timestamp) -> usize {
        self.handed_over = now;
        let slots = self.timeline.slots;
        let late = now.0.saturating_sub(self.due(row).0).max(0);
        let events = (late as f64 * self.timeline.rate / 1e6) as u64;
        let mut rows = slots.rows_of(slots.event(row) + events + 1).saturating_sub(row).max(1);
        while rows > 1 && self.due(row + rows - 1) > now {
            rows -= 1;
        }
        usize::try_from(rows).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_batch_catches_up_and_due_times_stay() {
        let mut pace = Pace::new(Timestamp(0), 1000.0, Slots::ALL);
        assert_eq!(pace.due(5), Timestamp(5000));
        assert_eq!(pace.ready(0, Timestamp(0)), 1);
        // Ten milliseconds late: rows 1 to 11 are due.
        assert_eq!(pace.ready(1, Timestamp(11_000)), 11);
        assert_eq!(pace.next(12), Timestamp(12_000));
        assert_eq!(pace.due(12), Timestamp(12_000));
    }

    #[test]
    fn rows_that_are_some_events_of_a_sequence_wait_for_theirs() {
        // Events 0, 1 and 2 of each ten, one event a millisecond.
        let mut pace = Pace::new(Timestamp(0), 1000.0, Slots { first: 0, width: 3, of: 10 });
        assert_eq!(pace.due(3), Timestamp(10_000));
        assert_eq!(pace.ready(0, Timestamp(9_999)), 3);
        assert_eq!(pace.ready(3, Timestamp(21_000)), 5);
    }

    #[test]
    fn rows_of_a_fast_stream_are_gathered() {
        let mut pace = Pace::new(Timestamp(0), 1e6, Slots::ALL);
        assert_eq!(pace.ready(0, Timestamp(0)), 1);
        assert_eq!(pace.next(1), Timestamp(1000));
        assert_eq!(pace.ready(1, Timestamp(1000)), 1000);
    }
}
