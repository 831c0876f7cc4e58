//! Fields of the grammar whose meaning the engine of this version does not have yet. They are
//! refused rather than ignored; a version that has one deletes its line here.

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::document::join;

/// Pointers to the fields, `*` for any name or number, with what to do instead.
const UNAVAILABLE: &[(&str, &str)] =
    &[("/tests/*/then", "leave it out: tests have only `input` and `expect`")];

/// Whether `pointer` fits a pattern of [`UNAVAILABLE`].
fn fits(pattern: &str, pointer: &str) -> bool {
    let mut steps = pattern.split('/');
    let mut given = pointer.split('/');
    loop {
        match (steps.next(), given.next()) {
            (None, None) => return true,
            (Some(step), Some(name)) if step == "*" || step == name => {}
            _ => return false,
        }
    }
}

/// Fields of the grammar that this version does not have.
pub(crate) fn find(resolved: &Value) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    find_in(resolved, "", &mut found);
    found
}

fn find_in(value: &Value, pointer: &str, found: &mut Vec<Diagnostic>) {
    for (pattern, hint) in UNAVAILABLE {
        if fits(pattern, pointer) && !value.is_null() {
            let field = pointer.rsplit('/').next().unwrap_or_default();
            let message = format!("`{field}` is not available in this version");
            found.push(Diagnostic::error("SW0190", pointer, message).with_hint(*hint));
        }
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                find_in(value, &join(pointer, key), found);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                find_in(item, &format!("{pointer}/{i}"), found);
            }
        }
        _ => {}
    }
}
