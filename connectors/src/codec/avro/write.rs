//! Columns matched with a schema: which column fills which field, and its binary form.

use arrow::datatypes::{DataType, Fields, TimeUnit};
use swiftwater_engine::schema as types;

use super::item::in_unit;
use super::schema::{Id, Kind, Logical, Schema};
use crate::codec::cell::{self, Cell, Member, Values};
use crate::codec::decimal::rescale;

/// How a group of columns is written as records of one schema.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    schema: Schema,
    fields: Vec<Place>,
}

/// What fills a field: a column of the group, or the null branch of its union.
type Place = (Option<usize>, Node);

#[derive(Debug, Clone)]
enum Node {
    Null,
    Plain(Id),
    /// A union: the branch for nulls, if there is one, the branch for values, and their form.
    Union {
        null: Option<usize>,
        branch: usize,
        node: Box<Self>,
    },
    Record(Vec<Place>),
    Array(Box<Self>),
    Map(Box<Self>),
}

impl Writer {
    /// Matches columns with a schema.
    ///
    /// # Errors
    /// A fragment that names the field or column which does not fit.
    pub(super) fn new(schema: Schema, columns: &Fields) -> Result<Self, String> {
        let fields = places(&schema, schema.fields()?, columns)?;
        Ok(Self { schema, fields })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// A fragment that names the column whose value has no form in the schema.
    pub(super) fn row(
        &self,
        members: &[Member],
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        self.record(&self.fields, members, row, out)
    }

    fn record(
        &self,
        places: &[Place],
        members: &[Member],
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        for (index, node) in places {
            match index.and_then(|index| members.get(index)) {
                Some(member) => self
                    .cell(node, &member.cell, row, out)
                    .map_err(|e| format!("column `{}`: {e}", member.name))?,
                None => null(node, out)?,
            }
        }
        Ok(())
    }

    fn cell(&self, node: &Node, cell: &Cell, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        if cell.is_null(row) {
            return null(node, out);
        }
        self.value(node, &cell.values, row, out)
    }

    fn value(
        &self,
        node: &Node,
        values: &Values,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        match (node, values) {
            (Node::Plain(id), values) => {
                let to = self.schema.get(*id);
                plain(&to.kind, to.logical, values, row, out)
            }
            (Node::Union { branch, node, .. }, values) => {
                long(index(*branch), out);
                self.value(node, values, row, out)
            }
            (Node::Record(places), Values::Struct(members)) => {
                self.record(places, members, row, out)
            }
            (Node::Array(item), Values::List(offsets, items)) => {
                let range = cell::range(offsets, row);
                long(index(range.len()), out);
                if range.is_empty() {
                    return Ok(());
                }
                for at in range {
                    self.cell(item, items, at, out)?;
                }
                long(0, out);
                Ok(())
            }
            (Node::Map(item), Values::Map(offsets, keys, values)) => {
                let range = cell::range(offsets, row);
                long(index(range.len()), out);
                if range.is_empty() {
                    return Ok(());
                }
                for at in range {
                    bytes(keys.value(at).as_bytes(), out);
                    self.cell(item, values, at, out)?;
                }
                long(0, out);
                Ok(())
            }
            _ => Err("a value of another shape than its field".into()),
        }
    }
}

fn null(node: &Node, out: &mut Vec<u8>) -> Result<(), String> {
    match node {
        Node::Null => Ok(()),
        Node::Union { null: Some(branch), .. } => {
            long(index(*branch), out);
            Ok(())
        }
        _ => Err("null, which the schema does not allow".into()),
    }
}

fn index(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Appends an int or long.
fn long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn bytes(value: &[u8], out: &mut Vec<u8>) {
    long(index(value.len()), out);
    out.extend_from_slice(value);
}

/// Appends a value that is no record, array or map.
fn plain(
    kind: &Kind,
    logical: Option<Logical>,
    values: &Values,
    row: usize,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    match (kind, values) {
        (Kind::Int | Kind::Long, values) => integer(kind, logical, values, row, out),
        (Kind::Boolean, Values::Bool(v)) => {
            out.push(u8::from(v.value(row)));
            Ok(())
        }
        (Kind::Float, Values::F32(v)) => {
            out.extend(v.get(row).copied().unwrap_or_default().to_le_bytes());
            Ok(())
        }
        (Kind::Double, Values::F32(v)) => {
            out.extend(f64::from(v.get(row).copied().unwrap_or_default()).to_le_bytes());
            Ok(())
        }
        (Kind::Double, Values::F64(v)) => {
            out.extend(v.get(row).copied().unwrap_or_default().to_le_bytes());
            Ok(())
        }
        (kind, Values::Utf8(v)) => text(kind, v.value(row).as_bytes(), out),
        (kind, Values::Digits(v)) => text(kind, v.value(row).as_bytes(), out),
        (kind, Values::Utf8View(v)) => text(kind, v.value(row).as_bytes(), out),
        (kind, Values::Binary(v)) => text(kind, v.value(row), out),
        (kind, Values::Decimal(from, v)) => {
            let value = v.get(row).copied().unwrap_or_default();
            decimal(kind, logical, value, *from, out)
        }
        _ => Err("a value of another type than its field".into()),
    }
}

fn integer(
    kind: &Kind,
    logical: Option<Logical>,
    values: &Values,
    row: usize,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let value = match values {
        Values::I8(v) => v.get(row).map(|v| i64::from(*v)),
        Values::I16(v) => v.get(row).map(|v| i64::from(*v)),
        Values::I32(v) | Values::Date(v) => v.get(row).map(|v| i64::from(*v)),
        Values::I64(v) => v.get(row).copied(),
        Values::U8(v) => v.get(row).map(|v| i64::from(*v)),
        Values::U16(v) => v.get(row).map(|v| i64::from(*v)),
        Values::U32(v) => v.get(row).map(|v| i64::from(*v)),
        Values::U64(v) => match v.get(row) {
            Some(v) => Some(
                i64::try_from(*v)
                    .map_err(|_| format!("{v} does not fit into 64 bits with a sign"))?,
            ),
            None => None,
        },
        Values::Timestamp(from, v) => match (v.get(row), logical) {
            (Some(v), Some(Logical::Timestamp(to))) => Some(
                in_unit(*v, *from, to)
                    .ok_or_else(|| format!("{v} {from:?}s do not fit into a {to:?} timestamp"))?,
            ),
            (v, _) => v.copied(),
        },
        _ => None,
    };
    let value = value.ok_or("a value of another type than its field")?;
    if *kind == Kind::Int && i32::try_from(value).is_err() {
        return Err(format!("{value} does not fit into an Avro int"));
    }
    long(value, out);
    Ok(())
}

fn text(kind: &Kind, value: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    match kind {
        Kind::String | Kind::Bytes => bytes(value, out),
        Kind::Fixed(size) if value.len() == *size => out.extend_from_slice(value),
        Kind::Fixed(size) => {
            return Err(format!("{} bytes, and the schema has fixed({size})", value.len()));
        }
        Kind::Enum(symbols) => {
            let symbol = symbols.iter().position(|symbol| symbol.as_bytes() == value);
            let symbol = symbol.ok_or_else(|| {
                format!("`{}` is no symbol of the enum", String::from_utf8_lossy(value))
            })?;
            long(index(symbol), out);
        }
        _ => return Err("text in place of another type".into()),
    }
    Ok(())
}

/// Appends a two's complement number, the highest byte first, with as few bytes as it needs or as
/// many as a fixed has.
fn decimal(
    kind: &Kind,
    logical: Option<Logical>,
    value: i128,
    from: i8,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let Some(Logical::Decimal { precision, scale }) = logical else {
        return Err("a decimal in place of another type".into());
    };
    let value = rescale(value, from, scale, precision)
        .ok_or_else(|| format!("{value}e-{from} does not fit into decimal({precision},{scale})"))?;
    let digits = value.to_be_bytes();
    let sign = if value < 0 { 0xFF } else { 0 };
    let spare = digits.windows(2).take_while(
        |pair| matches!(pair, [high, next] if *high == sign && (next ^ sign) & 0x80 == 0),
    );
    let digits = digits.get(spare.count()..).unwrap_or_default();
    match kind {
        Kind::Bytes => bytes(digits, out),
        Kind::Fixed(size) => match size.checked_sub(digits.len()) {
            Some(more) => {
                out.extend(std::iter::repeat_n(sign, more));
                out.extend_from_slice(digits);
            }
            None => {
                return Err(format!(
                    "a decimal of {} bytes, and the schema has fixed({size})",
                    digits.len()
                ));
            }
        },
        _ => return Err("a decimal in place of another type".into()),
    }
    Ok(())
}

fn places(
    schema: &Schema,
    fields: &[super::schema::Field],
    columns: &Fields,
) -> Result<Vec<Place>, String> {
    if let Some(extra) = columns.iter().find(|c| !fields.iter().any(|f| f.name == *c.name())) {
        return Err(format!("the schema has no field for column `{}`", extra.name()));
    }
    let places = fields.iter().map(|field| match columns.find(&field.name) {
        Some((index, column)) => {
            let node = node(schema, field.id, column.data_type())
                .map_err(|e| format!("column `{}` {e}", field.name))?;
            Ok((Some(index), node))
        }
        None => match node(schema, field.id, &DataType::Null) {
            Ok(node) => Ok((None, node)),
            Err(_) => Err(format!("there is no column for field `{}`", field.name)),
        },
    });
    places.collect()
}

fn node(schema: &Schema, id: Id, column: &DataType) -> Result<Node, String> {
    let to = schema.get(id);
    let mismatch = || {
        let kind = match &to.kind {
            Kind::Record(_) => "record".to_owned(),
            Kind::Enum(_) => "enum".to_owned(),
            Kind::Union(_) => "union".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        };
        format!("is {}, and the schema's field is {kind}", types::name(column))
    };
    match (&to.kind, column) {
        (Kind::Null, DataType::Null) => Ok(Node::Null),
        (Kind::Union(branches), column) => {
            let null = branches.iter().position(|b| schema.get(*b).kind == Kind::Null);
            let fitting = branches
                .iter()
                .enumerate()
                .find_map(|(branch, id)| Some((branch, node(schema, *id, column).ok()?)));
            let (branch, node) = fitting.ok_or_else(mismatch)?;
            Ok(Node::Union { null, branch, node: Box::new(node) })
        }
        (Kind::Record(fields), DataType::Struct(columns)) => places(schema, fields, columns)
            .map(Node::Record)
            .map_err(|e| format!("holds what does not fit: {e}")),
        (Kind::Array(item), DataType::List(column)) => {
            let item = node(schema, *item, column.data_type()).map_err(|_| mismatch())?;
            Ok(Node::Array(Box::new(item)))
        }
        (Kind::Map(item), DataType::Map(entries, _)) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                let value = pair.last().ok_or_else(mismatch)?;
                let item = node(schema, *item, value.data_type()).map_err(|_| mismatch())?;
                Ok(Node::Map(Box::new(item)))
            }
            _ => Err(mismatch()),
        },
        (kind, column) if takes(kind, to.logical, column) => Ok(Node::Plain(id)),
        (_, column) => match cell::like(column) {
            Some(like) => node(schema, id, &like),
            None => Err(mismatch()),
        },
    }
}

/// Whether a plain type takes the values of a column; single values may still be too large.
fn takes(kind: &Kind, logical: Option<Logical>, column: &DataType) -> bool {
    match (kind, logical) {
        (Kind::Boolean, _) => *column == DataType::Boolean,
        (Kind::Int, Some(Logical::Date)) => *column == DataType::Date32,
        (Kind::Int, _) => column.is_integer(),
        (Kind::Long, Some(Logical::Timestamp(_))) => matches!(column, DataType::Timestamp(..)),
        (Kind::Long, _) => {
            column.is_integer()
                || matches!(
                    column,
                    DataType::Timestamp(TimeUnit::Millisecond | TimeUnit::Second, _)
                )
        }
        (Kind::Float, _) => *column == DataType::Float32,
        (Kind::Double, _) => matches!(column, DataType::Float32 | DataType::Float64),
        (Kind::Bytes | Kind::Fixed(_), Some(Logical::Decimal { .. })) => {
            matches!(column, DataType::Decimal128(..))
        }
        (Kind::Bytes | Kind::Fixed(_), _) => *column == DataType::Binary,
        (Kind::String | Kind::Enum(_), _) => matches!(column, DataType::Utf8 | DataType::Utf8View),
        _ => false,
    }
}
