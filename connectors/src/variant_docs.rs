//! Documentation of an enum's variants, where readers of its JSON Schema look for it: on the option
//! that selects the variant.

use schemars::Schema;
use serde_json::Value;

/// Copies the description of each variant with one field to the field, if that has none.
pub(crate) fn describe_variants(schema: &mut Schema) {
    let variants = schema.get_mut("oneOf").and_then(Value::as_array_mut);
    for variant in variants.into_iter().flatten() {
        let Some(text) = variant.get("description").cloned() else { continue };
        let options = variant.get_mut("properties").and_then(Value::as_object_mut);
        for option in options.into_iter().flat_map(|o| o.values_mut()) {
            if let Some(option) = option.as_object_mut() {
                option.entry("description").or_insert_with(|| text.clone());
            }
        }
    }
}
