//! `union`: several inputs as one stream.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result, schema,
};

use crate::expression::fault;

/// Passes on the rows of several inputs as one stream.
///
/// The inputs have the same columns by name and type; their order may differ, and is that of the
/// first input afterwards. Nothing is cast and no missing column is made up: a `select` before the
/// `union` says what is meant. Rows of different inputs come as they arrive, in no order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnionOptions {}

impl OperatorOptions for UnionOptions {
    const KIND: &'static str = "union";
    const EXAMPLE: &'static str = r#"name: union_example
sources:
  web:
    generate: {preset: bids, rate: 1000, count: 5000, seed: 1}
  app:
    generate: {preset: bids, rate: 1000, count: 5000, seed: 2}
operators:
  bids: {inputs: [web, app], union: {}}
sinks:
  out: {input: bids, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let [first, others @ ..] = cx.inputs else {
            return Err(Error::config("SW0203", "join streams: there is no input")
                .with_hint("write inputs: [a, b]"));
        };
        if others.is_empty() {
            return Err(Error::config("SW0203", "join streams: there is only one input")
                .with_hint("write inputs: [a, b]"));
        }
        let names: Vec<String> = cx.node.inputs.iter().map(ToString::to_string).collect();
        let name = |number: usize| names.get(number).map_or("", String::as_str);
        for (number, other) in others.iter().enumerate() {
            compare(first, name(0), other, name(number + 1))?;
        }
        let schema = joined(first, others);
        let orders: Vec<Vec<usize>> = cx.inputs.iter().map(|s| order(&schema, s)).collect();
        let columns = Arc::clone(&schema);
        let make = Arc::new(move |_| {
            let union = Union { schema: Arc::clone(&columns), orders: orders.clone() };
            Ok(Box::new(union) as Box<dyn Operator>)
        });
        Ok(OperatorPlan::stateless(schema, make))
    }
}

/// All differences between two inputs at once.
fn compare(first: &Schema, first_name: &str, other: &Schema, other_name: &str) -> Result<()> {
    let mut differences = Vec::new();
    for field in first.fields() {
        match other.field_with_name(field.name()) {
            Err(_) => differences.push(format!("`{other_name}` has no `{}`", field.name())),
            Ok(same) if same.data_type() != field.data_type() => differences.push(format!(
                "`{}` is {} in `{first_name}` and {} in `{other_name}`",
                field.name(),
                schema::name(field.data_type()),
                schema::name(same.data_type())
            )),
            Ok(_) => {}
        }
    }
    for field in other.fields() {
        if first.field_with_name(field.name()).is_err() {
            differences.push(format!("`{first_name}` has no `{}`", field.name()));
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!("join streams with different columns: {}", differences.join("; "));
    Err(Error::config("SW0310", message).with_hint(format!(
        "put a `select` before the `union`; `{first_name}` has {}",
        fault::columns(first)
    )))
}

/// The first input's columns; nullable where any input's is.
fn joined(first: &SchemaRef, others: &[SchemaRef]) -> SchemaRef {
    let nullable = |field: &Field| {
        let in_other =
            |s: &SchemaRef| s.field_with_name(field.name()).is_ok_and(Field::is_nullable);
        field.is_nullable() || others.iter().any(in_other)
    };
    let fields = first.fields().iter();
    let fields: Vec<Field> =
        fields.map(|f| f.as_ref().clone().with_nullable(nullable(f))).collect();
    Arc::new(Schema::new(fields))
}

/// Where each column of `schema` stands in `input`.
fn order(schema: &Schema, input: &Schema) -> Vec<usize> {
    schema.fields().iter().filter_map(|f| input.index_of(f.name()).ok()).collect()
}

struct Union {
    schema: SchemaRef,
    orders: Vec<Vec<usize>>,
}

impl Operator for Union {
    fn process(&mut self, input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        let order = self.orders.get(input).ok_or_else(|| Error::bug("find an input"))?;
        let columns = order.iter().map(|i| Arc::clone(batch.records.column(*i))).collect();
        let records = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        out.emit(batch.with_records(records));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use swiftwater_engine::testing::{Harness, rows};

    use super::*;

    fn plan(inputs: &[Value]) -> Result<Harness> {
        let inputs: Vec<_> = inputs.iter().map(rows::columns).collect();
        Harness::plan::<UnionOptions>(json!({}), &inputs)
    }

    #[test]
    fn columns_are_matched_by_name() {
        let mut union =
            plan(&[json!({"a": "int64!", "b": "utf8"}), json!({"b": "utf8", "a": "int64"})])
                .unwrap();
        union.push_to(0, &json!([{"a": 1, "b": "x"}]));
        union.push_to(1, &json!([{"b": "y", "a": null}]));
        union.expect(&json!([{"a": 1, "b": "x"}, {"a": null, "b": "y"}]));
    }

    #[test]
    fn all_differences_are_told_at_once() {
        let error = plan(&[
            json!({"a": "int64", "b": "utf8", "c": "bool"}),
            json!({"a": "int32", "c": "bool", "d": "date"}),
        ]);
        let error = error.err().unwrap();
        assert_eq!(error.code, "SW0310");
        for part in [
            "`a` is int64 in `in0` and int32 in `in1`",
            "`in1` has no `b`",
            "`in0` has no `d`",
            "`select`",
        ] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn one_input_is_no_union() {
        assert_eq!(plan(&[json!({"a": "int64"})]).err().unwrap().code, "SW0203");
        assert_eq!(plan(&[]).err().unwrap().code, "SW0203");
    }
}
