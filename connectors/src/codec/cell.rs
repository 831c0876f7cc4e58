//! Columns made ready to be read row by row: every encoder writes from these.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, StringArray, StringViewArray,
    new_empty_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, FieldRef, Fields, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use swiftwater_engine::{Error, Result};

use super::codes;

/// Values of one column. Types that are written alike are converted to one of these.
pub(super) enum Values {
    Null,
    Bool(BooleanArray),
    I8(ScalarBuffer<i8>),
    I16(ScalarBuffer<i16>),
    I32(ScalarBuffer<i32>),
    I64(ScalarBuffer<i64>),
    U8(ScalarBuffer<u8>),
    U16(ScalarBuffer<u16>),
    U32(ScalarBuffer<u32>),
    U64(ScalarBuffer<u64>),
    F32(ScalarBuffer<f32>),
    F64(ScalarBuffer<f64>),
    Utf8(StringArray),
    Utf8View(StringViewArray),
    Binary(BinaryArray),
    Date(ScalarBuffer<i32>),
    Timestamp(TimeUnit, ScalarBuffer<i64>),
    Decimal(i8, ScalarBuffer<i128>),
    /// Numbers of rare types as text.
    Digits(StringArray),
    Struct(Vec<Member>),
    List(OffsetBuffer<i32>, Box<Cell>),
    Map(OffsetBuffer<i32>, StringArray, Box<Cell>),
}

/// One column.
pub(super) struct Cell {
    pub(super) nulls: Option<NullBuffer>,
    pub(super) values: Values,
}

/// One field of an object.
pub(super) struct Member {
    pub(super) name: String,
    /// The name as JSON writes it: `"name":`.
    pub(super) key: Vec<u8>,
    pub(super) cell: Cell,
}

impl Member {
    /// The fields of a record or struct.
    pub(super) fn all(fields: &Fields, columns: &[ArrayRef]) -> Result<Vec<Self>, ArrowError> {
        let members = fields.iter().zip(columns).map(|(field, column)| {
            let mut key = Vec::with_capacity(field.name().len() + 3);
            super::json::string(field.name().as_bytes(), &mut key);
            key.push(b':');
            let cell = Cell::new(column)?;
            let name = field.name().clone();
            Ok(Self { name, key, cell })
        });
        members.collect()
    }
}

impl Cell {
    /// Makes a column ready.
    ///
    /// # Errors
    /// Where the type has no such form.
    pub(super) fn new(array: &ArrayRef) -> Result<Self, ArrowError> {
        let values = match array.data_type() {
            DataType::Null => {
                return Ok(Self { nulls: array.logical_nulls(), values: Values::Null });
            }
            DataType::Struct(fields) => {
                Values::Struct(Member::all(fields, array.as_struct().columns())?)
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let items = Box::new(Self::new(list.values())?);
                Values::List(list.offsets().clone(), items)
            }
            DataType::Map(_, _) => map(array)?,
            other => match number(array).or_else(|| time(array)).or_else(|| text(array)) {
                Some(values) => values,
                None => return Self::converted(array, other),
            },
        };
        Ok(Self { nulls: array.nulls().cloned(), values })
    }

    /// Whether the value of a row is null.
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// A column of a type that is written like another one.
    fn converted(array: &ArrayRef, data_type: &DataType) -> Result<Self, ArrowError> {
        let Some(like) = like(data_type) else {
            let message = format!("values of type {data_type} cannot be written in messages");
            return Err(ArrowError::NotYetImplemented(message));
        };
        let array = cast(array, &like)?;
        if matches!(
            data_type,
            DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal256(..)
        ) {
            let values = Values::Digits(array.as_string::<i32>().clone());
            return Ok(Self { nulls: array.nulls().cloned(), values });
        }
        Self::new(&array)
    }
}

/// The type that values of a rarer type are written like.
pub(super) fn like(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        DataType::RunEndEncoded(_, value) => value.data_type().clone(),
        DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => DataType::List(FieldRef::clone(item)),
        DataType::LargeUtf8
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Duration(_)
        | DataType::Interval(_)
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal256(..) => DataType::Utf8,
        _ => return None,
    })
}

/// The items of a row's list.
pub(super) fn range(offsets: &OffsetBuffer<i32>, row: usize) -> std::ops::Range<usize> {
    let at =
        |row: usize| offsets.get(row).map_or(0, |offset| usize::try_from(*offset).unwrap_or(0));
    at(row)..at(row + 1)
}

fn number(array: &ArrayRef) -> Option<Values> {
    Some(match array.data_type() {
        DataType::Boolean => Values::Bool(array.as_boolean().clone()),
        DataType::Int8 => Values::I8(array.as_primitive::<Int8Type>().values().clone()),
        DataType::Int16 => Values::I16(array.as_primitive::<Int16Type>().values().clone()),
        DataType::Int32 => Values::I32(array.as_primitive::<Int32Type>().values().clone()),
        DataType::Int64 => Values::I64(array.as_primitive::<Int64Type>().values().clone()),
        DataType::UInt8 => Values::U8(array.as_primitive::<UInt8Type>().values().clone()),
        DataType::UInt16 => Values::U16(array.as_primitive::<UInt16Type>().values().clone()),
        DataType::UInt32 => Values::U32(array.as_primitive::<UInt32Type>().values().clone()),
        DataType::UInt64 => Values::U64(array.as_primitive::<UInt64Type>().values().clone()),
        DataType::Float32 => Values::F32(array.as_primitive::<Float32Type>().values().clone()),
        DataType::Float64 => Values::F64(array.as_primitive::<Float64Type>().values().clone()),
        DataType::Decimal128(_, scale) => {
            Values::Decimal(*scale, array.as_primitive::<Decimal128Type>().values().clone())
        }
        _ => return None,
    })
}

fn time(array: &ArrayRef) -> Option<Values> {
    let unit = match array.data_type() {
        DataType::Date32 => {
            return Some(Values::Date(array.as_primitive::<Date32Type>().values().clone()));
        }
        DataType::Timestamp(unit, _) => *unit,
        _ => return None,
    };
    let values = match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
    };
    Some(Values::Timestamp(unit, values.clone()))
}

fn text(array: &ArrayRef) -> Option<Values> {
    Some(match array.data_type() {
        DataType::Utf8 => Values::Utf8(array.as_string::<i32>().clone()),
        DataType::Utf8View => Values::Utf8View(array.as_string_view().clone()),
        DataType::Binary => Values::Binary(array.as_binary::<i32>().clone()),
        _ => return None,
    })
}

/// A map is an object; its keys are written as text.
fn map(array: &ArrayRef) -> Result<Values, ArrowError> {
    let map = array.as_map();
    let keys = cast(map.keys(), &DataType::Utf8)?;
    let values = Cell::new(map.values())?;
    Ok(Values::Map(map.offsets().clone(), keys.as_string::<i32>().clone(), Box::new(values)))
}

/// Checks that all columns can be written.
///
/// # Errors
/// `Config` for the first that cannot.
pub(super) fn check(schema: &Schema, format: &str) -> Result<()> {
    for field in schema.fields() {
        let empty = new_empty_array(field.data_type());
        Cell::new(&empty).map_err(|e| {
            let (name, data_type) = (field.name(), field.data_type());
            let message = format!("encode column `{name}` of type {data_type} as `{format}`");
            Error::config(codes::UNSUPPORTED_TYPE, message).with_source(e)
        })?;
    }
    Ok(())
}
