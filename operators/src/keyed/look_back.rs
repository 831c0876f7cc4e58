//! Operators that add to each row what follows from an earlier row of its key: `lag`, `delta`, `rate`
//! and `time_since` differ in what they make of the two rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use swiftwater_config::Duration;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, NodeContext, Operator, OperatorPlan, Output, Result, SpillRoom, TableDelta, TableSpec,
    Timestamp,
};

use super::previous::Previous;
use super::{EventTime, KeyColumns, Times, Waiting, micros, spill_tables};

/// Makes the new columns: from rows, their times, and the columns of the rows before.
pub(crate) type Derive =
    Arc<dyn Fn(&Passing<'_>, Vec<ArrayRef>, &mut Output) -> Result<Vec<ArrayRef>> + Send + Sync>;
/// Tells which rows count as earlier ones.
pub(crate) type Remember =
    Arc<dyn Fn(&RecordBatch, Timestamp) -> Result<BooleanArray> + Send + Sync>;

/// Rows that pass.
pub(crate) struct Passing<'a> {
    pub(crate) records: &'a RecordBatch,
    /// Their event times in microseconds, zeros where the node needs none.
    pub(crate) times: &'a [i64],
}

/// What to look back at.
pub(crate) struct LookBack {
    /// Names of the key's columns.
    pub(crate) key: Vec<String>,
    pub(crate) keys: KeyColumns,
    /// The columns of the rows that leave.
    pub(crate) schema: SchemaRef,
    /// Numbers of the columns that are looked back at.
    pub(crate) sources: Vec<usize>,
    /// How many rows to look back.
    pub(crate) offset: usize,
    /// For how long a row counts.
    pub(crate) ttl: Option<Duration>,
    /// Whether rows wait for the watermark and pass in the order of event time.
    pub(crate) waits: bool,
    /// Whether event times are needed.
    pub(crate) timed: bool,
    pub(crate) derive: Derive,
    /// All rows count without it.
    pub(crate) remember: Option<Remember>,
    /// What else state means: that of a node where this changed is refused.
    pub(crate) meaning: String,
}

const FOR_EVER: &str =
    "without `ttl` the last rows of each key are kept for ever, and memory grows with the keys";

impl LookBack {
    /// The plan of the node.
    ///
    /// # Errors
    /// `Config`: `SW0330` where the input has no event time and it is needed.
    pub(crate) fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let needs_time = self.ttl.is_some() || self.waits || self.timed;
        let time = if needs_time { Some(EventTime::of_input(cx, 0)?) } else { None };
        let warnings = self.ttl.is_none().then(|| FOR_EVER.to_owned()).into_iter().collect();
        let (schema, key, waits) = (Arc::clone(&self.schema), self.key.clone(), self.waits);
        let (rows, bounds) = (Arc::clone(&input), (self.offset, self.ttl.map(micros)));
        let make = Arc::new(move |_| {
            let previous = Previous::new(&self.keys, &rows, &self.sources, bounds)?;
            Ok(Box::new(Looking {
                time: time.clone(),
                output: Arc::clone(&self.schema),
                previous,
                waiting: self.waits.then(|| Waiting::new(&self.keys, &rows)),
                derive: Arc::clone(&self.derive),
                remember: self.remember.as_ref().map(Arc::clone),
                meaning: self.meaning.clone(),
            }) as Box<dyn Operator>)
        });
        let plan = OperatorPlan::keyed(schema, cx.stream(0), key, make);
        let plan = OperatorPlan { warnings, splittable: true, ..plan };
        Ok(if waits { plan.with_late_port(input) } else { plan })
    }
}

struct Looking {
    time: Option<EventTime>,
    output: SchemaRef,
    previous: Previous,
    waiting: Option<Waiting>,
    derive: Derive,
    remember: Option<Remember>,
    meaning: String,
}

impl Looking {
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
        let remembered = self.remember.as_ref().map(|rows| rows(&batch.records, out.now()));
        let remembered = remembered.transpose()?;
        let bounds = (horizon, remembered.as_ref());
        let before = self.previous.pass(&batch.records, times, bounds)?;
        let passing = Passing { records: &batch.records, times };
        columns.extend((self.derive)(&passing, before, out)?);
        out.emit(batch.with_records(RecordBatch::try_new(Arc::clone(&self.output), columns)?));
        Ok(())
    }
}

impl Operator for Looking {
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
        format!("offset {}{}", self.previous.offset(), self.meaning)
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
