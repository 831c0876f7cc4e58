//! The interval join: rows meet whose times are close. A pair comes out when its second row comes; a
//! row is held until the watermark says that none can come that it would meet.

use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Operator, Output, Result, SpillRoom, TableDelta, TableSpec, Timestamp,
};

use super::Plan;
use super::options::JoinType;
use super::output::Pair;
use super::side::{Arrived, CHUNK, Sides, alone, of};
use crate::keyed::{RowId, Slot};

/// A row that came and one of the other side that it may meet.
struct Candidate {
    row: usize,
    slot: Slot,
    other: (i64, RowId),
}

/// Joins rows whose times are close.
pub(super) struct IntervalJoin {
    sides: Sides,
    /// How long a row of each side is held: the right row is up to `before` older than the left row
    /// and up to `after` newer.
    holds: [i64; 2],
}

impl IntervalJoin {
    pub(super) fn new(plan: &Plan, before: i64, after: i64) -> Result<Self> {
        Ok(Self { sides: Sides::new(plan, |time| time)?, holds: [after, before] })
    }

    /// Tries candidates: gives the pairs and notes which rows met one.
    fn try_out(
        &mut self,
        side: usize,
        arrived: &Arrived,
        (candidates, pairs): (&mut Vec<Candidate>, &mut Vec<Pair>),
        matched: &mut [bool],
        out: &mut Output,
    ) -> Result<()> {
        let holds = self.sides.emit(pairs, 0, arrived.readings, out)?;
        for (candidate, _) in candidates.iter().zip(holds).filter(|(_, holds)| *holds) {
            if let Some(matched) = matched.get_mut(candidate.row) {
                *matched = true;
            }
            let (time, id) = candidate.other;
            self.sides.side_mut(1 - side).mark_matched(candidate.slot, time, id);
        }
        candidates.clear();
        pairs.clear();
        Ok(())
    }

    /// The rows of one side that are done with at `watermark` go; of a kept side, those that met
    /// none come out.
    fn finish(&mut self, side: usize, watermark: i64, out: &mut Output) -> Result<()> {
        let horizon = watermark.saturating_sub(*of(&self.holds, side));
        let keeps = self.sides.side(side).keeps();
        let readings = self.sides.readings(out.now());
        loop {
            let (mut gone, mut unmatched) = (Vec::new(), Vec::new());
            while gone.len() < CHUNK
                && let Some((time, id, slot)) = self.sides.side_mut(side).agenda.pop_until(horizon)
            {
                gone.push(id);
                let entry = self.sides.take(side, slot, (time, id));
                if keeps && entry.is_some_and(|e| !e.matched) {
                    unmatched.push(alone(side, id, time));
                }
            }
            if gone.is_empty() {
                break;
            }
            self.sides.emit(&unmatched, 0, readings, out)?;
            self.sides.side_mut(side).table.remove(&gone)?;
        }
        self.sides.side_mut(side).table.expire_below(horizon.saturating_add(1));
        Ok(())
    }
}

impl Operator for IntervalJoin {
    fn process(&mut self, side: Input, batch: Batch, out: &mut Output) -> Result<()> {
        let arrived = self.sides.arrive(side, batch, |clock, time| clock.has_passed(time), out)?;
        // Of a row at t, rows of the other side from t - back to t + on.
        let (back, on) = (*of(&self.holds, 1 - side), *of(&self.holds, side));
        let mut matched = vec![false; arrived.slots.len()];
        let (mut candidates, mut pairs) = (Vec::new(), Vec::new());
        for (row, (id, slot, time, keyed)) in arrived.rows().enumerate() {
            let (first, last) = (time.saturating_sub(back), time.saturating_add(on));
            let timeline = self.sides.side(1 - side).timeline(slot).filter(|_| keyed);
            for other in timeline.into_iter().flat_map(|t| t.between(first, last)) {
                let rows = if side == 0 { [id, other.id] } else { [other.id, id] };
                pairs.push(Pair { rows, time: time.max(other.time) });
                candidates.push(Candidate { row, slot, other: (other.time, other.id) });
            }
            if pairs.len() >= CHUNK {
                let found = (&mut candidates, &mut pairs);
                self.try_out(side, &arrived, found, &mut matched, out)?;
            }
        }
        self.try_out(side, &arrived, (&mut candidates, &mut pairs), &mut matched, out)?;
        self.sides.keep(side, &arrived, &matched);
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        self.sides.settle()?;
        self.sides.clock.advance(watermark);
        self.finish(0, watermark.0, out)?;
        self.finish(1, watermark.0, out)
    }

    fn output_watermark(&self, watermark: Timestamp) -> Timestamp {
        let [left, right] = self.holds;
        let plan = &self.sides.plan;
        let held = match plan.join {
            // A pair has the time of its second row, which is not late; rows that met none come out
            // when they are done with.
            JoinType::Inner if plan.columns.has_own_time() => 0,
            JoinType::Inner | JoinType::Left => left,
            JoinType::Right => right,
            JoinType::Full => left.max(right),
        };
        Timestamp(watermark.0.saturating_sub(held))
    }

    fn tables(&self) -> Vec<TableSpec> {
        self.sides.tables()
    }

    fn layout(&self) -> String {
        "within".to_owned()
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
