//! The state of tasks at a barrier, on its way to the object store and back.

use super::chain::Chain;
use super::control::Stopped;
use crate::clock::Timestamp;
use crate::state::TableDelta;

/// What one node of one task held at a barrier.
pub(super) struct Sealed {
    pub(super) node: String,
    pub(super) deltas: Vec<TableDelta>,
    pub(super) watermark: Option<Timestamp>,
    /// Bytes of memory that its state takes.
    pub(super) held: usize,
}

/// What the last committed epoch left behind.
#[derive(Default)]
pub(super) struct Recovered {}

/// A task's part of snapshots.
pub(super) struct TaskSnapshots {
    /// Number of the task.
    pub(super) task: usize,
}

impl TaskSnapshots {
    /// Gives the nodes of a task their state.
    pub(super) fn restore(&self, _recovered: &Recovered, chain: &mut Chain) -> Result<(), Stopped> {
        chain.restore(|_, _| Ok(None))
    }
}
