//! Random identifiers in the form of a UUID.

use arrow::array::{ArrayRef, StringBuilder};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

use super::column::{Column, Rows, Timeline, array};
use super::random::Stream;

/// A UUID of version 4 (RFC 9562): 122 random bits.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UuidOptions {}

impl UuidOptions {
    #[expect(clippy::unused_self, reason = "built like every other column")]
    pub(super) fn build(self, name: &str, seed: u64) -> Uuid {
        Uuid { high: Stream::new(seed, name, 1), low: Stream::new(seed, name, 2) }
    }
}

/// The column.
pub(super) struct Uuid {
    high: Stream,
    low: Stream,
}

const HEX: &[u8; 16] = b"0123456789abcdef";

#[expect(clippy::indexing_slicing, reason = "half a byte indexes a table of 16")]
fn write_hex(value: u128, out: &mut [u8; 36]) {
    let mut nibbles = (0..32).rev().map(|i| HEX[(value >> (4 * i)) as usize & 15]);
    for (at, slot) in out.iter_mut().enumerate() {
        let dash = matches!(at, 8 | 13 | 18 | 23);
        *slot = if dash { b'-' } else { nibbles.next().unwrap_or(b'0') };
    }
}

impl Column for Uuid {
    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        let mut builder = StringBuilder::with_capacity(rows.count, rows.count * 36);
        let mut text = [0; 36];
        for row in rows.iter() {
            let random = u128::from(self.high.at(row)) << 64 | u128::from(self.low.at(row));
            // Version 4 and the variant of RFC 9562.
            let value = random & !(0xF << 76) & !(0b11 << 62) | 0x4 << 76 | 0b10 << 62;
            write_hex(value, &mut text);
            builder.append_value(std::str::from_utf8(&text).unwrap_or_default());
        }
        array(builder.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::timeline::Slots;
    use arrow::array::AsArray;

    #[test]
    fn identifiers_have_the_form_of_version_4() {
        let column = UuidOptions {}.build("id", 1);
        let time = Timeline { start: 0, rate: 1.0, slots: Slots::ALL };
        let values = column.values(Rows { first: 0, count: 1000 }, time);
        let mut seen = std::collections::HashSet::new();
        for text in values.as_string::<i32>().iter().flatten() {
            let parts: Vec<&str> = text.split('-').collect();
            assert_eq!(parts.iter().map(|p| p.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
            assert!(
                parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']),
                "{text}"
            );
            assert!(seen.insert(text.to_owned()));
        }
    }
}
