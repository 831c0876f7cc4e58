//! One JSON object becomes one row of a group of columns.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Fields};

use super::problem::{Outcome, Problem};
use super::scan::{Scanner, word};
use super::{text, value};
use crate::codec::column::Group;

/// What to do about fields that are absent or that are no columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// A nullable column whose field is absent makes the record bad.
    pub(super) require_all: bool,
    /// A field that is no column makes the record bad.
    pub(super) refuse_unknown: bool,
}

/// A field as the last record spelled it, at its place in the record.
#[derive(Debug, Default)]
struct Guess {
    /// From the opening quote to the colon.
    key: Vec<u8>,
    /// Its column, if it is one.
    column: Option<usize>,
    /// The first and the last eight bytes of the key, which of most keys is all; of a shorter one
    /// the first are what the mask leaves.
    first: u64,
    last: u64,
    mask: u64,
}

impl Guess {
    fn set(&mut self, key: &[u8], column: Option<usize>) {
        self.key.clear();
        self.key.extend_from_slice(key);
        self.column = column;
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(key) {
            *to = *from;
        }
        self.first = u64::from_le_bytes(first);
        self.last = key.len().checked_sub(8).and_then(|at| word(key, at)).unwrap_or(0);
        let unused = 64 - 8 * u32::try_from(key.len().min(8)).unwrap_or(8);
        self.mask = u64::MAX.checked_shr(unused).unwrap_or(0);
    }

    /// Passes the key where it stands here.
    #[inline]
    fn pass(&self, scanner: &mut Scanner<'_>) -> bool {
        let len = self.key.len();
        let Some(first) = word(scanner.bytes, scanner.at) else {
            return scanner.pass(&self.key);
        };
        let found = match len {
            8..=16 => {
                first == self.first && word(scanner.bytes, scanner.at + len - 8) == Some(self.last)
            }
            ..8 => first & self.mask == self.first,
            _ => return scanner.pass(&self.key),
        };
        if found {
            scanner.at += len;
        }
        found
    }
}

/// Longest key, and largest number of fields, that are remembered.
const GUESS_BYTES: usize = 64;
const GUESSES: usize = 64;
/// How many absent fields the guess may leap over.
const LEAP: usize = 4;

/// How the objects of one group of columns are read, and how the last ones were spelled.
#[derive(Debug)]
pub(super) struct Layout {
    by_name: HashMap<Box<[u8]>, usize>,
    /// For each column that holds objects how these are read.
    nested: Vec<Option<Self>>,
    rules: Rules,
    /// The object in which each column got its last value.
    filled: Vec<u64>,
    objects: u64,
    /// Records of a topic spell their fields in one order: the next one most likely does too.
    guesses: Vec<Guess>,
    text: Vec<u8>,
}

impl Layout {
    /// For a group of columns for `fields`.
    pub(super) fn new(fields: &Fields, rules: Rules) -> Self {
        let names = fields.iter().map(|f| f.name().as_bytes().into());
        Self {
            by_name: names.enumerate().map(|(i, name)| (name, i)).collect(),
            nested: fields.iter().map(|f| nested(f.data_type(), rules)).collect(),
            rules,
            filled: vec![0; fields.len()],
            objects: 0,
            guesses: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Reads an object whose `{` is here and appends it as a row. After an error the columns are
    /// as before, except that the caller truncates them where the error is fatal.
    pub(super) fn object(&mut self, group: &mut Group, scanner: &mut Scanner<'_>) -> Outcome {
        scanner.open()?;
        self.objects += 1;
        // Wrong values are kept until the end: the rest may turn out not to be JSON at all, or to
        // hold the field once more, and then the last one counts.
        let mut problems: Vec<(Option<usize>, Box<Problem>)> = Vec::new();
        let mut found = 0;
        let mut guess = 0;
        scanner.space();
        if scanner.peek() == b'}' {
            scanner.close();
            return self.end(group, found, problems);
        }
        loop {
            match self.field(scanner, &mut guess)? {
                Some(index) => {
                    if self.is_repeated(group, index) {
                        problems.retain(|(column, _)| *column != Some(index));
                    } else {
                        found += 1;
                    }
                    if let Some(column) = group.columns.get_mut(index)
                        && let nested = self.nested.get_mut(index).and_then(Option::as_mut)
                        && let Err(problem) = value::read(column, nested, scanner)
                    {
                        if problem.is_fatal() {
                            return Err(problem);
                        }
                        problems.push((Some(index), problem.within(column.name())));
                    }
                }
                None => {
                    if self.rules.refuse_unknown {
                        problems.push((None, Problem::unknown(&self.text)));
                    }
                    scanner.skip()?;
                }
            }
            scanner.space();
            match scanner.peek() {
                b',' => {
                    scanner.at += 1;
                    scanner.space();
                }
                b'}' => {
                    scanner.close();
                    return self.end(group, found, problems);
                }
                _ => return scanner.malformed("`,` or `}`"),
            }
        }
    }

    /// Notes that a column gets a value from this object. Where it has one already, that one is
    /// dropped: the last of several fields with one name counts.
    #[inline]
    fn is_repeated(&mut self, group: &mut Group, index: usize) -> bool {
        let Some(filled) = self.filled.get_mut(index) else {
            return false;
        };
        if *filled != self.objects {
            *filled = self.objects;
            return false;
        }
        let len = group.len();
        if let Some(column) = group.columns.get_mut(index) {
            column.truncate(len);
        }
        true
    }

    /// Passes a field's name and colon, and finds its column.
    #[inline]
    fn field(&mut self, scanner: &mut Scanner<'_>, guess: &mut usize) -> Outcome<Option<usize>> {
        if let Some(expected) = self.guesses.get(*guess)
            && expected.pass(scanner)
        {
            *guess += 1;
            scanner.space();
            if self.rules.refuse_unknown && expected.column.is_none() {
                self.name_guessed(*guess - 1);
            }
            return Ok(self.guesses.get(*guess - 1).and_then(|g| g.column));
        }
        self.unexpected_field(scanner, guess)
    }

    /// Puts the name of a guessed field where the message about it is made from.
    #[cold]
    fn name_guessed(&mut self, guess: usize) {
        let mut scanner = match self.guesses.get(guess) {
            Some(guess) => Scanner::new(&guess.key, 0),
            None => return,
        };
        self.text.clear();
        if let Ok(raw) = scanner.string() {
            text::append(raw, &mut self.text);
        }
    }

    fn unexpected_field(
        &mut self,
        scanner: &mut Scanner<'_>,
        guess: &mut usize,
    ) -> Outcome<Option<usize>> {
        let start = scanner.at;
        if scanner.peek() != b'"' {
            return scanner.malformed("a field name");
        }
        let raw = scanner.string()?;
        scanner.space();
        if scanner.peek() != b':' {
            return scanner.malformed("`:`");
        }
        scanner.at += 1;
        let key = scanner.since(start);
        scanner.space();
        self.text.clear();
        text::append(raw, &mut self.text);
        let column = self.by_name.get(self.text.as_slice()).copied();
        self.learn(key, column, guess);
        Ok(column)
    }

    /// Remembers a field that stood elsewhere than expected.
    fn learn(&mut self, key: &[u8], column: Option<usize>, guess: &mut usize) {
        let ahead = self.guesses.iter().skip(*guess).take(LEAP);
        if let Some(leap) = ahead.map(|g| g.key.as_slice()).position(|k| k == key) {
            *guess += leap + 1;
            return;
        }
        if *guess >= GUESSES || key.len() > GUESS_BYTES {
            return;
        }
        if *guess >= self.guesses.len() {
            self.guesses.push(Guess::default());
        }
        if let Some(slot) = self.guesses.get_mut(*guess) {
            slot.set(key, column);
        }
        *guess += 1;
    }

    /// Fills what the object did not hold and completes the row.
    fn end(
        &self,
        group: &mut Group,
        found: usize,
        mut problems: Vec<(Option<usize>, Box<Problem>)>,
    ) -> Outcome {
        if found < group.columns.len() {
            for (column, filled) in group.columns.iter_mut().zip(&self.filled) {
                if *filled != self.objects {
                    if self.rules.require_all || !column.is_nullable() {
                        let problem = Problem::missing(column.expected()).within(column.name());
                        problems.push((None, problem));
                    }
                    column.append_null();
                }
            }
        }
        match problems.into_iter().next() {
            None => {
                group.end_row();
                Ok(())
            }
            Some((_, problem)) => {
                group.truncate(group.len());
                Err(problem)
            }
        }
    }
}

/// How the objects in a column of this type are read, where there are any.
fn nested(data_type: &DataType, rules: Rules) -> Option<Layout> {
    match data_type {
        DataType::Struct(fields) => Some(Layout::new(fields, rules)),
        DataType::List(item) => nested(item.data_type(), rules),
        _ => None,
    }
}
