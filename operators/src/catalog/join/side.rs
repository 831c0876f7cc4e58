//! The two sides of a join that holds rows of both: by key in the order of event time.

use arrow::array::{AsArray, UInt32Array};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::Int64Type;
use hashbrown::{HashMap, HashSet};
use swiftwater_engine::{
    Batch, Error, Merge, Output, Readings, Result, SpillRoom, TableDelta, TableSpec, Timestamp,
};

use super::Plan;
use super::output::{Pair, emit_pairs};
use crate::keyed::{
    Agenda, Entry, Hasher, KeyIndex, NO_ROW, Removal, RowId, RowTable, Slot, Timeline, Times,
    WatermarkClock, identity, keyed_rows, spill_tables,
};

/// Most rows of a batch of the result.
pub(super) const CHUNK: usize = 8192;
const TABLES: [&str; 2] = ["left", "right"];
const MATCHED: [&str; 2] = ["left_matched", "right_matched"];

/// What belongs to side 0 (left) or 1 (right).
pub(super) const fn of<T>(sides: &[T; 2], side: usize) -> &T {
    let [left, right] = sides;
    if side == 0 { left } else { right }
}

const fn name([left, right]: [&'static str; 2], side: usize) -> &'static str {
    if side == 0 { left } else { right }
}

const fn of_mut<T>(sides: &mut [T; 2], side: usize) -> &mut T {
    let [left, right] = sides;
    if side == 0 { left } else { right }
}

/// The rows of one side.
pub(super) struct Side {
    pub(super) table: RowTable,
    pub(super) timelines: Vec<Timeline>,
    /// Rows by the time at which they are done with.
    pub(super) agenda: Agenda<Slot>,
    held: usize,
    /// Whether rows come out that meet none of the other side.
    keeps: bool,
    /// Rows that met one since the last barrier.
    matched: Vec<RowId>,
    restoring: Vec<TableDelta>,
}

/// Both sides.
pub(super) struct Sides {
    pub(super) plan: Plan,
    pub(super) clock: WatermarkClock,
    pub(super) index: KeyIndex,
    pub(super) sides: [Side; 2],
    /// The time at which a row of some time is done with.
    due: Box<dyn Fn(i64) -> i64 + Send>,
}

/// Rows that came, numbered and with their keys.
pub(super) struct Arrived {
    pub(super) readings: Readings,
    pub(super) first: RowId,
    pub(super) times: ScalarBuffer<i64>,
    pub(super) slots: Vec<Slot>,
    /// Which rows have no null in their key, where some have one.
    keyed: Option<NullBuffer>,
}

impl Arrived {
    /// Number, key and time of each row; whether it can meet another.
    pub(super) fn rows(&self) -> impl Iterator<Item = (RowId, Slot, i64, bool)> {
        let rows = (self.first..).zip(self.slots.iter().zip(&self.times)).enumerate();
        rows.map(|(row, (id, (slot, time)))| (id, *slot, *time, is_keyed(self.keyed.as_ref(), row)))
    }
}

fn is_keyed(keyed: Option<&NullBuffer>, row: usize) -> bool {
    keyed.is_none_or(|k| k.is_valid(row))
}

impl Sides {
    pub(super) fn new(plan: &Plan, due: impl Fn(i64) -> i64 + Send + 'static) -> Result<Self> {
        let side = |number: usize| Side {
            table: RowTable::new(
                name(TABLES, number),
                of(&plan.keys, number),
                of(&plan.rows, number),
                Removal::ByTime,
            ),
            timelines: Vec::new(),
            agenda: Agenda::default(),
            held: 0,
            keeps: plan.join.keeps(number),
            matched: Vec::new(),
            restoring: Vec::new(),
        };
        let [left, _] = &plan.keys;
        Ok(Self {
            plan: plan.clone(),
            clock: WatermarkClock::default(),
            index: KeyIndex::new(&left.types())?,
            sides: [side(0), side(1)],
            due: Box::new(due),
        })
    }

    pub(super) const fn side(&self, side: usize) -> &Side {
        of(&self.sides, side)
    }

    pub(super) const fn side_mut(&mut self, side: usize) -> &mut Side {
        of_mut(&mut self.sides, side)
    }

    /// Takes in rows: late ones and those that can meet none and are not kept are left out.
    pub(super) fn arrive(
        &mut self,
        side: usize,
        batch: Batch,
        is_late: impl Fn(&WatermarkClock, i64) -> bool,
        out: &mut Output,
    ) -> Result<Arrived> {
        self.settle()?;
        self.clock.saw(batch.readings);
        let rows = of(&self.plan.times, side).of(batch, out)?;
        let (mut rows, late) = rows.split_late(|_, time| is_late(&self.clock, time))?;
        if let Some(late) = late {
            out.late(self.plan.columns.late(side, &late)?);
        }
        let mut keys = of(&self.plan.keys, side).of(&rows.batch.records);
        let mut keyed = keyed_rows(&keys);
        if let Some(mask) = keyed.take_if(|k| !self.side(side).keeps && k.null_count() > 0) {
            let kept: UInt32Array =
                (0_u32..).zip(mask.iter()).filter_map(|(row, k)| k.then_some(row)).collect();
            rows = rows.pick(&kept)?;
            keys = of(&self.plan.keys, side).of(&rows.batch.records);
        }
        let mut slots = Vec::new();
        self.index.insert(&keys, rows.rows(), &mut slots)?;
        let Times { batch, times } = rows;
        let first = self.side_mut(side).table.push(batch.records, &times)?;
        Ok(Arrived { readings: batch.readings, first, times, slots, keyed })
    }

    /// Keeps rows that came, with whether they met one of the other side already.
    pub(super) fn keep(&mut self, side: usize, arrived: &Arrived, matched: &[bool]) {
        let due = &self.due;
        let side = of_mut(&mut self.sides, side);
        for (row, (id, slot, time, _)) in arrived.rows().enumerate() {
            let matched = matched.get(row).copied().unwrap_or(false);
            if matched && side.keeps {
                side.matched.push(id);
            }
            side.insert(slot, Entry { time, id, matched }, due(time));
        }
    }

    /// Takes out a row that is done with; forgets its key with the last one.
    pub(super) fn take(
        &mut self,
        side: usize,
        slot: Slot,
        (time, id): (i64, RowId),
    ) -> Option<Entry> {
        let entry = self.side_mut(side).take(slot, time, id);
        if self.sides.iter().all(|s| s.timeline(slot).is_none_or(Timeline::is_empty)) {
            self.index.remove(slot);
        }
        entry
    }

    /// Gives pairs as rows of the result, those for which the condition holds. A pair with one side
    /// is given in any case.
    pub(super) fn emit(
        &self,
        pairs: &[Pair],
        window: i64,
        readings: Readings,
        out: &mut Output,
    ) -> Result<Vec<bool>> {
        let [left, right] = &self.sides;
        emit_pairs(&self.plan, [&left.table, &right.table], (pairs, window), readings, out)
    }

    /// Readings for rows that come out because time has passed.
    pub(super) fn readings(&self, now: Timestamp) -> Readings {
        self.clock.readings(now)
    }

    pub(super) fn tables(&self) -> Vec<TableSpec> {
        let tables = |(number, side): (usize, &Side)| {
            let rows = side.table.spec();
            let matched = side.keeps.then(|| TableSpec {
                name: name(MATCHED, number),
                version: 1,
                schema: side.table.identity_schema(),
                merge: Merge::Latest,
                ..rows.clone()
            });
            [Some(rows), matched].into_iter().flatten()
        };
        self.sides.iter().enumerate().flat_map(tables).collect()
    }

    pub(super) fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.settle()?;
        let mut deltas = Vec::new();
        for (number, side) in self.sides.iter_mut().enumerate() {
            let below = side.table.expired();
            deltas.extend(side.table.seal()?);
            let matched = std::mem::take(&mut side.matched);
            let matched = side.table.alive(matched);
            if side.keeps && !(matched.is_empty() && below.is_none()) {
                let rows = side.table.identities(&matched, &side.table.identity_schema())?;
                deltas.push(TableDelta {
                    expired_below: below,
                    ..TableDelta::of(name(MATCHED, number), rows)
                });
            }
        }
        Ok(deltas)
    }

    pub(super) fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        for (number, side) in self.sides.iter_mut().enumerate() {
            if delta.table == name(TABLES, number) {
                return side.table.restore(delta);
            }
            if delta.table == name(MATCHED, number) {
                side.restoring.push(delta.clone());
                return Ok(());
            }
        }
        Err(Error::state(
            "SW3311",
            format!("restore the unknown table `{}` of a join", delta.table),
        ))
    }

    /// Takes in what was restored.
    pub(super) fn settle(&mut self) -> Result<()> {
        if !self.sides.iter().any(|s| s.table.is_restoring() || !s.restoring.is_empty()) {
            return Ok(());
        }
        let keys = of(&self.plan.keys, 0).numbers.len();
        for side in &mut self.sides {
            let matched =
                matched_rows(&std::mem::take(&mut side.restoring), keys, &mut self.index)?;
            for row in side.table.settle(&mut self.index)? {
                let matched = matched.contains(&(row.slot, row.mark.stored));
                let time = row.mark.time;
                side.insert(row.slot, Entry { time, id: row.id, matched }, (self.due)(time));
            }
        }
        let sides = &self.sides;
        let held = |slot| sides.iter().any(|s| s.timeline(slot).is_some_and(|t| !t.is_empty()));
        self.index.retain(held);
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.index.bytes() + self.sides.iter().map(Side::bytes).sum::<usize>()
    }

    pub(super) fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.bytes();
        spill_tables(self.sides.iter_mut().map(|s| &mut s.table), (held, target), room)
    }

    pub(super) fn disk_bytes(&self) -> usize {
        self.sides.iter().map(|s| s.table.disk_bytes()).sum()
    }
}

/// The rows that met one: those of all deltas whose time is not over. The number of a row that is
/// over may be given out again once its key moves to another task.
fn matched_rows(
    deltas: &[TableDelta],
    keys: usize,
    index: &mut KeyIndex,
) -> Result<HashSet<(Slot, i64), Hasher>> {
    let mut matched: HashMap<(Slot, i64), i64, Hasher> = HashMap::default();
    let mut slots = Vec::new();
    for delta in deltas {
        let (columns, stored) = identity(&delta.rows, keys)?;
        index.insert(columns, delta.rows.num_rows(), &mut slots)?;
        let times = delta.rows.columns().get(keys + 1).map(|c| c.as_primitive::<Int64Type>());
        let times = times.map_or(&[][..], |times| times.values());
        matched.extend(
            slots.iter().copied().zip(stored.values().iter().copied()).zip(times.iter().copied()),
        );
        if let Some(below) = delta.expired_below {
            matched.retain(|_, time| *time >= below);
        }
    }
    Ok(matched.into_keys().collect())
}

impl Side {
    pub(super) fn timeline(&self, slot: Slot) -> Option<&Timeline> {
        self.timelines.get(slot as usize)
    }

    fn insert(&mut self, slot: Slot, entry: Entry, due: i64) {
        let at = slot as usize;
        if at >= self.timelines.len() {
            self.timelines.resize(at + 1, Timeline::Empty);
        }
        if let Some(timeline) = self.timelines.get_mut(at) {
            timeline.insert(entry);
            self.held += 1;
        }
        self.agenda.push(due, entry.id, slot);
    }

    fn take(&mut self, slot: Slot, time: i64, id: RowId) -> Option<Entry> {
        let entry = self.timelines.get_mut(slot as usize)?.remove(time, id);
        self.held -= usize::from(entry.is_some());
        entry
    }

    /// Notes that a row met one of the other side.
    pub(super) fn mark_matched(&mut self, slot: Slot, time: i64, id: RowId) {
        if self.keeps
            && let Some(timeline) = self.timelines.get_mut(slot as usize)
            && let Some(entry) = timeline.get_mut(time, id)
            && !std::mem::replace(&mut entry.matched, true)
        {
            self.matched.push(id);
        }
    }

    /// Whether rows come out that meet none of the other side.
    pub(super) const fn keeps(&self) -> bool {
        self.keeps
    }

    fn bytes(&self) -> usize {
        let timelines = self.timelines.capacity() * size_of::<Timeline>();
        self.table.bytes() + self.agenda.bytes() + timelines + self.held * size_of::<Entry>()
    }
}

/// A pair of which `side` is the only row.
pub(super) const fn alone(side: usize, id: RowId, time: i64) -> Pair {
    Pair { rows: if side == 0 { [id, NO_ROW] } else { [NO_ROW, id] }, time }
}
