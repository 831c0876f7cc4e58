//! One JSON value becomes one value of a column.

use super::object::Layout;
use super::problem::{Outcome, Problem};
use super::scan::Scanner;
use super::text;
use crate::codec::column::{Column, Items, Values};
use crate::codec::decimal;
use crate::codec::from_text::push;

/// Reads the value that is here and appends it. A value of another type is passed all the same
/// and is an error that is not fatal. `nested` says how to read the objects in the column.
#[inline(always)]
pub(super) fn read(
    column: &mut Column,
    nested: Option<&mut Layout>,
    scanner: &mut Scanner<'_>,
) -> Outcome {
    let start = scanner.at;
    let found = match &mut column.values {
        Values::I64(v) => integer(v, scanner)?,
        Values::Timestamp(_, v) => integer(v, scanner)?,
        Values::Utf8(v) if scanner.peek() == b'"' => {
            let start = scanner.at + 1;
            let raw = scanner.string()?;
            if raw.escaped {
                text::append(raw, &mut v.data);
                v.end();
            } else {
                v.append_part(scanner.bytes, start, raw.bytes.len());
            }
            true
        }
        rare => read_rare(rare, nested, scanner)?,
    };
    if found {
        column.nulls.append_non_null();
        return Ok(());
    }
    scanner.at = start;
    read_other(column, scanner)
}

/// The same for the types that are not met in every record.
fn read_rare(
    values: &mut Values,
    nested: Option<&mut Layout>,
    scanner: &mut Scanner<'_>,
) -> Outcome<bool> {
    let is_number = matches!(scanner.peek(), b'-' | b'0'..=b'9');
    match values {
        Values::I8(v) => integer(v, scanner),
        Values::I16(v) => integer(v, scanner),
        Values::I32(v) | Values::Date(v) => integer(v, scanner),
        Values::U8(v) => integer(v, scanner),
        Values::U16(v) => integer(v, scanner),
        Values::U32(v) => integer(v, scanner),
        Values::U64(v) => integer(v, scanner),
        Values::F32(v) if is_number => Ok(push(v, scanner.number()?.single())),
        Values::F64(v) if is_number => Ok(push(v, scanner.number()?.double())),
        Values::Decimal(precision, scale, v) if is_number => {
            let text = scanner.number()?.text;
            Ok(push(v, decimal::parse(text, *precision, *scale)))
        }
        Values::Bool(v) if matches!(scanner.peek(), b't' | b'f') => {
            v.append(scanner.peek() == b't');
            scanner.literal()?;
            Ok(true)
        }
        Values::Struct(group) if scanner.peek() == b'{' => match nested {
            Some(layout) => layout.object(group, scanner).map(|()| true),
            None => Ok(false),
        },
        Values::List(items) if scanner.peek() == b'[' => {
            array(items, nested, scanner).map(|()| true)
        }
        _ => Ok(false),
    }
}

/// Reads a null, a value that is spelled in a string, or one that the column cannot hold.
fn read_other(column: &mut Column, scanner: &mut Scanner<'_>) -> Outcome {
    let start = scanner.at;
    let mut spelled = Vec::new();
    if scanner.peek() == b'"' && !matches!(column.values, Values::Bool(_)) {
        text::append(scanner.string()?, &mut spelled);
        if let Ok(spelled) = std::str::from_utf8(&spelled)
            && column.values.append_text(spelled)
        {
            column.nulls.append_non_null();
            return Ok(());
        }
    } else {
        scanner.skip()?;
    }
    let value = scanner.since(start);
    if value != b"null" {
        return Err(Problem::wrong(column.expected(), value));
    }
    if !column.is_nullable() {
        return Err(Problem::missing(column.expected()));
    }
    column.append_null();
    Ok(())
}

/// Reads an array whose `[` is here.
fn array(items: &mut Items, mut nested: Option<&mut Layout>, scanner: &mut Scanner<'_>) -> Outcome {
    scanner.open()?;
    scanner.space();
    if scanner.peek() == b']' {
        scanner.close();
        items.end();
        return Ok(());
    }
    let mut problem = None;
    let mut index = 0_usize;
    loop {
        if let Err(found) = read(&mut items.column, nested.as_deref_mut(), scanner) {
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
                items.end();
                return problem.map_or(Ok(()), Err);
            }
            _ => return scanner.malformed("`,` or `]`"),
        }
    }
}

/// An integer, or a point in time as one.
#[inline(always)]
fn integer<T: TryFrom<i64> + TryFrom<i128>>(
    values: &mut Vec<T>,
    scanner: &mut Scanner<'_>,
) -> Outcome<bool> {
    if let Some(value) = scanner.small_integer() {
        return Ok(push(values, value.try_into().ok()));
    }
    wide_integer(values, scanner)
}

/// An integer of many digits, or with a fraction or exponent.
fn wide_integer<T: TryFrom<i128>>(values: &mut Vec<T>, scanner: &mut Scanner<'_>) -> Outcome<bool> {
    if !matches!(scanner.peek(), b'-' | b'0'..=b'9') {
        return Ok(false);
    }
    let value = scanner.number()?.integer();
    Ok(push(values, value.and_then(|value| value.try_into().ok())))
}
