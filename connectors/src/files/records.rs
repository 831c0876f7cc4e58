//! Cutting a stream of bytes into records: lines, or lines whose breaks may be quoted.

use std::io::{self, Read};
use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2_iter};

/// Bytes read from the file at a time.
const STEP: usize = 256 * 1024;

/// The byte order mark that some programs put before text in UTF-8.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// A record's place in the buffer, and where it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its bytes, without the line break.
    pub range: Range<usize>,
    /// Number of its first line, from 1.
    pub line: u64,
    /// Why it is no record, where it is none.
    pub fault: Option<Fault>,
}

/// Why bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is longer than the limit; the range holds its beginning.
    TooLong,
    /// A quote is opened and never closed.
    OpenQuote,
}

/// A stream of records.
pub(crate) struct Records<R> {
    input: R,
    quote: Option<u8>,
    max: usize,
    buffer: Vec<u8>,
    /// Start of the first byte that belongs to no record yet.
    from: usize,
    /// Number of the line that `from` lies in.
    line: u64,
    at_end: bool,
    /// The rest of an overlong line is still to be dropped.
    dropping: bool,
    /// The first bytes were looked at for a byte order mark.
    begun: bool,
    keep_blank: bool,
}

fn is_blank(bytes: Option<&[u8]>) -> bool {
    bytes.unwrap_or_default().trim_ascii().is_empty()
}

/// What the bytes at the front of the buffer are.
enum Front {
    Record { end: usize, next: usize, lines: u64 },
    Open { quoted: bool },
}

impl<R: Read> Records<R> {
    /// Records of at most `max` bytes; where `quote` is given, a line break inside a pair of them is
    /// no end of a record.
    pub(crate) fn new(input: R, quote: Option<u8>, max: usize) -> Self {
        Self {
            input,
            quote,
            max,
            buffer: Vec::new(),
            from: 0,
            line: 1,
            at_end: false,
            dropping: false,
            begun: false,
            keep_blank: false,
        }
    }

    /// Whether a blank line is a record.
    pub(crate) const fn keep_blank(&mut self, keep: bool) {
        self.keep_blank = keep;
    }

    /// The bytes that the ranges of the last call point into.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// The next records: at most `count`, and no more than about `bytes` unless one alone is
    /// longer. None at the end of the file. Blank lines are left out.
    ///
    /// # Errors
    /// Those of the input.
    pub(crate) fn next(&mut self, count: usize, bytes: usize) -> io::Result<Vec<Record>> {
        self.buffer.drain(..self.from);
        self.from = 0;
        let mut records = Vec::new();
        while records.len() < count {
            if self.dropping {
                self.drop_line()?;
            } else if let Some(record) = self.front(records.is_empty() || self.from < bytes)? {
                if self.keep_blank || !is_blank(self.buffer.get(record.range.clone())) {
                    records.push(record);
                }
            } else {
                break;
            }
            if self.from >= bytes && !records.is_empty() {
                break;
            }
        }
        Ok(records)
    }

    /// Takes one record off the front, reading on for it where `may_read`.
    fn front(&mut self, may_read: bool) -> io::Result<Option<Record>> {
        loop {
            let line = self.line;
            match self.look() {
                Front::Record { end, next, lines } => {
                    let range = self.from..end;
                    self.from = next;
                    self.line += lines;
                    let long = range.len() > self.max;
                    let fault = long.then_some(Fault::TooLong);
                    let range = range.start..range.end.min(range.start + self.max);
                    return Ok(Some(Record { range, line, fault }));
                }
                Front::Open { quoted } => {
                    let held = self.buffer.len() - self.from;
                    if held == 0 && self.at_end {
                        return Ok(None);
                    }
                    if quoted && (held > self.max || self.at_end) {
                        return Ok(Some(self.broken_line()));
                    }
                    if self.at_end {
                        let range = self.from..self.buffer.len();
                        self.from = range.end;
                        self.line += 1;
                        return Ok(Some(Record { range, line, fault: None }));
                    }
                    if held > self.max {
                        let range = self.from..self.from + self.max;
                        self.from = self.buffer.len();
                        self.dropping = true;
                        return Ok(Some(Record { range, line, fault: Some(Fault::TooLong) }));
                    }
                    if !may_read {
                        return Ok(None);
                    }
                    self.read_on()?;
                }
            }
        }
    }

    /// The line that an unclosed quote began on, alone: what follows may be fine.
    fn broken_line(&mut self) -> Record {
        let rest = self.buffer.get(self.from..).unwrap_or_default();
        let length = memchr(b'\n', rest).unwrap_or(rest.len());
        let range = self.from..self.from + length;
        let line = self.line;
        self.from = (range.end + 1).min(self.buffer.len());
        self.line += 1;
        Record { range, line, fault: Some(Fault::OpenQuote) }
    }

    fn look(&self) -> Front {
        let rest = self.buffer.get(self.from..).unwrap_or_default();
        let whole = |length: usize, lines: u64| Front::Record {
            end: self.from + length,
            next: self.from + length + 1,
            lines,
        };
        let Some(quote) = self.quote else {
            return memchr(b'\n', rest).map_or(Front::Open { quoted: false }, |at| whole(at, 1));
        };
        let mut quoted = false;
        for at in memchr2_iter(quote, b'\n', rest) {
            if rest.get(at) == Some(&quote) {
                quoted = !quoted;
            } else if !quoted {
                let inside = rest.get(..at).unwrap_or_default();
                return whole(at, memchr_iter(b'\n', inside).count() as u64 + 1);
            }
        }
        Front::Open { quoted }
    }

    fn drop_line(&mut self) -> io::Result<()> {
        let rest = self.buffer.get(self.from..).unwrap_or_default();
        match memchr(b'\n', rest) {
            Some(at) => {
                self.from += at + 1;
                self.line += 1;
                self.dropping = false;
            }
            None => {
                self.buffer.truncate(self.from);
                if self.at_end {
                    self.dropping = false;
                    self.line += 1;
                } else {
                    self.read_on()?;
                }
            }
        }
        Ok(())
    }

    fn read_on(&mut self) -> io::Result<()> {
        self.read_some()?;
        while !self.begun {
            if self.buffer.len() < MARK.len() && !self.at_end {
                self.read_some()?;
                continue;
            }
            self.begun = true;
            if self.buffer.starts_with(MARK) {
                self.buffer.drain(..MARK.len());
            }
        }
        Ok(())
    }

    fn read_some(&mut self) -> io::Result<()> {
        let held = self.buffer.len();
        // An open record is looked through again from its start, so each step doubles what is held.
        self.buffer.resize(held + STEP.max(held - self.from), 0);
        let outcome = loop {
            match self.input.read(self.buffer.get_mut(held..).unwrap_or_default()) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        let read = outcome.as_ref().map_or(0, |n| *n);
        self.buffer.truncate(held + read);
        self.at_end = outcome? == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A reader that gives a few bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len()).min(into.len());
            let (now, later) = self.0.split_at(length);
            into[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }

    type Seen = (Vec<u8>, u64, Option<Fault>);

    fn read(text: &[u8], quote: Option<u8>, max: usize, drop: usize, count: usize) -> Vec<Seen> {
        let mut records = Records::new(Drops(text, drop), quote, max);
        let mut all = Vec::new();
        loop {
            let next = records.next(count, 64).unwrap();
            if next.is_empty() {
                return all;
            }
            assert!(next.len() <= count);
            all.extend(
                next.into_iter().map(|r| (records.bytes()[r.range].to_vec(), r.line, r.fault)),
            );
        }
    }

    fn text(seen: &[Seen]) -> Vec<(&str, u64)> {
        seen.iter().map(|(b, line, _)| (std::str::from_utf8(b).unwrap(), *line)).collect()
    }

    #[test]
    fn lines_are_cut_and_counted() {
        let seen = read(b"\xEF\xBB\xBFa\n\n  \nb\r\nc", None, 100, 2, 2);
        assert_eq!(text(&seen), [("a", 1), ("b\r", 4), ("c", 5)]);
    }

    #[test]
    fn an_overlong_line_costs_one_record() {
        let long = "x".repeat(100);
        let input = format!("a\n{long}\nb\n{long}");
        for drop in [1, 7, 1000] {
            let seen = read(input.as_bytes(), None, 10, drop, 5);
            let expected = [("a", 1), ("xxxxxxxxxx", 2), ("b", 3), ("xxxxxxxxxx", 4)];
            assert_eq!(text(&seen), expected);
            assert_eq!(seen[1].2, Some(Fault::TooLong));
            assert_eq!(seen[2].2, None);
        }
    }

    #[test]
    fn a_quoted_break_is_no_end_and_an_open_quote_costs_one_line() {
        let seen = read(b"a,\"x\ny\"\nb\n", Some(b'"'), 100, 3, 5);
        assert_eq!(text(&seen), [("a,\"x\ny\"", 1), ("b", 3)]);
        let seen = read(b"a\n\"open,1\nb\nc\n", Some(b'"'), 100, 3, 5);
        assert_eq!(text(&seen), [("a", 1), ("\"open,1", 2), ("b", 3), ("c", 4)]);
        assert_eq!(seen[1].2, Some(Fault::OpenQuote));
    }

    proptest! {
        #[test]
        fn cuts_do_not_depend_on_how_bytes_arrive(
            lines in prop::collection::vec("[a-z\"]{0,12}", 0..40),
            drop in 1_usize..50,
            count in 1_usize..9,
            quoted in any::<bool>(),
        ) {
            let input = lines.join("\n");
            let quote = quoted.then_some(b'"');
            let at_once = read(input.as_bytes(), quote, 1000, 10_000, 1000);
            prop_assert_eq!(&read(input.as_bytes(), quote, 1000, drop, count), &at_once);
            if !quoted {
                let kept: Vec<&str> = lines.iter().map(String::as_str).filter(|l| !l.is_empty()).collect();
                let seen: Vec<&str> = text(&at_once).into_iter().map(|(t, _)| t).collect();
                prop_assert_eq!(seen, kept);
            }
        }
    }
}
