//! `swiftwater explain CODE`: what an error code means and what to do about it.

use clap::Args;
use swiftwater_engine::{Error, Result};

use crate::codes;
use crate::exit::Exit;
use crate::manual::fill;
use crate::terminal::{Style, Terminal};

/// Arguments of `explain`.
#[derive(Args)]
pub(super) struct Arguments {
    /// An error code such as SW0107
    #[arg(value_name = "CODE")]
    code: String,
}

/// Prints the explanation.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit> {
    let wanted = arguments.code.trim().to_uppercase();
    let Some((code, meaning, cure)) = codes::all().find(|(code, _, _)| *code == wanted) else {
        return Err(Error::config("SW4108", format!("explain the unknown code `{wanted}`"))
            .with_hint("codes look like SW0107; docs/reference/errors.md lists them"));
    };
    let title = terminal.paint(Style::Strong, code);
    terminal.line(&format!("{title}  {}", fill(meaning, 88, "        ")))?;
    terminal.line(&format!("\n        {}", fill(cure, 88, "        ")))?;
    Ok(Exit::Finished)
}
