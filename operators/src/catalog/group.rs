//! `group`: running aggregates by key.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use swiftwater_config::Duration;
use swiftwater_engine::{
    Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Result, Stream,
};

use crate::aggregate::{Aggregates, KeyColumns};
use crate::group::{GroupPlan, RunningGroups, table};
use crate::window::EventTimes;
use crate::window::layout::Layout;

/// Running aggregates by key: whenever rows of a key came, a row with what its aggregates are now.
///
/// The rows that come out replace each other by `key`, as their column `_op` says: `insert` for
/// the first of a key, `update` after that, and `delete`, with the last values, when the key is
/// forgotten. They have no event time of their own.
///
/// Without `ttl` every key is remembered for ever. With it a key is forgotten when it has had no
/// row for that long: by event time where the input has one (then a row of a forgotten key that is
/// older than that is late), otherwise by the clock of the machine.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupOptions {
    /// Columns by which rows are told apart; without them there is one row for all.
    #[serde(default)]
    pub key: Vec<String>,
    /// Expressions over aggregates by the name of their column, as for `window`.
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub aggregate: Map<String, Value>,
    /// How long a key without rows is remembered.
    #[serde(default)]
    pub ttl: Option<Duration>,
    /// How long changes of a key are collected into one row, by the clock; without it a row is
    /// given with each batch.
    #[serde(default)]
    pub every: Option<Duration>,
}

impl OperatorOptions for GroupOptions {
    const KIND: &'static str = "group";
    const EXAMPLE: &'static str = r#"name: group_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
    event_time: {column: date_time}
operators:
  per_channel:
    input: bids
    group:
      key: [channel]
      aggregate: {bids: "count(*)", top: "max(price)", mean: "avg(price)"}
      ttl: 1h
      every: 1s
sinks:
  out: {input: per_channel, stdout: {view: live, key: [channel]}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let key = KeyColumns::plan(&self.key, &input)?;
        if self.key.is_empty() && cx.node.parallelism.is_some_and(|tasks| tasks > 1) {
            let message = "group without `key` on several tasks";
            return Err(Error::config("SW0342", message)
                .with_hint("leave out `parallelism`: all rows meet in one group"));
        }
        let ttl = self.ttl.map(|span| positive("ttl", span)).transpose()?;
        let every = self.every.map(|span| positive("every", span)).transpose()?;
        let times = match (ttl, cx.stream(0).event_time) {
            (Some(_), Some(column)) => Some(EventTimes::plan(column, &input)?),
            _ => None,
        };
        let aggregates = Aggregates::plan(&self.aggregate, &input, &key)?;
        let layout = Layout::plan(key.fields(), aggregates.fields(), false, true)?;
        let stream = Stream::append().upserting(self.key.clone());
        let (schema, warnings) = (Arc::clone(layout.schema()), aggregates.warnings().to_vec());
        let table = table(&key, &aggregates, ttl);
        let every = every.unwrap_or(0).saturating_mul(1000);
        let planned = Arc::new(GroupPlan { aggregates, key, times, ttl, every, layout, table });
        let make = Arc::new(move |_| {
            Ok(Box::new(RunningGroups::new(Arc::clone(&planned))?) as Box<dyn Operator>)
        });
        let plan = OperatorPlan::keyed(schema, stream, self.key, make).with_late_port(input);
        Ok(OperatorPlan { warnings, ..plan })
    }
}

/// A span of time in milliseconds, at least one.
fn positive(option: &str, span: Duration) -> Result<i64> {
    let millis = i64::try_from(span.0.as_millis()).ok().filter(|m| (1..1 << 50).contains(m));
    millis.ok_or_else(|| {
        Error::config("SW0342", format!("take `{span}` for `{option}`"))
            .with_hint("at least one millisecond")
    })
}

#[cfg(test)]
#[path = "group/tests.rs"]
mod tests;
