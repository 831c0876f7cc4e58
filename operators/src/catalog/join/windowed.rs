//! The window join: rows meet that are in the same tumbling window; they are held until it closes.

use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Operator, Output, Readings, Result, SpillRoom, TableDelta, TableSpec, Timestamp,
};

use super::Plan;
use super::output::Pair;
use super::side::{CHUNK, Sides, alone};
use crate::keyed::{RowId, Slot, keyed_rows};

/// A window closes when the watermark is a millisecond before its end.
const CLOSES_BEFORE: i64 = 1000;

/// Joins rows of the same window.
pub(super) struct WindowJoin {
    sides: Sides,
    size: i64,
}

const fn start_of(time: i64, size: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(size))
}

const fn end_of(time: i64, size: i64) -> i64 {
    start_of(time, size).saturating_add(size)
}

/// A left row of a window that closes.
struct Row {
    id: RowId,
    slot: Slot,
    time: i64,
}

impl WindowJoin {
    pub(super) fn new(plan: &Plan, size: i64) -> Result<Self> {
        Ok(Self { sides: Sides::new(plan, move |time| end_of(time, size))?, size })
    }

    /// The rows of one side in the window that ends at `end`, in the order in which they came.
    fn rows(&mut self, side: usize, end: i64) -> Vec<Row> {
        let side = self.sides.side_mut(side);
        let mut rows = Vec::new();
        while let Some((_, id, slot)) = side.agenda.pop_until(end) {
            let time = side.table.time(id).unwrap_or(end);
            rows.push(Row { id, slot, time });
        }
        rows
    }

    fn close(&mut self, end: i64, out: &mut Output) -> Result<()> {
        let readings = self.sides.readings(out.now());
        let (left, right) = (self.rows(0, end), self.rows(1, end));
        let matched = self.pairs(&left, end, readings, out)?;
        let mut unmatched = Vec::new();
        for (row, matched) in left.iter().zip(matched) {
            self.sides.take(0, row.slot, (row.time, row.id));
            if self.sides.side(0).keeps() && !matched {
                unmatched.push(alone(0, row.id, end));
            }
        }
        for row in &right {
            let entry = self.sides.take(1, row.slot, (row.time, row.id));
            if self.sides.side(1).keeps() && entry.is_some_and(|e| !e.matched) {
                unmatched.push(alone(1, row.id, end));
            }
        }
        for unmatched in unmatched.chunks(CHUNK) {
            self.sides.emit(unmatched, self.size, readings, out)?;
        }
        for (side, rows) in [left, right].into_iter().enumerate() {
            let ids: Vec<RowId> = rows.into_iter().map(|row| row.id).collect();
            self.sides.side_mut(side).table.remove(&ids)?;
        }
        Ok(())
    }

    /// Gives the pairs of a window; tells which left rows are in one.
    fn pairs(
        &mut self,
        left: &[Row],
        end: i64,
        readings: Readings,
        out: &mut Output,
    ) -> Result<Vec<bool>> {
        let mut matched = vec![false; left.len()];
        let keyed = self.keyed(left)?;
        let (mut pairs, mut of): (Vec<Pair>, Vec<(usize, i64)>) = (Vec::new(), Vec::new());
        let (first, last) = (end.saturating_sub(self.size), end.saturating_sub(1));
        for (row, Row { id, slot, .. }) in left.iter().enumerate() {
            let timeline =
                self.sides.side(1).timeline(*slot).filter(|_| keyed.get(row) == Some(&true));
            for other in timeline.into_iter().flat_map(|t| t.between(first, last)) {
                pairs.push(Pair { rows: [*id, other.id], time: end });
                of.push((row, other.time));
            }
            if pairs.len() >= CHUNK || row + 1 == left.len() {
                let holds = self.sides.emit(&pairs, self.size, readings, out)?;
                for ((pair, (row, time)), _) in pairs.iter().zip(&of).zip(holds).filter(|(_, h)| *h)
                {
                    let ([_, id], Some(slot)) = (pair.rows, left.get(*row).map(|r| r.slot)) else {
                        continue;
                    };
                    self.sides.side_mut(1).mark_matched(slot, *time, id);
                    if let Some(matched) = matched.get_mut(*row) {
                        *matched = true;
                    }
                }
                pairs.clear();
                of.clear();
            }
        }
        Ok(matched)
    }

    /// Which left rows have no null in their key.
    fn keyed(&self, rows: &[Row]) -> Result<Vec<bool>> {
        let table = &self.sides.side(0).table;
        let ids: Vec<RowId> = rows.iter().map(|row| row.id).collect();
        let places = table.places(&ids)?;
        let [keys, _] = &self.sides.plan.keys;
        let keys = keys.numbers.iter().map(|c| table.column(*c, &places));
        let keyed = keyed_rows(&keys.collect::<Result<Vec<_>>>()?);
        Ok(keyed.map_or_else(|| vec![true; rows.len()], |k| k.iter().collect()))
    }
}

impl Operator for WindowJoin {
    fn process(&mut self, side: Input, batch: Batch, out: &mut Output) -> Result<()> {
        let size = self.size;
        let arrived = self.sides.arrive(
            side,
            batch,
            |clock, time| clock.has_passed(end_of(time, size).saturating_sub(CLOSES_BEFORE)),
            out,
        )?;
        self.sides.keep(side, &arrived, &[]);
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        self.sides.settle()?;
        self.sides.clock.advance(watermark);
        let until = watermark.0.saturating_add(CLOSES_BEFORE);
        loop {
            let ends = self.sides.sides.iter().filter_map(|s| s.agenda.next_time());
            let Some(end) = ends.min().filter(|end| *end <= until) else { break };
            self.close(end, out)?;
        }
        let open = start_of(until, self.size);
        self.sides.sides.iter_mut().for_each(|side| side.table.expire_below(open));
        Ok(())
    }

    fn tables(&self) -> Vec<TableSpec> {
        self.sides.tables()
    }

    fn layout(&self) -> String {
        "window".to_owned()
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.sides.seal()
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        self.sides.restore(delta)
    }

    fn state_bytes(&self) -> usize {
        self.sides.bytes()
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        self.sides.spill(target, room)
    }

    fn spilled_bytes(&self) -> usize {
        self.sides.disk_bytes()
    }
}
