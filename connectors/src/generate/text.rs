//! Random text of a given length.

use arrow::array::{ArrayRef, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::Result;

use super::column::{Column, Rows, Timeline, array, bad_option};
use super::random::{Stream, below};

/// Letters and digits, equally likely, of a length between two bounds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TextOptions {
    /// Shortest length.
    pub min_length: u32,
    /// Longest length, at most 65536.
    pub max_length: u32,
    /// Characters to choose from: at most 256, all ASCII.
    pub alphabet: String,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            min_length: 12,
            max_length: 12,
            alphabet: "abcdefghijklmnopqrstuvwxyz0123456789".into(),
        }
    }
}

impl TextOptions {
    pub(super) fn build(self, name: &str, seed: u64) -> Result<Text> {
        let Self { min_length, max_length, alphabet } = self;
        if min_length > max_length || max_length > 65_536 {
            return Err(bad_option(
                name,
                format!("no length from {min_length} to {max_length}"),
                "`min_length` must not be above `max_length`, and that not above 65536",
            ));
        }
        if alphabet.is_empty() || alphabet.len() > 256 || !alphabet.is_ascii() {
            return Err(bad_option(
                name,
                format!("cannot choose from the alphabet `{alphabet}`"),
                "give from 1 to 256 ASCII characters",
            ));
        }
        Ok(Text::new(seed, name, (min_length, max_length), &alphabet))
    }
}

/// The column.
pub(super) struct Text {
    lengths: Stream,
    letters: Stream,
    min: u32,
    spread: u64,
    /// The character of each byte value; where 256 is no multiple of the alphabet's length, some
    /// characters are more likely by 1/256.
    table: [u8; 256],
}

impl Text {
    /// Lengths from `min` to `max`; `alphabet` is ASCII and not empty.
    pub(super) fn new(seed: u64, name: &str, (min, max): (u32, u32), alphabet: &str) -> Self {
        let mut table = [b' '; 256];
        for (i, slot) in table.iter_mut().enumerate() {
            let at = i * alphabet.len() / 256;
            *slot = alphabet.as_bytes().get(at).copied().unwrap_or(b' ');
        }
        Self {
            lengths: Stream::new(seed, name, 1),
            letters: Stream::new(seed, name, 2),
            min,
            spread: u64::from(max - min) + 1,
            table,
        }
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a length is at most 65536")]
    fn length(&self, row: u64) -> usize {
        self.min as usize + below(self.lengths.at(row), self.spread) as usize
    }
}

impl Column for Text {
    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    #[expect(clippy::indexing_slicing, reason = "a byte indexes a table of 256")]
    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        let mut bytes = Vec::with_capacity(rows.count * (self.min as usize + 8));
        let mut ends = Vec::with_capacity(rows.count + 1);
        ends.push(0);
        for row in rows.iter() {
            let end = bytes.len() + self.length(row);
            let words = self.letters.of_row(row);
            for word in 0..(end - bytes.len()).div_ceil(8) as u64 {
                let letters = words.at(word).to_le_bytes().map(|b| self.table[usize::from(b)]);
                bytes.extend_from_slice(&letters);
            }
            bytes.truncate(end);
            ends.push(i32::try_from(end).unwrap_or(i32::MAX));
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
        let text = StringArray::try_new(offsets, Buffer::from_vec(bytes), None);
        array(text.unwrap_or_else(|_| StringArray::new_null(rows.count)))
    }
}
