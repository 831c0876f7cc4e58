//! `release_private`: counts of each window, published with differential privacy.

mod counting;
mod options;
mod plan;
mod series;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use swiftwater_engine::failpoint::failpoint;
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, Merge, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result,
    SpillRoom, Stream, TableDelta, TableSpec, Timestamp,
};

pub use self::options::ReleasePrivateOptions;
use self::plan::Plan;
use self::series::Series;
use crate::keyed::{KeyColumns, KeyIndex, Times, Waiting, WatermarkClock, spill_tables};
use crate::privacy::{Ledger, Next, ReleaseId, SystemBits, gaussian};

/// A window closes when the watermark is a millisecond before its end.
const CLOSES_BEFORE: i64 = 1000;
/// Name of the ledger that is forgotten with the process.
const MEMORY: &str = "memory";
const PROGRESS: &str = "progress";

impl OperatorOptions for ReleasePrivateOptions {
    const KIND: &'static str = "release_private";
    const EXAMPLE: &'static str = r#"name: release_private_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
    event_time: {column: date_time}
operators:
  published:
    input: bids
    release_private:
      dataset: bids
      ledger: memory                 # for a trial; a file keeps it: private/bids.ledger
      unit: event
      budget: {epsilon: 1, delta: 0.000001}
      window: 1h
      domain:
        channel: {values: [Apple, Google, Facebook, Baidu]}
        price: {edges: [0, 1000, 10000, 100000000]}
      tables:
        all: []
        by_channel: [channel]
        by_channel_and_price: [channel, price]
      outside: other
sinks:
  out: {input: published, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let plan = Arc::new(Plan::new(self, cx, &input)?);
        let warnings = match plan.ledger_path.as_str() {
            MEMORY => vec!["`ledger: memory` is forgotten with the process, and what was spent with it: name a file for real data".to_owned()],
            _ => Vec::new(),
        };
        let output = Arc::clone(&plan.output);
        let make = Arc::new(move |_| Ok(Box::new(Release::new(&plan)) as Box<dyn Operator>));
        let plan = OperatorPlan::keyed(output, Stream::at("window_time"), Vec::new(), make);
        Ok(OperatorPlan { splittable: true, warnings, ..plan }.with_late_port(input))
    }
}

/// The ledger of a node, opened when it is first needed.
#[derive(Default)]
struct SharedLedger(Mutex<Option<Ledger>>);

impl SharedLedger {
    fn with<T>(&self, plan: &Plan, work: impl FnOnce(&mut Ledger) -> Result<T>) -> Result<T> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ledger = match held.take() {
            Some(ledger) => ledger,
            None => {
                let mut ledger = match plan.ledger_path.as_str() {
                    MEMORY => Ledger::in_memory(),
                    path => Ledger::open(Path::new(path))?,
                };
                ledger.begin(&plan.dataset, &plan.unit(), plan.budget)?;
                ledger
            }
        };
        let done = work(&mut ledger);
        *held = Some(ledger);
        done
    }
}

/// The one instance.
struct Release {
    plan: Arc<Plan>,
    clock: WatermarkClock,
    waiting: Waiting,
    /// Start of the next window that is published.
    next: Option<i64>,
    /// The same as of the last barrier.
    sealed: Option<i64>,
    series: Option<Series>,
}

impl Release {
    fn new(plan: &Arc<Plan>) -> Self {
        let keys = KeyColumns { numbers: Vec::new(), fields: Vec::new() };
        Self {
            clock: WatermarkClock::default(),
            waiting: Waiting::new(&keys, &plan.held),
            next: plan.from.map(|from| plan.start_of(from)),
            sealed: None,
            series: None,
            plan: Arc::clone(plan),
        }
    }

    fn settle(&mut self) -> Result<()> {
        if self.waiting.table.is_restoring() {
            for row in self.waiting.table.settle(&mut KeyIndex::new(&[])?)? {
                self.waiting.agenda.push(row.mark.time, row.id, ());
            }
        }
        Ok(())
    }

    /// Publishes the window that begins at `start`: debit, noise, record, rows.
    fn publish(&mut self, start: i64, out: &mut Output) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let id = ReleaseId { series: plan.series_name.clone(), window: start };
        let end = start.saturating_add(plan.size);
        failpoint("private_started");
        let next = plan.ledger.with(&plan, |l| l.debit(&id, &plan.question, plan.cost))?;
        failpoint("private_debited");
        let mut rows = Vec::new();
        while let Some((part, _)) = self.waiting.take(end.saturating_sub(1))? {
            rows.push(part);
        }
        let numbers = match next {
            Next::Publish(numbers) => numbers,
            Next::Draw => {
                let mut numbers = plan.count(&rows, start)?;
                let mut bits = SystemBits::default();
                for number in &mut numbers {
                    *number = number.saturating_add(gaussian(plan.variance, &mut bits)?);
                }
                failpoint("private_drawn");
                plan.ledger.with(&plan, |l| l.record(&id, &plan.question, numbers))?
            }
        };
        failpoint("private_recorded");
        self.tell()?;
        let rows = plan.rows(start, &numbers)?;
        out.emit(Batch::new(rows, self.clock.readings(out.now())));
        Ok(())
    }

    fn tell(&self) -> Result<()> {
        let Some(series) = &self.series else { return Ok(()) };
        self.plan.ledger.with(&self.plan, |ledger| {
            series.set(ledger.spent(), ledger.budget(), self.plan.delta);
            Ok(())
        })
    }
}

impl Operator for Release {
    fn open(&mut self, metrics: &NodeMetrics) -> Result<()> {
        self.series = Some(self.plan.metrics.open(metrics, &self.plan.dataset)?);
        self.tell()
    }

    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.saw(batch.readings);
        let plan = Arc::clone(&self.plan);
        let closed = |_, time| {
            let end = plan.start_of(time).saturating_add(plan.size);
            self.clock.has_passed(end.saturating_sub(CLOSES_BEFORE))
                || plan.from.is_some_and(|from| time < plan.start_of(from))
        };
        let times = plan.time.of(batch, out)?.on_time(closed, out)?;
        let (times, records) = plan.cells(times, out)?;
        let batch = times.batch.with_records(records);
        self.waiting.push(&Times { batch, times: times.times })
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.advance(watermark);
        if self.next.is_none() {
            self.next = self.waiting.agenda.next_time().map(|first| self.plan.start_of(first));
        }
        while let Some(start) = self.next {
            let end = start.saturating_add(self.plan.size);
            let ended = watermark == Timestamp::MAX && self.waiting.agenda.next_time().is_none();
            if end.saturating_sub(CLOSES_BEFORE) > watermark.0 || ended {
                break;
            }
            self.publish(start, out)?;
            self.next = Some(end);
        }
        Ok(())
    }

    fn tables(&self) -> Vec<TableSpec> {
        let progress = TableSpec {
            name: PROGRESS,
            version: 1,
            schema: progress_schema(),
            partition: 0,
            key: 1,
            expiry: None,
            merge: Merge::Latest,
        };
        vec![self.waiting.table.spec(), progress]
    }

    fn layout(&self) -> String {
        format!("windows of {} us, {}", self.plan.size, self.plan.question)
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.settle()?;
        let mut deltas: Vec<TableDelta> = self.waiting.table.seal()?.into_iter().collect();
        if self.next != self.sealed {
            self.sealed = self.next;
            let columns: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from_value(0, 1)),
                Arc::new(Int64Array::from_iter([self.next])),
            ];
            let rows = RecordBatch::try_new(progress_schema(), columns)?;
            deltas.push(TableDelta::of(PROGRESS, rows));
        }
        Ok(deltas)
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        if delta.table != PROGRESS {
            return self.waiting.table.restore(delta);
        }
        let next = delta.rows.columns().get(1).and_then(|c| c.as_primitive_opt::<Int64Type>());
        let next = next.ok_or_else(|| Error::bug("read the progress of a private release"))?;
        if !next.is_empty() {
            self.next = next.iter().last().flatten();
            self.sealed = self.next;
        }
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.waiting.bytes()
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.state_bytes();
        spill_tables([self.waiting.table_mut()], (held, target), room)
    }

    fn spilled_bytes(&self) -> usize {
        self.waiting.disk_bytes()
    }
}

fn progress_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("next", DataType::Int64, true),
    ]))
}

#[cfg(test)]
mod tests;
