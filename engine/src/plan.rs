//! From a topology file to a graph that can run: every node planned against the columns that flow
//! into it, every expression checked, nodes placed on tasks and memory shared out.

mod feature_views;
mod guarantee;
mod partitioning;
mod placement;
mod streams;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use swiftwater_config::{
    Diagnostic, Diagnostics, FeatureViewConfig, NodeConfig, OnError, PortRef, Role, Severity,
    TopologyConfig,
};

use crate::dead_letter;
use crate::error::Error;
use crate::kind::{LATE_PORT, NodeContext, OperatorPlan, SinkPlan, SourcePlan};
use crate::memory::MemoryPlan;
use crate::registry::Registry;
use crate::stream::Stream;

pub use placement::{Exchange, Link, TaskPlan};

/// Number of a node in [`Plan::nodes`].
pub type NodeId = usize;

/// A planned kind.
#[derive(Clone)]
pub enum Planned {
    /// A source.
    Source(SourcePlan),
    /// An operator.
    Operator(OperatorPlan),
    /// A sink.
    Sink(SinkPlan),
}

/// Where rows of an input come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FromPort {
    /// Output port number.
    Output(usize),
    /// The port of records set aside.
    Errors,
    /// The port of late rows, as dead letters.
    Late,
}

/// One input of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputEdge {
    /// The node that sends.
    pub from: NodeId,
    /// The port it sends from.
    pub port: FromPort,
}

/// One node, planned.
#[derive(Clone)]
pub struct PlannedNode {
    /// The node as configured.
    pub config: NodeConfig,
    /// Its inputs: those of the file in their order, then those of dead letters.
    pub inputs: Vec<InputEdge>,
    /// Output ports with their columns; empty for a sink.
    pub outputs: Vec<(String, SchemaRef)>,
    /// What each output is beyond its columns, in the same order.
    pub streams: Vec<Stream>,
    /// The planned kind.
    pub planned: Planned,
    /// Number of tasks it runs on.
    pub parallelism: usize,
}

impl PlannedNode {
    /// Name of the node.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Number of the output port for late rows, where the kind has one.
    #[must_use]
    pub fn late_port(&self) -> Option<usize> {
        self.outputs.iter().position(|(name, _)| name == LATE_PORT)
    }

    fn output(&self, port: Option<&str>) -> Option<usize> {
        match port {
            None => (!self.outputs.is_empty()).then_some(0),
            Some(name) => self.outputs.iter().position(|(n, _)| n == name),
        }
    }
}

/// A topology that can run.
#[derive(Clone)]
pub struct Plan {
    /// The file it came from.
    pub config: TopologyConfig,
    /// All nodes, each after the nodes it reads from.
    pub nodes: Vec<PlannedNode>,
    /// Chains of nodes, each run by one thread for each of its instances.
    pub tasks: Vec<TaskPlan>,
    /// How rows go from one task to another.
    pub links: Vec<Link>,
    /// How the memory budget is shared out.
    pub memory: MemoryPlan,
    /// What the user should know.
    pub warnings: Diagnostics,
}

impl Plan {
    /// Plans a topology.
    ///
    /// # Errors
    /// All problems that the schemas reveal, each with the JSON pointer of its node.
    pub fn new(config: TopologyConfig, registry: &Registry) -> Result<Self, Diagnostics> {
        let mut planner = Planner {
            registry,
            config: &config,
            nodes: Vec::new(),
            ids: HashMap::new(),
            found: Vec::new(),
        };
        for index in planner.order() {
            if let Some(node) = config.nodes.get(index) {
                planner.plan_node(node);
            }
        }
        let Planner { nodes, mut found, .. } = planner;
        found.extend(feature_views::check(&config, &nodes));
        if !found.iter().any(|d| d.severity == Severity::Error) {
            streams::check_guarantee(&config, &nodes, &mut found);
        }
        let found = Diagnostics(found);
        if found.has_errors() {
            return Err(found);
        }
        let (tasks, links) = placement::place(&nodes);
        let memory = MemoryPlan::new(config.memory, &nodes, &links);
        let mut warnings = found;
        warnings.0.extend(memory.warning());
        Ok(Self { config, nodes, tasks, links, memory, warnings })
    }

    /// The node of this name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&PlannedNode> {
        self.nodes.iter().find(|n| n.name() == name)
    }

    /// Columns of the rows that a feature view is made of, and what they are beyond that.
    #[must_use]
    pub fn feature_view_output(&self, view: &FeatureViewConfig) -> Option<(&Schema, &Stream)> {
        feature_views::output(view, &self.nodes).ok()
    }

    /// The sources that never end by themselves.
    pub fn endless(&self) -> impl Iterator<Item = &PlannedNode> {
        let endless = |n: &&PlannedNode| matches!(&n.planned, Planned::Source(s) if !s.bounded);
        self.nodes.iter().filter(endless)
    }
}

struct Planner<'a> {
    registry: &'a Registry,
    config: &'a TopologyConfig,
    nodes: Vec<PlannedNode>,
    ids: HashMap<&'a str, NodeId>,
    found: Vec<Diagnostic>,
}

impl<'a> Planner<'a> {
    /// Node numbers of the file, each after those it reads from. Nodes of a cycle are left out and
    /// reported.
    fn order(&mut self) -> Vec<usize> {
        let nodes = &self.config.nodes;
        let mut done: Vec<usize> = Vec::new();
        let mut waiting: Vec<usize> = (0..nodes.len()).collect();
        while !waiting.is_empty() {
            let name_of = |i: &usize| nodes.get(*i).map(|n| n.name.as_str()).unwrap_or_default();
            let blocked: Vec<usize> = waiting
                .iter()
                .copied()
                .filter(|i| {
                    let needs = nodes.get(*i).map(|n| self.feeds(n)).unwrap_or_default();
                    waiting.iter().any(|w| needs.contains(&name_of(w)))
                })
                .collect();
            if blocked.len() == waiting.len() {
                let names: Vec<_> = blocked.iter().map(name_of).collect();
                let pointer =
                    blocked.first().and_then(|i| nodes.get(*i)).map(|n| n.pointer.clone());
                let message = format!("nodes feed each other in a circle: {}", names.join(", "));
                self.found.push(Diagnostic::error("SW0202", pointer.unwrap_or_default(), message));
                break;
            }
            done.extend(waiting.iter().copied().filter(|i| !blocked.contains(i)));
            waiting = blocked;
        }
        done
    }

    /// Names of the nodes that send to `node`, dead letters included.
    fn feeds(&self, node: &'a NodeConfig) -> Vec<&'a str> {
        let inputs = node.inputs.iter().map(|i| i.node.as_str());
        let letters = self.dead_letters_to(node).chain(self.late_rows_to(node));
        inputs.chain(letters.map(|n| n.name.as_str())).collect()
    }

    fn late_rows_to(&self, node: &'a NodeConfig) -> impl Iterator<Item = &'a NodeConfig> {
        self.config.nodes.iter().filter(|n| n.late.as_deref() == Some(node.name.as_str()))
    }

    fn dead_letters_to(&self, node: &'a NodeConfig) -> impl Iterator<Item = &'a NodeConfig> {
        let to_node =
            |n: &&NodeConfig| matches!(&n.on_error, OnError::DeadLetter(to) if *to == node.name);
        self.config.nodes.iter().filter(to_node)
    }

    fn plan_node(&mut self, node: &'a NodeConfig) {
        let Some((inputs, schemas)) = self.inputs(node) else {
            return;
        };
        let streams = streams::of_inputs(&self.nodes, &inputs, schemas.len());
        let cx =
            NodeContext { topology: &self.config.name, node, inputs: &schemas, streams: &streams };
        let planned = match node.role {
            Role::Source => self
                .registry
                .plan_source(&cx)
                .map(|p| (vec![("out".to_owned(), Arc::clone(&p.schema))], Planned::Source(p))),
            Role::Operator => {
                self.registry.plan_operator(&cx).map(|p| (p.ports.clone(), Planned::Operator(p)))
            }
            Role::Sink => self.registry.plan_sink(&cx).map(|p| (Vec::new(), Planned::Sink(p))),
        };
        match planned {
            Ok((outputs, planned)) => {
                let found = streams::check_node(node, &streams, &outputs, &planned);
                self.found.extend(found);
                let streams = streams::of_outputs(node, &streams, &outputs, &planned);
                self.add(node, inputs, (outputs, streams), planned);
            }
            Err(error) => self.report(node, &error),
        }
    }

    fn add(
        &mut self,
        node: &'a NodeConfig,
        inputs: Vec<InputEdge>,
        (outputs, streams): (Vec<(String, SchemaRef)>, Vec<Stream>),
        planned: Planned,
    ) {
        let warnings = match &planned {
            Planned::Source(p) => &p.warnings,
            Planned::Operator(p) => &p.warnings,
            Planned::Sink(p) => &p.warnings,
        };
        self.found.extend(warnings.iter().map(|w| Diagnostic::warning("SW0290", &node.pointer, w)));
        let parallelism = self.parallelism(node, &inputs, &planned);
        self.check_partitioning(node, &inputs, parallelism);
        self.ids.insert(&node.name, self.nodes.len());
        self.nodes.push(PlannedNode {
            config: node.clone(),
            inputs,
            outputs,
            streams,
            planned,
            parallelism,
        });
    }

    fn parallelism(&self, node: &NodeConfig, inputs: &[InputEdge], planned: &Planned) -> usize {
        let inherited = match (planned, inputs) {
            (Planned::Operator(OperatorPlan { key: None, .. }), [one]) => {
                self.nodes.get(one.from).map(|n| n.parallelism)
            }
            _ => None,
        };
        match planned {
            Planned::Sink(_) => 1,
            _ => node.parallelism.or(inherited).unwrap_or(1).max(1),
        }
    }

    fn schema_of(&self, input: InputEdge) -> Option<SchemaRef> {
        match input.port {
            FromPort::Errors | FromPort::Late => Some(dead_letter::schema()),
            FromPort::Output(port) => {
                let (_, schema) = self.nodes.get(input.from)?.outputs.get(port)?;
                Some(Arc::clone(schema))
            }
        }
    }

    /// Edges and columns of a node's inputs; `None` where one of them failed to plan.
    fn inputs(&mut self, node: &'a NodeConfig) -> Option<(Vec<InputEdge>, Vec<SchemaRef>)> {
        let mut edges = Vec::new();
        for (i, input) in node.inputs.iter().enumerate() {
            edges.push(self.resolve(node, i, input)?);
        }
        let senders: Vec<_> = self.dead_letters_to(node).map(|n| n.name.as_str()).collect();
        for sender in senders {
            edges.push(InputEdge { from: *self.ids.get(sender)?, port: FromPort::Errors });
        }
        let senders: Vec<_> = self.late_rows_to(node).map(|n| n.name.as_str()).collect();
        for sender in senders {
            edges.push(InputEdge { from: *self.ids.get(sender)?, port: FromPort::Late });
        }
        let mut schemas: Vec<SchemaRef> = edges.iter().filter_map(|e| self.schema_of(*e)).collect();
        if node.role == Role::Sink {
            self.require_one_schema(node, &mut schemas)?;
        }
        Some((edges, schemas))
    }

    /// A sink takes several inputs where all have the same columns, and then sees them as one.
    fn require_one_schema(
        &mut self,
        node: &NodeConfig,
        schemas: &mut Vec<SchemaRef>,
    ) -> Option<()> {
        let same = |a: &SchemaRef, b: &SchemaRef| {
            let columns = |s: &SchemaRef| {
                s.fields()
                    .iter()
                    .map(|f| (f.name().clone(), f.data_type().clone()))
                    .collect::<Vec<_>>()
            };
            columns(a) == columns(b)
        };
        if let Some(first) = schemas.first().cloned()
            && schemas.iter().any(|s| !same(s, &first))
        {
            let message = "the inputs of a sink have different columns";
            let hint = "dead letters and rows need sinks of their own; rows of several nodes go through `union` or `select`";
            self.found.push(Diagnostic::error("SW0208", &node.pointer, message).with_hint(hint));
            return None;
        }
        schemas.truncate(1);
        Some(())
    }

    fn resolve(&mut self, node: &NodeConfig, index: usize, input: &PortRef) -> Option<InputEdge> {
        let from = *self.ids.get(input.node.as_str())?;
        let sender = self.nodes.get(from)?;
        if input.port.as_deref() == Some("errors") && sender.output(Some("errors")).is_none() {
            let message = format!("`{input}` is fed by `on_error` of `{}`", input.node);
            let hint = format!(
                "write `on_error: {{dead_letter: {}}}` there and leave out the input here",
                node.name
            );
            self.found.push(
                Diagnostic::error("SW0204", format!("{}/input", node.pointer), message)
                    .with_hint(hint),
            );
            return None;
        }
        if let Some(port) = sender.output(input.port.as_deref()) {
            return Some(InputEdge { from, port: FromPort::Output(port) });
        }
        let ports: Vec<_> =
            sender.outputs.iter().map(|(n, _)| format!("{}.{n}", input.node)).collect();
        let field = if node.inputs.len() > 1 { format!("inputs/{index}") } else { "input".into() };
        self.found.push(
            Diagnostic::error(
                "SW0204",
                format!("{}/{field}", node.pointer),
                format!("unknown port `{input}`"),
            )
            .with_hint(format!("outputs: {}", ports.join(", "))),
        );
        None
    }

    fn report(&mut self, node: &NodeConfig, error: &Error) {
        let mut message = error.message.clone();
        let mut cause = error.source.as_deref().map(|s| s as &dyn std::error::Error);
        while let Some(next) = cause {
            message = format!("{message}: {next}");
            cause = next.source();
        }
        let pointer = format!("{}/{}", node.pointer, node.kind);
        let mut diagnostic = Diagnostic::error(error.code, pointer, message);
        diagnostic.hint.clone_from(&error.hint);
        self.found.push(diagnostic);
    }
}
