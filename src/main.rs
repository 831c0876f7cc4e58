//! The `swiftwater` command: reads the arguments, runs one verb, and ends with its exit code.

mod admin;
mod cli;
mod codes;
mod exit;
mod features;
mod graph;
mod kinds;
mod live;
mod logging;
mod manual;
mod progress;
mod signals;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cli::Cli::parse().run().into()
}
