//! Operators: batches in, batches out. Synchronous, without I/O, clock or threads of their own.

use std::sync::Arc;
use std::time::Duration;

use crate::batch::Batch;
use crate::clock::Timestamp;
use crate::dead_letter::Rejected;
use crate::error::Result;

/// Number of an input, in the order of the node's `inputs`.
pub type Input = usize;

/// Number of an output port; 0 is the main output.
pub type Port = usize;

/// Turns batches into batches.
///
/// An error leaves the operator's state as it was before the call: the engine then tries the rows
/// in smaller slices, so that a bad row is set aside alone. What was emitted before the error is
/// forgotten.
pub trait Operator: Send {
    /// Takes one batch of input number `input`.
    ///
    /// # Errors
    /// `Data` where a row is at fault; anything else stops the topology.
    fn process(&mut self, input: Input, batch: Batch, out: &mut Output) -> Result<()>;

    /// Most rows the operator wants in one call. The engine cuts a larger batch and keeps the order;
    /// a delay the operator asks for passes between the parts.
    fn max_rows(&self) -> usize {
        usize::MAX
    }

    /// Event time has passed `watermark` on all inputs.
    ///
    /// # Errors
    /// Anything stops the topology.
    fn on_watermark(&mut self, _watermark: Timestamp, _out: &mut Output) -> Result<()> {
        Ok(())
    }

    /// All inputs have ended.
    ///
    /// # Errors
    /// Anything stops the topology.
    fn on_end(&mut self, _out: &mut Output) -> Result<()> {
        Ok(())
    }
}

/// What an operator gives back from one call, and the time it is handed.
#[derive(Debug, Default)]
pub struct Output {
    now: Timestamp,
    batches: Vec<(Port, Batch)>,
    rejected: Vec<Rejected>,
    dropped: Vec<(&'static str, usize)>,
    breaches: Vec<(Arc<str>, usize)>,
    delay: Duration,
}

impl Output {
    /// An empty output at time `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { now, ..Self::default() }
    }

    /// The time of the call.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Sends rows to the main output. An empty batch is not sent.
    pub fn emit(&mut self, batch: Batch) {
        self.emit_to(0, batch);
    }

    /// Sends rows to a port. An empty batch is not sent.
    pub fn emit_to(&mut self, port: Port, batch: Batch) {
        if batch.rows() > 0 {
            self.batches.push((port, batch));
        }
    }

    /// Sets one record aside; `on_error` of the node says what becomes of it.
    pub fn reject(&mut self, rejected: Rejected) {
        self.rejected.push(rejected);
    }

    /// Counts rows that are gone on purpose in `swiftwater_dropped_rows_total{reason}`.
    pub fn count_dropped(&mut self, reason: &'static str, rows: usize) {
        self.dropped.push((reason, rows));
    }

    /// Counts rows that broke a rule of the user's in `swiftwater_rule_breaches_total{rule}`,
    /// whatever became of them.
    pub fn count_breaches(&mut self, rule: &Arc<str>, rows: usize) {
        self.breaches.push((Arc::clone(rule), rows));
    }

    /// Asks the engine to let this much time pass before the next call; it counts as back-pressure.
    pub fn delay(&mut self, time: Duration) {
        self.delay = self.delay.max(time);
    }

    /// Adds what another call gave back, after what is here.
    pub fn absorb(&mut self, mut other: Self) {
        self.batches.append(&mut other.batches);
        self.rejected.append(&mut other.rejected);
        self.dropped.append(&mut other.dropped);
        self.breaches.append(&mut other.breaches);
        self.delay += other.delay;
    }

    /// The emitted batches, leaving none.
    pub fn take_batches(&mut self) -> Vec<(Port, Batch)> {
        std::mem::take(&mut self.batches)
    }

    /// The rejected records, leaving none.
    pub fn take_rejected(&mut self) -> Vec<Rejected> {
        std::mem::take(&mut self.rejected)
    }

    /// The counts of dropped rows by reason, leaving none.
    pub fn take_dropped(&mut self) -> Vec<(&'static str, usize)> {
        std::mem::take(&mut self.dropped)
    }

    /// The counts of broken rules, leaving none.
    pub fn take_breaches(&mut self) -> Vec<(Arc<str>, usize)> {
        std::mem::take(&mut self.breaches)
    }

    /// The delay that was asked for, leaving none.
    pub const fn take_delay(&mut self) -> Duration {
        std::mem::replace(&mut self.delay, Duration::ZERO)
    }
}
