//! Rows and labels in the order in which they count.

use crate::keyed::Slot;

/// What comes next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// A row is transformed, then learned from.
    Row(usize),
    /// A label is learned from.
    Label(usize),
}

/// An event with its key and time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) event: Event,
    pub(super) slot: Slot,
    pub(super) time: i64,
    /// Whether it is learned from.
    pub(super) learn: bool,
}

/// Rows and labels by time; rows go before labels of the same time, whose outcome they do not know.
pub(super) fn merge(
    (row_slots, row_times): (&[Slot], &[i64]),
    (label_slots, label_times): (&[Slot], &[i64]),
) -> Vec<Moment> {
    let mut moments = Vec::with_capacity(row_times.len() + label_times.len());
    let mut labels = label_slots.iter().zip(label_times).enumerate().peekable();
    let of =
        |event, slot: &Slot, time: &i64| Moment { event, slot: *slot, time: *time, learn: true };
    for (row, (slot, time)) in row_slots.iter().zip(row_times).enumerate() {
        while let Some((label, (slot, time))) = labels.next_if(|(_, (_, t))| *t < time) {
            moments.push(of(Event::Label(label), slot, time));
        }
        moments.push(of(Event::Row(row), slot, time));
    }
    moments.extend(labels.map(|(label, (slot, time))| of(Event::Label(label), slot, time)));
    moments
}
