//! `fidelity`: how well the synthetic rows of each window stand in for the real ones.

mod options;
mod series;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray,
};
use arrow::compute::{cast, filter_record_batch, not};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result, SpillRoom,
    Stream, TableDelta, TableSpec, Timestamp,
};

pub use self::options::FidelityOptions;

use self::series::Series;
use crate::fidelity::{Baselines, Choices, Design, Quality, Reference, Table, baselines};
use crate::keyed::{EventTime, Tumbling, spill_tables, window_fields};
use crate::series::NodeSeries;

/// The held column that tells the sides apart; no column of the input has this name.
const SIDE: &str = " synthetic";

/// What all instances share.
struct Plan {
    options: FidelityOptions,
    size: i64,
    times: Vec<EventTime>,
    /// The column that marks synthetic rows, where there is one input.
    mark: Option<usize>,
    choices: Choices,
    design: Design,
    held: SchemaRef,
    output: SchemaRef,
    series: NodeSeries<Series>,
}

fn output() -> SchemaRef {
    let mut fields = window_fields();
    fields.extend([
        Field::new("measure", DataType::Utf8, false),
        Field::new("column", DataType::Utf8, true),
        Field::new("other", DataType::Utf8, true),
        Field::new("value", DataType::Float64, true),
    ]);
    Arc::new(Schema::new(fields))
}

impl OperatorOptions for FidelityOptions {
    const KIND: &'static str = "fidelity";
    const EXAMPLE: &'static str = r#"name: fidelity_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
    event_time: {column: date_time}
  made_up:
    generate: {preset: bids, rate: 1000, count: 5000, seed: 2}
    event_time: {column: date_time}
operators:
  twin: {input: made_up, select: [date_time, price, channel, bidder]}
  alike: {inputs: [bids, twin], fidelity: {window: 1s}}
sinks:
  out: {input: alike, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let size = self.check()?;
        let (real, synthetic, mark) = match cx.inputs {
            [one] => (one, one, Some(self.mark_of(one)?)),
            [real, synthetic] => (real, synthetic, None),
            more => {
                let message = format!("compare the rows of {} inputs", more.len());
                return Err(Error::config("SW0204", message)
                    .with_hint("write inputs: [real, synthetic], or one input with a mark"));
            }
        };
        let times: Vec<EventTime> =
            (0..cx.inputs.len()).map(|n| EventTime::of_input(cx, n)).collect::<Result<_>>()?;
        let places = times.iter().zip(cx.inputs).map(|(time, rows)| rows.field(time.column()));
        let mut other: Vec<&str> = places.map(|field| field.name().as_str()).collect();
        other.push(self.mark.as_str());
        let choices = self.choices(&other);
        let design = Self::design(real, synthetic, &choices)?;
        let late = Arc::clone(real);
        let output = output();
        let plan = Arc::new(Plan {
            size,
            times,
            mark,
            choices,
            held: Arc::new(Self::held(&design)),
            design,
            output: Arc::clone(&output),
            series: NodeSeries::default(),
            options: self,
        });
        let make = Arc::new(move |_| Ok(Box::new(Fidelity::new(&plan)) as Box<dyn Operator>));
        let plan = OperatorPlan::keyed(output, Stream::at("window_time"), Vec::new(), make);
        let plan = OperatorPlan { splittable: true, ..plan };
        // Late rows of two inputs with other columns fit no port: they are counted.
        Ok(if late == *synthetic { plan.with_late_port(late) } else { plan })
    }
}

/// The one instance.
struct Fidelity {
    plan: Arc<Plan>,
    windows: Tumbling,
    series: Option<Series>,
}

/// A measure of a window.
struct Found {
    measure: &'static str,
    column: Option<String>,
    other: Option<String>,
    value: Option<f64>,
}

impl Found {
    const fn of_all(measure: &'static str, value: Option<f64>) -> Self {
        Self { measure, column: None, other: None, value }
    }
}

/// Which rows of a batch are synthetic, by the mark.
fn marked(mark: &dyn Array) -> Result<BooleanArray> {
    if let Some(flags) = mark.as_boolean_opt() {
        return Ok(flags.iter().map(|flag| Some(flag.unwrap_or(false))).collect());
    }
    if !mark.data_type().is_string() {
        return Ok((0..mark.len()).map(|row| Some(mark.is_valid(row))).collect());
    }
    let texts = cast(mark, &DataType::Utf8)?;
    Ok(texts
        .as_string::<i32>()
        .iter()
        .map(|text| Some(text.is_some_and(|t| !t.is_empty())))
        .collect())
}

impl Plan {
    fn hold(&self, input: Input, records: &RecordBatch) -> Result<RecordBatch> {
        let side = match self.mark {
            Some(mark) => marked(records.column(mark))?,
            None => BooleanArray::from(vec![input == 1; records.num_rows()]),
        };
        let mut columns: Vec<ArrayRef> = vec![Arc::new(side)];
        for (field, held) in self.design.fields.iter().zip(self.held.fields().iter().skip(1)) {
            let missing = || Error::bug(format!("find the column `{}`", field.name));
            let column = records.column_by_name(&field.name).ok_or_else(missing)?;
            columns.push(cast(column, held.data_type())?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.held), columns)?)
    }

    fn measure(&self, mut real: Table, mut synthetic: Table, mut design: Design) -> Vec<Found> {
        let FidelityOptions { seed, draws, least_rows, most_rows, .. } = self.options;
        let count = |rows: usize| Some(rows as f64);
        let mut found = vec![
            Found::of_all("real_rows", count(real.rows)),
            Found::of_all("synthetic_rows", count(synthetic.rows)),
        ];
        if real.rows < least_rows || synthetic.rows < least_rows {
            return found;
        }
        design.drop_identifiers(&mut real, &mut [&mut synthetic], &self.choices);
        let real = real.sample(most_rows, seed, "real");
        let synthetic = synthetic.sample(most_rows, seed, "synthetic");
        let reference = Reference::new(&design, &real, self.options.thresholds());
        let quality = reference.score(&synthetic);
        let placed = baselines((&reference, &real), (&quality, synthetic.rows), (draws, seed));
        found.extend(of_window(quality, &placed));
        found
    }
}

fn of_window(quality: Quality, placed: &Baselines) -> Vec<Found> {
    let mut found = vec![
        Found::of_all("quality", quality.score),
        Found::of_all("column_shapes", quality.column_shapes),
        Found::of_all("column_pair_trends", quality.column_pair_trends),
        Found::of_all("floor", placed.quality.floor),
        Found::of_all("ceiling", placed.quality.ceiling),
        Found::of_all("normalised", placed.quality.normalised),
    ];
    found.extend(quality.columns.into_iter().map(|c| Found {
        measure: "shape",
        column: Some(c.column),
        other: None,
        value: c.score,
    }));
    found.extend(quality.pairs.into_iter().filter(|p| p.counts).map(|p| Found {
        measure: "pair",
        column: Some(p.first),
        other: Some(p.second),
        value: p.score,
    }));
    found
}

impl Fidelity {
    fn new(plan: &Arc<Plan>) -> Self {
        let windows = Tumbling::new(plan.size, &plan.held);
        Self { windows, series: None, plan: Arc::clone(plan) }
    }

    fn close(&mut self, end: i64, out: &mut Output) -> Result<()> {
        let mut design = self.plan.design.clone();
        let (mut real, mut synthetic) = (design.empty(), design.empty());
        while let Some((records, _)) = self.windows.take(end)? {
            let side = records.column(0).as_boolean().clone();
            design.read(&filter_record_batch(&records, &not(&side)?)?, &mut real)?;
            design.read(&filter_record_batch(&records, &side)?, &mut synthetic)?;
        }
        let found = self.plan.measure(real, synthetic, design);
        self.series.iter().for_each(|series| series.set(&found));
        let mut columns = self.windows.times(end, found.len())?;
        let measured: [ArrayRef; 4] = [
            Arc::new(StringArray::from_iter_values(found.iter().map(|f| f.measure))),
            Arc::new(found.iter().map(|f| f.column.as_deref()).collect::<StringArray>()),
            Arc::new(found.iter().map(|f| f.other.as_deref()).collect::<StringArray>()),
            Arc::new(found.iter().map(|f| f.value).collect::<Float64Array>()),
        ];
        columns.extend(measured);
        let rows = RecordBatch::try_new(Arc::clone(&self.plan.output), columns)?;
        out.emit(Batch::new(rows, self.windows.readings(out.now())));
        Ok(())
    }
}

impl Operator for Fidelity {
    fn open(&mut self, metrics: &NodeMetrics) -> Result<()> {
        self.series = Some(self.plan.series.open(metrics)?);
        Ok(())
    }

    fn process(&mut self, input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        self.windows.settle()?;
        let plan = &self.plan;
        let time = plan.times.get(input).ok_or_else(|| Error::bug("find the time of an input"))?;
        self.windows.push((batch, time), |records| plan.hold(input, records), out)
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
