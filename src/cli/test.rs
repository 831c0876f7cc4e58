//! `swiftwater test`: the tests inside topology files, without any external system.

mod compare;
mod rows;

pub(super) use rows::input_columns;

use std::path::{Path, PathBuf};

use clap::Args;
use swiftwater_config::topology::TestConfig;
use swiftwater_engine::{Error, Plan, Result, simulate};

use super::check::{painted, verdict};
use super::load::{Loader, Variables};
use super::told;
use crate::exit::Exit;
use crate::terminal::{Style, Terminal};

/// Arguments of `test`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Topology files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    variables: Variables,
}

/// What became of the tests so far.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    broken_files: usize,
}

/// Runs the tests of every file: 1 where one fails, 2 where a file cannot start.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit> {
    let loader = Loader::new(&arguments.variables)?;
    let mut tally = Tally::default();
    for path in &arguments.files {
        file(&loader, path, terminal, &mut tally)?;
    }
    let Tally { passed, failed, broken_files } = tally;
    let (style, exit) = match (failed, broken_files) {
        (0, 0) => (Style::Good, Exit::Finished),
        (_, 0) => (Style::Bad, Exit::Failed),
        _ => (Style::Bad, Exit::BadConfiguration),
    };
    let sum = terminal.paint(style, &format!("{passed} passed, {failed} failed"));
    terminal.line(&sum)?;
    Ok(exit)
}

fn file(loader: &Loader, path: &Path, terminal: &mut Terminal, tally: &mut Tally) -> Result<()> {
    let name = path.display();
    let (plan, secrets) = match loader.file(path) {
        Ok(checked) => (checked.plan, checked.secrets),
        Err(found) => {
            tally.broken_files += 1;
            for diagnostic in &found.0 {
                terminal.line(&painted(diagnostic, terminal.colour()))?;
            }
            let verdict = terminal.paint(Style::Bad, &verdict(&found));
            return terminal.line(&format!("{name}: {verdict}"));
        }
    };
    let none = if plan.config.tests.is_empty() { ": no tests" } else { "" };
    terminal.line(&format!("{name}{none}"))?;
    for test in &plan.config.tests {
        let Verdict { problems, remarks } = judge(&plan, test).unwrap_or_else(|error| {
            let problems = vec![format!("failed to {}", told(&error))];
            Verdict { problems, remarks: Vec::new() }
        });
        let verdict = if problems.is_empty() {
            tally.passed += 1;
            terminal.paint(Style::Good, "ok  ")
        } else {
            tally.failed += 1;
            terminal.paint(Style::Bad, "FAIL")
        };
        terminal.line(&format!("  {verdict} {}", test.name))?;
        for line in problems.iter().chain(&remarks).flat_map(|p| p.lines()) {
            let line = secrets.scrub(line);
            terminal.line(&format!("       {}", coloured(&line, terminal)))?;
        }
    }
    Ok(())
}

/// Lines of a difference in the colours everybody knows.
fn coloured(line: &str, terminal: &Terminal) -> String {
    match line.trim_start().chars().next() {
        Some('-') => terminal.paint(Style::Bad, line),
        Some('+') => terminal.paint(Style::Good, line),
        _ => line.to_owned(),
    }
}

/// What there is to say of one test.
struct Verdict {
    /// What is not as expected.
    problems: Vec<String>,
    /// What no sink shows.
    remarks: Vec<String>,
}

/// Runs one test.
fn judge(plan: &Plan, test: &TestConfig) -> Result<Verdict> {
    let received = simulate::run(plan, test)?;
    let mut problems = Vec::new();
    for (sink, expectation) in &test.expect {
        let batches = received.rows.get(sink).ok_or_else(|| {
            let names: Vec<_> = received.rows.keys().map(String::as_str).collect();
            Error::config("SW4204", format!("expect rows of the unknown sink `{sink}`"))
                .with_hint(format!("sinks: {}", names.join(", ")))
        })?;
        let got = rows::received(batches)?;
        let node = plan.node(sink).ok_or_else(|| Error::bug(format!("find `{sink}`")))?;
        let columns = input_columns(plan, node)?;
        let found = compare::compare(&columns, expectation, &got)?;
        problems.extend(found.into_iter().map(|p| format!("sink `{sink}`: {p}")));
    }
    let remarks = received.breaches.iter().map(|((node, rule), rows)| {
        let rows = if *rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
        format!("{rows} broke the rule `{rule}` of `{node}`")
    });
    Ok(Verdict { problems, remarks: remarks.collect() })
}
