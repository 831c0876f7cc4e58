//! A topology at work: one thread for each task, one for epochs.

mod alignment;
mod chain;
mod checkpoint;
mod control;
mod edge;
mod epochs;
mod exchange;
mod fan_in;
mod kept_epochs;
mod late;
mod merger;
mod operator_task;
mod recovery;
mod rejects;
mod retry;
mod sink_epoch;
mod sink_task;
mod snapshot;
mod source_task;
mod state_share;
mod store_commit;
mod watermarks;
mod wiring;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

pub use chain::isolate;
pub use control::{Health, NodeHealth};
pub(crate) use late::letters as late_letters;
pub(crate) use rejects::stop_for;
pub(crate) use watermarks::{Told, Watermarks};

use checkpoint::Checkpoints;
use control::{Control, Stopped, lock};

use crate::error::{Error, Result};
use crate::message::Epoch;
use crate::metrics::Metrics;
use crate::plan::Plan;

/// Whether the same plan, started again, goes on from its last commit: an epoch was aborted, or
/// nobody knows whether it was committed.
#[must_use]
pub fn is_recoverable(error: &Error) -> bool {
    error.code == checkpoint::OUTCOME_UNKNOWN
}

/// How a topology came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every source came to its end and every sink finished.
    Finished,
    /// It was asked to stop, and finished what was in flight.
    Drained,
}

/// A topology at work.
pub struct Running {
    control: Arc<Control>,
    threads: Vec<JoinHandle<()>>,
    committed: Arc<AtomicU64>,
}

impl Running {
    /// Starts every task of `plan`.
    ///
    /// # Errors
    /// `Bug` or `Unavailable` where a thread or an instance of a node cannot be made. What happens
    /// once the threads run is told by [`Running::wait`].
    pub fn start(plan: &Plan, metrics: &Arc<Metrics>) -> Result<Self> {
        Self::start_after(plan, metrics, None)
    }

    /// The same once a run of this process has ended, which knew the epoch `before` to be committed
    /// last ([`Running::committed`]). Where a newer process has committed since, it ends with
    /// `SW4310` instead of shutting that one out.
    ///
    /// # Errors
    /// As [`Running::start`].
    pub fn start_after(plan: &Plan, metrics: &Arc<Metrics>, before: Option<Epoch>) -> Result<Self> {
        for (part, bytes) in plan.memory.parts().into_iter().chain([("budget", plan.memory.budget)])
        {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            metrics.memory_bytes.with_label_values(&[part]).set(bytes);
        }
        let mut control = Control::new(&plan.config.name, plan.config.drain_timeout.0);
        control.secrets = metrics.secrets();
        let control = Arc::new(control);
        let wired = wiring::wire(plan, metrics, &control)
            .map_err(|error| error.scrubbed(&control.secrets))?;
        let committed = Arc::default();
        let mut running = Self { control: Arc::clone(&control), threads: Vec::new(), committed };
        for (name, body) in wired.tasks {
            running.spawn(name, body)?;
        }
        let epochs = wired.epochs;
        let checkpoints = if plan.has_snapshots() {
            let checkpoints = checkpoint::of_plan(plan, metrics, &control, &wired.shared)?;
            Some(Checkpoints { before, committed: Arc::clone(&running.committed), ..checkpoints })
        } else {
            None
        };
        let body = move || match checkpoints {
            Some(checkpoints) => epochs.run_kept(checkpoints, &control),
            None => {
                epochs.run(&control);
                Ok(())
            }
        };
        running.spawn("epochs".into(), Box::new(body))?;
        Ok(running)
    }

    fn spawn(&mut self, name: String, body: Body) -> Result<()> {
        let control = Arc::clone(&self.control);
        let node = name.clone();
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let watch = PanicWatch(&control, &node);
            if let Err(Stopped::Failed(error)) = body() {
                control.fail(error);
            }
            drop(watch);
        });
        match thread {
            Ok(thread) => {
                self.threads.push(thread);
                Ok(())
            }
            Err(error) => {
                self.control.cancel();
                Err(Error::unavailable("SW4001", "start a thread").with_source(error))
            }
        }
    }

    /// Asks the sources to stop; what is in flight is finished and committed.
    pub fn drain(&self) {
        self.control.drain();
    }

    /// Stops at once. What is not committed will be read again after a restart.
    pub fn abort(&self) {
        self.control.cancel();
    }

    /// Whether every thread has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// How each node is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        self.control.health()
    }

    /// A way to ask for the health from other threads.
    #[must_use]
    pub fn health_handle(&self) -> HealthHandle {
        HealthHandle(Arc::new(Mutex::new(Arc::clone(&self.control))))
    }

    /// The last epoch that this run knows to be committed; 0 where none is, or none is kept.
    #[must_use]
    pub fn committed(&self) -> Epoch {
        self.committed.load(Ordering::Acquire)
    }

    /// Trace id of this run, for logs and dead letters.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.control.trace_id
    }

    /// Blocks until the end.
    ///
    /// # Errors
    /// What stopped the topology, with the node's name.
    pub fn wait(self) -> Result<Outcome> {
        for thread in self.threads {
            // A panic was told by its `PanicWatch`.
            thread.join().ok();
        }
        if let Some(error) = self.control.take_failure() {
            return Err(error);
        }
        if self.control.is_cancelled() {
            return Err(Error::unavailable("SW4004", "finish: the topology was aborted"));
        }
        Ok(if self.control.is_draining() { Outcome::Drained } else { Outcome::Finished })
    }
}

/// Tells how a topology is doing, also after it was started again.
#[derive(Clone)]
pub struct HealthHandle(Arc<Mutex<Arc<Control>>>);

impl HealthHandle {
    /// How each node is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        let control = Arc::clone(&lock(&self.0));
        control.health()
    }

    /// Tells from now on how `running` is doing.
    pub fn follow(&self, running: &Running) {
        *lock(&self.0) = Arc::clone(&running.control);
    }
}

/// What a thread runs.
type Body = Box<dyn FnOnce() -> Result<(), Stopped> + Send>;

/// Stops the topology where its thread panics: the others would wait for it for ever.
struct PanicWatch<'a>(&'a Control, &'a str);

impl Drop for PanicWatch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(Error::bug("run: the thread panicked").at_node(self.1));
        }
    }
}

#[cfg(test)]
mod tests;
