//! `lag`: values of the row before, by key.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use swiftwater_config::Duration;
use swiftwater_engine::{Error, NodeContext, OperatorOptions, OperatorPlan, Result};

use crate::expression::fault;
use crate::keyed::{KeyColumns, LookBack};

/// Adds to each row values of the row before it of the same key.
///
/// `lag: {key: [auction], columns: {previous_price: price}}` adds a column `previous_price`, so that a
/// `select` behind it can tell how much a bid raised the price. The first row of a key gets null.
/// `offset: 2` looks two rows back.
///
/// With `order: arrival` (the default) rows pass at once, and the row before is the one that came
/// before. With `order: event_time` rows wait until the watermark has passed them and come out in
/// the order of event time, rows of the same time in the order in which they came; a row that comes
/// after the watermark has passed it is late.
///
/// With `ttl` a row counts only for rows that are less than that after it, and is forgotten when the
/// watermark has passed its event time by as much. Without `ttl` the last rows of each key are kept
/// for ever, and so is the memory they take.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LagOptions {
    /// Columns whose values tell the sequences of rows apart.
    pub key: Vec<String>,
    /// New columns by name, each with the column it takes its value from.
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub columns: Map<String, Value>,
    /// How many rows to look back.
    #[serde(default = "one")]
    pub offset: usize,
    /// What "before" means.
    #[serde(default)]
    pub order: Order,
    /// For how long a row is remembered, by event time. Without it rows are kept for ever.
    #[serde(default)]
    pub ttl: Option<Duration>,
}

pub(super) const fn one() -> usize {
    1
}

/// What "before" means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Came before.
    #[default]
    Arrival,
    /// Has an earlier event time; rows wait for the watermark.
    EventTime,
}

/// Most rows to look back: each takes memory for each key.
const FARTHEST: usize = 1000;

impl OperatorOptions for LagOptions {
    const KIND: &'static str = "lag";
    const EXAMPLE: &'static str = r#"name: lag_example
sources:
  bids:
    kafka: {brokers: "localhost:9092", topic: bids}
    format: json
    schema: {auction: int64, bidder: int64, price: int64, date_time: timestamp_ms}
    event_time: {column: date_time}
operators:
  steps: {input: bids, lag: {key: [auction], columns: {previous_price: price}, ttl: 1d}}
  raises: {input: steps, select: [auction, bidder, "price - previous_price AS raise"]}
sinks:
  out: {input: raises, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let keys = KeyColumns::find(&self.key, "key", &input)?;
        check(&self.key, self.offset)?;
        let taken = taken(&self.columns, &input)?;
        let schema = with_taken(&input, &taken);
        let sources: Vec<usize> = taken.into_iter().map(|t| t.source).collect();
        let order = self.order;
        let back = LookBack {
            key: self.key,
            keys,
            schema,
            sources,
            offset: self.offset,
            ttl: self.ttl,
            waits: order == Order::EventTime,
            timed: false,
            derive: Arc::new(|_, before, _| Ok(before)),
            remember: None,
            meaning: String::new(),
        };
        back.plan(cx)
    }
}

/// The order of operators whose values depend on the order of rows.
pub(super) const fn event_time() -> Order {
    Order::EventTime
}

/// # Errors
/// `Config` (`SW0321`) for a look back without a key, or by no or too many rows.
pub(super) fn check(key: &[String], offset: usize) -> Result<()> {
    if key.is_empty() {
        return Err(mistake("look back without a `key`", "name the columns of a sequence"));
    }
    if offset == 0 || offset > FARTHEST {
        let message = format!("look back {offset} rows");
        return Err(mistake(&message, &format!("`offset` is 1 to {FARTHEST}")));
    }
    Ok(())
}

pub(super) fn mistake(message: &str, hint: &str) -> Error {
    Error::config("SW0321", message).with_hint(hint)
}

/// A new column and the number of the one it is taken from.
pub(super) struct Taken {
    pub(super) name: String,
    pub(super) source: usize,
}

pub(super) fn taken(columns: &Map<String, Value>, input: &SchemaRef) -> Result<Vec<Taken>> {
    if columns.is_empty() {
        return Err(mistake("look back at no column", "write columns: {previous_price: price}"));
    }
    let one = |(name, source): (&String, &Value)| {
        let hint = "write columns: {previous_price: price}";
        let source = source
            .as_str()
            .ok_or_else(|| mistake(&format!("take `{name}` from {source}"), hint))?;
        if input.column_with_name(name).is_some() {
            return Err(Error::config("SW0307", format!("add a second column `{name}`"))
                .with_hint("give it a name that the input does not have"));
        }
        let found = input.index_of(source);
        let source = found.map_err(|_| fault::unknown_column(source, "columns", input))?;
        Ok(Taken { name: name.clone(), source })
    };
    columns.iter().map(one).collect()
}

fn with_taken(input: &SchemaRef, taken: &[Taken]) -> SchemaRef {
    let mut fields = input.fields().to_vec();
    for taken in taken {
        let of = input.field(taken.source).data_type().clone();
        fields.push(Arc::new(Field::new(&taken.name, of, true)));
    }
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
mod tests;
