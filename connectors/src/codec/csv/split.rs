//! One line of CSV into its fields and back (RFC 4180).

use crate::codec::codes;
use crate::codec::rows::Bad;

/// The characters that are not data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syntax {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
}

/// A field of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) text: &'a str,
    /// Whether it stood in quotes.
    pub(super) quoted: bool,
}

/// Takes lines apart, reusing its memory.
#[derive(Debug)]
pub(super) struct Splitter {
    syntax: Syntax,
    text: String,
    ends: Vec<(usize, bool)>,
}

impl Splitter {
    pub(super) const fn new(syntax: Syntax) -> Self {
        Self { syntax, text: String::new(), ends: Vec::new() }
    }

    /// The fields of the last line.
    pub(super) fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end));
        starts.zip(&self.ends).map(|(start, (end, quoted))| Field {
            text: self.text.get(start..*end).unwrap_or_default(),
            quoted: *quoted,
        })
    }

    /// Takes a line apart; one line break at its end is no part of it.
    pub(super) fn split(&mut self, line: &str) -> Result<(), Bad> {
        self.text.clear();
        self.ends.clear();
        let line = line.strip_suffix('\n').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let Syntax { delimiter, quote } = self.syntax;
        let mut rest = line;
        loop {
            let quoted = rest.as_bytes().first() == Some(&quote);
            if quoted {
                rest = self.quoted(line, rest)?;
            } else {
                let special = |b: &u8| *b == delimiter || *b == quote || matches!(b, b'\n' | b'\r');
                let end = rest.bytes().position(|b| special(&b)).unwrap_or(rest.len());
                let (field, after) = rest.split_at(end);
                self.text.push_str(field);
                rest = after;
            }
            self.ends.push((self.text.len(), quoted));
            match rest.as_bytes().first() {
                None => return Ok(()),
                Some(byte) if *byte == delimiter => rest = rest.get(1..).unwrap_or_default(),
                Some(_) => return Err(malformed(line, rest, "a delimiter or the end")),
            }
        }
    }

    /// Takes a field in quotes and returns what follows it.
    fn quoted<'a>(&mut self, line: &str, field: &'a str) -> Result<&'a str, Bad> {
        let quote = char::from(self.syntax.quote);
        let mut rest = field.get(1..).unwrap_or_default();
        loop {
            let Some((text, after)) = rest.split_once(quote) else {
                return Err(malformed(line, "", "a closing quote"));
            };
            self.text.push_str(text);
            match after.strip_prefix(quote) {
                Some(more) => {
                    self.text.push(quote);
                    rest = more;
                }
                None => return Ok(after),
            }
        }
    }
}

fn malformed(line: &str, rest: &str, expected: &str) -> Bad {
    let at = line.len() - rest.len();
    let found = match rest.chars().next() {
        Some(character) => format!("`{}`", character.escape_default()),
        None => "the end".to_owned(),
    };
    let message = format!("malformed CSV at byte {at}: expected {expected}, found {found}");
    Bad::new(codes::MALFORMED, message)
}

impl Syntax {
    /// Appends a field, in quotes where it could be misread without.
    pub(super) fn write(self, text: &[u8], null: &[u8], out: &mut Vec<u8>) {
        let Self { delimiter, quote } = self;
        let special = |b: &u8| *b == delimiter || *b == quote || matches!(b, b'\n' | b'\r');
        if text != null && !text.iter().any(special) {
            return out.extend_from_slice(text);
        }
        out.push(quote);
        for byte in text {
            if *byte == quote {
                out.push(quote);
            }
            out.push(*byte);
        }
        out.push(quote);
    }
}
