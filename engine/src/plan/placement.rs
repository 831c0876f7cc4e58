//! Which thread runs what: nodes joined without an exchange form a chain that one task calls in
//! turn; everything else goes over edges.

use super::{FromPort, NodeId, Planned, PlannedNode};

/// How rows are spread over the tasks that take them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// Task i sends to task i.
    Forward,
    /// All tasks send to the only one.
    Gather,
    /// Rows meet by the hash of these columns.
    Hash(Vec<String>),
    /// Batches go to each task in turn.
    RoundRobin,
}

/// Rows of one port on their way to another task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The node that sends.
    pub from: NodeId,
    /// The port it sends from.
    pub port: FromPort,
    /// The node that takes.
    pub to: NodeId,
    /// Which of the taking node's inputs.
    pub input: usize,
    /// How rows are spread.
    pub exchange: Exchange,
}

impl Link {
    /// Number of edges that carry the link.
    #[must_use]
    pub fn edges(&self, nodes: &[PlannedNode]) -> usize {
        let parallelism = |id: NodeId| nodes.get(id).map_or(1, |n| n.parallelism);
        match self.exchange {
            Exchange::Forward | Exchange::Gather => parallelism(self.from),
            Exchange::Hash(_) | Exchange::RoundRobin => {
                parallelism(self.from) * parallelism(self.to)
            }
        }
    }
}

/// A chain of nodes on one thread for each instance. The first takes from edges (or is a source);
/// the others are called by their predecessor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPlan {
    /// The nodes, each after the one that calls it.
    pub nodes: Vec<NodeId>,
    /// Number of threads that run this chain.
    pub instances: usize,
}

/// Places nodes on tasks.
pub(super) fn place(nodes: &[PlannedNode]) -> (Vec<TaskPlan>, Vec<Link>) {
    let mut tasks: Vec<TaskPlan> = Vec::new();
    let mut links = Vec::new();
    for (id, node) in nodes.iter().enumerate() {
        if let Some(caller) = fused_with(nodes, id) {
            if let Some(task) = tasks.iter_mut().find(|t| t.nodes.contains(&caller)) {
                task.nodes.push(id);
            }
            continue;
        }
        tasks.push(TaskPlan { nodes: vec![id], instances: node.parallelism });
        for (input, edge) in node.inputs.iter().enumerate() {
            let from = nodes.get(edge.from).map_or(1, |n| n.parallelism);
            let exchange = exchange(node, input, from);
            links.push(Link { from: edge.from, port: edge.port, to: id, input, exchange });
        }
    }
    (tasks, links)
}

fn exchange(node: &PlannedNode, input: usize, senders: usize) -> Exchange {
    if node.parallelism == 1 {
        return if senders == 1 { Exchange::Forward } else { Exchange::Gather };
    }
    if let Planned::Operator(plan) = &node.planned
        && let Some(key) = &plan.key
    {
        return Exchange::Hash(plan.input_keys.get(input).unwrap_or(key).clone());
    }
    if !node.config.partition_by.is_empty() {
        return Exchange::Hash(node.config.partition_by.clone());
    }
    if senders == node.parallelism { Exchange::Forward } else { Exchange::RoundRobin }
}

/// The node that calls `id` in its own thread, where no exchange stands between them.
fn fused_with(nodes: &[PlannedNode], id: NodeId) -> Option<NodeId> {
    let node = nodes.get(id)?;
    let [edge] = node.inputs.as_slice() else {
        return None;
    };
    let sender = nodes.get(edge.from)?;
    let is_operator = matches!(node.planned, Planned::Operator(_));
    let forward = exchange(node, 0, sender.parallelism) == Exchange::Forward;
    let takers = nodes.iter().flat_map(|n| &n.inputs).filter(|i| *i == edge).count();
    (is_operator && forward && takers == 1 && matches!(edge.port, FromPort::Output(_)))
        .then_some(edge.from)
}
