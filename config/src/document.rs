//! A topology file as a tree of values in which each knows its place.

use std::fmt;

use serde_json::{Map, Number, Value};

use crate::diagnostic::Location;

/// A stretch of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// First character.
    pub(crate) start: Location,
    /// The character after the last.
    pub(crate) end: Location,
}

/// What stands at a place of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string, before interpolation.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<Entry>),
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) span: Span,
}

/// A field of a map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Node {
    /// The fields of a map; none of anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The field `key` of a map.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value as it stands in the file, before interpolation.
    pub(crate) fn to_value(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(value) => Value::Number(value.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => items.iter().map(Self::to_value).collect(),
            Content::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The value at a JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> Option<&Self> {
        let mut node = self;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            node = match &node.content {
                Content::List(items) => items.get(step.parse::<usize>().ok()?)?,
                _ => &node.entry(&step)?.value,
            };
        }
        Some(node)
    }

    /// The text at a JSON pointer as messages may quote it: what an interpolation became is not
    /// shown, but what it was written as.
    pub(crate) fn quotable(&self, pointer: &str, resolved: &str) -> String {
        let text = match self.at(pointer).map(|node| &node.content) {
            Some(Content::Text(text)) if crate::interpolate::is_template(text) => text,
            _ => resolved,
        };
        crate::secrecy::scrub_urls(text)
    }

    /// What it is, for messages; never the value itself.
    pub(crate) fn noun(&self) -> &'static str {
        match &self.content {
            Content::Null => "nothing",
            Content::Bool(_) => "a truth value",
            Content::Number(_) => "a number",
            Content::Text(_) => "a string",
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
        }
    }
}

/// The lines of a text as YAML counts them: a carriage return ends one too.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Appends one step to a JSON pointer (RFC 6901).
pub(crate) fn join(pointer: &str, key: &str) -> String {
    let mut joined = String::with_capacity(pointer.len() + key.len() + 1);
    joined.push_str(pointer);
    joined.push('/');
    for c in key.chars() {
        match c {
            '~' => joined.push_str("~0"),
            '/' => joined.push_str("~1"),
            c => joined.push(c),
        }
    }
    joined
}

/// A file that was read: its tree, before interpolation. `Debug` does not show it, because literals
/// may be secrets.
#[derive(Clone, PartialEq)]
pub struct Document {
    pub(crate) root: Node,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Document(…)")
    }
}

impl Document {
    /// The file as data, before interpolation and with its secrets: not for showing. Use
    /// [`crate::Loaded::redacted`] for that.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.root.to_value()
    }
}
