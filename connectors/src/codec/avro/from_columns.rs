//! The Avro schema of a set of columns.

use arrow::datatypes::{DataType, Fields, TimeUnit};
use serde_json::{Value, json};

use crate::codec::cell;

/// A record named `name` with a field for each column. Columns that may be null are unions whose
/// first branch is null, which is also their default: that keeps later versions compatible.
///
/// # Errors
/// A fragment that names the column which Avro cannot express.
pub(super) fn schema(name: &str, columns: &Fields) -> Result<Value, String> {
    record(&legal(name), columns)
}

/// A name of the letters that Avro allows.
fn legal(name: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(legal).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
        format!("_{name}")
    } else {
        name
    }
}

fn record(name: &str, columns: &Fields) -> Result<Value, String> {
    let fields = columns.iter().map(|column| {
        let field = column.name();
        if legal(field) != *field {
            return Err(format!(
                "column `{field}`: a name in Avro has only letters, digits and `_`"
            ));
        }
        let inner = format!("{name}_{field}");
        let data_type =
            data_type(&inner, column.data_type()).map_err(|e| format!("column `{field}`: {e}"))?;
        Ok(if column.is_nullable() {
            json!({ "name": field, "type": ["null", data_type], "default": null })
        } else {
            json!({ "name": field, "type": data_type })
        })
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "type": "record", "name": name, "fields": fields }))
}

fn data_type(name: &str, data_type: &DataType) -> Result<Value, String> {
    let nested = |item: &arrow::datatypes::Field| {
        let inner = self::data_type(name, item.data_type())?;
        Ok::<_, String>(if item.is_nullable() { json!(["null", inner]) } else { inner })
    };
    Ok(match data_type {
        DataType::Null => json!("null"),
        DataType::Boolean => json!("boolean"),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            json!("int")
        }
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Utf8 | DataType::Utf8View => json!("string"),
        DataType::Binary => json!("bytes"),
        DataType::Date32 => json!({ "type": "int", "logicalType": "date" }),
        DataType::Timestamp(unit, _) => {
            let logical = match unit {
                TimeUnit::Second | TimeUnit::Millisecond => "timestamp-millis",
                TimeUnit::Microsecond => "timestamp-micros",
                TimeUnit::Nanosecond => "timestamp-nanos",
            };
            json!({ "type": "long", "logicalType": logical })
        }
        DataType::Decimal128(precision, scale @ 0..) => {
            let (precision, scale) = (precision, scale);
            json!({ "type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale })
        }
        DataType::List(item) => json!({ "type": "array", "items": nested(item)? }),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) => match pair.as_ref() {
                [_, value] => json!({ "type": "map", "values": nested(value)? }),
                _ => return Err("a map without pairs".into()),
            },
            _ => return Err("a map without pairs".into()),
        },
        DataType::Struct(fields) => record(&legal(name), fields)?,
        other => match cell::like(other) {
            Some(like) => self::data_type(name, &like)?,
            None => return Err(format!("Avro has no form for type {other}")),
        },
    })
}
