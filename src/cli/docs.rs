//! `swiftwater docs DIRECTORY`: the reference pages, generated from the options' doc comments.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use swiftwater_engine::{Error, Result};

use crate::exit::Exit;
use crate::kinds;
use crate::manual::reference;

/// Arguments of `docs`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Directory to write to
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

/// Writes every page.
pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let directory = &arguments.directory;
    let shown = directory.display();
    let failed = |error| Error::config("SW4110", format!("write to `{shown}`")).with_source(error);
    fs::create_dir_all(directory).map_err(failed)?;
    for (name, text) in reference(&kinds::registry()) {
        fs::write(directory.join(name), text).map_err(failed)?;
    }
    Ok(Exit::Finished)
}
