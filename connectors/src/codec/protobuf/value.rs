//! Plain values of the wire in columns.

use arrow::datatypes::TimeUnit;

use super::kind::Plain;
use super::wire::{Cursor, Wire, unzigzag};
use crate::codec::codes;
use crate::codec::column::{Column, Values};
use crate::codec::from_text::push;
use crate::codec::rows::Bad;

/// Whether a value on the wire can be one of this type.
pub(super) const fn accepts(plain: &Plain, wire: Wire<'_>) -> bool {
    match (plain, wire) {
        (
            Plain::Signed { .. }
            | Plain::Unsigned { .. }
            | Plain::Zigzag { .. }
            | Plain::Bool
            | Plain::Enum(_),
            Wire::Varint(_),
        )
        | (Plain::Float, Wire::Fixed32(_))
        | (Plain::Double, Wire::Fixed64(_))
        | (Plain::String | Plain::Bytes, Wire::Bytes(_)) => true,
        (Plain::Fixed { bits } | Plain::SignedFixed { bits }, Wire::Fixed32(_)) => *bits == 32,
        (Plain::Fixed { bits } | Plain::SignedFixed { bits }, Wire::Fixed64(_)) => *bits == 64,
        _ => false,
    }
}

/// The next value of a packed field; `None` for a type that is never packed.
pub(super) fn packed<'a>(plain: &Plain, cursor: &mut Cursor<'a>) -> Result<Option<Wire<'a>>, Bad> {
    Ok(Some(match plain {
        Plain::Float => Wire::Fixed32(cursor.fixed32()?),
        Plain::Double => Wire::Fixed64(cursor.fixed64()?),
        Plain::Fixed { bits: 32 } | Plain::SignedFixed { bits: 32 } => {
            Wire::Fixed32(cursor.fixed32()?)
        }
        Plain::Fixed { .. } | Plain::SignedFixed { .. } => Wire::Fixed64(cursor.fixed64()?),
        Plain::String | Plain::Bytes => return Ok(None),
        _ => Wire::Varint(cursor.varint()?),
    }))
}

/// The value of a field that is absent.
pub(super) fn default(plain: &Plain) -> Wire<'static> {
    match plain {
        Plain::Float => Wire::Fixed32(0),
        Plain::Double => Wire::Fixed64(0),
        Plain::Fixed { bits: 32 } | Plain::SignedFixed { bits: 32 } => Wire::Fixed32(0),
        Plain::Fixed { .. } | Plain::SignedFixed { .. } => Wire::Fixed64(0),
        Plain::String | Plain::Bytes => Wire::Bytes(&[]),
        Plain::Enum(symbols) => Wire::Varint(i64::from(symbols.default).cast_unsigned()),
        _ => Wire::Varint(0),
    }
}

/// The last value of a field in a message.
pub(super) fn last(
    message: &[u8],
    number: u32,
    accepts: impl Fn(Wire<'_>) -> bool,
) -> Result<Option<Wire<'_>>, Bad> {
    let mut cursor = Cursor::new(message);
    let mut last = None;
    while !cursor.is_empty() {
        let (found, wire) = cursor.field()?;
        if found == number && accepts(wire) {
            last = Some(wire);
        }
    }
    Ok(last)
}

/// A value as its type means it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Item<'a> {
    Integer(i128),
    Single(f32),
    Double(f64),
    Bool(bool),
    Bytes(&'a [u8]),
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a field of 32 bits has the low bits of a longer number, as the format says"
)]
fn item<'a>(plain: &Plain, wire: Wire<'a>) -> Option<Item<'a>> {
    Some(match (plain, wire) {
        (Plain::Signed { bits: 32 } | Plain::Enum(_), Wire::Varint(v)) => {
            Item::Integer((v as u32).cast_signed().into())
        }
        (Plain::Signed { .. }, Wire::Varint(v)) => Item::Integer(v.cast_signed().into()),
        (Plain::Unsigned { bits: 32 }, Wire::Varint(v)) => Item::Integer((v as u32).into()),
        (Plain::Unsigned { .. }, Wire::Varint(v)) => Item::Integer(v.into()),
        (Plain::Zigzag { bits: 32 }, Wire::Varint(v)) => {
            Item::Integer(unzigzag(u64::from(v as u32)).into())
        }
        (Plain::Zigzag { .. }, Wire::Varint(v)) => Item::Integer(unzigzag(v).into()),
        (Plain::Bool, Wire::Varint(v)) => Item::Bool(v != 0),
        (Plain::Fixed { .. }, Wire::Fixed32(v)) => Item::Integer(v.into()),
        (Plain::Fixed { .. }, Wire::Fixed64(v)) => Item::Integer(v.into()),
        (Plain::SignedFixed { .. }, Wire::Fixed32(v)) => Item::Integer(v.cast_signed().into()),
        (Plain::SignedFixed { .. }, Wire::Fixed64(v)) => Item::Integer(v.cast_signed().into()),
        (Plain::Float, Wire::Fixed32(v)) => Item::Single(f32::from_bits(v)),
        (Plain::Double, Wire::Fixed64(v)) => Item::Double(f64::from_bits(v)),
        (Plain::String | Plain::Bytes, Wire::Bytes(v)) => Item::Bytes(v),
        _ => return None,
    })
}

/// Appends a value to a column that suits its type.
pub(super) fn append(plain: &Plain, column: &mut Column, wire: Wire<'_>) -> Result<(), Bad> {
    let Some(item) = item(plain, wire) else {
        return Err(Bad::wrong(column, "a value of another wire type"));
    };
    if let (Plain::Enum(symbols), Values::Utf8(values), Item::Integer(number)) =
        (plain, &mut column.values, item)
    {
        let name = i32::try_from(number).ok().and_then(|number| symbols.names.get(&number));
        match name {
            Some(name) => values.append(name.as_bytes()),
            // A later version of the enum has a name for it; the number is not lost.
            None => values.append(number.to_string().as_bytes()),
        }
    } else if let (Plain::String, Item::Bytes(bytes)) = (plain, item)
        && let Err(error) = std::str::from_utf8(bytes)
    {
        let message = format!(
            "column `{}`: invalid UTF-8 at byte {} of the string",
            column.name(),
            error.valid_up_to()
        );
        return Err(Bad::new(codes::BAD_UTF8, message));
    } else if !put(&mut column.values, item) {
        let found = match item {
            Item::Integer(number) => number.to_string(),
            Item::Single(number) => number.to_string(),
            Item::Double(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        return Err(Bad::wrong(column, &found));
    }
    column.nulls.append_non_null();
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "the nearest float is what is asked for")]
fn put(values: &mut Values, item: Item<'_>) -> bool {
    match (values, item) {
        (Values::I64(v) | Values::Timestamp(_, v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::I32(v) | Values::Date(v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::U64(v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::U32(v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::I16(v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::U16(v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::I8(v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::U8(v), Item::Integer(i)) => push(v, i.try_into().ok()),
        (Values::F64(v), Item::Double(f)) => push(v, Some(f)),
        (Values::F64(v), Item::Single(f)) => push(v, Some(f.into())),
        (Values::F32(v), Item::Single(f)) => push(v, Some(f)),
        (Values::F32(v), Item::Double(f)) => {
            let single = f as f32;
            push(v, (single.is_finite() || !f.is_finite()).then_some(single))
        }
        (Values::Bool(v), Item::Bool(b)) => {
            v.append(b);
            true
        }
        (Values::Utf8(v) | Values::Binary(v), Item::Bytes(bytes)) => {
            v.append(bytes);
            true
        }
        _ => false,
    }
}

/// Appends a `google.protobuf.Timestamp`; digits beyond the column's unit are cut off.
pub(super) fn append_time(column: &mut Column, message: &[u8]) -> Result<(), Bad> {
    let varint = |wire: Wire<'_>| matches!(wire, Wire::Varint(_));
    let number = |wire: Option<Wire<'_>>| match wire {
        Some(Wire::Varint(value)) => value.cast_signed(),
        _ => 0,
    };
    let seconds = number(last(message, 1, varint)?);
    let nanos = number(last(message, 2, varint)?);
    let time = match column.values {
        Values::Timestamp(unit, _) if (0..1_000_000_000).contains(&nanos) => {
            let (per_second, per_unit) = match unit {
                TimeUnit::Second => (1, 1_000_000_000),
                TimeUnit::Millisecond => (1_000, 1_000_000),
                TimeUnit::Microsecond => (1_000_000, 1_000),
                TimeUnit::Nanosecond => (1_000_000_000, 1),
            };
            let time = i128::from(seconds) * per_second + i128::from(nanos) / per_unit;
            i64::try_from(time).ok()
        }
        _ => None,
    };
    match (&mut column.values, time) {
        (Values::Timestamp(_, values), Some(time)) => values.push(time),
        _ => return Err(Bad::wrong(column, &format!("{seconds} s and {nanos} ns"))),
    }
    column.nulls.append_non_null();
    Ok(())
}
