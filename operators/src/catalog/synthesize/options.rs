//! The options of `synthesize`, as a source and as an operator.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Schema};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use swiftwater_engine::{Error, Result};

use crate::synthetic::wishes::{Foreign, Unique, Wish};

/// Makes rows from a model that `learn` fitted.
///
/// Row `n` is a function of the model, the options, `seed` and `n`: the same at any `parallelism`,
/// and after a stop or a crash it goes on at exactly the next row. Each row is marked in
/// `_synthetic` with the version of the model. The event time of row `n` is `start` and `n` rows at
/// `event_rate`; other times lie as far from it as they did in the stream.
///
/// What rows shall be is kept by construction, not by throwing rows away: conditions are taken up in
/// the tables that are drawn from, and what is not asked for follows as the model says. Only an
/// `order` draws a row anew, 16 times at most, and then exchanges the two values; a row that even so
/// cannot be in order stops the topology (`SW3250`). A condition that no row of the model meets is
/// refused by `check`.
///
/// Categories beyond those that the model kept come as `other-00` to `other-ff` where they are text.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SynthesizeSourceOptions {
    /// The model: a path, the URL of an object (`s3://bucket/models/payments.json`), or its text.
    /// JSON lines with a column `model`, as `learn` gives them, do as well: the last one counts.
    pub model: String,
    /// Decides all random values.
    #[serde(default)]
    pub seed: u64,
    /// Ends after this many rows; never without it.
    #[serde(default)]
    pub count: Option<u64>,
    /// Rows per second over all instances; as fast as they are taken without it.
    #[serde(default)]
    pub rate: Option<f64>,
    /// Event time of row 0, such as `2026-01-01T00:00:00Z`; the time of the start without it.
    #[serde(default)]
    pub start: Option<String>,
    /// Rows in one second of event time; `rate` without it, and 100 000 without both.
    #[serde(default)]
    pub event_rate: Option<f64>,
    /// Conditions by column: a value, null, or `{min: 1, max: 9}`, `{one_of: [a, b]}`. Of a copula
    /// one condition is exact; several intervals are met, but one after the other.
    #[serde(default, rename = "where")]
    #[schemars(with = "BTreeMap<String, Wish>")]
    pub conditions: Map<String, Value>,
    /// Orders between columns of numbers or times, such as `["opened <= closed"]`; null keeps any.
    #[serde(default)]
    pub order: Vec<String>,
    /// Keys that never repeat, made from the number of the row: `id: {start: 1}`, or with `prefix`.
    #[serde(default)]
    pub unique: BTreeMap<String, Unique>,
    /// Columns that refer to other tables: `customer: {values: [1, 2, 3]}`, or
    /// `{file: customers.jsonl, column: id}`.
    #[serde(default)]
    pub foreign: BTreeMap<String, Foreign>,
    /// Columns whose values must come together only as they were seen: checked against what the
    /// model learned `together`.
    #[serde(default)]
    pub observed: Vec<Vec<String>>,
}

/// Adds rows from a model that `learn` fitted to those of the stream.
///
/// For each row that passes, `ratio` rows follow. Made-up rows are marked in `_synthetic` with the
/// version of the model; it is null in the others, and `real: false` leaves those out. The model is
/// that of `model`, until the second input brings a newer version: it is taken up at once, in
/// mid-stream. A model that cannot be read, or of which no row can be as it is asked for, is set
/// aside as `on_error` says with the reason, and the one before stays in use. Without a model rows
/// pass alone.
///
/// Made-up row `n` is a function of the model, the options, `seed` and `n`; it has the event time of
/// the row that it follows. Columns that the model does not have are null. What rows shall be is
/// kept by construction, see the source of this name. One task gives out the numbers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SynthesizeOptions {
    /// Rows that are made for each one that passes: 0.5 is one for two.
    #[serde(default = "one")]
    pub ratio: f64,
    /// Whether rows of the stream pass.
    #[serde(default = "yes")]
    pub real: bool,
    /// Decides all random values.
    #[serde(default)]
    pub seed: u64,
    /// The model in use before the second input brings one: a path, the URL of an object, or its
    /// text.
    #[serde(default)]
    pub model: Option<String>,
    /// Models of other names on the second input are left alone.
    #[serde(default)]
    pub name: Option<String>,
    /// Conditions by column: a value, null, or `{min: 1, max: 9}`, `{one_of: [a, b]}`. Of a copula
    /// one condition is exact; several intervals are met, but one after the other.
    #[serde(default, rename = "where")]
    #[schemars(with = "BTreeMap<String, Wish>")]
    pub conditions: Map<String, Value>,
    /// Orders between columns of numbers or times, such as `["opened <= closed"]`; null keeps any.
    #[serde(default)]
    pub order: Vec<String>,
    /// Keys that never repeat, made from the number of the row: `id: {start: 1}`, or with `prefix`.
    #[serde(default)]
    pub unique: BTreeMap<String, Unique>,
    /// Columns that refer to other tables: `customer: {values: [1, 2, 3]}`, or
    /// `{file: customers.jsonl, column: id}`.
    #[serde(default)]
    pub foreign: BTreeMap<String, Foreign>,
    /// Columns whose values must come together only as they were seen: checked against what the
    /// model learned `together`.
    #[serde(default)]
    pub observed: Vec<Vec<String>>,
}

const fn one() -> f64 {
    1.0
}

const fn yes() -> bool {
    true
}

pub(super) fn mistake(message: impl Into<String>, hint: &str) -> Error {
    Error::config("SW0384", message).with_hint(hint)
}

/// The column that holds models.
pub(super) fn model_column(models: &Schema) -> Result<usize> {
    let found = models.index_of("model").ok();
    let text = found.filter(|n| *models.field(*n).data_type() == DataType::Utf8);
    let hint =
        "the second input has what `learn` gives; from a topic, declare `schema: {model: utf8}`";
    text.ok_or_else(|| mistake("find the text column `model` in the second input", hint))
}
