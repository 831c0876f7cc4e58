//! One JSON value becomes one value of a column's type.

use arrow::array::types::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use arrow::datatypes::TimeUnit;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::Utc;

use super::column::{Items, Values};
use super::number;
use super::problem::Outcome;
use super::scan::{Raw, Scanner};
use super::text;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Values {
    /// Reads the value that is here and appends it; `false` where it is null or of another type:
    /// the place of the scanner then means nothing.
    #[inline]
    pub(super) fn read(&mut self, scanner: &mut Scanner<'_>) -> Outcome<bool> {
        match self {
            Self::I64(v) => integer::<Int64Type>(v, scanner),
            Self::Utf8(v) => {
                if scanner.peek() != b'"' {
                    return Ok(false);
                }
                text::append(scanner.string()?, &mut v.data);
                v.end();
                Ok(true)
            }
            Self::Timestamp(unit, v) => {
                let unit = *unit;
                instant(v, scanner, |text| timestamp(text, unit))
            }
            Self::F64(v) => double(v, scanner),
            other => other.read_rare(scanner),
        }
    }

    /// The same for the types that are not met in every record.
    fn read_rare(&mut self, scanner: &mut Scanner<'_>) -> Outcome<bool> {
        match self {
            Self::Bool(v) => match scanner.peek() {
                b't' | b'f' => {
                    v.append(scanner.peek() == b't');
                    scanner.literal()?;
                    Ok(true)
                }
                _ => Ok(false),
            },
            Self::I8(v) => integer::<Int8Type>(v, scanner),
            Self::I16(v) => integer::<Int16Type>(v, scanner),
            Self::I32(v) => integer::<Int32Type>(v, scanner),
            Self::I64(v) => integer::<Int64Type>(v, scanner),
            Self::U8(v) => integer::<UInt8Type>(v, scanner),
            Self::U16(v) => integer::<UInt16Type>(v, scanner),
            Self::U32(v) => integer::<UInt32Type>(v, scanner),
            Self::U64(v) => integer::<UInt64Type>(v, scanner),
            Self::F32(v) => {
                let value = match scanner.peek() {
                    b'"' => from_text(scanner, Float32Type::parse)?,
                    b'-' | b'0'..=b'9' => scanner.number()?.single(),
                    _ => None,
                };
                Ok(push(v, value))
            }
            Self::F64(v) => double(v, scanner),
            Self::Date(v) => instant(v, scanner, Date32Type::parse),
            Self::Decimal(precision, scale, v) => {
                let value = match scanner.peek() {
                    b'"' => from_text(scanner, |text| {
                        number::decimal(text.as_bytes(), *precision, *scale)
                    })?,
                    b'-' | b'0'..=b'9' => {
                        number::decimal(scanner.number()?.text, *precision, *scale)
                    }
                    _ => None,
                };
                Ok(push(v, value))
            }
            Self::Binary(v) => {
                if scanner.peek() != b'"' {
                    return Ok(false);
                }
                let raw = scanner.string()?;
                let decoded = with_text(raw, |text| BASE64.decode_vec(text, &mut v.data).ok());
                // A value that is cut short leaves bytes behind that belong to no row; they go
                // with the record.
                if decoded.is_some() {
                    v.end();
                }
                Ok(decoded.is_some())
            }
            Self::Struct(record) => match scanner.peek() {
                b'{' => record.object(scanner).map(|()| true),
                _ => Ok(false),
            },
            Self::List(items) => match scanner.peek() {
                b'[' => items.read(scanner).map(|()| true),
                _ => Ok(false),
            },
            Self::Utf8(_) | Self::Timestamp(..) => Ok(false),
        }
    }
}

impl Items {
    /// Reads an array whose `[` is here.
    fn read(&mut self, scanner: &mut Scanner<'_>) -> Outcome {
        scanner.open()?;
        scanner.space();
        if scanner.peek() == b']' {
            scanner.close();
            self.end();
            return Ok(());
        }
        let mut problem = None;
        let mut index = 0_usize;
        loop {
            if let Err(found) = self.column.read(scanner) {
                if found.is_fatal() {
                    return Err(found);
                }
                problem.get_or_insert_with(|| found.within(&format!("[{index}]")));
            }
            index += 1;
            scanner.space();
            match scanner.peek() {
                b',' => {
                    scanner.at += 1;
                    scanner.space();
                }
                b']' => {
                    scanner.close();
                    self.end();
                    return problem.map_or(Ok(()), Err);
                }
                _ => return scanner.malformed("`,` or `]`"),
            }
        }
    }
}

/// Appends what was read, if it was.
#[inline]
fn push<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    value.map(|value| values.push(value)).is_some()
}

#[inline]
fn integer<T>(values: &mut Vec<T::Native>, scanner: &mut Scanner<'_>) -> Outcome<bool>
where
    T: Parser,
    T::Native: TryFrom<i64> + TryFrom<i128>,
{
    let value = match scanner.small_integer() {
        Some(value) => value.try_into().ok(),
        None => wide_integer::<T>(scanner)?,
    };
    Ok(push(values, value))
}

/// An integer of many digits, with a fraction or exponent, or in a string.
fn wide_integer<T>(scanner: &mut Scanner<'_>) -> Outcome<Option<T::Native>>
where
    T: Parser,
    T::Native: TryFrom<i128>,
{
    Ok(match scanner.peek() {
        b'"' => from_text(scanner, T::parse)?,
        b'-' | b'0'..=b'9' => {
            let value = scanner.number()?.integer();
            value.and_then(|value| value.try_into().ok())
        }
        _ => None,
    })
}

fn double(values: &mut Vec<f64>, scanner: &mut Scanner<'_>) -> Outcome<bool> {
    let value = match scanner.peek() {
        b'"' => from_text(scanner, Float64Type::parse)?,
        b'-' | b'0'..=b'9' => scanner.number()?.double(),
        _ => None,
    };
    Ok(push(values, value))
}

/// A point in time: an integer in the column's unit, or text.
#[inline]
fn instant<T: TryFrom<i64> + TryFrom<i128>>(
    values: &mut Vec<T>,
    scanner: &mut Scanner<'_>,
    parse: impl Fn(&str) -> Option<T>,
) -> Outcome<bool> {
    let value = match scanner.small_integer() {
        Some(value) => value.try_into().ok(),
        None => match scanner.peek() {
            b'"' => from_text(scanner, parse)?,
            b'-' | b'0'..=b'9' => {
                let value = scanner.number()?.integer();
                value.and_then(|value| value.try_into().ok())
            }
            _ => None,
        },
    };
    Ok(push(values, value))
}

/// Time text with or without a zone (then UTC), in the unit.
fn timestamp(text: &str, unit: TimeUnit) -> Option<i64> {
    let time = string_to_datetime(&Utc, text).ok()?;
    match unit {
        TimeUnit::Second => Some(time.timestamp()),
        TimeUnit::Millisecond => Some(time.timestamp_millis()),
        TimeUnit::Microsecond => Some(time.timestamp_micros()),
        TimeUnit::Nanosecond => time.timestamp_nanos_opt(),
    }
}

/// Reads a string that spells a value.
fn from_text<T>(
    scanner: &mut Scanner<'_>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Outcome<Option<T>> {
    Ok(with_text(scanner.string()?, parse))
}

fn with_text<T>(raw: Raw<'_>, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    if !raw.escaped {
        return parse(std::str::from_utf8(raw.bytes).ok()?);
    }
    let mut text = Vec::with_capacity(raw.bytes.len());
    text::append(raw, &mut text);
    parse(std::str::from_utf8(&text).ok()?)
}
