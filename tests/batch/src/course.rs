//! The course of a run: how many tasks there are, where it is stopped, and how it goes on.

use proptest::collection::vec;
use proptest::prelude::*;

/// From one start to the next.
#[derive(Debug, Clone)]
pub(crate) struct Leg {
    /// Tasks of a node; nodes have some more or less, from 1 to 4.
    pub(crate) tasks: usize,
    /// Instances of a source.
    pub(crate) sources: usize,
    /// Up to which thousandth of their rows sources read before an epoch is awaited.
    pub(crate) epoch_at: usize,
    /// Up to which they read before the stop, at least that far.
    pub(crate) stop_at: usize,
    /// Whether what is in flight is finished first; otherwise the epoch under way is lost.
    pub(crate) drain: bool,
}

/// All of a run. The last leg goes on to the end.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    pub(crate) legs: Vec<Leg>,
    pub(crate) partitions: usize,
}

/// Any course, of sources with one or two partitions.
pub(crate) fn course(partitions: impl Strategy<Value = usize>) -> impl Strategy<Value = Course> {
    let leg =
        (1..=4_usize, 1..=2_usize, 0..1000_usize, 0..600_usize, proptest::bool::weighted(0.2));
    let leg = leg.prop_map(|(tasks, sources, epoch_at, more, drain)| {
        let stop_at = (epoch_at + more).min(999);
        Leg { tasks, sources, epoch_at, stop_at, drain }
    });
    (vec(leg, 1..=3), partitions).prop_map(|(mut legs, partitions)| {
        // What is read once is read further next time.
        legs.sort_by_key(|leg| leg.epoch_at);
        Course { legs, partitions }
    })
}
