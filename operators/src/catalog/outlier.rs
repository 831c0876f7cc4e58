//! `outlier`: values far from those before them, flagged or drawn in.

mod methods;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use swiftwater_engine::{NodeContext, OperatorOptions, OperatorPlan, Result};

use self::methods::Bounds;
use crate::learned::{self, Column, Learning, Reads, Spec, mistake};

/// Flags values that are far from those before them, or draws them in (winsorizes).
///
/// `outlier: {columns: {amount_odd: amount}}` adds to each row whether its amount is more than three
/// standard deviations away from the mean of the rows before it. A row is judged first and learned
/// from afterwards, as it came, in the order of event time, rows of the same time in the order in
/// which they came.
///
/// Methods, with their bounds and the usual `fold`: `gaussian` (mean ± fold * deviation, 3), `iqr`
/// (q25 - fold * (q75 - q25) and q75 + fold * (q75 - q25), 1.5), `mad` (median ± fold * MAD /
/// 0.67449, 3.29) and `quantiles` (the quantiles fold and 1 - fold, 0.05). All but `gaussian` know
/// values to 1 % (a `DDSketch`). `action: flag` (the default) gives a boolean, `action: winsorize`
/// the value, or the bound that it is beyond. Where nothing was seen yet, or all values were the
/// same, there are no bounds: flags are null, and values stay. A null gives null.
///
/// What was learned leaves through the port `parameters`, as rows with column, key, category,
/// statistic, value and version: when learning ends (`freeze_after`), each `export_every`, and when
/// the stream ends. `learn: false` with `parameters: FILE` serves such rows without learning; the
/// node then needs no event time, and rows do not wait.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutlierOptions {
    /// Columns by name: the column that each is made from, or a map with more. The name of the
    /// source itself replaces it.
    #[schemars(with = "std::collections::BTreeMap<String, OneOf>")]
    pub columns: Map<String, Json>,
    /// The method of columns that name none.
    #[serde(default)]
    pub method: Method,
    /// What columns give that do not say it.
    #[serde(default)]
    pub action: Action,
    /// What is learned, and for how long.
    #[serde(flatten)]
    pub learning: Learning,
}

/// Where the bounds are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Standard deviations from the mean.
    #[default]
    Gaussian,
    /// Quartile distances from the quartiles.
    Iqr,
    /// Median absolute deviations from the median.
    Mad,
    /// Quantiles.
    Quantiles,
}

/// What is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Whether the value is beyond a bound.
    #[default]
    Flag,
    /// The value, or the bound that it is beyond.
    Winsorize,
}

/// Which bounds count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tail {
    /// Both.
    #[default]
    Both,
    /// The lower one.
    Left,
    /// The upper one.
    Right,
}

/// A column, or a map with more.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "read for its schema alone")]
enum OneOf {
    /// The column that it is made from.
    Column(String),
    /// With a method of its own.
    Full(JudgedColumn),
}

/// A column with a method of its own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct JudgedColumn {
    /// The column that it is made from; the same name if left out.
    #[serde(default)]
    #[expect(dead_code, reason = "read by its name")]
    of: String,
    /// The method, instead of the node's.
    #[serde(default)]
    method: Option<Method>,
    /// What it gives, instead of the node's.
    #[serde(default)]
    action: Option<Action>,
    /// How far the bounds are.
    #[serde(default)]
    fold: Option<f64>,
    /// Which bounds count.
    #[serde(default)]
    tail: Tail,
}

impl OperatorOptions for OutlierOptions {
    const KIND: &'static str = "outlier";
    const EXAMPLE: &'static str = r#"name: outlier_example
sources:
  payments:
    kafka: {brokers: "localhost:9092", topic: payments}
    format: json
    schema: {card: int64, amount: float64, at: timestamp_ms}
    event_time: {column: at, out_of_orderness: 2s}
operators:
  judged:
    input: payments
    outlier:
      columns:
        amount_odd: {of: amount, method: mad}
        amount_capped: {of: amount, method: quantiles, fold: 0.01, tail: right, action: winsorize}
      half_life: 7d
sinks:
  features: {input: judged, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let half_life = learned::half_life(self.learning.half_life)?;
        let mut columns = Vec::new();
        for wanted in learned::columns::<JudgedColumn>(&self.columns, &input)? {
            let (name, options) = (&wanted.name, &wanted.options);
            if !wanted.of.is_numeric() {
                let message = format!("judge `{name}`, which is made from {}", wanted.of);
                return Err(mistake(&message, "cast it to a number in a `select` before"));
            }
            let (method, action) =
                (options.method.unwrap_or(self.method), options.action.unwrap_or(self.action));
            let bounds = Bounds::plan(method, action, options.tail, options.fold);
            let bounds = bounds.ok_or_else(|| {
                let message = format!("judge `{name}` by the fold {:?}", options.fold);
                mistake(&message, "it is above 0, and for `quantiles` below 0.5")
            })?;
            let data_type = match action {
                Action::Flag => DataType::Boolean,
                Action::Winsorize => DataType::Float64,
            };
            columns.push(Column {
                source: wanted.source,
                field: Arc::new(Field::new(name, data_type, true)),
                reads: Reads::Numbers,
                spec: Spec { statistic: bounds.statistic(), half_life },
                supervised: false,
                fills: false,
                method: format!("{bounds:?} {half_life:?}"),
                transform: Arc::new(bounds),
            });
        }
        learned::plan(self.learning, columns, None, cx)
    }
}

#[cfg(test)]
mod tests;
