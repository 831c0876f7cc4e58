//! Made-up rows among those of a stream.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::compute::{cast, interleave_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, Merge, Operator, Output, Result, TableDelta, TableSpec, schema,
};

use crate::keyed::{EventTime, Times};
use crate::synthetic::model::Model;
use crate::synthetic::sampler::Sampler;
use crate::synthetic::series::{ModelMetrics, Series};
use crate::synthetic::wishes::Wishes;

const TABLE: &str = "synthesizer";
const MODEL: &str = "model";
const COUNT: &str = "count";

/// What does not change.
pub(super) struct Plan {
    pub(super) time: EventTime,
    /// Where the second input has models.
    pub(super) models: Option<usize>,
    pub(super) name: Option<String>,
    pub(super) ratio: f64,
    pub(super) seed: u64,
    pub(super) real: bool,
    pub(super) wishes: Wishes,
    pub(super) output: SchemaRef,
    pub(super) metrics: ModelMetrics,
}

impl Plan {
    /// What draws rows of a model; says why it cannot.
    pub(super) fn sampler(&self, model: &Model) -> Result<Sampler, String> {
        let sampler = Sampler::new(model, &self.wishes, self.seed)?;
        for field in sampler.schema().fields() {
            let Ok(column) = self.output.field_with_name(field.name()) else { continue };
            if column.data_type() != field.data_type() {
                let of = |field: &Field| schema::name(field.data_type());
                let name = field.name();
                return Err(format!(
                    "`{name}` is {} in it, and {} in the stream",
                    of(field),
                    of(column)
                ));
            }
        }
        Ok(sampler)
    }
}

/// A model in use.
struct Used {
    model: Arc<Model>,
    sampler: Sampler,
    /// Its text as it came, where it came by the second input.
    text: Option<String>,
}

/// The one instance.
pub(super) struct Among {
    plan: Arc<Plan>,
    used: Option<Used>,
    /// Rows that passed since there is a model, and rows that were made.
    passed: u64,
    made: u64,
    changed_model: bool,
    changed_count: bool,
    series: Option<Series>,
}

impl Among {
    pub(super) fn new(plan: &Arc<Plan>, first: Option<Arc<Model>>) -> Result<Self> {
        let mut among = Self {
            plan: Arc::clone(plan),
            used: None,
            passed: 0,
            made: 0,
            changed_model: false,
            changed_count: false,
            series: None,
        };
        if let Some(model) = first {
            among.take_up(model, None).map_err(|why| unfit(&why))?;
        }
        Ok(among)
    }

    fn take_up(&mut self, model: Arc<Model>, text: Option<String>) -> Result<(), String> {
        let sampler = self.plan.sampler(&model)?;
        self.series.iter().for_each(|series| series.set(&model));
        self.used = Some(Used { model, sampler, text });
        Ok(())
    }

    /// Models came: the newest is taken up. A bad one leaves everything as it was.
    fn models(&mut self, batch: &Batch, column: usize) -> Result<()> {
        let texts = batch.records.column(column).as_string::<i32>();
        let mut newest: Option<(Model, &str)> = None;
        for text in texts.iter().flatten() {
            let model = Model::from_text(text).map_err(|why| unfit(&why))?;
            if self.plan.name.as_ref().is_some_and(|name| *name != model.name) {
                continue;
            }
            self.plan.sampler(&model).map_err(|why| unfit(&why))?;
            let held = self.used.as_ref().map(|used| &*used.model);
            let is_newer = |held: &Model| held.name != model.name || held.version < model.version;
            if newest.as_ref().map(|(model, _)| model).or(held).is_none_or(is_newer) {
                newest = Some((model, text));
            }
        }
        if let Some((model, text)) = newest {
            self.take_up(Arc::new(model), Some(text.to_owned())).map_err(|why| unfit(&why))?;
            self.changed_model = true;
        }
        Ok(())
    }

    /// How many rows have been made once so many have passed.
    fn due(&self, passed: u64) -> u64 {
        (passed as f64 * self.plan.ratio).floor() as u64
    }

    /// Made-up rows, in the columns of the output.
    fn made_up(
        &self,
        used: &Used,
        numbers: &[u64],
        times: &[i64],
        rows: &RecordBatch,
    ) -> Result<RecordBatch> {
        let made = used.sampler.rows(numbers, times)?;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.plan.output.fields().len());
        for (number, field) in self.plan.output.fields().iter().enumerate() {
            let column = if number == self.plan.time.column() {
                let micros = arrow::array::TimestampMicrosecondArray::from(times.to_vec());
                cast(&micros, field.data_type())?
            } else if number == rows.num_columns() {
                Arc::new(Int64Array::from_value(used.sampler.version, numbers.len()))
            } else {
                let column = made.column_by_name(field.name()).map(Arc::clone);
                column.unwrap_or_else(|| new_null_array(field.data_type(), numbers.len()))
            };
            columns.push(column);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.plan.output), columns)?)
    }

    /// Each row with those that follow it.
    fn rows(&mut self, Times { batch, times }: &Times, out: &mut Output) -> Result<()> {
        let rows = &batch.records;
        let mut columns = rows.columns().to_vec();
        columns.push(new_null_array(&DataType::Int64, rows.num_rows()));
        let real = RecordBatch::try_new(Arc::clone(&self.plan.output), columns)?;
        let Some(used) = &self.used else {
            if self.plan.real {
                out.emit(batch.with_records(real));
            }
            return Ok(());
        };
        let (mut picks, mut numbers, mut made_at) = (Vec::new(), Vec::new(), Vec::new());
        let (mut passed, mut made) = (self.passed, self.made);
        for (row, time) in times.iter().enumerate() {
            if self.plan.real {
                picks.push((0, row));
            }
            passed += 1;
            while made < self.due(passed) {
                picks.push((1, numbers.len()));
                numbers.push(made);
                made_at.push(*time);
                made += 1;
            }
        }
        let made_up = self.made_up(used, &numbers, &made_at, rows)?;
        let all = interleave_record_batch(&[&real, &made_up], &picks)?;
        (self.passed, self.made) = (passed, made);
        self.changed_count = true;
        out.emit(batch.with_records(all));
        Ok(())
    }
}

fn unfit(why: &str) -> Error {
    Error::data("SW3251", format!("take up a model: {why}")).with_hint(
        "the model before it stays in use; give the node `on_error` to set such models aside",
    )
}

fn table_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("part", DataType::Utf8, false),
        Field::new("model", DataType::Utf8, true),
        Field::new("passed", DataType::Int64, true),
        Field::new("made", DataType::Int64, true),
    ]))
}

impl Operator for Among {
    fn open(&mut self, metrics: &NodeMetrics) -> Result<()> {
        let series = self.plan.metrics.open(metrics)?;
        self.used.iter().for_each(|used| series.set(&used.model));
        self.series = Some(series);
        Ok(())
    }

    fn process(&mut self, input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        match (input, self.plan.models) {
            (0, _) => {
                let times = self.plan.time.of(batch, out)?;
                if times.rows() == 0 {
                    return Ok(());
                }
                self.rows(&times, out)
            }
            (1, Some(column)) => self.models(&batch, column),
            _ => Err(Error::bug("take rows of an input that is not there")),
        }
    }

    fn tables(&self) -> Vec<TableSpec> {
        vec![TableSpec {
            name: TABLE,
            version: 1,
            schema: table_schema(),
            partition: 0,
            key: 1,
            expiry: None,
            merge: Merge::Latest,
        }]
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        let (mut parts, mut models) = (Vec::new(), Vec::new());
        let (mut passed, mut made) = (Vec::new(), Vec::new());
        if std::mem::take(&mut self.changed_model)
            && let Some(used) = &self.used
        {
            parts.push(MODEL);
            models.push(used.text.clone());
            passed.push(None);
            made.push(None);
        }
        if std::mem::take(&mut self.changed_count) {
            parts.push(COUNT);
            models.push(None);
            passed.push(i64::try_from(self.passed).ok());
            made.push(i64::try_from(self.made).ok());
        }
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(parts)),
            Arc::new(StringArray::from(models)),
            Arc::new(Int64Array::from(passed)),
            Arc::new(Int64Array::from(made)),
        ];
        Ok(vec![TableDelta::of(TABLE, RecordBatch::try_new(table_schema(), columns)?)])
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        let damaged = || Error::state("SW3311", "restore the model in use: it does not fit");
        let rows = &delta.rows;
        let text = |number: usize| rows.columns().get(number)?.as_string_opt::<i32>();
        let count = |number: usize| rows.columns().get(number)?.as_primitive_opt::<Int64Type>();
        let (parts, models) = (text(0).ok_or_else(damaged)?, text(1).ok_or_else(damaged)?);
        let (passed, made) = (count(2).ok_or_else(damaged)?, count(3).ok_or_else(damaged)?);
        for row in 0..rows.num_rows() {
            if parts.value(row) == MODEL {
                let text = models.value(row);
                let model = Model::from_text(text).map_err(|_| damaged())?;
                // Other options may have made it impossible: then it waits for the next one.
                let taken = self.take_up(Arc::new(model), Some(text.to_owned()));
                if taken.is_err() {
                    self.used = None;
                }
            } else {
                self.passed = u64::try_from(passed.value(row)).map_err(|_| damaged())?;
                self.made = u64::try_from(made.value(row)).map_err(|_| damaged())?;
            }
        }
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        let draws =
            |model: &Model| model.columns.iter().map(|c| c.bins().len() * 64).sum::<usize>();
        self.used.as_ref().map_or(0, |used| draws(&used.model))
    }
}
