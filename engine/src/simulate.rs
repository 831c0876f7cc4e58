//! Runs a plan on given rows, in one thread, without external systems and in virtual time: what
//! `swiftwater test` is made of.
//!
//! Rows enter where a source would hand them over and are collected where a sink would take them;
//! in between are the real operators, with dead letters and ports as they are wired.

mod rows;
mod times;

pub use rows::expected;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use swiftwater_config::topology::{TestConfig, TestRow, TestStep};
use swiftwater_config::{OnError, SecretValues};

use self::times::Times;
use crate::batch::{Batch, Readings, Span};
use crate::clock::Timestamp;
use crate::dead_letter::{self, Rejected};
use crate::error::{Error, Result};
use crate::operator::{Operator, Output};
use crate::plan::{FromPort, NodeId, Plan, Planned, PlannedNode};
use crate::runtime::{isolate, late_letters, stop_for};
use crate::state::TableDelta;

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

/// Runs one test's rows and steps through a plan.
///
/// Rows of all sources enter in the order of their `at`; those without one enter with the row
/// before them. Watermarks follow them as they would in a running topology.
///
/// # Errors
/// `Config` (`SW42xx`) where a row does not fit its source; whatever an operator would stop the
/// topology for, with the node's name.
pub fn run(plan: &Plan, test: &TestConfig) -> Result<Received> {
    let mut simulation = Simulation::new(plan)?;
    simulation.input(&test.input)?;
    for step in &test.then {
        simulation.step(step)?;
    }
    Ok(simulation.received)
}

struct Simulation<'a> {
    plan: &'a Plan,
    operators: Vec<Option<Box<dyn Operator>>>,
    received: Received,
    now: Timestamp,
    times: Times,
    no_secrets: SecretValues,
    /// What each node has sealed so far, oldest first.
    sealed: BTreeMap<NodeId, Vec<TableDelta>>,
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
            times: Times::new(plan),
            no_secrets: SecretValues::default(),
            sealed: BTreeMap::new(),
        })
    }

    fn input(&mut self, input: &BTreeMap<String, Vec<TestRow>>) -> Result<()> {
        for entry in rows::entries(self.plan, input, self.now)? {
            self.advance_to(entry.at)?;
            let readings =
                Readings { appended: None, polled: Span::at(self.now), event: entry.event };
            let batch = Batch::new(entry.records, readings);
            let (batch, rejected) = self.times.observe(entry.source, batch, self.now)?;
            if let Some(node) = self.plan.nodes.get(entry.source)
                && let Some(letters) = self.dead_letters(node, &rejected)?
            {
                self.send(entry.source, FromPort::Errors, &Batch::new(letters, readings))?;
            }
            if batch.rows() > 0 {
                self.send(entry.source, FromPort::Output(0), &batch)?;
            }
            self.tell_watermarks()?;
        }
        Ok(())
    }

    fn step(&mut self, step: &TestStep) -> Result<()> {
        match step {
            TestStep::Advance(by) => {
                let micros = i64::try_from(by.0.as_micros()).unwrap_or(i64::MAX);
                self.advance_to(Timestamp(self.now.0.saturating_add(micros)))?;
                self.tell_watermarks()
            }
            TestStep::Idle(name) => {
                let (id, _) = source(self.plan, name)?;
                self.times.silence(id);
                self.spread_watermarks(id)
            }
            TestStep::CrashAndRestore => self.crash_and_restore(),
            TestStep::Input(input) => self.input(input),
            TestStep::End => self.end(),
        }
    }

    /// Lets time pass: the timers on the way fire in their order.
    fn advance_to(&mut self, to: Timestamp) -> Result<()> {
        loop {
            let timer = |(id, o): (NodeId, &Option<Box<dyn Operator>>)| {
                Some((o.as_ref()?.next_timer()?, id))
            };
            let next = self.operators.iter().enumerate().filter_map(timer).min();
            let Some((at, id)) = next.filter(|(at, _)| *at <= to) else {
                self.now = self.now.max(to);
                return Ok(());
            };
            self.now = self.now.max(at);
            self.call(id, |operator, out| operator.on_timer(out))?;
        }
    }

    /// Calls an operator without rows, and passes on what it gives.
    fn call(
        &mut self,
        id: NodeId,
        call: impl FnOnce(&mut dyn Operator, &mut Output) -> Result<()>,
    ) -> Result<()> {
        let mut out = Output::at(self.now);
        let (Some(node), Some(Some(operator))) =
            (self.plan.nodes.get(id), self.operators.get_mut(id))
        else {
            return Ok(());
        };
        call(operator.as_mut(), &mut out).map_err(|e| e.at_node(node.name()))?;
        self.deliver(id, node, out, Readings::polled_at(self.now))
    }

    fn tell_watermarks(&mut self) -> Result<()> {
        for source in self.times.due(self.now) {
            self.spread_watermarks(source)?;
        }
        Ok(())
    }

    /// Takes what a source said of time through the graph: every node after those it reads from.
    fn spread_watermarks(&mut self, source: NodeId) -> Result<()> {
        for id in source + 1..self.plan.nodes.len() {
            let Some(watermark) = self.times.merge(self.plan, id) else {
                continue;
            };
            self.call(id, |operator, out| {
                operator.on_watermark(watermark, out)?;
                if watermark == Timestamp::MAX { operator.on_end(out) } else { Ok(()) }
            })?;
            if let Some(Some(operator)) = self.operators.get(id)
                && watermark != Timestamp::MAX
            {
                self.times.hold_back(id, operator.output_watermark(watermark));
            }
        }
        Ok(())
    }

    /// What a kill after a snapshot, and another process, would do to the operators.
    fn crash_and_restore(&mut self) -> Result<()> {
        for (id, node) in self.plan.nodes.iter().enumerate() {
            let (Planned::Operator(plan), Some(Some(operator))) =
                (&node.planned, self.operators.get_mut(id))
            else {
                continue;
            };
            let sealed = self.sealed.entry(id).or_default();
            let mut restart = || -> Result<Box<dyn Operator>> {
                sealed.extend(operator.seal()?);
                let mut fresh = (plan.make)(0)?;
                sealed.iter().try_for_each(|delta| fresh.restore(delta))?;
                Ok(fresh)
            };
            *operator = restart().map_err(|e| e.at_node(node.name()))?;
            if let Some(watermark) = self.times.of(id).filter(|w| *w != Timestamp::MAX) {
                self.call(id, |operator, out| operator.on_watermark(watermark, out))?;
            }
        }
        Ok(())
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
        let late = out.take_late();
        self.late(id, node, late)?;
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
                dead_letter::batch(rejected, self.letter_context(node)).map(Some)
            }
        }
    }

    fn letter_context<'b>(&'b self, node: &'b PlannedNode) -> dead_letter::Context<'b> {
        dead_letter::Context {
            topology: &self.plan.config.name,
            node: node.name(),
            epoch: 1,
            trace_id: TRACE_ID,
            now: self.now,
            secrets: &self.no_secrets,
        }
    }

    /// Late rows go to the port `late`, and as dead letters where the node's `late` says.
    fn late(&mut self, id: NodeId, node: &PlannedNode, late: Vec<Batch>) -> Result<()> {
        for batch in late {
            if let Some(port) = node.late_port() {
                self.send(id, FromPort::Output(port), &batch)?;
            }
            let letters = late_letters(&batch, self.times.of(id));
            let records = dead_letter::batch(&letters, self.letter_context(node))?;
            self.send(id, FromPort::Late, &Batch::new(records, batch.readings))?;
        }
        Ok(())
    }

    /// Every source has ended: the watermark passes everything.
    fn end(&mut self) -> Result<()> {
        self.times.end(self.plan);
        self.spread_watermarks(0)
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
