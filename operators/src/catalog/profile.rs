//! `profile`: what the columns of each window look like.

mod account;
mod frequent;
mod options;
mod series;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result, SpillRoom, Stream,
    TableDelta, TableSpec, Timestamp,
};

pub use self::options::ProfileOptions;

use self::account::{Account, Figures};
use self::series::Series;
use crate::keyed::{EventTime, Tumbling, spill_tables, window_fields};
use crate::series::NodeSeries;

/// What all instances share.
struct Plan {
    size: i64,
    quantiles: Vec<f64>,
    /// Names of the statistics that are doubles, in the order of [`Figures::doubles`].
    names: Vec<String>,
    time: EventTime,
    /// Columns of the input that are profiled, and as they are held.
    columns: Vec<usize>,
    held: SchemaRef,
    output: SchemaRef,
    series: NodeSeries<Series>,
}

fn output(names: &[String]) -> SchemaRef {
    let mut fields = window_fields();
    fields.extend([
        Field::new("column", DataType::Utf8, false),
        Field::new("rows", DataType::Int64, false),
        Field::new("distinct", DataType::Int64, false),
    ]);
    fields.extend(names.iter().map(|name| Field::new(name, DataType::Float64, true)));
    fields.push(Field::new("most_frequent", DataType::Utf8, true));
    Arc::new(Schema::new(fields))
}

impl OperatorOptions for ProfileOptions {
    const KIND: &'static str = "profile";
    const EXAMPLE: &'static str = r#"name: profile_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
    event_time: {column: date_time}
operators:
  prices: {input: bids, profile: {window: 1s, columns: [price, channel], quantiles: [0.5, 0.99]}}
sinks:
  out: {input: prices, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let time = EventTime::of_input(cx, 0)?;
        let size = self.check()?;
        let names = self.names()?;
        let (columns, held) = self.columns(&input, time.column())?;
        let output = output(&names);
        let plan = Arc::new(Plan {
            size,
            quantiles: self.quantiles,
            names,
            time,
            columns,
            held: Arc::new(Schema::new(held)),
            output: Arc::clone(&output),
            series: NodeSeries::default(),
        });
        let make = Arc::new(move |_| Ok(Box::new(Profile::new(&plan)) as Box<dyn Operator>));
        let plan = OperatorPlan::keyed(output, Stream::at("window_time"), Vec::new(), make);
        Ok(OperatorPlan { splittable: true, ..plan }.with_late_port(input))
    }
}

/// The one instance.
struct Profile {
    plan: Arc<Plan>,
    windows: Tumbling,
    series: Option<Series>,
}

impl Profile {
    fn new(plan: &Arc<Plan>) -> Self {
        let windows = Tumbling::new(plan.size, &plan.held);
        Self { windows, series: None, plan: Arc::clone(plan) }
    }

    fn close(&mut self, end: i64, out: &mut Output) -> Result<()> {
        let mut accounts = vec![Account::default(); self.plan.columns.len()];
        while let Some((records, times)) = self.windows.take(end)? {
            for (account, column) in accounts.iter_mut().zip(records.columns()) {
                account.add(column, &times);
            }
        }
        let figures: Vec<Figures> =
            accounts.iter().map(|account| account.figures(end, &self.plan.quantiles)).collect();
        for (field, figures) in self.plan.held.fields().iter().zip(&figures) {
            self.series.iter().for_each(|s| s.set(field.name(), &self.plan.names, figures));
        }
        let rows = self.records(end, &figures)?;
        out.emit(Batch::new(rows, self.windows.readings(out.now())));
        Ok(())
    }

    fn records(&self, end: i64, figures: &[Figures]) -> Result<RecordBatch> {
        let mut columns = self.windows.times(end, figures.len())?;
        let names = self.plan.held.fields().iter().map(|field| field.name());
        let whole = |of: fn(&Figures) -> u64| -> ArrayRef {
            let values = figures.iter().map(|f| i64::try_from(of(f)).unwrap_or(i64::MAX));
            Arc::new(Int64Array::from_iter_values(values))
        };
        columns.push(Arc::new(StringArray::from_iter_values(names)));
        columns.push(whole(|f| f.rows));
        columns.push(whole(|f| f.distinct));
        for place in 0..self.plan.names.len() {
            let values = figures.iter().map(|f| f.doubles.get(place).copied().flatten());
            columns.push(Arc::new(values.collect::<Float64Array>()));
        }
        let frequent = figures.iter().map(|f| f.most_frequent.as_deref());
        columns.push(Arc::new(frequent.collect::<StringArray>()));
        Ok(RecordBatch::try_new(Arc::clone(&self.plan.output), columns)?)
    }
}

impl Operator for Profile {
    fn open(&mut self, metrics: &NodeMetrics) -> Result<()> {
        self.series = Some(self.plan.series.open(metrics)?);
        Ok(())
    }

    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        self.windows.settle()?;
        let plan = &self.plan;
        let held = |records: &RecordBatch| {
            let fields = plan.columns.iter().zip(plan.held.fields());
            let columns = fields.map(|(c, field)| Ok(cast(records.column(*c), field.data_type())?));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            Ok(RecordBatch::try_new(Arc::clone(&plan.held), columns)?)
        };
        self.windows.push((batch, &plan.time), held, out)
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        self.windows.settle()?;
        self.windows.advance(watermark);
        while let Some(end) = self.windows.closed() {
            self.close(end, out)?;
        }
        Ok(())
    }

    fn tables(&self) -> Vec<TableSpec> {
        vec![self.windows.waiting.table.spec()]
    }

    fn layout(&self) -> String {
        format!("windows of {} us", self.plan.size)
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.windows.settle()?;
        Ok(self.windows.waiting.table.seal()?.into_iter().collect())
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        self.windows.waiting.table.restore(delta)
    }

    fn state_bytes(&self) -> usize {
        self.windows.waiting.bytes()
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.state_bytes();
        spill_tables([self.windows.waiting.table_mut()], (held, target), room)
    }

    fn spilled_bytes(&self) -> usize {
        self.windows.waiting.disk_bytes()
    }
}

#[cfg(test)]
mod tests;
