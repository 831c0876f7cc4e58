//! What the comparison found, for people.

use serde_json::{Map, Value};
use swiftwater_engine::Result;

use crate::terminal::{Style, Terminal};

type Row = Map<String, Value>;

/// The name of the feature that a row of the result is about.
pub(super) fn feature(row: &Row) -> &str {
    row.get("feature").and_then(Value::as_str).unwrap_or_default()
}

/// Where a row belongs: by window, then by feature.
pub(super) fn place(row: &Row) -> (String, String) {
    (text(row, "window_start"), feature(row).to_owned())
}

/// Share of the served rows that differ or that the replay lacks; 0 to 1. Rows that only the replay
/// has do not count: the log of what was served may be a sample.
pub(super) fn share(row: &Row) -> f64 {
    let count = |name: &str| row.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let alone = count("served_only");
    let differ = count("mismatch") + count("served_null") + count("replayed_null");
    let all = count("compared") + alone;
    if all > 0.0 { (alone + differ) / all } else { 0.0 }
}

fn text(row: &Row, name: &str) -> String {
    match row.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => match number.as_f64() {
            Some(float) if number.is_f64() => format!("{float:.6}"),
            _ => number.to_string(),
        },
        Some(other) => other.to_string(),
    }
}

const COUNTS: [&str; 8] = [
    "compared",
    "served_only",
    "replayed_only",
    "both_null",
    "served_null",
    "replayed_null",
    "mismatch",
    "mean_smape",
];

/// Prints a table of counts, and the quantiles of features that are numbers.
fn table(rows: &[Row], names: &[&str], terminal: &mut Terminal) -> Result<()> {
    let mut lines = vec![names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>()];
    lines.extend(rows.iter().map(|row| names.iter().map(|name| text(row, name)).collect()));
    let mut widths = vec![0; names.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    for (number, line) in lines.iter().enumerate() {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let bad =
            number.checked_sub(1).and_then(|row| rows.get(row)).is_some_and(|r| share(r) > 0.0);
        let style = if number == 0 { Style::Strong } else { Style::Bad };
        let line = if number == 0 || bad { terminal.paint(style, &line) } else { line };
        terminal.line(&line)?;
    }
    Ok(())
}

/// Prints the whole report.
pub(super) fn print(rows: &[Row], windows: bool, terminal: &mut Terminal) -> Result<()> {
    if rows.is_empty() {
        return terminal.line("no rows on either side");
    }
    let first: &[&str] = if windows { &["window_start", "feature"] } else { &["feature"] };
    table(rows, &[first, &COUNTS[..]].concat(), terminal)?;
    terminal.line("")?;
    let quantiles =
        ["served_p05", "replayed_p05", "served_p50", "replayed_p50", "served_p95", "replayed_p95"];
    table(rows, &[first, &quantiles[..]].concat(), terminal)
}
