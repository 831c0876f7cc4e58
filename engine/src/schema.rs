//! The column types of a topology file as Arrow types. The grammar itself is
//! [`swiftwater_config::column_type`].

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde_json::{Map, Value};
use swiftwater_config::column_type::{self, Column, ColumnType, TimestampUnit};

use crate::error::{Error, Result};

/// Names of the plain types, for messages and the JSON Schema.
#[must_use]
pub fn type_names() -> Vec<&'static str> {
    column_type::type_names()
}

/// The Arrow schema of a `schema:` field.
///
/// # Errors
/// `Config` (`SW0120`) for an unknown type, quoting column and type.
pub fn from_config(columns: &Map<String, Value>) -> Result<SchemaRef> {
    match column_type::columns(columns) {
        Ok(columns) => Ok(Arc::new(Schema::new(fields(&columns)))),
        Err(errors) => {
            let told: Vec<_> = errors
                .iter()
                .map(|e| format!("unknown type `{}` of column `{}`", e.text, e.column))
                .collect();
            let hint = errors.into_iter().next().map(|e| e.hint).unwrap_or_default();
            Err(Error::config("SW0120", told.join("; ")).with_hint(hint))
        }
    }
}

fn fields(columns: &[Column]) -> Fields {
    columns
        .iter()
        .map(|column| Field::new(&column.name, arrow_type(&column.column_type), column.nullable))
        .collect()
}

/// The Arrow type of a column type.
#[must_use]
pub fn arrow_type(column_type: &ColumnType) -> DataType {
    match column_type {
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Int8 => DataType::Int8,
        ColumnType::Int16 => DataType::Int16,
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Uint8 => DataType::UInt8,
        ColumnType::Uint16 => DataType::UInt16,
        ColumnType::Uint32 => DataType::UInt32,
        ColumnType::Uint64 => DataType::UInt64,
        ColumnType::Float32 => DataType::Float32,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Utf8 => DataType::Utf8,
        ColumnType::Binary => DataType::Binary,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp(unit) => DataType::Timestamp(time_unit(*unit), None),
        ColumnType::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale),
        ColumnType::List(item) => {
            DataType::List(Arc::new(Field::new("item", arrow_type(item), true)))
        }
        ColumnType::Struct(columns) => DataType::Struct(fields(columns)),
    }
}

fn time_unit(unit: TimestampUnit) -> TimeUnit {
    match unit {
        TimestampUnit::Second => TimeUnit::Second,
        TimestampUnit::Millisecond => TimeUnit::Millisecond,
        TimestampUnit::Microsecond => TimeUnit::Microsecond,
        TimestampUnit::Nanosecond => TimeUnit::Nanosecond,
    }
}

/// Reads one type, such as `list<int64>`.
#[must_use]
pub fn parse(text: &str) -> Option<DataType> {
    ColumnType::parse(text).as_ref().map(arrow_type)
}

/// Writes an Arrow type the way a topology file would.
#[must_use]
pub fn name(data_type: &DataType) -> String {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) => match name(item.data_type()) {
            item if item.starts_with(['{', '[']) => format!("[{item}]"),
            item => format!("list<{item}>"),
        },
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Struct(fields) => {
            let inner: Vec<_> =
                fields.iter().map(|f| format!("{}: {}", f.name(), name(f.data_type()))).collect();
            format!("{{{}}}", inner.join(", "))
        }
        DataType::Utf8View | DataType::LargeUtf8 => "utf8".into(),
        other => {
            let named = column_type::NAMES.iter().find(|(_, named)| arrow_type(named) == *other);
            named.map_or_else(|| other.to_string(), |(name, _)| (*name).into())
        }
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
        let lines = DataType::Struct(Fields::from(vec![Field::new("sku", DataType::Utf8, true)]));
        let lines = DataType::List(Arc::new(Field::new("item", lines, true)));
        assert_eq!(name(&lines), "[{sku: utf8}]");
        assert!(parse("int65").is_none());
        assert!(parse("decimal(40,2)").is_none());
    }

    #[test]
    fn every_plain_type_has_its_arrow_type_and_back() {
        for text in type_names() {
            assert_eq!(name(&parse(text).unwrap()), text);
        }
        let columns =
            serde_json::json!({"id": "int64!", "lines": [{"sku": "utf8", "n": "int32!"}]});
        let schema = from_config(columns.as_object().unwrap()).unwrap();
        assert!(!schema.field(0).is_nullable());
        assert_eq!(name(schema.field(1).data_type()), "[{sku: utf8, n: int32}]");
    }

    #[test]
    fn an_unknown_type_names_column_and_choices() {
        let columns = serde_json::json!({"a": "int64!", "b": {"c": "strnig"}});
        let error = from_config(columns.as_object().unwrap()).unwrap_err().to_string();
        assert!(error.contains("`strnig` of column `c`") && error.contains("utf8"), "{error}");
    }
}
