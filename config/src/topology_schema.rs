//! The JSON Schema of a whole topology file, for editors: the topology's own fields, the common
//! fields of nodes by role, and every kind with its options.

use serde_json::{Map, Value, json};

use crate::column_type;
use crate::fields;
use crate::kinds::Kinds;
use crate::topology::Role;

mod interpolation;
mod merge;

/// The JSON Schema (draft 2020-12) of topology files that use these kinds.
///
/// It is as strict as a schema can be. What it cannot say (names that lead nowhere, circles, columns)
/// is left to `swiftwater check`. A string `${…}` is allowed wherever a value is typed.
#[must_use]
pub fn topology_schema(kinds: &Kinds) -> Value {
    let mut definitions = Map::new();
    definitions.insert("Interpolation".into(), interpolation::definition());
    definitions.insert("ColumnType".into(), column_schema());
    let mut root = merge::take_in(fields::topology_fields(), "topology", &mut definitions);
    let format = format_schema(kinds, &mut definitions);
    definitions.insert("Format".into(), format);
    let common = merge::take_in(fields::node_fields(), "node", &mut definitions);
    if let Some(properties) = root.get_mut("properties").and_then(Value::as_object_mut) {
        for role in [Role::Source, Role::Operator, Role::Sink] {
            let nodes = section_schema(role, kinds, &common, &mut definitions);
            properties.insert(role.section().into(), nodes);
        }
    }
    if let Some(root) = root.as_object_mut() {
        root.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        root.insert("title".into(), "Swiftwater topology".into());
        root.insert("required".into(), json!(["name", "sources", "sinks"]));
        // Fields that begin with `x-` are a place for anchors.
        root.insert("patternProperties".into(), json!({ "^x-": true }));
        root.insert("$defs".into(), Value::Object(definitions));
    }
    interpolation::allow(&mut root);
    root
}

fn section_schema(
    role: Role,
    kinds: &Kinds,
    common: &Value,
    definitions: &mut Map<String, Value>,
) -> Value {
    let singular = role.section().trim_end_matches('s');
    let mut properties = Map::new();
    for name in fields::of_role(role) {
        let schema = match *name {
            "format" => json!({
                "description": "Format of the messages: its name, or a map with the name and its options.",
                "$ref": "#/$defs/Format",
            }),
            "schema" => json!({
                "description": "Columns: name → type. A trailing `!` forbids nulls, a nested map is a struct, a list that holds one type is a list of it.",
                "type": "object",
                "minProperties": 1,
                "additionalProperties": { "$ref": "#/$defs/ColumnType" },
            }),
            name => {
                common.pointer(&format!("/properties/{name}")).cloned().unwrap_or(Value::Bool(true))
            }
        };
        properties.insert((*name).into(), schema);
    }
    let mut one_of = Vec::new();
    for (kind, schema) in kinds.of(role) {
        let place = format!("{singular}.{kind}");
        let options = merge::take_in(schema.clone(), &place, definitions);
        let description = options.get("description").cloned().unwrap_or_default();
        let takes_nothing =
            options.get("required").is_none() && options.get("properties").is_some();
        definitions.insert(place.clone(), options);
        let reference = json!({ "$ref": format!("#/$defs/{place}") });
        let mut property = match takes_nothing {
            true => json!({ "anyOf": [reference, { "type": "null" }] }),
            false => reference,
        };
        if let (Some(property), false) = (property.as_object_mut(), description.is_null()) {
            property.insert("description".into(), description);
        }
        properties.insert(kind.clone(), property);
        one_of.push(json!({ "required": [kind] }));
    }
    let mut node = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if let (Some(node), false) = (node.as_object_mut(), one_of.is_empty()) {
        node.insert("oneOf".into(), Value::Array(one_of));
    }
    definitions.insert(singular.into(), node);
    json!({
        "description": format!("The {}: name → node.", role.section()),
        "type": ["object", "null"],
        "propertyNames": { "pattern": "^[a-z][a-z0-9_]*$" },
        "additionalProperties": { "$ref": format!("#/$defs/{singular}") },
    })
}

fn format_schema(kinds: &Kinds, definitions: &mut Map<String, Value>) -> Value {
    let mut alternatives = Vec::new();
    for (name, schema) in &kinds.formats {
        let place = format!("format.{name}");
        let options = merge::take_in(schema.clone(), &place, definitions);
        let description = options.get("description").cloned().unwrap_or_default();
        if options.get("required").is_none() {
            alternatives.push(json!({ "const": name, "description": description }));
        }
        definitions.insert(place.clone(), options);
        alternatives.push(json!({
            "type": "object",
            "properties": { name: { "$ref": format!("#/$defs/{place}") } },
            "required": [name],
            "additionalProperties": false,
        }));
    }
    match alternatives.is_empty() {
        true => json!(false),
        false => json!({ "anyOf": alternatives }),
    }
}

fn column_schema() -> Value {
    let plain = column_type::type_names().join("|");
    let decimal = r"decimal\(\s*[0-9]+\s*,\s*-?[0-9]+\s*\)";
    let pattern = format!(r"^\s*(list<)*({plain}|{decimal})>*!?$");
    let mut names = column_type::type_names();
    names.extend(["decimal(10,2)", "list<utf8>"]);
    json!({
        "anyOf": [
            { "type": "string", "pattern": pattern, "examples": names },
            {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": { "$ref": "#/$defs/ColumnType" },
            },
            {
                "type": "array",
                "items": { "$ref": "#/$defs/ColumnType" },
                "minItems": 1,
                "maxItems": 1,
            },
        ],
    })
}

#[cfg(test)]
mod tests;
