//! Running aggregates by key: a row for each key that changed, as often as is asked for.

mod roster;
mod snapshot;

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::{filter_record_batch, not};
use swiftwater_engine::operator::Input;
use swiftwater_engine::stream::{DELETE, INSERT, UPDATE};
use swiftwater_engine::{
    Batch, Operator, Output, Readings, Result, TableDelta, TableSpec, Timestamp,
};

use crate::aggregate::{Accumulated, Aggregates, KeyColumns, Marks};
use crate::window::layout::Layout;
use crate::window::results::Results;
use crate::window::times::{EventTimes, Placed};
use roster::{Id, Roster};
pub(crate) use snapshot::table;

/// What is planned once for all instances.
pub(crate) struct GroupPlan {
    pub(crate) aggregates: Aggregates,
    pub(crate) key: KeyColumns,
    /// Where event time is; `None` where keys are forgotten by the clock, or never.
    pub(crate) times: Option<EventTimes>,
    /// How long a key without rows is remembered, in milliseconds.
    pub(crate) ttl: Option<i64>,
    /// Time from a change to the row that tells it, in microseconds of the clock.
    pub(crate) every: i64,
    pub(crate) layout: Layout,
    pub(crate) table: TableSpec,
}

/// One instance of the operator.
pub(crate) struct RunningGroups {
    plan: Arc<GroupPlan>,
    roster: Roster,
    marks: Marks,
    accumulated: Accumulated,
    /// The time, in milliseconds, up to which keys have been forgotten.
    passed: Option<i64>,
    /// `passed` as of the last snapshot.
    sealed: Option<i64>,
    /// When what changed is given.
    give_at: Option<Timestamp>,
    readings: Option<Readings>,
    slots: Vec<usize>,
}

impl RunningGroups {
    /// An instance without rows.
    ///
    /// # Errors
    /// None once the aggregates are planned.
    pub(crate) fn new(plan: Arc<GroupPlan>) -> Result<Self> {
        Ok(Self {
            roster: Roster::default(),
            marks: Marks::default(),
            accumulated: Accumulated::new(&plan.aggregates)?,
            passed: None,
            sealed: None,
            give_at: None,
            readings: None,
            slots: Vec::new(),
            plan,
        })
    }

    fn place(&self, batch: Batch, out: &mut Output) -> Result<Placed> {
        match &self.plan.times {
            Some(times) => times.place(batch, out),
            None => {
                let times = vec![out.now().0.div_euclid(1000); batch.rows()];
                Ok(Placed { batch, times })
            }
        }
    }

    /// The group of each row; rows of a forgotten key that are too old to open it again are late.
    fn assign(&mut self, placed: Placed, out: &mut Output) -> Result<(Batch, Vec<Id>)> {
        let Placed { batch, times } = placed;
        let columns = self.plan.key.columns(&batch.records);
        let keys = self.plan.key.keys(&columns)?;
        let numbers = self.roster.number(&keys, times.len());
        let (passed, ttl) = (self.passed, self.plan.ttl);
        let is_old = |time: i64| ttl.zip(passed).is_some_and(|(ttl, passed)| time + ttl <= passed);
        let mut ids = Vec::with_capacity(numbers.len());
        let mut late = Vec::new();
        for (row, (key, time)) in numbers.into_iter().zip(times).enumerate() {
            match self.roster.place(key, time, !is_old(time), ttl) {
                Some(id) => ids.push(id),
                None => late.push(row),
            }
        }
        if late.is_empty() {
            return Ok((batch, ids));
        }
        let mut mask = vec![false; batch.rows()];
        for row in late {
            if let Some(is_late) = mask.get_mut(row) {
                *is_late = true;
            }
        }
        let mask = BooleanArray::from(mask);
        out.late(batch.with_records(filter_record_batch(&batch.records, &mask)?));
        let kept = filter_record_batch(&batch.records, &not(&mask)?)?;
        Ok((batch.with_records(kept), ids))
    }

    /// Gives the keys that changed.
    fn give(&mut self, out: &mut Output) -> Result<()> {
        self.give_at = None;
        let changed = self.marks.changed();
        let operation = |id| if self.marks.is_given(id) { UPDATE } else { INSERT };
        let rows: Vec<(Id, &'static str)> = changed.map(|id| (id, operation(id))).collect();
        self.emit(rows, out)?;
        let given = self.marks.give();
        self.accumulated.restate(&self.plan.aggregates, &given)
    }

    /// Forgets the keys that have had no rows for long, and takes their rows back.
    fn expire(&mut self, to: i64, out: &mut Output) -> Result<()> {
        if self.plan.ttl.is_none() || self.passed.is_some_and(|passed| passed >= to) {
            return Ok(());
        }
        let gone = self.roster.expired(to, self.plan.ttl.unwrap_or(0));
        self.passed = Some(to);
        if gone.is_empty() {
            return Ok(());
        }
        // What changed and was not told yet is told before it goes.
        self.give(out)?;
        self.emit(gone.iter().map(|id| (*id, DELETE)).collect(), out)?;
        self.accumulated.fold(&self.plan.aggregates)?;
        self.accumulated.forget(&gone);
        for id in gone {
            self.marks.forget(id);
            self.roster.close(id);
        }
        Ok(())
    }

    /// Gives rows in the order of their keys.
    fn emit(&mut self, mut rows: Vec<(Id, &'static str)>, out: &mut Output) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let Some(index) = self.roster.keys().filter(|_| !rows.is_empty()) else {
            return Ok(());
        };
        let key = |id: Id| self.roster.key(id);
        rows.sort_unstable_by(|a, b| index.compare(key(a.0), key(b.0)));
        let (ids, operations): (Vec<Id>, Vec<&'static str>) = rows.into_iter().unzip();
        let numbers: Vec<u32> = ids.iter().map(|id| key(*id)).collect();
        let keys = index.columns(&plan.key, &numbers)?;
        let calls = self.accumulated.results_of(&plan.aggregates, &ids)?;
        let outcomes = plan.aggregates.outcomes(&keys, &calls, out.now())?;
        let columns = keys.into_iter().chain(outcomes).collect();
        let readings = Results::new(self.readings, out.now()).readings();
        for records in plan.layout.batches(columns, None, Some(operations))? {
            out.emit(Batch::new(records, readings));
        }
        Ok(())
    }
}

impl Operator for RunningGroups {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        if batch.rows() == 0 {
            return Ok(());
        }
        self.readings = Some(batch.readings);
        let plan = Arc::clone(&self.plan);
        let placed = self.place(batch, out)?;
        let (batch, ids) = self.assign(placed, out)?;
        if ids.is_empty() {
            return Ok(());
        }
        let inputs = plan.aggregates.inputs(&batch.records, out.now())?;
        let Self { accumulated, slots, .. } = self;
        accumulated.add(&plan.aggregates, &inputs, 0..ids.len(), &ids, slots)?;
        self.marks.change(&ids);
        self.give_at.get_or_insert(Timestamp(out.now().0.saturating_add(plan.every)));
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        if watermark == Timestamp::MAX {
            return self.give(out);
        }
        if self.plan.times.is_some() {
            self.expire(watermark.0.div_euclid(1000), out)?;
        }
        Ok(())
    }

    fn next_timer(&self) -> Option<Timestamp> {
        let by_clock = self.plan.ttl.filter(|_| self.plan.times.is_none());
        let forgets = by_clock.and_then(|_| self.roster.next()).map(Timestamp::from_millis);
        self.give_at.into_iter().chain(forgets).min()
    }

    fn on_timer(&mut self, out: &mut Output) -> Result<()> {
        if self.plan.times.is_none() {
            self.expire(out.now().0.div_euclid(1000), out)?;
        }
        if self.give_at.is_some_and(|at| at <= out.now()) {
            self.give(out)?;
        }
        Ok(())
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
        self.roster.size() + self.marks.size() + self.accumulated.size()
    }
}
