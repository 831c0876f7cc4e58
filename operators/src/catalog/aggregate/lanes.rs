//! All keys of a task: rows pass, one after the other in the order of event time, and each gets the
//! features of its key as of its own time.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use swiftwater_engine::{Merge, Output, Result, TableDelta, TableSpec};

use super::answer::Reading;
use super::column::Column;
use super::held::Known;
use super::lane::Lane;
use super::layout::Layout;
use super::shape::{Cells, Row};
use super::taken::Taken;
use super::texts::Texts;
use crate::keyed::{AHEAD, Agenda, KeyColumns, KeyIndex, Slot, check_columns, identity, warm_up};

/// Name of the table that holds the rows.
pub(super) const TABLE: &str = "rows";
/// Keys whose memory is measured for an estimate of all.
const MEASURED: usize = 64;

/// Rows by key, and what is kept of them.
pub(super) struct Lanes {
    layout: Arc<Layout>,
    keys: KeyColumns,
    index: KeyIndex,
    lanes: Vec<Option<Lane>>,
    texts: Texts,
    /// Each key that has rows, at the time of a row of it.
    expiring: Agenda<Slot>,
    /// What is asked of tracks, and by which feature.
    questions: Vec<(usize, usize)>,
    asked: Vec<Option<usize>>,
    rules: Vec<Arc<str>>,
    slots: Vec<Slot>,
    /// Rows in the columns of the table that came since the last barrier.
    fresh: Vec<RecordBatch>,
    expired_below: Option<i64>,
    schema: SchemaRef,
    pending: Vec<TableDelta>,
}

impl Lanes {
    pub(super) fn new(layout: &Arc<Layout>, keys: &KeyColumns) -> Result<Self> {
        let mut fields = keys.fields.clone();
        fields.push(Arc::new(Field::new("__row", DataType::Int64, false)));
        fields.push(Arc::new(Field::new("__time", DataType::Int64, false)));
        let stored = layout.arguments.iter().enumerate().map(|(n, a)| Arc::new(a.stored(n)));
        fields.extend(stored);
        let mut questions = Vec::new();
        let asked = layout.features.iter().map(|feature| {
            let wanted = (feature.track?, feature.window);
            Some(questions.iter().position(|q| *q == wanted).unwrap_or_else(|| {
                questions.push(wanted);
                questions.len() - 1
            }))
        });
        let asked = asked.collect();
        let rules = layout.features.iter().map(|f| format!("{} fits 64 bits", f.name).into());
        Ok(Self {
            keys: keys.clone(),
            index: KeyIndex::new(&keys.types())?,
            lanes: Vec::new(),
            texts: Texts::default(),
            expiring: Agenda::default(),
            questions,
            asked,
            rules: rules.collect(),
            slots: Vec::new(),
            fresh: Vec::new(),
            expired_below: None,
            schema: Arc::new(Schema::new(fields)),
            pending: Vec::new(),
            layout: Arc::clone(layout),
        })
    }

    /// Rows in the order of event time; `arguments` are their values as the layout takes them.
    /// Their features are added to `columns`, one for each feature of the layout.
    pub(super) fn pass(
        &mut self,
        records: &RecordBatch,
        arguments: &[ArrayRef],
        times: &[i64],
        (columns, out): (&mut [Column], &mut Output),
    ) -> Result<()> {
        self.settle()?;
        let key = self.keys.of(records);
        let mut slots = std::mem::take(&mut self.slots);
        self.index.insert(&key, records.num_rows(), &mut slots)?;
        let taken = self.taken(arguments, records.num_rows());
        let mut numbers = Vec::with_capacity(slots.len());
        let mut known = Vec::with_capacity(self.questions.len());
        for (row, (slot, time)) in slots.iter().zip(times).enumerate() {
            if row % AHEAD == 0 {
                warm_up(&self.lanes, slots.get(row..).unwrap_or_default(), Lane::touch);
            }
            let row = taken.row(row, *time);
            numbers.push(self.one(*slot, row, &mut known, columns, out).cast_signed());
        }
        self.slots = slots;
        let mut table = key;
        table.push(Arc::new(Int64Array::from(numbers)));
        table.push(Arc::new(Int64Array::from_iter_values(times.iter().copied())));
        table.extend(arguments.iter().cloned());
        self.fresh.push(RecordBatch::try_new(Arc::clone(&self.schema), table)?);
        Ok(())
    }

    /// One row passes; gives its number.
    fn one(
        &mut self,
        slot: Slot,
        row: Row<'_>,
        known: &mut Vec<Option<Known>>,
        columns: &mut [Column],
        out: &mut Output,
    ) -> u64 {
        let layout = Arc::clone(&self.layout);
        let shape = &layout.shape;
        self.make_room(slot, row.time);
        let Some(lane) = self.lanes.get_mut(slot as usize).and_then(Option::as_mut) else {
            return 0;
        };
        let before = shape.include_current.then(|| lane.push(row));
        lane.move_to(shape, row.time);
        known.clear();
        known.extend(self.questions.iter().map(|(track, window)| lane.known(*track, *window)));
        let reading = Reading { shape, lane, texts: &self.texts, row, known };
        for ((feature, asked), (column, rule)) in
            layout.features.iter().zip(&self.asked).zip(columns.iter_mut().zip(&self.rules))
        {
            if feature.tiled.is_some() {
                continue;
            }
            let answer = reading.answer(feature, *asked);
            if answer.breaks_rule() {
                out.count_breaches(rule, 1);
            }
            column.push(answer, &self.texts);
        }
        let number = before.unwrap_or_else(|| lane.push(row));
        let gone = lane.gone();
        release(&mut self.texts, shape.arguments.as_slice(), lane, gone.clone());
        lane.forget_below(gone.end);
        number
    }

    /// A lane for a row of time `now`, without the rows that are out of its reach.
    fn make_room(&mut self, slot: Slot, now: i64) {
        let shape = &self.layout.shape;
        let at = slot as usize;
        if at >= self.lanes.len() {
            self.lanes.resize(at + 1, None);
        }
        let Some(held) = self.lanes.get_mut(at) else { return };
        match held {
            Some(lane) if !lane.is_over(shape, now) => {}
            Some(lane) => {
                release(&mut self.texts, &shape.arguments, lane, lane.rows());
                *held = Some(Lane::new(shape));
            }
            None => {
                *held = Some(Lane::new(shape));
                self.expiring.push(now, 0, slot);
            }
        }
    }

    /// Forgets what no row after the watermark can reach.
    pub(super) fn forget(&mut self, watermark: i64) -> Result<()> {
        self.settle()?;
        let horizon = watermark.saturating_sub(self.layout.shape.widest());
        self.expired_below = self.expired_below.max(Some(horizon));
        while let Some((_, _, slot)) = self.expiring.pop_until(horizon) {
            let Some(held) = self.lanes.get_mut(slot as usize) else { continue };
            match held.as_ref().and_then(Lane::newest).filter(|newest| *newest > horizon) {
                Some(newest) => self.expiring.push(newest, 0, slot),
                None => {
                    if let Some(lane) = held.take() {
                        let arguments = &self.layout.shape.arguments;
                        release(&mut self.texts, arguments, &lane, lane.rows());
                    }
                    self.index.remove(slot);
                }
            }
        }
        Ok(())
    }

    /// Values of rows as cells. Each row holds its texts until it is gone.
    fn taken(&mut self, arguments: &[ArrayRef], rows: usize) -> Taken {
        Taken::of(arguments, &self.layout.shape.arguments, rows, &mut self.texts)
    }

    pub(super) fn spec(&self) -> TableSpec {
        let keys = self.keys.numbers.len();
        TableSpec {
            name: TABLE,
            version: 1,
            schema: Arc::clone(&self.schema),
            partition: keys,
            key: keys + 1,
            expiry: Some(keys + 1),
            merge: Merge::Latest,
        }
    }

    /// The rows that came since the last time.
    pub(super) fn seal(&mut self) -> Result<Option<TableDelta>> {
        self.settle()?;
        let fresh = std::mem::take(&mut self.fresh);
        let rows = arrow::compute::concat_batches(&self.schema, &fresh)?;
        let expired_below = self.expired_below.take();
        let delta = TableDelta { table: TABLE, rows, deleted: None, expired_below };
        Ok((!delta.is_empty()).then_some(delta))
    }

    pub(super) fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        check_columns(TABLE, &self.schema, delta)?;
        self.pending.push(delta.clone());
        Ok(())
    }

    /// Lets the rows that were restored pass, in their old order and under their old numbers.
    fn settle(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let expired = pending.iter().filter_map(|delta| delta.expired_below).max();
        let (mut parts, mut order) = (Vec::new(), Vec::new());
        let mut slots = Vec::new();
        for delta in &pending {
            let keys = self.keys.numbers.len();
            let (columns, numbers) = identity(&delta.rows, keys)?;
            self.index.insert(columns, delta.rows.num_rows(), &mut slots)?;
            let times = delta.rows.column(keys + 1).as_primitive::<Int64Type>();
            let arguments = delta.rows.columns().get(keys + 2..).unwrap_or_default();
            let rows = slots.iter().zip(times.values()).zip(numbers.values()).enumerate();
            order.extend(rows.map(|(row, ((slot, time), number))| {
                (*slot, *time, number.cast_unsigned(), parts.len(), row)
            }));
            parts.push(self.taken(arguments, delta.rows.num_rows()));
        }
        order.sort_unstable();
        for (slot, time, number, part, row) in order {
            let Some(taken) = parts.get(part) else { continue };
            let row = taken.row(row, time);
            if expired.is_some_and(|expired| time < expired) {
                row.release(&mut self.texts, &self.layout.shape.arguments);
                continue;
            }
            self.make_room(slot, time);
            if let Some(lane) = self.lanes.get_mut(slot as usize).and_then(Option::as_mut) {
                lane.push_at(number, row);
            }
        }
        if !pending.is_empty() {
            let lanes = &self.lanes;
            self.index.retain(|slot| lanes.get(slot as usize).is_some_and(Option::is_some));
        }
        Ok(())
    }

    /// Bytes of memory, estimated from some of the keys.
    pub(super) fn bytes(&self) -> usize {
        let step = (self.lanes.len() / MEASURED).max(1);
        let measured = self.lanes.iter().step_by(step);
        let (count, bytes) = measured.fold((0, 0), |(count, bytes), lane| {
            (count + 1, bytes + lane.as_ref().map_or(size_of::<Lane>(), Lane::bytes))
        });
        let fresh: usize = self.fresh.iter().map(RecordBatch::get_array_memory_size).sum();
        let lanes = bytes * self.lanes.len() / count.max(1);
        lanes + fresh + self.texts.bytes() + self.index.bytes() + self.expiring.bytes()
    }
}

fn release(texts: &mut Texts, arguments: &[Cells], lane: &Lane, rows: std::ops::Range<u64>) {
    for (argument, _) in arguments.iter().enumerate().filter(|(_, c)| **c == Cells::Text) {
        for cell in rows.clone().filter_map(|row| lane.cell(argument, row)) {
            texts.release(u32::try_from(cell).unwrap_or(u32::MAX));
        }
    }
}
