//! `learn`: fits a model of the stream's rows, pane by pane, and releases it once it is good enough.

mod learner;
mod options;
mod state;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use swiftwater_engine::{
    NodeContext, Operator, OperatorOptions, OperatorPlan, Result, Stream, schema,
};

pub use self::options::{Dependence, LearnOptions, Take};

use self::learner::{Learner, Plan};
use self::options::mistake;
use crate::keyed::EventTime;
use crate::synthetic::fit::Design;
use crate::synthetic::model::Part;
use crate::synthetic::series::ModelMetrics;

const TIME: &str = "window_time";

/// Columns of a version; `last` says what stands in the end.
fn rows(time: &str, last: &str) -> SchemaRef {
    let times = DataType::Timestamp(TimeUnit::Millisecond, None);
    Arc::new(Schema::new(vec![
        Field::new("name", DataType::Utf8, false),
        Field::new("version", DataType::Int64, false),
        Field::new("rows", DataType::Int64, false),
        Field::new("weight", DataType::Float64, false),
        Field::new("quality", DataType::Float64, false),
        Field::new("floor", DataType::Float64, false),
        Field::new(last, DataType::Utf8, false),
        Field::new(time, times, false),
    ]))
}

impl OperatorOptions for LearnOptions {
    const KIND: &'static str = "learn";
    const EXAMPLE: &'static str = r#"name: learn_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 50000}
    event_time: {column: date_time}
operators:
  twin: {input: bids, learn: {pane: 10s, reference_rows: 100, columns: {url: leave, extra: leave}}}
sinks:
  models: {input: twin, files: {path: "models/"}, format: json}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        self.check()?;
        let (pane, half_life) = self.times()?;
        let time = EventTime::of_input(cx, 0)?;
        let name = cx.event_time(0)?;
        if cx.node.parallelism.is_some_and(|p| p > 1) {
            return Err(mistake("learn from all rows on several tasks", "leave out `parallelism`"));
        }
        let (specs, left) = self.specs(&input, &name)?;
        let used = specs.iter().flat_map(|spec| &spec.parts);
        let held: Vec<usize> = used.map(|p| Ok(input.index_of(&p.name)?)).collect::<Result<_>>()?;
        let of_time = input.field(time.column()).data_type();
        let design = Design {
            name: self.name.clone().unwrap_or_else(|| cx.node.name.clone()),
            time: Some(Part { name: name.clone(), data_type: schema::name(of_time) }),
            limits: self.limits(),
            shape: self.dependence.shape(),
            specs,
        };
        let (released, refused) = (rows(TIME, "model"), rows(&name, "reason"));
        if released.fields().iter().any(|f| *f.name() == name && name != TIME) {
            let message = format!("tell of versions beside an event time that is named `{name}`");
            return Err(mistake(message, "rename the column in a `select` before"));
        }
        let plan = Arc::new(Plan {
            pane,
            half_life,
            reference_rows: self.reference_rows,
            least_quality: self.least_quality,
            time,
            columns: held.clone(),
            held: Arc::new(input.project(&held)?),
            design: Arc::new(design),
            released: Arc::clone(&released),
            refused: Arc::clone(&refused),
            series: ModelMetrics::default(),
        });
        let make = Arc::new(move |_| Ok(Box::new(Learner::new(&plan)) as Box<dyn Operator>));
        let plan = OperatorPlan::keyed(released, Stream::at(TIME), Vec::new(), make);
        let warnings = left.iter().map(|column| {
            format!("`{column}` is not in the model: its type is neither a number nor a text")
        });
        let warnings = warnings.collect();
        let mut plan = OperatorPlan { splittable: true, warnings, ..plan }.with_late_port(input);
        plan.ports.push(("refused".to_owned(), refused));
        Ok(plan)
    }
}

#[cfg(test)]
mod tests;
