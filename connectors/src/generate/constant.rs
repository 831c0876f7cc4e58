//! One value for all rows, and scalars of a topology file as Arrow arrays.

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, UInt32Array,
    new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use swiftwater_engine::Result;

use super::column::{Column, Rows, Timeline, array, bad_option};

/// Text, a number or a boolean.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Constant(Value);

impl Constant {
    pub(super) fn build(self, name: &str) -> Result<ConstantColumn> {
        Ok(ConstantColumn(scalars(name, &[self.0])?))
    }
}

/// An array of scalars: all text, all booleans, all whole numbers, or numbers as doubles.
pub(super) fn scalars(column: &str, values: &[Value]) -> Result<ArrayRef> {
    let text = || values.iter().map(Value::as_str).collect::<Option<Vec<_>>>();
    let whole = || values.iter().map(Value::as_i64).collect::<Option<Vec<_>>>();
    let double = || values.iter().map(Value::as_f64).collect::<Option<Vec<_>>>();
    let truth = || values.iter().map(Value::as_bool).collect::<Option<Vec<_>>>();
    text()
        .map(|v| array(StringArray::from(v)))
        .or_else(|| whole().map(|v| array(Int64Array::from(v))))
        .or_else(|| double().map(|v| array(Float64Array::from(v))))
        .or_else(|| truth().map(|v| array(BooleanArray::from(v))))
        .ok_or_else(|| {
            let shown = Value::from(values.to_vec());
            bad_option(
                column,
                format!("`{shown}` has no common type"),
                "give only text, only numbers or only booleans",
            )
        })
}

/// The column: an array of the one value.
pub(super) struct ConstantColumn(ArrayRef);

impl Column for ConstantColumn {
    fn data_type(&self) -> DataType {
        self.0.data_type().clone()
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        take(&self.0, &UInt32Array::from(vec![0; rows.count]), None)
            .unwrap_or_else(|_| new_null_array(self.0.data_type(), rows.count))
    }

    fn extremes(&self) -> Option<ArrayRef> {
        Some(ArrayRef::clone(&self.0))
    }
}
