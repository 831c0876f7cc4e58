//! The lines of a file for showing: what is or may be secret is marked, and shown as `***`.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::document::{Content, Node, Span, join, lines};
use crate::interpolate;
use crate::secrecy::{HIDDEN, looks_secret, url_secrets};

/// A line of the file and which of its characters are hidden, in columns from 1.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    text: String,
    hidden: Vec<Range<usize>>,
}

impl Line {
    fn hide(&mut self, columns: Range<usize>) {
        if columns.start < columns.end {
            self.hidden.push(columns);
        }
    }

    fn is_hidden(&self, column: usize) -> bool {
        self.hidden.iter().any(|range| range.contains(&column))
    }

    /// The text without what is hidden, and where in it `column` now stands, from 0.
    pub(crate) fn shown(&self, column: usize) -> (String, usize) {
        let mut shown = String::with_capacity(self.text.len());
        let mut length = 0;
        let mut place = None;
        let mut was_hidden = false;
        for (i, c) in self.text.chars().enumerate() {
            if i + 1 == column {
                place = Some(length);
            }
            let hidden = self.is_hidden(i + 1);
            match hidden {
                true if !was_hidden => {
                    shown.push_str(HIDDEN);
                    length += HIDDEN.len();
                }
                true => {}
                false => {
                    shown.push(if c.is_control() { ' ' } else { c });
                    length += 1;
                }
            }
            was_hidden = hidden;
        }
        (shown, place.unwrap_or(length))
    }
}

fn lines_of(text: &str) -> Vec<Line> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = lines(text).map(|line| {
        let columns = |bytes: usize| line.get(..bytes).map_or(1, |part| part.chars().count() + 1);
        let secrets = url_secrets(line);
        let hidden = secrets.iter().map(|range| columns(range.start)..columns(range.end)).collect();
        Line { text: line.to_owned(), hidden }
    });
    lines.collect()
}

/// The lines of a file whose tree is known. `secret` holds the pointers of secret fields.
pub(super) fn read(text: &str, root: &Node, secret: &BTreeSet<String>) -> Vec<Line> {
    let mut lines = lines_of(text);
    hide_secrets(root, "", false, secret, &mut lines);
    lines
}

fn hide_secrets(
    node: &Node,
    pointer: &str,
    inside: bool,
    secret: &BTreeSet<String>,
    lines: &mut [Line],
) {
    let inside = inside || secret.contains(pointer);
    match &node.content {
        Content::List(items) => {
            for (i, item) in items.iter().enumerate() {
                hide_secrets(item, &format!("{pointer}/{i}"), inside, secret, lines);
            }
        }
        Content::Map(entries) => {
            for entry in entries {
                let pointer = join(pointer, &entry.key);
                let inside = inside || looks_secret(&entry.key);
                hide_secrets(&entry.value, &pointer, inside, secret, lines);
            }
        }
        Content::Text(text) if inside && interpolate::hide_literals(text) == *text => {}
        Content::Null => {}
        _ if inside => hide(node.span, lines),
        _ => {}
    }
}

fn hide(span: Span, lines: &mut [Line]) {
    let first = span.start.line.saturating_sub(1);
    let count = span.end.line.saturating_sub(span.start.line) + 1;
    for (i, line) in lines.iter_mut().enumerate().skip(first).take(count) {
        let start = if i == first { span.start.column } else { 1 };
        let last = i + 1 == span.end.line;
        let end = if last { span.end.column } else { line.text.chars().count() + 1 };
        line.hide(start..end);
    }
}

/// The lines of a file that could not be read: whatever follows a name that sounds secret is
/// hidden, up to the end of the line and in the deeper indented lines below it.
pub(super) fn unread(text: &str) -> Vec<Line> {
    let mut lines = lines_of(text);
    let mut hidden_below: Option<usize> = None;
    for line in &mut lines {
        let length = line.text.chars().count();
        let indent = line.text.chars().take_while(|c| c.is_whitespace()).count();
        if indent == length {
            continue;
        }
        if hidden_below.is_some_and(|outer| indent > outer) {
            line.hide(indent + 1..length + 1);
            continue;
        }
        hidden_below = None;
        if let Some(column) = secret_value(&line.text) {
            line.hide(column..length + 1);
            hidden_below = Some(indent);
        }
    }
    lines
}

/// The column after the first name that sounds secret.
fn secret_value(line: &str) -> Option<usize> {
    let mut column = 1;
    for part in line.split_inclusive([':', '=']) {
        column += part.chars().count();
        let name = part.trim_end_matches([':', '=']).trim_end_matches(['"', '\'', ' ']);
        let name = name.rsplit(['{', ',', ' ', '"', '\'', '[']).next().unwrap_or(name);
        if looks_secret(name) {
            return Some(column);
        }
    }
    None
}
