//! `swiftwater fidelity`: how well synthetic rows stand in for real ones.

mod files;
mod page;
mod plots;
mod report;
mod tables;
mod text;

use std::fs;
use std::path::PathBuf;

use clap::Args;
use swiftwater_engine::{Error, Result};

use super::load::{Loader, Variables};
use crate::exit::Exit;
use crate::terminal::Terminal;
use files::Rows;
use report::Report;

/// Arguments of `fidelity`.
#[derive(Args)]
#[command(after_help = "\
Column shapes and pair trends are those of SDMetrics 0.32.0. The normalised score is 0 for rows whose
columns are independent of each other, and 1 for the real rows drawn again.

  swiftwater fidelity real.parquet twin.parquet
  swiftwater fidelity real.parquet twin.parquet --holdout later.parquet --target is_fraud \\
      --html fidelity.html --least 0.8")]
pub(super) struct Arguments {
    /// Files of real rows that the synthetic ones were learned from: Parquet, CSV, JSON or Arrow
    #[arg(value_name = "REAL")]
    real: String,
    /// Files of synthetic rows
    #[arg(value_name = "SYNTHETIC")]
    synthetic: String,
    /// Files of real rows that were not learned from, for utility and closeness
    #[arg(long, value_name = "FILES")]
    holdout: Option<String>,
    /// Column to be predicted from the others: train on synthetic, test on real
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Columns to compare; without it, all that both sides have
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    columns: Vec<String>,
    /// Columns of numbers that stand for categories
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    categorical: Vec<String>,
    /// Columns to leave out
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    ignore: Vec<String>,
    /// A pair of numbers counts where the real ones correlate more than this
    #[arg(long, value_name = "R", default_value_t = 0.5, value_parser = share)]
    correlation_threshold: f64,
    /// Other pairs count where Cramer's V of the real ones is above this
    #[arg(long, value_name = "V", default_value_t = 0.3, value_parser = share)]
    association_threshold: f64,
    /// How often floor and ceiling are drawn
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    draws: u64,
    /// Rows of each side whose distances are measured; time grows with the square
    #[arg(long, value_name = "N", default_value_t = 3000, value_parser = rows)]
    closeness_rows: usize,
    /// Outliers that were planted among the rows that were learned from
    #[arg(long, value_name = "FILES", requires = "canaries_out")]
    canaries_in: Option<String>,
    /// Outliers of the same kind that were left out
    #[arg(long, value_name = "FILES", requires = "canaries_in")]
    canaries_out: Option<String>,
    /// Seed of what is drawn: the same seed gives the same figures
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Smallest normalised score; the exit code is 1 below it
    #[arg(long, value_name = "SCORE")]
    least: Option<f64>,
    /// Print everything as one JSON object
    #[arg(long)]
    json: bool,
    /// Write a page with plots as well; it needs nothing else to be shown
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().map_err(|error| error.to_string())?;
    if (0.0..=1.0).contains(&number) { Ok(number) } else { Err("it lies from 0 to 1".to_owned()) }
}

fn rows(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("it is above 0".to_owned()),
        Ok(rows) => Ok(rows),
        Err(error) => Err(error.to_string()),
    }
}

/// Compares, and prints what was found.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit> {
    let loader = Loader::new(&Variables { env_file: None })?;
    let rows = Rows::read(arguments, &loader)?;
    let report = Report::new(arguments, &rows)?;
    if let Some(path) = &arguments.html {
        fs::write(path, page::page(&report)).map_err(|error| {
            Error::config("SW4133", format!("write `{}`", path.display())).with_source(error)
        })?;
    }
    if arguments.json {
        let json = serde_json::to_string_pretty(&report)
            .map_err(|error| Error::bug("write the report as JSON").with_source(error))?;
        terminal.line(&json)?;
    } else {
        text::print(&report, terminal)?;
    }
    let normalised = report.baselines.quality.normalised;
    match arguments.least {
        Some(least) if normalised.is_none_or(|score| score < least) => {
            let found = normalised.map_or("none".to_owned(), |score| format!("{score:.4}"));
            let what = format!("reach a normalised score of {least}: it is {found}");
            Err(Error::data("SW4132", what)
                .with_hint("the pairs of columns with the lowest scores say what is missing"))
        }
        _ => Ok(Exit::Finished),
    }
}
