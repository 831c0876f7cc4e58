//! Trying again what is unavailable: pauses that double, with a budget, told to whoever asks.

use std::time::{Duration, Instant};

use swiftwater_config::RetryConfig;

use super::control::{Control, Stopped};
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::{NodeMetrics, State};

/// The retry state of one node.
pub(super) struct Retry {
    config: RetryConfig,
    since: Option<Instant>,
    next: Duration,
}

impl Retry {
    pub(super) fn new(config: &RetryConfig) -> Self {
        Self { next: config.initial.0, config: config.clone(), since: None }
    }

    /// It worked: the budget is whole again.
    pub(super) fn succeeded(&mut self, control: &Control, metrics: &NodeMetrics) {
        if self.since.take().is_some() {
            self.next = self.config.initial.0;
            control.says(metrics.node(), "running");
            tracing::info!(node = metrics.node(), "available again");
        }
    }

    /// It failed: pauses where trying again makes sense, and returns the error where not.
    pub(super) fn failed(
        &mut self,
        error: Error,
        control: &Control,
        metrics: &NodeMetrics,
    ) -> Result<(), Stopped> {
        let error = error.at_node(metrics.node());
        if error.kind != ErrorKind::Unavailable {
            return Err(error.into());
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() > self.config.budget.0 {
            let hint =
                format!("it was tried for {}; `retry.budget` sets how long", self.config.budget);
            return Err(error.with_hint(hint).into());
        }
        if self.next == self.config.initial.0 {
            tracing::warn!(node = metrics.node(), %error, "unavailable, trying again");
        }
        control.says(metrics.node(), format!("retrying: {}", error.message));
        metrics.retried();
        let started = Instant::now();
        let paused = control.pause(self.next);
        metrics.spent(State::Backpressured, started.elapsed());
        self.next = (self.next * 2).min(self.config.max.0).max(Duration::from_millis(1));
        paused
    }

    /// Calls until it works or trying again makes no sense.
    pub(super) fn until_done<T>(
        &mut self,
        control: &Control,
        metrics: &NodeMetrics,
        mut call: impl FnMut() -> Result<T>,
    ) -> Result<T, Stopped> {
        loop {
            match call() {
                Ok(value) => {
                    self.succeeded(control, metrics);
                    return Ok(value);
                }
                Err(error) => self.failed(error, control, metrics)?,
            }
        }
    }
}
