//! From a plan to threads: edges made, chains put together, each task given its ends.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use swiftwater_config::OnError;

use super::Body;
use super::alignment::Alignment;
use super::chain::{Chain, ChainNode, Link, Target};
use super::control::Control;
use super::edge::{Bounds, Receiver, edge};
use super::epochs::Epochs;
use super::exchange::Outlet;
use super::fan_in::FanIn;
use super::kept_epochs::Parties;
use super::late::LateRows;
use super::operator_task::OperatorTask;
use super::rejects::Rejects;
use super::retry::Retry;
use super::sink_task::{Progress, SinkTask};
use super::snapshot::TaskSnapshots;
use super::source_task::SourceTask;
use super::state_share::{Share, StateShares};
use super::watermarks::Watermarks;
use crate::commit::Shared;
use crate::error::{Error, Result};
use crate::kind::{SinkPlan, SourcePlan};
use crate::metrics::{EdgeMetrics, Metrics, NodeMetrics, SinkMetrics, SourceMetrics};
use crate::plan::{Exchange, FromPort, NodeId, Plan, Planned, PlannedNode, TaskPlan};
use crate::sink::{ExactlyOnce, SinkContext};
use crate::source::SourceContext;

/// Rows a batch should have while the topology keeps up.
const BATCH_ROWS: usize = 8192;

/// Threads to be, and what coordinates them.
pub(super) struct Wired {
    pub(super) tasks: Vec<(String, Body)>,
    pub(super) epochs: Arc<Epochs>,
    pub(super) shared: Arc<Shared>,
}

struct Wiring<'a> {
    plan: &'a Plan,
    metrics: &'a Arc<Metrics>,
    control: &'a Arc<Control>,
    epochs: Arc<Epochs>,
    node_metrics: Vec<Arc<NodeMetrics>>,
    outlets: HashMap<(NodeId, usize, FromPort), Vec<Outlet>>,
    receivers: HashMap<(NodeId, usize), Vec<(usize, Receiver)>>,
    sources: usize,
    sinks: usize,
    tasks: usize,
    shared: Arc<Shared>,
    state: Arc<StateShares>,
}

/// Makes the tasks of a plan.
pub(super) fn wire(plan: &Plan, metrics: &Arc<Metrics>, control: &Arc<Control>) -> Result<Wired> {
    let instances = |is: fn(&Planned) -> bool| -> usize {
        plan.nodes.iter().filter(|n| is(&n.planned)).map(|n| n.parallelism).sum()
    };
    let sources = instances(|p| matches!(p, Planned::Source(_)));
    let sinks = instances(|p| matches!(p, Planned::Sink(_)));
    let interval = plan.config.checkpoint.interval.0;
    let parties = plan.has_snapshots().then(|| parties(plan));
    let epochs = Arc::new(Epochs::new(sources, sinks, interval, Arc::clone(metrics), parties));
    let mut wiring = Wiring {
        plan,
        metrics,
        control,
        epochs,
        node_metrics: plan.nodes.iter().map(|n| NodeMetrics::new(metrics, n.name())).collect(),
        outlets: HashMap::new(),
        receivers: HashMap::new(),
        sources: 0,
        sinks: 0,
        tasks: 0,
        shared: Arc::default(),
        state: Arc::new(StateShares::of(plan)?),
    };
    wiring.make_edges();
    let mut tasks = Vec::new();
    for task in &plan.tasks {
        for instance in 0..task.instances {
            tasks.push(wiring.task(task, instance)?);
        }
    }
    Ok(Wired { tasks, epochs: wiring.epochs, shared: wiring.shared })
}

/// Who takes part in an epoch that is kept, in the order in which tasks are made.
fn parties(plan: &Plan) -> Parties {
    let mut parties = Parties {
        sources: Vec::new(),
        tasks: BTreeMap::new(),
        sinks: Vec::new(),
        exactly_once: plan.is_exactly_once(),
    };
    for task in &plan.tasks {
        let Some(node) = task.nodes.first().and_then(|head| plan.nodes.get(*head)) else {
            continue;
        };
        for instance in 0..task.instances {
            match &node.planned {
                Planned::Sink(_) => parties.sinks.push(node.name().to_owned()),
                Planned::Operator(_) => {
                    parties.tasks.insert(parties.tasks.len(), instance);
                }
                Planned::Source(_) => {
                    parties.sources.push((node.name().to_owned(), instance));
                    parties.tasks.insert(parties.tasks.len(), instance);
                }
            }
        }
    }
    parties
}

impl Wiring<'_> {
    fn make_edges(&mut self) {
        let plan = self.plan;
        let name = |id: NodeId| plan.nodes.get(id).map_or("", PlannedNode::name);
        let parallelism = |id: NodeId| plan.nodes.get(id).map_or(1, |n| n.parallelism);
        for link in &plan.links {
            let label = match link.port {
                FromPort::Errors => format!("{}.errors->{}", name(link.from), name(link.to)),
                FromPort::Late => format!("{}.late->{}", name(link.from), name(link.to)),
                FromPort::Output(_) => format!("{}->{}", name(link.from), name(link.to)),
            };
            for sender in 0..parallelism(link.from) {
                let takers = match link.exchange {
                    Exchange::Forward => sender..sender + 1,
                    Exchange::Gather => 0..1,
                    Exchange::Hash(_) | Exchange::RoundRobin => 0..parallelism(link.to),
                };
                let mut senders = Vec::new();
                for taker in takers {
                    let bounds =
                        Bounds { rows: plan.memory.edge_rows, bytes: plan.memory.edge_bytes };
                    let metrics = EdgeMetrics::new(self.metrics, name(link.from), &label);
                    let (tx, rx) = edge(bounds, metrics);
                    senders.push(tx);
                    self.receivers.entry((link.to, taker)).or_default().push((link.input, rx));
                }
                let outlet = Outlet::new(&link.exchange, senders);
                self.outlets.entry((link.from, sender, link.port)).or_default().push(outlet);
            }
        }
    }

    fn task(&mut self, task: &TaskPlan, instance: usize) -> Result<(String, Body)> {
        let plan = self.plan;
        let head = *task.nodes.first().ok_or_else(|| Error::bug("place a task without nodes"))?;
        let node = plan.nodes.get(head).ok_or_else(|| Error::bug("find a placed node"))?;
        let name = format!("{}-{instance}", node.name());
        for id in &task.nodes {
            if let (0, Some(node)) = (instance, plan.nodes.get(*id)) {
                let opens = if *id == head { node.parallelism } else { 0 };
                self.control.expect(node.name(), opens);
            }
        }
        let body = match &node.planned {
            Planned::Source(source) => self.source_task(task, head, source, instance)?,
            Planned::Operator(_) => self.operator_task(task, head, instance)?,
            Planned::Sink(sink) => self.sink_task(head, sink)?,
        };
        Ok((name, body))
    }

    fn source_task(
        &mut self,
        task: &TaskPlan,
        head: NodeId,
        source: &SourcePlan,
        instance: usize,
    ) -> Result<Body> {
        let plan = self.plan;
        let node = plan.nodes.get(head).ok_or_else(|| Error::bug("find a source"))?;
        let context = SourceContext {
            topology: plan.config.name.clone(),
            node: node.name().to_owned(),
            instance,
            instances: node.parallelism,
            prefetch_bytes: plan.memory.prefetch_bytes,
            batch_rows: BATCH_ROWS,
            clock: self.control.clock.clone(),
            metrics: SourceMetrics::new(self.metrics, node.name()),
            resume: None,
            takes_all: plan.has_snapshots(),
            shared: Arc::clone(&self.shared),
        };
        let id = self.sources;
        self.sources += 1;
        let task = SourceTask {
            id,
            source: (source.make)(instance).map_err(|e| e.at_node(node.name()))?,
            context,
            chain: self.chain(task, instance)?,
            epochs: Arc::clone(&self.epochs),
            control: Arc::clone(self.control),
            metrics: self.metrics_of(head)?,
            snapshots: self.snapshots(instance, node.parallelism),
            watermarks: node.config.event_time.as_ref().map(Watermarks::new),
            retry: Retry::new(&plan.config.retry),
            injected: 0,
        };
        Ok(Box::new(move || task.run()))
    }

    fn operator_task(&mut self, task: &TaskPlan, head: NodeId, instance: usize) -> Result<Body> {
        let inputs = FanIn::new(self.receivers.remove(&(head, instance)).unwrap_or_default(), true);
        let holds_rows = self.plan.nodes.get(head).is_some_and(|node| {
            let stateful = matches!(&node.planned, Planned::Operator(plan) if plan.stateful);
            stateful && node.config.inputs.len() > 1
        });
        let task = OperatorTask {
            inputs: match holds_rows {
                true => inputs.in_event_time(Alignment::default()),
                false => inputs,
            },
            chain: self.chain(task, instance)?,
            epochs: Arc::clone(&self.epochs),
            snapshots: self.snapshots(instance, self.instances(head)),
            control: Arc::clone(self.control),
            metrics: self.metrics_of(head)?,
        };
        Ok(Box::new(move || task.run()))
    }

    fn snapshots(&mut self, instance: usize, instances: usize) -> TaskSnapshots {
        self.tasks += 1;
        TaskSnapshots { task: self.tasks - 1, instance, instances }
    }

    fn instances(&self, node: NodeId) -> usize {
        self.plan.nodes.get(node).map_or(1, |n| n.parallelism)
    }

    fn sink_task(&mut self, head: NodeId, sink: &SinkPlan) -> Result<Body> {
        let plan = self.plan;
        let node = plan.nodes.get(head).ok_or_else(|| Error::bug("find a sink"))?;
        let context = SinkContext {
            topology: plan.config.name.clone(),
            node: node.name().to_owned(),
            buffer_bytes: plan.memory.sink_bytes,
            retry_budget: plan.config.retry.budget.0,
            clock: self.control.clock.clone(),
            metrics: SinkMetrics::new(self.metrics, node.name()),
            shared: Arc::clone(&self.shared),
            exactly_once: plan.is_exactly_once().then(ExactlyOnce::default),
        };
        let id = self.sinks;
        self.sinks += 1;
        let metrics = self.metrics_of(head)?;
        let task = SinkTask {
            id,
            sink: (sink.make)().map_err(|e| e.at_node(node.name()))?,
            context,
            // Without epochs to keep apart a sink need not hold back its faster inputs.
            inputs: FanIn::new(
                self.receivers.remove(&(head, 0)).unwrap_or_default(),
                plan.is_exactly_once(),
            ),
            rejects: self.rejects(head, &node.config.on_error, 0, &metrics),
            epochs: Arc::clone(&self.epochs),
            control: Arc::clone(self.control),
            metrics,
            retry: Retry::new(&plan.config.retry),
            durability: Retry::new(&plan.config.retry),
            progress: Progress::default(),
        };
        Ok(Box::new(move || task.run()))
    }

    fn rejects(
        &mut self,
        node: NodeId,
        policy: &OnError,
        instance: usize,
        metrics: &Arc<NodeMetrics>,
    ) -> Rejects {
        let outlets = self.outlets.remove(&(node, instance, FromPort::Errors));
        Rejects::new(policy, outlets.into_iter().flatten().next(), metrics)
    }

    fn metrics_of(&self, node: NodeId) -> Result<Arc<NodeMetrics>> {
        self.node_metrics.get(node).cloned().ok_or_else(|| Error::bug("find the metrics of a node"))
    }

    fn chain(&mut self, task: &TaskPlan, instance: usize) -> Result<Chain> {
        let plan = self.plan;
        let mut nodes = Vec::new();
        for id in &task.nodes {
            let node = plan.nodes.get(*id).ok_or_else(|| Error::bug("find a node of a chain"))?;
            let metrics = self.metrics_of(*id)?;
            let link = match &node.planned {
                Planned::Operator(operator) => {
                    let made = (operator.make)(instance).and_then(|mut made| {
                        made.open(&metrics)?;
                        Ok(made)
                    });
                    let made = made.map_err(|e| e.at_node(node.name()))?;
                    let share = Share::new(&self.state, operator.stateful);
                    Some(Link { operator: made, splittable: operator.splittable, share })
                }
                _ => None,
            };
            let ports = (0..node.outputs.len()).map(|port| self.targets(task, *id, port, instance));
            let ports: Vec<Vec<Target>> = ports.collect();
            let is_read =
                |port: &usize| ports.get(*port).is_some_and(|targets| !targets.is_empty());
            let late = LateRows::new(
                node.late_port().filter(is_read),
                self.outlets.remove(&(*id, instance, FromPort::Late)).into_iter().flatten().next(),
                &metrics,
            );
            let rejects = self.rejects(*id, &node.config.on_error, instance, &metrics);
            let caller = node.inputs.first().map(|i| i.from);
            let caller = caller.and_then(|from| task.nodes.iter().position(|id| *id == from));
            nodes.push(ChainNode { link, caller, ports, late, rejects, metrics, watermark: None });
        }
        Ok(Chain::new(nodes, Arc::clone(self.control)))
    }

    /// Where the rows of one output port go: to nodes of the same chain, and to other tasks.
    fn targets(
        &mut self,
        task: &TaskPlan,
        node: NodeId,
        port: usize,
        instance: usize,
    ) -> Vec<Target> {
        let port = FromPort::Output(port);
        let is_fed = |id: &NodeId| {
            let inputs = self.plan.nodes.get(*id).map(|n| n.inputs.as_slice()).unwrap_or_default();
            inputs.iter().any(|i| i.from == node && i.port == port)
        };
        let rest = task.nodes.iter().enumerate().skip(1);
        let mut targets: Vec<Target> =
            rest.filter(|(_, id)| is_fed(id)).map(|(index, _)| Target::Node(index)).collect();
        let outlets = self.outlets.remove(&(node, instance, port)).unwrap_or_default();
        targets.extend(outlets.into_iter().map(Target::Outlet));
        targets
    }
}
