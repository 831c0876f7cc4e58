//! The operator: rows into sessions, sessions that are over out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::{filter_record_batch, not};
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Operator, Output, Readings, Result, TableDelta, TableSpec, Timestamp,
};

use super::book::{Book, Changes, Id};
use super::{results, snapshot};
use crate::aggregate::{Accumulated, Aggregates, KeyColumns, KeyIndex, Keys};
use crate::window::layout::Layout;
use crate::window::times::{EventTimes, Placed};

/// What is planned once for all instances.
pub(crate) struct SessionPlan {
    /// Time without rows that ends a session, in milliseconds.
    pub(crate) gap: i64,
    pub(crate) aggregates: Aggregates,
    pub(crate) key: KeyColumns,
    /// Where event time is; `None` where sessions follow the clock.
    pub(crate) times: Option<EventTimes>,
    /// How long a session that was given takes rows, in milliseconds.
    pub(crate) lateness: i64,
    pub(crate) layout: Layout,
    pub(crate) table: TableSpec,
}

/// One instance of the operator.
pub(crate) struct SessionWindows {
    pub(super) plan: Arc<SessionPlan>,
    /// Numbers of the keys; those without sessions are taken out now and then.
    pub(super) keys: Option<KeyIndex>,
    pub(super) book: Book,
    pub(super) accumulated: Accumulated,
    /// Sessions by the time at which they may be over, or gone. Each is in it once; rows that
    /// keep it open do not move it: it is looked at again.
    calendar: BTreeMap<i64, Vec<Id>>,
    /// The time, in milliseconds, up to which sessions have been given.
    pub(super) passed: Option<i64>,
    /// `passed` as of the last snapshot.
    pub(super) sealed: Option<i64>,
    pub(super) readings: Option<Readings>,
    slots: Vec<usize>,
}

/// Rows with their sessions.
struct Assigned {
    placed: Placed,
    sessions: Vec<Id>,
}

impl SessionWindows {
    /// An instance without rows.
    ///
    /// # Errors
    /// None once the aggregates are planned.
    pub(crate) fn new(plan: Arc<SessionPlan>) -> Result<Self> {
        Ok(Self {
            keys: None,
            book: Book::default(),
            accumulated: Accumulated::new(&plan.aggregates)?,
            calendar: BTreeMap::new(),
            passed: None,
            sealed: None,
            readings: None,
            slots: Vec::new(),
            plan,
        })
    }

    fn place(&self, batch: Batch, out: &mut Output) -> Result<Placed> {
        if let Some(times) = &self.plan.times {
            return times.place(batch, out);
        }
        let now = out.now().0.div_euclid(1000);
        let now = self.passed.map_or(now, |passed| now.max(passed.saturating_add(1)));
        let times = vec![now; batch.rows()];
        Ok(Placed { batch, times })
    }

    /// The number of each key.
    pub(super) fn number(&mut self, keys: &Keys, rows: usize) -> Vec<u32> {
        let index = self.keys.get_or_insert_with(|| KeyIndex::like(keys));
        let mut numbers = Vec::with_capacity(rows);
        index.number(keys, 0..rows, &mut numbers);
        numbers
    }

    /// Finds the session of each row, one after the other: whether a row is late, or joins what is
    /// there, depends on the rows before it and not on how they were cut into batches.
    fn assign(
        &mut self,
        placed: Placed,
        changes: &mut Changes,
        out: &mut Output,
    ) -> Result<Assigned> {
        let plan = Arc::clone(&self.plan);
        let columns = plan.key.columns(&placed.batch.records);
        let keys = plan.key.keys(&columns)?;
        let keys = self.number(&keys, placed.times.len());
        let passed = self.passed;
        let gone = |end: i64| passed.is_some_and(|passed| end - 1 + plan.lateness <= passed);
        let mut late = Vec::new();
        let mut sessions = Vec::with_capacity(keys.len());
        for (row, (key, time)) in keys.iter().zip(&placed.times).enumerate() {
            let end = time + plan.gap;
            match self.book.place(*key, (*time, end), !gone(end), changes) {
                Some(session) => sessions.push(session),
                None => late.push(row),
            }
        }
        if late.is_empty() {
            return Ok(Assigned { placed, sessions });
        }
        let Placed { batch, times } = placed;
        let mut mask = vec![false; times.len()];
        for row in late {
            if let Some(is_late) = mask.get_mut(row) {
                *is_late = true;
            }
        }
        let times = times.into_iter().zip(&mask).filter(|(_, late)| !**late).map(|(t, _)| t);
        let times = times.collect();
        let mask = BooleanArray::from(mask);
        out.late(batch.with_records(filter_record_batch(&batch.records, &mask)?));
        let batch = batch.with_records(filter_record_batch(&batch.records, &not(&mask)?)?);
        Ok(Assigned { placed: Placed { batch, times }, sessions })
    }

    /// Adds rows to their sessions.
    fn add(&mut self, assigned: &mut Assigned, changes: &Changes, out: &Output) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let pairs = self.book.settle(changes, &mut assigned.sessions);
        if !pairs.is_empty() {
            self.accumulated.merge_groups(&plan.aggregates, &pairs)?;
        }
        for id in changes.fresh() {
            if let Some(end) = self.book.get(*id).map(|session| session.end) {
                self.queue(*id, end - 1);
            }
        }
        // A session that was given and goes on is over once more.
        for before in &changes.moved {
            if let Some(end) = self.book.get(before.id).map(|session| session.end) {
                self.queue(before.id, end - 1);
            }
        }
        let inputs = plan.aggregates.inputs(&assigned.placed.batch.records, out.now())?;
        let rows = 0..assigned.sessions.len();
        let Self { accumulated, slots, .. } = self;
        accumulated.add(&plan.aggregates, &inputs, rows, &assigned.sessions, slots)
    }

    /// Lets the calendar look at a session when `at` has passed.
    pub(super) fn queue(&mut self, id: Id, at: i64) {
        if let Some(session) = self.book.get_mut(id) {
            session.queued = at;
            self.calendar.entry(at).or_default().push(id);
        }
    }

    /// Gives the sessions that end up to a millisecond after `to`, and forgets what is gone.
    fn advance(&mut self, to: i64, out: &mut Output) -> Result<()> {
        if self.passed.is_some_and(|passed| passed >= to) {
            return Ok(());
        }
        let (mut over, mut gone) = (Vec::new(), Vec::new());
        while let Some(entry) = self.calendar.first_entry().filter(|entry| *entry.key() <= to) {
            let (at, ids) = entry.remove_entry();
            for id in ids {
                let Some(session) = self.book.get_mut(id).filter(|s| s.queued == at) else {
                    continue;
                };
                session.queued = i64::MIN;
                let last = session.end - 1;
                if last > to {
                    self.queue(id, last);
                    continue;
                }
                if self.passed.is_none_or(|passed| last > passed) {
                    over.push(id);
                }
                let until = last + self.plan.lateness;
                if until <= to { gone.push(id) } else { self.queue(id, until) }
            }
        }
        results::give(self, over, out)?;
        self.passed = Some(to);
        if !gone.is_empty() {
            self.accumulated.fold(&self.plan.aggregates)?;
            self.accumulated.forget(&gone);
            gone.into_iter().for_each(|id| self.book.close(id));
        }
        Ok(())
    }

    /// Numbers the keys anew where most have no sessions any more.
    pub(super) fn forget_keys(&mut self) {
        const BEARABLE: usize = 8192;
        let Some(index) = &self.keys else {
            return;
        };
        if index.len() <= 2 * self.book.keys() + BEARABLE {
            return;
        }
        let mut fresh = KeyIndex::empty_like(index);
        self.book.renumber(|key| {
            let number = fresh.absorb(index, std::iter::once(key));
            number.first().copied().unwrap_or_default()
        });
        self.keys = Some(fresh);
    }
}

impl Operator for SessionWindows {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        if batch.rows() == 0 {
            return Ok(());
        }
        let readings = batch.readings;
        let placed = self.place(batch, out)?;
        self.readings = Some(readings);
        let given_before = match self.passed {
            Some(passed) if self.plan.lateness > 0 => passed.saturating_add(2),
            _ => i64::MIN,
        };
        let mut changes = Changes::new(given_before);
        let mut assigned = self.assign(placed, &mut changes, out)?;
        if assigned.sessions.is_empty() {
            return Ok(());
        }
        let retracted = results::retract(self, &changes, out)?;
        self.add(&mut assigned, &changes, out)?;
        results::correct(self, &assigned.sessions, &retracted, &changes, out)
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        if watermark == Timestamp::MAX {
            let ends = self.book.iter().map(|(_, session)| session.end);
            let last = ends.max().map(|end| end - 1 + self.plan.lateness);
            return last.map_or(Ok(()), |last| self.advance(last, out));
        }
        if self.plan.times.is_some() {
            self.advance(watermark.0.div_euclid(1000), out)?;
        }
        Ok(())
    }

    fn output_watermark(&self, watermark: Timestamp) -> Timestamp {
        Timestamp(watermark.0.saturating_sub(self.plan.lateness.saturating_mul(1000)))
    }

    fn next_timer(&self) -> Option<Timestamp> {
        if self.plan.times.is_some() {
            return None;
        }
        self.calendar.first_key_value().map(|(at, _)| Timestamp::from_millis(at + 1))
    }

    fn on_timer(&mut self, out: &mut Output) -> Result<()> {
        if self.plan.times.is_some() {
            return Ok(());
        }
        self.advance(out.now().0.div_euclid(1000) - 1, out)
    }

    fn tables(&self) -> Vec<TableSpec> {
        vec![self.plan.table.clone()]
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        snapshot::seal(self)
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        snapshot::restore(self, delta)
    }

    fn state_bytes(&self) -> usize {
        let keys = self.keys.as_ref().map_or(0, KeyIndex::size);
        keys + self.book.size() + self.accumulated.size()
    }
}
