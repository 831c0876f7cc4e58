//! Operators: batches in, batches out. Synchronous, without I/O, clock or threads of their own.

use std::sync::Arc;
use std::time::Duration;

use crate::batch::Batch;
use crate::clock::Timestamp;
use crate::dead_letter::Rejected;
use crate::error::{Error, Result};
use crate::metrics::NodeMetrics;
use crate::spill::SpillRoom;
use crate::state::{TableDelta, TableSpec};

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
    /// Called once, before anything else, where the node has series: a kind with series of its own
    /// files them here.
    ///
    /// # Errors
    /// Anything stops the topology.
    fn open(&mut self, _metrics: &NodeMetrics) -> Result<()> {
        Ok(())
    }

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

    /// The watermark that holds for the operator's output once `watermark` holds for its inputs:
    /// lower where rows may still come out that are older.
    fn output_watermark(&self, watermark: Timestamp) -> Timestamp {
        watermark
    }

    /// All inputs have ended; the watermark has passed everything before. Not called when a
    /// topology is stopped in mid-stream.
    ///
    /// # Errors
    /// Anything stops the topology.
    fn on_end(&mut self, _out: &mut Output) -> Result<()> {
        Ok(())
    }

    /// The clock time at which [`Operator::on_timer`] should be called next, if at all.
    fn next_timer(&self) -> Option<Timestamp> {
        None
    }

    /// The time of [`Operator::next_timer`] has come; `out` tells the time.
    ///
    /// # Errors
    /// Anything stops the topology.
    fn on_timer(&mut self, _out: &mut Output) -> Result<()> {
        Ok(())
    }

    /// The tables of the operator's state; none for a stateless operator.
    fn tables(&self) -> Vec<TableSpec> {
        Vec::new()
    }

    /// What the rows of the tables mean beyond their columns, such as `tumbling 10s`: stored state
    /// of another layout is refused before the topology starts.
    fn layout(&self) -> String {
        String::new()
    }

    /// Hands over what changed since the last call (or since the start), and forgets that it did.
    /// The cost follows what changed, not what is held.
    ///
    /// # Errors
    /// Anything stops the topology.
    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        Ok(Vec::new())
    }

    /// Takes back a part of what was sealed by an earlier process, oldest first, before any other
    /// call. With another `parallelism` the rows come from several instances; rows of keys that
    /// are not this instance's are left out by the engine. The watermark of that time follows by
    /// [`Operator::on_watermark`].
    ///
    /// # Errors
    /// `State` where the rows do not fit.
    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        Err(Error::bug(format!("restore the table `{}` of a stateless operator", delta.table)))
    }

    /// Bytes of memory that the state takes, roughly; asked at each barrier and now and then in
    /// between.
    fn state_bytes(&self) -> usize {
        0
    }

    /// Brings the memory that the state takes down to about `target` bytes, as far as that goes, by
    /// moving what is least likely to be needed soon to files of `room`. What comes out later is
    /// the same as without. Called between other calls, where the state of all nodes is about to
    /// pass its share of `memory`; also between two calls of [`Operator::restore`].
    ///
    /// # Errors
    /// `State` (`SW4327`) where the disk is full or broken.
    fn spill(&mut self, _target: usize, _room: &SpillRoom) -> Result<()> {
        Ok(())
    }

    /// Bytes of the disk that the state takes.
    fn spilled_bytes(&self) -> usize {
        0
    }
}

/// What an operator gives back from one call, and the time it is handed.
#[derive(Debug, Default)]
pub struct Output {
    now: Timestamp,
    batches: Vec<(Port, Batch)>,
    late: Vec<Batch>,
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

    /// Gives rows that came too late, in the columns of the input: they go to the port `late` or
    /// where the node's `late` field says, or are counted and dropped.
    pub fn late(&mut self, batch: Batch) {
        if batch.rows() > 0 {
            self.late.push(batch);
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
        self.late.append(&mut other.late);
        self.rejected.append(&mut other.rejected);
        self.dropped.append(&mut other.dropped);
        self.breaches.append(&mut other.breaches);
        self.delay += other.delay;
    }

    /// The emitted batches, leaving none.
    pub fn take_batches(&mut self) -> Vec<(Port, Batch)> {
        std::mem::take(&mut self.batches)
    }

    /// The late rows, leaving none.
    pub fn take_late(&mut self) -> Vec<Batch> {
        std::mem::take(&mut self.late)
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
