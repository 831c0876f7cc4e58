//! The fingerprint of a schema, by which single-object messages name it: CRC-64-AVRO of the Parsing
//! Canonical Form, as the Avro specification defines both.

use serde_json::{Map, Value};

use super::schema::{defined_name, full_name};

const EMPTY: u64 = 0xc15d_213a_a4d7_a795;

/// The fingerprint of a schema that was found valid.
pub(super) fn fingerprint(schema: &Value) -> u64 {
    let mut text = String::new();
    canonical(schema, "", &mut text);
    text.bytes().fold(EMPTY, |hash, byte| {
        let mut entry = (hash ^ u64::from(byte)) & 0xFF;
        for _ in 0..8 {
            entry = (entry >> 1) ^ (EMPTY & (entry & 1).wrapping_neg());
        }
        (hash >> 8) ^ entry
    })
}

fn is_primitive(name: &str) -> bool {
    matches!(name, "null" | "boolean" | "int" | "long" | "float" | "double" | "bytes" | "string")
}

fn quoted(text: &str, out: &mut String) {
    out.push_str(&Value::from(text).to_string());
}

fn list(values: &[Value], namespace: &str, out: &mut String) {
    out.push('[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        canonical(value, namespace, out);
    }
    out.push(']');
}

fn canonical(schema: &Value, namespace: &str, out: &mut String) {
    match schema {
        Value::String(name) if is_primitive(name) => quoted(name, out),
        Value::String(name) => quoted(&full_name(name, namespace), out),
        Value::Array(branches) => list(branches, namespace, out),
        Value::Object(object) => match object.get("type") {
            Some(Value::String(name)) if is_complex(name) => complex(object, name, namespace, out),
            Some(inner) => canonical(inner, namespace, out),
            None => {}
        },
        _ => {}
    }
}

fn is_complex(name: &str) -> bool {
    matches!(name, "record" | "error" | "enum" | "fixed" | "array" | "map")
}

/// A definition with only the attributes that matter, in the order that the specification fixes.
fn complex(object: &Map<String, Value>, kind: &str, namespace: &str, out: &mut String) {
    let (name, inner) = match defined_name(object, namespace) {
        Some((name, inner)) if !matches!(kind, "array" | "map") => (Some(name), inner),
        _ => (None, namespace.to_owned()),
    };
    out.push('{');
    if let Some(name) = &name {
        out.push_str("\"name\":");
        quoted(name, out);
        out.push(',');
    }
    out.push_str("\"type\":");
    quoted(kind, out);
    if let Some(fields) = object.get("fields").and_then(Value::as_array) {
        out.push_str(",\"fields\":[");
        for (index, field) in fields.iter().enumerate() {
            out.push_str(if index > 0 { ",{\"name\":" } else { "{\"name\":" });
            quoted(field.get("name").and_then(Value::as_str).unwrap_or_default(), out);
            out.push_str(",\"type\":");
            canonical(field.get("type").unwrap_or(&Value::Null), &inner, out);
            out.push('}');
        }
        out.push(']');
    }
    if let Some(symbols) = object.get("symbols").and_then(Value::as_array) {
        let symbols: Vec<_> = symbols.iter().map(Value::to_string).collect();
        out.push_str(&format!(",\"symbols\":[{}]", symbols.join(",")));
    }
    for key in ["items", "values"] {
        if let Some(item) = object.get(key) {
            out.push_str(&format!(",\"{key}\":"));
            canonical(item, &inner, out);
        }
    }
    if let Some(size) = object.get("size").and_then(Value::as_u64) {
        out.push_str(&format!(",\"size\":{size}"));
    }
    out.push('}');
}
