//! The as-of join: each left row gets the newest right row up to its own time. Right rows are
//! versions: of those that the watermark has passed, only the newest of each key is held.

use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, Operator, Output, Readings, Result, SpillRoom, TableDelta, TableSpec, Timestamp,
};

use super::Plan;
use super::options::{JoinType, Wait};
use super::output::{Pair, emit_pairs};
use super::side::CHUNK;
use crate::keyed::{
    Agenda, Asked, KeyIndex, NO_ROW, Removal, RowId, RowTable, Times, VersionRows, VersionTable,
    WatermarkClock, spill_tables,
};

/// Joins each left row with the version that held at its time.
pub(super) struct AsOfJoin {
    plan: Plan,
    wait: Wait,
    clock: WatermarkClock,
    /// Left rows that wait for the watermark.
    left: RowTable,
    waiting: Agenda<()>,
    right: VersionTable,
}

impl AsOfJoin {
    pub(super) fn new(plan: &Plan, max_age: Option<i64>, wait: Wait) -> Result<Self> {
        let ([left_keys, right_keys], [left, right]) = (&plan.keys, &plan.rows);
        Ok(Self {
            wait,
            clock: WatermarkClock::default(),
            left: RowTable::new("left", left_keys, left, Removal::ByTime),
            waiting: Agenda::default(),
            right: VersionTable::new(&VersionRows {
                name: "right",
                keys: right_keys,
                rows: right,
                max_age,
                known: None,
                op: None,
            })?,
            plan: plan.clone(),
        })
    }

    fn settle(&mut self) -> Result<()> {
        if self.left.is_restoring() {
            let [keys, _] = &self.plan.keys;
            for row in self.left.settle(&mut KeyIndex::new(&keys.types())?)? {
                self.waiting.push(row.mark.time, row.id, ());
            }
        }
        self.right.settle()
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
        let [_, time] = &self.plan.times;
        let rows = time.of(batch, out)?;
        if let Some(late) = self.right.push(rows, self.clock.watermark())? {
            out.late(self.plan.columns.late(1, &late.batch)?);
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
        let found = self.right.find(&keys, rows.iter().map(|(_, time)| Asked::at(*time)))?;
        let pair =
            |((id, time), found): (&(RowId, i64), RowId)| Pair { rows: [*id, found], time: *time };
        let mut pairs: Vec<Pair> = rows.iter().zip(found).map(pair).collect();
        self.check(&mut pairs, readings, out)?;
        if self.plan.join == JoinType::Inner {
            pairs.retain(|p| !p.rows.contains(&NO_ROW));
        }
        let plan = Plan { condition: None, ..self.plan.clone() };
        emit_pairs(&plan, [&self.left, &self.right.table], (&pairs, 0), readings, out)?;
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
        let batch = self.plan.columns.batch([&self.left, &self.right.table], &found, 0)?;
        let holds = condition.holds(&Batch::new(batch, readings), out)?;
        let found = pairs.iter_mut().filter(|p| !p.rows.contains(&NO_ROW));
        for (pair, _) in found.zip(holds).filter(|(_, holds)| !holds) {
            let [left, _] = pair.rows;
            pair.rows = [left, NO_ROW];
        }
        Ok(())
    }
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
        self.right.advance(watermark.0)
    }

    fn tables(&self) -> Vec<TableSpec> {
        vec![self.left.spec(), self.right.table.spec()]
    }

    fn layout(&self) -> String {
        "as_of".to_owned()
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.settle()?;
        Ok(self.left.seal()?.into_iter().chain(self.right.table.seal()?).collect())
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        match [&mut self.left, &mut self.right.table].into_iter().find(|t| t.name() == delta.table)
        {
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
        self.left.bytes() + self.right.bytes() + self.waiting.bytes()
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.state_bytes();
        spill_tables([&mut self.left, &mut self.right.table], (held, target), room)
    }

    fn spilled_bytes(&self) -> usize {
        self.left.disk_bytes() + self.right.table.disk_bytes()
    }
}
