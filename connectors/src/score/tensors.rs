//! Rows as tensors of the Open Inference Protocol v2 in JSON, and columns from the tensors of an answer.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use swiftwater_engine::{Error, Result};

use crate::value_text::as_json;

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TensorType {
    /// Floating point numbers of 32 bits.
    Fp32,
    /// Floating point numbers of 64 bits.
    Fp64,
    /// Whole numbers of 32 bits.
    Int32,
    /// Whole numbers of 64 bits.
    Int64,
    /// True or false.
    Bool,
    /// Text.
    Bytes,
}

impl TensorType {
    const fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "FP32",
            Self::Fp64 => "FP64",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Bool => "BOOL",
            Self::Bytes => "BYTES",
        }
    }

    /// The type that columns are cast to.
    const fn column(self) -> DataType {
        match self {
            Self::Fp32 => DataType::Float32,
            Self::Fp64 => DataType::Float64,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Bool => DataType::Boolean,
            Self::Bytes => DataType::Utf8,
        }
    }

    /// What columns of this type are sent as.
    pub(crate) fn of(column: &DataType) -> Option<Self> {
        use DataType::{
            Boolean, Decimal128, Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8,
            UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
        };
        match column {
            Float16 | Float32 | Float64 | Decimal128(..) => Some(Self::Fp64),
            Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => Some(Self::Int64),
            Boolean => Some(Self::Bool),
            Utf8 | LargeUtf8 | Utf8View => Some(Self::Bytes),
            _ => None,
        }
    }
}

/// A tensor of a request: a row of it for each row, an element for each of some columns.
#[derive(Debug, Clone)]
pub(crate) struct InputTensor {
    pub(crate) name: String,
    pub(crate) of: TensorType,
    /// Places of the columns in the input.
    pub(crate) columns: Vec<usize>,
}

/// A column that comes from an answer.
#[derive(Debug, Clone)]
pub(crate) struct OutputColumn {
    /// The tensor; the only one of the answer without it.
    pub(crate) tensor: Option<String>,
    /// Which element of a row of it.
    pub(crate) at: usize,
    pub(crate) of: DataType,
}

/// The columns of a tensor in its type.
pub(crate) fn columns(tensor: &InputTensor, records: &RecordBatch) -> Result<Vec<ArrayRef>> {
    let of = tensor.of.column();
    tensor.columns.iter().map(|c| Ok(cast(records.column(*c), &of)?)).collect()
}

/// Whether a model can be given a value: null, NaN and infinity have no place in JSON.
pub(crate) fn is_sendable(column: &ArrayRef, row: usize) -> bool {
    if column.is_null(row) {
        return false;
    }
    match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).is_finite(),
        DataType::Float32 => column.as_primitive::<Float32Type>().value(row).is_finite(),
        _ => true,
    }
}

/// The body of a request for rows that are all sendable, each tensor with its columns.
pub(crate) fn body(
    tensors: &[(&InputTensor, Vec<ArrayRef>)],
    outputs: &[OutputColumn],
) -> Result<String> {
    let mut body = String::from("{\"inputs\":[");
    for (place, (tensor, columns)) in tensors.iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        let rows = columns.first().map_or(0, |c| c.len());
        let name = Value::from(tensor.name.as_str());
        let (of, width) = (tensor.of.name(), columns.len());
        body.push_str(&format!(
            "{{\"name\":{name},\"shape\":[{rows},{width}],\"datatype\":\"{of}\",\"data\":["
        ));
        let texts: Vec<Vec<Option<String>>> = columns.iter().map(as_json).collect::<Result<_>>()?;
        for row in 0..rows {
            for (place, column) in texts.iter().enumerate() {
                if row + place > 0 {
                    body.push(',');
                }
                body.push_str(column.get(row).and_then(Option::as_deref).unwrap_or("null"));
            }
        }
        body.push_str("]}");
    }
    body.push(']');
    let mut named: Vec<&str> = outputs.iter().filter_map(|o| o.tensor.as_deref()).collect();
    if named.len() == outputs.len() {
        named.sort_unstable();
        named.dedup();
        let named: Vec<Value> = named.iter().map(|n| serde_json::json!({"name": n})).collect();
        body.push_str(&format!(",\"outputs\":{}", Value::from(named)));
    }
    body.push('}');
    Ok(body)
}

/// The answer of a model.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    model_version: Option<String>,
    outputs: Vec<AnswerTensor>,
}

#[derive(Debug, Deserialize)]
struct AnswerTensor {
    name: String,
    shape: Vec<usize>,
    data: Value,
}

fn flat<'v>(value: &'v Value, into: &mut Vec<&'v Value>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| flat(one, into)),
        one => into.push(one),
    }
}

/// What a model said of some rows.
#[derive(Debug)]
pub(crate) struct Scores {
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) version: Option<String>,
}

/// Reads the answer for `rows` rows.
///
/// # Errors
/// The reason as text, where the answer is not what the outputs want.
pub(crate) fn read(
    answer: &[u8],
    rows: usize,
    outputs: &[OutputColumn],
) -> std::result::Result<Scores, String> {
    let answer: Answer =
        serde_json::from_slice(answer).map_err(|e| format!("the answer cannot be read: {e}"))?;
    let columns = outputs.iter().map(|output| column(&answer, rows, output));
    Ok(Scores {
        columns: columns.collect::<std::result::Result<_, _>>()?,
        version: answer.model_version,
    })
}

fn column(
    answer: &Answer,
    rows: usize,
    output: &OutputColumn,
) -> std::result::Result<ArrayRef, String> {
    let names = || answer.outputs.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ");
    let tensor = match (&output.tensor, answer.outputs.as_slice()) {
        (Some(name), all) => all.iter().find(|t| t.name == *name),
        (None, [only]) => Some(only),
        (None, _) => return Err(format!("the answer has several tensors, {}: name one", names())),
    };
    let tensor =
        tensor.ok_or_else(|| format!("the answer has no such tensor, only {}", names()))?;
    let mut values = Vec::new();
    flat(&tensor.data, &mut values);
    let width = values.len() / rows.max(1);
    if tensor.shape.first() != Some(&rows) || width * rows != values.len() || output.at >= width {
        let wanted = output.at + 1;
        return Err(format!(
            "the tensor `{}` has {} values in the shape {:?}, not {wanted} or more for each of {rows} rows",
            tensor.name,
            values.len(),
            tensor.shape
        ));
    }
    let own = values.into_iter().skip(output.at).step_by(width);
    let array = array(own, &output.of);
    array.ok_or_else(|| format!("the tensor `{}` holds no {}", tensor.name, output.of))
}

/// The values as a column; `None` where one is of another type.
fn array<'v>(values: impl Iterator<Item = &'v Value>, of: &DataType) -> Option<ArrayRef> {
    let read: ArrayRef = match of {
        DataType::Utf8 => {
            Arc::new(values.map(|v| v.as_str().map(Some)).collect::<Option<StringArray>>()?)
        }
        DataType::Boolean => Arc::new(
            values
                .map(|v| v.as_bool().or_else(|| v.as_i64().map(|n| n != 0)).map(Some))
                .collect::<Option<BooleanArray>>()?,
        ),
        DataType::Int64 | DataType::Int32 => {
            Arc::new(values.map(|v| v.as_i64().map(Some)).collect::<Option<Int64Array>>()?)
        }
        // A model's NaN comes as null.
        _ => Arc::new(
            values
                .map(|v| if v.is_null() { Some(None) } else { v.as_f64().map(Some) })
                .collect::<Option<Float64Array>>()?,
        ),
    };
    cast(&read, of).ok()
}

/// The fallback of each output as a column of one row, read from the options.
///
/// # Errors
/// `Config` (`SW2237`) for a value of another type.
pub(crate) fn fallback(
    value: Option<&Value>,
    name: &str,
    output: &OutputColumn,
) -> Result<ArrayRef> {
    match value {
        None | Some(Value::Null) => Ok(arrow::array::new_null_array(&output.of, 1)),
        Some(value) => array(std::iter::once(value), &output.of).ok_or_else(|| {
            Error::config("SW2237", format!("fall back to `{name}: {value}`"))
                .with_hint("write a value of the type of the output")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(tensor: Option<&str>, at: usize, of: DataType) -> OutputColumn {
        OutputColumn { tensor: tensor.map(str::to_owned), at, of }
    }

    #[test]
    fn tensors_are_rows_of_the_columns_elements() {
        let tensor = InputTensor { name: "x".into(), of: TensorType::Fp64, columns: vec![0, 1] };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Float64Array::from(vec![1.5, 2.0])),
            Arc::new(Float64Array::from(vec![-1.0, 0.1])),
        ];
        let body = body(&[(&tensor, columns)], &[output(Some("p"), 0, DataType::Float64)]).unwrap();
        let read: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(read["inputs"][0]["shape"], serde_json::json!([2, 2]));
        assert_eq!(read["inputs"][0]["data"], serde_json::json!([1.5, -1.0, 2.0, 0.1]));
        assert_eq!(read["outputs"], serde_json::json!([{"name": "p"}]));
    }

    #[test]
    fn answers_are_columns_whether_flat_or_nested() {
        for data in ["[0.25,0.75,0.5,0.5]", "[[0.25,0.75],[0.5,0.5]]"] {
            let answer = format!(
                r#"{{"model_version":"3","outputs":[{{"name":"p","shape":[2,2],"datatype":"FP64","data":{data}}}]}}"#
            );
            let scores = read(answer.as_bytes(), 2, &[output(None, 1, DataType::Float64)]).unwrap();
            let column = scores.columns.first().unwrap();
            assert_eq!(column.as_primitive::<Float64Type>().values().as_ref(), [0.75, 0.5]);
            assert_eq!(scores.version.as_deref(), Some("3"));
            for bad in [
                output(None, 2, DataType::Float64),
                output(Some("q"), 0, DataType::Float64),
                output(None, 0, DataType::Utf8),
            ] {
                assert!(read(answer.as_bytes(), 2, &[bad]).is_err());
            }
            assert!(read(answer.as_bytes(), 3, &[output(None, 0, DataType::Float64)]).is_err());
        }
    }
}
