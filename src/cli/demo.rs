//! `swiftwater demo`: a stream at work on a machine that has nothing but this binary.

use clap::Args;
use swiftwater_config::{Duration, ProcessEnvironment};
use swiftwater_engine::Result;

use super::load::Loader;
use super::run::{failed, report};
use super::service::{Options, serve};
use crate::exit::Exit;

/// The topology that runs; it is also a file to read and to change.
const TOPOLOGY: &str = include_str!("../../config/topologies/demo.yaml");

/// Arguments of `demo`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Kafka to use instead of the one inside this process
    #[arg(long, value_name = "HOST:PORT,…", default_value = "embedded")]
    brokers: String,
    /// Bids per second
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Stop after this time, such as 30s; without it, Ctrl-C stops the demo
    #[arg(long = "for", value_name = "TIME")]
    time: Option<Duration>,
    /// Print the topology file and stop
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    options: Options,
}

/// Runs the demo.
pub(super) fn run(arguments: &Arguments, terminal: &mut crate::terminal::Terminal) -> Result<Exit> {
    if arguments.print {
        terminal.text(TOPOLOGY)?;
        return Ok(Exit::Finished);
    }
    let logging = arguments.options.logging()?;
    let environment = ProcessEnvironment::new()
        .with_override("BROKERS", &arguments.brokers)
        .with_override("RATE", arguments.rate.to_string());
    let checked = match Loader::with(Box::new(environment)).text(TOPOLOGY) {
        Ok(checked) => checked,
        Err(found) => {
            report(&found, &logging);
            return Ok(Exit::BadConfiguration);
        }
    };
    let limit = arguments.time.map(|time| time.0);
    let ended = serve(checked, &arguments.options, &logging, limit);
    Ok(ended.unwrap_or_else(|error| failed(&error, &logging)))
}
