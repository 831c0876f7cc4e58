//! The key columns of a node, found in its input.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use swiftwater_engine::{Error, Result};

use crate::expression::fault;

/// Numbers of the key columns in the input's columns.
#[derive(Debug, Clone)]
pub(crate) struct KeyColumns {
    /// Numbers, in the order of the key.
    pub(crate) numbers: Vec<usize>,
    /// Their columns, in the same order.
    pub(crate) fields: Vec<Arc<Field>>,
}

impl KeyColumns {
    /// Finds the columns that the option `option` names.
    ///
    /// # Errors
    /// `Config`: `SW0301` for an unknown column, `SW0320` for one named twice.
    pub(crate) fn find(names: &[String], option: &str, schema: &SchemaRef) -> Result<Self> {
        let mut numbers = Vec::with_capacity(names.len());
        for name in names {
            let number =
                schema.index_of(name).map_err(|_| fault::unknown_column(name, option, schema))?;
            if numbers.contains(&number) {
                return Err(Error::config(
                    "SW0320",
                    format!("use the column `{name}` twice in `{option}`"),
                )
                .with_hint("name each column once"));
            }
            numbers.push(number);
        }
        let fields = numbers.iter().map(|n| Arc::clone(field(schema, *n))).collect();
        Ok(Self { numbers, fields })
    }

    /// Types of the columns.
    pub(crate) fn types(&self) -> Vec<DataType> {
        self.fields.iter().map(|f| f.data_type().clone()).collect()
    }

    /// The key columns of a batch.
    pub(crate) fn of(&self, records: &RecordBatch) -> Vec<ArrayRef> {
        self.numbers.iter().map(|n| Arc::clone(records.column(*n))).collect()
    }
}

fn field(schema: &Schema, number: usize) -> &Arc<Field> {
    // A number that was found in this schema.
    #[expect(clippy::indexing_slicing, reason = "a number that was found in this schema")]
    &schema.fields()[number]
}
