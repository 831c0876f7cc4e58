//! What a sink does at a barrier where nothing may be seen twice: everything written becomes durable
//! and stays unseen until the epoch is committed.

use super::control::Stopped;
use super::sink_task::{ACK_WAIT, SinkTask};
use crate::failpoint::{failpoint, skips};
use crate::message::{Barrier, Message};

impl SinkTask {
    /// Stages the epoch, waits for its commit, and finalises it. Nothing is written meanwhile;
    /// what comes waits in the edges.
    pub(super) fn stage(&mut self, barrier: Barrier) -> Result<(), Stopped> {
        let barrier = Barrier { flush: true, ..barrier };
        let (sink, control) = (&mut self.sink, &self.control);
        self.retry.until_done(control, &self.metrics, || sink.barrier(barrier))?;
        while !self.progress.is_clear() {
            if self.control.is_cancelled() {
                return Err(Stopped::Cancelled);
            }
            self.follow(ACK_WAIT.0)?;
        }
        // Dead letters of this sink belong to the same epoch.
        self.rejects.epoch = barrier.epoch + 1;
        self.rejects.broadcast(&Message::Barrier(barrier), &self.control)?;
        let (sink, control) = (&mut self.sink, &self.control);
        let epoch = barrier.epoch;
        let staged = self.retry.until_done(control, &self.metrics, || sink.stage(epoch))?;
        failpoint("staged");
        self.epochs.staged(self.id, epoch, staged.clone());
        self.epochs.wait_committed(epoch, &self.control)?;
        failpoint("before_finalise");
        let (sink, control) = (&mut self.sink, &self.control);
        if !skips("finalise", self.metrics.node()) {
            self.retry.until_done(control, &self.metrics, || sink.finalise(epoch, &staged))?;
        }
        failpoint("finalised");
        let now = self.control.clock.now();
        for (readings, rows) in self.progress.unseen.drain(..) {
            self.context.metrics.acknowledged(&readings, rows, now);
        }
        Ok(())
    }
}
