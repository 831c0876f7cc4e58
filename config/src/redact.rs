//! The file for showing: before interpolation, without its secrets.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::document::{Content, Node, join};
use crate::interpolate;
use crate::secrecy::{replace, url_secrets};

/// The tree as data: `${VAR}` stays, literals at the pointers of `secret` and the user information
/// of URLs are replaced by `***`.
pub(crate) fn redact(root: &Node, secret: &BTreeSet<String>) -> Value {
    redact_at(root, "", false, secret)
}

fn redact_at(node: &Node, pointer: &str, inside: bool, secret: &BTreeSet<String>) -> Value {
    let inside = inside || secret.contains(pointer);
    match &node.content {
        Content::List(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(i, item)| redact_at(item, &format!("{pointer}/{i}"), inside, secret))
                .collect()
        }
        Content::Map(entries) => {
            let entries = entries.iter().map(|entry| {
                let pointer = join(pointer, &entry.key);
                (entry.key.clone(), redact_at(&entry.value, &pointer, inside, secret))
            });
            Value::Object(entries.collect())
        }
        Content::Null => Value::Null,
        Content::Text(text) if inside => interpolate::hide_literals(text).into(),
        Content::Text(text) => replace(text, &url_secrets(text), interpolate::hide_literals).into(),
        _ if inside => crate::secrecy::HIDDEN.into(),
        _ => node.to_value(),
    }
}
