//! `synthesize`: rows of a learned model, as a stream of their own or among those of a stream.

mod among;
mod options;
mod source;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use swiftwater_engine::{NodeContext, Operator, OperatorOptions, OperatorPlan, Result};

pub use self::options::{SynthesizeOptions, SynthesizeSourceOptions};

use self::among::{Among, Plan};
use crate::keyed::EventTime;
use crate::synthetic::artifact;
use crate::synthetic::sampler::Sampler;
use crate::synthetic::series::ModelMetrics;
use crate::synthetic::wishes::{Asked, Wishes};
use options::mistake;

/// The column that marks rows: the version of the model they come from, null for others.
pub(crate) const MARK: &str = "_synthetic";

fn marked(fields: impl Iterator<Item = Field>) -> Result<SchemaRef> {
    let mut fields: Vec<Field> = fields.collect();
    if fields.iter().any(|f| f.name() == MARK) {
        let message = format!("mark rows that have a column `{MARK}` already");
        return Err(mistake(message, "rename it in a `select` before"));
    }
    fields.push(Field::new(MARK, DataType::Int64, true));
    Ok(Arc::new(Schema::new(fields)))
}

impl OperatorOptions for SynthesizeOptions {
    const KIND: &'static str = "synthesize";
    const EXAMPLE: &'static str = r#"name: synthesize_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 50000}
    event_time: {column: date_time}
operators:
  models: {input: bids, learn: {pane: 10s, reference_rows: 100, columns: {url: leave, extra: leave}}}
  more: {inputs: [bids, models], synthesize: {ratio: 0.5, seed: 7, where: {price: {min: 1000}}}}
sinks:
  out: {input: more, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let (input, models) = self.inputs(cx)?;
        let time = EventTime::of_input(cx, 0)?;
        let name = cx.event_time(0)?;
        let fields = input.fields().iter().map(|field| {
            let null = field.is_nullable() || *field.name() != name;
            field.as_ref().clone().with_nullable(null)
        });
        let output = marked(fields)?;
        let wishes = Wishes::of(Asked {
            conditions: self.conditions,
            order: self.order,
            unique: self.unique,
            foreign: self.foreign,
            observed: self.observed,
        })?;
        let plan = Plan {
            time,
            models,
            name: self.name,
            ratio: self.ratio,
            seed: self.seed,
            real: self.real,
            wishes,
            output: Arc::clone(&output),
            metrics: ModelMetrics::default(),
        };
        let (mut first, mut warnings) = (None, Vec::new());
        if let Some(place) = &self.model {
            let model = artifact::read(place)?;
            let sampler = plan.sampler(&model).map_err(|why| artifact::unfit(place, &why))?;
            warnings.extend(sampler.warning(&model));
            first = Some(Arc::new(model));
        }
        let plan = Arc::new(plan);
        let make = Arc::new(move |_| {
            let among = Among::new(&plan, first.clone())?;
            Ok(Box::new(among) as Box<dyn Operator>)
        });
        let plan = OperatorPlan::keyed(output, cx.stream(0), Vec::new(), make);
        Ok(OperatorPlan { splittable: true, warnings, ..plan })
    }
}

impl SynthesizeOptions {
    /// The columns of the rows, and where the second input has models.
    fn inputs(&self, cx: &NodeContext<'_>) -> Result<(SchemaRef, Option<usize>)> {
        let input = cx.inputs.first().map(Arc::clone);
        let input = input.ok_or_else(|| mistake("add rows to no input", "name an `input`"))?;
        let models = match cx.inputs {
            [_] if self.model.is_none() => {
                let hint =
                    "write `model: FILE`, or `inputs: [rows, models]` with those of a `learn`";
                return Err(mistake("make rows without a model", hint));
            }
            [_] => None,
            [_, models] => Some(options::model_column(models)?),
            more => {
                let message = format!("take {} inputs", more.len());
                return Err(mistake(message, "the first has rows, the second models"));
            }
        };
        if !(self.ratio > 0.0 && self.ratio <= 1000.0) {
            let message = format!("make {} rows for each", self.ratio);
            return Err(mistake(message, "write a `ratio` above 0, up to 1000"));
        }
        if cx.node.parallelism.is_some_and(|p| p > 1) {
            let hint = "leave out `parallelism`: row numbers are given out by one task";
            return Err(mistake("number rows on several tasks", hint));
        }
        Ok((input, models))
    }
}

/// The columns of a model's rows with their mark.
fn schema_of(sampler: &Sampler) -> Result<SchemaRef> {
    marked(sampler.schema().fields().iter().map(|f| f.as_ref().clone()))
}

#[cfg(test)]
mod tests;
