//! `top`: the first rows of each key in some order.

mod groups;
mod order;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::operator::Input;
use swiftwater_engine::stream::{INSERT, OP_COLUMN, UPDATE};
use swiftwater_engine::{
    Batch, Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Readings, Result,
    SpillRoom, Stream, TableDelta, TableSpec, Timestamp,
};

use self::groups::{Groups, Placed};
use self::order::Order;
use crate::keyed::{
    EventTime, KeyColumns, Removal, RowId, RowTable, Times, WatermarkClock, spill_tables,
};

/// Keeps the first `n` rows of each key in some order.
///
/// `by` lists SQL expressions as in an ORDER BY: `by: "price desc, date_time"`. Nulls come last
/// unless it says `nulls first`. Of rows that are equal in it, the one that came first is ahead.
///
/// - With `window: true` the first rows of each key and window: the input is that of a `window` node
///   and has the columns `window_start` and `window_end`. The rows come out when the watermark says
///   that the window is over, best first; rows that come after that are late.
/// - Without it, the first rows of all that came so far, as a stream of upserts by key and rank: the
///   column `_op` says whether a rank is filled for the first time (`insert`) or has another row now
///   (`update`). A row that enters at rank 1 of 10 moves nine others and gives ten rows: keep `n`
///   small. It needs a sink that knows keys.
///
/// `rank` names a column for the rank, from 1. With `ties: include` (only with `window: true`) rows
/// that are equal to the last one stay too, and equal rows have the same rank, as with RANK() in
/// SQL; otherwise there are never more than `n` rows. Without `key` all rows are of one key; then
/// the node runs on one task unless it has windows.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopOptions {
    /// Columns whose values have a list of their own each.
    #[serde(default)]
    pub key: Vec<String>,
    /// The order: SQL expressions with `asc` or `desc`, separated by commas.
    pub by: String,
    /// How many rows are kept for each key.
    pub n: usize,
    /// Name of a column for the rank, from 1. Needed without `window: true`.
    #[serde(default)]
    pub rank: Option<String>,
    /// What becomes of rows that are equal to the last one.
    #[serde(default)]
    pub ties: Ties,
    /// Whether there is a list for each window of the input.
    #[serde(default)]
    pub window: bool,
}

/// What becomes of rows that are equal to the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ties {
    /// Those that came first are kept, `n` rows at most.
    #[default]
    Exclude,
    /// All of them are kept.
    Include,
}

impl OperatorOptions for TopOptions {
    const KIND: &'static str = "top";
    const EXAMPLE: &'static str = r#"name: top_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
    event_time: {column: date_time}
operators:
  sums: {input: bids, window: {tumbling: {size: 1s}, key: [bidder], aggregate: {bids: "count(*)"}}}
  best: {input: sums, top: {by: "bids desc, bidder", n: 3, rank: place, window: true}}
sinks:
  out: {input: best, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        self.check(cx)?;
        let mut names = self.key.clone();
        if self.window {
            cx.event_time(0)?;
            window_columns(&input)?;
            names.extend(WINDOW.iter().map(|c| (*c).to_owned()).filter(|c| !self.key.contains(c)));
        }
        let keys = KeyColumns::find(&names, "key", &input)?;
        let end = self.window.then(|| EventTime::named("window_end", &input)).transpose()?;
        let order = Order::plan(&self.by, &input)?;
        let schema = self.schema(&input)?;
        let stream = self.stream(cx.stream(0));
        let warnings = (!self.window && !names.is_empty()).then(|| FOR_EVER.to_owned());
        let (ranked, output) = (self.rank.is_some(), Arc::clone(&schema));
        let (n, ties, rows) = (self.n, self.ties, Arc::clone(&input));
        let make = Arc::new(move |_| {
            Ok(Box::new(Top {
                clock: WatermarkClock::default(),
                groups: Groups::new(&keys.types(), n, ties)?,
                table: RowTable::new("ranked", &keys, &rows, Removal::ByKey),
                keys: keys.clone(),
                end: end.clone(),
                order: order.clone(),
                ranked,
                output: Arc::clone(&output),
            }) as Box<dyn Operator>)
        });
        let window = self.window;
        let plan = OperatorPlan::keyed(schema, stream, names, make);
        let warnings = warnings.into_iter().collect();
        let plan = OperatorPlan { warnings, splittable: true, ..plan };
        Ok(if window { plan.with_late_port(input) } else { plan })
    }
}

const WINDOW: [&str; 2] = ["window_start", "window_end"];
const FOR_EVER: &str =
    "the first rows of each key are kept for ever, and memory grows with the keys";
/// Most rows of a list: each change of a running list may move them all.
const MOST: usize = 100_000;
/// A window is over when the watermark is a millisecond before its end.
const CLOSES_BEFORE: i64 = 1000;
/// Most rows of a batch that comes out.
const CHUNK: usize = 8192;

fn mistake(message: impl Into<String>, hint: &str) -> Error {
    Error::config("SW0323", message).with_hint(hint)
}

fn window_columns(input: &SchemaRef) -> Result<()> {
    let is_time = |name: &&str| {
        let field = input.field_with_name(name).ok();
        field.is_some_and(|f| matches!(f.data_type(), DataType::Timestamp(..)))
    };
    if WINDOW.iter().all(is_time) {
        return Ok(());
    }
    let message = "find the windows of the input: it has no times `window_start` and `window_end`";
    Err(mistake(message, "put a `window` before, or leave out `window: true`"))
}

impl TopOptions {
    fn check(&self, cx: &NodeContext<'_>) -> Result<()> {
        if self.n == 0 || self.n > MOST {
            let message = format!("keep the first {} rows", self.n);
            return Err(mistake(message, &format!("`n` is 1 to {MOST}")));
        }
        if self.window {
            return Ok(());
        }
        if self.rank.is_none() {
            let hint = "name a column for it, rank: place, or write window: true";
            return Err(mistake("keep a running list without a rank", hint));
        }
        if self.ties == Ties::Include {
            let hint = "two rows of one rank have no key: `ties: include` goes with `window: true`";
            return Err(mistake("keep a running list with ties", hint));
        }
        if self.key.is_empty() && cx.node.parallelism.is_some_and(|p| p > 1) {
            let hint = "leave out `parallelism`, or name a `key`";
            return Err(mistake("keep one list on several tasks", hint));
        }
        Ok(())
    }

    fn schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        let mut fields = input.fields().to_vec();
        let rank = self.rank.iter().map(|name| Field::new(name, DataType::Int64, false));
        let op = (!self.window).then(|| Field::new(OP_COLUMN, DataType::Utf8, false));
        for field in rank.chain(op) {
            if fields.iter().any(|f| f.name() == field.name()) {
                let message = format!("add a second column `{}`", field.name());
                return Err(Error::config("SW0307", message)
                    .with_hint("rename the column in a `select` before"));
            }
            fields.push(Arc::new(field));
        }
        Ok(Arc::new(Schema::new(fields)))
    }

    fn stream(&self, input: Stream) -> Stream {
        if self.window {
            return input;
        }
        input.upserting(self.key.iter().chain(&self.rank).cloned().collect())
    }
}

/// A row that comes out, with its rank and whether the rank had a row before.
struct Ranked {
    id: RowId,
    rank: usize,
    is_new: bool,
}

struct Top {
    clock: WatermarkClock,
    groups: Groups,
    table: RowTable,
    keys: KeyColumns,
    /// The end of windows, where there are some.
    end: Option<EventTime>,
    order: Order,
    ranked: bool,
    output: SchemaRef,
}

impl Top {
    fn settle(&mut self) -> Result<()> {
        if !self.table.is_restoring() {
            return Ok(());
        }
        let restored = self.table.settle(&mut self.groups.index)?;
        for chunk in restored.chunks(CHUNK) {
            let ids: Vec<RowId> = chunk.iter().map(|row| row.id).collect();
            let order = self.order.of(&self.table.rows(&ids)?, Timestamp::default())?;
            for (row, order) in chunk.iter().zip(order.iter()) {
                self.groups.place(row.slot, row.mark.time, order.data(), row.id);
            }
        }
        self.groups.forget_empty();
        Ok(())
    }

    /// The rows that are on time, with the time at which their window closes.
    fn timed(&self, batch: Batch, out: &mut Output) -> Result<Times> {
        let Some(end) = &self.end else {
            return Ok(Times { times: vec![0; batch.rows()].into(), batch });
        };
        let Times { batch, times } = end.of(batch, out)?;
        let times = times.iter().map(|end| end.saturating_sub(CLOSES_BEFORE)).collect();
        Times { batch, times }.on_time(|_, time| self.clock.has_passed(time), out)
    }

    fn emit(&self, ranked: &[Ranked], readings: Readings, out: &mut Output) -> Result<()> {
        for chunk in ranked.chunks(CHUNK) {
            let ids: Vec<RowId> = chunk.iter().map(|r| r.id).collect();
            let mut columns = self.table.rows(&ids)?.columns().to_vec();
            if self.ranked {
                let rank = |r: &Ranked| i64::try_from(r.rank).unwrap_or(i64::MAX);
                columns.push(Arc::new(Int64Array::from_iter_values(chunk.iter().map(rank))));
            }
            if self.end.is_none() {
                let op = |r: &Ranked| if r.is_new { INSERT } else { UPDATE };
                let ops: ArrayRef = Arc::new(StringArray::from_iter_values(chunk.iter().map(op)));
                columns.push(ops);
            }
            out.emit(Batch::new(
                RecordBatch::try_new(Arc::clone(&self.output), columns)?,
                readings,
            ));
        }
        Ok(())
    }
}

impl Operator for Top {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        self.settle()?;
        let rows = self.timed(batch, out)?;
        let order = self.order.of(&rows.batch.records, out.now())?;
        self.clock.saw(rows.batch.readings);
        let keys = self.keys.of(&rows.batch.records);
        let slots = self.groups.slots(&keys, rows.rows())?;
        let first = self.table.push(rows.batch.records.clone(), &rows.times)?;
        let (mut gone, mut ranked) = (Vec::new(), Vec::new());
        for ((id, slot), (time, order)) in
            (first..).zip(&slots).zip(rows.times.iter().zip(order.iter()))
        {
            match self.groups.place(*slot, *time, order.data(), id) {
                Placed::Behind => gone.push(id),
                Placed::At { place, before } if self.end.is_none() => {
                    let moved = self.groups.from(*slot, place);
                    ranked.extend((place..).zip(moved).map(|(place, id)| Ranked {
                        id,
                        rank: place + 1,
                        is_new: place >= before,
                    }));
                    gone.extend(self.groups.take_evicted());
                }
                Placed::At { .. } => gone.extend(self.groups.take_evicted()),
            }
        }
        self.emit(&ranked, rows.batch.readings, out)?;
        self.table.remove(&gone)
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.advance(watermark);
        if self.end.is_none() {
            return Ok(());
        }
        let readings = self.clock.readings(out.now());
        let (mut ranked, mut gone) = (Vec::new(), Vec::new());
        for rows in self.groups.close(watermark.0) {
            gone.extend(rows.iter().map(|(_, id)| *id));
            ranked.extend(rows.into_iter().map(|(rank, id)| Ranked { id, rank, is_new: true }));
        }
        self.emit(&ranked, readings, out)?;
        self.table.remove_expired(&gone)?;
        self.table.expire_below(watermark.0.saturating_add(1));
        Ok(())
    }

    fn tables(&self) -> Vec<TableSpec> {
        vec![self.table.spec()]
    }

    fn layout(&self) -> String {
        self.groups.layout(self.order.text())
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.settle()?;
        Ok(self.table.seal()?.into_iter().collect())
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        self.table.restore(delta)
    }

    fn state_bytes(&self) -> usize {
        self.table.bytes() + self.groups.bytes()
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.state_bytes();
        spill_tables([&mut self.table], (held, target), room)
    }

    fn spilled_bytes(&self) -> usize {
        self.table.disk_bytes()
    }
}

#[cfg(test)]
mod tests;
