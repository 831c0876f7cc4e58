//! Numbers as texts, and tables for people.

use crate::terminal::{Style, Terminal};
use swiftwater_engine::Result;

/// A score with four digits.
pub(super) fn score(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

/// A share in per cent.
pub(super) fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{:.1} %", 100.0 * value))
}

/// Prints a table: the first `texts` columns are texts and stand on the left.
pub(super) fn print(
    head: &[&str],
    rows: &[Vec<String>],
    texts: usize,
    terminal: &mut Terminal,
) -> Result<()> {
    let mut lines = vec![head.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>()];
    let headless = head.iter().all(|name| name.is_empty());
    lines.extend_from_slice(rows);
    let mut widths = vec![0; head.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    for (number, line) in lines.iter().enumerate().skip(usize::from(headless)) {
        let cells = line.iter().zip(&widths).enumerate();
        let cells = cells.map(|(n, (cell, width))| {
            if n < texts { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        let line = format!("  {}", cells.collect::<Vec<_>>().join("  "));
        let line = line.trim_end();
        let line = if number == 0 { terminal.paint(Style::Faint, line) } else { line.to_owned() };
        terminal.line(&line)?;
    }
    Ok(())
}
