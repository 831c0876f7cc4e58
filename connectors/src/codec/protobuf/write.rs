//! Columns matched with a message: which column fills which field, and its form on the wire.

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use prost_reflect::{FieldDescriptor, MessageDescriptor};
use swiftwater_engine::schema as types;

use super::kind::{Plain, Type};
use super::wire::{put_bytes, put_tag, put_varint, zigzag};
use crate::codec::cell::{self, Cell, Member, Values};

/// How a group of columns is written as messages of one type, in order of the fields' numbers.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    fields: Vec<Place>,
}

#[derive(Debug, Clone)]
struct Place {
    number: u32,
    /// Column of the group.
    index: usize,
    shape: Shape,
    node: Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    /// A field that tells absent from default: null is absent.
    Present,
    /// A field that does not: its default is not written, and null has no form.
    Implicit,
    /// A field that must be there.
    Required,
    Packed,
    Unpacked,
    Map(Plain),
}

#[derive(Debug, Clone)]
enum Node {
    Plain(Plain),
    Time,
    Wrapper(Plain),
    Message(Writer),
}

impl Writer {
    /// Matches columns with a message.
    ///
    /// # Errors
    /// A fragment that names the column which does not fit.
    pub(super) fn new(message: &MessageDescriptor, columns: &Fields) -> Result<Self, String> {
        let fields = columns.iter().enumerate().map(|(index, column)| {
            let field = message.get_field_by_name(column.name()).ok_or_else(|| {
                format!(
                    "message {} has no field for column `{}`",
                    message.full_name(),
                    column.name()
                )
            })?;
            place(&field, index, column)
        });
        let mut fields = fields.collect::<Result<Vec<_>, _>>()?;
        let is_there = |field: &FieldDescriptor| columns.find(field.name()).is_some();
        if let Some(field) = message.fields().find(|f| f.is_required() && !is_there(f)) {
            return Err(format!("there is no column for the required field `{}`", field.name()));
        }
        fields.sort_unstable_by_key(|place| place.number);
        Ok(Self { fields })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// A fragment that names the column whose value has no form in the message.
    pub(super) fn row(
        &self,
        members: &[Member],
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        for place in &self.fields {
            if let Some(member) = members.get(place.index) {
                place
                    .write(&member.cell, row, out)
                    .map_err(|e| format!("column `{}`: {e}", member.name))?;
            }
        }
        Ok(())
    }
}

impl Place {
    fn write(&self, cell: &Cell, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        if cell.is_null(row) {
            return match self.shape {
                // An absent list or map is an empty one.
                Shape::Present | Shape::Packed | Shape::Unpacked | Shape::Map(_) => Ok(()),
                Shape::Implicit => {
                    Err("null, which the field has no form for: declare it `optional`".to_owned())
                }
                Shape::Required => Err("null in a required field".to_owned()),
            };
        }
        match (&self.shape, &cell.values) {
            (Shape::Packed, Values::List(offsets, items)) => {
                let mut packed = Vec::new();
                for at in cell::range(offsets, row) {
                    self.node.item(items, at, &mut packed)?;
                }
                if !packed.is_empty() {
                    put_tag(self.number, 2, out);
                    put_bytes(&packed, out);
                }
                Ok(())
            }
            (Shape::Unpacked, Values::List(offsets, items)) => {
                for at in cell::range(offsets, row) {
                    put_tag(self.number, self.node.wire_type(), out);
                    self.node.item(items, at, out)?;
                }
                Ok(())
            }
            (Shape::Map(key), Values::Map(offsets, keys, values)) => {
                for at in cell::range(offsets, row) {
                    let mut pair = Vec::new();
                    put_tag(1, key.wire_type(), &mut pair);
                    key_text(key, keys.value(at), &mut pair)?;
                    put_tag(2, self.node.wire_type(), &mut pair);
                    self.node.item(values, at, &mut pair)?;
                    put_tag(self.number, 2, out);
                    put_bytes(&pair, out);
                }
                Ok(())
            }
            (shape, values) => {
                let start = out.len();
                put_tag(self.number, self.node.wire_type(), out);
                let value = out.len();
                self.node.value(values, row, out)?;
                if *shape == Shape::Implicit && is_default(out, value) {
                    out.truncate(start);
                }
                Ok(())
            }
        }
    }
}

/// Whether the value that was written from `start` on is one that an absent field has.
fn is_default(out: &[u8], start: usize) -> bool {
    out.get(start..).unwrap_or_default().iter().all(|byte| *byte == 0)
}

impl Plain {
    const fn wire_type(&self) -> u64 {
        match self {
            Self::Float => 5,
            Self::Fixed { bits: 32 } | Self::SignedFixed { bits: 32 } => 5,
            Self::Double | Self::Fixed { .. } | Self::SignedFixed { .. } => 1,
            Self::String | Self::Bytes => 2,
            _ => 0,
        }
    }
}

impl Node {
    const fn wire_type(&self) -> u64 {
        match self {
            Self::Plain(plain) => plain.wire_type(),
            _ => 2,
        }
    }

    fn item(&self, items: &Cell, at: usize, out: &mut Vec<u8>) -> Result<(), String> {
        if items.is_null(at) {
            return Err("a null inside, which the field has no form for".to_owned());
        }
        self.value(&items.values, at, out)
    }

    fn value(&self, values: &Values, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        let mut message = Vec::new();
        match (self, values) {
            (Self::Plain(value), values) => return plain(value, values, row, out),
            (Self::Time, Values::Timestamp(unit, v)) => {
                time(v.get(row).copied().unwrap_or_default(), *unit, &mut message);
            }
            (Self::Wrapper(value), values) => {
                put_tag(1, value.wire_type(), &mut message);
                let start = message.len();
                plain(value, values, row, &mut message)?;
                if is_default(&message, start) {
                    message.clear();
                }
            }
            (Self::Message(writer), Values::Struct(members)) => {
                writer.row(members, row, &mut message)?;
            }
            _ => return Err("a value of another shape than its field".to_owned()),
        }
        put_bytes(&message, out);
        Ok(())
    }
}

/// Appends a map's key, which all cells hold as text.
fn key_text(key: &Plain, text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    match key {
        Plain::String => put_bytes(text.as_bytes(), out),
        Plain::Bool => put_varint(u64::from(text == "true"), out),
        key => {
            let number = text.parse().map_err(|_| format!("the key `{text}` is no number"))?;
            integer(key, number, out)?;
        }
    }
    Ok(())
}

/// Appends a `google.protobuf.Timestamp`.
fn time(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let (per_second, nanos) = match unit {
        TimeUnit::Second => (1, 1_000_000_000),
        TimeUnit::Millisecond => (1_000, 1_000_000),
        TimeUnit::Microsecond => (1_000_000, 1_000),
        TimeUnit::Nanosecond => (1_000_000_000, 1),
    };
    let (seconds, nanos) = (value.div_euclid(per_second), value.rem_euclid(per_second) * nanos);
    for (number, value) in [(1, seconds), (2, nanos)] {
        if value != 0 {
            put_tag(number, 0, out);
            put_varint(value.cast_unsigned(), out);
        }
    }
}

/// Appends an integer in the form of its field.
fn integer(plain: &Plain, value: i128, out: &mut Vec<u8>) -> Result<(), String> {
    let fail = || format!("{value} does not fit into {}", plain.name());
    let signed = |bits: u32| {
        let value = i64::try_from(value).ok();
        value.filter(|value| bits == 64 || i32::try_from(*value).is_ok()).ok_or_else(fail)
    };
    let unsigned = |bits: u32| {
        let value = u64::try_from(value).ok();
        value.filter(|value| bits == 64 || u32::try_from(*value).is_ok()).ok_or_else(fail)
    };
    match plain {
        Plain::Signed { bits } => put_varint(signed(*bits)?.cast_unsigned(), out),
        Plain::Enum(_) => put_varint(signed(32)?.cast_unsigned(), out),
        Plain::Zigzag { bits } => put_varint(zigzag(signed(*bits)?), out),
        Plain::Unsigned { bits } => put_varint(unsigned(*bits)?, out),
        Plain::Fixed { bits } => fixed(unsigned(*bits)?, *bits, out),
        Plain::SignedFixed { bits } => fixed(signed(*bits)?.cast_unsigned(), *bits, out),
        _ => return Err(format!("an integer in a field of {}", plain.name())),
    }
    Ok(())
}

/// Appends the low bits of a number.
fn fixed(value: u64, bits: u32, out: &mut Vec<u8>) {
    out.extend(value.to_le_bytes().iter().take(bits as usize / 8));
}

/// Appends a value that is no message.
fn plain(plain: &Plain, values: &Values, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
    match (plain, values) {
        (Plain::Float, Values::F32(v)) => {
            out.extend(v.get(row).copied().unwrap_or_default().to_le_bytes());
        }
        (Plain::Double, Values::F32(v)) => {
            out.extend(f64::from(v.get(row).copied().unwrap_or_default()).to_le_bytes());
        }
        (Plain::Double, Values::F64(v)) => {
            out.extend(v.get(row).copied().unwrap_or_default().to_le_bytes());
        }
        (Plain::Bool, Values::Bool(v)) => put_varint(u64::from(v.value(row)), out),
        (Plain::String | Plain::Enum(_), Values::Utf8(v)) => text(plain, v.value(row), out)?,
        (Plain::String | Plain::Enum(_), Values::Utf8View(v)) => text(plain, v.value(row), out)?,
        (Plain::String, Values::Digits(v)) => text(plain, v.value(row), out)?,
        (Plain::Bytes, Values::Binary(v)) => put_bytes(v.value(row), out),
        (plain, values) => {
            let number = number(values, row);
            integer(plain, number.ok_or("a value of another type than its field")?, out)?;
        }
    }
    Ok(())
}

fn text(plain: &Plain, value: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let Plain::Enum(symbols) = plain else {
        put_bytes(value.as_bytes(), out);
        return Ok(());
    };
    // A number stands for a value that has no name.
    let number = symbols.numbers.get(value).copied().or_else(|| value.parse().ok());
    let number = number.ok_or_else(|| format!("`{value}` is no value of the enum"))?;
    integer(plain, number.into(), out)
}

fn number(values: &Values, row: usize) -> Option<i128> {
    Some(match values {
        Values::I8(v) => (*v.get(row)?).into(),
        Values::I16(v) => (*v.get(row)?).into(),
        Values::I32(v) | Values::Date(v) => (*v.get(row)?).into(),
        Values::I64(v) | Values::Timestamp(_, v) => (*v.get(row)?).into(),
        Values::U8(v) => (*v.get(row)?).into(),
        Values::U16(v) => (*v.get(row)?).into(),
        Values::U32(v) => (*v.get(row)?).into(),
        Values::U64(v) => (*v.get(row)?).into(),
        _ => return None,
    })
}

fn place(field: &FieldDescriptor, index: usize, column: &Field) -> Result<Place, String> {
    let mismatch = || {
        let (name, found) = (column.name(), types::name(column.data_type()));
        let field = match (field.is_map(), field.is_list()) {
            (true, _) => "a map".to_owned(),
            (_, true) => format!("repeated {}", Type::of(field).name()),
            _ => Type::of(field).name(),
        };
        format!("column `{name}` is {found}, and the message's field is {field}")
    };
    let to = Type::of(field);
    let number = field.number();
    let data_type = settle(column.data_type());
    match (&data_type, &to) {
        (DataType::Map(entries, _), Type::Message(entry)) if field.is_map() => {
            let DataType::Struct(pair) = entries.data_type() else { return Err(mismatch()) };
            let ([_, value], Type::Plain(key)) =
                (pair.as_ref(), Type::of(&entry.map_entry_key_field()))
            else {
                return Err(mismatch());
            };
            let node =
                node(Type::of(&entry.map_entry_value_field()), value.data_type(), &mismatch)?;
            Ok(Place { number, index, shape: Shape::Map(key), node })
        }
        (DataType::List(item), _) if field.is_list() && !field.is_group() => {
            let node = node(to, item.data_type(), &mismatch)?;
            let shape = if field.is_packed() { Shape::Packed } else { Shape::Unpacked };
            Ok(Place { number, index, shape, node })
        }
        _ if field.is_list() || field.is_map() || field.is_group() => Err(mismatch()),
        (data_type, _) => {
            let shape = match (field.is_required(), field.supports_presence()) {
                (true, _) => Shape::Required,
                (_, true) => Shape::Present,
                _ => Shape::Implicit,
            };
            Ok(Place { number, index, shape, node: node(to, data_type, &mismatch)? })
        }
    }
}

/// The type that a column's cells have.
fn settle(data_type: &DataType) -> DataType {
    match cell::like(data_type) {
        Some(like) => settle(&like),
        None => data_type.clone(),
    }
}

fn node(to: Type, column: &DataType, mismatch: &dyn Fn() -> String) -> Result<Node, String> {
    let column = settle(column);
    match (to, &column) {
        (Type::Plain(Plain::Float), DataType::Float64) => Err(mismatch()),
        (Type::Plain(plain), column) if plain.suits(column) => Ok(Node::Plain(plain)),
        (Type::Wrapper(plain), column) if plain.suits(column) => Ok(Node::Wrapper(plain)),
        (Type::Time, DataType::Timestamp(..)) => Ok(Node::Time),
        (Type::Message(message), DataType::Struct(columns)) => {
            Writer::new(&message, columns).map(Node::Message)
        }
        _ => Err(mismatch()),
    }
}
