//! `encode`: categories as numbers, by what was seen of them before.

mod methods;

use std::sync::Arc;

use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, Field};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use swiftwater_engine::{Error, NodeContext, OperatorOptions, OperatorPlan, Result};

use self::methods::Encoding;
use crate::expression::fault;
use crate::learned::{self, Column, Learning, Reads, Spec, mistake};

/// Turns categories into numbers, by what is learned of them as the stream goes on.
///
/// `encode: {columns: {shop_seen: {of: shop, method: count}}}` adds to each row how often its shop was
/// seen before. A row is encoded first and learned from afterwards, in the order of event time, rows
/// of the same time in the order in which they came.
///
/// Methods: `count` and `share` (of all rows), `ordinal` (the number of the category, from 0, in the
/// order of first sight), `rare` (the category itself where it is one of the `top` most frequent or
/// has `min_count` rows or `min_share` of them; otherwise `other`), `target` and
/// `weight_of_evidence`.
///
/// `target` and `weight_of_evidence` learn from labels: they are the node's second input, a stream of
/// its own that has the same category columns, its own event time (that of the label, not of what it
/// labels) and the column `target`. A row knows the labels of earlier times than its own, never its
/// own outcome. `target` is (sum + smoothing * prior) / (n + smoothing), the prior being the mean of
/// all labels so far unless it is given. `weight_of_evidence` is ln((pos_c / pos) / (neg_c / neg))
/// for labels of 0 and 1; where a share is 0, it is `fill`, or the result is null. A label that comes
/// after the watermark has passed its time is dropped and counted.
///
/// A null category is a category of its own, but not for `rare`. A category that was not seen yet
/// gives `unknown`; without it `count` and `share` give 0, `ordinal` gives -1, `target` gives the
/// prior, `weight_of_evidence` gives null and `rare` gives `other`. Beyond `max_categories` new ones
/// are not learned, and counted in
/// `swiftwater_rule_breaches_total{rule="NAME has at most N categories"}`.
///
/// What was learned leaves through the port `parameters`, as rows with column, key, category,
/// statistic, value and version: when learning ends (`freeze_after`), each `export_every`, and when
/// the stream ends. `learn: false` with `parameters: FILE` serves such rows without learning; the
/// node then needs no labels and no event time, and rows do not wait.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EncodeOptions {
    /// Columns by name: a map with the method, and with `of` where the category has another name.
    #[schemars(with = "std::collections::BTreeMap<String, EncodedColumn>")]
    pub columns: Map<String, Json>,
    /// The label column of the second input.
    #[serde(default)]
    pub target: Option<String>,
    /// Most categories that are known of a column (of a key).
    #[serde(default = "many")]
    pub max_categories: usize,
    /// What is learned, and for how long.
    #[serde(flatten)]
    pub learning: Learning,
}

const fn many() -> usize {
    100_000
}

/// How a column is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Method {
    /// How many rows have the category.
    Count,
    /// The share of rows that have it.
    Share,
    /// The smoothed mean of its labels.
    Target,
    /// How much likelier it is among positive labels than among others.
    WeightOfEvidence,
    /// Its number in the order of first sight.
    Ordinal,
    /// The category itself, or `other`.
    Rare,
}

/// An encoded column.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EncodedColumn {
    /// The column that holds the category; the same name if left out.
    #[serde(default)]
    #[expect(dead_code, reason = "read by its name")]
    of: String,
    /// The method.
    method: Method,
    /// What a category that was not seen yet gives.
    #[serde(default)]
    unknown: Option<f64>,
    /// For `target`: the weight of the prior, in labels.
    #[serde(default)]
    smoothing: Option<f64>,
    /// For `target`: the prior.
    #[serde(default)]
    prior: Option<f64>,
    /// For `weight_of_evidence`: what stands for a share of 0.
    #[serde(default)]
    fill: Option<f64>,
    /// For `rare`: how many of the most frequent categories are kept.
    #[serde(default)]
    top: Option<usize>,
    /// For `rare`: how many rows a category needs to be kept.
    #[serde(default)]
    min_count: Option<f64>,
    /// For `rare`: what share of rows a category needs to be kept.
    #[serde(default)]
    min_share: Option<f64>,
    /// For `rare`: what stands for all others.
    #[serde(default)]
    other: Option<String>,
}

impl OperatorOptions for EncodeOptions {
    const KIND: &'static str = "encode";
    const EXAMPLE: &'static str = r#"name: encode_example
sources:
  payments:
    kafka: {brokers: "localhost:9092", topic: payments}
    format: json
    schema: {payment: int64, shop: utf8, amount: float64, at: timestamp_ms}
    event_time: {column: at, out_of_orderness: 2s}
  frauds:
    kafka: {brokers: "localhost:9092", topic: frauds}
    format: json
    schema: {payment: int64, shop: utf8, fraud: bool, known_at: timestamp_ms}
    event_time: {column: known_at, out_of_orderness: 1min}
operators:
  encoded:
    inputs: [payments, frauds]
    encode:
      target: fraud
      columns:
        shop_fraud: {of: shop, method: target, smoothing: 20}
        shop_share: {of: shop, method: share}
sinks:
  features: {input: encoded, stdout: {}}
  learned: {input: encoded.parameters, files: {path: "parameters/"}, format: json}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = match cx.inputs {
            [rows] | [rows, _] => Arc::clone(rows),
            many => {
                let message = format!("`encode` takes rows and labels, not {} inputs", many.len());
                return Err(
                    Error::config("SW0203", message).with_hint("write inputs: [rows, labels]")
                );
            }
        };
        let half_life = learned::half_life(self.learning.half_life)?;
        let mut columns = Vec::new();
        for wanted in learned::columns::<EncodedColumn>(&self.columns, &input)? {
            let (name, options) = (&wanted.name, &wanted.options);
            if wanted.of.is_nested() || !can_cast_types(&wanted.of, &DataType::Utf8) {
                let message = format!("encode `{name}`, which is made from {}", wanted.of);
                return Err(mistake(&message, "make a text of it in a `select` before"));
            }
            let encoding = Encoding::plan(options)
                .map_err(|why| mistake(&format!("encode `{name}`: {why}"), METHODS))?;
            if matches!(encoding, Encoding::Ordinal { .. }) && half_life.is_some() {
                let message = format!("forget the order of `{name}` by half-life");
                return Err(mistake(&message, "encode it in a node without `half_life`"));
            }
            let statistic = encoding.statistic(self.max_categories);
            let method = format!("{:?} {half_life:?} {}", encoding, self.max_categories);
            columns.push(Column {
                source: wanted.source,
                field: Arc::new(Field::new(name, encoding.data_type(), true)),
                reads: Reads::Texts,
                spec: Spec { statistic, half_life },
                supervised: encoding.is_supervised(),
                fills: false,
                method,
                transform: Arc::new(encoding),
            });
        }
        let target = self.target(&columns, cx)?;
        learned::plan(self.learning, columns, target, cx)
    }
}

const METHODS: &str = "`unknown` belongs to all methods but `rare`, `smoothing` and `prior` to `target`, `fill` to `weight_of_evidence`; `rare` takes `other` and one of `top`, `min_count` and `min_share`";

impl EncodeOptions {
    /// Number of the label column in the second input.
    fn target(&self, columns: &[Column], cx: &NodeContext<'_>) -> Result<Option<usize>> {
        let hint = "labels are the second input: inputs: [rows, labels], encode: {target: COLUMN}";
        let taught = columns.iter().find(|c| c.supervised).filter(|_| self.learning.learn);
        match (taught, &self.target, cx.inputs.get(1)) {
            (Some(column), _, None) => {
                let message = format!("learn `{}` without labels", column.field.name());
                Err(mistake(&message, hint))
            }
            (Some(_), Some(target), Some(labels)) => {
                let number = labels.index_of(target);
                let number = number.map_err(|_| fault::unknown_column(target, "target", labels))?;
                let of = labels.field(number).data_type();
                if !of.is_numeric() && *of != DataType::Boolean {
                    let message = format!("learn from the labels `{target}` of the type {of}");
                    return Err(mistake(&message, "labels are numbers or booleans"));
                }
                Ok(Some(number))
            }
            (Some(_), None, Some(_)) => Err(mistake("learn from labels without `target`", hint)),
            (None, _, Some(_)) => Err(mistake("take labels of which nothing learns", hint)),
            (None, Some(target), None) if self.learning.learn => {
                Err(mistake(&format!("take `target: {target}`, of which nothing learns"), hint))
            }
            (None, _, None) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
