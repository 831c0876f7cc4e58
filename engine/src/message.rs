//! What moves along an edge.

use crate::batch::Batch;
use crate::clock::Timestamp;

/// Number of an epoch, from 1; the work between two barriers.
pub type Epoch = u64;

/// The marker that ends an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Barrier {
    /// The epoch that ends here.
    pub epoch: Epoch,
    /// Whether sinks must finish now what they would rather collect further (a rebalance or the
    /// end is waiting).
    pub flush: bool,
}

/// One element of an edge. Everything but a batch is control and needs no credit.
#[derive(Debug, Clone)]
pub enum Message {
    /// Rows.
    Batch(Batch),
    /// No row older than this is expected; [`Timestamp::MAX`] after the last row there is.
    Watermark(Timestamp),
    /// The input has nothing to say for now and must not hold back the watermark.
    Idle,
    /// The epoch ends.
    Barrier(Barrier),
    /// Nothing follows.
    End,
}
