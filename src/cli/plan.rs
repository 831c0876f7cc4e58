//! `swiftwater plan`: how a topology would run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use swiftwater_config::ByteSize;
use swiftwater_engine::{Error, Result};

use super::load::{Loader, Variables};
use super::run::tell_problems;
use crate::exit::Exit;
use crate::graph::{Edge, Graph, Node};
use crate::terminal::{Style, Terminal};

/// Arguments of `plan`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Topology file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How the plan is shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    variables: Variables,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// The graph as JSON, as `/topology` shows it
    Json,
}

/// Prints the plan; 2 where the file is wrong.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit> {
    let loader = Loader::new(&arguments.variables)?;
    let checked = match loader.file(&arguments.file) {
        Ok(checked) => checked,
        Err(found) => {
            tell_problems(&found);
            return Ok(Exit::BadConfiguration);
        }
    };
    tell_problems(&checked.warnings);
    let graph = Graph::new(&checked.plan);
    match arguments.format {
        Format::Text => text(&graph, terminal)?,
        Format::Json => {
            let json = serde_json::to_string_pretty(&graph)
                .map_err(|e| Error::bug("write the plan as JSON").with_source(e))?;
            terminal.line(&json)?;
        }
    }
    Ok(Exit::Finished)
}

fn text(graph: &Graph, terminal: &mut Terminal) -> Result<()> {
    let title = terminal.paint(Style::Strong, &graph.topology);
    let guarantee = serde_json::to_value(graph.guarantee).unwrap_or_default();
    let ends = if graph.bounded { "ends by itself" } else { "runs until it is stopped" };
    terminal.line(&format!("{title}: {}, {ends}", guarantee.as_str().unwrap_or_default()))?;
    nodes(graph, terminal)?;
    threads(graph, terminal)?;
    edges(graph, terminal)?;
    memory(graph, terminal)
}

fn heading(title: &str, terminal: &mut Terminal) -> Result<()> {
    terminal.line(&format!("\n{}", terminal.paint(Style::Strong, title)))
}

fn widest<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|n| n.chars().count()).max().unwrap_or_default()
}

fn nodes(graph: &Graph, terminal: &mut Terminal) -> Result<()> {
    heading("nodes", terminal)?;
    let width = widest(graph.nodes.iter().map(|n| n.name.as_str()));
    for node in &graph.nodes {
        let from = if node.inputs.is_empty() {
            String::new()
        } else {
            format!(" <- {}", node.inputs.join(", "))
        };
        let what = format!("{} {}", node.kind, node.role);
        terminal.line(&format!("  {:<width$}  {what:<18}{from}", node.name))?;
        outputs(node, width, terminal)?;
    }
    Ok(())
}

fn outputs(node: &Node, width: usize, terminal: &mut Terminal) -> Result<()> {
    for output in &node.outputs {
        let port = match node.outputs.len() {
            1 => String::new(),
            _ => format!("{}: ", output.port),
        };
        let column = |c: &crate::graph::Column| {
            let required = if c.nullable { "" } else { "!" };
            format!("{} {}{required}", c.name, c.data_type)
        };
        let columns: Vec<_> = output.columns.iter().map(column).collect();
        let line = format!("  {:<width$}    {port}{}", "", columns.join(", "));
        terminal.line(&terminal.paint(Style::Faint, &line))?;
    }
    Ok(())
}

fn threads(graph: &Graph, terminal: &mut Terminal) -> Result<()> {
    let count: usize = graph.tasks.iter().map(|t| t.instances).sum();
    heading(&format!("threads: {count}"), terminal)?;
    for task in &graph.tasks {
        let times =
            if task.instances > 1 { format!("  x{}", task.instances) } else { String::new() };
        terminal.line(&format!("  {}{times}", task.nodes.join(" > ")))?;
    }
    Ok(())
}

fn edges(graph: &Graph, terminal: &mut Terminal) -> Result<()> {
    heading("edges", terminal)?;
    let name = |e: &Edge| {
        let port = if e.port == "out" { String::new() } else { format!(".{}", e.port) };
        format!("{}{port} -> {}", e.from, e.to)
    };
    let names: BTreeMap<_, _> = graph.edges.iter().enumerate().map(|(i, e)| (i, name(e))).collect();
    let width = widest(names.values().map(String::as_str));
    for (i, edge) in graph.edges.iter().enumerate() {
        let spread = match edge.key.as_slice() {
            [] => edge.exchange.replace('_', " "),
            key => format!("by hash of {}", key.join(", ")),
        };
        let times = if edge.channels > 1 { format!("{} x ", edge.channels) } else { String::new() };
        let bytes = size(edge.bytes as u64);
        let name = names.get(&i).map_or("", String::as_str);
        terminal.line(&format!(
            "  {name:<width$}  {spread}, at most {times}{} rows or {bytes}",
            edge.rows
        ))?;
    }
    Ok(())
}

/// Bytes in whole mebibytes, where there is one.
fn size(bytes: u64) -> ByteSize {
    ByteSize(if bytes >= 1 << 20 { bytes >> 20 << 20 } else { bytes })
}

fn memory(graph: &Graph, terminal: &mut Terminal) -> Result<()> {
    let memory = &graph.memory;
    heading(&format!("memory: {}", size(memory.budget)), terminal)?;
    let parts = [
        ("read ahead by sources", memory.prefetch),
        ("waiting in edges", memory.edges),
        ("held by sinks", memory.sinks),
        ("state", memory.state),
    ];
    let rest = memory.budget.saturating_sub(parts.iter().map(|(_, b)| b).sum());
    for (what, bytes) in parts.into_iter().chain([("batches at work and the process", rest)]) {
        terminal.line(&format!("  {:<32} {:>9}", what, size(bytes).to_string()))?;
    }
    Ok(())
}
