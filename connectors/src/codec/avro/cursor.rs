//! The primitive values of Avro's binary encoding, read from bytes that may say anything.

use crate::codec::codes;
use crate::codec::rows::Bad;

use super::schema::{Id, Kind, Schema};

/// Types inside types that are followed while a value is skipped.
const MAX_DEPTH: u32 = 128;

/// A place in a payload.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Items of arrays and maps that may still come: items without bytes of their own must not
    /// make millions of values out of nothing.
    items: u64,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, items: bytes.len() as u64 + (1 << 16) }
    }

    /// Bytes that were not read.
    pub(super) const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    #[cold]
    pub(super) fn bad(&self, message: &str) -> Bad {
        Bad::new(codes::BAD_VALUE, format!("{message} before byte {}", self.at))
    }

    #[cold]
    fn truncated(&self, what: &str) -> Bad {
        let message = format!("payload of {} bytes ends within {what}", self.bytes.len());
        Bad::new(codes::TRUNCATED, message)
    }

    /// So many bytes.
    #[inline]
    pub(super) fn take(&mut self, len: usize, what: &str) -> Result<&'a [u8], Bad> {
        let end = self.at.checked_add(len);
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(bytes) => {
                self.at += len;
                Ok(bytes)
            }
            None => Err(self.truncated(what)),
        }
    }

    /// An int or long: a zigzag variable-length number.
    #[inline]
    pub(super) fn long(&mut self) -> Result<i64, Bad> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let Some(byte) = self.bytes.get(self.at) else {
                return Err(self.truncated("a number"));
            };
            self.at += 1;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                // The tenth byte has room for one bit.
                if shift == 63 && *byte > 1 {
                    break;
                }
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err(self.bad("a number of more than 64 bits"))
    }

    /// An int, which has 32 bits.
    pub(super) fn int(&mut self) -> Result<i32, Bad> {
        let value = self.long()?;
        value
            .try_into()
            .map_err(|_| self.bad(&format!("the int {value}, which has more than 32 bits")))
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Bad> {
        match self.take(1, "a boolean")? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(self.bad("a boolean that is neither 0 nor 1")),
        }
    }

    pub(super) fn float(&mut self) -> Result<f32, Bad> {
        let bytes = self.take(4, "a float")?;
        Ok(f32::from_le_bytes(bytes.try_into().unwrap_or_default()))
    }

    pub(super) fn double(&mut self) -> Result<f64, Bad> {
        let bytes = self.take(8, "a double")?;
        Ok(f64::from_le_bytes(bytes.try_into().unwrap_or_default()))
    }

    /// Bytes with their length before them.
    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Bad> {
        let len = self.long()?;
        let len = usize::try_from(len).map_err(|_| self.bad(&format!("the length {len}")))?;
        self.take(len, "bytes or a string")
    }

    /// Text with its length before it.
    #[inline]
    pub(super) fn string(&mut self) -> Result<&'a str, Bad> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|error| {
            let start = self.at - bytes.len();
            let message = format!("invalid UTF-8 at byte {}", start + error.valid_up_to());
            Bad::new(codes::BAD_UTF8, message)
        })
    }

    /// An index into `len` branches or symbols.
    pub(super) fn index(&mut self, len: usize, what: &str) -> Result<usize, Bad> {
        let index = self.long()?;
        usize::try_from(index)
            .ok()
            .filter(|index| *index < len)
            .ok_or_else(|| self.bad(&format!("{what} {index} of {len}")))
    }

    /// The number of items in the next block of an array or map, 0 at its end, and the bytes they
    /// take where the writer says so.
    fn block_size(&mut self) -> Result<(u64, Option<i64>), Bad> {
        let count = self.long()?;
        let size = if count < 0 { Some(self.long()?) } else { None };
        let count = count.unsigned_abs();
        match self.items.checked_sub(count) {
            Some(left) => self.items = left,
            None => return Err(self.bad(&format!("a block of {count} items"))),
        }
        Ok((count, size))
    }

    /// The number of items in the next block of an array or map, 0 at its end.
    pub(super) fn block(&mut self) -> Result<u64, Bad> {
        self.block_size().map(|(count, _)| count)
    }

    /// Passes a value.
    pub(super) fn skip(&mut self, schema: &Schema, id: Id) -> Result<(), Bad> {
        self.skip_at(schema, id, 0)
    }

    fn skip_at(&mut self, schema: &Schema, id: Id, depth: u32) -> Result<(), Bad> {
        if depth >= MAX_DEPTH {
            let message = format!("values nested deeper than {MAX_DEPTH} levels");
            return Err(Bad::new(codes::TOO_DEEP, message));
        }
        match &schema.get(id).kind {
            Kind::Null => Ok(()),
            Kind::Boolean => self.boolean().map(drop),
            Kind::Int => self.int().map(drop),
            Kind::Long => self.long().map(drop),
            Kind::Float => self.take(4, "a float").map(drop),
            Kind::Double => self.take(8, "a double").map(drop),
            Kind::Bytes => self.bytes().map(drop),
            Kind::String => self.string().map(drop),
            Kind::Fixed(size) => self.take(*size, "a fixed").map(drop),
            Kind::Enum(symbols) => self.index(symbols.len(), "enum symbol").map(drop),
            Kind::Array(item) => self.skip_blocks(schema, *item, false, depth + 1),
            Kind::Map(item) => self.skip_blocks(schema, *item, true, depth + 1),
            Kind::Record(fields) => {
                fields.iter().try_for_each(|field| self.skip_at(schema, field.id, depth + 1))
            }
            Kind::Union(branches) => {
                let index = self.index(branches.len(), "union branch")?;
                match branches.get(index) {
                    Some(branch) => self.skip_at(schema, *branch, depth + 1),
                    None => Ok(()),
                }
            }
        }
    }

    fn skip_blocks(
        &mut self,
        schema: &Schema,
        item: Id,
        keys: bool,
        depth: u32,
    ) -> Result<(), Bad> {
        loop {
            let (count, size) = self.block_size()?;
            match size.map(usize::try_from) {
                _ if count == 0 => return Ok(()),
                Some(Ok(size)) => drop(self.take(size, "a block")?),
                Some(Err(_)) => return Err(self.bad("a block of negative size")),
                None => {
                    for _ in 0..count {
                        if keys {
                            self.string()?;
                        }
                        self.skip_at(schema, item, depth)?;
                    }
                }
            }
        }
    }
}
