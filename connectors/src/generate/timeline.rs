//! When a generated row happens, by its number.

/// Which events of a numbered sequence are rows: of every `of` events those from `first` on, `width`
/// of them. Several sources can so be parts of one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slots {
    /// The first event of each round that is a row.
    pub first: u64,
    /// Events of each round that are rows.
    pub width: u64,
    /// Events of a round.
    pub of: u64,
}

impl Slots {
    /// Every event is a row.
    pub(crate) const ALL: Self = Self { first: 0, width: 1, of: 1 };

    /// The event that a row is.
    #[inline]
    pub(crate) const fn event(self, row: u64) -> u64 {
        if self.width == self.of {
            return row;
        }
        row / self.width * self.of + self.first + row % self.width
    }

    /// How many rows there are among the first `events` events.
    pub(crate) fn rows_of(self, events: u64) -> u64 {
        events / self.of * self.width
            + (events % self.of).saturating_sub(self.first).min(self.width)
    }
}

/// Event time of a generated row, by its number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeline {
    /// Time of event 0 in microseconds since 1970.
    pub start: i64,
    /// Events in one second.
    pub rate: f64,
    /// Which events are rows.
    pub slots: Slots,
}

impl Timeline {
    /// Microseconds since 1970 of a row.
    #[inline]
    pub(crate) fn at(self, row: u64) -> i64 {
        self.of_event(self.slots.event(row))
    }

    /// How many rows happen before a time.
    pub(crate) fn rows_before(self, time: i64) -> u64 {
        // The least event at or after the time: times grow with events.
        let (mut low, mut high) = (0, u64::MAX / 2);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.of_event(middle) < time { low = middle + 1 } else { high = middle }
        }
        self.slots.rows_of(low)
    }

    /// Microseconds since 1970 of an event. Grows with it: each operation rounds monotonically.
    #[inline]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a double holds events x 1e6 exactly up to nine thousand million, and is off by a \
                  few microseconds above"
    )]
    pub(crate) fn of_event(self, event: u64) -> i64 {
        self.start.saturating_add((event as f64 * 1e6 / self.rate) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_before_a_time_are_those_that_happen_before_it() {
        for rate in [0.3, 1.0, 3.0, 99_999.7] {
            for slots in [Slots::ALL, Slots { first: 1, width: 3, of: 50 }] {
                let timeline = Timeline { start: -5_000_000, rate, slots };
                for time in [-6_000_000, -5_000_000, -4_999_999, 0, 60_000_000] {
                    let rows = timeline.rows_before(time);
                    assert!(timeline.at(rows) >= time, "{rate} {time}");
                    assert!(rows == 0 || timeline.at(rows - 1) < time, "{rate} {time}");
                }
            }
        }
    }

    #[test]
    fn rows_and_events_go_together() {
        for slots in [Slots::ALL, Slots { first: 1, width: 3, of: 50 }] {
            let events: Vec<u64> = (0..1000).map(|row| slots.event(row)).collect();
            assert!(events.is_sorted());
            for (row, event) in (0..).zip(events) {
                assert_eq!((slots.rows_of(event), slots.rows_of(event + 1)), (row, row + 1));
            }
        }
        assert_eq!(Slots { first: 1, width: 3, of: 50 }.event(4), 52);
    }
}
