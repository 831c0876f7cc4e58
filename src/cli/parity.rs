//! `swiftwater parity`: whether features that were served are those that training sees.
//!
//! The comparison is itself a topology of the catalog's operators ([`topology`]), so that what runs
//! here over files also runs over topics: `--print` shows it.

mod report;
mod topology;

use std::collections::BTreeSet;
use std::fs;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use swiftwater_config::Duration;
use swiftwater_engine::metrics::Metrics;
use swiftwater_engine::{Error, Plan, Result, Running};

use super::load::{Checked, Loader, Variables};
use super::run::tell_problems;
use super::scratch::{Scratch, unreadable};
use crate::exit::Exit;
use crate::terminal::Terminal;
use topology::Comparison;

/// Arguments of `parity`.
#[derive(Args)]
#[command(after_help = "\
Rows of the same key and time are compared, feature by feature. `swiftwater backfill` makes the
replay of a topology; the log of what was served is a topic or files that the serving side writes.

  swiftwater parity served/ training/features/ --key card,payment --time at --most 0.001")]
pub(super) struct Arguments {
    /// Files of the served features: a directory of Parquet, or a pattern such as `log/*.parquet`
    #[arg(value_name = "SERVED")]
    served: String,
    /// Files of the same features from the replay
    #[arg(value_name = "REPLAYED")]
    replayed: String,
    /// Columns that tell rows of one time apart
    #[arg(long, value_name = "COLUMNS", required = true, value_delimiter = ',')]
    key: Vec<String>,
    /// Column of the event time
    #[arg(long, value_name = "COLUMN")]
    time: String,
    /// Columns to compare; without it, all that both have
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    features: Vec<String>,
    /// Share of the larger number by which two numbers may differ and still be the same
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    tolerance: f64,
    /// How much older a row of the files may be than one before it
    #[arg(long, value_name = "TIME", default_value = "1h")]
    disorder: Duration,
    /// A report for each window of event time, such as 1h; without it, one
    #[arg(long, value_name = "TIME")]
    window: Option<Duration>,
    /// Largest share of the served rows that may differ or be missing from the replay; the exit code
    /// is 1 where a feature has more
    #[arg(long, value_name = "SHARE")]
    most: Option<f64>,
    /// How the report is shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Print the topology that compares, and stop
    #[arg(long)]
    print: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// A JSON object for each feature, a line each
    Json,
}

/// Compares, and prints what was found.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit> {
    let loader = Loader::new(&Variables { env_file: None })?;
    let scratch = Scratch::new("parity")?;
    let Some(columns) = load(&loader, &topology::inputs(&arguments.served, &arguments.replayed))
    else {
        return Ok(Exit::BadConfiguration);
    };
    let comparison = Comparison::new(arguments, &columns.plan)?;
    let text = comparison.topology(scratch.path());
    if arguments.print {
        let text = format!("{text:#}").replace(scratch.path(), "/tmp/parity");
        terminal.line(&text)?;
        return Ok(Exit::Finished);
    }
    let Some(checked) = load(&loader, &text) else {
        return Ok(Exit::BadConfiguration);
    };
    compare(&checked.plan)?;
    if let late @ 1.. = rows(&scratch, "late")?.len() {
        let reason = format!("compare {late} rows, which are too old for where they stand");
        return Err(Error::data("SW4118", reason)
            .with_hint("a larger `--disorder` waits for them; it takes more memory"));
    }
    let mut rows = rows(&scratch, "result")?;
    rows.sort_by_key(report::place);
    match arguments.format {
        Format::Json => rows
            .iter()
            .try_for_each(|row| terminal.line(&Value::Object(row.clone()).to_string()))?,
        Format::Text => report::print(&rows, arguments.window.is_some(), terminal)?,
    }
    let Some(most) = arguments.most else {
        return Ok(Exit::Finished);
    };
    let failing: BTreeSet<&str> =
        rows.iter().filter(|row| report::share(row) > most).map(report::feature).collect();
    if failing.is_empty() {
        return Ok(Exit::Finished);
    }
    let names = failing.into_iter().collect::<Vec<_>>().join(", ");
    Err(Error::data("SW4115", format!("find served and replayed features the same: {names}"))
        .with_hint(format!("more than {most} of the served rows differ or are not in the replay")))
}

fn load(loader: &Loader, topology: &Value) -> Option<Checked> {
    match loader.text(&topology.to_string()) {
        Ok(checked) => Some(checked),
        Err(found) => {
            tell_problems(&found);
            None
        }
    }
}

/// Runs the topology to its end.
fn compare(plan: &Plan) -> Result<()> {
    let metrics = Metrics::new(&plan.config.name)?;
    Running::start(plan, &metrics)?.wait()?;
    Ok(())
}

/// The rows of a sink.
fn rows(scratch: &Scratch, sink: &str) -> Result<Vec<Map<String, Value>>> {
    let mut rows = Vec::new();
    for path in scratch.files(sink)? {
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        let parsed = text.lines().map(serde_json::from_str::<Map<String, Value>>);
        rows.extend(
            parsed.collect::<Result<Vec<_>, _>>().map_err(|error| {
                Error::bug("read the rows of the comparison").with_source(error)
            })?,
        );
    }
    Ok(rows)
}
