//! What all tasks of a running topology share: whether to go on, what went wrong, who is ready.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use swiftwater_config::SecretValues;

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result};

/// Locks, also after a panic elsewhere: the panic itself stops the topology.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How one node is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeHealth {
    /// Whether every instance is open.
    pub ready: bool,
    /// What it is doing or waiting for, such as `running` or `retrying: connect to …`.
    pub state: String,
}

/// How the topology is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Node → its health.
    pub nodes: BTreeMap<String, NodeHealth>,
    /// Whether it is draining.
    pub draining: bool,
    /// When the engine last went round its loop.
    pub heartbeat: Timestamp,
}

impl Health {
    /// Whether every node is ready and nothing drains.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.draining && !self.nodes.is_empty() && self.nodes.values().all(|n| n.ready)
    }
}

#[derive(Debug, Default)]
struct Instances {
    expected: usize,
    open: usize,
    state: String,
}

/// Shared by all tasks.
pub(super) struct Control {
    cancelled: AtomicBool,
    draining: AtomicBool,
    drain_deadline: Mutex<Option<Instant>>,
    drain_timeout: Duration,
    failure: Mutex<Option<Error>>,
    nodes: Mutex<BTreeMap<String, Instances>>,
    woken: Condvar,
    sleeping: Mutex<()>,
    heartbeat: AtomicI64,
    pub(super) clock: Clock,
    pub(super) topology: String,
    pub(super) trace_id: String,
    /// What no text that leaves the engine may show.
    pub(super) secrets: SecretValues,
}

impl Control {
    pub(super) fn new(topology: &str, drain_timeout: Duration) -> Self {
        let clock = Clock::system();
        let now = clock.now();
        Self {
            cancelled: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            drain_deadline: Mutex::default(),
            drain_timeout,
            failure: Mutex::default(),
            nodes: Mutex::default(),
            woken: Condvar::new(),
            sleeping: Mutex::default(),
            heartbeat: AtomicI64::new(now.0),
            clock,
            topology: topology.to_owned(),
            trace_id: format!("{:016x}{:08x}", now.0, std::process::id()),
            secrets: SecretValues::default(),
        }
    }

    pub(super) fn expect(&self, node: &str, instances: usize) {
        // A node called by its predecessor's thread has nothing to open.
        let state = if instances == 0 { "running" } else { "opening" };
        let entry = Instances { expected: instances, open: 0, state: state.into() };
        lock(&self.nodes).insert(node.to_owned(), entry);
    }

    pub(super) fn opened(&self, node: &str) {
        if let Some(entry) = lock(&self.nodes).get_mut(node) {
            entry.open += 1;
            entry.state = "running".into();
        }
    }

    pub(super) fn says(&self, node: &str, state: impl Into<String>) {
        if let Some(entry) = lock(&self.nodes).get_mut(node) {
            entry.state = self.secrets.scrub(&state.into());
        }
    }

    pub(super) fn health(&self) -> Health {
        let health =
            |i: &Instances| NodeHealth { ready: i.open >= i.expected, state: i.state.clone() };
        Health {
            nodes: lock(&self.nodes).iter().map(|(name, i)| (name.clone(), health(i))).collect(),
            draining: self.is_draining(),
            heartbeat: Timestamp(self.heartbeat.load(Ordering::Relaxed)),
        }
    }

    pub(super) fn beat(&self) {
        self.heartbeat.store(self.clock.now().0, Ordering::Relaxed);
    }

    /// Remembers the first failure and stops everything.
    pub(super) fn fail(&self, error: Error) {
        lock(&self.failure).get_or_insert_with(|| error.scrubbed(&self.secrets));
        self.cancel();
    }

    pub(super) fn take_failure(&self) -> Option<Error> {
        lock(&self.failure).take()
    }

    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.wake();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Asks sources to stop; [`Control::check_drain`] fails the topology if that takes too long.
    pub(super) fn drain(&self) {
        lock(&self.drain_deadline).get_or_insert_with(|| Instant::now() + self.drain_timeout);
        self.draining.store(true, Ordering::Release);
        self.wake();
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Fails the topology where a drain has taken longer than `drain_timeout`.
    pub(super) fn check_drain(&self) {
        if lock(&self.drain_deadline).is_none_or(|deadline| Instant::now() < deadline) {
            return;
        }
        let nodes = lock(&self.nodes);
        let done = |i: &Instances| matches!(i.state.as_str(), "finished" | "ended");
        let waiting = nodes.iter().filter(|(_, i)| i.expected > 0 && !done(i));
        let waiting: Vec<_> = waiting.map(|(name, i)| format!("{name} ({})", i.state)).collect();
        drop(nodes);
        let message = format!(
            "drain within {:?}: still waiting for {}",
            self.drain_timeout,
            waiting.join(", ")
        );
        self.fail(Error::unavailable("SW4002", message).with_hint(
            "`drain_timeout` sets how long; what was not committed is read again after a restart",
        ));
    }

    fn wake(&self) {
        let _sleeping = lock(&self.sleeping);
        self.woken.notify_all();
    }

    /// Lets time pass, and returns early when the topology is cancelled.
    pub(super) fn pause(&self, time: Duration) -> Result<(), Stopped> {
        let until = Instant::now() + time;
        let mut guard = lock(&self.sleeping);
        while !self.is_cancelled() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            guard = match self.woken.wait_timeout(guard, left) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        Err(Stopped::Cancelled)
    }
}

/// Why a task ends before its work does.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Another task failed, or the drain took too long.
    Cancelled,
    /// This task failed.
    Failed(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
