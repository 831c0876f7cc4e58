//! The columns of a batch as another schema declares them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, SchemaRef};
use swiftwater_engine::schema;

use crate::codec::codes;
use crate::codec::rows::Bad;

/// Finds the declared columns by name and converts them where no value changes.
pub(super) fn fit(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, Bad> {
    let columns = schema.fields().iter().map(|field| {
        let column = match batch.column_by_name(field.name()) {
            Some(column) => convert(column, field)?,
            None => new_null_array(field.data_type(), batch.num_rows()),
        };
        if !field.is_nullable() && column.logical_null_count() > 0 {
            let (name, expected) = (field.name(), schema::name(field.data_type()));
            let message = format!("column `{name}`: required {expected} is missing or null");
            return Err(Bad::new(codes::MISSING_FIELD, message));
        }
        Ok(column)
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|e| Bad::new(codes::OTHER_SCHEMA, e.to_string()))
}

fn convert(column: &ArrayRef, field: &Field) -> Result<ArrayRef, Bad> {
    let (from, to) = (column.data_type(), field.data_type());
    if from == to {
        return Ok(Arc::clone(column));
    }
    if !same_values(from, to) {
        let (name, expected) = (field.name(), schema::name(to));
        let message = format!("column `{name}`: expected {expected}, found a column of {from}");
        return Err(Bad::new(codes::OTHER_SCHEMA, message));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, to, &options).map_err(|e| {
        let message = format!("column `{}`: {e}", field.name());
        Bad::new(codes::WRONG_TYPE, message)
    })
}

/// Whether a value of one type is, where it fits at all, the same value in the other.
fn same_values(from: &DataType, to: &DataType) -> bool {
    let text =
        |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let binary = |t: &DataType| {
        matches!(
            t,
            DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
                | DataType::FixedSizeBinary(_)
        )
    };
    match (from, to) {
        (DataType::Null, _) => true,
        (DataType::Dictionary(_, value), to) => value.as_ref() == to || same_values(value, to),
        (DataType::RunEndEncoded(_, values), to) => {
            values.data_type() == to || same_values(values.data_type(), to)
        }
        (DataType::Timestamp(a, _), DataType::Timestamp(b, _)) => a == b,
        (DataType::Float16 | DataType::Float32, DataType::Float32 | DataType::Float64) => true,
        (from, to) if from.is_integer() => to.is_integer(),
        (from, to) => (text(from) && text(to)) || (binary(from) && binary(to)),
    }
}
