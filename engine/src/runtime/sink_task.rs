//! The thread of a sink: writes, follows acknowledgements, and says which epochs are finished.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::chain::rejected_row;
use super::control::{Control, Stopped};
use super::epochs::{Epochs, SinkId};
use super::fan_in::{Event, FanIn};
use super::rejects::Rejects;
use super::retry::Retry;
use crate::batch::{Batch, Readings};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Barrier, Epoch, Message};
use crate::metrics::{NodeMetrics, State};
use crate::sink::{Sequence, Sink, SinkContext};

/// How often an idle thread looks whether the topology was cancelled.
const LOOK: Duration = Duration::from_millis(100);
/// Shortest and longest wait for acknowledgements while nothing comes in.
pub(super) const ACK_WAIT: (Duration, Duration) =
    (Duration::from_millis(1), Duration::from_millis(20));
/// Beyond this many unacknowledged batches their readings are merged.
const TRACKED: usize = 16_384;

/// A batch that is not durable yet.
struct Taken {
    sequence: Sequence,
    rows: usize,
    readings: Readings,
}

pub(super) struct SinkTask {
    pub(super) id: SinkId,
    pub(super) sink: Box<dyn Sink>,
    pub(super) context: SinkContext,
    pub(super) inputs: FanIn,
    pub(super) rejects: Rejects,
    pub(super) epochs: Arc<Epochs>,
    pub(super) control: Arc<Control>,
    pub(super) metrics: Arc<NodeMetrics>,
    /// Of calls that hand something over.
    pub(super) retry: Retry,
    /// Of what was handed over.
    pub(super) durability: Retry,
    pub(super) progress: Progress,
}

/// What a sink has taken and what of it is durable.
#[derive(Default)]
pub(super) struct Progress {
    sequence: Sequence,
    taken: VecDeque<Taken>,
    unacknowledged: usize,
    /// Barriers that wait for the batch before them: (last sequence, barrier).
    barriers: VecDeque<(Sequence, Barrier)>,
    quiet: u32,
    /// Whether the sink was told that the sources have ended.
    hurried: bool,
    /// Rows that are durable and not seen before their epoch is committed.
    pub(super) unseen: Vec<(Readings, usize)>,
}

impl SinkTask {
    pub(super) fn run(mut self) -> Result<(), Stopped> {
        self.open()?;
        loop {
            let event = self.next()?;
            match event {
                Event::Batch(_, batch) => self.write(batch)?,
                Event::Barrier(barrier) => self.barrier(barrier)?,
                Event::End => return self.finish(),
                Event::Idle | Event::Watermark(Timestamp::MAX) => {}
                Event::Watermark(watermark) => {
                    self.metrics.watermark(watermark, self.control.clock.now());
                }
                Event::Nothing if self.control.is_cancelled() => return Err(Stopped::Cancelled),
                Event::Nothing => {}
            }
            self.follow(Duration::ZERO)?;
        }
    }

    fn open(&mut self) -> Result<(), Stopped> {
        let recovered = self.epochs.recovered(&self.control)?;
        if self.context.exactly_once.is_some() {
            self.context.exactly_once = Some(recovered.of_sink(self.metrics.node()));
        }
        let (sink, context) = (&mut self.sink, &self.context);
        self.retry.until_done(&self.control, &self.metrics, || sink.open(context.clone()))?;
        self.control.opened(self.metrics.node());
        Ok(())
    }

    /// The next event; while something is unacknowledged the wait is spent on acknowledgements.
    fn next(&mut self) -> Result<Event, Stopped> {
        let started = Instant::now();
        let event = if self.progress.is_clear() {
            self.inputs.next(LOOK)?
        } else {
            match self.inputs.next(Duration::ZERO)? {
                Event::Nothing => {
                    self.hurry()?;
                    let wait = (ACK_WAIT.0 * (1 + self.progress.quiet / 16)).min(ACK_WAIT.1);
                    let (began, held) = (Instant::now(), self.progress.unacknowledged);
                    self.follow(wait)?;
                    // A sink that collects on purpose has nothing to wait for.
                    if self.progress.unacknowledged == held && !self.progress.is_clear() {
                        self.inputs.next(wait.saturating_sub(began.elapsed()))?
                    } else {
                        Event::Nothing
                    }
                }
                event => event,
            }
        };
        self.metrics.spent(State::Idle, started.elapsed());
        Ok(event)
    }

    /// The sources have ended and their last epoch waits for this sink: what it collects becomes
    /// durable now.
    fn hurry(&mut self) -> Result<(), Stopped> {
        let ending = self.epochs.ending.load(Ordering::Acquire);
        let Some((_, barrier)) = self.progress.barriers.back().filter(|_| ending) else {
            return Ok(());
        };
        if !barrier.flush && !std::mem::replace(&mut self.progress.hurried, true) {
            let barrier = Barrier { flush: true, ..*barrier };
            let (sink, control) = (&mut self.sink, &self.control);
            self.retry.until_done(control, &self.metrics, || sink.barrier(barrier))?;
        }
        Ok(())
    }

    fn write(&mut self, batch: Batch) -> Result<(), Stopped> {
        self.metrics.received(batch.rows(), batch.bytes());
        let started = Instant::now();
        let waited = self.write_part(&batch)?;
        self.metrics.spent(State::Busy, started.elapsed().saturating_sub(waited));
        Ok(())
    }

    /// Writes rows, halving them to find one at fault; returns the time spent on retries.
    fn write_part(&mut self, batch: &Batch) -> Result<Duration, Stopped> {
        let mut waited = Duration::ZERO;
        let sequence = self.progress.sequence + 1;
        loop {
            let error = match self.sink.write(sequence, batch) {
                Ok(()) => {
                    self.progress.take(sequence, batch);
                    self.context.metrics.unacknowledged(self.progress.unacknowledged);
                    self.retry.succeeded(&self.control, &self.metrics);
                    return Ok(waited);
                }
                Err(error) => error,
            };
            if error.kind == ErrorKind::Data {
                return Ok(waited + self.isolate(batch, &error)?);
            }
            let started = Instant::now();
            self.retry.failed(error, &self.control, &self.metrics)?;
            self.follow(Duration::ZERO)?;
            waited += started.elapsed();
        }
    }

    fn isolate(&mut self, batch: &Batch, error: &Error) -> Result<Duration, Stopped> {
        let rows = batch.rows();
        if rows <= 1 {
            return self.rejects.handle(
                &[rejected_row(batch, error)],
                batch.readings,
                &self.control,
            );
        }
        let mut waited = Duration::ZERO;
        for (from, length) in [(0, rows / 2), (rows / 2, rows - rows / 2)] {
            let half = batch.with_records(batch.records.slice(from, length));
            waited += self.write_part(&half)?;
        }
        Ok(waited)
    }

    /// Looks at acknowledgements: latencies, dead letters, finished epochs.
    pub(super) fn follow(&mut self, wait: Duration) -> Result<(), Stopped> {
        if self.progress.is_clear() {
            return Ok(());
        }
        let durable = match self.sink.acknowledged(wait) {
            Ok(durable) => durable,
            Err(error) => {
                self.durability.failed(error, &self.control, &self.metrics)?;
                return Ok(());
            }
        };
        let now = self.control.clock.now();
        let mut readings = Readings::polled_at(now);
        if self.progress.rises_to(durable) {
            self.durability.succeeded(&self.control, &self.metrics);
        } else {
            self.durability.quiet(&self.control, &self.metrics);
        }
        while let Some(taken) = self.progress.pop(durable) {
            readings = taken.readings;
            if self.context.exactly_once.is_some() {
                self.progress.hide(taken);
            } else {
                self.context.metrics.acknowledged(&taken.readings, taken.rows, now);
            }
        }
        self.context.metrics.unacknowledged(self.progress.unacknowledged);
        let rejected = self.sink.take_rejected();
        self.rejects.handle(&rejected, readings, &self.control)?;
        while let Some((_, barrier)) =
            self.progress.barriers.pop_front_if(|(last, _)| *last <= durable)
        {
            self.finished(barrier)?;
        }
        Ok(())
    }

    /// Everything before `barrier` is durable, and so may the dead letters that came of it be.
    fn finished(&mut self, barrier: Barrier) -> Result<(), Stopped> {
        self.rejects.epoch = barrier.epoch + 1;
        self.rejects.broadcast(&Message::Barrier(barrier), &self.control)?;
        self.epochs.finished(self.id, barrier.epoch);
        Ok(())
    }

    fn barrier(&mut self, barrier: Barrier) -> Result<(), Stopped> {
        if self.context.exactly_once.is_some() {
            return self.stage(barrier);
        }
        let (sink, control) = (&mut self.sink, &self.control);
        self.retry.until_done(control, &self.metrics, || sink.barrier(barrier))?;
        self.progress.barriers.push_back((self.progress.sequence, barrier));
        self.progress.quiet = 0;
        Ok(())
    }

    /// All inputs have ended: everything becomes durable, then the sink closes.
    fn finish(&mut self) -> Result<(), Stopped> {
        let last = Barrier { epoch: Epoch::MAX - 1, flush: true };
        self.control.says(self.metrics.node(), "finishing");
        let (sink, control) = (&mut self.sink, &self.control);
        self.retry.until_done(control, &self.metrics, || sink.barrier(last))?;
        while !self.progress.is_clear() {
            if self.control.is_cancelled() {
                return Err(Stopped::Cancelled);
            }
            self.follow(ACK_WAIT.1)?;
        }
        let (sink, control) = (&mut self.sink, &self.control);
        self.retry.until_done(control, &self.metrics, || sink.close())?;
        let rejected = self.sink.take_rejected();
        let readings = Readings::polled_at(self.control.clock.now());
        self.rejects.handle(&rejected, readings, &self.control)?;
        self.rejects.broadcast(&Message::End, &self.control)?;
        self.epochs.finished(self.id, Epoch::MAX);
        self.control.says(self.metrics.node(), "finished");
        Ok(())
    }
}

impl Progress {
    /// Whether nothing waits for an acknowledgement.
    pub(super) fn is_clear(&self) -> bool {
        self.taken.is_empty() && self.barriers.is_empty()
    }

    fn hide(&mut self, taken: Taken) {
        let is_full = self.unseen.len() >= TRACKED;
        match self.unseen.last_mut() {
            Some((readings, rows)) if is_full => {
                *readings = readings.union(taken.readings);
                *rows += taken.rows;
            }
            _ => self.unseen.push((taken.readings, taken.rows)),
        }
    }

    /// Whether `durable` is more than was known, or all that was taken.
    fn rises_to(&self, durable: Sequence) -> bool {
        self.taken.front().is_none_or(|oldest| oldest.sequence <= durable)
    }

    fn take(&mut self, sequence: Sequence, batch: &Batch) {
        self.sequence = sequence;
        self.unacknowledged += batch.rows();
        self.quiet = 0;
        if self.taken.len() >= TRACKED
            && let Some(last) = self.taken.back_mut()
        {
            last.sequence = sequence;
            last.rows += batch.rows();
            last.readings = last.readings.union(batch.readings);
            return;
        }
        self.taken.push_back(Taken { sequence, rows: batch.rows(), readings: batch.readings });
    }

    /// The oldest batch, if it is durable.
    fn pop(&mut self, durable: Sequence) -> Option<Taken> {
        self.quiet = self.quiet.saturating_add(1);
        let taken = self.taken.pop_front_if(|t| t.sequence <= durable)?;
        self.unacknowledged -= taken.rows;
        self.quiet = 0;
        Some(taken)
    }
}
