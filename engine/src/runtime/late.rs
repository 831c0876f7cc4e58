//! What becomes of rows that come after the watermark has passed them.

use std::sync::Arc;
use std::time::Duration;

use super::chain::rejected_row;
use super::control::{Control, Stopped};
use super::exchange::Outlet;
use crate::batch::Batch;
use crate::clock::Timestamp;
use crate::dead_letter;
use crate::error::{Error, Result};
use crate::message::{Epoch, Message};
use crate::metrics::NodeMetrics;

/// The late rows of one node in one task.
pub(super) struct LateRows {
    /// Number of the port `late`, where a node reads it.
    port: Option<usize>,
    /// Where the node's `late` field sends them, as dead letters.
    outlet: Option<Outlet>,
    metrics: Arc<NodeMetrics>,
    pub(super) epoch: Epoch,
}

/// What is left to do with late rows.
pub(super) struct Handled {
    /// Rows for the port `late`.
    pub(super) typed: Vec<(usize, Batch)>,
    /// Time the sender was parked.
    pub(super) parked: Duration,
}

impl LateRows {
    pub(super) fn new(
        port: Option<usize>,
        outlet: Option<Outlet>,
        metrics: &Arc<NodeMetrics>,
    ) -> Self {
        Self { port, outlet, metrics: Arc::clone(metrics), epoch: 1 }
    }

    /// Counts late rows and sends them where they belong; without a place they are dropped.
    pub(super) fn handle(
        &mut self,
        late: Vec<Batch>,
        watermark: Option<Timestamp>,
        control: &Control,
    ) -> Result<Handled, Stopped> {
        let mut handled = Handled { typed: Vec::new(), parked: Duration::ZERO };
        for batch in late {
            self.metrics.late(batch.rows());
            if self.port.is_none() && self.outlet.is_none() {
                self.metrics.dropped("late", batch.rows());
            }
            handled.parked += self.set_aside(&batch, watermark, control)?;
            handled.typed.extend(self.port.map(|port| (port, batch)));
        }
        Ok(handled)
    }

    fn set_aside(
        &mut self,
        batch: &Batch,
        watermark: Option<Timestamp>,
        control: &Control,
    ) -> Result<Duration, Stopped> {
        let Some(outlet) = &mut self.outlet else {
            return Ok(Duration::ZERO);
        };
        let letters = letters(batch, watermark);
        for letter in &letters {
            self.metrics.dead_letter(letter.code);
        }
        let cx = dead_letter::Context {
            topology: &control.topology,
            node: self.metrics.node(),
            epoch: self.epoch,
            trace_id: &control.trace_id,
            now: control.clock.now(),
            secrets: &control.secrets,
        };
        let records = dead_letter::batch(&letters, cx)?;
        outlet.send(Batch::new(records, batch.readings), control)
    }

    pub(super) fn broadcast(&self, message: &Message, control: &Control) -> Result<(), Stopped> {
        self.outlet.as_ref().map_or(Ok(()), |o| o.broadcast(message, control))
    }
}

/// Late rows as dead letters, one for each.
pub(crate) fn letters(batch: &Batch, watermark: Option<Timestamp>) -> Vec<dead_letter::Rejected> {
    let since = watermark.filter(|w| *w != Timestamp::MAX).map_or_else(
        || "the end of the input".to_owned(),
        |w| format!("the watermark had passed it (it stood at {w})"),
    );
    let error = Error::data("SW3302", format!("take a row in time: it came after {since}"));
    (0..batch.rows())
        .map(|row| rejected_row(&batch.with_records(batch.records.slice(row, 1)), &error))
        .collect()
}
