//! `swiftwater create KIND…`: a ready topology file with every option of the kinds.

use std::collections::BTreeMap;

use clap::Args;
use swiftwater_config::{Environment, Role};
use swiftwater_engine::plan::{FromPort, PlannedNode};
use swiftwater_engine::registry::Manual;
use swiftwater_engine::{Error, Plan, Registry, Result, schema};

use super::describe::unknown;
use super::load::Loader;
use super::run::tell_problems;
use super::test::input_columns;
use crate::exit::Exit;
use crate::manual::{Draft, create};
use crate::terminal::Terminal;

/// Arguments of `create`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Kinds in the order in which rows pass them: sources, operators, sinks
    #[arg(required = true, value_name = "KIND")]
    kinds: Vec<String>,
}

/// Examples are read without the variables of this machine, so that the same file comes out
/// everywhere.
struct NoVariables;

impl Environment for NoVariables {
    fn var(&self, _: &str) -> Option<String> {
        None
    }

    fn secret_file(&self, _: &str) -> Result<String, String> {
        Err("examples have no secrets".into())
    }
}

/// Columns that most examples use; `generate` makes them where its own do not do.
const BIDS: &str = "\
name: bids
sources:
  bids:
    generate: {preset: bids, rate: 100}
    event_time: {column: date_time}
sinks: {out: {input: bids, blackhole: {}}}
";

/// How far the file goes beyond the kinds' own examples.
#[derive(Clone, Copy)]
struct Attempt {
    /// Sources give the columns that other nodes ask for.
    widened: bool,
    /// Options of a sink that only its example sets are commented out: they may name columns that
    /// do not come so far.
    sparse: bool,
}

/// What stands above the file of a kind that takes streams of different columns.
const OF_TWO: &str = "\
# `KIND` takes two streams, and its columns go by theirs: this is its example. Put your own sources
# and sinks in the place of these; `swiftwater create` writes them with every option.";

/// The plainest file comes first; the first that passes `check` is taken.
const ATTEMPTS: [Attempt; 4] = [
    Attempt { widened: false, sparse: false },
    Attempt { widened: false, sparse: true },
    Attempt { widened: true, sparse: false },
    Attempt { widened: true, sparse: true },
];

/// Prints the file.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit> {
    let loader = Loader::with(Box::new(NoVariables));
    let manuals = resolve(loader.registry(), &arguments.kinds)?;
    let mut examples: BTreeMap<&str, Plan> = BTreeMap::new();
    for example in manuals.iter().map(|m| m.example).chain([BIDS]) {
        let checked = loader
            .text(example)
            .map_err(|found| Error::bug(format!("read an example: {found}\n{example}")))?;
        examples.insert(example, checked.plan);
    }
    if let Some(of_two) = manuals.iter().find(|m| takes_different_inputs(m, &examples)) {
        // Only people can choose columns for both.
        terminal.line(&OF_TWO.replace("KIND", of_two.kind))?;
        terminal.text(of_two.example)?;
        return Ok(Exit::Finished);
    }
    let settings = examples.get(BIDS).map(|plan| &plan.config);
    let settings = settings.ok_or_else(|| Error::bug("find an example"))?;
    let formats: Vec<_> = loader.registry().formats().iter().map(|f| f.name).collect();
    let mut first = None;
    for attempt in ATTEMPTS {
        let drafts = manuals.iter().map(|manual| draft(manual, &examples, attempt));
        let text = create(&drafts.collect::<Result<Vec<_>>>()?, settings, &formats);
        match loader.text(&text) {
            Ok(_) => {
                terminal.text(&text)?;
                return Ok(Exit::Finished);
            }
            Err(found) => drop(first.get_or_insert((text, found))),
        }
    }
    if let Some((text, found)) = first {
        terminal.text(&text)?;
        eprintln!("The file wants your own columns or wiring before it runs:\n");
        tell_problems(&found);
    }
    Ok(Exit::Finished)
}

/// Whether a kind's example feeds it streams that differ in their columns.
fn takes_different_inputs(manual: &Manual, examples: &BTreeMap<&str, Plan>) -> bool {
    let plan = examples.get(manual.example).filter(|_| manual.role == Role::Operator);
    let node = plan.and_then(|plan| plan.nodes.iter().find(|n| n.config.kind == manual.kind));
    let (Some(plan), Some(node)) = (plan, node) else { return false };
    let schemas = node.inputs.iter().filter_map(|input| {
        let FromPort::Output(port) = input.port else { return None };
        plan.nodes.get(input.from).and_then(|from| from.outputs.get(port))
    });
    let schemas: Vec<_> = schemas.map(|(_, schema)| schema).collect();
    schemas.windows(2).any(|pair| pair.first() != pair.last())
}

/// The manuals of the kinds. A kind that is both a source and a sink is a source as long as nothing
/// else stands before it. What is missing at the ends is filled in.
fn resolve<'a>(registry: &'a Registry, kinds: &[String]) -> Result<Vec<&'a Manual>> {
    let manual = |role: Role, kind: &str| registry.manual(role, kind);
    let mut found: Vec<&Manual> = Vec::new();
    for (number, kind) in kinds.iter().enumerate() {
        let (source, sink) = (manual(Role::Source, kind), manual(Role::Sink, kind));
        let first = found.iter().all(|m| m.role == Role::Source);
        let last = number > 0 && number + 1 == kinds.len();
        let either = if first && !last { source.or(sink) } else { sink.or(source) };
        let manual = manual(Role::Operator, kind).or(either);
        let format = || registry.formats().iter().any(|f| f.name == kind);
        found.push(manual.ok_or_else(|| {
            match format() {
                true => Error::config("SW4109", format!("create a node of the format `{kind}`"))
                    .with_hint(format!("name a kind here, and set `format: {kind}` in its node")),
                false => unknown(registry, kind),
            }
        })?);
    }
    let fill = |role: Role, kind: &str| {
        let present = found.iter().any(|m| m.role == role);
        if present { None } else { manual(role, kind) }
    };
    // Made-up rows have no lists.
    let takes_lists = found.iter().any(|m| m.kind == "unnest");
    let start = if takes_lists { "kafka" } else { "generate" };
    let (source, sink) = (fill(Role::Source, start), fill(Role::Sink, "stdout"));
    let mut all: Vec<&Manual> = source.into_iter().chain(found).chain(sink).collect();
    // What joins streams needs two of them.
    let sources: Vec<_> = all.iter().copied().filter(|m| m.role == Role::Source).collect();
    if let ([only], true) = (sources.as_slice(), all.iter().any(|m| m.kind == "union")) {
        all.insert(0, only);
    }
    all.sort_by_key(|m| m.role);
    Ok(all)
}

fn draft<'a>(
    manual: &'a Manual,
    examples: &BTreeMap<&str, Plan>,
    attempt: Attempt,
) -> Result<Draft<'a>> {
    let lacks = || Error::bug(format!("find `{}` in its own example", manual.kind));
    let makes_up = manual.kind == "generate" && manual.role == Role::Source;
    let example = if makes_up && attempt.widened { BIDS } else { manual.example };
    let plan = examples.get(example).ok_or_else(lacks)?;
    let of_kind = |n: &&PlannedNode| n.config.role == manual.role && n.config.kind == manual.kind;
    let node = plan.nodes.iter().find(of_kind).ok_or_else(lacks)?;
    let needs = match manual.role {
        Role::Source => Vec::new(),
        Role::Sink if attempt.sparse => Vec::new(),
        _ if !attempt.widened => Vec::new(),
        _ => columns(input_columns(plan, node)?.as_ref()),
    };
    let gives = match (manual.role, node.outputs.first()) {
        (Role::Source, Some((_, schema))) => columns(schema),
        _ => Vec::new(),
    };
    let sparse = attempt.sparse && manual.role == Role::Sink;
    Ok(Draft { manual, example: node.config.clone(), needs, gives, sparse })
}

/// Columns as name and type.
fn columns(columns: &arrow::datatypes::Schema) -> Vec<(String, String)> {
    let column = |field: &arrow::datatypes::FieldRef| {
        (field.name().clone(), schema::name(field.data_type()))
    };
    columns.fields().iter().map(column).collect()
}
