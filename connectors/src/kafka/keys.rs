//! The keys of records, from the columns of a batch, without an allocation for each row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::FormatConfig;
use swiftwater_engine::{Error, Result};

use super::envelope::{column, is_text, wrong_type};
use crate::codec::{self, CodecContext, Encoder, MakeEncoder, Payloads};

/// How the key columns become a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyFormat {
    /// The value's text, or its bytes where the column is binary: for one column.
    Raw,
    /// A JSON object of the columns.
    Json,
}

/// A planned key.
#[derive(Clone)]
pub(crate) enum KeyPlan {
    None,
    Raw(usize),
    Json(Vec<usize>, MakeEncoder),
}

impl KeyPlan {
    /// Plans the key of records.
    ///
    /// # Errors
    /// `Config` (`SW2130`) for columns that are missing or make no key.
    pub(crate) fn new(
        names: &[String],
        format: Option<KeyFormat>,
        schema: &SchemaRef,
        node: &str,
    ) -> Result<Self> {
        let columns: Vec<usize> =
            names.iter().map(|name| column(schema, name, "key")).collect::<Result<_>>()?;
        match (columns.as_slice(), format) {
            ([], None) => Ok(Self::None),
            ([], Some(_)) => Err(Error::config("SW2130", "use `key_format` without `key`")
                .with_hint("name the columns: `key: [bidder]`")),
            ([one], None | Some(KeyFormat::Raw)) => {
                if !is_text(schema.field(*one).data_type()) {
                    let wanted = "one value, or `key_format: json`";
                    return Err(wrong_type(schema, *one, "key", wanted));
                }
                Ok(Self::Raw(*one))
            }
            (_, Some(KeyFormat::Raw)) => Err(Error::config(
                "SW2130",
                format!("make a raw key of {} columns", names.join(", ")),
            )
            .with_hint("use `key_format: json`, or one column")),
            (_, None | Some(KeyFormat::Json)) => {
                let projected = Arc::new(schema.project(&columns)?);
                let json = FormatConfig { name: "json".into(), options: serde_json::Value::Null };
                let cx = CodecContext { topic: None, node };
                Ok(Self::Json(columns, codec::encoder(Some(&json), projected, &cx)?))
            }
        }
    }
}

/// Values as bytes: text of anything, or the bytes of a binary column.
pub(super) fn as_bytes(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.data_type() {
        DataType::Utf8 | DataType::Binary => Ok(Arc::clone(array)),
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            cast(array, &DataType::Binary)
        }
        _ => cast(array, &DataType::Utf8),
    }
}

/// One value of [`as_bytes`].
pub(super) fn byte_value(array: &ArrayRef, row: usize) -> Option<&[u8]> {
    if array.is_null(row) {
        return None;
    }
    match array.as_string_opt::<i32>() {
        Some(text) => Some(text.value(row).as_bytes()),
        None => array.as_binary_opt::<i32>().map(|bytes| bytes.value(row)),
    }
}

/// The keys of a batch.
pub(super) enum Keys {
    None,
    Raw(ArrayRef),
    Json(Payloads, Option<NullBuffer>),
}

impl Keys {
    pub(super) fn of(
        plan: &KeyPlan,
        encoder: Option<&mut Box<dyn Encoder>>,
        records: &RecordBatch,
    ) -> Result<Self> {
        match (plan, encoder) {
            (KeyPlan::Raw(index), _) => Ok(Self::Raw(as_bytes(records.column(*index))?)),
            (KeyPlan::Json(columns, _), Some(encoder)) => {
                let mut payloads = Payloads::default();
                encoder.encode(&records.project(columns)?, &mut payloads)?;
                // A key of nulls only is a null key.
                Ok(Self::Json(payloads, all_null(records, columns)))
            }
            _ => Ok(Self::None),
        }
    }

    pub(super) fn get(&self, row: usize) -> Option<&[u8]> {
        match self {
            Self::None => None,
            Self::Raw(array) => byte_value(array, row),
            Self::Json(payloads, valid) => {
                if valid.as_ref().is_some_and(|v| v.is_null(row)) {
                    return None;
                }
                payload(payloads, row)
            }
        }
    }
}

/// Payload number `index`.
pub(super) fn payload(payloads: &Payloads, index: usize) -> Option<&[u8]> {
    let end = *payloads.ends.get(index)?;
    let start = index.checked_sub(1).map_or(Some(0), |i| payloads.ends.get(i).copied())?;
    payloads.bytes.get(start..end)
}

/// Rows that are null in all of `columns`; `None` where no row is.
pub(super) fn all_null(records: &RecordBatch, columns: &[usize]) -> Option<NullBuffer> {
    let valid = columns.iter().map(|i| records.column(*i).logical_nulls());
    let valid: Option<Vec<NullBuffer>> = valid.collect();
    let any = valid?.into_iter().map(NullBuffer::into_inner).reduce(|a, b| &a | &b)?;
    Some(NullBuffer::new(any))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array, StringArray};

    use super::super::envelope::EnvelopePlan;

    fn batch() -> RecordBatch {
        let columns: [(&str, ArrayRef); 3] = [
            ("n", Arc::new(Int64Array::from(vec![Some(-7), None, Some(1_234_567)]))),
            ("s", Arc::new(StringArray::from(vec![Some("a"), None, Some("")]))),
            ("f", Arc::new(Float64Array::from(vec![Some(1.5), None, None]))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn keys(names: &[&str], format: Option<KeyFormat>) -> Vec<Option<String>> {
        let batch = batch();
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let plan = KeyPlan::new(&names, format, &batch.schema(), "n").unwrap();
        let mut encoder = match &plan {
            KeyPlan::Json(_, make) => Some(make().unwrap()),
            _ => None,
        };
        let keys = Keys::of(&plan, encoder.as_mut(), &batch).unwrap();
        (0..3).map(|i| keys.get(i).map(|k| String::from_utf8(k.to_vec()).unwrap())).collect()
    }

    #[test]
    fn a_raw_key_is_the_value_as_text() {
        assert_eq!(keys(&["n"], None), [Some("-7".into()), None, Some("1234567".into())]);
        assert_eq!(keys(&["s"], None), [Some("a".into()), None, Some(String::new())]);
    }

    #[test]
    fn several_columns_are_a_json_key() {
        let expected =
            [Some(r#"{"s":"a","n":-7}"#.into()), None, Some(r#"{"s":"","n":1234567}"#.into())];
        assert_eq!(keys(&["s", "n"], None), expected);
    }

    #[test]
    fn columns_that_cannot_serve_are_refused() {
        let schema = batch().schema();
        let name = |n: &str| n.to_owned();
        let key = |names: &[String], format| KeyPlan::new(names, format, &schema, "n");
        assert!(key(&[name("x")], None).is_err_and(|e| e.to_string().contains("n, s, f")));
        assert!(key(&[name("s"), name("n")], Some(KeyFormat::Raw)).is_err());
        assert!(key(&[], Some(KeyFormat::Json)).is_err());
        EnvelopePlan::partition(Some(&name("f")), &schema).unwrap_err();
        EnvelopePlan::timestamp(Some(&name("n")), &schema).unwrap_err();
    }

    #[test]
    fn a_row_is_null_when_all_its_columns_are() {
        let nulls = all_null(&batch(), &[0, 2]).unwrap();
        assert_eq!((0..3).map(|i| nulls.is_null(i)).collect::<Vec<_>>(), [false, true, false]);
    }
}
