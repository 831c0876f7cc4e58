//! The file for showing: before interpolation, without its secrets.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::diagnostic::Location;
use crate::document::{Content, Node, join};
use crate::interpolate;
use crate::secrecy::{HIDDEN, replace, url_secrets};

/// The tree as data: `${VAR}` stays, literals at the pointers of `secret` and the user information
/// of URLs are replaced by `***`. Fields that begin with `x-` are left out: what they were for, the
/// anchors, is resolved.
pub(crate) fn redact(root: &Node, secret: &BTreeSet<String>) -> Value {
    // By place rather than by pointer: an anchor and its aliases are the same text.
    let mut places = BTreeSet::new();
    find_places(root, "", false, secret, &mut places);
    let mut shown = redact_node(root, &places);
    if let Some(map) = shown.as_object_mut() {
        map.retain(|name, _| !name.starts_with("x-"));
    }
    shown
}

/// Where the plain values within secret fields stand.
fn find_places(
    node: &Node,
    pointer: &str,
    inside: bool,
    secret: &BTreeSet<String>,
    places: &mut BTreeSet<Location>,
) {
    let inside = inside || secret.contains(pointer);
    match &node.content {
        Content::List(items) => {
            for (i, item) in items.iter().enumerate() {
                find_places(item, &format!("{pointer}/{i}"), inside, secret, places);
            }
        }
        Content::Map(entries) => {
            for entry in entries {
                let pointer = join(pointer, &entry.key);
                find_places(&entry.value, &pointer, inside, secret, places);
            }
        }
        _ if inside => {
            places.insert(node.span.start);
        }
        _ => {}
    }
}

fn redact_node(node: &Node, secret: &BTreeSet<Location>) -> Value {
    let is_secret = secret.contains(&node.span.start);
    match &node.content {
        Content::List(items) => items.iter().map(|item| redact_node(item, secret)).collect(),
        Content::Map(entries) => {
            let fields = entries.iter();
            Value::Object(
                fields
                    .map(|entry| (entry.key.clone(), redact_node(&entry.value, secret)))
                    .collect(),
            )
        }
        Content::Null => Value::Null,
        Content::Text(text) if is_secret => interpolate::hide_literals(text).into(),
        Content::Text(text) => replace(text, &url_secrets(text), interpolate::hide_literals).into(),
        _ if is_secret => HIDDEN.into(),
        _ => node.to_value(),
    }
}
