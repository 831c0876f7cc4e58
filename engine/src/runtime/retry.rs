//! Trying again what is unavailable: pauses that double, with a budget, told to whoever asks.

use std::time::{Duration, Instant};

use swiftwater_config::RetryConfig;

use super::checkpoint::OUTCOME_UNKNOWN;
use super::control::{Control, Stopped};
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::{NodeMetrics, State};

/// The retry state of one kind of call of a node. What works says nothing of other calls: a sink
/// that still takes rows while none of them becomes durable has two of these.
pub(super) struct Retry {
    config: RetryConfig,
    trouble: Option<Trouble>,
    next: Duration,
}

/// Failures without a success between them.
struct Trouble {
    since: Instant,
    last: Instant,
}

impl Retry {
    pub(super) fn new(config: &RetryConfig) -> Self {
        Self { next: config.initial.0, config: config.clone(), trouble: None }
    }

    /// It worked: the budget is whole again.
    pub(super) fn succeeded(&mut self, control: &Control, metrics: &NodeMetrics) {
        if self.trouble.take().is_some() {
            self.next = self.config.initial.0;
            control.says(metrics.node(), "running");
            tracing::info!(node = metrics.node(), "available again");
        }
    }

    /// It did not fail and got nowhere either. After a time in which a lasting failure would have
    /// spent the budget twice over, that is taken for success.
    pub(super) fn quiet(&mut self, control: &Control, metrics: &NodeMetrics) {
        let long = self.config.budget.0.saturating_mul(2);
        if self.trouble.as_ref().is_some_and(|trouble| trouble.last.elapsed() > long) {
            self.succeeded(control, metrics);
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
        // An epoch that was aborted is not mended by trying its parts again.
        if error.kind != ErrorKind::Unavailable || error.code == OUTCOME_UNKNOWN {
            return Err(error.into());
        }
        let now = Instant::now();
        match &mut self.trouble {
            None => {
                self.trouble = Some(Trouble { since: now, last: now });
                tracing::warn!(node = metrics.node(), %error, "unavailable, trying again");
            }
            Some(trouble) if now - trouble.since > self.config.budget.0 => {
                return Err(self.spent(error).into());
            }
            Some(trouble) => trouble.last = now,
        }
        control.says(metrics.node(), format!("retrying: {}", error.message));
        metrics.retried();
        let started = Instant::now();
        let paused = control.pause(self.next);
        metrics.spent(State::Backpressured, started.elapsed());
        self.next = (self.next * 2).min(self.config.max.0).max(Duration::from_millis(1));
        paused
    }

    /// The last error of a spent budget, with the cure of its own and ours.
    fn spent(&self, mut error: Error) -> Error {
        let tried =
            format!("it was tried for {}; `retry.budget` sets how long", self.config.budget);
        let hint = match error.hint.take() {
            Some(own) => format!("{own}; {tried}"),
            None => tried,
        };
        error.with_hint(hint)
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
