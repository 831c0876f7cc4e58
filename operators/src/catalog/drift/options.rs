//! The options of `drift`.

use std::collections::BTreeMap;

use arrow::datatypes::Schema;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Duration;
use swiftwater_engine::{Error, Result, schema};

use super::metrics::Reference;
use crate::expression::fault;
use crate::keyed::micros;

/// Tells how far the numbers of each window are from those of a reference.
///
/// The reference is the first whole windows that hold at least `reference_rows` rows together; it is
/// frozen then and kept over restarts. From the next window on there comes a row for each column and
/// each metric when the window closes: `window_start`, `window_end`, `window_time`, `column`, `metric`,
/// `value`, `threshold` and `drifted` (`value` is `threshold` or more). The same values stand in
/// `swiftwater_drift{node,column,metric}`, and `swiftwater_drift_windows_total{node,column,metric}`
/// counts windows that drifted.
///
/// - `psi`: population stability index over the deciles of the reference, `sum (r - c) ln(r / c)` of the
///   shares of rows; an empty cell counts as 0.0001. Drift from 0.25; from 0.1 on it is worth a look.
/// - `ks`: the statistic of Kolmogorov and Smirnov, the greatest distance of the distribution
///   functions. Drift from 0.1. It is an effect size: no p-value, which would shrink with the rows.
/// - `jensen_shannon`: the distance (natural logarithm) over the same deciles. Drift from 0.1.
/// - `wasserstein`: the distance in standard deviations of the reference. Drift from 0.1.
///
/// Null, NaN and infinity are skipped; a column without a number in the window or in the reference
/// has a null `value`. A row whose window has closed is late. All rows meet on one task, which holds
/// those of the windows that are open.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftOptions {
    /// Size of the tumbling windows.
    pub window: Duration,
    /// How many rows the reference has at least.
    pub reference_rows: usize,
    /// Columns of numbers; all of them without it.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Metrics with the values from which on there is drift; all four with the values above without
    /// it.
    #[serde(default = "all")]
    pub metrics: BTreeMap<Metric, f64>,
}

/// How distance is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Population stability index.
    Psi,
    /// Kolmogorov and Smirnov.
    Ks,
    /// Jensen and Shannon.
    JensenShannon,
    /// Wasserstein.
    Wasserstein,
}

impl Metric {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Psi => "psi",
            Self::Ks => "ks",
            Self::JensenShannon => "jensen_shannon",
            Self::Wasserstein => "wasserstein",
        }
    }

    pub(super) fn of(self, reference: &Reference, sorted: &[f64]) -> Option<f64> {
        match self {
            Self::Psi => Some(reference.psi(sorted)),
            Self::Ks => Some(reference.ks(sorted)),
            Self::JensenShannon => Some(reference.jensen_shannon(sorted)),
            Self::Wasserstein => reference.wasserstein(sorted),
        }
    }
}

fn all() -> BTreeMap<Metric, f64> {
    use Metric::{JensenShannon, Ks, Psi, Wasserstein};
    BTreeMap::from([(Psi, 0.25), (Ks, 0.1), (JensenShannon, 0.1), (Wasserstein, 0.1)])
}

fn mistake(message: impl Into<String>, hint: &str) -> Error {
    Error::config("SW0372", message).with_hint(hint)
}

impl DriftOptions {
    pub(super) fn columns(&self, input: &Schema, time: usize) -> Result<Vec<usize>> {
        let numeric = |number: &usize| input.field(*number).data_type().is_numeric();
        let columns: Vec<usize> = if self.columns.is_empty() {
            (0..input.fields().len()).filter(|n| *n != time && numeric(n)).collect()
        } else {
            let find = |name: &String| {
                input.index_of(name).map_err(|_| fault::unknown_column(name, "columns", input))
            };
            self.columns.iter().map(find).collect::<Result<_>>()?
        };
        if let Some(other) = columns.iter().find(|n| !numeric(n)) {
            let field = input.field(*other);
            let of = schema::name(field.data_type());
            let message = format!("measure the drift of `{}` ({of})", field.name());
            return Err(mistake(message, "name columns of numbers"));
        }
        if columns.is_empty() {
            return Err(mistake("measure the drift of no column", "give a column of numbers"));
        }
        Ok(columns)
    }

    pub(super) fn check(&self) -> Result<i64> {
        let size = micros(self.window);
        if size < 1000 || size % 1000 != 0 {
            let message = "measure drift in windows of less than a millisecond, or parts of one";
            return Err(mistake(message, "write window: 1h"));
        }
        if self.reference_rows == 0 {
            return Err(mistake("compare with no row", "write reference_rows: 10000"));
        }
        if self.metrics.is_empty() {
            return Err(mistake("measure drift by no metric", "write metrics: {psi: 0.25}"));
        }
        Ok(size)
    }
}
