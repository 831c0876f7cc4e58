//! The operator: rows wait for the watermark, are transformed in the order of event time, and then
//! learned from.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, Operator, Output, Result, SpillRoom, TableDelta, TableSpec, Timestamp,
};

use super::fits::{Fits, key_columns};
use super::options::Labels;
use super::parameters::{Exported, key_texts};
use super::passing::Export;
use super::transform::Column;
use crate::keyed::{
    Agenda, EventTime, KeyColumns, KeyIndex, Removal, RowTable, Slot, Waiting, WatermarkClock,
    spill_tables,
};

/// What all instances of a node have in common.
pub(super) struct Layout {
    pub(super) keys: KeyColumns,
    pub(super) columns: Vec<Column>,
    pub(super) input: SchemaRef,
    pub(super) output: SchemaRef,
}

impl Layout {
    /// Puts new columns to the rows.
    pub(super) fn output(&self, records: &RecordBatch, made: Vec<ArrayRef>) -> Result<RecordBatch> {
        let mut columns = records.columns().to_vec();
        for (column, made) in self.columns.iter().zip(made) {
            match self.input.index_of(column.field.name()) {
                Ok(number) => {
                    if let Some(held) = columns.get_mut(number) {
                        *held = made;
                    }
                }
                Err(_) => columns.push(made),
            }
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.output), columns)?)
    }
}

/// Counts values that are no numbers.
pub(super) fn count_infinite(column: &Column, rows: usize, out: &mut Output) {
    if rows > 0 {
        out.count_breaches(&format!("{} is finite", column.field.name()).into(), rows);
    }
}

/// When learning ends, and when parameters leave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time {
    pub(super) freeze_after: Option<i64>,
    /// In microseconds of event time.
    pub(super) every: Option<i64>,
}

/// A node that learns.
pub(super) struct Learner {
    pub(super) layout: Arc<Layout>,
    pub(super) time: EventTime,
    pub(super) labels: Option<Labels>,
    pub(super) times: Time,
    pub(super) clock: WatermarkClock,
    pub(super) waiting: Waiting,
    pub(super) waiting_labels: Option<Waiting>,
    pub(super) fits: Fits,
    pub(super) exported: SchemaRef,
    pub(super) meaning: String,
}

impl Learner {
    pub(super) fn new(
        layout: &Arc<Layout>,
        time: EventTime,
        labels: Option<Labels>,
        times: Time,
        exported: &SchemaRef,
    ) -> Result<Self> {
        let specs = layout.columns.iter().map(|c| c.spec.clone()).collect();
        let waiting_labels = labels.as_ref().map(|labels| Waiting {
            table: RowTable::new("labels", &labels.keys, &labels.schema, Removal::ByTime),
            agenda: Agenda::default(),
        });
        let columns = layout.columns.iter();
        let columns: Vec<String> =
            columns.map(|c| format!("{} = {}({})", c.field.name(), c.method, c.source)).collect();
        let every = times.every.map_or_else(String::new, |every| format!(" each {every}"));
        Ok(Self {
            waiting: Waiting::new(&layout.keys, &layout.input),
            waiting_labels,
            fits: Fits::new(&layout.keys, specs)?,
            layout: Arc::clone(layout),
            time,
            labels,
            times,
            clock: WatermarkClock::default(),
            exported: Arc::clone(exported),
            meaning: format!("{}{every}", columns.join(", ")),
        })
    }

    /// Makes rows of what was restored.
    fn settle(&mut self) -> Result<()> {
        let waiting = [Some(&mut self.waiting), self.waiting_labels.as_mut()];
        for waiting in waiting.into_iter().flatten().filter(|w| w.table.is_restoring()) {
            let mut index = KeyIndex::new(&self.layout.keys.types())?;
            for row in waiting.table.settle(&mut index)? {
                waiting.agenda.push(row.mark.time, row.id, ());
            }
        }
        Ok(())
    }

    /// The next rows, and the labels that come before the last of them; of an earlier time, for
    /// those of the same time may go on.
    fn advance(&mut self, watermark: i64, out: &mut Output) -> Result<bool> {
        let rows = self.waiting.take(watermark)?;
        let until = rows.as_ref().and_then(|(_, times)| times.last().copied());
        let until = until.map_or(watermark, |last| last.saturating_sub(1));
        let mut labels: Vec<(RecordBatch, Vec<i64>)> = Vec::new();
        if let Some(waiting) = &mut self.waiting_labels {
            while let Some(taken) = waiting.take(until)? {
                labels.push(taken);
                if rows.is_none() {
                    break;
                }
            }
        }
        if rows.is_none() && labels.is_empty() {
            return Ok(false);
        }
        let empty = || (RecordBatch::new_empty(Arc::clone(&self.layout.input)), Vec::new());
        self.pass(rows.unwrap_or_else(empty), &labels, out)?;
        Ok(true)
    }
}

/// Number of the port of what was learned.
pub(super) const PARAMETERS: usize = 2;

impl Operator for Learner {
    fn process(&mut self, input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        self.settle()?;
        let labels = (input == 1).then_some(()).and(self.labels.as_ref());
        if let (Some(labels), Some(waiting)) = (labels, &mut self.waiting_labels) {
            let rows = labels.time.of(batch, out)?;
            self.clock.saw(rows.batch.readings);
            let (rows, late) = rows.split_late(|_, time| self.clock.has_passed(time))?;
            out.count_dropped("late label", late.map_or(0, |late| late.rows()));
            return waiting.push(&rows);
        }
        if input > 0 {
            return Err(Error::bug("take rows of an input that is not there"));
        }
        let rows = self.time.of(batch, out)?;
        self.clock.saw(rows.batch.readings);
        let clock = &self.clock;
        self.waiting.push(&rows.on_time(|_, time| clock.has_passed(time), out)?)
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.advance(watermark);
        while self.advance(watermark.0, out)? {}
        Ok(())
    }

    fn on_end(&mut self, out: &mut Output) -> Result<()> {
        self.settle()?;
        let all = 0..u32::try_from(self.fits.counters.len()).unwrap_or(u32::MAX);
        let slots: Vec<Slot> = all.collect();
        let keys = key_texts(&key_columns(&self.fits.index, &slots)?, slots.len())?;
        let mut order: Vec<(Option<String>, Slot)> = keys.into_iter().zip(slots).collect();
        order.sort_unstable();
        let mut exported = Exported::default();
        for (_, slot) in order {
            let Some(counters) = self.fits.counters.get(slot as usize).copied() else { continue };
            for (supervised, version) in [(false, counters.rows), (true, counters.labels)] {
                let frozen = self.times.freeze_after.is_some_and(|most| version >= most);
                if version > 0 && !frozen {
                    let time = counters.newest;
                    let export = Export { before: 0, slot, supervised, version, time };
                    self.export(&export, &mut exported)?;
                }
            }
        }
        let readings = self.clock.readings(out.now());
        out.emit_to(PARAMETERS, Batch::new(exported.finish(&self.exported)?, readings));
        Ok(())
    }

    fn tables(&self) -> Vec<TableSpec> {
        let labels = self.waiting_labels.iter().map(|w| w.table.spec());
        [self.waiting.table.spec()].into_iter().chain(labels).chain([self.fits.spec()]).collect()
    }

    fn layout(&self) -> String {
        self.meaning.clone()
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.settle()?;
        let mut deltas: Vec<TableDelta> = self.waiting.table.seal()?.into_iter().collect();
        if let Some(labels) = &mut self.waiting_labels {
            deltas.extend(labels.table.seal()?);
        }
        deltas.extend(self.fits.seal()?);
        Ok(deltas)
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        let waiting = [Some(&mut self.waiting), self.waiting_labels.as_mut()];
        for waiting in waiting.into_iter().flatten() {
            if waiting.table.name() == delta.table {
                return waiting.table.restore(delta);
            }
        }
        self.fits.restore(delta)
    }

    fn state_bytes(&self) -> usize {
        let labels = self.waiting_labels.as_ref().map_or(0, Waiting::bytes);
        self.waiting.bytes() + labels + self.fits.bytes()
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.state_bytes();
        let labels = self.waiting_labels.as_mut().map(Waiting::table_mut);
        spill_tables([self.waiting.table_mut()].into_iter().chain(labels), (held, target), room)
    }

    fn spilled_bytes(&self) -> usize {
        self.waiting.disk_bytes() + self.waiting_labels.as_ref().map_or(0, Waiting::disk_bytes)
    }
}
