//! The thread of a source instance and the operators fused with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::chain::Chain;
use super::control::{Control, Stopped};
use super::epochs::{Epochs, SourceId};
use super::retry::Retry;
use super::snapshot::TaskSnapshots;
use super::watermarks::{Told, Watermarks};
use crate::batch::Batch;
use crate::clock::Timestamp;
use crate::message::{Barrier, Epoch};
use crate::metrics::{NodeMetrics, State};
use crate::source::{Polled, Source, SourceContext, Split};

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
    pub(super) snapshots: TaskSnapshots,
    pub(super) watermarks: Option<Watermarks>,
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
        let recovered = self.epochs.recovered(&self.control)?;
        let (node, instance) = (self.metrics.node(), self.context.instance);
        self.injected = recovered.epoch();
        self.context.resume = recovered.position(node, instance);
        if let Some(watermarks) = &mut self.watermarks {
            let splits = recovered.watermarks(node, instance);
            watermarks.restore(&splits, self.control.clock.now());
        }
        self.snapshots.restore(&recovered, &mut self.chain)?;
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
            let polled = self.source.poll(self.chain.until_timer(LOOK));
            let (elapsed, waited) = (started.elapsed(), self.context.metrics.take_waited());
            match polled {
                Ok(Polled::Rows { batch, rejected, bytes, splits }) => {
                    self.metrics.spent(State::Busy, elapsed.saturating_sub(waited));
                    self.metrics.spent(State::Idle, waited.min(elapsed));
                    self.retry.succeeded(&self.control, &self.metrics);
                    self.metrics.received(batch.rows() + rejected.len(), bytes);
                    self.chain.reject_at_head(&rejected, &batch)?;
                    self.emit(batch, &splits)?;
                }
                Ok(Polled::Empty) => {
                    self.metrics.spent(State::Idle, elapsed);
                    self.retry.succeeded(&self.control, &self.metrics);
                }
                Ok(Polled::Revoking { within }) => self.give_up_splits(within)?,
                Ok(Polled::End) => {
                    self.chain.watermark(Timestamp::MAX)?;
                    return self.end();
                }
                Err(error) => self.retry.failed(error, &self.control, &self.metrics)?,
            }
            self.tell_watermark()?;
            self.chain.fire_timers()?;
            self.chain.take_parked();
        }
    }

    fn emit(&mut self, batch: Batch, splits: &[(Split, usize)]) -> Result<(), Stopped> {
        if batch.rows() == 0 {
            return Ok(());
        }
        let Some(watermarks) = &mut self.watermarks else {
            return self.chain.emit_from_head(batch);
        };
        let timed = watermarks.observe(batch, splits, self.control.clock.now())?;
        self.chain.reject_at_head(&timed.rejected, &timed.batch)?;
        if timed.batch.rows() > 0 {
            self.chain.emit_from_head(timed.batch)?;
        }
        Ok(())
    }

    fn tell_watermark(&mut self) -> Result<(), Stopped> {
        let Some(watermarks) = &mut self.watermarks else {
            return Ok(());
        };
        match watermarks.due(&self.source.reading(), self.control.clock.now()) {
            Some(Told::Watermark(watermark)) => self.chain.watermark(watermark),
            Some(Told::Idle) => self.chain.idle(),
            None => Ok(()),
        }
    }

    fn inject(&mut self, barrier: Barrier) -> Result<(), Stopped> {
        let position = self.source.position();
        let sealed = self.chain.barrier(barrier)?;
        self.epochs.sealed(self.snapshots.task, barrier.epoch, sealed);
        self.injected = barrier.epoch;
        let watermarks = self.watermarks.as_ref().map(Watermarks::of_splits).unwrap_or_default();
        self.epochs.injected(self.id, barrier.epoch, position, watermarks);
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
        if !self.epochs.are_kept() {
            self.chain.end()?;
        }
        self.epochs.ended(self.id, position);
        // The source stays in its group until its last offsets are committed.
        while !self.epochs.is_committed(Epoch::MAX) && !self.control.is_cancelled() {
            if self.epochs.are_kept()
                && let Some(barrier) = self.epochs.requested(self.injected)
            {
                self.inject(barrier)?;
            }
            match self.source.poll_while_ending() {
                Ok(()) => {}
                Err(error) => tracing::warn!(node = self.metrics.node(), %error, "end source"),
            }
            if self.control.pause(Duration::from_millis(5)).is_err() {
                break;
            }
        }
        if self.epochs.are_kept() {
            self.chain.end()?;
        }
        Ok(())
    }
}
