//! Columns as a JSON Schema, for a schema registry.

use arrow::datatypes::{DataType, Fields};
use serde_json::{Map, Value, json};

use crate::codec::cell;

/// The schema of the objects that rows are written as; `epoch` where timestamps are integers.
pub(super) fn schema(columns: &Fields, epoch: bool) -> Value {
    let mut schema = object(columns, epoch);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$schema".into(), "http://json-schema.org/draft-07/schema#".into());
    }
    schema
}

fn object(columns: &Fields, epoch: bool) -> Value {
    let properties = columns.iter().map(|column| {
        let (kind, more) = kind(column.data_type(), epoch);
        let kind = if column.is_nullable() { json!([kind, "null"]) } else { json!(kind) };
        let mut property = json!({ "type": kind });
        if let (Some(property), Value::Object(more)) = (property.as_object_mut(), more) {
            property.extend(more);
        }
        (column.name().clone(), property)
    });
    let properties: Map<_, _> = properties.collect();
    let required = columns.iter().filter(|column| !column.is_nullable());
    let required: Vec<_> = required.map(|column| column.name().as_str()).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// The type of a column's values, and what else there is to say about them.
fn kind(data_type: &DataType, epoch: bool) -> (&'static str, Value) {
    match data_type {
        DataType::Null => ("null", json!({})),
        DataType::Boolean => ("boolean", json!({})),
        DataType::Utf8 | DataType::Utf8View => ("string", json!({})),
        DataType::Binary => ("string", json!({ "contentEncoding": "base64" })),
        DataType::Date32 => ("string", json!({ "format": "date" })),
        DataType::Timestamp(..) if epoch => ("integer", json!({})),
        DataType::Timestamp(..) => ("string", json!({ "format": "date-time" })),
        DataType::List(item) => {
            let (kind, more) = kind(item.data_type(), epoch);
            let mut item = json!({ "type": [kind, "null"] });
            if let (Some(item), Value::Object(more)) = (item.as_object_mut(), more) {
                item.extend(more);
            }
            ("array", json!({ "items": item }))
        }
        DataType::Struct(fields) => ("object", object(fields, epoch)),
        DataType::Map(..) => ("object", json!({})),
        data_type if data_type.is_integer() => ("integer", json!({})),
        data_type if data_type.is_numeric() => ("number", json!({})),
        data_type => match cell::like(data_type) {
            Some(like) => kind(&like, epoch),
            None => ("string", json!({})),
        },
    }
}
