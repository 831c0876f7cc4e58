//! Runs a plan on given rows, in one thread, without external systems and in virtual time: what
//! `swiftwater test` is made of.
//!
//! Rows enter where a source would hand them over and are collected where a sink would take them;
//! in between are the real operators, with dead letters and ports as they are wired.

mod rows;

pub use rows::expected;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use swiftwater_config::topology::TestConfig;
use swiftwater_config::{OnError, SecretValues};

use crate::batch::{Batch, Readings, Span};
use crate::clock::Timestamp;
use crate::dead_letter::{self, Rejected};
use crate::error::{Error, Result};
use crate::operator::{Operator, Output};
use crate::plan::{FromPort, NodeId, Plan, Planned, PlannedNode};
use crate::runtime::{isolate, stop_for};

/// When a test starts.
pub const START: Timestamp = Timestamp(0);

/// Trace id of dead letters in a test.
const TRACE_ID: &str = "test";

/// What became of a test's rows.
#[derive(Debug, Default)]
pub struct Received {
    /// What each sink received, in order.
    pub rows: BTreeMap<String, Vec<RecordBatch>>,
    /// How many rows broke a rule, by node and rule, whatever became of them.
    pub breaches: BTreeMap<(String, Arc<str>), usize>,
}

/// Runs one test's rows through a plan.
///
/// Rows of all sources enter in the order of their `at`; those without one enter with the row
/// before them.
///
/// # Errors
/// `Config` (`SW42xx`) where a row does not fit its source; whatever an operator would stop the
/// topology for, with the node's name.
pub fn run(plan: &Plan, test: &TestConfig) -> Result<Received> {
    let mut simulation = Simulation::new(plan)?;
    for entry in rows::entries(plan, test)? {
        simulation.now = simulation.now.max(entry.at);
        let readings =
            Readings { appended: None, polled: Span::at(simulation.now), event: entry.event };
        let batch = Batch::new(entry.records, readings);
        simulation.send(entry.source, FromPort::Output(0), &batch)?;
    }
    simulation.end()?;
    Ok(simulation.received)
}

struct Simulation<'a> {
    plan: &'a Plan,
    operators: Vec<Option<Box<dyn Operator>>>,
    received: Received,
    now: Timestamp,
}

impl<'a> Simulation<'a> {
    fn new(plan: &'a Plan) -> Result<Self> {
        let operator = |node: &PlannedNode| match &node.planned {
            Planned::Operator(operator) => {
                (operator.make)(0).map(Some).map_err(|e| e.at_node(node.name()))
            }
            Planned::Source(_) | Planned::Sink(_) => Ok(None),
        };
        let sinks = plan.nodes.iter().filter(|n| matches!(n.planned, Planned::Sink(_)));
        Ok(Self {
            plan,
            operators: plan.nodes.iter().map(operator).collect::<Result<_>>()?,
            received: Received {
                rows: sinks.map(|n| (n.name().to_owned(), Vec::new())).collect(),
                breaches: BTreeMap::new(),
            },
            now: START,
        })
    }

    /// Rows of a port, to every node that takes them.
    fn send(&mut self, from: NodeId, port: FromPort, batch: &Batch) -> Result<()> {
        let plan = self.plan;
        for (id, node) in plan.nodes.iter().enumerate() {
            for (input, edge) in node.inputs.iter().enumerate() {
                if edge.from == from && edge.port == port {
                    self.take(id, node, input, batch.clone())?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, id: NodeId, node: &PlannedNode, input: usize, batch: Batch) -> Result<()> {
        if let Some(received) = self.received.rows.get_mut(node.name()) {
            received.push(batch.records);
            return Ok(());
        }
        let Some(Some(operator)) = self.operators.get_mut(id) else {
            return Ok(());
        };
        let most = operator.max_rows().max(1);
        if batch.rows() > most {
            return (0..batch.rows()).step_by(most).try_for_each(|from| {
                let part = batch.records.slice(from, most.min(batch.rows() - from));
                self.take(id, node, input, batch.with_records(part))
            });
        }
        let readings = batch.readings;
        let mut out = Output::at(self.now);
        if let Err(error) = operator.process(input, batch.clone(), &mut out) {
            let splittable = matches!(&node.planned, Planned::Operator(o) if o.splittable);
            out = Output::at(self.now);
            isolate(operator.as_mut(), splittable, (input, &batch), error, &mut out)
                .map_err(|e| e.at_node(node.name()))?;
        }
        self.deliver(id, node, out, readings)
    }

    fn deliver(
        &mut self,
        id: NodeId,
        node: &PlannedNode,
        mut out: Output,
        readings: Readings,
    ) -> Result<()> {
        for (rule, rows) in out.take_breaches() {
            let key = (node.name().to_owned(), rule);
            *self.received.breaches.entry(key).or_default() += rows;
        }
        let rejected = out.take_rejected();
        if let Some(letters) = self.dead_letters(node, &rejected)? {
            self.send(id, FromPort::Errors, &Batch::new(letters, readings))?;
        }
        let batches = out.take_batches();
        self.now.0 += i64::try_from(out.take_delay().as_micros()).unwrap_or(i64::MAX);
        for (port, batch) in batches {
            self.send(id, FromPort::Output(port), &batch)?;
        }
        Ok(())
    }

    fn dead_letters(
        &self,
        node: &PlannedNode,
        rejected: &[Rejected],
    ) -> Result<Option<RecordBatch>> {
        let Some(first) = rejected.first() else {
            return Ok(None);
        };
        match &node.config.on_error {
            OnError::Fail => Err(stop_for(first).at_node(node.name())),
            OnError::Drop => Ok(None),
            OnError::DeadLetter(_) => {
                let cx = dead_letter::Context {
                    topology: &self.plan.config.name,
                    node: node.name(),
                    epoch: 1,
                    trace_id: TRACE_ID,
                    now: self.now,
                    secrets: &SecretValues::default(),
                };
                dead_letter::batch(rejected, cx).map(Some)
            }
        }
    }

    /// Every source has ended: each operator gives what it still holds, in the order of the graph.
    fn end(&mut self) -> Result<()> {
        let plan = self.plan;
        for (id, node) in plan.nodes.iter().enumerate() {
            let mut out = Output::at(self.now);
            if let Some(Some(operator)) = self.operators.get_mut(id) {
                operator.on_end(&mut out).map_err(|e| e.at_node(node.name()))?;
            }
            self.deliver(id, node, out, Readings::polled_at(self.now))?;
        }
        Ok(())
    }
}

/// The source of this name.
fn source<'a>(plan: &'a Plan, name: &str) -> Result<(NodeId, &'a PlannedNode)> {
    let is_source = |node: &PlannedNode| matches!(node.planned, Planned::Source(_));
    let sources = || plan.nodes.iter().enumerate().filter(|(_, n)| is_source(n));
    sources().find(|(_, n)| n.name() == name).ok_or_else(|| {
        let names: Vec<_> = sources().map(|(_, n)| n.name()).collect();
        Error::config("SW4201", format!("feed the unknown source `{name}`"))
            .with_hint(format!("sources: {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests;
