//! `scale`: numbers brought to one scale by what was seen before.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use swiftwater_engine::{NodeContext, OperatorOptions, OperatorPlan, Result};

mod methods;

use self::methods::Scaling;
use crate::learned::{self, Column, Learning, Reads, Spec, Statistic, mistake};

/// Brings numbers to one scale, by statistics that are learned as the stream goes on.
///
/// `scale: {columns: {amount_z: amount}}` adds to each row how many standard deviations its amount is
/// from the mean of the rows before it. A row is transformed first and learned from afterwards, in
/// the order of event time, rows of the same time in the order in which they came: what it is given
/// follows from the stream alone, and never from itself.
///
/// Methods: `standard` ((x - mean) / deviation, divisor n), `min_max` (to 0 to 1, or beyond where x
/// is beyond what was seen), `max_abs`, `robust` ((x - median) / (q75 - q25)), `quantile` (share of
/// rows below, as `output: uniform`, or as `normal` quantile of it), `log1p` and `yeo_johnson` (with
/// `lambda`). `robust` and `quantile` know values to 1 % (a `DDSketch`). Where nothing was seen yet
/// the result is null, where the scale is 0 it is 0. Nulls, NaN and infinity give null and are not
/// learned from; infinity, here and in results, is counted in
/// `swiftwater_rule_breaches_total{rule="NAME is finite"}`.
///
/// What was learned leaves through the port `parameters`, as rows with column, key, category,
/// statistic, value and version: when learning ends (`freeze_after`), each `export_every`, and when
/// the stream ends. `learn: false` with `parameters: FILE` serves such rows without learning; the
/// node then needs no event time, and rows do not wait.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleOptions {
    /// Columns by name: the column that each is made from, or a map with more. The name of the
    /// source itself replaces it.
    #[schemars(with = "std::collections::BTreeMap<String, OneOf>")]
    pub columns: Map<String, Json>,
    /// The method of columns that name none.
    #[serde(default)]
    pub method: Method,
    /// What is learned, and for how long.
    #[serde(flatten)]
    pub learning: Learning,
}

/// How a column is scaled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By mean and standard deviation.
    #[default]
    Standard,
    /// By the least and the greatest value.
    MinMax,
    /// By median and quartiles.
    Robust,
    /// By the greatest absolute value.
    MaxAbs,
    /// To the share of rows that are below.
    Quantile,
    /// ln(1 + x).
    Log1p,
    /// The power transform of Yeo and Johnson with a fixed lambda.
    YeoJohnson,
}

/// A column, or a map with more.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "read for its schema alone")]
enum OneOf {
    /// The column that it is made from.
    Column(String),
    /// With a method of its own.
    Full(ScaledColumn),
}

/// A column with a method of its own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ScaledColumn {
    /// The column that it is made from; the same name if left out.
    #[serde(default)]
    #[expect(dead_code, reason = "read by its name")]
    of: String,
    /// The method, instead of the node's.
    #[serde(default)]
    method: Option<Method>,
    /// What `quantile` gives.
    #[serde(default)]
    output: Option<Distribution>,
    /// The lambda of `yeo_johnson`.
    #[serde(default)]
    lambda: Option<f64>,
}

/// The distribution that `quantile` gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Distribution {
    /// From 0 to 1.
    #[default]
    Uniform,
    /// The standard normal one.
    Normal,
}

impl OperatorOptions for ScaleOptions {
    const KIND: &'static str = "scale";
    const EXAMPLE: &'static str = r#"name: scale_example
sources:
  payments:
    kafka: {brokers: "localhost:9092", topic: payments}
    format: json
    schema: {card: int64, amount: float64, items: int64, at: timestamp_ms}
    event_time: {column: at, out_of_orderness: 2s}
operators:
  scaled:
    input: payments
    scale:
      columns:
        amount_z: amount
        amount_robust: {of: amount, method: robust}
        items_rank: {of: items, method: quantile}
      freeze_after: 1000000
      export_every: 1h
sinks:
  features: {input: scaled, stdout: {}}
  learned: {input: scaled.parameters, files: {path: "parameters/"}, format: json}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let half_life = learned::half_life(self.learning.half_life)?;
        let mut columns = Vec::new();
        for wanted in learned::columns::<ScaledColumn>(&self.columns, &input)? {
            let (name, options) = (&wanted.name, &wanted.options);
            if !wanted.of.is_numeric() {
                let message = format!("scale `{name}`, which is made from {}", wanted.of);
                return Err(mistake(&message, "cast it to a number in a `select` before"));
            }
            let method = options.method.unwrap_or(self.method);
            let extremes = matches!(method, Method::MinMax | Method::MaxAbs);
            if extremes && half_life.is_some() {
                let message = format!("forget the range of `{name}` by half-life");
                return Err(mistake(&message, "use `robust` or `quantile`, which forget"));
            }
            let scaling = Scaling::plan(method, options.output, options.lambda).map_err(|e| {
                mistake(
                    &format!("scale `{name}`: {e}"),
                    "give `lambda` to `yeo_johnson`, and `output` to `quantile`",
                )
            })?;
            columns.push(Column {
                source: wanted.source,
                field: Arc::new(Field::new(name, DataType::Float64, true)),
                reads: Reads::Numbers,
                spec: Spec { statistic: scaling.statistic(), half_life },
                supervised: false,
                fills: false,
                method: format!("{scaling:?} {half_life:?}"),
                transform: Arc::new(scaling),
            });
        }
        learned::plan(self.learning, columns, None, cx)
    }
}

impl Scaling {
    fn statistic(&self) -> Statistic {
        match self {
            Self::Standard => Statistic::Moments,
            Self::MinMax | Self::MaxAbs => Statistic::Range,
            Self::Robust => {
                Statistic::Quantiles { shares: [0.25, 0.5, 0.75].into(), spread: false }
            }
            Self::Quantile(_) => {
                let shares: Vec<f64> = (0..=100).map(|share| f64::from(share) / 100.0).collect();
                Statistic::Quantiles { shares: shares.into(), spread: false }
            }
            Self::Log1p | Self::YeoJohnson(_) => Statistic::None,
        }
    }
}

#[cfg(test)]
mod tests;
