//! Where each field of a topology file stands, and its lines for showing, without their secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Location};
use crate::document::{Content, Document, Node, Span, join};
use crate::secrecy::SecretValues;

mod mask;

/// At most this many characters of a line are shown.
const WIDEST: usize = 100;

/// The line a problem stands in, with its secrets blanked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The file, where there is one.
    pub file: Option<Arc<str>>,
    /// The line, or the part of a long line around the problem.
    pub text: String,
    /// Where in `text` the problem begins, in characters from 0.
    pub caret: usize,
    /// How many characters it covers, at least 1.
    pub width: usize,
}

impl Excerpt {
    pub(crate) fn write(&self, f: &mut fmt::Formatter<'_>, at: Location) -> fmt::Result {
        if self.text.trim().is_empty() {
            return Ok(());
        }
        let number = at.line.to_string();
        let gutter = " ".repeat(number.len());
        write!(f, "\n  {number} | {}", self.text)?;
        let carets = "^".repeat(self.width);
        write!(f, "\n  {gutter} | {}{carets}", " ".repeat(self.caret))
    }
}

/// Finds the place of a field from its JSON pointer.
#[derive(Clone, Default)]
pub struct SourceMap {
    file: Option<Arc<str>>,
    lines: Vec<mask::Line>,
    places: BTreeMap<String, Location>,
    ends: BTreeMap<Location, Location>,
    secrets: SecretValues,
}

impl SourceMap {
    /// The map of a text that could not be read as a tree: it has lines, but no fields.
    pub(crate) fn of_text(file: Option<Arc<str>>, text: &str) -> Self {
        Self { file, lines: mask::unread(text), ..Self::default() }
    }

    /// The map of a document. `secret` holds the pointers of its secret fields.
    pub(crate) fn new(
        file: Option<Arc<str>>,
        text: &str,
        document: &Document,
        secret: &BTreeSet<String>,
        secrets: SecretValues,
    ) -> Self {
        let lines = mask::read(text, &document.root, secret);
        let mut map = Self { file, lines, secrets, ..Self::default() };
        map.places.insert(String::new(), document.root.span.start);
        map.add(&document.root, "");
        map
    }

    fn add(&mut self, node: &Node, pointer: &str) {
        self.ends.entry(node.span.start).or_insert(node.span.end);
        match &node.content {
            Content::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    let pointer = format!("{pointer}/{i}");
                    self.places.insert(pointer.clone(), item.span.start);
                    self.add(item, &pointer);
                }
            }
            Content::Map(entries) => {
                for entry in entries {
                    let pointer = join(pointer, &entry.key);
                    let place = place(entry.key_span, &entry.value);
                    self.places.insert(pointer.clone(), place);
                    self.add(&entry.value, &pointer);
                    self.ends.insert(entry.key_span.start, entry.key_span.end);
                }
            }
            _ => {}
        }
    }

    /// The place of the field at `pointer`, or of the nearest field around it: a plain value's own
    /// place, and the name of a field that holds a list or a map.
    #[must_use]
    pub fn locate(&self, pointer: &str) -> Option<Location> {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.places.get(pointer) {
                return Some(*place);
            }
            pointer = pointer.rsplit_once('/')?.0;
        }
    }

    /// Fills in place and excerpt, and blanks out secret values in what it says.
    pub(crate) fn place(&self, diagnostic: &mut Diagnostic) {
        diagnostic.message = self.secrets.scrub(&diagnostic.message);
        diagnostic.hint = diagnostic.hint.take().map(|hint| self.secrets.scrub(&hint));
        if diagnostic.location.is_none() {
            diagnostic.location = self.locate(&diagnostic.pointer);
        }
        if diagnostic.excerpt.is_none()
            && let Some(location) = diagnostic.location
        {
            diagnostic.excerpt = Some(self.excerpt(location));
        }
    }

    fn excerpt(&self, at: Location) -> Excerpt {
        let line = self.lines.get(at.line.saturating_sub(1));
        let (text, caret) = line.map(|line| line.shown(at.column)).unwrap_or_default();
        let end = self.ends.get(&at).filter(|end| end.line == at.line);
        let end = line.zip(end).map_or(caret, |(line, end)| line.shown(end.column).1);
        let skipped = caret.saturating_sub(WIDEST / 2);
        let skipped = if text.chars().count() > WIDEST { skipped } else { 0 };
        let text: String = text.chars().skip(skipped).take(WIDEST).collect();
        let text = text.trim_end().to_owned();
        let caret = caret - skipped;
        let room = text.chars().count().saturating_sub(caret);
        let width = (end - skipped).saturating_sub(caret).min(room).max(1);
        Excerpt { file: self.file.clone(), text, caret, width }
    }

    /// The secret values of the file, to be blanked out of what leaves the process.
    #[must_use]
    pub fn secrets(&self) -> &SecretValues {
        &self.secrets
    }
}

fn place(key: Span, value: &Node) -> Location {
    match value.content {
        Content::List(_) | Content::Map(_) | Content::Null => key.start,
        _ => value.span.start,
    }
}

impl fmt::Debug for SourceMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceMap")
            .field("file", &self.file)
            .field("fields", &self.places.len())
            .finish_non_exhaustive()
    }
}
