//! What streams are beyond their columns: how event time and upserts pass from node to node, and
//! which nodes and guarantees they fit.

use std::collections::BTreeSet;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use swiftwater_config::{Diagnostic, Guarantee, NodeConfig, Role, TopologyConfig};

use super::{FromPort, InputEdge, Planned, PlannedNode};
use crate::kind::{LATE_PORT, SinkPlan};
use crate::stream::{Changes, Stream};

/// What each input of a node is; as many as it has schemas (a sink sees its inputs as one).
pub(super) fn of_inputs(nodes: &[PlannedNode], inputs: &[InputEdge], count: usize) -> Vec<Stream> {
    let stream = |edge: &InputEdge| match edge.port {
        FromPort::Errors | FromPort::Late => Stream::append(),
        FromPort::Output(port) => {
            nodes.get(edge.from).and_then(|n| n.streams.get(port)).cloned().unwrap_or_default()
        }
    };
    let mut streams: Vec<Stream> = inputs.iter().map(stream).collect();
    if count < streams.len()
        && let Some(upsert) = streams.iter().position(Stream::is_upsert)
    {
        streams.swap(0, upsert);
    }
    streams.truncate(count);
    streams
}

/// What each output of a node is.
pub(super) fn of_outputs(
    node: &NodeConfig,
    inputs: &[Stream],
    outputs: &[(String, SchemaRef)],
    planned: &Planned,
) -> Vec<Stream> {
    let main = match planned {
        Planned::Source(_) => Some(Stream {
            event_time: node.event_time.as_ref().map(|e| e.column.clone()),
            changes: Changes::Append,
        }),
        Planned::Operator(operator) => operator.stream.clone(),
        Planned::Sink(_) => return Vec::new(),
    };
    let of = |(index, (_, schema)): (usize, &(String, SchemaRef))| match &main {
        Some(main) if index == 0 => main.clone(),
        _ => inherited(inputs, schema),
    };
    outputs.iter().enumerate().map(of).collect()
}

/// A stateless node passes on the event time that all its inputs agree on, and the key of an upsert
/// stream, as far as it still has the columns.
fn inherited(inputs: &[Stream], schema: &Schema) -> Stream {
    let Some((first, rest)) = inputs.split_first() else {
        return Stream::append();
    };
    let is_time = |column: &String| {
        schema
            .field_with_name(column)
            .is_ok_and(|f| matches!(f.data_type(), DataType::Timestamp(..)))
    };
    let agreed = rest.iter().all(|s| s.event_time == first.event_time);
    let event_time = first.event_time.clone().filter(|c| agreed && is_time(c));
    Stream { event_time, changes: first.changes.clone() }
}

/// What of a node does not fit the streams that flow into it.
pub(super) fn check_node(
    node: &NodeConfig,
    inputs: &[Stream],
    outputs: &[(String, SchemaRef)],
    planned: &Planned,
) -> Vec<Diagnostic> {
    let takes_upserts = match planned {
        Planned::Source(_) => true,
        Planned::Operator(operator) => operator.takes_upserts,
        Planned::Sink(sink) => sink.takes_upserts,
    };
    let mut found = Vec::new();
    if !takes_upserts && inputs.iter().any(Stream::is_upsert) {
        let role = if node.role == Role::Sink { "sink" } else { "operator" };
        let message = format!(
            "rows that replace earlier ones flow into the {role} kind `{}`, which takes each row for itself",
            node.kind
        );
        found.push(Diagnostic::error("SW0220", &node.pointer, message).with_hint(
            "write them to a sink that knows keys, or let the operator before give final results only",
        ));
    }
    let has_late = outputs.iter().any(|(name, _)| name == LATE_PORT);
    if node.late.is_some() && !has_late {
        let message = format!("`{}` has no late rows", node.kind);
        found.push(
            Diagnostic::error("SW0221", format!("{}/late", node.pointer), message)
                .with_hint("leave it out: only operators that wait for event time have late rows"),
        );
    }
    found
}

/// What of the topology cannot keep the guarantee that was asked for.
pub(super) fn check_guarantee(
    config: &TopologyConfig,
    nodes: &[PlannedNode],
    found: &mut Vec<Diagnostic>,
) {
    let stateful = nodes.iter().any(|n| matches!(&n.planned, Planned::Operator(o) if o.stateful));
    let exactly_once = config.guarantee == Guarantee::ExactlyOnce;
    if !exactly_once && !stateful {
        return;
    }
    let mut systems = BTreeSet::new();
    for node in nodes {
        let kind = &node.config.kind;
        let pointer = format!("{}/{kind}", node.config.pointer);
        match &node.planned {
            Planned::Source(source) if !source.replayable => {
                let message = format!("a `{kind}` source cannot be read again from a snapshot");
                let why = if exactly_once { "`guarantee: exactly_once`" } else { "state" };
                found.push(
                    Diagnostic::error("SW0222", pointer, message)
                        .with_hint(format!("{why} needs a source such as `kafka`")),
                );
            }
            Planned::Sink(sink) if exactly_once && !sink.exactly_once => {
                let message = format!("a `{kind}` sink cannot be exactly-once");
                found.push(Diagnostic::error("SW0223", pointer, message).with_hint(
                    "use `guarantee: at_least_once`, or a `kafka`, `postgres`, `redis` or `files` sink",
                ));
            }
            Planned::Sink(sink) if exactly_once => {
                found.extend(short_epochs(config, node, sink));
                systems.extend(sink.commit_point.as_ref().map(|c| c.system.clone()));
            }
            _ => {}
        }
    }
    if systems.len() > 1 {
        let systems: Vec<_> = systems.into_iter().collect();
        let message = format!("sinks commit in two systems: {}", systems.join(" and "));
        found.push(
            Diagnostic::error("SW0224", "/guarantee", message)
                .with_hint("a transaction spans one Kafka cluster: make two topologies of it"),
        );
    }
}

/// Warns of epochs that are shorter than a sink would have them.
fn short_epochs(
    config: &TopologyConfig,
    node: &PlannedNode,
    sink: &SinkPlan,
) -> Option<Diagnostic> {
    let interval = config.checkpoint.interval;
    let (least, why) = sink.least_interval.as_ref().filter(|(least, _)| interval.0 < *least)?;
    let message = format!("`{}` gets an epoch every {interval}: {why}", node.name());
    let hint = format!("set `checkpoint: {{interval: {}s}}` or longer", least.as_secs());
    Some(Diagnostic::warning("SW0219", "/checkpoint/interval", message).with_hint(hint))
}
