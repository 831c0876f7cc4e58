//! `swiftwater check`: everything that is wrong with topology files, before anything runs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use swiftwater_config::{Diagnostic, Diagnostics, Severity};
use swiftwater_engine::Result;

use super::load::{Loader, Variables};
use crate::exit::Exit;
use crate::terminal::{Style, Terminal, paint};

/// Arguments of `check`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Topology files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How problems are shown
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
    /// One JSON array
    Json,
}

/// Checks every file; 2 where one cannot start.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit> {
    let loader = Loader::new(&arguments.variables)?;
    let mut all: Vec<Value> = Vec::new();
    let mut exit = Exit::Finished;
    for path in &arguments.files {
        let found = match loader.file(path) {
            Ok(checked) => checked.warnings,
            Err(found) => found,
        };
        if found.has_errors() {
            exit = Exit::BadConfiguration;
        }
        let file = path.display().to_string();
        match arguments.format {
            Format::Text => show(&file, &found, terminal)?,
            Format::Json => all.extend(found.0.iter().map(|d| as_json(&file, d))),
        }
    }
    if arguments.format == Format::Json {
        terminal.line(&format!("{:#}", Value::Array(all)))?;
    }
    Ok(exit)
}

fn show(file: &str, found: &Diagnostics, terminal: &mut Terminal) -> Result<()> {
    for diagnostic in &found.0 {
        terminal.line(&painted(diagnostic, terminal.colour()))?;
        terminal.line("")?;
    }
    let style = if found.has_errors() { Style::Bad } else { Style::Good };
    let verdict = terminal.paint(style, &verdict(found));
    terminal.line(&format!("{file}: {verdict}"))
}

/// The number of problems in words.
pub(super) fn verdict(found: &Diagnostics) -> String {
    let count = |severity| found.0.iter().filter(|d| d.severity == severity).count();
    let number = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match (count(Severity::Error), count(Severity::Warning)) {
        (0, 0) => "ok".into(),
        (0, n) => format!("ok, {}", number(n, "warning")),
        (n, 0) => number(n, "error"),
        (e, w) => format!("{}, {}", number(e, "error"), number(w, "warning")),
    }
}

/// The problem as text, its severity and code in colour where colours are wanted.
pub(super) fn painted(diagnostic: &Diagnostic, colour: bool) -> String {
    let text = diagnostic.to_string();
    let style = match diagnostic.severity {
        Severity::Error => Style::Bad,
        Severity::Warning => Style::Doubtful,
    };
    let plain = format!("{} {}", diagnostic.severity, diagnostic.code);
    text.replacen(&plain, &paint(colour, style, &plain), 1)
}

fn as_json(file: &str, diagnostic: &Diagnostic) -> Value {
    json!({
        "file": file,
        "severity": diagnostic.severity.to_string(),
        "code": diagnostic.code,
        "pointer": diagnostic.pointer,
        "line": diagnostic.location.map(|l| l.line),
        "column": diagnostic.location.map(|l| l.column),
        "message": diagnostic.message,
        "hint": diagnostic.hint,
    })
}
