//! `drift`: how far the values of each window are from those of a reference.

mod metrics;
mod options;
mod series;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef, TimeUnit};
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result, SpillRoom, Stream,
    TableDelta, TableSpec, Timestamp,
};

pub use self::options::{DriftOptions, Metric};

use self::metrics::Reference;
use self::series::{DriftMetrics, Series};
use crate::keyed::{
    EventTime, KeyColumns, KeyIndex, Removal, RowTable, Times, Waiting, WatermarkClock,
    spill_tables,
};

/// A window closes when the watermark is a millisecond before its end.
const CLOSES_BEFORE: i64 = 1000;

/// What all instances share.
struct Plan {
    size: i64,
    reference_rows: usize,
    metrics: Vec<(Metric, f64)>,
    time: EventTime,
    /// Columns of the input that are measured, and as they are held.
    columns: Vec<usize>,
    held: SchemaRef,
    output: SchemaRef,
    series: DriftMetrics,
}

fn output() -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Millisecond, None);
    Arc::new(Schema::new(vec![
        Field::new("window_start", time(), false),
        Field::new("window_end", time(), false),
        Field::new("window_time", time(), false),
        Field::new("column", DataType::Utf8, false),
        Field::new("metric", DataType::Utf8, false),
        Field::new("value", DataType::Float64, true),
        Field::new("threshold", DataType::Float64, false),
        Field::new("drifted", DataType::Boolean, false),
    ]))
}

impl OperatorOptions for DriftOptions {
    const KIND: &'static str = "drift";
    const EXAMPLE: &'static str = r#"name: drift_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
    event_time: {column: date_time}
operators:
  prices: {input: bids, drift: {window: 1s, reference_rows: 1000, columns: [price], metrics: {psi: 0.25, ks: 0.1}}}
sinks:
  out: {input: prices, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let time = EventTime::of_input(cx, 0)?;
        let size = self.check()?;
        let columns = self.columns(&input, time.column())?;
        let held =
            columns.iter().map(|n| Field::new(input.field(*n).name(), DataType::Float64, true));
        let output = output();
        let plan = Arc::new(Plan {
            size,
            reference_rows: self.reference_rows,
            metrics: self.metrics.into_iter().collect(),
            time,
            held: Arc::new(Schema::new(held.collect::<Vec<_>>())),
            columns,
            output: Arc::clone(&output),
            series: DriftMetrics::default(),
        });
        let make = Arc::new(move |_| Ok(Box::new(Drift::new(&plan)) as Box<dyn Operator>));
        let plan = OperatorPlan::keyed(output, Stream::at("window_time"), Vec::new(), make);
        Ok(OperatorPlan { splittable: true, ..plan }.with_late_port(input))
    }
}

/// The one instance.
struct Drift {
    plan: Arc<Plan>,
    clock: WatermarkClock,
    waiting: Waiting,
    /// Rows of the reference.
    kept: RowTable,
    /// Their values by column, while the reference is gathered.
    sample: Vec<Vec<f64>>,
    rows: usize,
    /// By column, once it is frozen.
    reference: Option<Vec<Option<Reference>>>,
    series: Option<Series>,
}

/// The finite numbers of each column.
fn numbers(records: &RecordBatch, into: &mut [Vec<f64>]) {
    for (column, into) in records.columns().iter().zip(into) {
        let values = column.as_primitive::<Float64Type>().iter().flatten();
        into.extend(values.filter(|v| v.is_finite()));
    }
}

impl Drift {
    fn new(plan: &Arc<Plan>) -> Self {
        let keys = KeyColumns { numbers: Vec::new(), fields: Vec::new() };
        Self {
            clock: WatermarkClock::default(),
            waiting: Waiting::new(&keys, &plan.held),
            kept: RowTable::new("reference", &keys, &plan.held, Removal::ByKey),
            sample: vec![Vec::new(); plan.columns.len()],
            rows: 0,
            reference: None,
            series: None,
            plan: Arc::clone(plan),
        }
    }

    fn settle(&mut self) -> Result<()> {
        let mut index = KeyIndex::new(&[])?;
        if self.waiting.table.is_restoring() {
            for row in self.waiting.table.settle(&mut index)? {
                self.waiting.agenda.push(row.mark.time, row.id, ());
            }
        }
        if self.kept.is_restoring() {
            let ids: Vec<_> = self.kept.settle(&mut index)?.iter().map(|row| row.id).collect();
            self.gather(&self.kept.rows(&ids)?);
        }
        Ok(())
    }

    /// Takes rows into the reference; freezes it when it has enough.
    fn gather(&mut self, records: &RecordBatch) {
        numbers(records, &mut self.sample);
        self.rows += records.num_rows();
        if self.rows >= self.plan.reference_rows {
            let samples = std::mem::take(&mut self.sample);
            self.reference = Some(samples.into_iter().map(Reference::new).collect());
        }
    }

    /// The rows of a window that closes.
    fn window(&mut self, end: i64) -> Result<(Vec<RecordBatch>, Vec<i64>)> {
        let (mut records, mut times) = (Vec::new(), Vec::new());
        while let Some((rows, of)) = self.waiting.take(end.saturating_sub(1))? {
            records.push(rows);
            times.extend(of);
        }
        Ok((records, times))
    }

    fn close(&mut self, end: i64, out: &mut Output) -> Result<()> {
        let (records, times) = self.window(end)?;
        let Some(reference) = &self.reference else {
            let records = arrow::compute::concat_batches(&self.plan.held, &records)?;
            self.kept.push(records.clone(), &times)?;
            self.gather(&records);
            return Ok(());
        };
        let mut values = vec![Vec::new(); self.plan.columns.len()];
        records.iter().for_each(|records| numbers(records, &mut values));
        let mut found = Vec::new();
        for ((field, reference), values) in
            self.plan.held.fields().iter().zip(reference).zip(&mut values)
        {
            values.sort_unstable_by(f64::total_cmp);
            let reference = reference.as_ref().filter(|_| !values.is_empty());
            for (metric, threshold) in &self.plan.metrics {
                let value = reference.and_then(|r| metric.of(r, values));
                let found_here =
                    Found { column: field.name(), metric: *metric, value, threshold: *threshold };
                self.series.iter().for_each(|s| s.set(&found_here));
                found.push(found_here);
            }
        }
        let rows = rows(&self.plan, end, &found)?;
        out.emit(Batch::new(rows, self.clock.readings(out.now())));
        Ok(())
    }
}

/// A metric of a column in one window.
struct Found<'a> {
    column: &'a str,
    metric: Metric,
    value: Option<f64>,
    threshold: f64,
}

impl Found<'_> {
    fn drifted(&self) -> bool {
        self.value.is_some_and(|value| value >= self.threshold)
    }
}

fn rows(plan: &Plan, end: i64, found: &[Found<'_>]) -> Result<RecordBatch> {
    let time = |time: i64| -> Result<ArrayRef> {
        let times = TimestampMicrosecondArray::from_value(time, found.len());
        Ok(cast(&times, &DataType::Timestamp(TimeUnit::Millisecond, None))?)
    };
    let columns: Vec<ArrayRef> = vec![
        time(end.saturating_sub(plan.size))?,
        time(end)?,
        time(end.saturating_sub(CLOSES_BEFORE))?,
        Arc::new(StringArray::from_iter_values(found.iter().map(|f| f.column))),
        Arc::new(StringArray::from_iter_values(found.iter().map(|f| f.metric.name()))),
        Arc::new(found.iter().map(|f| f.value).collect::<Float64Array>()),
        Arc::new(found.iter().map(|f| Some(f.threshold)).collect::<Float64Array>()),
        Arc::new(found.iter().map(|f| Some(f.drifted())).collect::<BooleanArray>()),
    ];
    Ok(RecordBatch::try_new(Arc::clone(&plan.output), columns)?)
}

const fn end_of(time: i64, size: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(size)).saturating_add(size)
}

impl Operator for Drift {
    fn open(&mut self, metrics: &NodeMetrics) -> Result<()> {
        self.series = Some(self.plan.series.open(metrics)?);
        Ok(())
    }

    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.saw(batch.readings);
        let (clock, size) = (&self.clock, self.plan.size);
        let closed = |_, time| clock.has_passed(end_of(time, size).saturating_sub(CLOSES_BEFORE));
        let Times { batch, times } = self.plan.time.of(batch, out)?.on_time(closed, out)?;
        let columns = self
            .plan
            .columns
            .iter()
            .map(|c| Ok(cast(batch.records.column(*c), &DataType::Float64)?));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let records = RecordBatch::try_new(Arc::clone(&self.plan.held), columns)?;
        self.waiting.push(&Times { batch: batch.with_records(records), times })
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.advance(watermark);
        while let Some(first) = self.waiting.agenda.next_time() {
            let end = end_of(first, self.plan.size);
            if end.saturating_sub(CLOSES_BEFORE) > watermark.0 {
                break;
            }
            self.close(end, out)?;
        }
        Ok(())
    }

    fn tables(&self) -> Vec<TableSpec> {
        vec![self.waiting.table.spec(), self.kept.spec()]
    }

    fn layout(&self) -> String {
        format!("windows of {} us, reference of {} rows", self.plan.size, self.plan.reference_rows)
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.settle()?;
        Ok(self.waiting.table.seal()?.into_iter().chain(self.kept.seal()?).collect())
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        let table =
            if delta.table == self.kept.name() { &mut self.kept } else { &mut self.waiting.table };
        table.restore(delta)
    }

    fn state_bytes(&self) -> usize {
        // The reference is there twice: as rows for snapshots, and sorted.
        let values = self.rows * self.plan.columns.len() * size_of::<f64>();
        self.waiting.bytes() + self.kept.bytes() + values
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.state_bytes();
        spill_tables([self.waiting.table_mut(), &mut self.kept], (held, target), room)
    }

    fn spilled_bytes(&self) -> usize {
        self.waiting.disk_bytes() + self.kept.disk_bytes()
    }
}

#[cfg(test)]
mod tests;
