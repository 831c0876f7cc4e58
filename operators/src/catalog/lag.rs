//! `lag`: values of the row before, by key.

mod state;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use swiftwater_config::Duration;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result, SpillRoom,
    TableDelta, TableSpec, Timestamp,
};

use self::state::Previous;
use crate::expression::fault;
use crate::keyed::{EventTime, KeyColumns, Times, Waiting, micros, spill_tables};

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

const fn one() -> usize {
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
        if self.key.is_empty() {
            return Err(mistake("look back without a `key`", "name the columns of a sequence"));
        }
        if self.offset == 0 || self.offset > FARTHEST {
            let message = format!("look back {} rows", self.offset);
            return Err(mistake(&message, &format!("`offset` is 1 to {FARTHEST}")));
        }
        let taken = taken(&self.columns, &input)?;
        let schema = with_taken(&input, &taken);
        let needs_time = self.ttl.is_some() || self.order == Order::EventTime;
        let time = if needs_time { Some(EventTime::of_input(cx, 0)?) } else { None };
        let warnings = self.ttl.is_none().then(|| FOR_EVER.to_owned()).into_iter().collect();
        let (order, offset, ttl) = (self.order, self.offset, self.ttl.map(micros));
        let (rows, output) = (Arc::clone(&input), Arc::clone(&schema));
        let sources: Vec<usize> = taken.into_iter().map(|t| t.source).collect();
        let make = Arc::new(move |_| {
            let previous = Previous::new(&keys, &rows, &sources, (offset, ttl))?;
            let waits = order == Order::EventTime;
            let waiting = waits.then(|| Waiting::new(&keys, &rows));
            let (time, output) = (time.clone(), Arc::clone(&output));
            Ok(Box::new(Lag { time, output, previous, waiting }) as Box<dyn Operator>)
        });
        let plan = OperatorPlan::keyed(schema, cx.stream(0), self.key, make);
        let plan = OperatorPlan { warnings, splittable: true, ..plan };
        Ok(if order == Order::EventTime { plan.with_late_port(input) } else { plan })
    }
}

const FOR_EVER: &str =
    "without `ttl` the last rows of each key are kept for ever, and memory grows with the keys";

fn mistake(message: &str, hint: &str) -> Error {
    Error::config("SW0321", message).with_hint(hint)
}

/// A new column and the number of the one it is taken from.
struct Taken {
    name: String,
    source: usize,
}

fn taken(columns: &Map<String, Value>, input: &SchemaRef) -> Result<Vec<Taken>> {
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

struct Lag {
    time: Option<EventTime>,
    output: SchemaRef,
    previous: Previous,
    waiting: Option<Waiting>,
}

impl Lag {
    /// Makes rows of what was restored.
    fn settle(&mut self) -> Result<()> {
        let Self { previous, waiting, .. } = self;
        if let Some(waiting) = waiting.as_mut().filter(|w| w.table.is_restoring()) {
            for row in waiting.table.settle(&mut previous.index)? {
                waiting.agenda.push(row.mark.time, row.id, ());
            }
        }
        previous.settle()
    }

    fn emit(&mut self, batch: &Batch, times: &[i64], out: &mut Output) -> Result<()> {
        let mut columns = batch.records.columns().to_vec();
        // Rows in the order of event time are all remembered until they are over.
        let waited = self.waiting.is_some();
        let horizon = if waited { i64::MIN } else { self.previous.horizon() };
        columns.extend(self.previous.pass(&batch.records, times, horizon)?);
        out.emit(batch.with_records(RecordBatch::try_new(Arc::clone(&self.output), columns)?));
        Ok(())
    }
}

impl Operator for Lag {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.previous.clock.saw(batch.readings);
        let rows = match &self.time {
            Some(time) => time.of(batch, out)?,
            None => Times { times: vec![0; batch.rows()].into(), batch },
        };
        match &mut self.waiting {
            None => self.emit(&rows.batch, &rows.times, out),
            Some(waiting) => {
                let clock = &self.previous.clock;
                waiting.push(&rows.on_time(|_, time| clock.has_passed(time), out)?)
            }
        }
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.previous.clock.advance(watermark);
        let readings = self.previous.clock.readings(out.now());
        while let Some(waiting) = &mut self.waiting
            && let Some((rows, times)) = waiting.take(watermark.0)?
        {
            self.emit(&Batch::new(rows, readings), &times, out)?;
        }
        self.previous.forget()
    }

    fn tables(&self) -> Vec<TableSpec> {
        let waiting = self.waiting.iter().map(|w| w.table.spec());
        waiting.chain([self.previous.table.spec()]).collect()
    }

    fn layout(&self) -> String {
        format!("offset {}", self.previous.offset())
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.settle()?;
        let waiting = self.waiting.as_mut().map(|w| w.table.seal()).transpose()?.flatten();
        Ok(waiting.into_iter().chain(self.previous.table.seal()?).collect())
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        match &mut self.waiting {
            Some(waiting) if waiting.table.name() == delta.table => waiting.table.restore(delta),
            _ => self.previous.table.restore(delta),
        }
    }

    fn state_bytes(&self) -> usize {
        let waiting = self.waiting.as_ref().map_or(0, Waiting::bytes);
        waiting + self.previous.bytes()
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.state_bytes();
        let waiting = self.waiting.as_mut().map(Waiting::table_mut);
        let tables = waiting.into_iter().chain([&mut self.previous.table]);
        spill_tables(tables, (held, target), room)
    }

    fn spilled_bytes(&self) -> usize {
        let waiting = self.waiting.as_ref().map_or(0, Waiting::disk_bytes);
        waiting + self.previous.table.disk_bytes()
    }
}

#[cfg(test)]
mod tests;
