//! Fields of the grammar whose meaning the engine of this version does not have yet. They are
//! refused rather than ignored; a version that has one deletes its line here.

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::document::join;

/// What makes a field unavailable.
enum Unavailable {
    /// The field itself.
    Field,
    /// This one value of it.
    Value(&'static str),
}

/// Pointers to the fields, `*` for any name or number, with what to do instead.
const UNAVAILABLE: &[(&str, Unavailable, &str)] = &[
    (
        "/guarantee",
        Unavailable::Value("exactly_once"),
        "leave it out: nothing is lost, and after a crash some results may be written again",
    ),
    ("/checkpoint/store", Unavailable::Field, "leave it out: nodes keep no state in this version"),
    (
        "/sources/*/event_time/out_of_orderness",
        Unavailable::Field,
        "leave it out: no operator of this version waits for late rows",
    ),
    (
        "/sources/*/event_time/idle_after",
        Unavailable::Field,
        "leave it out: no operator of this version waits for idle partitions",
    ),
    (
        "/operators/*/late",
        Unavailable::Field,
        "leave it out: no operator of this version tells late rows apart",
    ),
    ("/tests/*/then", Unavailable::Field, "leave it out: tests have only `input` and `expect`"),
];

impl Unavailable {
    /// Whether it is the field, not a value of it.
    fn is_field(&self) -> bool {
        matches!(self, Self::Field)
    }

    /// Whether `value` asks for what is not there.
    fn is_asked_for(&self, value: &Value) -> bool {
        match self {
            Self::Field => !value.is_null(),
            Self::Value(unavailable) => value.as_str() == Some(unavailable),
        }
    }
}

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
    for (pattern, what, hint) in UNAVAILABLE {
        if fits(pattern, pointer) && what.is_asked_for(value) {
            let field = pointer.rsplit('/').next().unwrap_or_default();
            let message = match value.as_str() {
                Some(text) if !what.is_field() => {
                    format!("`{field}: {text}` is not available in this version")
                }
                _ => format!("`{field}` is not available in this version"),
            };
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
