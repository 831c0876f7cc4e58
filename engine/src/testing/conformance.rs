//! The rules that every kind of a registry keeps, whoever wrote it.
//!
//! - Its name is `snake_case` and its own; kind and options are documented, down to the last field.
//! - Its example is a topology that passes `check` and uses the kind.
//! - An option that it does not know is refused by name.
//! - An operator, planned from its example and fed with made-up rows: takes an empty batch and rows
//!   of nulls; gives the columns it declared; gives the same on a second run and, where it says it
//!   can be split, however the rows are cut into batches.
//!
//! ```ignore
//! let problems = conformance::check(&registry);
//! assert!(problems.is_empty(), "{}", problems.join("\n"));
//! ```

mod behaviour;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use serde_json::{Value, json};
use swiftwater_config::{Environment, NodeConfig, Role};

use crate::dead_letter;
use crate::kind::NodeContext;
use crate::plan::{FromPort, InputEdge, Plan, Planned, PlannedNode};
use crate::registry::{Manual, Registry};
use crate::stream::Stream;

const UNKNOWN: &str = "an_option_nobody_knows";

/// Everything that the kinds and formats of a registry do not keep to, each with the kind's name.
#[must_use]
pub fn check(registry: &Registry) -> Vec<String> {
    let mut problems = Vec::new();
    if registry.manuals().is_empty() {
        problems.push("the registry is empty".to_owned());
    }
    let mut names = BTreeSet::new();
    for manual in registry.manuals() {
        if !names.insert((manual.role, manual.kind)) {
            problems.push(format!("{} is registered twice", manual.kind));
        }
        problems.extend(check_kind(registry, manual));
    }
    for format in registry.formats() {
        let mut found = documented(&format.schema);
        found.extend(named_well(format.name));
        problems.extend(found.into_iter().map(|p| format!("format {}: {p}", format.name)));
    }
    problems
}

/// Everything that one kind does not keep to.
#[must_use]
pub fn check_kind(registry: &Registry, manual: &Manual) -> Vec<String> {
    let mut problems = named_well(manual.kind);
    problems.extend(documented(&manual.schema));
    match example(registry, manual) {
        Err(problem) => problems.push(problem),
        Ok(plan) => {
            let of_kind =
                |n: &&PlannedNode| n.config.role == manual.role && n.config.kind == manual.kind;
            let nodes: Vec<_> = plan.nodes.iter().filter(of_kind).collect();
            if nodes.is_empty() {
                problems.push("its example does not use it".to_owned());
            }
            for node in nodes {
                let inputs = inputs_of(&plan, node);
                let streams = plan.input_streams(node);
                problems.extend(refuses_unknown(registry, &node.config, (&inputs, &streams)));
                if let Planned::Operator(operator) = &node.planned {
                    problems.extend(behaviour::check(operator, &inputs));
                }
            }
        }
    }
    let section = manual.role.section();
    problems.into_iter().map(|p| format!("{section} {}: {p}", manual.kind)).collect()
}

/// Columns of each input of a planned node.
fn inputs_of(plan: &Plan, node: &PlannedNode) -> Vec<SchemaRef> {
    let schema = |edge: &InputEdge| match edge.port {
        FromPort::Errors | FromPort::Late => Some(dead_letter::schema()),
        FromPort::Output(port) => {
            let (_, schema) = plan.nodes.get(edge.from)?.outputs.get(port)?;
            Some(Arc::clone(schema))
        }
    };
    let mut schemas: Vec<_> = node.inputs.iter().filter_map(schema).collect();
    if node.config.role == Role::Sink {
        // A sink sees its inputs as one.
        schemas.truncate(1);
    }
    schemas
}

fn named_well(name: &str) -> Vec<String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let good = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(allowed);
    if good { Vec::new() } else { vec![format!("its name `{name}` is not snake_case")] }
}

/// The parts of a schema that have no description.
fn documented(schema: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    if description(schema, schema).is_none() {
        missing.push("it has no documentation".to_owned());
    }
    walk(schema, schema, "", &mut missing);
    missing.sort();
    missing.dedup();
    missing
}

fn walk(root: &Value, schema: &Value, path: &str, missing: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                if let ("properties", Value::Object(properties)) = (key.as_str(), value) {
                    for (name, property) in properties {
                        let path = format!("{path}/{name}");
                        if description(root, property).is_none() {
                            missing.push(format!("its option {path} has no documentation"));
                        }
                        walk(root, property, &path, missing);
                    }
                } else {
                    walk(root, value, path, missing);
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|s| walk(root, s, path, missing)),
        _ => {}
    }
}

fn description<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a str> {
    let own = schema.get("description").and_then(Value::as_str);
    let referred = || {
        let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
        root.pointer(pointer)?.get("description")?.as_str()
    };
    own.or_else(referred).filter(|text| !text.trim().is_empty())
}

/// The kind's example, planned.
fn example(registry: &Registry, manual: &Manual) -> Result<Plan, String> {
    let told =
        |what: &str, problems: &dyn std::fmt::Display| format!("its example {what}: {problems}");
    let loaded = swiftwater_config::parse(manual.example, &registry.kinds(), &NoEnvironment)
        .map_err(|problems| told("cannot be read", &problems))?;
    Plan::new(loaded.topology, registry).map_err(|problems| told("cannot be planned", &problems))
}

/// An example runs anywhere: it needs no variables and no secrets.
struct NoEnvironment;

impl Environment for NoEnvironment {
    fn var(&self, _name: &str) -> Option<String> {
        None
    }

    fn secret_file(&self, path: &str) -> Result<String, String> {
        Err(format!("an example needs no `{path}`"))
    }
}

fn refuses_unknown(
    registry: &Registry,
    node: &NodeConfig,
    (inputs, streams): (&[SchemaRef], &[Stream]),
) -> Option<String> {
    let mut changed = node.clone();
    let has_fields = match &mut changed.options {
        Value::Object(options) => {
            options.insert(UNKNOWN.to_owned(), json!(1));
            true
        }
        // The short form of a kind, such as the text of a predicate.
        other => {
            *other = json!({ UNKNOWN: 1 });
            false
        }
    };
    let cx = NodeContext { topology: "example", node: &changed, inputs, streams };
    let planned = match node.role {
        Role::Source => registry.plan_source(&cx).map(|_| ()),
        Role::Operator => registry.plan_operator(&cx).map(|_| ()),
        Role::Sink => registry.plan_sink(&cx).map(|_| ()),
    };
    match planned {
        Ok(()) => Some("it takes an option that nobody knows".to_owned()),
        Err(error) if has_fields && !error.to_string().contains(UNKNOWN) => {
            Some(format!("it refuses an unknown option without naming it: {error}"))
        }
        Err(_) => None,
    }
}

#[cfg(test)]
#[path = "conformance/tests.rs"]
mod tests;
