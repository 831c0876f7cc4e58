//! `time_since`: seconds since an earlier row, by key.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, Float64Array};
use arrow::datatypes::{DataType, Field, Schema, TimestampMicrosecondType};
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Duration;
use swiftwater_engine::{Error, NodeContext, OperatorOptions, OperatorPlan, Result};

use super::lag::{self, Order};
use super::rate::micros_of;
use crate::expression::{Predicate, Taken};
use crate::keyed::{EventTime, KeyColumns, LookBack};

/// Adds to each row how many seconds of event time lie between it and an earlier row of its key.
///
/// `time_since: {key: [card], column: since_payment}` counts from the row before. With
/// `where: "state = 'declined'"` it counts from the last row before it for which that was true; every
/// row leaves with the column. A key without such a row gets null. Order and `ttl` are those of
/// `delta`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeSinceOptions {
    /// Columns whose values tell the sequences of rows apart.
    pub key: Vec<String>,
    /// Name of the new column.
    #[serde(default = "seconds")]
    pub column: String,
    /// Only rows for which this is true are counted from.
    #[serde(default, rename = "where")]
    pub condition: Option<String>,
    /// What "before" means.
    #[serde(default = "lag::event_time")]
    pub order: Order,
    /// For how long a row is remembered, by event time. Without it rows are kept for ever.
    #[serde(default)]
    pub ttl: Option<Duration>,
}

fn seconds() -> String {
    "seconds_since".to_owned()
}

impl OperatorOptions for TimeSinceOptions {
    const KIND: &'static str = "time_since";
    const EXAMPLE: &'static str = r#"name: time_since_example
sources:
  payments:
    kafka: {brokers: "localhost:9092", topic: payments}
    format: json
    schema: {card: int64, state: utf8, at: timestamp_ms}
    event_time: {column: at, out_of_orderness: 2s}
operators:
  calm: {input: payments, time_since: {key: [card], column: since_declined, where: "state = 'declined'", ttl: 30d}}
sinks:
  out: {input: calm, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let keys = KeyColumns::find(&self.key, "key", &input)?;
        lag::check(&self.key, 1)?;
        if input.column_with_name(&self.column).is_some() {
            return Err(Error::config("SW0307", format!("add a second column `{}`", self.column))
                .with_hint("give it a name that the input does not have"));
        }
        let mut fields = input.fields().to_vec();
        fields.push(Arc::new(Field::new(&self.column, DataType::Float64, true)));
        let meaning = self.condition.as_ref().map(|text| format!(" of rows where {text}"));
        let condition = self.condition.map(|text| Predicate::plan(&text, &input)).transpose()?;
        let remember = condition.map(|condition| {
            let remember: crate::keyed::Remember = Arc::new(move |records, now| {
                let all = |held: bool| BooleanArray::from(vec![held; records.num_rows()]);
                Ok(match condition.take(records, now)? {
                    Taken::All => all(true),
                    Taken::None => all(false),
                    Taken::Some(mask) => mask,
                })
            });
            remember
        });
        let back = LookBack {
            key: self.key,
            keys,
            schema: Arc::new(Schema::new(fields)),
            sources: vec![EventTime::of_input(cx, 0)?.column()],
            offset: 1,
            ttl: self.ttl,
            waits: self.order == Order::EventTime,
            timed: true,
            derive: Arc::new(|rows, before, _| {
                let then = before.first().map(micros_of).transpose()?;
                let then =
                    then.iter().flat_map(|then| then.as_primitive::<TimestampMicrosecondType>());
                #[expect(clippy::cast_precision_loss, reason = "to a microsecond for 285 years")]
                let since = then
                    .zip(rows.times)
                    .map(|(then, at)| then.map(|then| at.saturating_sub(then) as f64 / 1e6));
                Ok(vec![Arc::new(since.collect::<Float64Array>())])
            }),
            remember,
            meaning: meaning.unwrap_or_default(),
        };
        back.plan(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};
    use swiftwater_engine::testing::Harness;

    use super::*;
    use crate::keyed::fleet::{self, Told};

    #[test]
    fn seconds_are_counted_from_the_last_row_that_counts() {
        let columns = json!({"k": "int64", "s": "utf8", "at": "timestamp_ms"});
        let given = json!([
            {"k": 1, "s": "b", "at": 500}, {"k": 1, "s": "a", "at": 0}, {"k": 2, "s": "b", "at": 600}, {"k": 1, "s": null, "at": 2500}, {"k": 1, "s": "a", "at": 3000},
        ]);
        let since = |options: Value| -> Vec<Option<f64>> {
            let mut node = Harness::new::<TimeSinceOptions>(options, &columns);
            node.push(&given);
            node.end().unwrap();
            node.take_rows(0).iter().map(|row| row["seconds_since"].as_f64()).collect()
        };
        assert_eq!(since(json!({"key": ["k"]})), [None, Some(0.5), None, Some(2.0), Some(0.5)]);
        let of_a = json!({"key": ["k"], "where": "s = 'a'"});
        assert_eq!(since(of_a), [None, Some(0.5), None, Some(2.5), Some(3.0)]);
        let of_a = json!({"key": ["k"], "where": "s = 'a'", "ttl": "2500ms"});
        assert_eq!(since(of_a), [None, Some(0.5), None, None, None]);
    }

    proptest! {
        #[test]
        fn it_is_what_a_list_says(script in fleet::script(1), every in 1i64..4) {
            let options = json!({"key": ["k"], "where": format!("v % {every} = 0")});
            let given = fleet::run::<TimeSinceOptions>(options, &[fleet::script_columns()], script.instances, &script.steps);
            let mut found: Vec<(i64, Option<i64>)> = given.rows.iter().map(|row| {
                #[expect(clippy::cast_possible_truncation, reason = "milliseconds")]
                let since = row["seconds_since"].as_f64().map(|s| (s * 1e3).round() as i64);
                (row["v"].as_i64().unwrap(), since)
            }).collect();
            let (mut waiting, mut now): (Vec<fleet::Row>, i64) = (Vec::new(), i64::MIN);
            let (mut last, mut expected) = (BTreeMap::new(), Vec::new());
            for told in script.told.iter().chain([&Told::Watermark(i64::MAX)]) {
                match told {
                    Told::Row(_, row) if row.t <= now => {}
                    Told::Row(_, row) => waiting.push(*row),
                    Told::Watermark(watermark) => {
                        now = *watermark;
                        waiting.sort_by_key(|row| (row.t, row.v));
                        let due = waiting.partition_point(|row| row.t <= now);
                        for row in waiting.drain(..due) {
                            expected.push((row.v, last.get(&row.k).map(|then| row.t - then)));
                            if row.v % every == 0 {
                                last.insert(row.k, row.t);
                            }
                        }
                    }
                }
            }
            found.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
