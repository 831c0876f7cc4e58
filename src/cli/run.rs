//! `swiftwater run`: a topology at work.

use std::io;
use std::path::PathBuf;

use clap::Args;
use swiftwater_config::{Diagnostic, Diagnostics, Severity};
use swiftwater_engine::{Error, Result};

use super::load::{Loader, Variables};
use super::service::{Options, serve};
use super::{check, tell};
use crate::exit::Exit;
use crate::logging::Logging;
use crate::terminal::colour;

/// Arguments of `run`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Topology file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    variables: Variables,
    #[command(flatten)]
    options: Options,
}

/// Checks the file and runs it.
pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let logging = arguments.options.logging()?;
    let loader = Loader::new(&arguments.variables)?;
    let checked = match loader.file(&arguments.file) {
        Ok(checked) => checked,
        Err(found) => {
            report(&found, &logging);
            return Ok(Exit::BadConfiguration);
        }
    };
    report(&checked.warnings, &logging);
    let ended = serve(checked, &arguments.options, &logging, None);
    Ok(ended.unwrap_or_else(|error| failed(&error, &logging)))
}

/// Tells the problems of a file, as log lines where those are JSON.
pub(super) fn report(found: &Diagnostics, logging: &Logging) {
    if logging.json {
        found.0.iter().for_each(log);
    } else {
        tell_problems(found);
    }
}

/// Tells the problems of a file.
pub(super) fn tell_problems(found: &Diagnostics) {
    for diagnostic in &found.0 {
        eprintln!("{}\n", check::painted(diagnostic, colour(&io::stderr())));
    }
}

fn log(diagnostic: &Diagnostic) {
    let Diagnostic { code, pointer, message, hint, location, .. } = diagnostic;
    let line = location.map(|l| l.line);
    match diagnostic.severity {
        Severity::Error => tracing::error!(code, pointer, line, hint, "{message}"),
        Severity::Warning => tracing::warn!(code, pointer, line, hint, "{message}"),
    }
}

/// Tells what stopped the topology, as a log line where those are JSON.
pub(super) fn failed(error: &Error, logging: &Logging) -> Exit {
    if logging.json {
        let text = error.to_string();
        tracing::error!(node = error.node, code = error.code, error = text, "failed");
    } else {
        tell(error);
    }
    Exit::from(error)
}
