//! Sinks: they write an external system, each on a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use crate::batch::Batch;
use crate::clock::Clock;
use crate::commit::Shared;
use crate::dead_letter::Rejected;
use crate::error::{Error, Result};
use crate::message::{Barrier, Epoch};
use crate::metrics::SinkMetrics;

/// Number of a batch handed to a sink, from 1 and without gaps.
pub type Sequence = u64;

/// What recovery needs to finish a staged epoch; it is kept in the epoch's manifest, so it holds no
/// secrets and not many bytes.
pub type Staged = serde_json::Value;

/// What a sink is told where the topology is `exactly_once`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExactlyOnce {
    /// The last committed epoch with what this sink had staged for it; `None` before the first.
    /// `open` finalises it where that is still to be done, and clears away what later epochs of
    /// an earlier process left: they were never committed.
    pub committed: Option<(Epoch, Option<Staged>)>,
}

/// What a sink is given when it opens.
#[derive(Clone)]
pub struct SinkContext {
    /// Name of the topology.
    pub topology: String,
    /// Name of the node.
    pub node: String,
    /// Most bytes the sink may hold unacknowledged.
    pub buffer_bytes: usize,
    /// How long an unavailable system may be tried before the topology stops.
    pub retry_budget: Duration,
    /// Where time comes from.
    pub clock: Clock,
    /// Series of this node.
    pub metrics: Arc<SinkMetrics>,
    /// What the nodes of this run share.
    pub shared: Arc<Shared>,
    /// Set where nothing may be seen twice: rows stay unseen until [`Sink::finalise`].
    pub exactly_once: Option<ExactlyOnce>,
}

/// Writes an external system. Waiting in `write` is the back-pressure.
///
/// The engine numbers the batches; the sink says up to which number everything is durable. An
/// epoch is finished, and its offsets committed, when the last batch before its barrier is.
pub trait Sink: Send {
    /// Connects.
    ///
    /// # Errors
    /// `Config` for what will never work, `Unavailable` for what may work later.
    fn open(&mut self, cx: SinkContext) -> Result<()>;

    /// Takes batch number `sequence`. Returning does not mean that it is durable.
    ///
    /// # Errors
    /// `Unavailable`: nothing of the batch was taken; the engine backs off and calls again with
    /// the same batch. `Data`: the engine tries smaller slices to find the row. Anything else
    /// stops the topology.
    fn write(&mut self, sequence: Sequence, batch: &Batch) -> Result<()>;

    /// The highest number up to which every batch is durable downstream (0 for none), waiting at
    /// most `wait` for it to rise.
    ///
    /// # Errors
    /// As for `write`; what was taken and is not acknowledged will be read again after a restart.
    fn acknowledged(&mut self, wait: Duration) -> Result<Sequence>;

    /// An epoch ends here. With `barrier.flush` everything taken must become durable without
    /// further input; otherwise the sink may go on collecting.
    ///
    /// # Errors
    /// As for `write`.
    fn barrier(&mut self, _barrier: Barrier) -> Result<()> {
        Ok(())
    }

    /// Exactly once: the rows since the last barrier must outlive the process, without being seen.
    /// The engine then commits the epoch, writes nothing meanwhile, and calls
    /// [`Sink::finalise`]. Every batch has been acknowledged before.
    ///
    /// # Errors
    /// As for `write`.
    fn stage(&mut self, _epoch: Epoch) -> Result<Staged> {
        Err(Error::bug("stage an epoch of a sink that is not exactly-once"))
    }

    /// Exactly once: the epoch is committed; its rows are seen from now on. Called again after a
    /// failure, so it must not do anything twice.
    ///
    /// # Errors
    /// As for `write`.
    fn finalise(&mut self, _epoch: Epoch, _staged: &Staged) -> Result<()> {
        Ok(())
    }

    /// Records that turned out to be unwritable since the last call, after they were taken.
    fn take_rejected(&mut self) -> Vec<Rejected> {
        Vec::new()
    }

    /// No batch follows and all are acknowledged.
    ///
    /// # Errors
    /// Anything fails the run.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
