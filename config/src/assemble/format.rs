//! The fields `format` and `schema`, which have a grammar of their own.

use serde_json::{Map, Value, json};

use super::Assembler;
use crate::check::At;
use crate::check::rule::Rule;
use crate::column_type;
use crate::diagnostic::Diagnostic;
use crate::document::{Content, Entry, Node};
use crate::suggest;
use crate::topology::FormatConfig;

impl Assembler<'_, '_> {
    /// `format: json`, or `format: {csv: {delimiter: ";"}}`.
    pub(super) fn format(&mut self, entry: &Entry, at: &At) -> Option<FormatConfig> {
        let empty = Node { content: Content::Map(Vec::new()), span: entry.value.span };
        match (&entry.value.content, entry.value.entries()) {
            (Content::Text(_), _) => {
                let text = json!({ "type": "string" });
                let name = self.checker.value(Rule::root(&text), &entry.value, at);
                self.named_format(name.as_str()?, &empty, at, shown_format(&entry.value))
            }
            (_, [inner]) => {
                let pointer = crate::document::join(&at.pointer, &inner.key);
                let at = At::new(pointer, format!("format.{}", inner.key));
                let options =
                    if inner.value.content == Content::Null { &empty } else { &inner.value };
                self.named_format(&inner.key, options, &at, &inner.key)
            }
            _ => {
                let message = "`format` expects a name such as `json`, or a map with one name and its options";
                let mut diagnostic = Diagnostic::error("SW0104", &at.pointer, message);
                let names = self.kinds.formats.keys().map(String::as_str);
                diagnostic.hint = suggest::hint("", names);
                self.report(diagnostic);
                None
            }
        }
    }

    fn named_format(
        &mut self,
        name: &str,
        options: &Node,
        at: &At,
        shown: &str,
    ) -> Option<FormatConfig> {
        let kinds = self.kinds;
        let Some(schema) = kinds.formats.get(name) else {
            let message = format!("unknown format `{shown}`");
            let mut diagnostic = Diagnostic::error("SW0116", &at.pointer, message);
            diagnostic.hint = suggest::hint(name, kinds.formats.keys().map(String::as_str));
            self.report(diagnostic);
            return None;
        };
        self.checker.guess_secrets = true;
        let options = self.checker.value(Rule::root(schema), options, at);
        self.checker.guess_secrets = false;
        Some(FormatConfig { name: name.into(), options })
    }

    /// `schema: {auction: int64!, channel: utf8}`.
    pub(super) fn columns(&mut self, entry: &Entry, at: &At) -> Option<Map<String, Value>> {
        let map = json!({ "type": "object", "minProperties": 1 });
        let mark = self.checker.found.len();
        let value = self.checker.value(Rule::root(&map), &entry.value, at);
        let columns = value.as_object()?;
        if self.checker.found.len() > mark {
            return None;
        }
        for error in column_type::columns(columns).err().into_iter().flatten() {
            let message = format!(
                "unknown type `{}` of column `{}`",
                entry.value.quotable(&error.pointer, &error.text),
                error.column
            );
            let pointer = format!("{}{}", at.pointer, error.pointer);
            self.report(Diagnostic::error("SW0120", pointer, message).with_hint(error.hint));
        }
        Some(columns.clone())
    }
}

/// The name as it is written: what a variable holds is not quoted.
fn shown_format(node: &Node) -> &str {
    match &node.content {
        Content::Text(text) => text,
        _ => "",
    }
}
