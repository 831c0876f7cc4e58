//! The as-of join: each left row gets the newest right row up to its own time. Right rows are
//! versions: of those that the watermark has passed, only the newest of each key is held.

use arrow::array::UInt32Array;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, Operator, Output, Readings, Result, SpillRoom, TableDelta, TableSpec, Timestamp,
};

use super::Plan;
use super::options::{JoinType, Wait};
use super::output::{Pair, emit_pairs};
use super::side::{CHUNK, keyed_rows};
use super::versions::Versions;
use crate::keyed::{
    Agenda, KeyIndex, NO_ROW, Removal, RowId, RowTable, Slot, Times, WatermarkClock, spill_tables,
};

/// Joins each left row with the version that held at its time.
pub(super) struct AsOfJoin {
    plan: Plan,
    wait: Wait,
    clock: WatermarkClock,
    index: KeyIndex,
    slots: Vec<Slot>,
    /// Left rows that wait for the watermark.
    left: RowTable,
    waiting: Agenda<()>,
    right: RowTable,
    versions: Versions,
}

impl AsOfJoin {
    pub(super) fn new(plan: &Plan, max_age: Option<i64>, wait: Wait) -> Result<Self> {
        let ([left_keys, right_keys], [left, right]) = (&plan.keys, &plan.rows);
        Ok(Self {
            wait,
            clock: WatermarkClock::default(),
            index: KeyIndex::new(&left_keys.types())?,
            slots: Vec::new(),
            left: RowTable::new("left", left_keys, left, Removal::ByTime),
            waiting: Agenda::default(),
            right: RowTable::new("right", right_keys, right, Removal::ByKey),
            versions: Versions::new(max_age),
            plan: plan.clone(),
        })
    }

    fn settle(&mut self) -> Result<()> {
        if !self.left.is_restoring() && !self.right.is_restoring() {
            return Ok(());
        }
        for row in self.left.settle(&mut self.index)? {
            self.waiting.push(row.mark.time, row.id, ());
        }
        for row in self.right.settle(&mut self.index)? {
            self.versions.insert(row.slot, row.mark.time, row.id);
        }
        let versions = &self.versions;
        self.index.retain(|slot| !versions.is_empty(slot));
        Ok(())
    }

    fn process_left(&mut self, batch: Batch, out: &mut Output) -> Result<()> {
        let [time, _] = &self.plan.times;
        let rows = time.of(batch, out)?;
        let (rows, late) = rows.split_late(|_, time| self.clock.has_passed(time))?;
        if let Some(late) = late {
            out.late(self.plan.columns.late(0, &late)?);
        }
        let Times { batch, times } = rows;
        let readings = batch.readings;
        let first = self.left.push(batch.records, &times)?;
        if self.wait == Wait::Watermark {
            (first..).zip(&times).for_each(|(id, time)| self.waiting.push(*time, id, ()));
            return Ok(());
        }
        let rows: Vec<(RowId, i64)> = (first..).zip(times.iter().copied()).collect();
        self.answer(&rows, readings, out)
    }

    fn process_right(&mut self, batch: Batch, out: &mut Output) -> Result<()> {
        let ([_, keys], [_, time]) = (&self.plan.keys, &self.plan.times);
        let mut rows = time.of(batch, out)?;
        if let Some(keyed) = keyed_rows(&keys.of(&rows.batch.records)) {
            // A null equals nothing.
            rows = rows.pick(&numbers(keyed.iter()))?;
        }
        self.index.insert(&keys.of(&rows.batch.records), rows.rows(), &mut self.slots)?;
        let first = self.right.push(rows.batch.records.clone(), &rows.times)?;
        let watermark = self.clock.watermark();
        let mut useless = Vec::with_capacity(rows.rows());
        for (id, (slot, time)) in (first..).zip(self.slots.iter().zip(&rows.times)) {
            let is_useless = watermark.is_some_and(|w| self.versions.is_useless(*slot, *time, w));
            useless.push(is_useless);
            if !is_useless {
                self.versions.insert(*slot, *time, id);
            }
        }
        if !useless.contains(&true) {
            return Ok(());
        }
        let late = rows.pick(&numbers(useless.iter().copied()))?;
        out.late(self.plan.columns.late(1, &late.batch)?);
        let gone = (first..).zip(&useless).filter(|(_, u)| **u).map(|(id, _)| id);
        self.right.remove(&gone.collect::<Vec<_>>())?;
        for slot in &self.slots {
            if self.versions.is_empty(*slot) {
                self.index.remove(*slot);
            }
        }
        Ok(())
    }

    /// Gives left rows with the versions that held at their times.
    fn answer(
        &mut self,
        rows: &[(RowId, i64)],
        readings: Readings,
        out: &mut Output,
    ) -> Result<()> {
        let ids: Vec<RowId> = rows.iter().map(|(id, _)| *id).collect();
        let places = self.left.places(&ids)?;
        let [keys, _] = &self.plan.keys;
        let keys = keys.numbers.iter().map(|c| self.left.column(*c, &places));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let keyed = keyed_rows(&keys);
        self.index.find(&keys, rows.len(), &mut self.slots)?;
        let version = |row: usize, slot: Slot, time: i64| {
            let keyed = keyed.as_ref().is_none_or(|k| k.is_valid(row));
            keyed.then(|| self.versions.at(slot, time)).flatten().unwrap_or(NO_ROW)
        };
        let pair = |(row, ((id, time), slot)): (usize, (&(RowId, i64), &Slot))| Pair {
            rows: [*id, version(row, *slot, *time)],
            time: *time,
        };
        let mut pairs: Vec<Pair> = rows.iter().zip(&self.slots).enumerate().map(pair).collect();
        self.check(&mut pairs, readings, out)?;
        if self.plan.join == JoinType::Inner {
            pairs.retain(|p| !p.rows.contains(&NO_ROW));
        }
        let plan = Plan { condition: None, ..self.plan.clone() };
        emit_pairs(&plan, [&self.left, &self.right], (&pairs, 0), readings, out)?;
        self.left.remove(&ids)
    }

    /// Takes the version from those pairs for which the condition does not hold.
    fn check(&self, pairs: &mut [Pair], readings: Readings, out: &mut Output) -> Result<()> {
        let Some(condition) = &self.plan.condition else { return Ok(()) };
        let found = pairs.iter().filter(|p| !p.rows.contains(&NO_ROW)).copied();
        let found: Vec<Pair> = found.collect();
        if found.is_empty() {
            return Ok(());
        }
        let batch = self.plan.columns.batch([&self.left, &self.right], &found, 0)?;
        let holds = condition.holds(&Batch::new(batch, readings), out)?;
        let found = pairs.iter_mut().filter(|p| !p.rows.contains(&NO_ROW));
        for (pair, _) in found.zip(holds).filter(|(_, holds)| !holds) {
            let [left, _] = pair.rows;
            pair.rows = [left, NO_ROW];
        }
        Ok(())
    }
}

fn numbers(picked: impl Iterator<Item = bool>) -> UInt32Array {
    (0_u32..).zip(picked).filter_map(|(row, picked)| picked.then_some(row)).collect()
}

impl Operator for AsOfJoin {
    fn process(&mut self, side: Input, batch: Batch, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.saw(batch.readings);
        if side == 0 { self.process_left(batch, out) } else { self.process_right(batch, out) }
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.advance(watermark);
        let readings = self.clock.readings(out.now());
        loop {
            let mut due = Vec::new();
            while due.len() < CHUNK
                && let Some((time, id, ())) = self.waiting.pop_until(watermark.0)
            {
                due.push((id, time));
            }
            if due.is_empty() {
                break;
            }
            self.answer(&due, readings, out)?;
        }
        self.left.expire_below(watermark.0.saturating_add(1));
        let gone = self.versions.advance(watermark.0, &mut self.index);
        self.right.remove(&gone)
    }

    fn tables(&self) -> Vec<TableSpec> {
        vec![self.left.spec(), self.right.spec()]
    }

    fn layout(&self) -> String {
        "as_of".to_owned()
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.settle()?;
        Ok(self.left.seal()?.into_iter().chain(self.right.seal()?).collect())
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        match [&mut self.left, &mut self.right].into_iter().find(|t| t.name() == delta.table) {
            Some(table) => table.restore(delta),
            None => {
                let table = delta.table;
                Err(Error::state(
                    "SW3311",
                    format!("restore the unknown table `{table}` of a join"),
                ))
            }
        }
    }

    fn state_bytes(&self) -> usize {
        let rows = self.left.bytes() + self.right.bytes() + self.waiting.bytes();
        self.index.bytes() + rows + self.versions.bytes()
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.state_bytes();
        spill_tables([&mut self.left, &mut self.right], (held, target), room)
    }

    fn spilled_bytes(&self) -> usize {
        self.left.disk_bytes() + self.right.disk_bytes()
    }
}
