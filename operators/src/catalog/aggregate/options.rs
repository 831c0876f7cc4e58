//! The options of `aggregate`, and the features they name.

use std::str::FromStr as _;

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use swiftwater_config::Duration;
use swiftwater_engine::{Error, Result};

use super::layout::{Layout, Wanted};
use super::mode::{self, Mode};
use super::shape::Reach;
use crate::keyed::micros;

/// Adds features to each row: aggregates over the earlier rows of its key, as of its event time.
///
/// `aggregate: {key: [card], window: 1h, features: {spent: sum(amount)}}` adds to each payment what
/// was spent with its card in the hour before. A window holds the rows of the key whose event time
/// is in `[t - window, t)`, `t` being that of the row: neither the row itself nor another one of the
/// same time is in it, so that a label of the same moment does not leak. `include_current: true`
/// takes the row in: the window is then `(t - window, t]` up to the row.
///
/// Rows wait until the watermark has passed them and come out in the order of event time, rows of
/// the same time in the order in which they came. The features of a row follow from the rows alone:
/// the same stream gives the same values to the last bit, however it is cut into batches, on however
/// many tasks, and after any restart. Rows that come after the watermark has passed them are late.
///
/// Functions: `count(*)`, `count(x)`, `sum`, `mean` (`avg`), `var(x)` and `std(x)` (divisor n - 1;
/// `var(x, 0)` divides by n), `skew`, `kurtosis`, `min`, `max`, `argmin(x, by)`, `argmax(x, by)`,
/// `first`, `last`, `first_k(x, 5)`, `last_k(x, 5)` (newest first), `top_k(x, 5)`, `bottom_k(x, 5)`,
/// `count_distinct`, `most_frequent` (`mode`; of equals the least), `entropy` (in nats), `median`,
/// `quantile(x, 0.9)`, `zscore(x)` and `robust_z(x)` (the row's own value against the window),
/// `corr(x, y)`, `covar(x, y)`, `slope(x)` (per second), `seconds_since_last()`. Each takes
/// `FILTER (WHERE …)`.
///
/// Newer values weigh more in `decayed_sum(x, '1h')`, `decayed_mean` and `decayed_count`, where a
/// value loses half of its weight each half-life up to the row's own time, and in `ewma(x, 0.3)` and
/// `ewvar(x, 0.3)`, where each value takes that weight from all before it. `drawdown(x)` is the
/// deepest fall as a part of the value before it, `distinct_ratio(x)` the part of the values that are
/// different. Sketches take little memory: `approx_distinct(x)` (HyperLogLog, a standard error of
/// 2.3 %), `hll_sketch(x)` (its bytes, for Apache DataSketches), `approx_quantile(x, 0.9)` (DDSketch,
/// within 1 % of the value). `histogram(x, [0, 10])` counts values below 0, from 0 on and from 10 on.
/// `count_by(category)`, `sum_by(x, category)` and `mean_by(x, category)` give a map, of
/// `max_categories` at most.
///
/// `mode: sawtooth` holds no rows but tiles: partial aggregates of 5 minutes, an hour or a day. The
/// window of a row of time `t` is then `[floor(t - window), t)`, `floor` rounding down to a tile: up
/// to one tile longer than asked for, and as exact at its newer end. `mode: hop` leaves out the tile
/// of the row too, so that features change at the hops only. Memory follows the tiles that have
/// rows. `window: unbounded` is all rows since ever, in each mode.
///
/// Nulls are skipped, and NaN counts as null. Without a value the result is null, but counts are 0
/// and lists are empty; `on_empty` gives a number instead. Sums of whole numbers are exact: one that
/// does not fit 64 bits is null and counted in
/// `swiftwater_rule_breaches_total{rule="NAME fits 64 bits"}`. Infinite results are null.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AggregateOptions {
    /// Columns whose values tell the histories apart: the entity that the features describe.
    pub key: Vec<String>,
    /// Features by name: the text of a function, or a map with more.
    #[schemars(with = "std::collections::BTreeMap<String, Feature>")]
    pub features: Map<String, Value>,
    /// How far the window of each feature reaches back: a duration such as `1h`, `100 rows`, or
    /// `unbounded`.
    #[serde(default)]
    pub window: Option<String>,
    /// Several windows: each feature is given for each of them, as `spent_1h` and `spent_24h`.
    #[serde(default)]
    pub windows: Vec<String>,
    /// Whether a row is in its own window.
    #[serde(default)]
    pub include_current: bool,
    /// For windows of rows: rows older than this are in no window. Needed there, for the last rows
    /// of a key that never comes again would be held for ever. For `unbounded`: a key that has no
    /// row for as long begins anew.
    #[serde(default)]
    pub ttl: Option<Duration>,
    /// What windows of time are made of.
    #[serde(default)]
    pub mode: Mode,
    /// Lengths of tiles, each a multiple of the one before. A window takes the longest that goes into
    /// it twelve times, or else the first.
    #[serde(default = "mode::usual_hops")]
    pub hops: Vec<Duration>,
}

/// A feature.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Feature {
    /// The text of a function, such as `sum(amount)`.
    Text(String),
    /// With a window or an empty value of its own.
    Full(FullFeature),
}

/// A feature with a window or an empty value of its own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FullFeature {
    /// The text of a function, such as `sum(amount)`.
    pub of: String,
    /// How far its window reaches back, instead of the node's.
    #[serde(default)]
    pub window: Option<String>,
    /// Several windows, instead of the node's.
    #[serde(default)]
    pub windows: Vec<String>,
    /// A number that is given instead of null.
    #[serde(default)]
    pub on_empty: Option<f64>,
    /// For `count_by`, `sum_by` and `mean_by`: of how many categories, at most. Those that came first
    /// have their name, the others are `__other__`.
    #[serde(default = "hundred")]
    pub max_categories: usize,
}

const fn hundred() -> usize {
    100
}

const FOR_EVER: &str = "without `ttl` what is known since ever of each key is kept for ever, and memory grows with the keys";

pub(super) fn mistake(message: &str, hint: &str) -> Error {
    Error::config("SW0360", message).with_hint(hint)
}

impl AggregateOptions {
    /// Plans all features.
    pub(super) fn layout(&self, input: &SchemaRef) -> Result<Layout> {
        if self.features.is_empty() {
            return Err(mistake("compute no feature", "write features: {spent: sum(amount)}"));
        }
        let mut layout = Layout::default();
        layout.shape.include_current = self.include_current;
        layout.tiles.include_current = self.include_current;
        mode::check(self)?;
        let mut names: Vec<String> = input.fields().iter().map(|f| f.name().clone()).collect();
        for (name, value) in &self.features {
            let hint = "write `name: sum(amount)` or `name: {of: sum(amount), window: 1h}`";
            let feature = serde_json::from_value::<Feature>(value.clone())
                .map_err(|_| mistake(&format!("compute `{name}` from {value}"), hint))?;
            let full = match feature {
                Feature::Full(full) => full,
                Feature::Text(of) => FullFeature {
                    of,
                    window: None,
                    windows: Vec::new(),
                    on_empty: None,
                    max_categories: hundred(),
                },
            };
            for (name, window) in self.named(name, &full)? {
                if names.contains(&name) {
                    let hint = "give it a name that neither the input nor another feature has";
                    let message = format!("add a second column `{name}`");
                    return Err(Error::config("SW0307", message).with_hint(hint));
                }
                names.push(name.clone());
                let reach = self.reach(&window)?;
                let wanted = Wanted {
                    name,
                    text: &full.of,
                    reach,
                    on_empty: full.on_empty,
                    most: full.max_categories,
                };
                layout.add(&wanted, input)?;
            }
        }
        let ever = layout.tiles.levels.iter().any(|level| level.keep == i64::MAX);
        layout.warnings.extend(ever.then(|| FOR_EVER.to_owned()));
        Ok(layout)
    }

    /// The columns of a feature, each with its window.
    fn named(&self, name: &str, full: &FullFeature) -> Result<Vec<(String, String)>> {
        let own = full.window.is_some() || !full.windows.is_empty();
        let (window, windows) =
            if own { (&full.window, &full.windows) } else { (&self.window, &self.windows) };
        match (window, windows.as_slice()) {
            (Some(window), []) => Ok(vec![(name.to_owned(), window.clone())]),
            (None, [_, ..]) => {
                let suffixed = |w: &String| (format!("{name}_{}", w.replace(' ', "_")), w.clone());
                Ok(windows.iter().map(suffixed).collect())
            }
            (Some(_), [_, ..]) => {
                Err(mistake("take both `window` and `windows`", "leave one of them out"))
            }
            (None, []) => {
                let message = format!("compute `{name}` without a window");
                Err(mistake(&message, "give the node or the feature `window: 1h`"))
            }
        }
    }

    fn reach(&self, window: &str) -> Result<Reach> {
        let hint = "write a duration such as `1h`, `100 rows`, or `unbounded`";
        if window == "unbounded" {
            return Ok(Reach::Tiles(mode::since_ever(self.ttl)));
        }
        let unreadable = || mistake(&format!("look back by the window `{window}`"), hint);
        if let Some(rows) = window.strip_suffix("rows") {
            let rows = rows.trim().parse().ok().filter(|rows| *rows > 0).ok_or_else(unreadable)?;
            let ttl = self.ttl.ok_or_else(|| {
                let message = format!("look back `{window}` without a `ttl`");
                mistake(&message, "say how long the rows of a quiet key are kept: `ttl: 30d`")
            })?;
            return Ok(Reach::Rows(rows, micros(ttl)));
        }
        let time = Duration::from_str(window).map_err(|_| unreadable())?;
        if micros(time) == 0 {
            return Err(unreadable());
        }
        Ok(mode::reach(self, micros(time)))
    }
}
