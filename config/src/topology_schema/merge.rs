//! Takes a schema with definitions of its own into a larger one.

use serde_json::{Map, Value};

/// Moves the definitions of `schema` to `definitions` and returns the rest of it. Definitions that
/// are there already and equal are shared; where the same name means something else, those of this
/// schema are put under `place`.
pub(super) fn take_in(
    mut schema: Value,
    place: &str,
    definitions: &mut Map<String, Value>,
) -> Value {
    let own = match schema.as_object_mut() {
        Some(root) => {
            root.remove("$schema");
            root.remove("title");
            root.remove("$defs")
        }
        None => None,
    };
    let Some(Value::Object(own)) = own else {
        rename(&mut schema, &|_| None, place);
        return schema;
    };
    let clashes = own
        .iter()
        .any(|(name, definition)| definitions.get(name).is_some_and(|known| known != definition));
    let new_name = |name: &str| match clashes {
        true => format!("{place}.{name}"),
        false => name.to_owned(),
    };
    let renamed = |name: &str| own.contains_key(name).then(|| new_name(name));
    for (name, definition) in &own {
        let mut definition = definition.clone();
        rename(&mut definition, &renamed, place);
        definitions.insert(new_name(name), definition);
    }
    rename(&mut schema, &renamed, place);
    schema
}

/// Points references to where the definitions are now; a reference to the whole schema leads to
/// `place`.
fn rename(schema: &mut Value, renamed: &dyn Fn(&str) -> Option<String>, place: &str) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str().filter(|_| key == "$ref") {
                    Some("#") => *value = format!("#/$defs/{place}").into(),
                    Some(reference) => {
                        let name = reference.strip_prefix("#/$defs/").and_then(renamed);
                        if let Some(name) = name {
                            *value = format!("#/$defs/{name}").into();
                        }
                    }
                    None => rename(value, renamed, place),
                }
            }
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| rename(item, renamed, place));
        }
        _ => {}
    }
}
