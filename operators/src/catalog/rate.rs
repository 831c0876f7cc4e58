//! `rate`: how fast values grow, by key.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, TimeUnit, TimestampMicrosecondType};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use swiftwater_config::Duration;
use swiftwater_engine::{NodeContext, OperatorOptions, OperatorPlan, Result};

use super::lag::{self, Order};
use crate::keyed::{EventTime, KeyColumns, LookBack, Passing};

/// Adds to each row how fast a value grew since an earlier row of the same key, per second.
///
/// `rate: {key: [host], columns: {requests_per_second: requests}}` divides the difference to the row
/// before by the seconds of event time between the two. `offset: 5` takes the row five before, which
/// smooths. With `counter: true` a value only grows until it begins anew at 0, as counters of
/// Prometheus do: where it is less than before, it grew by all of itself.
///
/// The first row of a key gets null, as does a row where one of the two values is null, one of the
/// same time as the earlier one, and a rate that is not finite. Order and `ttl` are those of `delta`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateOptions {
    /// Columns whose values tell the sequences of rows apart.
    pub key: Vec<String>,
    /// New columns by name, each with the column whose growth it is.
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub columns: Map<String, Value>,
    /// Whether a value that is less than before began anew at 0.
    #[serde(default)]
    pub counter: bool,
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

impl OperatorOptions for RateOptions {
    const KIND: &'static str = "rate";
    const EXAMPLE: &'static str = r#"name: rate_example
sources:
  counters:
    kafka: {brokers: "localhost:9092", topic: counters}
    format: json
    schema: {host: utf8, requests: int64, at: timestamp_ms}
    event_time: {column: at, out_of_orderness: 2s}
operators:
  load: {input: counters, rate: {key: [host], columns: {per_second: requests}, counter: true, ttl: 1h}}
sinks:
  out: {input: load, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let keys = KeyColumns::find(&self.key, "key", &input)?;
        lag::check(&self.key, self.offset)?;
        let taken = lag::taken(&self.columns, &input)?;
        let mut fields = input.fields().to_vec();
        for taken in &taken {
            let field = input.field(taken.source);
            if !field.data_type().is_numeric() {
                let message = format!("tell how fast `{}` grows", field.name());
                return Err(lag::mistake(&message, "numbers grow; CAST it in a `select` before"));
            }
            fields.push(Arc::new(Field::new(&taken.name, DataType::Float64, true)));
        }
        let values: Vec<usize> = taken.iter().map(|taken| taken.source).collect();
        let mut sources = values.clone();
        sources.push(EventTime::of_input(cx, 0)?.column());
        let counter = self.counter;
        let back = LookBack {
            key: self.key,
            keys,
            schema: Arc::new(Schema::new(fields)),
            sources,
            offset: self.offset,
            ttl: self.ttl,
            waits: self.order == Order::EventTime,
            timed: true,
            derive: Arc::new(move |rows, before, _| {
                let Some((then, before)) = before.split_last() else { return Ok(Vec::new()) };
                let each = values.iter().zip(before);
                each.map(|(value, before)| rate(rows, *value, (before, then), counter)).collect()
            }),
            remember: None,
            meaning: String::new(),
        };
        back.plan(cx)
    }
}

/// Microseconds of a column of times.
pub(super) fn micros_of(times: &ArrayRef) -> Result<ArrayRef> {
    Ok(cast(times, &DataType::Timestamp(TimeUnit::Microsecond, None))?)
}

fn rate(
    rows: &Passing<'_>,
    value: usize,
    (before, then): (&ArrayRef, &ArrayRef),
    counter: bool,
) -> Result<ArrayRef> {
    let (now, before) =
        (cast(rows.records.column(value), &DataType::Float64)?, cast(before, &DataType::Float64)?);
    let then = micros_of(then)?;
    let values = now.as_primitive::<Float64Type>().iter().zip(before.as_primitive::<Float64Type>());
    let times = then.as_primitive::<TimestampMicrosecondType>().iter().zip(rows.times);
    let rates = values.zip(times).map(|((now, before), (then, at))| {
        let (now, before) = now.zip(before)?;
        let grown = if counter && now < before { now } else { now - before };
        #[expect(clippy::cast_precision_loss, reason = "to a microsecond for 285 years")]
        let seconds = at.saturating_sub(then?) as f64 / 1e6;
        Some(grown / seconds).filter(|rate| seconds != 0.0 && rate.is_finite())
    });
    Ok(Arc::new(rates.collect::<Float64Array>()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use swiftwater_engine::testing::Harness;

    use super::*;

    fn rates(options: Value) -> Vec<Option<f64>> {
        let columns = json!({"k": "int64", "n": "int64", "at": "timestamp_ms"});
        let mut rate = Harness::new::<RateOptions>(options, &columns);
        rate.push(&json!([
            {"k": 1, "n": 100, "at": 0}, {"k": 1, "n": 400, "at": 3000}, {"k": 1, "n": 130, "at": 1000}, {"k": 2, "n": 1, "at": 1500},
            {"k": 1, "n": 50, "at": 5000}, {"k": 1, "n": 60, "at": 5000},
        ]));
        rate.end().unwrap();
        rate.take_rows(0).iter().map(|row| row["r"].as_f64()).collect()
    }

    #[test]
    fn rates_are_per_second_of_event_time() {
        let options =
            |counter: bool| json!({"key": ["k"], "columns": {"r": "n"}, "counter": counter});
        assert_eq!(
            rates(options(false)),
            [None, Some(30.0), None, Some(135.0), Some(-175.0), None]
        );
        // It began anew: it grew by 50 in two seconds.
        assert_eq!(rates(options(true)), [None, Some(30.0), None, Some(135.0), Some(25.0), None]);
        let farther = json!({"key": ["k"], "columns": {"r": "n"}, "offset": 2, "counter": true});
        assert_eq!(rates(farther), [None, None, None, Some(100.0), Some(12.5), Some(30.0)]);
    }
}
