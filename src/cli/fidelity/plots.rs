//! Plots as inline SVG. Colours come from the page's classes, so that they follow its theme.

use std::fmt::Write;

/// Text that may stand in HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// At most so many letters of a text.
pub(super) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return escaped(text);
    }
    let head: String = text.chars().take(most.saturating_sub(1)).collect();
    escaped(&format!("{head}…"))
}

/// An SVG of a width and height with what `draw` writes into it. What cannot be read aloud as text
/// stands in `label`.
fn svg(width: f64, height: f64, label: &str, draw: impl FnOnce(&mut String)) -> String {
    let mut text = format!(
        "<svg viewBox=\"0 0 {width:.0} {height:.0}\" style=\"max-width:{:.0}px\" role=\"img\" aria-label=\"{}\">",
        width * 1.25,
        escaped(label)
    );
    draw(&mut text);
    text + "</svg>\n"
}

/// Writes into a text, which does not fail.
macro_rules! put {
    ($out:expr, $($arguments:tt)*) => {
        write!($out, $($arguments)*).expect("invariant: a String takes all that is written")
    };
}

/// The colour of a score: red at 0.5 and below, green at 1.
pub(super) fn colour(score: f64) -> String {
    let hue = ((score - 0.5) * 2.0).clamp(0.0, 1.0).powf(1.5) * 150.0;
    format!("hsl({hue:.0} 58% 47%)")
}

/// A bar of 0 to 1 for each name, with its score.
pub(super) fn bars(rows: &[(String, Option<f64>)]) -> String {
    const ROW: f64 = 22.0;
    const LEFT: f64 = 170.0;
    const WIDTH: f64 = 560.0;
    let height = ROW * rows.len() as f64 + 18.0;
    let span = WIDTH - LEFT - 60.0;
    svg(WIDTH, height, "scores by column", |out| {
        for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let x = LEFT + span * tick;
            put!(
                out,
                "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{:.1}\"/>",
                height - 16.0
            );
            put!(
                out,
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>",
                height - 3.0
            );
        }
        for (row, (name, score)) in rows.iter().enumerate() {
            let y = ROW * row as f64 + 3.0;
            put!(
                out,
                "<text class=\"strong\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 12.0,
                short(name, 26)
            );
            let Some(score) = score else {
                put!(out, "<text x=\"{:.1}\" y=\"{:.1}\">none</text>", LEFT + 4.0, y + 12.0);
                continue;
            };
            let width = span * score.clamp(0.0, 1.0);
            put!(
                out,
                "<rect x=\"{LEFT:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"15\" rx=\"3\" fill=\"{}\"><title>{}: {score:.4}</title></rect>",
                colour(*score),
                escaped(name)
            );
            put!(
                out,
                "<text class=\"strong\" x=\"{:.1}\" y=\"{:.1}\">{score:.3}</text>",
                LEFT + width + 6.0,
                y + 12.0
            );
        }
    })
}

/// A score on its way from floor to ceiling.
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) score: f64,
    pub(super) floor: f64,
    pub(super) ceiling: f64,
}

/// Each score between its floor and its ceiling, on one axis.
pub(super) fn ways(ways: &[Way]) -> String {
    const LEFT: f64 = 170.0;
    const WIDTH: f64 = 900.0;
    const ROW: f64 = 54.0;
    let span = WIDTH - LEFT - 40.0;
    let least = ways.iter().flat_map(|w| [w.floor, w.score, w.ceiling]).fold(1.0, f64::min);
    let low = ((least - 0.05) * 10.0).floor().max(0.0) / 10.0;
    let at = move |v: f64| LEFT + span * (v - low) / (1.0 - low);
    let height = ROW * ways.len() as f64 + 22.0;
    svg(WIDTH, height, "scores between floor and ceiling", |out| {
        for tick in 0..=5 {
            let value = low + (1.0 - low) * f64::from(tick) / 5.0;
            let x = at(value);
            put!(
                out,
                "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{:.1}\"/>",
                height - 20.0
            );
            put!(
                out,
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value:.2}</text>",
                height - 5.0
            );
        }
        for (row, of) in ways.iter().enumerate() {
            way(out, of, (LEFT, ROW * row as f64 + 27.0), at);
        }
    })
}

/// One score with its floor and ceiling at the height `y`.
fn way(out: &mut String, way: &Way, (left, y): (f64, f64), at: impl Fn(f64) -> f64) {
    let (floor, score, ceiling) = (at(way.floor), at(way.score), at(way.ceiling));
    put!(
        out,
        "<text class=\"strong\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        left - 14.0,
        y + 4.0,
        way.name
    );
    put!(
        out,
        "<rect class=\"ground\" x=\"{floor:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\" rx=\"6\"/>",
        y - 6.0,
        (ceiling - floor).max(0.0)
    );
    put!(
        out,
        "<rect class=\"twin\" x=\"{floor:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\" rx=\"6\"/>",
        y - 6.0,
        (score.min(ceiling) - floor).max(0.0)
    );
    for (x, name, value) in [(floor, "floor", way.floor), (ceiling, "ceiling", way.ceiling)] {
        let side = if name == "floor" { "end" } else { "start" };
        put!(
            out,
            "<line class=\"rule\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"><title>{name} {value:.4}</title></line>",
            y - 13.0,
            y + 13.0
        );
        put!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{side}\">{name} {value:.3}</text>",
            y - 15.0
        );
    }
    put!(
        out,
        "<circle class=\"twin\" cx=\"{score:.1}\" cy=\"{y:.1}\" r=\"8\"><title>score {:.4}</title></circle>",
        way.score
    );
    put!(
        out,
        "<text class=\"strong\" x=\"{score:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{:.3}</text>",
        y + 22.0,
        way.score
    );
}

/// A pair of a matrix: place, score, whether it counts, and what the pointer shows.
pub(super) struct Cell {
    pub(super) at: (usize, usize),
    pub(super) score: Option<f64>,
    pub(super) counts: bool,
    pub(super) title: String,
}

/// The scores of pairs as a matrix of squares; those that do not count are small.
pub(super) fn matrix(names: &[&str], cells: &[Cell]) -> String {
    const SIDE: f64 = 30.0;
    const LEFT: f64 = 120.0;
    const TOP: f64 = 96.0;
    let size = SIDE * names.len() as f64;
    svg(LEFT + size + 60.0, TOP + size + 6.0, "scores of pairs of columns", |out| {
        for (row, name) in names.iter().enumerate() {
            let middle = SIDE * row as f64 + SIDE / 2.0;
            put!(
                out,
                "<text class=\"strong\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                TOP + middle + 4.0,
                short(name, 17)
            );
            put!(
                out,
                "<text class=\"strong\" transform=\"translate({:.1} {:.1}) rotate(-45)\">{}</text>",
                LEFT + middle,
                TOP - 6.0,
                short(name, 17)
            );
            let (x, y) = (LEFT + SIDE * row as f64, TOP + SIDE * row as f64);
            put!(
                out,
                "<rect class=\"ground\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                SIDE - 2.0,
                SIDE - 2.0
            );
        }
        for cell in cells {
            for (row, column) in [cell.at, (cell.at.1, cell.at.0)] {
                let inset = if cell.counts { 0.0 } else { 9.0 };
                let (x, y) = (LEFT + SIDE * column as f64 + inset, TOP + SIDE * row as f64 + inset);
                let side = SIDE - 2.0 - 2.0 * inset;
                let fill = cell.score.map_or("none".to_owned(), colour);
                put!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{side:.1}\" height=\"{side:.1}\" rx=\"2\" fill=\"{fill}\" stroke=\"{fill}\"><title>{}</title></rect>",
                    escaped(&cell.title)
                );
                if let Some(score) = cell.score.filter(|_| cell.counts) {
                    put!(
                        out,
                        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" style=\"fill:#fff;font-size:10px;pointer-events:none\">{}</text>",
                        x + side / 2.0,
                        y + side / 2.0 + 3.5,
                        format!("{score:.2}").trim_start_matches('0')
                    );
                }
            }
        }
    })
}

/// Lines with their numbers from `low` to 1 on both axes.
fn grid(out: &mut String, low: f64, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) {
    for tick in 0..=4 {
        let value = low + (1.0 - low) * f64::from(tick) / 4.0;
        put!(
            out,
            "<line class=\"axis\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{1:.1}\" y2=\"{2:.1}\"/>",
            x(value),
            y(low),
            y(1.0)
        );
        put!(
            out,
            "<line class=\"axis\" x1=\"{0:.1}\" x2=\"{1:.1}\" y1=\"{2:.1}\" y2=\"{2:.1}\"/>",
            x(low),
            x(1.0),
            y(value)
        );
        put!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value}</text>",
            x(value),
            y(low) + 15.0
        );
        put!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            x(low) - 6.0,
            y(value) + 4.0
        );
    }
}

/// Points of 0 to 1 (or -1 to 1) on both axes: the real dependence and the synthetic one.
pub(super) fn scatter(points: &[(f64, f64, bool, String)]) -> String {
    const SIDE: f64 = 360.0;
    const LEFT: f64 = 40.0;
    let low = if points.iter().any(|p| p.0 < 0.0 || p.1 < 0.0) { -1.0 } else { 0.0 };
    let x = move |v: f64| LEFT + SIDE * (v - low) / (1.0 - low);
    let y = move |v: f64| 10.0 + SIDE * (1.0 - (v - low) / (1.0 - low));
    svg(SIDE + LEFT + 20.0, SIDE + 50.0, "dependence of pairs, real and synthetic", |out| {
        grid(out, low, x, y);
        put!(
            out,
            "<line class=\"rule\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            x(low),
            y(low),
            x(1.0),
            y(1.0)
        );
        for (real, synthetic, counts, title) in points {
            let (radius, opacity) = if *counts { (5.0, 0.85) } else { (3.5, 0.4) };
            put!(
                out,
                "<circle class=\"twin\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\" opacity=\"{opacity}\"><title>{}</title></circle>",
                x(*real),
                y(*synthetic),
                escaped(title)
            );
        }
        put!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">real</text>",
            x((low + 1.0) / 2.0),
            y(low) + 32.0
        );
        put!(
            out,
            "<text transform=\"translate(10 {:.1}) rotate(-90)\" text-anchor=\"middle\">synthetic</text>",
            y((low + 1.0) / 2.0)
        );
    })
}

/// Two histograms over the same cells as steps, one over the other.
pub(super) fn steps(real: &[f64], synthetic: &[f64], ends: [&str; 2]) -> String {
    const WIDTH: f64 = 290.0;
    const HEIGHT: f64 = 110.0;
    let highest = real.iter().chain(synthetic).copied().fold(1e-12, f64::max);
    let line = |shares: &[f64]| {
        let mut points = format!("0,{HEIGHT}");
        let width = WIDTH / shares.len().max(1) as f64;
        for (cell, share) in shares.iter().enumerate() {
            let y = HEIGHT - (HEIGHT - 4.0) * share / highest;
            let x = width * cell as f64;
            put!(points, " {x:.1},{y:.1} {:.1},{y:.1}", x + width);
        }
        put!(points, " {WIDTH},{HEIGHT}");
        points
    };
    svg(WIDTH, HEIGHT + 16.0, "distribution, real and synthetic", |out| {
        for (name, shares) in [("real", real), ("twin", synthetic)] {
            let points = if shares.is_empty() { continue } else { line(shares) };
            put!(
                out,
                "<polygon class=\"{name}-area\" points=\"{points}\"/><polyline class=\"{name}-line\" points=\"{points}\"/>"
            );
        }
        put!(out, "<line class=\"axis\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{HEIGHT}\" y2=\"{HEIGHT}\"/>");
        put!(out, "<text x=\"0\" y=\"{:.1}\">{}</text>", HEIGHT + 13.0, escaped(ends[0]));
        put!(
            out,
            "<text x=\"{WIDTH}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            HEIGHT + 13.0,
            escaped(ends[1])
        );
    })
}

/// Two bars for each label.
pub(super) fn twins(labels: &[String], real: &[f64], synthetic: &[f64]) -> String {
    const WIDTH: f64 = 290.0;
    const LEFT: f64 = 100.0;
    const ROW: f64 = 17.0;
    let highest = real.iter().chain(synthetic).copied().fold(1e-12, f64::max);
    let span = WIDTH - LEFT - 42.0;
    svg(WIDTH, ROW * labels.len() as f64 + 2.0, "shares of categories, real and synthetic", |out| {
        for (row, (label, (r, s))) in labels.iter().zip(real.iter().zip(synthetic)).enumerate() {
            let y = ROW * row as f64;
            put!(
                out,
                "<text class=\"strong\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 11.5,
                short(label, 16)
            );
            for (name, share, down) in [("real", r, 1.0), ("twin", s, 8.0)] {
                put!(
                    out,
                    "<rect class=\"{name}\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"6.5\" rx=\"1.5\"><title>{}: {:.2} %</title></rect>",
                    y + down,
                    span * share / highest,
                    escaped(label),
                    share * 100.0
                );
            }
            put!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\">{:.1} %</text>",
                LEFT + span * r.max(*s) / highest + 4.0,
                y + 11.5,
                s * 100.0
            );
        }
    })
}
