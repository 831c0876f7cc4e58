//! The `score` operator: what models say of rows.

mod options;

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema};
use swiftwater_engine::{
    Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Result, schema as columns,
};

use self::options::Asked;
use crate::lookup::http_client;
use crate::score::{
    Canary, InputTensor, Model, OutputColumn, Score, ScoreMetrics, Settings, ShadowSettings,
    TensorType, Version, fallback, server,
};
use crate::unused_fields;

pub use options::{
    ScoreCanary, ScoreElement, ScoreInput, ScoreOptions, ScoreOutput, ScoreShadow, ScoreTensor,
};

/// Options that do not fit together.
fn wrong(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::config("SW2237", message).with_hint(hint)
}

fn place(name: &str, input: &Schema) -> Result<usize> {
    input.index_of(name).map_err(|_| {
        let there: Vec<&str> = input.fields().iter().map(|f| f.name().as_str()).collect();
        wrong(
            format!("send the column `{name}` to a model"),
            format!("the input has {}", there.join(", ")),
        )
    })
}

impl ScoreInput {
    fn plan(&self, name: &str, input: &Schema) -> Result<InputTensor> {
        let (names, of) = match self {
            Self::Columns(names) => (names, None),
            Self::Tensor(ScoreTensor { columns, of }) => (columns, *of),
        };
        if names.is_empty() {
            return Err(wrong(format!("fill the tensor `{name}` from no column"), "name some"));
        }
        let places: Vec<usize> =
            names.iter().map(|name| place(name, input)).collect::<Result<_>>()?;
        let types: Vec<TensorType> = places
            .iter()
            .map(|place| {
                let field = input.field(*place);
                TensorType::of(field.data_type()).ok_or_else(|| {
                    let of = columns::name(field.data_type());
                    let message = format!("send the column `{}` ({of}) to a model", field.name());
                    wrong(message, "cast it to a number, a text or a boolean in a `select` before")
                })
            })
            .collect::<Result<_>>()?;
        let mixed = types.windows(2).any(|pair| pair.first() != pair.last());
        let texts = types.contains(&TensorType::Bytes);
        let of = match (of, types.first()) {
            (Some(of), _) => of,
            (None, Some(first)) if !mixed => *first,
            (None, _) if !texts => TensorType::Fp64,
            _ => {
                return Err(wrong(
                    format!("fill the tensor `{name}` from texts and numbers"),
                    "give them tensors of their own",
                ));
            }
        };
        let takes_texts = of == TensorType::Bytes;
        if texts != takes_texts && (texts || mixed) {
            let message = format!("send texts in the tensor `{name}` of another type");
            return Err(wrong(message, "texts go as `type: bytes`"));
        }
        Ok(InputTensor { name: name.to_owned(), of, columns: places })
    }
}

impl ScoreOutput {
    fn plan(&self, name: &str) -> Result<OutputColumn> {
        let (tensor, at, of) = match self {
            Self::Type(of) => (None, 0, of),
            Self::Element(ScoreElement { tensor, at, of }) => (tensor.clone(), *at, of),
        };
        let of = match of.as_str() {
            "float64" => DataType::Float64,
            "float32" => DataType::Float32,
            "int64" => DataType::Int64,
            "int32" => DataType::Int32,
            "utf8" => DataType::Utf8,
            "bool" => DataType::Boolean,
            other => {
                return Err(wrong(
                    format!("read `{name}` as `{other}`"),
                    "an output is float64, float32, int64, int32, utf8 or bool",
                ));
            }
        };
        Ok(OutputColumn { tensor, at, of })
    }
}

impl ScoreOptions {
    fn model(&self, asked: Asked<'_>) -> Result<Arc<Model>> {
        let version = match (asked.version, asked.version_file) {
            (None, None) => Version::Servers,
            (Some(version), None) => Version::Fixed(version.clone()),
            (None, Some(path)) => Version::in_file(path.clone()),
            (Some(_), Some(_)) => {
                return Err(wrong("use `version` and `version_file` at once", "remove one"));
            }
        };
        if asked.model.is_empty() {
            return Err(wrong("ask a model without a name", "write model: fraud"));
        }
        Ok(Arc::new(Model {
            client: http_client(&self.headers, self.ca_file.as_deref(), self.timeout.0)?,
            server: server(asked.server.unwrap_or(&self.server))?,
            name: asked.model.clone(),
            version,
            retry: asked.retry,
        }))
    }

    fn canary(&self, input: &Schema) -> Result<Option<Canary>> {
        let Some(canary) = &self.canary else { return Ok(None) };
        if !(0.0..=1.0).contains(&canary.share) {
            let message = format!("give the canary a share of {}", canary.share);
            return Err(wrong(message, "`share` is from 0 to 1: 0.1 is a tenth of the keys"));
        }
        if canary.key.is_empty() {
            let hint = "name the columns by which rows stay with a model: key: [customer]";
            return Err(wrong("choose rows for the canary without a key", hint));
        }
        let key = canary.key.iter().map(|name| place(name, input)).collect::<Result<_>>()?;
        let model = self.model(canary.asked(self.retry.0))?;
        Ok(Some(Canary { model, share: canary.share, key }))
    }

    fn shadow(&self) -> Result<Option<ShadowSettings>> {
        let Some(shadow) = &self.shadow else { return Ok(None) };
        let tolerance = shadow.tolerance;
        if !tolerance.is_finite() || tolerance < 0.0 {
            return Err(wrong(format!("tolerate a difference of {tolerance}"), "it is 0 or more"));
        }
        let model = self.model(shadow.asked())?;
        Ok(Some(ShadowSettings { model, tolerance, timeout: self.timeout.0 }))
    }

    fn fallback(&self, outputs: &[(String, OutputColumn)]) -> Result<Option<Vec<ArrayRef>>> {
        let Some(values) = &self.fallback else { return Ok(None) };
        if let Some(stray) = values.keys().find(|name| outputs.iter().all(|(own, _)| own != *name))
        {
            return Err(wrong(
                format!("fall back to a value of `{stray}`"),
                "name columns of `outputs`",
            ));
        }
        let value =
            |(name, output): &(String, OutputColumn)| fallback(values.get(name), name, output);
        outputs.iter().map(value).collect::<Result<_>>().map(Some)
    }

    fn limits(&self) -> Result<(usize, usize)> {
        if self.max_rows == 0 || !(1..=256).contains(&self.at_once) {
            let message =
                format!("send {} rows at once in {} requests", self.max_rows, self.at_once);
            return Err(wrong(message, "`max_rows` is 1 or more, `at_once` 1 to 256"));
        }
        if self.timeout.0.is_zero() {
            return Err(wrong(
                "wait for answers with `timeout: 0s`",
                "give it some time, such as 1s",
            ));
        }
        Ok((self.max_rows, self.at_once))
    }
}

impl OperatorOptions for ScoreOptions {
    const KIND: &'static str = "score";
    const EXAMPLE: &'static str = r#"name: score_example
sources:
  payments:
    kafka: {brokers: "localhost:9092", topic: payments}
    format: json
    schema: {card: int64, amount: float64, payments_1h: int64}
operators:
  scored:
    input: payments
    score:
      server: "http://localhost:8080"
      model: fraud
      inputs: {predict: [amount, payments_1h]}
      outputs: {fraud: float64}
      fallback: {fraud: 0.0}
      retry: 0s
sinks:
  out: {input: scored, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        unused_fields::refuse_format(cx.node)?;
        unused_fields::refuse_schema(cx.node, "a score declares its columns in `outputs`")?;
        let input = cx.input()?;
        if self.inputs.is_empty() || self.outputs.is_empty() {
            let hint = "write inputs: {x: [amount]} and outputs: {fraud: float64}";
            return Err(wrong("ask a model about nothing", hint));
        }
        let inputs = self.inputs.iter().map(|(name, columns)| columns.plan(name, &input));
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let outputs =
            self.outputs.iter().map(|(name, output)| Ok((name.clone(), output.plan(name)?)));
        let outputs = outputs.collect::<Result<Vec<_>>>()?;
        let added = outputs.iter().map(|(name, output)| Field::new(name, output.of.clone(), true));
        let mut fields = input.fields().to_vec();
        for field in added.chain([Field::new(&self.version_column, DataType::Utf8, true)]) {
            if fields.iter().any(|f| f.name() == field.name()) {
                return Err(wrong(
                    format!("add a second column `{}`", field.name()),
                    "rename the output, or the column before; `version_column` names that of the version",
                ));
            }
            fields.push(Arc::new(field));
        }
        let output = Arc::new(Schema::new(fields));
        let settings = Arc::new(Settings {
            model: self.model(self.asked())?,
            canary: self.canary(&input)?,
            shadow: self.shadow()?,
            inputs,
            fallback: self.fallback(&outputs)?,
            outputs: outputs.into_iter().map(|(_, output)| output).collect(),
            output: Arc::clone(&output),
            limits: self.limits()?,
            metrics: ScoreMetrics::default(),
        });
        let make = Arc::new(move |_| -> Result<Box<dyn Operator>> {
            Ok(Box::new(Score::new(Arc::clone(&settings))))
        });
        Ok(OperatorPlan::stateless(output, make))
    }
}

#[cfg(test)]
#[path = "score/tests.rs"]
mod tests;
