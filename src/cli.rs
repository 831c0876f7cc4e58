//! The verbs and their arguments. Each verb is a file of its own.

mod backfill;
mod check;
mod create;
mod demo;
mod describe;
mod docs;
mod explain;
mod features;
mod fidelity;
mod list;
mod load;
mod parity;
mod plan;
mod run;
mod schema;
mod scratch;
mod service;
mod state;
mod test;

use std::io;

use clap::{Parser, Subcommand};
use swiftwater_engine::Error;

use crate::exit::Exit;
use crate::terminal::{Style, Terminal, colour, paint};

const AFTER: &str = "\
Start here:
  swiftwater demo                                  see it work; nothing else is needed
  swiftwater create kafka filter stdout > my.yaml  write a topology with every option
  swiftwater check my.yaml                         find its mistakes
  swiftwater test my.yaml                          run the tests inside it
  swiftwater run my.yaml                           run it

Exit codes: 0 finished, 1 failed, 2 bad configuration, 130 or 143 drained after a signal.";

/// Real-time dataflow: Kafka topics in, fresh features and synthetic data out
#[derive(Parser)]
#[command(name = "swiftwater", version, after_help = AFTER, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a topology until it ends or is told to stop
    Run(run::Arguments),
    /// Run a topology over its history into a training set of Parquet files
    Backfill(backfill::Arguments),
    /// Compare features that were served with those of a replay
    Parity(parity::Arguments),
    /// Tell how well synthetic rows stand in for real ones
    Fidelity(fidelity::Arguments),
    /// Find the mistakes of topology files without running them
    Check(check::Arguments),
    /// Run the tests inside topology files, without any external system
    Test(test::Arguments),
    /// Show how a topology would run: nodes, threads, edges, memory
    Plan(plan::Arguments),
    /// List the sources, operators, sinks and message formats
    List(list::Arguments),
    /// Show the manual page of a kind or a message format
    Describe(describe::Arguments),
    /// Write a ready topology file with every option of the given kinds
    Create(create::Arguments),
    /// Print the JSON Schema of topology files, for editors
    Schema(schema::Arguments),
    /// Show a stream at work: made-up bids through Kafka, no server needed
    Demo(demo::Arguments),
    /// Show or reset what a topology remembers between two runs
    State(state::Arguments),
    /// Keep the registry of feature views, refusing changes of what is live
    Features(features::Arguments),
    /// Explain an error code such as SW0107
    Explain(explain::Arguments),
    /// Write the reference pages
    #[command(hide = true)]
    Docs(docs::Arguments),
}

impl Cli {
    /// Runs the verb; what went wrong is told on stderr.
    pub(crate) fn run(self) -> Exit {
        let mut terminal = Terminal::stdout();
        let done = match self.verb {
            Verb::Run(arguments) => run::run(&arguments),
            Verb::Backfill(arguments) => backfill::run(&arguments),
            Verb::Parity(arguments) => parity::run(&arguments, &mut terminal),
            Verb::Fidelity(arguments) => fidelity::run(&arguments, &mut terminal),
            Verb::Check(arguments) => check::run(&arguments, &mut terminal),
            Verb::Test(arguments) => test::run(&arguments, &mut terminal),
            Verb::Plan(arguments) => plan::run(&arguments, &mut terminal),
            Verb::List(arguments) => list::run(&arguments, &mut terminal),
            Verb::Describe(arguments) => describe::run(&arguments, &mut terminal),
            Verb::Create(arguments) => create::run(&arguments, &mut terminal),
            Verb::Schema(arguments) => schema::run(&arguments, &mut terminal),
            Verb::Demo(arguments) => demo::run(&arguments, &mut terminal),
            Verb::State(arguments) => state::run(&arguments, &mut terminal),
            Verb::Features(arguments) => features::run(&arguments, &mut terminal),
            Verb::Explain(arguments) => explain::run(&arguments, &mut terminal),
            Verb::Docs(arguments) => docs::run(&arguments),
        };
        done.unwrap_or_else(|error| {
            tell(&error);
            Exit::from(&error)
        })
    }
}

/// Tells what went wrong, the way a person reads it.
fn tell(error: &Error) {
    let label = paint(colour(&io::stderr()), Style::Bad, "error:");
    eprintln!("{label} failed to {}", told(error));
}

/// The error with its node behind what failed, because it completes "failed to …".
pub(crate) fn told(error: &Error) -> String {
    let text = error.to_string();
    let Some(node) = &error.node else {
        return text;
    };
    let prefix = format!("node `{node}`: ");
    match text.strip_prefix(&prefix) {
        Some(rest) => format!("run node `{node}`: {rest}"),
        None => text,
    }
}
