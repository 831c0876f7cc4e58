//! `drift`: how far the values of each window are from those of a reference.

mod metrics;
mod options;
mod series;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result, SpillRoom, Stream,
    TableDelta, TableSpec, Timestamp,
};

pub use self::options::{DriftOptions, Metric};

use self::metrics::Reference;
use self::series::Series;
use crate::keyed::{
    EventTime, KeyColumns, KeyIndex, Removal, RowTable, Tumbling, spill_tables, window_fields,
};
use crate::series::NodeSeries;

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
    series: NodeSeries<Series>,
}

fn output() -> SchemaRef {
    let found = [
        Field::new("column", DataType::Utf8, false),
        Field::new("metric", DataType::Utf8, false),
        Field::new("value", DataType::Float64, true),
        Field::new("threshold", DataType::Float64, false),
        Field::new("drifted", DataType::Boolean, false),
    ];
    Arc::new(Schema::new(window_fields().into_iter().chain(found).collect::<Vec<_>>()))
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
            series: NodeSeries::default(),
        });
        let make = Arc::new(move |_| Ok(Box::new(Drift::new(&plan)) as Box<dyn Operator>));
        let plan = OperatorPlan::keyed(output, Stream::at("window_time"), Vec::new(), make);
        Ok(OperatorPlan { splittable: true, ..plan }.with_late_port(input))
    }
}

/// The one instance.
struct Drift {
    plan: Arc<Plan>,
    windows: Tumbling,
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
            windows: Tumbling::new(plan.size, &plan.held),
            kept: RowTable::new("reference", &keys, &plan.held, Removal::ByKey),
            sample: vec![Vec::new(); plan.columns.len()],
            rows: 0,
            reference: None,
            series: None,
            plan: Arc::clone(plan),
        }
    }

    fn settle(&mut self) -> Result<()> {
        self.windows.settle()?;
        if self.kept.is_restoring() {
            let mut index = KeyIndex::new(&[])?;
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
        while let Some((rows, of)) = self.windows.take(end)? {
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
        let rows = self.records(end, &found)?;
        out.emit(Batch::new(rows, self.windows.readings(out.now())));
        Ok(())
    }

    fn records(&self, end: i64, found: &[Found<'_>]) -> Result<RecordBatch> {
        let mut columns = self.windows.times(end, found.len())?;
        let measured: [ArrayRef; 5] = [
            Arc::new(StringArray::from_iter_values(found.iter().map(|f| f.column))),
            Arc::new(StringArray::from_iter_values(found.iter().map(|f| f.metric.name()))),
            Arc::new(found.iter().map(|f| f.value).collect::<Float64Array>()),
            Arc::new(found.iter().map(|f| Some(f.threshold)).collect::<Float64Array>()),
            Arc::new(found.iter().map(|f| Some(f.drifted())).collect::<BooleanArray>()),
        ];
        columns.extend(measured);
        Ok(RecordBatch::try_new(Arc::clone(&self.plan.output), columns)?)
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

impl Operator for Drift {
    fn open(&mut self, metrics: &NodeMetrics) -> Result<()> {
        self.series = Some(self.plan.series.open(metrics)?);
        Ok(())
    }

    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        self.settle()?;
        let plan = &self.plan;
        let held = |records: &RecordBatch| {
            let number = |c: &usize| Ok(cast(records.column(*c), &DataType::Float64)?);
            let columns = plan.columns.iter().map(number).collect::<Result<Vec<_>>>()?;
            Ok(RecordBatch::try_new(Arc::clone(&plan.held), columns)?)
        };
        self.windows.push((batch, &plan.time), held, out)
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.windows.advance(watermark);
        while let Some(end) = self.windows.closed() {
            self.close(end, out)?;
        }
        Ok(())
    }

    fn tables(&self) -> Vec<TableSpec> {
        vec![self.windows.waiting.table.spec(), self.kept.spec()]
    }

    fn layout(&self) -> String {
        format!("windows of {} us, reference of {} rows", self.plan.size, self.plan.reference_rows)
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.settle()?;
        Ok(self.windows.waiting.table.seal()?.into_iter().chain(self.kept.seal()?).collect())
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        let table = if delta.table == self.kept.name() {
            &mut self.kept
        } else {
            &mut self.windows.waiting.table
        };
        table.restore(delta)
    }

    fn state_bytes(&self) -> usize {
        // The reference is there twice: as rows for snapshots, and sorted.
        let values = self.rows * self.plan.columns.len() * size_of::<f64>();
        self.windows.waiting.bytes() + self.kept.bytes() + values
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.state_bytes();
        spill_tables([self.windows.waiting.table_mut(), &mut self.kept], (held, target), room)
    }

    fn spilled_bytes(&self) -> usize {
        self.windows.waiting.disk_bytes() + self.kept.disk_bytes()
    }
}

#[cfg(test)]
mod tests;
