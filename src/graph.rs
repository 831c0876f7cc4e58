//! A planned topology as data: what `plan --format json` and `/topology` show.

use serde::Serialize;
use swiftwater_config::Role;
use swiftwater_engine::plan::{Exchange, FromPort, NodeId, Plan, PlannedNode};
use swiftwater_engine::schema;

/// The whole graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Graph {
    /// Name of the topology.
    pub(crate) topology: String,
    /// What a crash may do to results.
    pub(crate) guarantee: swiftwater_config::Guarantee,
    /// Whether it ends by itself.
    pub(crate) bounded: bool,
    /// The nodes, each after those it reads from.
    pub(crate) nodes: Vec<Node>,
    /// Chains of nodes, each run by one thread for each instance.
    pub(crate) tasks: Vec<Task>,
    /// How rows go from one task to another.
    pub(crate) edges: Vec<Edge>,
    /// How the memory budget is shared out.
    pub(crate) memory: Memory,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) kind: String,
    /// Where its rows come from, such as `bids` or `split.high`.
    pub(crate) inputs: Vec<String>,
    /// Its outputs; none of a sink.
    pub(crate) outputs: Vec<Output>,
    /// Number of threads that run it.
    pub(crate) parallelism: usize,
}

/// One output of a node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Output {
    pub(crate) port: String,
    /// Columns: name and type, in their order.
    pub(crate) columns: Vec<Column>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) data_type: String,
    pub(crate) nullable: bool,
}

/// One chain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Task {
    pub(crate) nodes: Vec<String>,
    pub(crate) instances: usize,
}

/// One link between tasks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) port: String,
    pub(crate) to: String,
    /// `forward`, `gather`, `round_robin` or `hash`.
    pub(crate) exchange: &'static str,
    /// Columns of a hash exchange.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) key: Vec<String>,
    /// Number of channels that carry it.
    pub(crate) channels: usize,
    /// Most rows that may wait in one channel.
    pub(crate) rows: usize,
    /// Most bytes that may wait in one channel.
    pub(crate) bytes: usize,
}

/// Shares of the memory budget in bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Memory {
    pub(crate) budget: u64,
    pub(crate) prefetch: u64,
    pub(crate) edges: u64,
    pub(crate) sinks: u64,
    pub(crate) state: u64,
}

/// The word for a role.
pub(crate) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Source => "source",
        Role::Operator => "operator",
        Role::Sink => "sink",
    }
}

impl Graph {
    /// The graph of a plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        let name = |id: NodeId| plan.nodes.get(id).map_or("", PlannedNode::name).to_owned();
        let task = |task: &swiftwater_engine::plan::TaskPlan| Task {
            nodes: task.nodes.iter().map(|id| name(*id)).collect(),
            instances: task.instances,
        };
        let edge = |link: &swiftwater_engine::plan::Link| {
            let (exchange, key) = match &link.exchange {
                Exchange::Forward => ("forward", Vec::new()),
                Exchange::Gather => ("gather", Vec::new()),
                Exchange::RoundRobin => ("round_robin", Vec::new()),
                Exchange::Hash(key) => ("hash", key.clone()),
            };
            Edge {
                from: name(link.from),
                port: port_name(plan, link.from, link.port),
                to: name(link.to),
                exchange,
                key,
                channels: link.edges(&plan.nodes),
                rows: plan.memory.edge_rows,
                bytes: plan.memory.edge_bytes,
            }
        };
        let [prefetch, edges, sinks, state] = plan.memory.parts().map(|(_, bytes)| bytes);
        Self {
            topology: plan.config.name.clone(),
            guarantee: plan.config.guarantee,
            bounded: plan.endless().next().is_none(),
            nodes: plan.nodes.iter().map(|n| node(plan, n)).collect(),
            tasks: plan.tasks.iter().map(task).collect(),
            edges: plan.links.iter().map(edge).collect(),
            memory: Memory { budget: plan.memory.budget, prefetch, edges, sinks, state },
        }
    }
}

fn port_name(plan: &Plan, from: NodeId, port: FromPort) -> String {
    match port {
        FromPort::Errors => "errors".into(),
        FromPort::Late => "late".into(),
        FromPort::Output(number) => {
            let outputs = plan.nodes.get(from).map(|n| n.outputs.as_slice());
            let name = outputs.unwrap_or_default().get(number).map(|(name, _)| name);
            name.cloned().unwrap_or_default()
        }
    }
}

fn node(plan: &Plan, node: &PlannedNode) -> Node {
    let input = |edge: &swiftwater_engine::plan::InputEdge| {
        let from = plan.nodes.get(edge.from).map_or("", PlannedNode::name);
        match edge.port {
            FromPort::Output(0) => from.to_owned(),
            port => format!("{from}.{}", port_name(plan, edge.from, port)),
        }
    };
    let output = |(port, columns): &(String, arrow::datatypes::SchemaRef)| Output {
        port: port.clone(),
        columns: columns
            .fields()
            .iter()
            .map(|f| Column {
                name: f.name().clone(),
                data_type: schema::name(f.data_type()),
                nullable: f.is_nullable(),
            })
            .collect(),
    };
    Node {
        name: node.name().to_owned(),
        role: role_name(node.config.role),
        kind: node.config.kind.clone(),
        inputs: node.inputs.iter().map(input).collect(),
        outputs: node.outputs.iter().map(output).collect(),
        parallelism: node.parallelism,
    }
}
