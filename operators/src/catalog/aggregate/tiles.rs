//! The tiles of all keys of a task: rows pass in the order of event time, are joined into the tiles
//! of their key, and each gets what the tiles knew before its own time.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryBuilder, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use swiftwater_engine::{Error, Merge, Output, Result, TableDelta, TableSpec};

use super::column::Column;
use super::layout::{Feature, Layout};
use super::taken::Taken;
use super::texts::Texts;
use super::tile_answer::Asking;
use super::tile_lane::{Answers, Changed, TileLane};
use crate::keyed::{AHEAD, Agenda, KeyColumns, KeyIndex, Slot, check_columns, warm_up};

/// Name of the table that holds the tiles.
pub(super) const TABLE: &str = "tiles";
/// Keys whose memory is measured for an estimate of all.
const MEASURED: usize = 64;

/// Tiles by key.
pub(super) struct Tiles {
    layout: Arc<Layout>,
    keys: KeyColumns,
    index: KeyIndex,
    lanes: Vec<Option<TileLane>>,
    /// Texts of the rows that are not in tiles yet.
    texts: Texts,
    /// Rows that came with the newest time: they count for later rows only.
    held: Vec<Held>,
    expiring: Agenda<Slot>,
    /// Keys whose tiles changed since the last barrier.
    changed: Vec<Slot>,
    rules: Vec<Option<Arc<str>>>,
    told: Answers,
    expired_below: Option<i64>,
    schema: SchemaRef,
    pending: Vec<TableDelta>,
}

/// Rows of one time that are not in tiles yet.
struct Held {
    taken: Taken,
    slots: Vec<Slot>,
    rows: std::ops::Range<usize>,
    time: i64,
}

impl Tiles {
    pub(super) fn new(layout: &Arc<Layout>, keys: &KeyColumns) -> Result<Self> {
        let mut fields = keys.fields.clone();
        for name in ["__hop", "__start", "__until"] {
            fields.push(Arc::new(Field::new(name, DataType::Int64, false)));
        }
        fields.push(Arc::new(Field::new("__state", DataType::Binary, false)));
        let rule = |f: &Feature| f.tiled.map(|_| format!("{} fits 64 bits", f.name).into());
        Ok(Self {
            rules: layout.features.iter().map(rule).collect(),
            layout: Arc::clone(layout),
            keys: keys.clone(),
            index: KeyIndex::new(&keys.types())?,
            lanes: Vec::new(),
            told: Answers::default(),
            texts: Texts::default(),
            held: Vec::new(),
            expiring: Agenda::default(),
            changed: Vec::new(),
            expired_below: None,
            schema: Arc::new(Schema::new(fields)),
            pending: Vec::new(),
        })
    }

    /// Rows in the order of event time; their features are added to `columns`, one for each feature
    /// of the layout.
    pub(super) fn pass(
        &mut self,
        records: &RecordBatch,
        arguments: &[ArrayRef],
        times: &[i64],
        (columns, out): (&mut [Column], &mut Output),
    ) -> Result<()> {
        self.settle()?;
        let mut slots = Vec::new();
        self.index.insert(&self.keys.of(records), records.num_rows(), &mut slots)?;
        let arguments_of = &self.layout.shape.arguments;
        let taken = Taken::of(arguments, arguments_of, records.num_rows(), &mut self.texts);
        let current = self.layout.tiles.include_current;
        let mut first = 0;
        for (row, (slot, time)) in slots.iter().zip(times).enumerate() {
            if row % AHEAD == 0 {
                warm_up(&self.lanes, slots.get(row..).unwrap_or_default(), TileLane::touch);
            }
            self.make_room(*slot, *time);
            if current {
                self.add(*slot, (&taken, row), *time);
            } else {
                if self.held.last().is_some_and(|held| held.time < *time) {
                    self.flush();
                }
                // Rows that wait have all the same time.
                if let Some(at) = times.get(first).filter(|at| *at < time) {
                    for (before, slot) in slots.iter().enumerate().take(row).skip(first) {
                        self.add(*slot, (&taken, before), *at);
                    }
                    first = row;
                }
            }
            self.answer(*slot, (&taken, row), *time, (columns, out));
        }
        if let Some(time) = times.last().filter(|_| !current) {
            let rows = first..slots.len();
            self.held.push(Held { taken, slots, rows, time: *time });
        }
        Ok(())
    }

    /// Joins the rows that are held into tiles.
    fn flush(&mut self) {
        for held in std::mem::take(&mut self.held) {
            for row in held.rows {
                if let Some(slot) = held.slots.get(row) {
                    self.add(*slot, (&held.taken, row), held.time);
                }
            }
        }
    }

    fn add(&mut self, slot: Slot, (taken, row): (&Taken, usize), time: i64) {
        let row = taken.row(row, time);
        if let Some(lane) = self.lanes.get_mut(slot as usize).and_then(Option::as_mut)
            && lane.add(&self.layout.tiles, row, &self.texts)
        {
            self.changed.push(slot);
        }
        row.release(&mut self.texts, &self.layout.shape.arguments);
    }

    fn answer(
        &mut self,
        slot: Slot,
        (taken, row): (&Taken, usize),
        time: i64,
        (columns, out): (&mut [Column], &mut Output),
    ) {
        let Some(lane) = self.lanes.get(slot as usize).and_then(Option::as_ref) else { return };
        let plan = &self.layout.tiles;
        lane.tell(plan, time, &mut self.told);
        let asking = Asking { arguments: &self.layout.shape.arguments, row: taken.row(row, time) };
        let features = self.layout.features.iter().zip(&self.rules).zip(columns);
        for ((feature, rule), column) in features {
            let Some((question, rule)) = feature.tiled.zip(rule.as_ref()) else { continue };
            let told = self.told.all.get(question).and_then(Option::as_ref);
            let answer = asking.answer(feature, told);
            if answer.breaks_rule() {
                out.count_breaches(rule, 1);
            }
            column.push(answer, &self.texts);
        }
    }

    fn make_room(&mut self, slot: Slot, now: i64) {
        let at = slot as usize;
        if at >= self.lanes.len() {
            self.lanes.resize_with(at + 1, || None);
        }
        if let Some(held) = self.lanes.get_mut(at).filter(|held| held.is_none()) {
            *held = Some(TileLane::new(&self.layout.tiles));
            self.expiring.push(now, 0, slot);
        }
    }

    /// All rows up to the watermark have passed: what no row after it reaches is forgotten.
    pub(super) fn forget(&mut self, watermark: i64) -> Result<()> {
        self.settle()?;
        self.flush();
        let over = watermark.saturating_add(1);
        self.expired_below = self.expired_below.max(Some(over));
        while let Some((_, _, slot)) = self.expiring.pop_until(watermark) {
            let Some(held) = self.lanes.get_mut(slot as usize) else { continue };
            match held.as_ref().map_or(i64::MIN, |lane| lane.until(&self.layout.tiles)) {
                i64::MAX => {}
                until if until > over => self.expiring.push(until.saturating_sub(1), 0, slot),
                _ => {
                    *held = None;
                    self.index.remove(slot);
                }
            }
        }
        Ok(())
    }

    pub(super) fn spec(&self) -> TableSpec {
        let keys = self.keys.numbers.len();
        TableSpec {
            name: TABLE,
            version: 1,
            schema: Arc::clone(&self.schema),
            partition: keys,
            key: keys + 2,
            expiry: Some(keys + 2),
            merge: Merge::Latest,
        }
    }

    /// The tiles that changed since the last time.
    pub(super) fn seal(&mut self) -> Result<Option<TableDelta>> {
        self.settle()?;
        let (mut slots, mut tiles) = (Vec::new(), Vec::new());
        let changed = std::mem::take(&mut self.changed);
        for (at, slot) in changed.iter().copied().enumerate() {
            if at % AHEAD == 0 {
                warm_up(&self.lanes, changed.get(at..).unwrap_or_default(), TileLane::touch);
            }
            let Some(lane) = self.lanes.get_mut(slot as usize).and_then(Option::as_mut) else {
                continue;
            };
            lane.changed(&self.layout.tiles, |tile| {
                slots.push(slot);
                tiles.push(tile);
            });
        }
        let mut columns = self.index.columns(&slots)?;
        let mut column = |of: fn(&Changed) -> i64| {
            let numbers = Int64Array::from_iter_values(tiles.iter().map(of));
            columns.push(Arc::new(numbers) as ArrayRef);
        };
        column(|tile| tile.hop);
        column(|tile| tile.start);
        column(|tile| tile.until);
        let mut states = BinaryBuilder::new();
        tiles.iter().for_each(|tile| states.append_value(&tile.state));
        columns.push(Arc::new(states.finish()));
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let expired_below = self.expired_below.take();
        let delta = TableDelta { table: TABLE, rows, deleted: None, expired_below };
        Ok((!delta.is_empty()).then_some(delta))
    }

    pub(super) fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        check_columns(TABLE, &self.schema, delta)?;
        self.pending.push(delta.clone());
        Ok(())
    }

    /// Puts the tiles that were restored in their places: the newest of each.
    fn settle(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(());
        }
        let expired = pending.iter().filter_map(|delta| delta.expired_below).max();
        let keys = self.keys.numbers.len();
        let mut newest = std::collections::BTreeMap::new();
        let mut slots = Vec::new();
        for delta in &pending {
            let columns = delta.rows.columns().get(..keys).unwrap_or_default();
            self.index.insert(columns, delta.rows.num_rows(), &mut slots)?;
            let number = |at: usize| delta.rows.column(keys + at).as_primitive::<Int64Type>();
            let (hops, starts, untils) = (number(0), number(1), number(2));
            let states = delta.rows.column(keys + 3).as_binary::<i32>();
            for (row, slot) in slots.iter().enumerate() {
                let (hop, start, until) = (hops.value(row), starts.value(row), untils.value(row));
                let state = states.value(row).to_vec();
                newest.insert((*slot, hop, start), Changed { hop, start, until, state });
            }
        }
        for ((slot, ..), tile) in newest {
            if expired.is_some_and(|expired| tile.until < expired) {
                continue;
            }
            self.make_room(slot, tile.until.saturating_sub(1));
            let lane = self.lanes.get_mut(slot as usize).and_then(Option::as_mut);
            let restored = lane.map(|lane| lane.restore(&self.layout.tiles, &tile));
            if restored.flatten().is_none() {
                let message = format!("restore the table `{TABLE}`: a tile holds something else");
                return Err(Error::state("SW3311", message));
            }
        }
        let lanes = &self.lanes;
        self.index.retain(|slot| lanes.get(slot as usize).is_some_and(Option::is_some));
        Ok(())
    }

    /// Bytes of memory, estimated from some of the keys.
    pub(super) fn bytes(&self) -> usize {
        let step = (self.lanes.len() / MEASURED).max(1);
        let measured = self.lanes.iter().step_by(step);
        let (count, bytes) = measured.fold((0, 0), |(count, bytes), lane| {
            (count + 1, bytes + size_of::<TileLane>() + lane.as_ref().map_or(0, TileLane::bytes))
        });
        let lanes = bytes * self.lanes.len() / count.max(1);
        let held: usize = self.held.iter().map(|held| held.taken.bytes()).sum();
        lanes + held + self.texts.bytes() + self.index.bytes() + self.expiring.bytes()
    }
}
