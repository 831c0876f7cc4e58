//! `swiftwater state`: what a topology remembers between two runs.

use std::path::PathBuf;

use arrow::json::LineDelimitedWriter;
use chrono::DateTime;
use clap::{Args, Subcommand};
use swiftwater_config::ByteSize;
use swiftwater_engine::snapshot::{Contents, Manifest, NodeState, Store, reset};
use swiftwater_engine::{Error, Result};

use super::load::{Loader, Variables};
use super::run::tell_problems;
use crate::exit::Exit;
use crate::terminal::{Style, Terminal};

/// Arguments of `state`.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List the snapshots of a topology, oldest first
    List(Of),
    /// Show what a snapshot holds: positions, watermarks, tables
    Show(Show),
    /// Delete the snapshots of a topology that does not run: it then starts without state
    Reset(Reset),
}

#[derive(Args)]
struct Of {
    /// The topology file
    file: PathBuf,
    #[command(flatten)]
    variables: Variables,
}

#[derive(Args)]
struct Show {
    #[command(flatten)]
    of: Of,
    /// Number of the epoch [default: the newest]
    #[arg(long)]
    epoch: Option<u64>,
    /// Print the rows that a node keeps, as JSON lines: partial aggregates as they are stored
    #[arg(long, value_name = "NODE")]
    rows: Option<String>,
}

#[derive(Args)]
struct Reset {
    #[command(flatten)]
    of: Of,
    /// Do it; without this only what would be deleted is told
    #[arg(long)]
    yes: bool,
}

/// Runs the verb.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit> {
    let of = match &arguments.verb {
        Verb::List(of) => of,
        Verb::Show(show) => &show.of,
        Verb::Reset(reset) => &reset.of,
    };
    let checked = match Loader::new(&of.variables)?.file(&of.file) {
        Ok(checked) => checked,
        Err(found) => {
            tell_problems(&found);
            return Ok(Exit::BadConfiguration);
        }
    };
    let config = &checked.plan.config;
    let store = Store::open(&config.checkpoint.store_url(), &config.name)?;
    match &arguments.verb {
        Verb::List(_) => list(&store, terminal)?,
        Verb::Show(show) => self::show(&store, show, terminal)?,
        Verb::Reset(reset) => reset_all(&store, reset.yes, terminal)?,
    }
    Ok(Exit::Finished)
}

fn manifests(store: &Store) -> Result<Vec<Manifest>> {
    Manifest::names(store)?.iter().map(|name| Manifest::read(store, name)).collect()
}

fn rows(node: &NodeState) -> usize {
    node.tables.values().flat_map(|t| &t.parts).map(|p| p.rows).sum()
}

fn bytes(manifest: &Manifest) -> u64 {
    let tables = manifest.nodes.values().flat_map(|n| n.tables.values());
    tables.flat_map(|t| &t.parts).map(|p| p.bytes as u64).sum()
}

fn time(millis: i64) -> String {
    DateTime::from_timestamp_millis(millis)
        .map_or_else(|| millis.to_string(), |t| t.format("%Y-%m-%d %H:%M:%S%.3f").to_string())
}

fn list(store: &Store, terminal: &mut Terminal) -> Result<()> {
    let manifests = manifests(store)?;
    if manifests.is_empty() {
        return terminal.line(&format!("no snapshots in {}", store.url()));
    }
    terminal.line(&terminal.paint(Style::Strong, &format!("snapshots in {}", store.url())))?;
    for manifest in &manifests {
        let rows: usize = manifest.nodes.values().map(rows).sum();
        terminal.line(&format!(
            "  epoch {:<8} {}  {rows} rows in {} nodes, {}",
            manifest.epoch,
            time(manifest.created),
            manifest.nodes.len(),
            ByteSize(bytes(manifest)),
        ))?;
    }
    terminal.line("The newest may not be committed; the topology goes on from the last that is.")
}

fn show(store: &Store, show: &Show, terminal: &mut Terminal) -> Result<()> {
    let manifests = manifests(store)?;
    let chosen = manifests.iter().rev().find(|m| show.epoch.is_none_or(|e| m.epoch == e));
    let manifest = chosen.ok_or_else(|| {
        let epochs: Vec<_> = manifests.iter().map(|m| m.epoch.to_string()).collect();
        Error::config("SW4111", format!("find the snapshot in {}", store.url()))
            .with_hint(format!("epochs: {}", epochs.join(", ")))
    })?;
    if let Some(node) = &show.rows {
        return print_rows(store, manifest, node, terminal);
    }
    terminal.line(&format!("epoch {}, {}", manifest.epoch, time(manifest.created)))?;
    for (node, instances) in &manifest.sources {
        terminal.line(&terminal.paint(Style::Strong, node))?;
        for state in instances.values() {
            for (split, next) in &state.position.0 {
                let at = state.watermarks.get(split).map(|w| time(w / 1000));
                let at = at.map_or_else(String::new, |at| format!(", watermark {at}"));
                terminal.line(&format!("  {split}: next {next}{at}"))?;
            }
        }
    }
    for (node, state) in &manifest.nodes {
        let at = state.watermark.map(|w| format!(", watermark {}", time(w / 1000)));
        let kind = format!(" ({}{})", state.kind, at.unwrap_or_default());
        terminal.line(&format!("{}{kind}", terminal.paint(Style::Strong, node)))?;
        for (name, table) in &state.tables {
            let rows: usize = table.parts.iter().map(|p| p.rows).sum();
            let bytes: usize = table.parts.iter().map(|p| p.bytes).sum();
            let (files, bytes) = (table.parts.len(), ByteSize(bytes as u64));
            terminal.line(&format!("  {name}: {rows} rows in {files} files, {bytes}"))?;
        }
    }
    Ok(())
}

fn print_rows(
    store: &Store,
    manifest: &Manifest,
    node: &str,
    terminal: &mut Terminal,
) -> Result<()> {
    let state = manifest.nodes.get(node).ok_or_else(|| {
        let nodes: Vec<_> = manifest.nodes.keys().map(String::as_str).collect();
        Error::config("SW4111", format!("find the state of `{node}`"))
            .with_hint(format!("nodes with state: {}", nodes.join(", ")))
    })?;
    for table in state.tables.values() {
        for part in &table.parts {
            let rows = Contents::read(store, part)?.rows;
            let mut text = Vec::new();
            let mut writer = LineDelimitedWriter::new(&mut text);
            writer.write(&rows).and_then(|()| writer.finish())?;
            for line in String::from_utf8_lossy(&text).lines() {
                terminal.line(line)?;
            }
        }
    }
    Ok(())
}

fn reset_all(store: &Store, yes: bool, terminal: &mut Terminal) -> Result<()> {
    let newest = manifests(store)?.last().map_or(0, |m| m.epoch);
    if !yes {
        let message = format!(
            "would delete the snapshots up to epoch {newest} in {}: say --yes to do it",
            store.url()
        );
        return terminal.line(&message);
    }
    let files = reset(store)?;
    terminal.line(&format!("deleted {files} files in {}", store.url()))?;
    terminal.line(
        "Sources go on where their own offsets stand; `start` holds for those that have none.",
    )
}
