//! Walks the bytes of one payload by the grammar of RFC 8259: strings are looked through eight
//! bytes at a time, and what no column needs is checked and skipped without being parsed.

use super::problem::{Outcome, Problem};

/// Highest limit of nesting.
pub(super) const MAX_DEPTH: u32 = u128::BITS;

/// A string as it stands in the payload, without its quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    /// The bytes between the quotes. Escapes in them are well formed.
    pub(super) bytes: &'a [u8],
    /// Whether there are escapes in them.
    pub(super) escaped: bool,
}

/// A place in a payload.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    depth: u32,
    limit: u32,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The eight bytes at `at`, the first in the low bits.
#[inline]
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let (word, _) = bytes.get(at..)?.split_first_chunk::<8>()?;
    Some(u64::from_le_bytes(*word))
}

/// Marks (high bit of each byte, exact for the first one marked) what ends a run of plain
/// characters: a quote, a backslash or a control character.
#[inline(always)]
const fn specials(word: u64) -> u64 {
    let quotes = word ^ (ONES * b'"' as u64);
    let slashes = word ^ (ONES * b'\\' as u64);
    let quotes = quotes.wrapping_sub(ONES) & !quotes;
    let slashes = slashes.wrapping_sub(ONES) & !slashes;
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (quotes | slashes | controls) & HIGHS
}

/// Whether a byte ends a run of plain characters. Without short cuts, so that a loop over many bytes
/// becomes vector code.
#[inline]
const fn is_special(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
}

/// First place from `at` on that holds no plain character of a string.
#[inline(always)]
pub(super) fn plain(bytes: &[u8], mut at: usize) -> usize {
    // Most strings are short: two words settle them.
    for _ in 0..2 {
        let Some(word) = word(bytes, at) else {
            return plain_bytewise(bytes, at);
        };
        let marks = specials(word);
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    plain_long(bytes, at)
}

/// The same for long strings: blocks of 32 bytes, which the compiler turns into vector code.
fn plain_long(bytes: &[u8], mut at: usize) -> usize {
    while let Some((block, _)) = bytes.get(at..).and_then(|rest| rest.split_first_chunk::<32>()) {
        let special = block.iter().fold(0, |found, byte| found | u8::from(is_special(*byte)));
        if special != 0 {
            break;
        }
        at += 32;
    }
    while let Some(word) = word(bytes, at) {
        let marks = specials(word);
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    plain_bytewise(bytes, at)
}

fn plain_bytewise(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

impl<'a> Scanner<'a> {
    /// Starts at the first byte of a payload that is valid UTF-8.
    pub(super) const fn new(bytes: &'a [u8], limit: u32) -> Self {
        Self { bytes, at: 0, depth: 0, limit }
    }

    /// The next byte; 0, which no token begins with, at the end.
    #[inline(always)]
    pub(super) fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// The bytes from `start` to here.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    #[cold]
    pub(super) fn malformed<T>(&self, expected: &'static str) -> Outcome<T> {
        Err(Problem::malformed(self.at, expected))
    }

    /// Passes white space.
    #[inline(always)]
    pub(super) fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// Passes an opening bracket.
    #[inline]
    pub(super) fn open(&mut self) -> Outcome {
        if self.depth >= self.limit {
            return Err(Box::new(Problem::TooDeep { at: self.at, limit: self.limit }));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// Passes a closing bracket.
    #[inline]
    pub(super) const fn close(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// Passes `text` where it stands here.
    #[inline]
    pub(super) fn pass(&mut self, text: &[u8]) -> bool {
        let end = self.at + text.len();
        let found = self.bytes.get(self.at..end) == Some(text);
        if found {
            self.at = end;
        }
        found
    }

    /// Passes `:` and the white space around it.
    #[inline]
    pub(super) fn colon(&mut self) -> Outcome {
        self.space();
        if self.peek() != b':' {
            return self.malformed("`:`");
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Passes `true`, `false` or `null`.
    pub(super) fn literal(&mut self) -> Outcome {
        if self.pass(b"null") || self.pass(b"true") || self.pass(b"false") {
            Ok(())
        } else {
            self.malformed("a value")
        }
    }

    /// Reads a string whose opening quote is here.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Outcome<Raw<'a>> {
        let start = self.at + 1;
        self.at = plain(self.bytes, start);
        if self.peek() == b'"' {
            let bytes = self.since(start);
            self.at += 1;
            return Ok(Raw { bytes, escaped: false });
        }
        self.escaped_string(start)
    }

    /// The rest of a string that has an escape, or an error, here.
    fn escaped_string(&mut self, start: usize) -> Outcome<Raw<'a>> {
        loop {
            match self.peek() {
                b'"' => {
                    let bytes = self.since(start);
                    self.at += 1;
                    return Ok(Raw { bytes, escaped: true });
                }
                b'\\' => self.escape()?,
                _ if self.at >= self.bytes.len() => return self.malformed("`\"`"),
                _ => return self.malformed("an escape instead of a control character"),
            }
            self.at = plain(self.bytes, self.at);
        }
    }

    /// Checks one escape; surrogates must come in pairs.
    fn escape(&mut self) -> Outcome {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => match self.unit()? {
                0xD800..=0xDBFF => {
                    if self.bytes.get(self.at..self.at + 2) == Some(b"\\u")
                        && (0xDC00..=0xDFFF).contains(&self.unit()?)
                    {
                        Ok(())
                    } else {
                        self.malformed("the second half of a surrogate pair")
                    }
                }
                0xDC00..=0xDFFF => self.malformed("no second half of a surrogate pair alone"),
                _ => Ok(()),
            },
            _ => self.malformed("a valid escape"),
        }
    }

    /// Passes `\uXXXX`.
    fn unit(&mut self) -> Outcome<u16> {
        match self.bytes.get(self.at + 2..self.at + 6).and_then(hex) {
            Some(unit) => {
                self.at += 6;
                Ok(unit)
            }
            None => self.malformed("four hexadecimal digits after `\\u`"),
        }
    }

    /// Checks a value and passes it.
    #[inline(always)]
    pub(super) fn skip(&mut self) -> Outcome {
        match self.peek() {
            b'"' => self.string().map(drop),
            b'-' | b'0'..=b'9' => self.skip_number(),
            b'{' | b'[' => self.skip_nested(),
            _ => self.literal(),
        }
    }

    /// Checks a number and passes it.
    pub(super) fn skip_number(&mut self) -> Outcome {
        if self.peek() == b'-' {
            self.at += 1;
        }
        match self.peek() {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            _ => return self.malformed("a digit"),
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) {
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Outcome {
        if !self.peek().is_ascii_digit() {
            return self.malformed("a digit");
        }
        self.digits();
        Ok(())
    }

    /// Checks an object or array and passes it, without recursion: payloads choose their depth.
    fn skip_nested(&mut self) -> Outcome {
        let outer = self.depth;
        let mut objects = Levels::default();
        loop {
            // A value is due here.
            match self.peek() {
                b'{' => {
                    self.open()?;
                    objects.push(true);
                    self.space();
                    if self.peek() != b'}' {
                        self.skip_key()?;
                        continue;
                    }
                }
                b'[' => {
                    self.open()?;
                    objects.push(false);
                    self.space();
                    if self.peek() != b']' {
                        continue;
                    }
                }
                _ => {
                    self.skip()?;
                    self.space();
                }
            }
            if self.after_value(outer, &mut objects)? {
                return Ok(());
            }
        }
    }

    /// Goes from the end of a value inside an object or array to the next one; true where the
    /// outermost has ended.
    fn after_value(&mut self, outer: u32, objects: &mut Levels) -> Outcome<bool> {
        loop {
            match (self.peek(), objects.last()) {
                (b',', true) => {
                    self.at += 1;
                    self.space();
                    self.skip_key()?;
                    return Ok(false);
                }
                (b',', false) => {
                    self.at += 1;
                    self.space();
                    return Ok(false);
                }
                (b'}', true) | (b']', false) => {
                    self.close();
                    objects.pop();
                    if self.depth == outer {
                        return Ok(true);
                    }
                    self.space();
                }
                (_, true) => return self.malformed("`,` or `}`"),
                (_, false) => return self.malformed("`,` or `]`"),
            }
        }
    }

    fn skip_key(&mut self) -> Outcome {
        if self.peek() != b'"' {
            return self.malformed("a field name");
        }
        self.string()?;
        self.colon()
    }
}

/// Which of the open brackets are objects: one bit a level, [`MAX_DEPTH`] levels.
#[derive(Default)]
struct Levels {
    bits: u128,
}

impl Levels {
    const fn push(&mut self, object: bool) {
        self.bits = (self.bits << 1) | object as u128;
    }

    const fn pop(&mut self) {
        self.bits >>= 1;
    }

    const fn last(&self) -> bool {
        self.bits & 1 == 1
    }
}

/// Four hexadecimal digits.
pub(super) fn hex(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |value, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some((value << 4) | u16::try_from(digit).ok()?)
    })
}
