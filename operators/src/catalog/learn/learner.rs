//! The operator: rows wait until there are enough to cut bins from; after that they are only
//! counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::TimestampMillisecondArray;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Operator, Output, Result, SpillRoom, TableDelta, TableSpec, Timestamp,
};

use super::state::{self, FitTable};
use crate::keyed::{EventTime, KeyColumns, KeyIndex, Times, Waiting, WatermarkClock, spill_tables};
use crate::synthetic::fit::{Design, Fit};
use crate::synthetic::model::{Dependence, Fitted, Model};
use crate::synthetic::series::{ModelMetrics, Series};
use crate::synthetic::tally::Tally;

/// A pane closes when the watermark is a millisecond before its end.
const CLOSES_BEFORE: i64 = 1000;
/// Number of the port of versions that are not released.
const REFUSED: usize = 2;

/// A pane with less than this part of the reference does not judge alone.
const FEW: f64 = 10.0;

/// What does not change.
pub(super) struct Plan {
    pub(super) pane: i64,
    pub(super) half_life: Option<i64>,
    pub(super) reference_rows: usize,
    pub(super) least_quality: f64,
    pub(super) time: EventTime,
    /// Columns of the input that are learned, and as they are held.
    pub(super) columns: Vec<usize>,
    pub(super) held: SchemaRef,
    pub(super) design: Arc<Design>,
    pub(super) released: SchemaRef,
    pub(super) refused: SchemaRef,
    pub(super) series: ModelMetrics,
}

impl Plan {
    const fn start_of(&self, time: i64) -> i64 {
        time.saturating_sub(time.rem_euclid(self.pane))
    }

    const fn end_of(&self, time: i64) -> i64 {
        self.start_of(time).saturating_add(self.pane)
    }
}

/// What was counted, once bins are cut.
pub(super) struct Learned {
    pub(super) fit: Fit,
    pub(super) total: Tally,
    pub(super) progress: Progress,
}

/// How far the panes are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Start of the first pane, and of the last that closed.
    pub(super) from: i64,
    pub(super) last: Option<i64>,
    pub(super) version: i64,
}

/// The one instance.
pub(super) struct Learner {
    plan: Arc<Plan>,
    clock: WatermarkClock,
    /// Rows before bins are cut.
    waiting: Waiting,
    /// How many rows wait, by the start of their pane.
    counts: BTreeMap<i64, usize>,
    learned: Option<Learned>,
    panes: BTreeMap<i64, Tally>,
    table: FitTable,
    series: Option<Series>,
}

impl Learner {
    pub(super) fn new(plan: &Arc<Plan>) -> Self {
        let keys = KeyColumns { numbers: Vec::new(), fields: Vec::new() };
        Self {
            clock: WatermarkClock::default(),
            waiting: Waiting::new(&keys, &plan.held),
            counts: BTreeMap::new(),
            learned: None,
            panes: BTreeMap::new(),
            table: FitTable::default(),
            series: None,
            plan: Arc::clone(plan),
        }
    }

    fn settle(&mut self) -> Result<()> {
        if self.waiting.table.is_restoring() {
            let mut index = KeyIndex::new(&[])?;
            for row in self.waiting.table.settle(&mut index)? {
                self.waiting.agenda.push(row.mark.time, row.id, ());
                *self.counts.entry(self.plan.start_of(row.mark.time)).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Counts rows of one pane.
    fn count(&mut self, start: i64, rows: &RecordBatch, times: &[i64]) -> Result<()> {
        if let Some(Learned { fit, .. }) = &mut self.learned {
            let known = fit.known();
            let tally = self.panes.entry(start).or_insert_with(|| fit.tally());
            fit.count(tally, rows, times)?;
            self.table.touch(start);
            if fit.known() != known {
                self.table.touch_coders();
            }
        }
        Ok(())
    }

    /// Counts rows of any panes.
    fn count_all(&mut self, rows: &RecordBatch, times: &[i64]) -> Result<()> {
        let mut by_pane: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for (row, time) in (0..).zip(times) {
            by_pane.entry(self.plan.start_of(*time)).or_default().push(row);
        }
        if by_pane.len() == 1
            && let Some(start) = by_pane.keys().next()
        {
            return self.count(*start, rows, times);
        }
        for (start, picked) in by_pane {
            let of = |row: &u32| times.get(*row as usize).copied().unwrap_or(start);
            let of_pane: Vec<i64> = picked.iter().map(of).collect();
            let rows = take_record_batch(rows, &UInt32Array::from(picked))?;
            self.count(start, &rows, &of_pane)?;
        }
        Ok(())
    }

    /// Cuts bins where the panes that have closed hold enough rows; whether there are bins.
    fn freeze(&mut self, watermark: i64) -> Result<bool> {
        if self.learned.is_some() {
            return Ok(true);
        }
        let closed =
            |start: &i64| start.saturating_add(self.plan.pane - CLOSES_BEFORE) <= watermark;
        let mut rows = 0;
        let mut until = None;
        for (start, count) in self.counts.iter().take_while(|(start, _)| closed(start)) {
            rows += count;
            if rows >= self.plan.reference_rows {
                until = Some(start.saturating_add(self.plan.pane));
                break;
            }
        }
        let (Some(until), Some(from)) = (until, self.counts.keys().next().copied()) else {
            return Ok(false);
        };
        let mut reference = Vec::new();
        while let Some(taken) = self.waiting.take(until.saturating_sub(1))? {
            reference.push(taken);
        }
        let fit = Fit::freeze(&self.plan.design, &reference)?;
        let total = fit.tally();
        self.learned =
            Some(Learned { fit, total, progress: Progress { from, ..Progress::default() } });
        self.table.touch_coders();
        self.table.touch_total();
        for (rows, times) in &reference {
            self.count_all(rows, times)?;
        }
        // Rows of later panes need not wait any more.
        while let Some((rows, times)) = self.waiting.take(i64::MAX - 1)? {
            self.count_all(&rows, &times)?;
        }
        self.counts.clear();
        Ok(true)
    }

    /// Adds a pane to the whole, and releases what comes of it.
    fn close(&mut self, start: i64, tally: &Tally, out: &mut Output) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let Some(Learned { fit, total, progress }) = &mut self.learned else { return Ok(()) };
        let passed = progress.last.map_or(0, |last| start.saturating_sub(last));
        let factor = plan.half_life.map_or(1.0, |h| (-(passed as f64) / h as f64).exp2());
        total.merge(factor, tally);
        progress.last = Some(start);
        self.table.drop_pane(start);
        self.table.touch_total();
        let until = start.saturating_add(plan.pane);
        let fitted = Fitted { from: progress.from, until, ..Fitted::default() };
        let mut model = fit.model(total, progress.version + 1, fitted);
        // A pane of few rows says little about a model: then all that was counted does.
        let few = tally.weight * FEW < plan.reference_rows as f64;
        let quality = fit.judge(&model, if few { total } else { tally })?;
        let reached = quality.reached();
        let why = (reached < plan.least_quality)
            .then(|| format!("the quality is {reached:.3}, less than {}", plan.least_quality));
        model.fitted.quality = quality;
        let readings = self.clock.readings(out.now());
        let Some(why) = why else {
            progress.version = model.version;
            self.series.iter().for_each(|series| series.set(&model));
            let rows = version(&plan.released, &model, &model.to_text())?;
            out.emit(Batch::new(rows, readings));
            return Ok(());
        };
        out.count_breaches(&format!("{} is good enough", model.name).into(), 1);
        out.emit_to(REFUSED, Batch::new(version(&plan.refused, &model, &why)?, readings));
        Ok(())
    }
}

/// A row that tells of a version.
fn version(schema: &SchemaRef, model: &Model, last: &str) -> Result<RecordBatch> {
    let number = |value: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![value])) };
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let whole = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![value])) };
    let fitted = &model.fitted;
    let quality = fitted.quality;
    let time = (fitted.until - CLOSES_BEFORE).div_euclid(1000);
    let columns: Vec<ArrayRef> = vec![
        text(&model.name),
        whole(model.version),
        whole(i64::try_from(fitted.rows).unwrap_or(i64::MAX)),
        number(fitted.weight),
        number(quality.reached()),
        number(quality.floor),
        text(last),
        Arc::new(TimestampMillisecondArray::from(vec![time])),
    ];
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

impl Operator for Learner {
    fn open(&mut self, metrics: &NodeMetrics) -> Result<()> {
        self.series = Some(self.plan.series.open(metrics)?);
        Ok(())
    }

    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.saw(batch.readings);
        let (clock, plan) = (&self.clock, &self.plan);
        let closed = |_, time| clock.has_passed(plan.end_of(time).saturating_sub(CLOSES_BEFORE));
        let Times { batch, times } = plan.time.of(batch, out)?.on_time(closed, out)?;
        let records = batch.records.project(&plan.columns)?;
        if self.learned.is_some() {
            return self.count_all(&records, &times);
        }
        for time in &times {
            *self.counts.entry(self.plan.start_of(*time)).or_default() += 1;
        }
        self.waiting.push(&Times { batch: batch.with_records(records), times })
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.advance(watermark);
        if !self.freeze(watermark.0)? {
            return Ok(());
        }
        while let Some((start, _)) = self.panes.first_key_value() {
            let start = *start;
            if start.saturating_add(self.plan.pane - CLOSES_BEFORE) > watermark.0 {
                break;
            }
            if let Some(tally) = self.panes.remove(&start) {
                self.close(start, &tally, out)?;
            }
        }
        Ok(())
    }

    fn on_end(&mut self, out: &mut Output) -> Result<()> {
        self.settle()?;
        let rows: usize = self.counts.values().sum();
        if self.learned.is_some() || rows == 0 {
            return Ok(());
        }
        let plan = &self.plan;
        let why =
            format!("there were {rows} rows, less than the reference of {}", plan.reference_rows);
        let last = self.counts.keys().last().copied().unwrap_or(0).saturating_add(plan.pane);
        let fitted = Fitted { rows: rows as u64, until: last, ..Fitted::default() };
        let model = Model {
            name: plan.design.name.clone(),
            version: 0,
            fitted,
            time: None,
            columns: Vec::new(),
            dependence: Dependence::Tree(Vec::new()),
        };
        let readings = self.clock.readings(out.now());
        out.emit_to(REFUSED, Batch::new(version(&plan.refused, &model, &why)?, readings));
        Ok(())
    }

    fn tables(&self) -> Vec<TableSpec> {
        vec![self.waiting.table.spec(), state::spec()]
    }

    fn layout(&self) -> String {
        format!("panes of {} us, {:?}", self.plan.pane, self.plan.design)
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.settle()?;
        let waiting = self.waiting.table.seal()?;
        let fit = self.table.seal(self.learned.as_ref(), &self.panes)?;
        Ok(waiting.into_iter().chain(fit).collect())
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        if delta.table == self.waiting.table.name() {
            return self.waiting.table.restore(delta);
        }
        state::restore(delta, &self.plan.design, &mut self.learned, &mut self.panes)
    }

    fn state_bytes(&self) -> usize {
        let panes: usize = self.panes.values().map(Tally::bytes).sum();
        let learned = self.learned.as_ref().map_or(0, |l| l.fit.bytes() + l.total.bytes());
        self.waiting.bytes() + panes + learned
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.state_bytes();
        spill_tables([self.waiting.table_mut()], (held, target), room)
    }

    fn spilled_bytes(&self) -> usize {
        self.waiting.disk_bytes()
    }
}
