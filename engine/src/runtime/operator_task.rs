//! The thread of an operator that takes from edges, and of the operators fused with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::chain::Chain;
use super::control::{Control, Stopped};
use super::epochs::Epochs;
use super::fan_in::{Event, FanIn};
use super::snapshot::TaskSnapshots;
use crate::metrics::{NodeMetrics, State};

/// How often an idle thread looks whether the topology was cancelled.
const LOOK: Duration = Duration::from_millis(100);

pub(super) struct OperatorTask {
    pub(super) inputs: FanIn,
    pub(super) chain: Chain,
    pub(super) epochs: Arc<Epochs>,
    pub(super) snapshots: TaskSnapshots,
    pub(super) control: Arc<Control>,
    pub(super) metrics: Arc<NodeMetrics>,
}

impl OperatorTask {
    pub(super) fn run(mut self) -> Result<(), Stopped> {
        let recovered = self.epochs.recovered(&self.control)?;
        self.snapshots.restore(&recovered, &mut self.chain)?;
        self.control.opened(self.metrics.node());
        loop {
            let started = Instant::now();
            let event = self.inputs.next(self.chain.until_timer(LOOK))?;
            self.metrics.spent(State::Idle, started.elapsed());
            match event {
                Event::Batch(input, batch) => self.chain.enter(input, batch)?,
                Event::Watermark(watermark) => self.chain.watermark(watermark)?,
                Event::Barrier(barrier) => {
                    let sealed = self.chain.barrier(barrier)?;
                    self.epochs.sealed(self.snapshots.task, barrier.epoch, sealed);
                }
                Event::Idle => self.chain.idle()?,
                Event::End => {
                    self.chain.end()?;
                    self.control.says(self.metrics.node(), "ended");
                    return Ok(());
                }
                Event::Nothing if self.control.is_cancelled() => return Err(Stopped::Cancelled),
                Event::Nothing => {}
            }
            self.chain.fire_timers()?;
        }
    }
}
