//! The wire format of protocol buffers, read from bytes that may say anything.

use crate::codec::codes;
use crate::codec::rows::Bad;

/// Groups inside groups that are followed while an unknown field is skipped.
const MAX_DEPTH: u32 = 100;

/// A value on the wire, before its field says what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
    /// A group, which no column is filled from.
    Group,
}

/// A place in a message.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
}

#[cold]
fn truncated(what: &str) -> Bad {
    Bad::new(codes::TRUNCATED, format!("the message ends within {what}"))
}

#[cold]
pub(super) fn bad(message: impl Into<String>) -> Bad {
    Bad::new(codes::BAD_VALUE, message)
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What was not read.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, Bad> {
        let mut value = 0_u64;
        for (shift, byte) in (0..70).step_by(7).zip(self.bytes) {
            value |= u64::from(byte & 0x7F).checked_shl(shift).unwrap_or_default();
            if byte & 0x80 == 0 {
                self.bytes = self.bytes.get(shift as usize / 7 + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        if self.bytes.len() >= 10 {
            return Err(bad("a number of more than 64 bits"));
        }
        Err(truncated("a number"))
    }

    fn take(&mut self, len: usize, what: &str) -> Result<&'a [u8], Bad> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or_else(|| truncated(what))?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(super) fn fixed32(&mut self) -> Result<u32, Bad> {
        let bytes = self.take(4, "a fixed number")?;
        Ok(u32::from_le_bytes(bytes.try_into().unwrap_or_default()))
    }

    pub(super) fn fixed64(&mut self) -> Result<u64, Bad> {
        let bytes = self.take(8, "a fixed number")?;
        Ok(u64::from_le_bytes(bytes.try_into().unwrap_or_default()))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Bad> {
        let len = self.varint()?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX), "a field of bytes")
    }

    /// The next field: its number and its value.
    #[inline]
    pub(super) fn field(&mut self) -> Result<(u32, Wire<'a>), Bad> {
        self.field_at(0)
    }

    fn field_at(&mut self, depth: u32) -> Result<(u32, Wire<'a>), Bad> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number));
        let number = number.ok_or_else(|| bad(format!("the field number {}", tag >> 3)))?;
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(self.fixed64()?),
            2 => Wire::Bytes(self.bytes()?),
            3 => {
                self.group(number, depth)?;
                Wire::Group
            }
            5 => Wire::Fixed32(self.fixed32()?),
            4 => return Err(bad(format!("the end of group {number}, which was not begun"))),
            other => return Err(bad(format!("the wire type {other}"))),
        };
        Ok((number, wire))
    }

    /// Passes a group, whose end is a field of its own.
    fn group(&mut self, number: u32, depth: u32) -> Result<(), Bad> {
        if depth >= MAX_DEPTH {
            let message = format!("groups nested deeper than {MAX_DEPTH} levels");
            return Err(Bad::new(codes::TOO_DEEP, message));
        }
        loop {
            let mut ahead = self.clone();
            let tag = ahead.varint()?;
            if tag == (u64::from(number) << 3 | 4) {
                *self = ahead;
                return Ok(());
            }
            self.field_at(depth + 1)?;
        }
    }
}

/// Undoes the zigzag encoding of signed numbers.
pub(super) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// The zigzag encoding of a signed number.
pub(super) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// Appends a varint.
pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends the tag of a field.
pub(super) fn put_tag(number: u32, wire_type: u64, out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | wire_type, out);
}

/// Appends bytes with their length before them.
pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}
