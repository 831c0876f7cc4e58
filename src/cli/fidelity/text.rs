//! The report on a terminal.

use swiftwater_engine::Result;
use swiftwater_operators::fidelity::{Closeness, Membership, Placed, Utility};

use super::report::Report;
use super::tables::{percent, print as table, score};
use crate::terminal::{Style, Terminal};

/// Pairs that are shown: those with the lowest scores.
const PAIRS: usize = 15;

/// Prints the whole report.
pub(super) fn print(report: &Report, terminal: &mut Terminal) -> Result<()> {
    let rows = |rows: usize, what: &str| format!("{rows} {what} rows");
    let title = format!(
        "{} against {}, {} columns",
        rows(report.synthetic.rows, "synthetic"),
        rows(report.real.rows, "real"),
        report.quality.columns.len()
    );
    terminal.line(&terminal.paint(Style::Strong, &title))?;
    for column in &report.left_out {
        let text = format!("  {} is left out: {}", column.column, column.reason);
        terminal.line(&terminal.paint(Style::Faint, &text))?;
    }
    scores(report, terminal)?;
    columns(report, terminal)?;
    pairs(report, terminal)?;
    if let Some(utility) = &report.utility {
        self::utility(utility, terminal)?;
    }
    heading(&format!("Told from real rows by {}", report.detection.model), terminal)?;
    terminal
        .line(&format!("  area under the curve {} (0.5 is best)", score(report.detection.auc)))?;
    closeness(&report.closeness, terminal)?;
    for (name, found) in [("Membership", &report.membership), ("Canaries", &report.canaries)] {
        if let Some(found) = found {
            membership(name, found, terminal)?;
        }
    }
    terminal.line("")?;
    for alarm in report.alarms() {
        terminal.line(&terminal.paint(Style::Bad, &format!("alarm: {alarm}")))?;
    }
    for note in &report.notes {
        terminal.line(&terminal.paint(Style::Faint, note))?;
    }
    Ok(())
}

fn heading(text: &str, terminal: &mut Terminal) -> Result<()> {
    terminal.line("")?;
    terminal.line(&terminal.paint(Style::Strong, text))
}

fn scores(report: &Report, terminal: &mut Terminal) -> Result<()> {
    heading(&format!("Quality, as {} defines it", report.definition), terminal)?;
    let line = |name: &str, placed: &Placed| {
        let Placed { score: value, floor, ceiling, normalised } = *placed;
        vec![name.to_owned(), score(value), score(floor), score(ceiling), score(normalised)]
    };
    let places = &report.baselines;
    let shapes = score(report.quality.column_shapes);
    let rows = [
        line("quality score", &places.quality),
        vec!["column shapes".to_owned(), shapes, "-".into(), "-".into(), "-".into()],
        line("column pair trends", &places.column_pair_trends),
        line("quality with all pairs", &places.quality_of_all_pairs),
    ];
    table(&["", "score", "floor", "ceiling", "normalised"], &rows, 1, terminal)?;
    let counting = report.quality.pairs.iter().filter(|p| p.counts).count();
    let text = format!(
        "  {counting} of {} pairs count: |r| above {}, or Cramer's V above {}",
        report.quality.pairs.len(),
        report.thresholds.correlation,
        report.thresholds.association
    );
    terminal.line(&terminal.paint(Style::Faint, &text))
}

fn columns(report: &Report, terminal: &mut Terminal) -> Result<()> {
    heading("Columns", terminal)?;
    let rows = report.quality.columns.iter().map(|c| {
        vec![
            c.column.clone(),
            c.metric.to_owned(),
            score(c.score),
            score(c.missing_value_similarity),
            score(c.coverage),
            score(c.adherence),
        ]
    });
    let head = ["column", "metric", "shape", "missing", "coverage", "adherence"];
    table(&head, &rows.collect::<Vec<_>>(), 2, terminal)
}

fn pairs(report: &Report, terminal: &mut Terminal) -> Result<()> {
    let mut pairs: Vec<_> = report.quality.pairs.iter().filter(|p| p.counts).collect();
    if pairs.is_empty() {
        return Ok(());
    }
    let all = pairs.len();
    pairs.sort_by(|a, b| a.score.unwrap_or(0.0).total_cmp(&b.score.unwrap_or(0.0)));
    pairs.truncate(PAIRS);
    let shown = if all > PAIRS { format!(", the {PAIRS} lowest of {all}") } else { String::new() };
    heading(&format!("Pairs that count{shown}"), terminal)?;
    let rows = pairs.iter().map(|p| {
        let names = format!("{}, {}", p.first, p.second);
        let metric = p.metric.trim_end_matches("Similarity").to_owned();
        vec![names, metric, score(p.score), score(p.real), score(p.synthetic)]
    });
    let head = ["pair", "metric", "score", "real", "synthetic"];
    table(&head, &rows.collect::<Vec<_>>(), 2, terminal)
}

fn utility(utility: &Utility, terminal: &mut Terminal) -> Result<()> {
    let title = format!("`{}` predicted by {}", utility.target, utility.model);
    heading(&title, terminal)?;
    let line = |what: &str, value| vec![what.to_owned(), score(value)];
    let rows = [
        line("trained on real, tested on real", utility.real_on_real),
        line("trained on synthetic, tested on real", utility.synthetic_on_real),
        line("trained on real, tested on synthetic", utility.real_on_synthetic),
        line("ratio of the second to the first, above chance", utility.ratio),
    ];
    table(&["", utility.metric], &rows, 1, terminal)
}

fn closeness(found: &Closeness, terminal: &mut Terminal) -> Result<()> {
    heading("Distance to the closest record (an alarm, no guarantee)", terminal)?;
    let line = |what: &str, value: String| vec![what.to_owned(), value];
    let mut rows = vec![
        line("median to real rows", score(found.median_to_real)),
        line("median of random rows", score(found.median_of_random)),
        line("baseline protection", score(found.baseline_protection)),
        line("synthetic rows that are copies", percent(found.copies)),
    ];
    if found.closer_to_training.is_some() {
        rows.push(line("rows of the holdout that are copies", percent(found.copies_in_holdout)));
        rows.push(line("closer to rows learned from", percent(found.closer_to_training)));
        rows.push(line("overfitting protection", score(found.overfitting_protection)));
    }
    table(&["", ""], &rows, 1, terminal)
}

fn membership(name: &str, found: &Membership, terminal: &mut Terminal) -> Result<()> {
    heading(&format!("{name} (an alarm, no guarantee)"), terminal)?;
    let error = score(found.standard_error);
    let area = format!("{} ± {error}", score(found.auc));
    let rows = [
        vec!["area under the curve of the attack, 0.5 is best".to_owned(), area],
        vec!["found where 1 % of the others are".to_owned(), percent(found.found_at_one_percent)],
        vec!["published as they are".to_owned(), percent(found.published)],
    ];
    table(&["", ""], &rows, 1, terminal)
}
