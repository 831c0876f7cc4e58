//! `swiftwater schema`: the JSON Schema of topology files, generated from the options' types.

use clap::Args;
use swiftwater_engine::Result;

use crate::exit::Exit;
use crate::kinds;
use crate::terminal::Terminal;

/// Arguments of `schema`: none.
#[derive(Args)]
pub(super) struct Arguments {}

/// The schema as text.
pub(super) fn text() -> String {
    let kinds = kinds::registry().kinds();
    format!("{:#}\n", swiftwater_config::topology_schema(&kinds))
}

/// Prints the schema.
pub(super) fn run(_: &Arguments, terminal: &mut Terminal) -> Result<Exit> {
    terminal.text(&text())?;
    Ok(Exit::Finished)
}
