//! A chain: nodes on one thread, called in turn without a queue between them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::control::{Control, Stopped};
use super::exchange::Outlet;
use super::late::LateRows;
use super::rejects::Rejects;
use super::snapshot::Sealed;
use super::state_share::Share;
use crate::batch::Batch;
use crate::clock::Timestamp;
use crate::dead_letter::{self, Rejected};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Barrier, Message};
use crate::metrics::{NodeMetrics, State};
use crate::operator::{Operator, Output};

/// Where rows of a port go.
pub(super) enum Target {
    /// To another node of the chain.
    Node(usize),
    /// To other tasks.
    Outlet(Outlet),
}

/// One operator of a chain.
pub(super) struct Link {
    pub(super) operator: Box<dyn Operator>,
    pub(super) splittable: bool,
    /// What its state may take.
    pub(super) share: Share,
}

/// One node of a chain. The head of a source's chain has no operator: its rows come from outside.
pub(super) struct ChainNode {
    pub(super) link: Option<Link>,
    /// The node of the chain that calls it; `None` for the head.
    pub(super) caller: Option<usize>,
    /// Targets by output port.
    pub(super) ports: Vec<Vec<Target>>,
    pub(super) late: LateRows,
    pub(super) rejects: Rejects,
    pub(super) metrics: Arc<NodeMetrics>,
    /// The watermark of its inputs.
    pub(super) watermark: Option<Timestamp>,
}

/// The nodes of one task, each after the one that calls it.
pub(super) struct Chain {
    pub(super) nodes: Vec<ChainNode>,
    pub(super) control: Arc<Control>,
    /// Time the thread was parked since the last [`Chain::take_parked`].
    parked: Duration,
}

impl Chain {
    pub(super) const fn new(nodes: Vec<ChainNode>, control: Arc<Control>) -> Self {
        Self { nodes, control, parked: Duration::ZERO }
    }

    /// Time spent parked on full edges, leaving none.
    pub(super) const fn take_parked(&mut self) -> Duration {
        std::mem::replace(&mut self.parked, Duration::ZERO)
    }

    /// Rows that enter the chain's head from outside.
    pub(super) fn enter(&mut self, input: usize, batch: Batch) -> Result<(), Stopped> {
        self.process(0, input, batch)
    }

    /// Rows that the head (a source) hands over itself.
    pub(super) fn emit_from_head(&mut self, batch: Batch) -> Result<(), Stopped> {
        self.emit(0, 0, batch)
    }

    /// Records that the head (a source) could not decode.
    pub(super) fn reject_at_head(
        &mut self,
        rejected: &[Rejected],
        batch: &Batch,
    ) -> Result<(), Stopped> {
        let Some(head) = self.nodes.first_mut() else {
            return Ok(());
        };
        let parked = head.rejects.handle(rejected, batch.readings, &self.control)?;
        self.parked += parked;
        Ok(())
    }

    fn process(&mut self, index: usize, input: usize, batch: Batch) -> Result<(), Stopped> {
        let Some(node) = self.nodes.get_mut(index) else {
            return Ok(());
        };
        let Some(link) = &mut node.link else {
            return self.emit(index, 0, batch);
        };
        let most = link.operator.max_rows().max(1);
        if batch.rows() > most {
            return self.process_in_parts(index, input, &batch, most);
        }
        let bytes = batch.bytes();
        node.metrics.received(batch.rows(), bytes);
        let now = self.control.clock.now();
        let (started, readings) = (Instant::now(), batch.readings);
        let mut out = Output::at(now);
        if let Err(error) = link.operator.process(input, batch.clone(), &mut out) {
            out = Output::at(now);
            let (operator, splittable) = (link.operator.as_mut(), link.splittable);
            isolate(operator, splittable, (input, &batch), error, &mut out)
                .map_err(|e| e.at_node(node.metrics.node()))?;
        }
        let looked_at = link.share.took(bytes, link.operator.as_mut());
        looked_at.map_err(|e| e.at_node(node.metrics.node()))?;
        node.metrics.spent(State::Busy, started.elapsed());
        self.deliver(index, out, readings)
    }

    fn process_in_parts(
        &mut self,
        index: usize,
        input: usize,
        batch: &Batch,
        most: usize,
    ) -> Result<(), Stopped> {
        let mut from = 0;
        while from < batch.rows() {
            let rows = most.min(batch.rows() - from);
            let part = batch.with_records(batch.records.slice(from, rows));
            self.process(index, input, part)?;
            from += rows;
        }
        Ok(())
    }

    /// Passes on what an operator gave back.
    fn deliver(
        &mut self,
        index: usize,
        mut out: Output,
        readings: crate::Readings,
    ) -> Result<(), Stopped> {
        if let Some(node) = self.nodes.get_mut(index) {
            for (reason, rows) in out.take_dropped() {
                node.metrics.dropped(reason, rows);
            }
            for (rule, rows) in out.take_breaches() {
                node.metrics.breached(&rule, rows);
            }
            let parked = node.rejects.handle(&out.take_rejected(), readings, &self.control)?;
            let late = node.late.handle(out.take_late(), node.watermark, &self.control)?;
            self.parked += parked + late.parked;
            for (port, batch) in late.typed {
                self.emit(index, port, batch)?;
            }
        }
        for (port, batch) in out.take_batches() {
            self.emit(index, port, batch)?;
        }
        let delay = out.take_delay();
        if !delay.is_zero() {
            self.control.pause(delay)?;
            if let Some(node) = self.nodes.get(index) {
                node.metrics.spent(State::Backpressured, delay);
            }
            self.parked += delay;
        }
        Ok(())
    }

    fn emit(&mut self, index: usize, port: usize, batch: Batch) -> Result<(), Stopped> {
        let Some(node) = self.nodes.get_mut(index) else {
            return Ok(());
        };
        node.metrics.sent(&batch);
        let Some(targets) = node.ports.get_mut(port) else {
            return Ok(());
        };
        if targets.is_empty() {
            node.metrics.dropped("unread_port", batch.rows());
        }
        let mut next = Vec::new();
        for target in targets {
            match target {
                Target::Node(node) => next.push(*node),
                Target::Outlet(outlet) => {
                    self.parked += outlet.send(batch.clone(), &self.control)?;
                }
            }
        }
        next.into_iter().try_for_each(|node| self.process(node, 0, batch.clone()))
    }

    /// Event time has passed `watermark`: each node closes what it must, then those it calls.
    pub(super) fn watermark(&mut self, watermark: Timestamp) -> Result<(), Stopped> {
        let mut passed_on = Vec::with_capacity(self.nodes.len());
        for index in 0..self.nodes.len() {
            let caller = self.nodes.get(index).and_then(|n| n.caller);
            let watermark = caller.and_then(|c| passed_on.get(c).copied()).unwrap_or(watermark);
            self.call(index, |operator, out| {
                operator.on_watermark(watermark, out)?;
                if watermark == Timestamp::MAX { operator.on_end(out) } else { Ok(()) }
            })?;
            let Some(node) = self.nodes.get_mut(index) else {
                continue;
            };
            node.watermark = node.watermark.max(Some(watermark));
            if watermark != Timestamp::MAX {
                node.metrics.watermark(watermark, self.control.clock.now());
            }
            let output = match &node.link {
                Some(link) if watermark != Timestamp::MAX => {
                    link.operator.output_watermark(watermark)
                }
                _ => watermark,
            };
            passed_on.push(output);
            node.broadcast(&Message::Watermark(output), &self.control)?;
        }
        Ok(())
    }

    /// Nothing comes for now, and what comes later must not be waited for.
    pub(super) fn idle(&self) -> Result<(), Stopped> {
        self.broadcast(&Message::Idle)
    }

    /// Nothing follows.
    pub(super) fn end(&self) -> Result<(), Stopped> {
        self.broadcast(&Message::End)
    }

    /// The epoch ends: what changed in each node's state, before the barrier goes on.
    pub(super) fn barrier(&mut self, barrier: Barrier) -> Result<Vec<Sealed>, Stopped> {
        let mut sealed = Vec::new();
        for node in &mut self.nodes {
            node.rejects.epoch = barrier.epoch + 1;
            node.late.epoch = barrier.epoch + 1;
            if let Some(link) = &mut node.link {
                let deltas = link.operator.seal().map_err(|e| e.at_node(node.metrics.node()))?;
                let held = link.share.keep_within(link.operator.as_mut());
                let held = held.map_err(|e| e.at_node(node.metrics.node()))?;
                sealed.push(Sealed {
                    node: node.metrics.node().to_owned(),
                    deltas,
                    watermark: node.watermark,
                    held,
                });
            }
        }
        self.broadcast(&Message::Barrier(barrier))?;
        Ok(sealed)
    }

    /// Gives each node its state of the last committed epoch.
    pub(super) fn restore(
        &mut self,
        mut state: impl FnMut(&str, &mut dyn Operator, &mut Share) -> Result<Option<Timestamp>>,
    ) -> Result<(), Stopped> {
        for index in 0..self.nodes.len() {
            let Some(node) = self.nodes.get_mut(index) else {
                continue;
            };
            let Some(link) = &mut node.link else {
                continue;
            };
            let restored = state(node.metrics.node(), link.operator.as_mut(), &mut link.share);
            node.watermark = restored.map_err(|e| e.at_node(node.metrics.node()))?;
            if let Some(watermark) = node.watermark.filter(|w| *w != Timestamp::MAX) {
                self.call(index, |operator, out| operator.on_watermark(watermark, out))?;
            }
        }
        Ok(())
    }

    /// The earliest clock time at which a node of the chain wants to be called.
    fn next_timer(&self) -> Option<Timestamp> {
        let links = self.nodes.iter().filter_map(|n| n.link.as_ref());
        links.filter_map(|l| l.operator.next_timer()).min()
    }

    /// `wait`, or less where a node wants to be called before.
    pub(super) fn until_timer(&self, wait: Duration) -> Duration {
        self.next_timer().map_or(wait, |at| {
            let micros = at.0.saturating_sub(self.control.clock.now().0).max(0).cast_unsigned();
            wait.min(Duration::from_micros(micros))
        })
    }

    /// Calls the nodes whose time has come.
    pub(super) fn fire_timers(&mut self) -> Result<(), Stopped> {
        let now = self.control.clock.now();
        for index in 0..self.nodes.len() {
            let link = self.nodes.get(index).and_then(|n| n.link.as_ref());
            if link.and_then(|l| l.operator.next_timer()).is_some_and(|at| at <= now) {
                self.call(index, |operator, out| operator.on_timer(out))?;
            }
        }
        Ok(())
    }

    /// Calls an operator without rows, and passes on what it gives.
    fn call(
        &mut self,
        index: usize,
        call: impl FnOnce(&mut dyn Operator, &mut Output) -> Result<()>,
    ) -> Result<(), Stopped> {
        let now = self.control.clock.now();
        let mut out = Output::at(now);
        let Some(node) = self.nodes.get_mut(index) else {
            return Ok(());
        };
        let Some(link) = &mut node.link else {
            return Ok(());
        };
        let started = Instant::now();
        call(link.operator.as_mut(), &mut out).map_err(|e| e.at_node(node.metrics.node()))?;
        node.metrics.spent(State::Busy, started.elapsed());
        self.deliver(index, out, crate::Readings::polled_at(now))
    }

    fn broadcast(&self, message: &Message) -> Result<(), Stopped> {
        self.nodes.iter().try_for_each(|node| node.broadcast(message, &self.control))
    }
}

impl ChainNode {
    /// Tells every task that takes from this node.
    fn broadcast(&self, message: &Message, control: &Control) -> Result<(), Stopped> {
        for target in self.ports.iter().flatten() {
            if let Target::Outlet(outlet) = target {
                outlet.broadcast(message, control)?;
            }
        }
        self.late.broadcast(message, control)?;
        self.rejects.broadcast(message, control)
    }
}

/// Calls an operator again after an error, with halves of the batch, so that the rows at fault are set
/// aside alone. An operator that runs others within itself does so with theirs.
///
/// # Errors
/// `error` itself where it is none of the data or the operator cannot be called with halves, and
/// what the further calls say.
pub fn isolate(
    operator: &mut dyn Operator,
    splittable: bool,
    (input, batch): (usize, &Batch),
    error: Error,
    out: &mut Output,
) -> Result<()> {
    if error.kind != ErrorKind::Data || !splittable {
        return Err(error);
    }
    let rows = batch.rows();
    if rows <= 1 {
        out.reject(rejected_row(batch, &error));
        return Ok(());
    }
    for (from, length) in [(0, rows / 2), (rows / 2, rows - rows / 2)] {
        let half = batch.with_records(batch.records.slice(from, length));
        let mut part = Output::at(out.now());
        match operator.process(input, half.clone(), &mut part) {
            Ok(()) => out.absorb(part),
            Err(error) => isolate(operator, true, (input, &half), error, out)?,
        }
    }
    Ok(())
}

/// A dead letter of one decoded row.
pub(super) fn rejected_row(batch: &Batch, error: &Error) -> Rejected {
    let mut message = error.message.clone();
    let mut cause = error.source.as_deref().map(|s| s as &dyn std::error::Error);
    while let Some(next) = cause {
        message = format!("{message}: {next}");
        cause = next.source();
    }
    let payload = dead_letter::row_as_json(&batch.records);
    Rejected {
        code: error.code,
        message,
        key: None,
        payload: Some(payload),
        origin: None,
        attempts: 1,
    }
}
