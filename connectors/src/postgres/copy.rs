//! Rows as `COPY … FROM STDIN (FORMAT binary)` takes them.

use arrow::array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use bytes::{BufMut, Bytes, BytesMut};
use swiftwater_engine::{Error, Result};

use super::conversion::Conversion;
use super::statements::OP;
use crate::value_text::as_json;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// From 1970-01-01 to 2000-01-01, where PostgreSQL's time begins.
const DAYS: i32 = 10_957;
const MICROSECONDS: i64 = 946_684_800_000_000;
/// PostgreSQL's largest and smallest dates that are not infinite lie within these.
const FARTHEST: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

/// One column of a copy.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Place among the columns of the input.
    pub(super) place: usize,
    /// Its name, in the input and in the table.
    pub(super) name: String,
    /// How its values are written.
    pub(super) conversion: Conversion,
}

impl Column {
    /// The column that says what a row of an upsert stream does, at this place of the input.
    pub(crate) fn op(place: usize) -> Self {
        Self { place, name: OP.to_owned(), conversion: Conversion::Text }
    }
}

fn bad(column: &str, why: impl std::fmt::Display) -> Error {
    Error::data("SW2206", format!("write the column `{column}`: {why}"))
        .with_hint("correct the rows before the sink, or set refused ones aside with `on_error`")
}

/// Values of one column, ready to be written.
enum Values {
    Array(ArrayRef, Conversion),
    /// JSON of each row; `None` for null.
    Json(Vec<Option<String>>, bool),
}

fn values(column: &Column, records: &RecordBatch) -> Result<Values> {
    let array = records.columns().get(column.place);
    let array = array.ok_or_else(|| Error::bug("copy a column that the input does not have"))?;
    if let Conversion::Json | Conversion::Jsonb = column.conversion {
        return Ok(Values::Json(as_json(array)?, column.conversion == Conversion::Jsonb));
    }
    let wanted = column.conversion.wanted(array.data_type());
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let array = cast_with_options(array, &wanted, &options).map_err(|e| bad(&column.name, e))?;
    Ok(Values::Array(array, column.conversion))
}

/// What is written beside the columns of the input, the same way for every row.
pub(super) struct Extra<'a> {
    /// Numbers, before the columns of the input.
    pub(super) numbers: &'a [i64],
    /// Whether the row's number follows them.
    pub(super) row_numbers: bool,
}

/// Rows in the binary format.
///
/// # Errors
/// `Data` (`SW2206`) for a value that its column cannot hold.
pub(super) fn encode(
    records: &RecordBatch,
    columns: &[Column],
    extra: &Extra<'_>,
) -> Result<Bytes> {
    let values: Vec<(&Column, Values)> =
        columns.iter().map(|c| Ok((c, values(c, records)?))).collect::<Result<_>>()?;
    let rows = records.num_rows();
    let fields = extra.numbers.len() + usize::from(extra.row_numbers) + columns.len();
    let fields =
        i16::try_from(fields).map_err(|_| Error::bug("copy more columns than there can be"))?;
    let mut out = BytesMut::with_capacity(HEADER.len() + rows * (2 + columns.len() * 12) + 2);
    out.put_slice(HEADER);
    for row in 0..rows {
        out.put_i16(fields);
        let number = extra.row_numbers.then_some(row as i64);
        for number in extra.numbers.iter().copied().chain(number) {
            out.put_i32(8);
            out.put_i64(number);
        }
        for (column, values) in &values {
            values.put(row, &mut out).map_err(|why| bad(&column.name, why))?;
        }
    }
    out.put_i16(-1);
    Ok(out.freeze())
}

impl Values {
    fn put(&self, row: usize, out: &mut BytesMut) -> std::result::Result<(), String> {
        match self {
            Self::Json(values, binary) => {
                let Some(text) = values.get(row).and_then(Option::as_ref) else {
                    out.put_i32(-1);
                    return Ok(());
                };
                put_sized(out, |out| {
                    if *binary {
                        out.put_u8(1);
                    }
                    out.put_slice(text.as_bytes());
                })
            }
            Self::Array(array, _) if array.is_null(row) => {
                out.put_i32(-1);
                Ok(())
            }
            Self::Array(array, conversion) => put_value(array, *conversion, row, out),
        }
    }
}

fn put_sized(out: &mut BytesMut, put: impl FnOnce(&mut BytesMut)) -> Result<(), String> {
    let at = out.len();
    out.put_i32(0);
    put(out);
    let size = i32::try_from(out.len() - at - 4).map_err(|_| "a value of 2 GiB".to_owned())?;
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&size.to_be_bytes());
    }
    Ok(())
}

fn put_value(
    array: &ArrayRef,
    conversion: Conversion,
    row: usize,
    out: &mut BytesMut,
) -> Result<(), String> {
    let text = || array.as_string::<i32>().value(row);
    match conversion {
        Conversion::Int2 | Conversion::Int4 | Conversion::Int8 => {
            return put_integer(array.as_primitive::<Int64Type>().value(row), conversion, out);
        }
        Conversion::Boolean => {
            out.put_i32(1);
            out.put_u8(u8::from(array.as_boolean().value(row)));
        }
        Conversion::Float4 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            out.put_i32(4);
            out.put_f32(single(value)?);
        }
        Conversion::Float8 => {
            out.put_i32(8);
            out.put_f64(array.as_primitive::<Float64Type>().value(row));
        }
        Conversion::Numeric(scale) => {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            put_sized(out, |out| put_numeric(value, scale, out))?;
        }
        Conversion::Text => put_sized(out, |out| out.put_slice(text().as_bytes()))?,
        Conversion::JsonbText => put_sized(out, |out| {
            out.put_u8(1);
            out.put_slice(text().as_bytes());
        })?,
        Conversion::Uuid => {
            let uuid = uuid(text()).ok_or_else(|| format!("`{}` is no UUID", text()))?;
            out.put_i32(16);
            out.put_u128(uuid);
        }
        Conversion::Bytes => {
            put_sized(out, |out| out.put_slice(array.as_binary::<i32>().value(row)))?;
        }
        Conversion::Date => {
            let days = array.as_primitive::<Date32Type>().value(row);
            let days = days.checked_sub(DAYS).ok_or("a date before PostgreSQL's first")?;
            out.put_i32(4);
            out.put_i32(days);
        }
        Conversion::Timestamp => {
            let time = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let time = time.checked_sub(MICROSECONDS).filter(|t| FARTHEST.contains(t));
            out.put_i32(8);
            out.put_i64(time.ok_or("a time outside of PostgreSQL's range")?);
        }
        Conversion::Json | Conversion::Jsonb => return Err("nested values as an array".into()),
    }
    Ok(())
}

fn put_integer(value: i64, conversion: Conversion, out: &mut BytesMut) -> Result<(), String> {
    let too_large = |of: &str| format!("{value} is too large for {of}");
    match conversion {
        Conversion::Int2 => {
            let value = i16::try_from(value).map_err(|_| too_large("smallint"))?;
            out.put_i32(2);
            out.put_i16(value);
        }
        Conversion::Int4 => {
            let value = i32::try_from(value).map_err(|_| too_large("integer"))?;
            out.put_i32(4);
            out.put_i32(value);
        }
        _ => {
            out.put_i32(8);
            out.put_i64(value);
        }
    }
    Ok(())
}

/// The nearest single-precision number, which must not be infinite by accident.
#[expect(clippy::cast_possible_truncation, reason = "rounding is meant; overflow is checked")]
fn single(value: f64) -> Result<f32, String> {
    let single = value as f32;
    if single.is_infinite() && value.is_finite() {
        return Err(format!("{value} is too large for real"));
    }
    Ok(single)
}

/// 32 hexadecimal digits, with or without the usual dashes and braces.
fn uuid(text: &str) -> Option<u128> {
    let text = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    let dashed =
        text.len() == 36 && [8, 13, 18, 23].iter().all(|i| text.as_bytes().get(*i) == Some(&b'-'));
    let digits: String = text.chars().filter(|c| !dashed || *c != '-').collect();
    let hexadecimal = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    u128::from_str_radix(&digits, 16).ok().filter(|_| hexadecimal)
}

/// PostgreSQL's `numeric`: groups of four decimal digits, the first with its weight.
fn put_numeric(value: i128, scale: i8, out: &mut BytesMut) {
    let digits_after = u16::try_from(scale).unwrap_or(0);
    let mut digits = value.unsigned_abs().to_string();
    // A negative scale says how many zeros follow.
    digits.extend(std::iter::repeat_n('0', usize::from(scale.min(0).unsigned_abs())));
    let after = usize::from(digits_after);
    let mut padded = "0".repeat((after + 1).saturating_sub(digits.len()));
    padded.push_str(&digits);
    let (whole, fraction) = padded.split_at(padded.len() - after);
    let whole = format!("{}{whole}", "0".repeat((4 - whole.len() % 4) % 4));
    let fraction = format!("{fraction}{}", "0".repeat((4 - fraction.len() % 4) % 4));
    let group = |text: &[u8]| text.iter().fold(0_i16, |n, d| n * 10 + i16::from(d - b'0'));
    let groups: Vec<i16> =
        whole.as_bytes().chunks(4).chain(fraction.as_bytes().chunks(4)).map(group).collect();
    let leading = groups.iter().take_while(|g| **g == 0).count();
    let trailing = groups.iter().rev().take_while(|g| **g == 0).count();
    let groups = groups.get(leading..groups.len().max(trailing) - trailing).unwrap_or_default();
    let weight = (whole.len() / 4) as i64 - 1 - leading as i64;
    out.put_i16(i16::try_from(groups.len()).unwrap_or(0));
    out.put_i16(if groups.is_empty() { 0 } else { i16::try_from(weight).unwrap_or(0) });
    out.put_u16(if value < 0 { 0x4000 } else { 0 });
    out.put_u16(digits_after);
    for group in groups {
        out.put_i16(*group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(value: i128, scale: i8) -> (i16, u16, u16, Vec<i16>) {
        let mut out = BytesMut::new();
        put_numeric(value, scale, &mut out);
        let words: Vec<i16> =
            out.chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect();
        assert_eq!(usize::try_from(words[0]).unwrap(), words.len() - 4);
        (words[1], words[2].cast_unsigned(), words[3].cast_unsigned(), words[4..].to_vec())
    }

    #[test]
    fn numbers_are_groups_of_four_digits() {
        assert_eq!(numeric(0, 2), (0, 0, 2, vec![]));
        assert_eq!(numeric(12_345_678, 0), (1, 0, 0, vec![1234, 5678]));
        assert_eq!(numeric(-12_345, 2), (0, 0x4000, 2, vec![123, 4500]));
        assert_eq!(numeric(5, 4), (-1, 0, 4, vec![5]));
        assert_eq!(numeric(5, 9), (-3, 0, 9, vec![5000]));
        assert_eq!(numeric(10_000, 0), (1, 0, 0, vec![1]));
        assert_eq!(numeric(7, -5), (1, 0, 0, vec![70]));
    }

    #[test]
    fn uuids_are_read_in_their_usual_forms() {
        let value = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
        for text in [
            "00112233-4455-6677-8899-aabbccddeeff",
            "00112233445566778899AABBCCDDEEFF",
            "{00112233-4455-6677-8899-aabbccddeeff}",
        ] {
            assert_eq!(uuid(text), Some(value), "{text}");
        }
        for text in [
            "",
            "00112233-4455-6677-8899-aabbccddeef",
            "+0112233445566778899aabbccddeeff",
            "0-0112233445566778899aabbccddeeff---",
        ] {
            assert_eq!(uuid(text), None, "{text}");
        }
    }
}
