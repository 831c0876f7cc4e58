//! `swiftwater list`: what a topology can be made of.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use swiftwater_config::Role;
use swiftwater_engine::{Registry, Result};

use crate::exit::Exit;
use crate::graph::role_name;
use crate::kinds;
use crate::manual::{format_summary, one_line};
use crate::terminal::{Style, Terminal};

/// Arguments of `list`.
#[derive(Args)]
pub(super) struct Arguments {
    /// How the list is shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON array, with the schemas of the options
    Json,
}

/// Prints the list.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit> {
    let registry = kinds::registry();
    match arguments.format {
        Format::Text => text(&registry, terminal)?,
        Format::Json => terminal.line(&format!("{:#}", json(&registry)))?,
    }
    Ok(Exit::Finished)
}

fn text(registry: &Registry, terminal: &mut Terminal) -> Result<()> {
    for role in [Role::Source, Role::Operator, Role::Sink] {
        let manuals = registry.manuals().iter().filter(|m| m.role == role);
        let lines = manuals.map(|m| (m.kind, one_line(m.summary())));
        section(role.section(), lines, terminal)?;
    }
    let formats = registry.formats().iter();
    let lines = formats.map(|f| (f.name, format_summary(f)));
    section("formats", lines, terminal)?;
    terminal.line("`swiftwater describe NAME` shows the manual page of one of them.")
}

fn section<'a>(
    title: &str,
    lines: impl Iterator<Item = (&'a str, String)>,
    terminal: &mut Terminal,
) -> Result<()> {
    terminal.line(&terminal.paint(Style::Strong, title))?;
    for (name, summary) in lines {
        let padded = terminal.paint(Style::Good, &format!("{name:<12}"));
        terminal.line(&format!("  {padded} {summary}"))?;
    }
    terminal.line("")
}

fn json(registry: &Registry) -> Value {
    let kinds = registry.manuals().iter().map(|m| {
        let (role, summary) = (role_name(m.role), one_line(m.summary()));
        json!({"role": role, "name": m.kind, "summary": summary, "options": m.schema})
    });
    let formats = registry.formats().iter().map(|f| {
        let summary = format_summary(f);
        json!({"role": "format", "name": f.name, "summary": summary, "options": f.schema})
    });
    kinds.chain(formats).collect()
}
