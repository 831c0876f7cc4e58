//! The report as one HTML page that needs nothing else: no script, no font, no image from elsewhere.

use chrono::DateTime;
use swiftwater_operators::fidelity::{Closeness, Kind, Membership, PairScore, Placed, Profile};

use super::plots::{Cell, Way, bars, escaped, matrix, scatter, steps, twins, ways};
use super::report::Report;
use super::tables::{percent, score};

const HEAD: &str = include_str!("page_head.html");
const KEY: &str = "<p><span class=\"key\"><i></i>real</span><span class=\"key\"><i class=\"t\"></i>synthetic</span></p>";

/// More columns than this make a matrix nobody can read; the table below it has all pairs.
const MATRIX: usize = 40;

/// The page.
pub(super) fn page(report: &Report) -> String {
    let left_out: Vec<String> = report
        .left_out
        .iter()
        .map(|l| format!("<li>{}: {}</li>", escaped(&l.column), escaped(&l.reason)))
        .collect();
    let left_out = match left_out.as_slice() {
        [] => String::new(),
        lines => format!("<section><h2>Left out</h2><ul>{}</ul></section>\n", lines.concat()),
    };
    let notes: String =
        report.notes.iter().map(|note| format!("<li>{}</li>", escaped(note))).collect();
    format!(
        "{HEAD}<header><h1>Fidelity</h1><p>{} ({} rows) against {} ({} rows), {} columns · \
         scores as {} defines them, pairs above |r| {} or Cramer's V {} · seed {}</p></header>\n\
         {}{}{}{}{}{}{}{left_out}\
         <section><h2>What these figures are</h2><ul>{notes}</ul></section></body></html>\n",
        escaped(&report.synthetic.path),
        report.synthetic.rows,
        escaped(&report.real.path),
        report.real.rows,
        report.quality.columns.len(),
        report.definition,
        report.thresholds.correlation,
        report.thresholds.association,
        report.seed,
        tiles(report),
        places(report),
        columns(report),
        pairs(report),
        spreads(report),
        utility(report),
        alarms(report),
    )
}

fn tile(class: &str, value: &str, name: &str) -> String {
    format!("<div class=\"tile {class}\"><b>{value}</b><span>{name}</span></div>")
}

fn judged(value: Option<f64>, [good, doubt]: [f64; 2]) -> &'static str {
    match value {
        None => "",
        Some(value) if value >= good => "good",
        Some(value) if value >= doubt => "doubt",
        Some(_) => "bad",
    }
}

fn tiles(report: &Report) -> String {
    let quality = &report.baselines.quality;
    let normalised = tile(
        judged(quality.normalised, [0.8, 0.5]),
        &score(quality.normalised),
        "normalised quality: 0 independent columns, 1 real rows drawn again",
    );
    let shapes = report.quality.column_shapes;
    let trends = report.quality.column_pair_trends;
    let told = report.detection.auc;
    let apart = told.map(|auc| 1.0 - 2.0 * (auc - 0.5).abs());
    let mut tiles = normalised
        + &tile("", &score(quality.score), "quality score")
        + &tile(judged(shapes, [0.9, 0.75]), &score(shapes), "column shapes")
        + &tile(judged(trends, [0.9, 0.75]), &score(trends), "column pair trends")
        + &tile(judged(apart, [0.7, 0.3]), &score(told), "told from real rows (AUC, 0.5 is best)");
    if let Some(utility) = &report.utility {
        let name =
            format!("of the {} above chance kept for {}", utility.metric, escaped(&utility.target));
        tiles += &tile(judged(utility.ratio, [0.9, 0.7]), &percent(utility.ratio), &name);
    }
    let alarms = report.alarms().len();
    let judged = report.closeness.alarm.is_some() || report.canaries.is_some();
    tiles += &match (judged, alarms) {
        (false, _) => tile("", "–", "alarms: not judged without a holdout"),
        (true, 0) => tile("", "0", "alarms, which is no guarantee"),
        (true, some) => tile("bad", &some.to_string(), "alarms: see below"),
    };
    format!("<div class=\"tiles\">{tiles}</div>\n")
}

fn places(report: &Report) -> String {
    let way = |name, placed: &Placed| {
        let Placed { score, floor, ceiling, .. } = *placed;
        Some(Way { name, score: score?, floor: floor?, ceiling: ceiling? })
    };
    let all = &report.baselines;
    let found: Vec<Way> = [
        way("quality score", &all.quality),
        way("column pair trends", &all.column_pair_trends),
        way("quality with all pairs", &all.quality_of_all_pairs),
    ]
    .into_iter()
    .flatten()
    .collect();
    format!(
        "<section><h2>Between floor and ceiling</h2><p>The floor is what rows score whose columns are \
         drawn independently of each other: they keep every column and lose all that connects them. The \
         ceiling is what the real rows score when they are drawn again. Each is the mean of {} draws.</p>\
         {}</section>\n",
        all.draws,
        ways(&found)
    )
}

fn columns(report: &Report) -> String {
    let mut rows: Vec<(String, Option<f64>)> =
        report.quality.columns.iter().map(|c| (c.column.clone(), c.score)).collect();
    rows.sort_by(|a, b| a.1.unwrap_or(-1.0).total_cmp(&b.1.unwrap_or(-1.0)));
    let line = |c: &swiftwater_operators::fidelity::ColumnScore| {
        row(&[
            &c.column,
            c.metric,
            &score(c.score),
            &score(c.missing_value_similarity),
            &score(c.coverage),
            &score(c.adherence),
        ])
    };
    let lines: String = report.quality.columns.iter().map(line).collect();
    let head = ["Column", "Metric", "Shape", "Missing values", "Coverage", "Adherence"];
    format!(
        "<section><h2>Column shapes</h2><p>How alike each column is by itself: 1 less the \
         Kolmogorov-Smirnov distance for numbers and times, 1 less the total variation for \
         categories.</p><div class=\"two\"><div>{}</div><div class=\"wide\">{}</div></div></section>\n",
        bars(&rows),
        table(&head, &lines)
    )
}

fn row(cells: &[&str]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escaped(cell))).collect();
    format!("<tr>{cells}</tr>\n")
}

fn table(head: &[&str], lines: &str) -> String {
    let head: String = head.iter().map(|name| format!("<th>{name}</th>")).collect();
    format!("<table><thead><tr>{head}</tr></thead><tbody>\n{lines}</tbody></table>")
}

fn pair_title(pair: &PairScore) -> String {
    format!(
        "{} and {}: {} (real {}, synthetic {}){}",
        pair.first,
        pair.second,
        score(pair.score),
        score(pair.real),
        score(pair.synthetic),
        if pair.counts { "" } else { ", does not count" }
    )
}

fn pairs(report: &Report) -> String {
    let pairs = &report.quality.pairs;
    if pairs.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = report.quality.columns.iter().map(|c| c.column.as_str()).collect();
    let place = |name: &str| names.iter().position(|n| *n == name);
    let cells = pairs.iter().filter_map(|pair| {
        let at = (place(&pair.first)?, place(&pair.second)?);
        Some(Cell { at, score: pair.score, counts: pair.counts, title: pair_title(pair) })
    });
    let drawn = if names.len() <= MATRIX {
        matrix(&names, &cells.collect::<Vec<_>>())
    } else {
        format!("<p class=\"note\">{} columns are too many for a matrix.</p>", names.len())
    };
    let points: Vec<(f64, f64, bool, String)> = pairs
        .iter()
        .filter_map(|p| Some((p.real?, p.synthetic?, p.counts, pair_title(p))))
        .collect();
    let mut sorted: Vec<&PairScore> = pairs.iter().collect();
    sorted.sort_by(|a, b| {
        let key = |p: &PairScore| (!p.counts, p.score.unwrap_or(2.0));
        let ((a, b), (c, d)) = (key(a), key(b));
        a.cmp(&c).then(b.total_cmp(&d))
    });
    let line = |p: &&PairScore| {
        let counts = if p.counts { "yes" } else { "no" };
        let names = format!("{}, {}", p.first, p.second);
        let (own, edges) = (score(p.score), score(p.score_at_real_edges));
        row(&[&names, p.metric, &own, &edges, &score(p.real), &score(p.synthetic), counts])
    };
    let lines: String = sorted.iter().map(line).collect();
    let head = ["Pair", "Metric", "Score", "At real edges", "Real", "Synthetic", "Counts"];
    format!(
        "<section><h2>Column pair trends</h2><p>How alike pairs of columns depend on each other. Pairs \
         whose real columns hardly do, drawn small, do not count in the score. On the right each pair \
         by its dependence (correlation, or Cramer's V): on the line both sides agree.</p>\
         <div class=\"two\"><div class=\"wide\">{drawn}</div><div>{}</div></div>\
         <details><summary>All {} pairs</summary><div class=\"wide\">{}</div></details></section>\n",
        scatter(&points),
        pairs.len(),
        table(&head, &lines)
    )
}

/// The ends of a column's values.
fn end(kind: Kind, value: Option<&f64>) -> String {
    let Some(value) = value else {
        return String::new();
    };
    match kind {
        #[expect(clippy::cast_possible_truncation, reason = "microseconds fit")]
        Kind::Time => DateTime::from_timestamp_micros(*value as i64)
            .map_or_else(String::new, |time| time.format("%Y-%m-%d %H:%M").to_string()),
        _ if value.abs() >= 1e6 || (*value != 0.0 && value.abs() < 1e-3) => format!("{value:.2e}"),
        _ => format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

fn spread(profile: &Profile) -> String {
    let plot = if profile.kind == Kind::Category {
        twins(&profile.labels, &profile.real, &profile.synthetic)
    } else {
        let ends = [profile.edges.first(), profile.edges.last()].map(|v| end(profile.kind, v));
        steps(&profile.real, &profile.synthetic, [&ends[0], &ends[1]])
    };
    let missing = match profile.missing {
        [0.0, 0.0] => String::new(),
        [real, synthetic] => format!(
            "<p class=\"note\">missing: {} real, {} synthetic</p>",
            percent(Some(real)),
            percent(Some(synthetic))
        ),
    };
    format!("<div><h3>{}</h3>{plot}{missing}</div>\n", escaped(&profile.column))
}

fn spreads(report: &Report) -> String {
    let plots: String = report.profiles.iter().map(spread).collect();
    format!(
        "<section><h2>Distributions</h2>{KEY}<div class=\"multiples\">{plots}</div></section>\n"
    )
}

fn utility(report: &Report) -> String {
    let Some(utility) = &report.utility else {
        return String::new();
    };
    let rows = [
        ("real → real".to_owned(), utility.real_on_real),
        ("synthetic → real".to_owned(), utility.synthetic_on_real),
        ("real → synthetic".to_owned(), utility.real_on_synthetic),
    ];
    format!(
        "<section><h2>Train on synthetic, test on real</h2><p>How well <b>{}</b> is predicted from the \
         other columns by {}: {} of models by what they were trained on → tested on, with {}, {} and {} \
         rows.</p>{}</section>\n",
        escaped(&utility.target),
        utility.model,
        if utility.metric == "auc" { "area under the ROC curve" } else { "R²" },
        utility.rows[0],
        utility.rows[1],
        utility.rows[2],
        bars(&rows)
    )
}

fn alarms(report: &Report) -> String {
    let mut found = closeness(&report.closeness);
    for (name, membership) in [
        ("Membership: rows learned from against the holdout", &report.membership),
        ("Canaries: planted outliers against others", &report.canaries),
    ] {
        if let Some(membership) = membership {
            found += &self::membership(name, membership);
        }
    }
    format!(
        "<section><h2>Alarms</h2><p>Signs that rows were learned by heart. An alarm shows a leak; no \
         alarm shows nothing. Only differential privacy is a guarantee.</p>\
         <div class=\"two\">{found}</div></section>\n"
    )
}

fn closeness(found: &Closeness) -> String {
    let fact = |name: &str, value: String| row(&[name, &value]);
    let mut lines = fact("median distance to real rows", score(found.median_to_real))
        + &fact("median distance of random rows", score(found.median_of_random))
        + &fact("baseline protection", score(found.baseline_protection))
        + &fact("synthetic rows that are copies", percent(found.copies));
    if found.closer_to_training.is_some() {
        lines += &(fact("rows of the holdout that are copies", percent(found.copies_in_holdout))
            + &fact(
                "closer to rows learned from than to the holdout",
                percent(found.closer_to_training),
            )
            + &fact("overfitting protection", score(found.overfitting_protection))
            + &fact(
                "nearest neighbour ratio, 5th percentile",
                score(found.nearest_neighbour_ratio_p05),
            )
            + &fact(
                "the same of the holdout",
                score(found.nearest_neighbour_ratio_p05_of_holdout),
            ));
    }
    let widest = format!("{:.3}", found.widest);
    let plot = steps(&found.holdout_distances, &found.synthetic_distances, ["0", &widest]);
    let verdict = match found.alarm {
        Some(true) => "<b style=\"color:var(--bad)\">Alarm</b>",
        Some(false) => "No alarm",
        None => "Not judged without a holdout",
    };
    format!(
        "<div><h3>Distance to the closest record: {verdict}</h3>{}{plot}</div>\
         <div class=\"wide\">{}</div>",
        "<p class=\"note\">distances of synthetic rows (orange) and of the holdout (blue) to real rows</p>",
        table(&["", ""], &lines)
    )
}

fn membership(name: &str, found: &Membership) -> String {
    let verdict = if found.alarm { "<b style=\"color:var(--bad)\">Alarm</b>" } else { "No alarm" };
    let area = format!("{} ± {}", score(found.auc), score(found.standard_error));
    let lines = row(&["area under the curve of the attack, 0.5 is best", &area])
        + &row(&["found where 1 % of the others are", &percent(found.found_at_one_percent)])
        + &row(&["published as they are", &percent(found.published)]);
    format!("<div class=\"wide\"><h3>{name}: {verdict}</h3>{}</div>", table(&["", ""], &lines))
}
