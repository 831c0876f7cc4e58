//! What becomes of records that cannot be decoded, evaluated or written.

use std::sync::Arc;
use std::time::Duration;

use swiftwater_config::OnError;

use super::control::{Control, Stopped};
use super::exchange::Outlet;
use crate::batch::{Batch, Readings};
use crate::dead_letter::{self, Rejected};
use crate::error::Error;
use crate::message::{Epoch, Message};
use crate::metrics::NodeMetrics;

/// The errors port of one node in one task.
pub(super) struct Rejects {
    policy: OnError,
    outlet: Option<Outlet>,
    metrics: Arc<NodeMetrics>,
    pub(super) epoch: Epoch,
}

impl Rejects {
    pub(super) fn new(
        policy: &OnError,
        outlet: Option<Outlet>,
        metrics: &Arc<NodeMetrics>,
    ) -> Self {
        Self { policy: policy.clone(), outlet, metrics: Arc::clone(metrics), epoch: 1 }
    }

    /// Does with the records what `on_error` says; returns the time the sender was parked.
    pub(super) fn handle(
        &mut self,
        rejected: &[Rejected],
        readings: Readings,
        control: &Control,
    ) -> Result<Duration, Stopped> {
        let Some(first) = rejected.first() else {
            return Ok(Duration::ZERO);
        };
        match (&self.policy, &mut self.outlet) {
            (OnError::Fail, _) => Err(stop_for(first).at_node(self.metrics.node()).into()),
            (OnError::Drop, _) => {
                self.metrics.dropped("bad_record", rejected.len());
                Ok(Duration::ZERO)
            }
            (OnError::DeadLetter(_), Some(outlet)) => {
                for letter in rejected {
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
                outlet.send(Batch::new(dead_letter::batch(rejected, cx)?, readings), control)
            }
            (OnError::DeadLetter(to), None) => {
                Err(Error::bug(format!("find the dead-letter sink `{to}`")).into())
            }
        }
    }

    pub(super) fn broadcast(&self, message: &Message, control: &Control) -> Result<(), Stopped> {
        self.outlet.as_ref().map_or(Ok(()), |o| o.broadcast(message, control))
    }
}

/// The error that stops a topology without `on_error`, with the record's position.
pub(crate) fn stop_for(record: &Rejected) -> Error {
    const SHOWN: usize = 200;
    let place = record
        .origin
        .as_ref()
        .map(|o| format!(" at {}/{} offset {}", o.topic, o.partition, o.offset));
    let shown = record.payload.as_ref().map(|p| {
        let text: String = String::from_utf8_lossy(p).chars().take(SHOWN).collect();
        format!(", record: {text}")
    });
    let message =
        format!("{}{}{}", record.message, place.unwrap_or_default(), shown.unwrap_or_default());
    Error::data(record.code, message)
        .with_hint("`on_error: {dead_letter: <sink>}` sets bad records aside, `on_error: drop` counts and drops them")
}
