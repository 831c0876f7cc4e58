//! Watermarks of a test: what sources say of time, and how nodes merge it.

use std::collections::BTreeMap;

use crate::batch::Batch;
use crate::clock::Timestamp;
use crate::dead_letter::Rejected;
use crate::error::Result;
use crate::plan::{NodeId, Plan, Planned};
use crate::runtime::{Told, Watermarks};

/// What a node says of time to those that read from it.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    /// Watermark of its inputs.
    input: Option<Timestamp>,
    /// Watermark of its output.
    output: Option<Timestamp>,
    idle: bool,
}

/// Event time of every node.
pub(super) struct Times {
    sources: BTreeMap<NodeId, Watermarks>,
    said: Vec<Said>,
}

impl Times {
    pub(super) fn new(plan: &Plan) -> Self {
        let source = |(id, node): (NodeId, &crate::plan::PlannedNode)| {
            let config = node.config.event_time.as_ref()?;
            matches!(node.planned, Planned::Source(_)).then(|| (id, Watermarks::new(config)))
        };
        Self {
            sources: plan.nodes.iter().enumerate().filter_map(source).collect(),
            said: vec![Said::default(); plan.nodes.len()],
        }
    }

    /// Takes note of rows of a source; those without an event time are set aside.
    pub(super) fn observe(
        &mut self,
        source: NodeId,
        batch: Batch,
        now: Timestamp,
    ) -> Result<(Batch, Vec<Rejected>)> {
        match self.sources.get_mut(&source) {
            None => Ok((batch, Vec::new())),
            Some(watermarks) => {
                let timed = watermarks.observe(batch, &[], now)?;
                Ok((timed.batch, timed.rejected))
            }
        }
    }

    /// Sources that have something new to say.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<NodeId> {
        let mut due = Vec::new();
        for (id, watermarks) in &mut self.sources {
            let Some(said) = self.said.get_mut(*id) else {
                continue;
            };
            match watermarks.due(&[], now) {
                None => continue,
                Some(Told::Idle) => said.idle = true,
                Some(Told::Watermark(watermark)) => {
                    said.output = said.output.max(Some(watermark));
                    said.idle = false;
                }
            }
            due.push(*id);
        }
        due
    }

    /// A source becomes idle.
    pub(super) fn silence(&mut self, source: NodeId) {
        if let Some(said) = self.said.get_mut(source) {
            said.idle = true;
        }
    }

    /// Every source has ended.
    pub(super) fn end(&mut self, plan: &Plan) {
        for (said, node) in self.said.iter_mut().zip(&plan.nodes) {
            if matches!(node.planned, Planned::Source(_)) {
                *said = Said { output: Some(Timestamp::MAX), idle: false, ..*said };
            }
        }
    }

    /// The watermark of a node's inputs.
    pub(super) fn of(&self, node: NodeId) -> Option<Timestamp> {
        self.said.get(node)?.input
    }

    /// Merges what the inputs of a node say; the new watermark of its inputs, if it rose.
    pub(super) fn merge(&mut self, plan: &Plan, id: NodeId) -> Option<Timestamp> {
        let node = plan.nodes.get(id)?;
        if matches!(node.planned, Planned::Source(_)) {
            return None;
        }
        let inputs = node.inputs.iter().filter_map(|edge| self.said.get(edge.from));
        let idle = inputs.clone().all(|said| said.idle);
        let lowest = inputs.filter(|said| !said.idle).map(|said| said.output).min().flatten();
        let said = self.said.get_mut(id)?;
        said.idle = idle;
        if idle || lowest <= said.input {
            return None;
        }
        said.input = lowest;
        said.output = said.output.max(lowest);
        lowest
    }

    /// A node's output is behind its inputs.
    pub(super) fn hold_back(&mut self, id: NodeId, output: Timestamp) {
        if let Some(said) = self.said.get_mut(id) {
            said.output = Some(output);
        }
    }
}
