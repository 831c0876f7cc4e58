//! `delta`: how much values changed since an earlier row, by key.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use swiftwater_config::Duration;
use swiftwater_engine::{NodeContext, OperatorOptions, OperatorPlan, Output, Result, schema};

use super::lag::{self, Order, Taken};
use crate::keyed::{KeyColumns, LookBack, Passing};

/// Adds to each row how much a value changed since an earlier row of the same key.
///
/// `delta: {key: [sensor], columns: {warmer_by: temperature}}` adds a column `warmer_by`: the
/// temperature less that of the row before. `offset: 2` compares with the row two before. With
/// `as: pct_change` it is the change as a part of the earlier value: 0.5 where it grew by a half.
/// The first row of a key gets null, as does a row where one of the two values is null.
///
/// The difference of whole numbers is a whole number; one that does not fit 64 bits is null and
/// counted in `swiftwater_rule_breaches_total{rule="NAME fits 64 bits"}`. A part of 0, and what is
/// not finite, is null.
///
/// Rows wait until the watermark has passed them and come out in the order of event time, rows of
/// the same time in the order in which they came; a row that comes after the watermark has passed it
/// is late. With `order: arrival` they pass at once, in the order in which they come. `ttl` is that
/// of `lag`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeltaOptions {
    /// Columns whose values tell the sequences of rows apart.
    pub key: Vec<String>,
    /// New columns by name, each with the column whose change it is.
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub columns: Map<String, Value>,
    /// What the change is told as.
    #[serde(default, rename = "as")]
    pub form: Change,
    /// How many rows to look back.
    #[serde(default = "lag::one")]
    pub offset: usize,
    /// What "before" means.
    #[serde(default = "lag::event_time")]
    pub order: Order,
    /// For how long a row is remembered, by event time. Without it rows are kept for ever.
    #[serde(default)]
    pub ttl: Option<Duration>,
}

/// What a change is told as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The value less the earlier one.
    #[default]
    Difference,
    /// The difference as a part of the earlier value.
    PctChange,
}

impl OperatorOptions for DeltaOptions {
    const KIND: &'static str = "delta";
    const EXAMPLE: &'static str = r#"name: delta_example
sources:
  readings:
    kafka: {brokers: "localhost:9092", topic: readings}
    format: json
    schema: {sensor: int64, temperature: float64, at: timestamp_ms}
    event_time: {column: at, out_of_orderness: 2s}
operators:
  changes: {input: readings, delta: {key: [sensor], columns: {warmer_by: temperature}, ttl: 1d}}
sinks:
  out: {input: changes, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let keys = KeyColumns::find(&self.key, "key", &input)?;
        lag::check(&self.key, self.offset)?;
        let taken = lag::taken(&self.columns, &input)?;
        let form = self.form;
        let changes = taken.iter().map(|taken| Changing::of(taken, form, &input));
        let changes: Vec<Changing> = changes.collect::<Result<_>>()?;
        let mut fields = input.fields().to_vec();
        fields.extend(changes.iter().map(|c| Arc::new(Field::new(&c.name, c.held.clone(), true))));
        let back = LookBack {
            key: self.key,
            keys,
            schema: Arc::new(Schema::new(fields)),
            sources: taken.iter().map(|taken| taken.source).collect(),
            offset: self.offset,
            ttl: self.ttl,
            waits: self.order == Order::EventTime,
            timed: false,
            derive: Arc::new(move |rows, before, out| {
                let each = changes.iter().zip(&before);
                each.map(|(change, before)| change.of_rows(rows, before, out)).collect()
            }),
            remember: None,
            meaning: String::new(),
        };
        back.plan(cx)
    }
}

/// One new column.
struct Changing {
    name: String,
    source: usize,
    held: DataType,
    form: Change,
    rule: Arc<str>,
}

impl Changing {
    fn of(taken: &Taken, form: Change, input: &SchemaRef) -> Result<Self> {
        let of = input.field(taken.source).data_type();
        if !of.is_numeric() {
            let message = format!(
                "tell how much `{}` changed, which is {}",
                input.field(taken.source).name(),
                schema::name(of)
            );
            return Err(lag::mistake(
                &message,
                "numbers change; CAST the value in a `select` before",
            ));
        }
        let whole = of.is_integer() && form == Change::Difference;
        let held = if whole { DataType::Int64 } else { DataType::Float64 };
        let rule = format!("{} fits 64 bits", taken.name).into();
        Ok(Self { name: taken.name.clone(), source: taken.source, held, form, rule })
    }

    fn of_rows(&self, rows: &Passing<'_>, before: &ArrayRef, out: &mut Output) -> Result<ArrayRef> {
        let now = cast(rows.records.column(self.source), &self.held)?;
        let before = cast(before, &self.held)?;
        if self.held == DataType::Int64 {
            let (now, before) =
                (now.as_primitive::<Int64Type>(), before.as_primitive::<Int64Type>());
            let mut too_large = 0;
            let differences = now.iter().zip(before).map(|(now, before)| {
                let (now, before) = now.zip(before)?;
                let difference = now.checked_sub(before);
                too_large += usize::from(difference.is_none());
                difference
            });
            let differences: Int64Array = differences.collect();
            if too_large > 0 {
                out.count_breaches(&self.rule, too_large);
            }
            return Ok(Arc::new(differences));
        }
        let (now, before) =
            (now.as_primitive::<Float64Type>(), before.as_primitive::<Float64Type>());
        let changes = now.iter().zip(before).map(|(now, before)| {
            let (now, before) = now.zip(before)?;
            let change = match self.form {
                Change::Difference => now - before,
                Change::PctChange => (now - before) / before,
            };
            Some(change).filter(|change| change.is_finite())
        });
        Ok(Arc::new(changes.collect::<Float64Array>()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use swiftwater_engine::testing::Harness;

    use super::*;

    fn changes(options: Value, values: &Value) -> (Vec<Value>, usize) {
        let columns = json!({"k": "int64", "n": "int64", "x": "float64", "at": "timestamp_ms"});
        let mut delta = Harness::new::<DeltaOptions>(options, &columns);
        delta.push(values);
        delta.end().unwrap();
        let rows = delta.take_rows(0);
        (rows, delta.take_breaches().into_values().sum())
    }

    #[test]
    fn changes_are_those_of_pandas() {
        // pandas: sort by time, then groupby("k").n.diff() and .x.pct_change().
        let given = json!([
            {"k": 1, "n": 30, "x": 1.5, "at": 3}, {"k": 1, "n": 10, "x": 2.0, "at": 1}, {"k": 2, "n": 7, "x": 0.0, "at": 1},
            {"k": 1, "n": 15, "x": 3.0, "at": 2}, {"k": 2, "n": 5, "x": 1.0, "at": 4}, {"k": 2, "n": null, "x": null, "at": 5}, {"k": 2, "n": 6, "x": 2.0, "at": 6},
        ]);
        let column = |rows: &[Value], name: &str| {
            rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>()
        };
        let (rows, _) = changes(json!({"key": ["k"], "columns": {"d": "n"}}), &given);
        assert_eq!(
            column(&rows, "n"),
            json!([10, 7, 15, 30, 5, null, 6]).as_array().unwrap().clone()
        );
        assert_eq!(
            column(&rows, "d"),
            json!([null, null, 5, 15, -2, null, null]).as_array().unwrap().clone()
        );
        let (rows, _) =
            changes(json!({"key": ["k"], "columns": {"d": "x"}, "as": "pct_change"}), &given);
        // A part of 0 is null, where pandas has an infinity.
        assert_eq!(
            column(&rows, "d"),
            json!([null, null, 0.5, -0.5, null, null, null]).as_array().unwrap().clone()
        );
        let (rows, _) = changes(json!({"key": ["k"], "columns": {"d": "n"}, "offset": 2}), &given);
        assert_eq!(
            column(&rows, "d"),
            json!([null, null, null, 20, null, null, 1]).as_array().unwrap().clone()
        );
    }

    #[test]
    fn differences_that_do_not_fit_are_null_and_counted() {
        let given = json!([{"k": 1, "n": i64::MIN, "at": 1}, {"k": 1, "n": 1, "at": 2}]);
        let (rows, counted) = changes(json!({"key": ["k"], "columns": {"d": "n"}}), &given);
        assert_eq!((&rows[1]["d"], counted), (&json!(null), 1));
    }

    #[test]
    fn texts_do_not_change_by_a_number() {
        let schema = swiftwater_engine::testing::rows::columns(
            &json!({"k": "int64", "s": "utf8", "at": "timestamp_ms"}),
        );
        let options = json!({"key": ["k"], "columns": {"d": "s"}});
        let error = Harness::plan::<DeltaOptions>(options, &[schema]).err().unwrap();
        assert!(error.code == "SW0321" && error.message.contains("`s`"), "{error}");
    }
}
