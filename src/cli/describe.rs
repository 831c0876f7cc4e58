//! `swiftwater describe KIND`: the manual page, in Markdown.

use clap::Args;
use swiftwater_engine::{Error, Registry, Result};

use crate::exit::Exit;
use crate::graph::role_name;
use crate::kinds;
use crate::manual::{format_page, kind_page};
use crate::terminal::{Style, Terminal};

/// Arguments of `describe`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Name of a kind or a message format; `swiftwater list` shows them
    #[arg(value_name = "KIND")]
    kind: String,
    /// Only the one of this role
    #[arg(long, value_parser = ["source", "operator", "sink", "format"])]
    role: Option<String>,
}

/// Prints every page of that name.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit> {
    let registry = kinds::registry();
    let wanted = |role: &str| arguments.role.as_deref().is_none_or(|r| r == role);
    let kinds = registry
        .manuals()
        .iter()
        .filter(|m| m.kind == arguments.kind && wanted(role_name(m.role)))
        .map(|m| kind_page(m, 1));
    let formats = registry
        .formats()
        .iter()
        .filter(|f| f.name == arguments.kind && wanted("format"))
        .map(|f| format_page(f, 1));
    let pages: Vec<String> = kinds.chain(formats).collect();
    if pages.is_empty() {
        return Err(unknown(&registry, &arguments.kind));
    }
    let page = pages.join("\n");
    let shown = if terminal.colour() { emphasised(&page, terminal) } else { page };
    terminal.text(&shown)?;
    Ok(Exit::Finished)
}

/// Markdown's headings and bold words as a terminal shows them.
fn emphasised(page: &str, terminal: &Terminal) -> String {
    let line = |line: &str| {
        if line.starts_with('#') {
            return terminal.paint(Style::Strong, line);
        }
        let mut parts = line.split("**").enumerate();
        parts.by_ref().fold(String::new(), |text, (number, part)| match number % 2 {
            1 => text + &terminal.paint(Style::Strong, part),
            _ => text + part,
        })
    };
    page.lines().map(|l| line(l) + "\n").collect()
}

/// The name is none that exists: says which come near.
pub(super) fn unknown(registry: &Registry, name: &str) -> Error {
    let kinds = registry.manuals().iter().map(|m| m.kind);
    let mut names: Vec<_> = kinds.chain(registry.formats().iter().map(|f| f.name)).collect();
    names.sort_unstable();
    names.dedup();
    let hint = match kinds::nearest(name, &names) {
        Some(near) => format!("did you mean `{near}`? `swiftwater list` shows all"),
        None => format!("there are {}", names.join(", ")),
    };
    Error::config("SW4109", format!("find the unknown kind `{name}`")).with_hint(hint)
}
