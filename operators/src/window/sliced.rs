//! Tumbling, hopping and cumulative windows: one set of groups for each slice of time.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{BooleanArray, UInt32Array};
use arrow::compute::{filter_record_batch, not, take};
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Operator, Output, Readings, Result, SpillRoom, TableDelta, TableSpec, Timestamp,
};

use super::cold::ColdSlices;
use super::layout::Layout;
use super::results::Results;
use super::shape::{Shape, Window};
use super::times::{EventTimes, Placed};
use super::{cold, corrections, early, snapshot};
use crate::aggregate::{Aggregates, Groups, KeyColumns, Scratch, Set};

/// What is planned once for all instances.
pub(crate) struct SlicedPlan {
    pub(crate) shape: Shape,
    pub(crate) aggregates: Aggregates,
    pub(crate) key: KeyColumns,
    /// Where event time is; `None` where windows follow the clock.
    pub(crate) times: Option<EventTimes>,
    /// How long a fired window takes rows, in milliseconds.
    pub(crate) lateness: i64,
    /// How often, in microseconds of the clock, windows are given before their end.
    pub(crate) early: Option<i64>,
    pub(crate) layout: Layout,
    pub(crate) table: TableSpec,
}

impl SlicedPlan {
    /// Whether rows may be replaced.
    pub(super) const fn upserts(&self) -> bool {
        self.lateness > 0 || self.early.is_some()
    }
}

/// One instance of the operator.
pub(crate) struct SlicedWindows {
    pub(super) plan: Arc<SlicedPlan>,
    pub(super) slices: BTreeMap<i64, Groups>,
    /// Slices on disk.
    pub(super) cold: ColdSlices,
    /// Windows that have slices and have not been given.
    pub(super) pending: BTreeSet<Window>,
    /// The time, in milliseconds, up to which windows have been given.
    pub(super) passed: Option<i64>,
    /// `passed` as of the last snapshot.
    pub(super) sealed: Option<i64>,
    /// Clock readings of the latest rows: they caused what comes out.
    readings: Option<Readings>,
    /// When what changed is given early.
    pub(super) early_at: Option<Timestamp>,
    scratch: Scratch,
}

/// Rows of one slice.
type Run = (i64, Range<usize>);

/// The slice of each row as runs, and the order of the rows in which slices are runs.
fn runs(shape: Shape, times: &[i64]) -> (Option<UInt32Array>, Vec<Run>) {
    let (Some(oldest), Some(newest)) = (times.iter().min(), times.iter().max()) else {
        return (None, Vec::new());
    };
    let first = shape.slice_of(*oldest);
    if first == shape.slice_of(*newest) {
        return (None, vec![(first, 0..times.len())]);
    }
    let mut rows: Vec<(i64, u32)> =
        times.iter().map(|time| shape.slice_of(*time)).zip(0..).collect();
    let sorted = rows.is_sorted_by_key(|(slice, _)| *slice);
    if !sorted {
        rows.sort_by_key(|(slice, _)| *slice);
    }
    let mut from = 0;
    let runs = rows.chunk_by(|a, b| a.0 == b.0).filter_map(|run| {
        let range = from..from + run.len();
        from = range.end;
        Some((run.first()?.0, range))
    });
    let runs = runs.collect();
    let order = (!sorted).then(|| UInt32Array::from_iter_values(rows.iter().map(|(_, row)| *row)));
    (order, runs)
}

impl SlicedWindows {
    /// An instance without rows.
    pub(crate) fn new(plan: Arc<SlicedPlan>) -> Self {
        Self {
            plan,
            slices: BTreeMap::new(),
            cold: ColdSlices::default(),
            pending: BTreeSet::new(),
            passed: None,
            sealed: None,
            readings: None,
            early_at: None,
            scratch: Scratch::default(),
        }
    }

    /// Whether a window has been given.
    pub(super) fn has_fired(&self, window: Window) -> bool {
        self.passed.is_some_and(|passed| window.end - 1 <= passed)
    }

    /// Whether a window takes no more rows.
    pub(super) fn is_gone(&self, end: i64) -> bool {
        self.passed.is_some_and(|passed| end - 1 + self.plan.lateness <= passed)
    }

    /// What results are made with.
    pub(super) fn results(&self, out: &Output) -> Results {
        Results::new(self.readings, out.now())
    }

    fn place(&self, batch: Batch, out: &mut Output) -> Result<Placed> {
        if let Some(times) = &self.plan.times {
            return times.place(batch, out);
        }
        let now = out.now().0.div_euclid(1000);
        // A clock that was set back must not open windows that were given.
        let now = self.passed.map_or(now, |passed| now.max(passed.saturating_add(1)));
        let times = vec![now; batch.rows()];
        Ok(Placed { batch, times })
    }

    /// Gives rows all of whose windows are gone to `late`.
    fn without_late(&self, placed: Placed, out: &mut Output) -> Result<Placed> {
        let shape = self.plan.shape;
        let is_late = |time: i64| self.is_gone(shape.last_end(shape.slice_of(time)));
        if !placed.times.iter().min().is_some_and(|oldest| is_late(*oldest)) {
            return Ok(placed);
        }
        let Placed { batch, mut times } = placed;
        let late: BooleanArray = times.iter().map(|time| Some(is_late(*time))).collect();
        out.late(batch.with_records(filter_record_batch(&batch.records, &late)?));
        let kept = filter_record_batch(&batch.records, &not(&late)?)?;
        times.retain(|time| !is_late(*time));
        Ok(Placed { batch: batch.with_records(kept), times })
    }

    /// Adds rows to their slices.
    fn add(&mut self, placed: &Placed, out: &Output) -> Result<Vec<corrections::Touched>> {
        let plan = Arc::clone(&self.plan);
        let records = &placed.batch.records;
        let mut inputs = plan.aggregates.inputs(records, out.now())?;
        let mut key_columns = plan.key.columns(records);
        let (order, runs) = runs(plan.shape, &placed.times);
        if let Some(order) = order {
            inputs = inputs.reordered(&order)?;
            for column in &mut key_columns {
                *column = take(column, &order, None)?;
            }
        }
        let keys = plan.key.keys(&key_columns)?;
        let mut touched = Vec::new();
        for (slice, rows) in runs {
            self.warm(slice..slice + 1)?;
            self.cold.touch(slice);
            if let Entry::Vacant(place) = self.slices.entry(slice) {
                place.insert(Groups::new(&plan.aggregates, &keys, plan.early.is_some())?);
                self.await_windows(slice);
            }
            let corrects = self.is_partly_given(slice);
            let Some(groups) = self.slices.get_mut(&slice) else {
                continue;
            };
            let before = groups.index().len();
            let numbers =
                groups.add(&plan.aggregates, (&keys, &inputs), rows, &mut self.scratch)?;
            if corrects {
                touched.push(corrections::Touched::new(slice, before, numbers));
            }
        }
        Ok(touched)
    }

    /// Brings slices back from disk.
    pub(super) fn warm(&mut self, slices: Range<i64>) -> Result<()> {
        for (slice, groups) in self.cold.take(slices, &self.plan)? {
            self.slices.insert(slice, groups);
        }
        Ok(())
    }

    /// Takes note of the windows of a slice that are still to be given.
    pub(super) fn await_windows(&mut self, slice: i64) {
        let windows = self.plan.shape.windows(slice);
        let awaited: Vec<Window> = windows.into_iter().filter(|w| !self.has_fired(*w)).collect();
        self.pending.extend(awaited);
    }

    /// Whether a slice is part of a window that was given and takes rows still.
    fn is_partly_given(&self, slice: i64) -> bool {
        self.plan.lateness > 0
            && self.passed.is_some()
            && self.plan.shape.windows(slice).iter().any(|w| self.has_fired(*w))
    }

    /// Gives the windows that end up to a millisecond after `to`, and forgets what is gone.
    fn advance(&mut self, to: i64, out: &mut Output) -> Result<()> {
        if self.passed.is_some_and(|passed| passed >= to) {
            return Ok(());
        }
        while let Some(window) = self.pending.first().copied().filter(|w| w.end - 1 <= to) {
            self.fire(window, out)?;
            self.pending.remove(&window);
        }
        self.passed = Some(to);
        while let Some((slice, _)) = self.slices.first_key_value() {
            if !self.is_gone(self.plan.shape.last_end(*slice)) {
                break;
            }
            self.slices.pop_first();
        }
        let (plan, passed) = (Arc::clone(&self.plan), self.passed);
        let is_gone = |end: i64| passed.is_some_and(|passed| end - 1 + plan.lateness <= passed);
        self.cold.forget(|slice| is_gone(plan.shape.last_end(slice)));
        Ok(())
    }

    fn fire(&mut self, window: Window, out: &mut Output) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let results = self.results(out);
        let cold = self.cold.range(window.start..window.end);
        let hot = self.slices.range_mut(window.start..window.end);
        let mut sets: Vec<(i64, Set<'_>)> = hot.map(|(slice, g)| (*slice, Set::Hot(g))).collect();
        sets.extend(cold.map(|(slice, groups)| (*slice, Set::Cold(groups))));
        sets.sort_unstable_by_key(|(slice, _)| *slice);
        let combined = match sets.as_slice() {
            [] => return Ok(()),
            [(slice, Set::Hot(_))]
                if !plan.upserts() && plan.shape.last_end(*slice) == window.end =>
            {
                let slice = *slice;
                let Some(groups) = self.slices.remove(&slice) else {
                    return Ok(());
                };
                groups.finish(&plan.aggregates, &plan.key)?
            }
            _ => {
                let mut sets: Vec<Set<'_>> = sets.into_iter().map(|(_, set)| set).collect();
                Groups::combine(&plan.aggregates, &plan.key, &mut sets)?
            }
        };
        let operations = plan.upserts().then(|| early::operations(self, window, &combined.index));
        results.emit(&plan, window, (&combined.index, &combined.calls), operations, out)
    }
}

impl Operator for SlicedWindows {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        if batch.rows() == 0 {
            return Ok(());
        }
        let plan = Arc::clone(&self.plan);
        let readings = batch.readings;
        let placed = self.place(batch, out)?;
        let placed = self.without_late(placed, out)?;
        self.readings = Some(readings);
        if placed.times.is_empty() {
            return Ok(());
        }
        let touched = self.add(&placed, out)?;
        if let Some(every) = plan.early {
            let next = (out.now().0.div_euclid(every) + 1) * every;
            self.early_at.get_or_insert(Timestamp(next));
        }
        corrections::correct(self, &touched, out)
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        if watermark == Timestamp::MAX {
            // All that is here is given; what may be read after a restart opens later windows.
            let last = self.slices.last_key_value().map(|(slice, _)| *slice).max(self.cold.last());
            let end = last.map(|slice| self.plan.shape.last_end(slice) - 1 + self.plan.lateness);
            return end.map_or(Ok(()), |end| self.advance(end, out));
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
        let by_clock = self.pending.first().filter(|_| self.plan.times.is_none());
        let closes = by_clock.map(|window| Timestamp::from_millis(window.end));
        self.early_at.into_iter().chain(closes).min()
    }

    fn on_timer(&mut self, out: &mut Output) -> Result<()> {
        if self.plan.times.is_none() {
            self.advance(out.now().0.div_euclid(1000) - 1, out)?;
        }
        if self.early_at.is_some_and(|at| at <= out.now()) {
            self.early_at = None;
            early::give(self, out)?;
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
        self.slices.values().map(Groups::size).sum::<usize>() + self.cold.memory_bytes()
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        cold::spill(self, target, room)
    }

    fn spilled_bytes(&self) -> usize {
        self.cold.disk_bytes()
    }
}
