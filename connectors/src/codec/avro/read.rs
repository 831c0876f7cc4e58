//! A schema matched with columns: which fields go where, and which are passed over.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use swiftwater_engine::schema as types;

use super::cursor::Cursor;
use super::item;
use super::schema::{self, Id, Kind, Logical, Schema};
use crate::codec::codes;
use crate::codec::column::{Column, Group, Items, Values};
use crate::codec::rows::Bad;

/// How the messages of one schema fill a group of columns.
#[derive(Debug)]
pub(super) struct Reader {
    schema: Schema,
    steps: Steps,
}

#[derive(Debug)]
struct Steps {
    steps: Vec<Step>,
    /// Columns that the record has no field for.
    absent: Vec<usize>,
}

#[derive(Debug)]
enum Step {
    Skip(Id),
    Column(usize, Node),
}

/// How one value fills one column.
#[derive(Debug)]
enum Node {
    Null,
    Plain(Id),
    Union(Vec<Self>),
    Record(Steps),
    Array(Box<Self>),
    Map(Box<Self>),
}

impl Reader {
    /// Matches a schema with columns.
    ///
    /// # Errors
    /// A fragment that names the column which the schema cannot fill.
    pub(super) fn new(schema: Schema, columns: &Fields) -> Result<Self, String> {
        let steps = steps(&schema, schema.fields()?, columns)?;
        Ok(Self { schema, steps })
    }

    /// Appends the record that makes up a payload as a row.
    pub(super) fn row(&self, group: &mut Group, payload: &[u8]) -> Result<(), Bad> {
        let mut cursor = Cursor::new(payload);
        self.record(&self.steps, group, &mut cursor)?;
        match cursor.left() {
            0 => Ok(()),
            left => {
                let message = format!("{left} of {} bytes are left over", payload.len());
                Err(Bad::new(codes::TRAILING_BYTES, message))
            }
        }
    }

    fn record<'a>(
        &'a self,
        steps: &'a Steps,
        group: &mut Group,
        cursor: &mut Cursor<'a>,
    ) -> Result<(), Bad> {
        for step in &steps.steps {
            match step {
                Step::Skip(id) => cursor.skip(&self.schema, *id)?,
                Step::Column(index, node) => {
                    if let Some(column) = group.columns.get_mut(*index) {
                        self.value(node, column, cursor)?;
                    }
                }
            }
        }
        for index in &steps.absent {
            if let Some(column) = group.columns.get_mut(*index) {
                column.append_null();
            }
        }
        group.end_row();
        Ok(())
    }

    fn value<'a>(
        &'a self,
        node: &'a Node,
        column: &mut Column,
        cursor: &mut Cursor<'a>,
    ) -> Result<(), Bad> {
        match node {
            Node::Plain(id) => {
                return item::append(column, item::read(self.schema.get(*id), cursor)?);
            }
            Node::Null if column.is_nullable() => {
                column.append_null();
                return Ok(());
            }
            Node::Null => return Err(Bad::missing(column)),
            Node::Union(branches) => {
                let index = cursor.index(branches.len(), "union branch")?;
                return match branches.get(index) {
                    Some(branch) => self.value(branch, column, cursor),
                    None => Ok(()),
                };
            }
            Node::Record(_) | Node::Array(_) | Node::Map(_) => {}
        }
        match (node, &mut column.values) {
            (Node::Record(steps), Values::Struct(group)) => self.record(steps, group, cursor)?,
            (Node::Array(item), Values::List(items)) => self.items(item, items, cursor)?,
            (Node::Map(item), Values::Map(items)) => self.entries(item, items, cursor)?,
            _ => return Err(cursor.bad("a value of another shape than its column")),
        }
        column.nulls.append_non_null();
        Ok(())
    }

    fn items<'a>(
        &'a self,
        item: &'a Node,
        items: &mut Items,
        cursor: &mut Cursor<'a>,
    ) -> Result<(), Bad> {
        loop {
            let count = cursor.block()?;
            if count == 0 {
                items.end();
                return Ok(());
            }
            for _ in 0..count {
                self.value(item, &mut items.column, cursor)?;
            }
        }
    }

    fn entries<'a>(
        &'a self,
        item: &'a Node,
        items: &mut Items,
        cursor: &mut Cursor<'a>,
    ) -> Result<(), Bad> {
        loop {
            let count = cursor.block()?;
            if count == 0 {
                items.end();
                return Ok(());
            }
            for _ in 0..count {
                let Values::Struct(entry) = &mut items.column.values else {
                    return Err(cursor.bad("a map whose column holds no entries"));
                };
                let [key, value] = entry.columns.as_mut_slice() else {
                    return Err(cursor.bad("a map whose entries are no pairs"));
                };
                item::append(key, item::Item::Text(cursor.string()?))?;
                self.value(item, value, cursor)?;
                entry.end_row();
                items.column.nulls.append_non_null();
            }
        }
    }
}

fn steps(schema: &Schema, from: &[schema::Field], to: &Fields) -> Result<Steps, String> {
    let steps = from.iter().map(|field| {
        Ok(match to.find(&field.name) {
            Some((index, column)) => Step::Column(index, node(schema, field.id, column)?),
            None => Step::Skip(field.id),
        })
    });
    let steps = steps.collect::<Result<Vec<_>, String>>()?;
    let is_absent = |column: &FieldRef| !from.iter().any(|field| field.name == *column.name());
    let absent = to.iter().enumerate().filter(|(_, column)| is_absent(column));
    if let Some((_, column)) = absent.clone().find(|(_, column)| !column.is_nullable()) {
        return Err(format!(
            "column `{}` is required, and the schema has no such field",
            column.name()
        ));
    }
    Ok(Steps { steps, absent: absent.map(|(index, _)| index).collect() })
}

fn node(schema: &Schema, id: Id, column: &Field) -> Result<Node, String> {
    let from = schema.get(id);
    let mismatch = || {
        let (name, expected) = (column.name(), types::name(column.data_type()));
        format!("column `{name}` is {expected}, and the schema's field is {}", describe(schema, id))
    };
    match (&from.kind, column.data_type()) {
        (Kind::Null, _) => Ok(Node::Null),
        (Kind::Union(branches), _) => {
            let branches = branches.iter().map(|branch| node(schema, *branch, column));
            branches.collect::<Result<_, _>>().map(Node::Union).map_err(|_| mismatch())
        }
        (Kind::Record(fields), DataType::Struct(to)) => {
            let steps = steps(schema, fields, to);
            steps.map(Node::Record).map_err(|e| format!("in `{}`: {e}", column.name()))
        }
        (Kind::Array(item), DataType::List(to)) => {
            let item = node(schema, *item, to).map_err(|_| mismatch())?;
            Ok(Node::Array(Box::new(item)))
        }
        (Kind::Map(item), DataType::Map(entries, _)) => match entries.data_type() {
            DataType::Struct(pair) => match pair.as_ref() {
                [_, value] => {
                    let item = node(schema, *item, value).map_err(|_| mismatch())?;
                    Ok(Node::Map(Box::new(item)))
                }
                _ => Err(mismatch()),
            },
            _ => Err(mismatch()),
        },
        (_, to) if item::fits(from, to) => Ok(Node::Plain(id)),
        _ => Err(mismatch()),
    }
}

/// A type in words, for messages.
fn describe(schema: &Schema, id: Id) -> String {
    let from = schema.get(id);
    match (&from.kind, from.logical) {
        (_, Some(Logical::Decimal { precision, scale })) => format!("decimal({precision},{scale})"),
        (_, Some(Logical::Date)) => "a date".into(),
        (_, Some(Logical::Timestamp(unit))) => format!("a timestamp in {unit:?}s").to_lowercase(),
        (Kind::Record(_), _) => "a record".into(),
        (Kind::Enum(_), _) => "an enum".into(),
        (Kind::Fixed(size), _) => format!("fixed({size})"),
        (Kind::Array(item), _) => format!("array<{}>", describe(schema, *item)),
        (Kind::Map(item), _) => format!("map<{}>", describe(schema, *item)),
        (Kind::Union(branches), _) => {
            let branches: Vec<_> = branches.iter().map(|b| describe(schema, *b)).collect();
            format!("union<{}>", branches.join(", "))
        }
        (plain, _) => format!("{plain:?}").to_lowercase(),
    }
}

/// The columns that a schema's messages have by themselves.
///
/// # Errors
/// A fragment that names the field which no column can hold.
pub(super) fn columns(schema: &Schema) -> Result<Fields, String> {
    fields(schema, schema.fields()?, &mut vec![schema.root()])
}

fn fields(schema: &Schema, from: &[schema::Field], open: &mut Vec<Id>) -> Result<Fields, String> {
    let fields = from.iter().map(|field| {
        let (data_type, nullable) = data_type(schema, field.id, open)
            .map_err(|e| format!("field `{}`: {e}", field.name))?;
        Ok(Field::new(&field.name, data_type, nullable))
    });
    fields.collect()
}

/// The column type of a schema's type, and whether it may be null.
fn data_type(schema: &Schema, id: Id, open: &mut Vec<Id>) -> Result<(DataType, bool), String> {
    let from = schema.get(id);
    let item = |item: Id, name: &str, open: &mut Vec<Id>| {
        let (data_type, nullable) = data_type(schema, item, open)?;
        Ok::<_, String>(Arc::new(Field::new(name, data_type, nullable)))
    };
    let plain = match (&from.kind, from.logical) {
        (_, Some(Logical::Date)) => DataType::Date32,
        (_, Some(Logical::Timestamp(unit))) => DataType::Timestamp(unit, None),
        (_, Some(Logical::Decimal { precision, scale })) => DataType::Decimal128(precision, scale),
        (Kind::Null, _) => return Err("it is always null".into()),
        (Kind::Boolean, _) => DataType::Boolean,
        (Kind::Int, _) => DataType::Int32,
        (Kind::Long, _) => DataType::Int64,
        (Kind::Float, _) => DataType::Float32,
        (Kind::Double, _) => DataType::Float64,
        (Kind::Bytes | Kind::Fixed(_), _) => DataType::Binary,
        (Kind::String | Kind::Enum(_), _) => DataType::Utf8,
        (Kind::Array(values), _) => DataType::List(item(*values, "item", open)?),
        (Kind::Map(values), _) => {
            let key = Arc::new(Field::new("key", DataType::Utf8, false));
            let entries = DataType::Struct([key, item(*values, "value", open)?].into());
            DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
        }
        (Kind::Record(from), _) => {
            if open.contains(&id) {
                return Err("it holds itself, which no column can".into());
            }
            open.push(id);
            let inner = fields(schema, from, open)?;
            open.pop();
            DataType::Struct(inner)
        }
        (Kind::Union(branches), _) => {
            let is_null = |branch: &&Id| schema.get(**branch).kind == Kind::Null;
            let mut others = branches.iter().filter(|branch| !is_null(branch));
            return match (others.next(), others.next()) {
                (Some(only), None) => data_type(schema, *only, open).map(|(t, _)| (t, true)),
                _ => Err(format!("{} has no column type", describe(schema, id))),
            };
        }
    };
    Ok((plain, false))
}
