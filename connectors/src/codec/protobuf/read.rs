//! Messages matched with columns: which fields go where, and how.

use arrow::datatypes::{DataType, Field, Fields};
use prost_reflect::{FieldDescriptor, MessageDescriptor};
use swiftwater_engine::schema as types;

use super::kind::{Plain, Type};
use super::value;
use super::wire::{Cursor, Wire};
use crate::codec::column::{Column, Group, Items, Values};
use crate::codec::rows::Bad;

/// How messages of one type fill a group of columns.
#[derive(Debug)]
pub(super) struct Layout {
    /// For each column how it is filled; `None` for one without a field.
    slots: Vec<Option<Slot>>,
    /// Columns by the number of their field, in order of the numbers.
    by_number: Vec<(u32, usize)>,
}

#[derive(Debug)]
struct Slot {
    shape: Shape,
    node: Node,
}

#[derive(Debug)]
enum Shape {
    /// A field that is null where it is absent.
    Present,
    /// A field that has its default where it is absent.
    Implicit,
    Repeated,
    /// Pairs: the key's type; the node is that of the values.
    Map(Plain),
}

/// How one value fills one column.
#[derive(Debug)]
enum Node {
    Plain(Plain),
    Time,
    Wrapper(Plain),
    Message(Layout),
}

/// What was found of a singular field.
#[derive(Clone)]
enum Found<'a> {
    Nothing,
    One(Wire<'a>),
    /// A message in several pieces, which together are the message.
    Pieces(Vec<u8>),
}

impl Layout {
    /// Matches a message with columns.
    ///
    /// # Errors
    /// A fragment that names the column which the message cannot fill.
    pub(super) fn new(message: &MessageDescriptor, columns: &Fields) -> Result<Self, String> {
        let mut by_number = Vec::new();
        let slots = columns.iter().enumerate().map(|(index, column)| {
            match message.get_field_by_name(column.name()) {
                Some(field) => {
                    by_number.push((field.number(), index));
                    slot(&field, column).map(Some)
                }
                None if column.is_nullable() => Ok(None),
                None => Err(format!(
                    "column `{}` is required, and message {} has no such field",
                    column.name(),
                    message.full_name()
                )),
            }
        });
        let slots = slots.collect::<Result<_, _>>()?;
        by_number.sort_unstable();
        Ok(Self { slots, by_number })
    }

    /// Appends a message as a row.
    pub(super) fn row(&self, group: &mut Group, message: &[u8]) -> Result<(), Bad> {
        let mut found = vec![Found::Nothing; self.slots.len()];
        let mut cursor = Cursor::new(message);
        // Fields mostly come in the order of their numbers.
        let mut next = 0;
        while !cursor.is_empty() {
            let (number, wire) = cursor.field()?;
            let Some(index) = self.index(number, &mut next) else { continue };
            let (Some(Some(slot)), Some(column)) =
                (self.slots.get(index), group.columns.get_mut(index))
            else {
                continue;
            };
            match (&slot.shape, &mut column.values) {
                (Shape::Repeated, Values::List(items)) => {
                    slot.node.repeated(items, wire)?;
                }
                (Shape::Map(key), Values::Map(items)) => slot.node.pair(key, items, wire)?,
                _ => {
                    if let Some(place) = found.get_mut(index) {
                        place.add(wire, &slot.node);
                    }
                }
            }
        }
        for ((slot, column), found) in self.slots.iter().zip(&mut group.columns).zip(found) {
            match slot {
                None => column.append_null(),
                Some(slot) => slot.end(column, &found)?,
            }
        }
        group.end_row();
        Ok(())
    }

    /// The column of a field, where it is one.
    #[inline]
    fn index(&self, number: u32, next: &mut usize) -> Option<usize> {
        for at in [*next, *next + 1] {
            if let Some((expected, index)) = self.by_number.get(at)
                && *expected == number
            {
                *next = at;
                return Some(*index);
            }
        }
        let at = self.by_number.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        *next = at;
        self.by_number.get(at).map(|(_, index)| *index)
    }
}

impl<'a> Found<'a> {
    /// A later value replaces an earlier one; the pieces of a message are joined.
    fn add(&mut self, wire: Wire<'a>, node: &Node) {
        let is_message = !matches!(node, Node::Plain(_));
        match (&mut *self, wire) {
            (_, wire) if !node.accepts(wire) => {}
            (Self::One(Wire::Bytes(first)), Wire::Bytes(more)) if is_message => {
                *self = Self::Pieces([first, more].concat());
            }
            (Self::Pieces(pieces), Wire::Bytes(more)) if is_message => {
                pieces.extend_from_slice(more);
            }
            _ => *self = Self::One(wire),
        }
    }
}

impl Slot {
    /// Completes a column's value once all fields were seen.
    fn end(&self, column: &mut Column, found: &Found<'_>) -> Result<(), Bad> {
        match (&self.shape, &mut column.values) {
            (Shape::Repeated, Values::List(items)) | (Shape::Map(_), Values::Map(items)) => {
                items.end();
                column.nulls.append_non_null();
                return Ok(());
            }
            _ => {}
        }
        match (found, &self.shape) {
            (Found::One(wire), _) => self.node.append(column, *wire),
            (Found::Pieces(pieces), _) => self.node.append(column, Wire::Bytes(pieces)),
            (Found::Nothing, Shape::Implicit) => self.node.append_default(column),
            (Found::Nothing, _) if column.is_nullable() => {
                column.append_null();
                Ok(())
            }
            (Found::Nothing, _) => Err(Bad::missing(column)),
        }
    }
}

impl Node {
    /// Whether a value has the wire type of the field; one of another type is an unknown field.
    fn accepts(&self, wire: Wire<'_>) -> bool {
        match self {
            Self::Plain(plain) => value::accepts(plain, wire),
            _ => matches!(wire, Wire::Bytes(_)),
        }
    }

    /// Appends one value.
    fn append(&self, column: &mut Column, wire: Wire<'_>) -> Result<(), Bad> {
        match (self, wire) {
            (Self::Plain(plain), wire) => value::append(plain, column, wire),
            (Self::Time, Wire::Bytes(message)) => value::append_time(column, message),
            (Self::Wrapper(plain), Wire::Bytes(message)) => {
                match value::last(message, 1, |wire| value::accepts(plain, wire))? {
                    Some(wire) => value::append(plain, column, wire),
                    None => value::append(plain, column, value::default(plain)),
                }
            }
            (Self::Message(layout), Wire::Bytes(message)) => {
                let name = column.name().to_owned();
                let Values::Struct(group) = &mut column.values else {
                    return Err(Bad::wrong(column, "a message"));
                };
                layout.row(group, message).map_err(|bad| bad.below(&name))?;
                column.nulls.append_non_null();
                Ok(())
            }
            _ => Err(Bad::wrong(column, "a value of another wire type")),
        }
    }

    /// Appends the value of a field that is absent and has no presence.
    fn append_default(&self, column: &mut Column) -> Result<(), Bad> {
        match self {
            Self::Plain(plain) => value::append(plain, column, value::default(plain)),
            _ => self.append(column, Wire::Bytes(&[])),
        }
    }

    /// Appends the items of one occurrence of a repeated field.
    fn repeated(&self, items: &mut Items, wire: Wire<'_>) -> Result<(), Bad> {
        if self.accepts(wire) {
            return self.append(&mut items.column, wire);
        }
        let (Self::Plain(plain), Wire::Bytes(packed)) = (self, wire) else { return Ok(()) };
        let mut cursor = Cursor::new(packed);
        while !cursor.is_empty() {
            match value::packed(plain, &mut cursor)? {
                Some(wire) => value::append(plain, &mut items.column, wire)?,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Appends one pair of a map.
    fn pair(&self, key: &Plain, items: &mut Items, wire: Wire<'_>) -> Result<(), Bad> {
        let Wire::Bytes(message) = wire else { return Ok(()) };
        let Values::Struct(entry) = &mut items.column.values else {
            return Err(Bad::wrong(&items.column, "a map"));
        };
        let [keys, values] = entry.columns.as_mut_slice() else {
            return Err(Bad::wrong(&items.column, "a map"));
        };
        let found = value::last(message, 1, |wire| value::accepts(key, wire))?;
        value::append(key, keys, found.unwrap_or_else(|| value::default(key)))?;
        match value::last(message, 2, |wire| self.accepts(wire))? {
            Some(wire) => self.append(values, wire)?,
            None => self.append_default(values)?,
        }
        entry.end_row();
        items.column.nulls.append_non_null();
        Ok(())
    }
}

fn slot(field: &FieldDescriptor, column: &Field) -> Result<Slot, String> {
    let from = Type::of(field);
    let mismatch = || {
        let (name, expected) = (column.name(), types::name(column.data_type()));
        let many = if field.is_map() {
            "a map"
        } else if field.is_list() {
            "repeated "
        } else {
            ""
        };
        let one = if field.is_map() { String::new() } else { from.name() };
        format!("column `{name}` is {expected}, and the message's field is {many}{one}")
    };
    // A group is a message between two tags, long out of use.
    if field.is_group() {
        return Err(mismatch());
    }
    if field.is_map() {
        let (Type::Message(entry), DataType::Map(entries, _)) = (&from, column.data_type()) else {
            return Err(mismatch());
        };
        let DataType::Struct(pair) = entries.data_type() else { return Err(mismatch()) };
        let ([key, value], Type::Plain(from)) =
            (pair.as_ref(), Type::of(&entry.map_entry_key_field()))
        else {
            return Err(mismatch());
        };
        if !from.suits(key.data_type()) {
            return Err(mismatch());
        }
        let node = node(Type::of(&entry.map_entry_value_field()), value, &mismatch)?;
        return Ok(Slot { shape: Shape::Map(from), node });
    }
    if field.is_list() {
        let DataType::List(item) = column.data_type() else { return Err(mismatch()) };
        return Ok(Slot { shape: Shape::Repeated, node: node(from.clone(), item, &mismatch)? });
    }
    let shape = if field.supports_presence() { Shape::Present } else { Shape::Implicit };
    Ok(Slot { shape, node: node(from.clone(), column, &mismatch)? })
}

fn node(from: Type, column: &Field, mismatch: &dyn Fn() -> String) -> Result<Node, String> {
    match (from, column.data_type()) {
        (Type::Plain(plain), to) if plain.suits(to) => Ok(Node::Plain(plain)),
        (Type::Wrapper(plain), to) if plain.suits(to) => Ok(Node::Wrapper(plain)),
        (Type::Time, DataType::Timestamp(..)) => Ok(Node::Time),
        (Type::Message(message), DataType::Struct(columns)) => {
            let layout = Layout::new(&message, columns);
            layout.map(Node::Message).map_err(|e| format!("in `{}`: {e}", column.name()))
        }
        _ => Err(mismatch()),
    }
}
