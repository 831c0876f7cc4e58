//! Reads YAML and JSON (which is YAML) into a [`Document`], with the place of every value.
//!
//! Anchors, aliases and the merge key `<<` work. Duplicate keys, several documents, foreign tags
//! and anything too deep or too large are errors at their place.

use saphyr_parser::{Marker, Parser, ScanError};

use crate::diagnostic::{Diagnostic, Location};
use crate::document::{Content, Document, Span, lines};

mod builder;
mod surrogate;

/// Nesting beyond this is refused, so that no walk over a tree can exhaust the stack.
const DEEPEST: usize = 64;

/// Values beyond this are refused, so that nested aliases cannot exhaust the memory.
const MOST_VALUES: usize = 200_000;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// Reads one document.
pub(crate) fn parse(text: &str) -> Result<Document> {
    let text = surrogate::join_pairs(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut builder = builder::Builder::default();
    let mut parser = Parser::new_from_str(&text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|e| syntax_error(&e, &text))?;
        let span = Span { start: location(span.start), end: location(span.end) };
        builder.event(event, span)?;
    }
    let root = builder.root.filter(|root| root.content != Content::Null);
    root.map(|root| Document { root }).ok_or_else(|| {
        let start = Location { line: 1, column: 1 };
        let cure = "it needs `name`, `sources` and `sinks`; `swiftwater create` writes one";
        fault("SW0101", "the file is empty", cure, Span { start, end: start })
    })
}

fn fault(code: &'static str, message: &str, hint: &str, at: Span) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(code, "", message).with_hint(hint).at(at.start))
}

fn location(marker: Marker) -> Location {
    Location { line: marker.line().max(1), column: marker.col() + 1 }
}

fn syntax_error(error: &ScanError, text: &str) -> Box<Diagnostic> {
    let info = error.info();
    let place = location(*error.marker());
    let place = within(text, place);
    // The parser places a tab where the value before it began.
    let place = if info.contains("tab") { first_tab(text, place).unwrap_or(place) } else { place };
    let diagnostic = Diagnostic::error("SW0101", "", format!("not valid YAML: {info}")).at(place);
    Box::new(match cure(info) {
        Some(cure) => diagnostic.with_hint(cure),
        None => diagnostic,
    })
}

/// A place behind the last line that holds something is the end of that line.
fn within(text: &str, place: Location) -> Location {
    let written = lines(text).enumerate().filter(|(_, line)| !line.trim().is_empty());
    match written.last() {
        Some((i, line)) if place.line > i + 1 => {
            Location { line: i + 1, column: line.trim_end().chars().count() + 1 }
        }
        _ => place,
    }
}

/// The first line from `from` on that is indented with a tab.
fn first_tab(text: &str, from: Location) -> Option<Location> {
    let lines = lines(text).enumerate().skip(from.line - 1);
    let mut tabs = lines.filter_map(|(i, line)| {
        let indent = line.chars().take_while(|c| c.is_whitespace());
        let column = indent.enumerate().find(|(_, c)| *c == '\t')?.0 + 1;
        Some(Location { line: i + 1, column })
    });
    tabs.next()
}

fn cure(info: &str) -> Option<&'static str> {
    let cures = [
        ("tab", "indent with spaces; YAML forbids tabs there"),
        (
            "mapping values are not allowed",
            "put a value that holds `: ` in quotes, and check the indentation",
        ),
        ("unknown anchor", "define the anchor with `&name` before its use `*name`"),
        ("unknown escape", "write `\\\\` for a backslash, or use single quotes"),
        ("expected key", "check the indentation; fields of one map start in the same column"),
        (
            "',' or '}'",
            "close the `{` with `}`, and put values that hold `{`, `}`, `[`, `]` or `,` in quotes",
        ),
        (
            "',' or ']'",
            "close the `[` with `]`, and put values that hold `{`, `}`, `[`, `]` or `,` in quotes",
        ),
        ("quoted scalar", "close the quote"),
        ("simple key", "a field is `name: value`, with a space after the colon"),
        ("recursion limit", "the file is nested too deeply"),
    ];
    cures.iter().find(|(part, _)| info.contains(part)).map(|(_, cure)| *cure)
}

#[cfg(test)]
mod tests;
