//! `swiftwater features`: the registry of feature views.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use swiftwater_engine::{Error, Result};

use super::load::{Loader, Variables};
use super::run::tell_problems;
use crate::exit::Exit;
use crate::features::{Place, ViewRecord, merge, page};
use crate::terminal::{Style, Terminal};

/// Arguments of `features`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Topology files with `feature_views`
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The registry: a JSON file, or the URL of an object store such as s3://bucket/prefix
    #[arg(long, value_name = "PATH|URL", default_value = "features.json")]
    registry: String,
    /// Write a page for people as well
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Only tell what would change, and refuse what must not; for continuous integration
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    variables: Variables,
}

/// Renews the registry; 2 where a file is wrong or a live version would change.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit> {
    let loader = Loader::new(&arguments.variables)?;
    let mut views: Vec<ViewRecord> = Vec::new();
    for path in &arguments.files {
        let checked = match loader.file(path) {
            Ok(checked) => checked,
            Err(found) => {
                tell_problems(&found);
                return Ok(Exit::BadConfiguration);
            }
        };
        for view in ViewRecord::of_plan(&checked.plan) {
            if let Some(other) = views.iter().find(|other| other.name == view.name) {
                return Err(Error::config(
                    "SW4116",
                    format!(
                        "register `{}` of {} and of {}",
                        view.name, other.topology, view.topology
                    ),
                )
                .with_hint("a view has one topology that makes it: rename one of them"));
            }
            views.push(view);
        }
    }
    let place = Place::new(&arguments.registry)?;
    let (registry, changes) = merge(&place.read()?, views)?;
    for change in &changes {
        terminal.line(&change.to_string())?;
    }
    let features: usize = registry.views.iter().map(|view| view.features.len()).sum();
    let count = format!("{} views, {features} features", registry.views.len());
    if arguments.check {
        let verdict = if changes.is_empty() { "up to date" } else { "may be changed so" };
        terminal.line(&format!(
            "{}: {count}, {}",
            arguments.registry,
            terminal.paint(Style::Good, verdict)
        ))?;
        return Ok(Exit::Finished);
    }
    place.write(&registry)?;
    if let Some(path) = &arguments.html {
        fs::write(path, page(&registry)).map_err(|error| {
            Error::config("SW4117", format!("write `{}`", path.display())).with_source(error)
        })?;
    }
    terminal.line(&format!("{}: {count}", arguments.registry))?;
    Ok(Exit::Finished)
}
