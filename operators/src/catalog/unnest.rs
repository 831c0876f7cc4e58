//! `unnest`: a row for each element of a list, a column for each field of a struct.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result, schema,
};

use crate::expression::fault;
use crate::unnest::{self, Empty, Unnest};

/// Gives a row for each element of a list column; the other columns are repeated.
///
/// With `expand: true` elements that are structs become a column for each field; a column that is
/// a struct itself (no list) is replaced by its fields, and rows stay as they are.
///
/// A row whose list is null or has no elements gives no row, or with `empty: keep` one whose
/// element is null.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnnestOptions {
    /// The column: a list, or with `expand` a struct.
    pub column: String,
    /// Name of the column of elements; the list's name without it.
    #[serde(default, rename = "as")]
    pub alias: Option<String>,
    /// Whether structs are replaced by their fields.
    #[serde(default)]
    pub expand: bool,
    /// Put before the names of the fields of an expanded struct, such as `item_`.
    #[serde(default)]
    pub prefix: String,
    /// What becomes of a row whose list is null or empty: `drop` or `keep`.
    #[serde(default)]
    pub empty: EmptyOption,
    /// Name of a further column with the element's place in its list, from 1.
    #[serde(default)]
    pub position: Option<String>,
}

/// What becomes of a row whose list is null or empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmptyOption {
    /// It gives no row.
    #[default]
    Drop,
    /// It gives one row whose element is null.
    Keep,
}

impl OperatorOptions for UnnestOptions {
    const KIND: &'static str = "unnest";
    const EXAMPLE: &'static str = r#"name: unnest_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
operators:
  words:
    input: bids
    select: [auction, "string_to_array(url, '/') AS parts"]
  parts:
    input: words
    unnest: {column: parts, as: part, position: place}
sinks:
  out: {input: parts, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let (number, field) = input
            .column_with_name(&self.column)
            .ok_or_else(|| fault::unknown_column(&self.column, "column", &input))?;
        let is_list = unnest::element(field.data_type()).is_some();
        let columns = self.replacement(field)?;
        let schema = replaced(&input, number, columns, self.position.as_deref())?;
        let unnest = Unnest {
            lists: if is_list { vec![number] } else { Vec::new() },
            structs: if is_list { Vec::new() } else { vec![number] },
            expand: self.expand,
            position: self.position.is_some(),
            empty: match self.empty {
                EmptyOption::Drop => Empty::Drop,
                EmptyOption::Keep => Empty::Keep,
            },
            schema: Arc::clone(&schema),
        };
        let make = Arc::new(move |_| {
            Ok(Box::new(UnnestOperator { unnest: unnest.clone() }) as Box<dyn Operator>)
        });
        Ok(OperatorPlan::stateless(schema, make))
    }
}

impl UnnestOptions {
    /// The columns that take the place of `field`.
    fn replacement(&self, field: &Field) -> Result<Vec<FieldRef>> {
        let name = self.alias.as_ref().unwrap_or(&self.column);
        let element = match (unnest::element(field.data_type()), field.data_type()) {
            (Some(element), _) => element.data_type().clone(),
            (None, fields @ DataType::Struct(_)) if self.expand => fields.clone(),
            (None, other) => {
                let kind = schema::name(other);
                let message = format!("unnest `{}`: it is {kind}, not a list", self.column);
                let hint = match other {
                    DataType::Struct(_) => "write expand: true to make columns of its fields",
                    _ => "`string_to_array(text, ',')` in a `select` makes a list of a text",
                };
                return Err(Error::config("SW0303", message).with_hint(hint));
            }
        };
        match element {
            DataType::Struct(fields) if self.expand => Ok(fields
                .iter()
                .map(|f| {
                    let name = format!("{}{}", self.prefix, f.name());
                    Arc::new(f.as_ref().clone().with_name(name).with_nullable(true))
                })
                .collect()),
            other if self.expand => Err(Error::config(
                "SW0303",
                format!(
                    "expand the elements of `{}`: they are {}, not structs",
                    self.column,
                    schema::name(&other)
                ),
            )
            .with_hint("leave out `expand`")),
            other => Ok(vec![Arc::new(Field::new(name, other, true))]),
        }
    }
}

fn replaced(
    input: &Schema,
    number: usize,
    columns: Vec<FieldRef>,
    position: Option<&str>,
) -> Result<SchemaRef> {
    let mut fields: Vec<FieldRef> = input.fields().to_vec();
    fields.splice(number..=number, columns);
    fields.extend(position.map(|name| Arc::new(Field::new(name, DataType::Int64, true))));
    let mut names: Vec<&str> = fields.iter().map(|f| f.name().as_str()).collect();
    names.sort_unstable();
    if let Some([name, _]) = names.array_windows::<2>().find(|[a, b]| a == b) {
        let hint = "`as`, `prefix` and `position` give other names";
        let message = format!("name two columns `{name}`");
        return Err(Error::config("SW0307", message).with_hint(hint));
    }
    Ok(Arc::new(Schema::new(fields)))
}

struct UnnestOperator {
    unnest: Unnest,
}

impl Operator for UnnestOperator {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        let mut parts = Vec::new();
        self.unnest.run(&batch.records, &mut parts)?;
        parts.into_iter().for_each(|records| out.emit(batch.with_records(records)));
        Ok(())
    }
}

#[cfg(test)]
#[path = "unnest/tests.rs"]
mod tests;
