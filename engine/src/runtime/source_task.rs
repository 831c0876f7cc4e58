//! The thread of a source instance and the operators fused with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::chain::Chain;
use super::control::{Control, Stopped};
use super::epochs::{Epochs, SourceId};
use super::retry::Retry;
use crate::message::{Barrier, Epoch};
use crate::metrics::{NodeMetrics, State};
use crate::source::{Polled, Source, SourceContext};

/// Longest wait for rows before the thread looks at barriers and signals again. It delays no row.
const LOOK: Duration = Duration::from_millis(20);

pub(super) struct SourceTask {
    pub(super) id: SourceId,
    pub(super) source: Box<dyn Source>,
    pub(super) context: SourceContext,
    pub(super) chain: Chain,
    pub(super) epochs: Arc<Epochs>,
    pub(super) control: Arc<Control>,
    pub(super) metrics: Arc<NodeMetrics>,
    pub(super) retry: Retry,
    pub(super) injected: Epoch,
}

impl SourceTask {
    pub(super) fn run(mut self) -> Result<(), Stopped> {
        let result = self.open().and_then(|()| self.read());
        if let Err(error) = self.source.close() {
            tracing::warn!(node = self.metrics.node(), %error, "close source");
        }
        result
    }

    fn open(&mut self) -> Result<(), Stopped> {
        let (source, context) = (&mut self.source, &self.context);
        let open = || source.open(context.clone());
        self.retry.until_done(&self.control, &self.metrics, open)?;
        self.epochs.opened(self.id, self.source.committer());
        self.control.opened(self.metrics.node());
        Ok(())
    }

    fn read(&mut self) -> Result<(), Stopped> {
        loop {
            if self.control.is_cancelled() {
                return Err(Stopped::Cancelled);
            }
            if self.control.is_draining() {
                return self.end();
            }
            if let Some(barrier) = self.epochs.requested(self.injected) {
                self.inject(barrier)?;
            }
            let started = Instant::now();
            let polled = self.source.poll(LOOK);
            let (elapsed, waited) = (started.elapsed(), self.context.metrics.take_waited());
            match polled {
                Ok(Polled::Rows { batch, rejected, bytes }) => {
                    self.metrics.spent(State::Busy, elapsed.saturating_sub(waited));
                    self.metrics.spent(State::Idle, waited.min(elapsed));
                    self.retry.succeeded(&self.control, &self.metrics);
                    self.metrics.received(batch.rows() + rejected.len(), bytes);
                    self.chain.reject_at_head(&rejected, &batch)?;
                    if batch.rows() > 0 {
                        self.chain.emit_from_head(batch)?;
                    }
                }
                Ok(Polled::Empty) => {
                    self.metrics.spent(State::Idle, elapsed);
                    self.retry.succeeded(&self.control, &self.metrics);
                }
                Ok(Polled::Revoking { within }) => self.give_up_splits(within)?,
                Ok(Polled::End) => return self.end(),
                Err(error) => self.retry.failed(error, &self.control, &self.metrics)?,
            }
            self.chain.take_parked();
        }
    }

    fn inject(&mut self, barrier: Barrier) -> Result<(), Stopped> {
        let position = self.source.position();
        self.chain.barrier(barrier)?;
        self.injected = barrier.epoch;
        self.epochs.injected(self.id, barrier.epoch, position);
        Ok(())
    }

    /// Splits are about to go: what was read of them is finished and committed first, if that can
    /// be done in time. What cannot will be read again by the next owner.
    fn give_up_splits(&mut self, within: Duration) -> Result<(), Stopped> {
        let deadline = Instant::now() + within;
        let epoch = self.epochs.request_flush();
        while !self.epochs.is_committed(epoch)
            && Instant::now() < deadline
            && !self.control.is_draining()
        {
            if let Some(barrier) = self.epochs.requested(self.injected) {
                self.inject(barrier)?;
            }
            self.control.pause(Duration::from_millis(2))?;
        }
        let committed = self.epochs.is_committed(epoch);
        tracing::info!(node = self.metrics.node(), epoch, committed, "partitions revoked");
        self.source.release().map_err(|e| e.at_node(self.metrics.node()))?;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stopped> {
        self.control.says(self.metrics.node(), "ended; waiting for sinks");
        let position = self.source.position();
        self.chain.end()?;
        self.epochs.ended(self.id, position);
        // The source stays in its group until its last offsets are committed.
        while !self.epochs.is_committed(Epoch::MAX) && !self.control.is_cancelled() {
            match self.source.poll_while_ending() {
                Ok(()) => {}
                Err(error) => tracing::warn!(node = self.metrics.node(), %error, "end source"),
            }
            if self.control.pause(Duration::from_millis(5)).is_err() {
                break;
            }
        }
        Ok(())
    }
}
