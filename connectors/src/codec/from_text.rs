//! A value of any plain type from its text: what a JSON string, a CSV field or an Avro string says
//! in a column that is not text.

use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use arrow::datatypes::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::Utc;

use super::column::Values;
use super::decimal;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Values {
    /// Appends the value that `text` spells; `false` where it spells none of the column's type.
    ///
    /// Booleans are `true` and `false`, numbers may have spaces around them, binary is base64, and
    /// times are as [`time`] reads them.
    pub(super) fn append_text(&mut self, text: &str) -> bool {
        match self {
            Self::Bool(v) => match text {
                "true" | "false" => {
                    v.append(text == "true");
                    true
                }
                _ => false,
            },
            Self::I8(v) => push(v, Int8Type::parse(text)),
            Self::I16(v) => push(v, Int16Type::parse(text)),
            Self::I32(v) => push(v, Int32Type::parse(text)),
            Self::I64(v) => push(v, Int64Type::parse(text)),
            Self::U8(v) => push(v, UInt8Type::parse(text)),
            Self::U16(v) => push(v, UInt16Type::parse(text)),
            Self::U32(v) => push(v, UInt32Type::parse(text)),
            Self::U64(v) => push(v, UInt64Type::parse(text)),
            Self::F32(v) => push(v, Float32Type::parse(text)),
            Self::F64(v) => push(v, Float64Type::parse(text)),
            Self::Date(v) => push(v, Date32Type::parse(text)),
            Self::Timestamp(unit, v) => push(v, time(text, *unit)),
            Self::Decimal(precision, scale, v) => {
                push(v, decimal::parse(text.as_bytes(), *precision, *scale))
            }
            Self::Utf8(v) => {
                v.append(text.as_bytes());
                true
            }
            Self::Binary(v) => {
                // A value that is cut short leaves bytes behind that belong to no row; they go
                // with the record.
                let decoded = BASE64.decode_vec(text, &mut v.data).is_ok();
                if decoded {
                    v.end();
                }
                decoded
            }
            Self::Struct(_) | Self::List(_) | Self::Map(_) => false,
        }
    }
}

impl Values {
    /// Appends the value that `text` spells, where also a time may be an integer.
    pub(super) fn append_number_or_text(&mut self, text: &str) -> bool {
        match (&mut *self, text.parse::<i64>()) {
            (Self::Timestamp(_, v), Ok(number)) => push(v, Some(number)),
            (Self::Date(v), Ok(number)) if text.len() < 8 => push(v, number.try_into().ok()),
            _ => self.append_text(text),
        }
    }
}

/// Appends what was read, if it was.
#[inline]
pub(super) fn push<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    value.map(|value| values.push(value)).is_some()
}

/// Reads `2026-01-31T09:26:56.123+01:00`; the part after the date and the zone (then UTC) may be
/// missing, and a space may stand for the `T`. Digits beyond the unit are cut off.
fn time(text: &str, unit: TimeUnit) -> Option<i64> {
    let time = string_to_datetime(&Utc, text).ok()?;
    match unit {
        TimeUnit::Second => Some(time.timestamp()),
        TimeUnit::Millisecond => Some(time.timestamp_millis()),
        TimeUnit::Microsecond => Some(time.timestamp_micros()),
        TimeUnit::Nanosecond => time.timestamp_nanos_opt(),
    }
}
