//! Lets editors accept `${…}` wherever a schema asks for something narrower than any string.

use serde_json::{Map, Value, json};

/// The schema of a string that holds an interpolation.
pub(super) fn definition() -> Value {
    json!({
        "description": "A value from the environment or a secret file: `${VAR}`, `${VAR:-default}`, `${file:/run/secrets/x}`.",
        "type": "string",
        "pattern": r"\$\{.+\}",
    })
}

/// Widens the values of fields and the items of lists in place. What tells the alternatives of a
/// union apart stays as it is.
pub(super) fn allow(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    for (keyword, inner) in map.iter_mut() {
        match (keyword.as_str(), inner) {
            ("properties" | "patternProperties", Value::Object(fields)) => {
                for field in fields.values_mut() {
                    widen(field);
                }
            }
            ("$defs", Value::Object(definitions)) => {
                for (name, definition) in definitions {
                    if name != "Interpolation" {
                        allow(definition);
                    }
                }
            }
            ("items" | "additionalProperties", inner) => widen(inner),
            ("prefixItems", Value::Array(items)) => items.iter_mut().for_each(widen),
            ("anyOf" | "oneOf" | "allOf", Value::Array(branches)) => {
                branches.iter_mut().for_each(allow);
            }
            _ => {}
        }
    }
}

fn widen(schema: &mut Value) {
    allow(schema);
    if !needs_widening(schema) {
        return;
    }
    let mut outer = Map::new();
    if let Some(map) = schema.as_object_mut() {
        // What editors show stays with the field.
        for keyword in ["description", "default", "deprecated"] {
            if let Some(value) = map.remove(keyword) {
                outer.insert(keyword.into(), value);
            }
        }
    }
    let alternatives = json!([schema.take(), { "$ref": "#/$defs/Interpolation" }]);
    outer.insert("anyOf".into(), alternatives);
    *schema = Value::Object(outer);
}

/// Whether the schema could refuse `${…}`. The one value of a tag stays, and so do fields that take
/// any string.
fn needs_widening(schema: &Value) -> bool {
    let has = |keyword: &str| schema.get(keyword).is_some();
    let is_text = match schema.get("type") {
        Some(Value::String(name)) => name == "string",
        Some(Value::Array(names)) => names.iter().any(|name| name == "string"),
        _ => false,
    };
    let is_narrow = ["pattern", "enum", "minLength", "maxLength"].into_iter().any(has);
    let is_structure = |name: &str| schema.get("type").is_some_and(|given| given == name);
    match schema {
        Value::Bool(_) => false,
        _ if has("const") || is_structure("object") || is_structure("array") => false,
        _ if is_text => is_narrow,
        _ => has("type") || has("$ref") || has("anyOf") || has("oneOf") || has("enum"),
    }
}
