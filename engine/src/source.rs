//! Sources: they read an external system, each instance on a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::clock::Clock;
use crate::commit::Shared;
use crate::dead_letter::Rejected;
use crate::error::Result;
use crate::metrics::SourceMetrics;

/// Where a source instance stands: split (partition, file) → next record, as the kind writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position(pub std::collections::BTreeMap<String, i64>);

/// Name of the unit that a source reads in order: a partition (`topic/3`), a file.
pub type Split = Arc<str>;

/// How a source instance stands with one split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The split.
    pub split: Split,
    /// Whether everything that is there has been read, so that silence means that nothing comes.
    pub caught_up: bool,
}

/// What one call of [`Source::poll`] brought.
#[derive(Debug)]
pub enum Polled {
    /// Rows, and the records among them that could not be decoded.
    Rows {
        /// Decoded rows; may be empty where every record was rejected.
        batch: Batch,
        /// Records that could not be decoded.
        rejected: Vec<Rejected>,
        /// Bytes read for them.
        bytes: usize,
        /// Which splits the rows of `batch` came from: runs of rows, in the order of the rows.
        /// Empty where the source reads one thing only.
        splits: Vec<(Split, usize)>,
    },
    /// Nothing within the wait.
    Empty,
    /// Splits are about to be taken away: the engine ends the epoch with a flush, and calls
    /// [`Source::release`] once it is committed or the deadline has passed.
    Revoking {
        /// How long the source can wait.
        within: Duration,
    },
    /// A bounded source has come to its end.
    End,
}

/// What a source instance is given when it opens.
#[derive(Clone)]
pub struct SourceContext {
    /// Name of the topology.
    pub topology: String,
    /// Name of the node.
    pub node: String,
    /// This instance, from 0.
    pub instance: usize,
    /// Number of instances of the node.
    pub instances: usize,
    /// Most bytes this instance may read ahead.
    pub prefetch_bytes: usize,
    /// Most rows a batch should have.
    pub batch_rows: usize,
    /// Where time comes from.
    pub clock: Clock,
    /// Series of this node.
    pub metrics: Arc<SourceMetrics>,
    /// Where to go on, where a snapshot says so: splits that it names are read from there, whatever
    /// the origin remembers; others as the options say.
    pub resume: Option<Position>,
    /// Whether the instances take every split there is among themselves (split number modulo
    /// `instances`), without a group that could move some to another process: what state or
    /// `exactly_once` rests on.
    pub takes_all: bool,
    /// What the nodes of this run share.
    pub shared: Arc<Shared>,
}

/// Makes positions durable at the origin; called from another thread than the source's.
pub trait Commit: Send + Sync {
    /// Everything before `position` is finished in every sink. With `wait`, returns only when the
    /// origin has confirmed. Splits that this instance no longer owns are left out.
    ///
    /// # Errors
    /// `Unavailable` where the origin cannot be reached; the engine tries again with a newer one.
    fn commit(&self, position: &Position, wait: bool) -> Result<()>;
}

/// Reads an external system.
pub trait Source: Send {
    /// Connects and seeks to where the last commit or the options say.
    ///
    /// # Errors
    /// `Config` for what will never work, `Unavailable` for what may work later.
    fn open(&mut self, cx: SourceContext) -> Result<()>;

    /// Hands over what is there, waiting at most `wait` for the first row. It does not wait for a
    /// batch to fill up.
    ///
    /// # Errors
    /// `Unavailable` is tried again; anything else stops the topology.
    fn poll(&mut self, wait: Duration) -> Result<Polled>;

    /// The position just after the last row handed over.
    fn position(&self) -> Position;

    /// The splits this instance reads now, for watermarks: a split that is not caught up holds the
    /// watermark back however long it is silent. Empty where the source reads one thing only.
    fn reading(&self) -> Vec<Reading> {
        Vec::new()
    }

    /// What commits positions; `None` where the origin keeps none.
    fn committer(&self) -> Option<Arc<dyn Commit>> {
        None
    }

    /// The splits announced by [`Polled::Revoking`] may go now.
    ///
    /// # Errors
    /// Anything stops the topology.
    fn release(&mut self) -> Result<()> {
        Ok(())
    }

    /// Called regularly between the last row and the last commit: a source that must keep an
    /// external system's attention does so here, without reading rows.
    ///
    /// # Errors
    /// Logged.
    fn poll_while_ending(&mut self) -> Result<()> {
        Ok(())
    }

    /// Leaves the external system in order: last chance to say goodbye.
    ///
    /// # Errors
    /// Logged; the topology has ended.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
