//! The columns that a message has by itself.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};
use prost_reflect::{FieldDescriptor, MessageDescriptor};

use super::kind::{TIME, Type};

/// A column for each field.
///
/// # Errors
/// A fragment that names the field which no column can hold.
pub(super) fn columns(message: &MessageDescriptor) -> Result<Fields, String> {
    fields(message, &mut Vec::new())
}

fn fields(message: &MessageDescriptor, open: &mut Vec<String>) -> Result<Fields, String> {
    let name = message.full_name().to_owned();
    if open.contains(&name) {
        return Err(format!("message {name} holds itself, which no column can"));
    }
    open.push(name);
    let fields = message.fields().map(|field| {
        let data_type = data_type(&field, open)?;
        // Lists and maps are never absent, only empty.
        let nullable = field.supports_presence();
        Ok(Field::new(field.name(), data_type, nullable))
    });
    let fields = fields.collect();
    open.pop();
    fields
}

fn data_type(field: &FieldDescriptor, open: &mut Vec<String>) -> Result<DataType, String> {
    if let (true, Type::Message(entry)) = (field.is_map(), Type::of(field)) {
        let key = one(&entry.map_entry_key_field(), open)?;
        let value = one(&entry.map_entry_value_field(), open)?;
        let pair = vec![Field::new("key", key, false), Field::new("value", value, true)];
        let entries = Field::new("entries", DataType::Struct(pair.into()), false);
        return Ok(DataType::Map(Arc::new(entries), false));
    }
    let one = one(field, open)?;
    Ok(if field.is_list() { DataType::List(Arc::new(Field::new("item", one, true))) } else { one })
}

fn one(field: &FieldDescriptor, open: &mut Vec<String>) -> Result<DataType, String> {
    Ok(match Type::of(field) {
        Type::Plain(plain) | Type::Wrapper(plain) => plain.data_type(),
        Type::Time => TIME,
        Type::Message(message) => DataType::Struct(fields(&message, open)?),
    })
}
