//! Alignment: of the inputs of a join, the one whose event time is behind is read first, and one that
//! is far ahead waits. What a join holds then follows event time, and not how fast its inputs are
//! read.
//!
//! The wait is bounded, because the input that is behind may itself wait for the one that is held
//! back: where both come from one source, or where the node before it keeps its watermark back. An
//! input that waited in vain may give some batches, more each time it happens again.

use std::time::{Duration, Instant};

use crate::clock::Timestamp;

/// How far, in microseconds, one input may be ahead of the slowest.
const DRIFT: i64 = 1_000_000;
/// How long an input that is ahead waits while nothing comes of the others.
const PATIENCE: Duration = Duration::from_millis(50);
/// Most batches that are given at once after waits in vain.
const MOST: u32 = 256;

/// Decides which inputs are held back.
#[derive(Debug)]
pub(super) struct Alignment {
    drift: i64,
    patience: Duration,
    /// Since when an input waits and nothing comes of the others.
    waiting: Option<Instant>,
    /// Batches that inputs that are ahead may still give.
    left: u32,
    /// How many the next wait in vain grants.
    grant: u32,
}

impl Default for Alignment {
    fn default() -> Self {
        Self::new(DRIFT, PATIENCE)
    }
}

impl Alignment {
    /// Lets an input be ahead by `drift` microseconds, and holds it back for at most `patience`
    /// while nothing comes of the others.
    pub(super) const fn new(drift: i64, patience: Duration) -> Self {
        Self { drift, patience, waiting: None, left: 0, grant: 1 }
    }

    /// Whether an input of this watermark is ahead of the slowest.
    pub(super) fn is_ahead(
        &self,
        watermark: Option<Timestamp>,
        slowest: Option<Timestamp>,
    ) -> bool {
        match (watermark, slowest) {
            (Some(own), Some(slowest)) => own.0.saturating_sub(slowest.0) > self.drift,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Whether inputs that are ahead may give something now, though nothing came of the others.
    pub(super) const fn lets_through(&self) -> bool {
        self.left > 0
    }

    /// An input that is ahead gave something by leave.
    pub(super) const fn gave(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// How long to wait for the others; with the last of it the wait was in vain.
    pub(super) fn wait(&mut self) -> Duration {
        let since = *self.waiting.get_or_insert_with(Instant::now);
        let left = self.patience.saturating_sub(since.elapsed());
        if left.is_zero() {
            self.waiting = None;
            self.left = self.grant;
            self.grant = self.grant.saturating_mul(2).min(MOST);
        }
        left
    }

    /// Something came of an input that is not ahead.
    pub(super) fn came(&mut self) {
        if self.waiting.take().is_some() {
            // The wait was worth while.
            self.grant = (self.grant / 2).max(1);
            self.left = 0;
        }
    }
}
