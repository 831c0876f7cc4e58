//! What a plan says of state and guarantees.

use swiftwater_config::{Guarantee, Role};

use super::{Plan, Planned, PlannedNode, streams};
use crate::kind::CommitPointPlan;
use crate::stream::Stream;

impl Plan {
    /// What each input of a node is beyond its columns; a sink sees its inputs as one.
    #[must_use]
    pub fn input_streams(&self, node: &PlannedNode) -> Vec<Stream> {
        let count = if node.config.role == Role::Sink { 1 } else { node.inputs.len() };
        streams::of_inputs(&self.nodes, &node.inputs, count.min(node.inputs.len()))
    }

    /// Whether any node keeps state.
    #[must_use]
    pub fn is_stateful(&self) -> bool {
        self.nodes.iter().any(|n| matches!(&n.planned, Planned::Operator(o) if o.stateful))
    }

    /// Whether nothing may be seen twice.
    #[must_use]
    pub fn is_exactly_once(&self) -> bool {
        self.config.guarantee == Guarantee::ExactlyOnce
    }

    /// Whether epochs are kept in the object store: what state and `exactly_once` rest on.
    #[must_use]
    pub fn has_snapshots(&self) -> bool {
        self.is_stateful() || self.is_exactly_once()
    }

    /// The external system in which epochs are committed; `None` where it is the object store of
    /// the snapshots: that of a sink before that of a source, because outputs must be in it.
    #[must_use]
    pub fn commit_point(&self) -> Option<&CommitPointPlan> {
        if !self.is_exactly_once() {
            return None;
        }
        let sinks = self.nodes.iter().filter_map(|n| match &n.planned {
            Planned::Sink(sink) => sink.commit_point.as_ref(),
            _ => None,
        });
        let sources = self.nodes.iter().filter_map(|n| match &n.planned {
            Planned::Source(source) => source.commit_point.as_ref(),
            _ => None,
        });
        sinks.chain(sources).next()
    }
}
