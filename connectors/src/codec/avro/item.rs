//! Which Avro values fit into which columns, and how they get there.

use arrow::datatypes::{DataType, TimeUnit};

use super::cursor::Cursor;
use super::schema::{Kind, Logical, Type};
use crate::codec::column::{Column, Values};
use crate::codec::decimal::rescale;
use crate::codec::from_text::push;
use crate::codec::rows::Bad;

/// A value that is no record, array or map, as its schema means it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Item<'a> {
    Bool(bool),
    Integer(i64),
    Single(f32),
    Double(f64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Time(i64, TimeUnit),
    Decimal(i128, i8),
}

/// Whether values of a type can go into a column of another; a single value may still be too large.
pub(super) fn fits(from: &Type, to: &DataType) -> bool {
    let text = matches!(
        to,
        DataType::Utf8
            | DataType::Binary
            | DataType::Date32
            | DataType::Timestamp(..)
            | DataType::Decimal128(..)
    );
    match (&from.kind, from.logical) {
        (_, Some(Logical::Decimal { .. })) => matches!(to, DataType::Decimal128(..)),
        (Kind::Long, Some(Logical::Timestamp(_))) => {
            matches!(to, DataType::Timestamp(..) | DataType::Int64)
        }
        (Kind::Boolean, _) => *to == DataType::Boolean,
        (Kind::Int | Kind::Long, _) => {
            to.is_integer()
                || to.is_floating()
                || matches!(
                    to,
                    DataType::Date32 | DataType::Timestamp(..) | DataType::Decimal128(..)
                )
        }
        (Kind::Float | Kind::Double, _) => to.is_floating(),
        (Kind::Bytes | Kind::Fixed(_), _) => matches!(to, DataType::Binary | DataType::Utf8),
        (Kind::String | Kind::Enum(_), _) => text,
        _ => false,
    }
}

/// Reads a value of such a type.
#[inline]
pub(super) fn read<'a>(from: &'a Type, cursor: &mut Cursor<'a>) -> Result<Item<'a>, Bad> {
    Ok(match (&from.kind, from.logical) {
        (Kind::Long, Some(Logical::Timestamp(unit))) => Item::Time(cursor.long()?, unit),
        (Kind::Long, _) => Item::Integer(cursor.long()?),
        (Kind::String, _) => Item::Text(cursor.string()?),
        (Kind::Int, _) => Item::Integer(cursor.int()?.into()),
        (Kind::Double, _) => Item::Double(cursor.double()?),
        (Kind::Float, _) => Item::Single(cursor.float()?),
        (Kind::Boolean, _) => Item::Bool(cursor.boolean()?),
        (Kind::Bytes, None) => Item::Bytes(cursor.bytes()?),
        (Kind::Bytes, Some(logical)) => number(cursor.bytes()?, logical, cursor)?,
        (Kind::Fixed(size), None) => Item::Bytes(cursor.take(*size, "a fixed")?),
        (Kind::Fixed(size), Some(logical)) => {
            number(cursor.take(*size, "a fixed")?, logical, cursor)?
        }
        (Kind::Enum(symbols), _) => {
            let index = cursor.index(symbols.len(), "enum symbol")?;
            Item::Text(symbols.get(index).map_or("", String::as_str))
        }
        // Checked when the schema was matched with the columns.
        _ => return Err(cursor.bad("a nested value in place of a plain one")),
    })
}

/// A decimal: a two's complement number, the highest byte first.
fn number<'a>(bytes: &[u8], logical: Logical, cursor: &Cursor<'_>) -> Result<Item<'a>, Bad> {
    let Logical::Decimal { scale, .. } = logical else {
        return Err(cursor.bad("bytes with the meaning of a time"));
    };
    let sign = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { 0xFF } else { 0 };
    let (extra, digits) = bytes.split_at(bytes.len().saturating_sub(16));
    let mut value = [sign; 16];
    if let Some(end) = value.get_mut(16 - digits.len()..) {
        end.copy_from_slice(digits);
    }
    let value = i128::from_be_bytes(value);
    if extra.iter().any(|byte| *byte != sign) || (value < 0) != (sign == 0xFF) {
        return Err(cursor.bad("a decimal of more than 38 digits"));
    }
    Ok(Item::Decimal(value, scale))
}

/// Appends a value to a column that it [`fits`].
#[inline]
pub(super) fn append(column: &mut Column, item: Item<'_>) -> Result<(), Bad> {
    if put(&mut column.values, item) {
        column.nulls.append_non_null();
        return Ok(());
    }
    Err(Bad::wrong(column, &format!("{item}")))
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the nearest float is what the promotion means"
)]
fn put(values: &mut Values, item: Item<'_>) -> bool {
    match (values, item) {
        (Values::I64(v), Item::Integer(i) | Item::Time(i, _)) => push(v, Some(i)),
        (Values::Utf8(v), Item::Text(text)) => {
            v.append(text.as_bytes());
            true
        }
        (Values::Timestamp(to, v), Item::Time(i, from)) => push(v, in_unit(i, from, *to)),
        (Values::Timestamp(_, v), Item::Integer(i)) => push(v, Some(i)),
        (Values::F64(v), Item::Double(f)) => push(v, Some(f)),
        (Values::F64(v), Item::Single(f)) => push(v, Some(f.into())),
        (Values::F64(v), Item::Integer(i)) => push(v, Some(i as f64)),
        (Values::F32(v), Item::Single(f)) => push(v, Some(f)),
        (Values::F32(v), Item::Integer(i)) => push(v, Some(i as f32)),
        (Values::F32(v), Item::Double(f)) => {
            let single = f as f32;
            push(v, (single.is_finite() || !f.is_finite()).then_some(single))
        }
        (Values::Bool(v), Item::Bool(b)) => {
            v.append(b);
            true
        }
        (Values::I8(v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::I16(v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::I32(v) | Values::Date(v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::U8(v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::U16(v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::U32(v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::U64(v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::Decimal(precision, to, v), Item::Decimal(value, from)) => {
            push(v, rescale(value, from, *to, *precision))
        }
        (Values::Decimal(precision, to, v), Item::Integer(i)) => {
            push(v, rescale(i.into(), 0, *to, *precision))
        }
        (Values::Binary(v), Item::Text(text)) => {
            v.append(text.as_bytes());
            true
        }
        (Values::Binary(v), Item::Bytes(bytes)) => {
            v.append(bytes);
            true
        }
        (Values::Utf8(v), Item::Bytes(bytes)) => {
            let valid = std::str::from_utf8(bytes).is_ok();
            if valid {
                v.append(bytes);
            }
            valid
        }
        (values, Item::Text(text)) => values.append_text(text),
        _ => false,
    }
}

/// A time in another unit; digits beyond it are cut off.
pub(super) fn in_unit(value: i64, from: TimeUnit, to: TimeUnit) -> Option<i64> {
    let per_second = |unit| match unit {
        TimeUnit::Second => 1_i64,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let (from, to) = (per_second(from), per_second(to));
    if to >= from { value.checked_mul(to / from) } else { Some(value.div_euclid(from / to)) }
}

impl std::fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Single(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value}"),
            Self::Bytes(bytes) => write!(f, "bytes `{}`", bytes.escape_ascii()),
            Self::Text(text) => write!(f, "string {text:?}"),
            Self::Time(value, unit) => write!(f, "time {value} {unit:?}"),
            Self::Decimal(value, scale) => write!(f, "decimal {value}e-{scale}"),
        }
    }
}
