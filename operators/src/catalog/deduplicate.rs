//! `deduplicate`: one row a key.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanBuilder, Int64Array, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Duration;
use swiftwater_engine::operator::Input;
use swiftwater_engine::stream::{INSERT, OP_COLUMN, UPDATE};
use swiftwater_engine::{
    Batch, Error, Merge, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result,
    TableDelta, TableSpec, Timestamp,
};

use crate::keyed::{Agenda, EventTime, KeyColumns, KeyIndex, Slot, Times, WatermarkClock, micros};

/// Keeps one row of each key: the first or the last.
///
/// - `keep: first` (the default) lets a row pass if its key was not seen within `ttl`, by event
///   time: `deduplicate: {key: [event_id], ttl: 1h}` removes what a producer sent twice. A row
///   passes at once, so that nothing waits.
/// - `keep: last` gives the newest row of each key by event time, as a stream of upserts: the
///   column `_op` says `insert` for the first row of a key and `update` for each newer one; older
///   rows are left out. Of rows of the same time the one that came last counts. It needs a sink
///   that knows keys.
///
/// A key is forgotten when the watermark has passed the time it was first (with `keep: last`: last)
/// seen at by `ttl`; rows that are older than that are late. Without `ttl` keys are kept for ever,
/// and so is the memory they take. A null is a value of its own: all rows with a null key have the
/// same key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeduplicateOptions {
    /// Columns that say which rows are the same.
    pub key: Vec<String>,
    /// Which row of a key is kept.
    #[serde(default)]
    pub keep: Keep,
    /// For how long a key is remembered, by event time. Without it keys are kept for ever.
    #[serde(default)]
    pub ttl: Option<Duration>,
}

/// Which row of a key is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The row that comes first.
    #[default]
    First,
    /// The newest row by event time, with updates.
    Last,
}

impl OperatorOptions for DeduplicateOptions {
    const KIND: &'static str = "deduplicate";
    const EXAMPLE: &'static str = r#"name: deduplicate_example
sources:
  bids:
    kafka: {brokers: "localhost:9092", topic: bids}
    format: json
    schema: {auction: int64, bidder: int64, price: int64, date_time: timestamp_ms}
    event_time: {column: date_time}
operators:
  once: {input: bids, deduplicate: {key: [auction, bidder, price], ttl: 1h}}
sinks:
  out: {input: once, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        if self.key.is_empty() {
            return Err(Error::config("SW0320", "deduplicate without a `key`")
                .with_hint("name the columns that say which rows are the same"));
        }
        let keys = KeyColumns::find(&self.key, "key", &input)?;
        let ttl = self.ttl.map(micros);
        let needs_time = ttl.is_some() || self.keep == Keep::Last;
        let time = if needs_time { Some(EventTime::of_input(cx, 0)?) } else { None };
        let (schema, stream) = match self.keep {
            Keep::First => (Arc::clone(&input), cx.stream(0)),
            Keep::Last => (with_op(&input)?, cx.stream(0).upserting(self.key.clone())),
        };
        let warnings = ttl.is_none().then(|| FOR_EVER.to_owned()).into_iter().collect();
        let (keep, output) = (self.keep, Arc::clone(&schema));
        let make = Arc::new(move |_| {
            let seen = Seen::new(&keys, ttl)?;
            let (keys, time, output) = (keys.clone(), time.clone(), Arc::clone(&output));
            Ok(Box::new(Deduplicate { keys, time, keep, output, seen }) as Box<dyn Operator>)
        });
        let plan = OperatorPlan::keyed(schema, stream, self.key, make);
        Ok(OperatorPlan { warnings, splittable: true, ..plan }.with_late_port(input))
    }
}

const FOR_EVER: &str = "without `ttl` keys are remembered for ever, and memory grows with them";

/// The columns with `_op` behind them.
fn with_op(input: &SchemaRef) -> Result<SchemaRef> {
    if input.column_with_name(OP_COLUMN).is_some() {
        return Err(Error::config("SW0307", format!("add a second column `{OP_COLUMN}`"))
            .with_hint("rename the column in a `select` before"));
    }
    let mut fields = input.fields().to_vec();
    fields.push(Arc::new(Field::new(OP_COLUMN, DataType::Utf8, false)));
    Ok(Arc::new(Schema::new(fields)))
}

struct Deduplicate {
    keys: KeyColumns,
    time: Option<EventTime>,
    keep: Keep,
    output: SchemaRef,
    seen: Seen,
}

impl Operator for Deduplicate {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        let rows = match &self.time {
            Some(time) => time.of(batch, out)?,
            None => Times { times: vec![0; batch.rows()].into(), batch },
        };
        let rows = rows.on_time(|_, time| self.seen.is_late(time), out)?;
        let keys = self.keys.of(&rows.batch.records);
        self.seen.index.insert(&keys, rows.rows(), &mut self.seen.slots)?;
        match self.keep {
            Keep::First => self.first(&rows, out),
            Keep::Last => self.last(&rows, out),
        }
    }

    fn on_watermark(&mut self, watermark: Timestamp, _out: &mut Output) -> Result<()> {
        self.seen.advance(watermark);
        Ok(())
    }

    fn tables(&self) -> Vec<TableSpec> {
        vec![self.seen.spec()]
    }

    fn layout(&self) -> String {
        let keep = if self.keep == Keep::First { "first" } else { "last" };
        format!("keep {keep}")
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.seen.seal()
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        self.seen.restore(delta)
    }

    fn state_bytes(&self) -> usize {
        self.seen.bytes()
    }
}

impl Deduplicate {
    fn first(&mut self, rows: &Times, out: &mut Output) -> Result<()> {
        let seen = &mut self.seen;
        let slots = std::mem::take(&mut seen.slots);
        let mut passes = BooleanBuilder::with_capacity(slots.len());
        for (slot, time) in slots.iter().zip(&rows.times) {
            passes.append_value(match seen.at(*slot) {
                Some(held) if !seen.is_over(held, *time) => false,
                _ => {
                    seen.set(*slot, *time);
                    true
                }
            });
        }
        seen.slots = slots;
        let passes = passes.finish();
        if passes.true_count() == rows.rows() {
            out.emit(rows.batch.clone());
        } else {
            let kept = filter_record_batch(&rows.batch.records, &passes)?;
            out.emit(rows.batch.with_records(kept));
        }
        Ok(())
    }

    fn last(&mut self, rows: &Times, out: &mut Output) -> Result<()> {
        let seen = &mut self.seen;
        let slots = std::mem::take(&mut seen.slots);
        let mut passes = BooleanBuilder::with_capacity(slots.len());
        let mut ops = Vec::with_capacity(slots.len());
        for (slot, time) in slots.iter().zip(&rows.times) {
            let held = seen.at(*slot);
            let newer = held.is_none_or(|held| *time >= held);
            if newer {
                seen.set(*slot, *time);
                ops.push(if held.is_none() { INSERT } else { UPDATE });
            }
            passes.append_value(newer);
        }
        seen.slots = slots;
        let kept = filter_record_batch(&rows.batch.records, &passes.finish())?;
        let mut columns = kept.columns().to_vec();
        columns.push(Arc::new(StringArray::from(ops)));
        let records = RecordBatch::try_new(Arc::clone(&self.output), columns)?;
        out.emit(rows.batch.with_records(records));
        Ok(())
    }
}

/// Stands for a key without a time.
const NEVER: i64 = i64::MIN;
const TABLE: &str = "seen";

/// The keys that were seen, each with the time that counts for it.
struct Seen {
    ttl: Option<i64>,
    clock: WatermarkClock,
    index: KeyIndex,
    slots: Vec<Slot>,
    times: Vec<i64>,
    /// One entry for each key: a time at which to look at it, its own or an earlier one.
    expiring: Agenda<Slot>,
    changed: Vec<Slot>,
    is_changed: Vec<bool>,
    /// Whether keys went since the last barrier.
    expired: bool,
    schema: SchemaRef,
}

impl Seen {
    fn new(keys: &KeyColumns, ttl: Option<i64>) -> Result<Self> {
        let mut fields = keys.fields.clone();
        fields.push(Arc::new(Field::new("__seen", DataType::Int64, false)));
        Ok(Self {
            ttl,
            clock: WatermarkClock::default(),
            index: KeyIndex::new(&keys.types())?,
            slots: Vec::new(),
            times: Vec::new(),
            expiring: Agenda::default(),
            changed: Vec::new(),
            is_changed: Vec::new(),
            expired: false,
            schema: Arc::new(Schema::new(fields)),
        })
    }

    /// Times up to this are forgotten.
    fn horizon(&self) -> Option<i64> {
        self.clock.before(self.ttl?)
    }

    fn is_late(&self, time: i64) -> bool {
        self.horizon().is_some_and(|horizon| time <= horizon)
    }

    /// Whether a key seen at `held` no longer counts for a row of `time`.
    fn is_over(&self, held: i64, time: i64) -> bool {
        self.ttl.is_some_and(|ttl| time.saturating_sub(held) >= ttl)
    }

    fn at(&self, slot: Slot) -> Option<i64> {
        self.times.get(slot as usize).copied().filter(|t| *t != NEVER)
    }

    fn set(&mut self, slot: Slot, time: i64) {
        let at = slot as usize;
        if at >= self.times.len() {
            self.times.resize(at + 1, NEVER);
            self.is_changed.resize(at + 1, false);
        }
        let Some(held) = self.times.get_mut(at) else { return };
        if std::mem::replace(held, time) == NEVER && self.ttl.is_some() {
            self.expiring.push(time, 0, slot);
        }
        if let Some(changed) = self.is_changed.get_mut(at)
            && !std::mem::replace(changed, true)
        {
            self.changed.push(slot);
        }
    }

    fn advance(&mut self, watermark: Timestamp) {
        self.clock.advance(watermark);
        if let Some(horizon) = self.horizon() {
            self.forget_until(horizon);
        }
    }

    fn forget_until(&mut self, horizon: i64) {
        while let Some((_, _, slot)) = self.expiring.pop_until(horizon) {
            match self.at(slot) {
                Some(time) if time > horizon => self.expiring.push(time, 0, slot),
                _ => {
                    self.index.remove(slot);
                    self.expired = true;
                    if let Some(time) = self.times.get_mut(slot as usize) {
                        *time = NEVER;
                    }
                    if let Some(changed) = self.is_changed.get_mut(slot as usize) {
                        *changed = false;
                    }
                }
            }
        }
    }

    fn spec(&self) -> TableSpec {
        let keys = self.schema.fields().len() - 1;
        TableSpec {
            name: TABLE,
            version: 1,
            schema: Arc::clone(&self.schema),
            partition: keys,
            key: keys,
            expiry: Some(keys),
            merge: Merge::Latest,
        }
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        let mut slots = std::mem::take(&mut self.changed);
        // A slot stands twice where its key went and another one took its place.
        slots.retain(|slot| self.is_changed.get_mut(*slot as usize).is_some_and(std::mem::take));
        let times: Int64Array = slots.iter().map(|slot| self.at(*slot)).collect();
        let mut columns = self.index.columns(&slots)?;
        columns.push(Arc::new(times));
        let expired = std::mem::take(&mut self.expired);
        let below = self.horizon().filter(|_| expired).map(|h| h.saturating_add(1));
        let delta = TableDelta {
            expired_below: below,
            ..TableDelta::of(TABLE, RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
        };
        Ok(if delta.is_empty() { Vec::new() } else { vec![delta] })
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        let Some((times, keys)) = delta.rows.columns().split_last() else {
            return Ok(());
        };
        let Some(times) = times.as_primitive_opt::<Int64Type>().filter(|t| t.null_count() == 0)
        else {
            return Err(Error::state("SW3311", "restore keys without the time they were seen at"));
        };
        let mut slots = std::mem::take(&mut self.slots);
        self.index.insert(keys, delta.rows.num_rows(), &mut slots)?;
        slots.iter().zip(times.values()).for_each(|(slot, time)| self.set(*slot, *time));
        self.slots = slots;
        if let Some(below) = delta.expired_below {
            self.forget_until(below.saturating_sub(1));
        }
        // What came from a snapshot is in the snapshot.
        for slot in std::mem::take(&mut self.changed) {
            if let Some(changed) = self.is_changed.get_mut(slot as usize) {
                *changed = false;
            }
        }
        self.expired = false;
        Ok(())
    }

    fn bytes(&self) -> usize {
        let by_slot = self.times.capacity() * (size_of::<i64>() + 1);
        self.index.bytes() + by_slot + self.expiring.bytes()
    }
}

#[cfg(test)]
#[path = "deduplicate/tests.rs"]
mod tests;
