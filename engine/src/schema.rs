//! Column types as a topology file writes them, as Arrow types.
//!
//! `int64`, `utf8`, `timestamp_ms`, `decimal(10,2)`, `list<utf8>`; a nested map is a struct. A
//! trailing `!` forbids nulls: a record without the field is then a bad record.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

const NAMES: &[(&str, DataType)] = &[
    ("bool", DataType::Boolean),
    ("int8", DataType::Int8),
    ("int16", DataType::Int16),
    ("int32", DataType::Int32),
    ("int64", DataType::Int64),
    ("uint8", DataType::UInt8),
    ("uint16", DataType::UInt16),
    ("uint32", DataType::UInt32),
    ("uint64", DataType::UInt64),
    ("float32", DataType::Float32),
    ("float64", DataType::Float64),
    ("utf8", DataType::Utf8),
    ("binary", DataType::Binary),
    ("date", DataType::Date32),
    ("timestamp_s", DataType::Timestamp(TimeUnit::Second, None)),
    ("timestamp_ms", DataType::Timestamp(TimeUnit::Millisecond, None)),
    ("timestamp_us", DataType::Timestamp(TimeUnit::Microsecond, None)),
    ("timestamp_ns", DataType::Timestamp(TimeUnit::Nanosecond, None)),
];

/// Names of the plain types, for messages and the JSON Schema.
#[must_use]
pub fn type_names() -> Vec<&'static str> {
    NAMES.iter().map(|(name, _)| *name).collect()
}

/// The Arrow schema of a `schema:` field.
///
/// # Errors
/// `Config` (`SW0120`) for an unknown type, quoting column and type.
pub fn from_config(columns: &Map<String, Value>) -> Result<SchemaRef> {
    Ok(Arc::new(Schema::new(fields(columns)?)))
}

fn fields(columns: &Map<String, Value>) -> Result<Fields> {
    columns.iter().map(|(name, value)| field(name, value)).collect()
}

fn field(name: &str, value: &Value) -> Result<Field> {
    match value {
        Value::Object(nested) => Ok(Field::new(name, DataType::Struct(fields(nested)?), true)),
        Value::String(text) => {
            let (text, nullable) = match text.strip_suffix('!') {
                Some(text) => (text, false),
                None => (text.as_str(), true),
            };
            let data_type = parse(text).ok_or_else(|| unknown(name, text))?;
            Ok(Field::new(name, data_type, nullable))
        }
        other => Err(unknown(name, &other.to_string())),
    }
}

fn unknown(column: &str, text: &str) -> Error {
    Error::config("SW0120", format!("unknown type `{text}` of column `{column}`")).with_hint(
        format!(
            "use {}, decimal(p,s), list<type>, or a nested map of columns",
            type_names().join(", ")
        ),
    )
}

/// Reads one type, such as `list<int64>`.
#[must_use]
pub fn parse(text: &str) -> Option<DataType> {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix("list<").and_then(|t| t.strip_suffix('>')) {
        return Some(DataType::List(Arc::new(Field::new("item", parse(inner)?, true))));
    }
    if let Some(inner) = text.strip_prefix("decimal(").and_then(|t| t.strip_suffix(')')) {
        let (precision, scale) = inner.split_once(',')?;
        let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
        return (1..=38).contains(&precision).then_some(DataType::Decimal128(precision, scale));
    }
    NAMES.iter().find(|(name, _)| *name == text).map(|(_, data_type)| data_type.clone())
}

/// Writes an Arrow type the way a topology file would.
#[must_use]
pub fn name(data_type: &DataType) -> String {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) => {
            format!("list<{}>", name(item.data_type()))
        }
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Struct(fields) => {
            let inner: Vec<_> =
                fields.iter().map(|f| format!("{}: {}", f.name(), name(f.data_type()))).collect();
            format!("{{{}}}", inner.join(", "))
        }
        DataType::Utf8View | DataType::LargeUtf8 => "utf8".into(),
        other => match NAMES.iter().find(|(_, t)| t == other) {
            Some((name, _)) => (*name).into(),
            None => other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_and_print() {
        for text in ["int64", "timestamp_ms", "decimal(10,2)", "list<list<utf8>>", "bool"] {
            assert_eq!(name(&parse(text).unwrap()), text);
        }
        assert!(parse("int65").is_none());
        assert!(parse("decimal(40,2)").is_none());
    }

    #[test]
    fn an_unknown_type_names_column_and_choices() {
        let columns = serde_json::json!({"a": "int64!", "b": {"c": "strnig"}});
        let error = from_config(columns.as_object().unwrap()).unwrap_err().to_string();
        assert!(error.contains("`strnig` of column `c`") && error.contains("utf8"), "{error}");
    }
}
