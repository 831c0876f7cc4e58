//! The values of columns by type.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, BooleanBufferBuilder, Decimal128Array, ListArray,
    MapArray, PrimitiveArray, StringArray, StructArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Field, FieldRef, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use swiftwater_engine::{Error, Result};

use super::{Column, Group};
use crate::codec::codes;

/// Values of text or bytes, end to end.
#[derive(Debug)]
pub(in crate::codec) struct Bytes {
    pub(in crate::codec) offsets: Vec<i32>,
    pub(in crate::codec) data: Vec<u8>,
}

impl Default for Bytes {
    fn default() -> Self {
        Self { offsets: vec![0], data: Vec::new() }
    }
}

impl Bytes {
    /// Appends a value.
    #[inline]
    pub(in crate::codec) fn append(&mut self, value: &[u8]) {
        self.data.extend_from_slice(value);
        self.end();
    }

    /// Appends a value that is a part of `bytes`. A short one is copied with what stands behind it,
    /// which is then cut off: copying a fixed number of bytes takes no call.
    #[inline]
    pub(in crate::codec) fn append_part(&mut self, bytes: &[u8], start: usize, len: usize) {
        const SHORT: usize = 16;
        let block = bytes.get(start..).and_then(|rest| rest.first_chunk::<SHORT>());
        match block {
            Some(block) if len <= SHORT => {
                let end = self.data.len() + len;
                self.data.extend_from_slice(block);
                self.data.truncate(end);
                self.end();
            }
            _ => self.append(bytes.get(start..start + len).unwrap_or_default()),
        }
    }

    /// Ends a value. The payloads of a batch hold less than 2 GiB, which [`super::rows`] sees to.
    #[inline]
    pub(in crate::codec) fn end(&mut self) {
        let end = i32::try_from(self.data.len()).unwrap_or(i32::MAX);
        self.offsets.push(end);
    }

    fn truncate(&mut self, len: usize) {
        self.offsets.truncate(len + 1);
        let end = self.offsets.last().copied().unwrap_or(0);
        self.data.truncate(usize::try_from(end).unwrap_or(0));
    }

    fn finish(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        let rows = self.offsets.len();
        let next = Self {
            offsets: Vec::with_capacity(rows),
            data: Vec::with_capacity(self.data.len() + self.data.len() / 16),
        };
        let done = std::mem::replace(self, next);
        self.offsets.push(0);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(done.offsets));
        (offsets, Buffer::from_vec(done.data))
    }
}

/// Items of lists, end to end.
#[derive(Debug)]
pub(in crate::codec) struct Items {
    pub(in crate::codec) field: FieldRef,
    pub(in crate::codec) offsets: Vec<i32>,
    pub(in crate::codec) column: Column,
}

/// The values of a column, null slots included.
#[derive(Debug)]
pub(in crate::codec) enum Values {
    Bool(BooleanBufferBuilder),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Utf8(Bytes),
    Binary(Bytes),
    Date(Vec<i32>),
    Timestamp(TimeUnit, Vec<i64>),
    Decimal(u8, i8, Vec<i128>),
    Struct(Box<Group>),
    List(Box<Items>),
    /// Entries of maps; the items are structs of key and value.
    Map(Box<Items>),
}

impl Values {
    /// No values yet.
    pub(super) fn new(field: &Field) -> Result<Self> {
        Ok(match field.data_type() {
            DataType::Boolean => Self::Bool(BooleanBufferBuilder::new(0)),
            DataType::Int8 => Self::I8(Vec::new()),
            DataType::Int16 => Self::I16(Vec::new()),
            DataType::Int32 => Self::I32(Vec::new()),
            DataType::Int64 => Self::I64(Vec::new()),
            DataType::UInt8 => Self::U8(Vec::new()),
            DataType::UInt16 => Self::U16(Vec::new()),
            DataType::UInt32 => Self::U32(Vec::new()),
            DataType::UInt64 => Self::U64(Vec::new()),
            DataType::Float32 => Self::F32(Vec::new()),
            DataType::Float64 => Self::F64(Vec::new()),
            DataType::Utf8 => Self::Utf8(Bytes::default()),
            DataType::Binary => Self::Binary(Bytes::default()),
            DataType::Date32 => Self::Date(Vec::new()),
            DataType::Timestamp(unit, _) => Self::Timestamp(*unit, Vec::new()),
            DataType::Decimal128(precision, scale) => Self::Decimal(*precision, *scale, Vec::new()),
            DataType::Struct(fields) => Self::Struct(Box::new(Group::new(fields)?)),
            DataType::List(item) => Self::List(Box::new(Items {
                field: Arc::clone(item),
                offsets: vec![0],
                column: Column::new(item)?,
            })),
            DataType::Map(entries, _) => Self::Map(Box::new(Items {
                field: Arc::clone(entries),
                offsets: vec![0],
                column: Column::new(entries)?,
            })),
            other => return Err(unsupported(field, other)),
        })
    }

    /// Appends a value for a null slot.
    pub(super) fn append_null(&mut self) {
        match self {
            Self::Bool(v) => v.append(false),
            Self::I8(v) => v.push(0),
            Self::I16(v) => v.push(0),
            Self::I32(v) | Self::Date(v) => v.push(0),
            Self::I64(v) | Self::Timestamp(_, v) => v.push(0),
            Self::U8(v) => v.push(0),
            Self::U16(v) => v.push(0),
            Self::U32(v) => v.push(0),
            Self::U64(v) => v.push(0),
            Self::F32(v) => v.push(0.0),
            Self::F64(v) => v.push(0.0),
            Self::Utf8(v) | Self::Binary(v) => v.end(),
            Self::Decimal(_, _, v) => v.push(0),
            Self::Struct(v) => v.append_nulls(),
            Self::List(v) | Self::Map(v) => v.end(),
        }
    }

    /// Forgets all but the first values.
    pub(super) fn truncate(&mut self, len: usize) {
        match self {
            Self::Bool(v) => v.truncate(len),
            Self::I8(v) => v.truncate(len),
            Self::I16(v) => v.truncate(len),
            Self::I32(v) | Self::Date(v) => v.truncate(len),
            Self::I64(v) | Self::Timestamp(_, v) => v.truncate(len),
            Self::U8(v) => v.truncate(len),
            Self::U16(v) => v.truncate(len),
            Self::U32(v) => v.truncate(len),
            Self::U64(v) => v.truncate(len),
            Self::F32(v) => v.truncate(len),
            Self::F64(v) => v.truncate(len),
            Self::Utf8(v) | Self::Binary(v) => v.truncate(len),
            Self::Decimal(_, _, v) => v.truncate(len),
            Self::Struct(v) => v.truncate(len),
            Self::List(v) | Self::Map(v) => v.truncate(len),
        }
    }

    /// Makes room for so many more values.
    pub(super) fn reserve(&mut self, rows: usize) {
        match self {
            Self::Bool(v) => v.reserve(rows),
            Self::I8(v) => v.reserve(rows),
            Self::I16(v) => v.reserve(rows),
            Self::I32(v) | Self::Date(v) => v.reserve(rows),
            Self::I64(v) | Self::Timestamp(_, v) => v.reserve(rows),
            Self::U8(v) => v.reserve(rows),
            Self::U16(v) => v.reserve(rows),
            Self::U32(v) => v.reserve(rows),
            Self::U64(v) => v.reserve(rows),
            Self::F32(v) => v.reserve(rows),
            Self::F64(v) => v.reserve(rows),
            Self::Utf8(v) | Self::Binary(v) => v.offsets.reserve(rows),
            Self::Decimal(_, _, v) => v.reserve(rows),
            Self::Struct(v) => v.reserve(rows),
            Self::List(v) | Self::Map(v) => v.offsets.reserve(rows),
        }
    }

    /// The values as an array; there are none left.
    pub(super) fn finish(&mut self, field: &Field, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        Ok(match self {
            Self::Bool(v) => Arc::new(BooleanArray::new(v.finish(), nulls)),
            Self::I8(v) => primitive::<Int8Type>(v, nulls),
            Self::I16(v) => primitive::<Int16Type>(v, nulls),
            Self::I32(v) => primitive::<Int32Type>(v, nulls),
            Self::I64(v) => primitive::<Int64Type>(v, nulls),
            Self::U8(v) => primitive::<UInt8Type>(v, nulls),
            Self::U16(v) => primitive::<UInt16Type>(v, nulls),
            Self::U32(v) => primitive::<UInt32Type>(v, nulls),
            Self::U64(v) => primitive::<UInt64Type>(v, nulls),
            Self::F32(v) => primitive::<Float32Type>(v, nulls),
            Self::F64(v) => primitive::<Float64Type>(v, nulls),
            Self::Date(v) => primitive::<Date32Type>(v, nulls),
            Self::Timestamp(unit, v) => timestamps(*unit, v, nulls, field),
            Self::Utf8(v) => {
                let (offsets, data) = v.finish();
                Arc::new(StringArray::try_new(offsets, data, nulls)?)
            }
            Self::Binary(v) => {
                let (offsets, data) = v.finish();
                Arc::new(BinaryArray::try_new(offsets, data, nulls)?)
            }
            Self::Decimal(precision, scale, v) => Arc::new(
                Decimal128Array::new(std::mem::take(v).into(), nulls)
                    .with_precision_and_scale(*precision, *scale)?,
            ),
            Self::Struct(v) => {
                let DataType::Struct(fields) = field.data_type() else {
                    return Err(Error::bug("finish a struct column of another type"));
                };
                let len = v.len();
                Arc::new(StructArray::try_new_with_length(fields.clone(), v.finish()?, nulls, len)?)
            }
            Self::List(v) => {
                let (offsets, items) = v.finish()?;
                let item = Arc::clone(&v.field);
                Arc::new(ListArray::try_new(item, offsets, items, nulls)?)
            }
            Self::Map(v) => {
                let (offsets, entries) = v.finish()?;
                let (field, entries) = (Arc::clone(&v.field), entries.as_struct().clone());
                Arc::new(MapArray::try_new(field, offsets, entries, nulls, false)?)
            }
        })
    }
}

impl Items {
    /// Ends a list. The payloads of a batch hold less than 2 GiB, which [`super::rows`] sees to.
    pub(in crate::codec) fn end(&mut self) {
        let end = i32::try_from(self.column.nulls.len()).unwrap_or(i32::MAX);
        self.offsets.push(end);
    }

    fn finish(&mut self) -> Result<(OffsetBuffer<i32>, ArrayRef)> {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok((offsets, self.column.finish()?))
    }

    fn truncate(&mut self, len: usize) {
        self.offsets.truncate(len + 1);
        let end = self.offsets.last().copied().unwrap_or(0);
        self.column.truncate(usize::try_from(end).unwrap_or(0));
    }
}

fn primitive<T: ArrowPrimitiveType>(
    values: &mut Vec<T::Native>,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    let values = std::mem::take(values);
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls))
}

fn timestamps(
    unit: TimeUnit,
    values: &mut Vec<i64>,
    nulls: Option<NullBuffer>,
    field: &Field,
) -> ArrayRef {
    let values: ScalarBuffer<i64> = std::mem::take(values).into();
    let zone = match field.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    macro_rules! array {
        ($type:ty) => {
            Arc::new(PrimitiveArray::<$type>::new(values, nulls).with_timezone_opt(zone))
                as ArrayRef
        };
    }
    match unit {
        TimeUnit::Second => array!(TimestampSecondType),
        TimeUnit::Millisecond => array!(TimestampMillisecondType),
        TimeUnit::Microsecond => array!(TimestampMicrosecondType),
        TimeUnit::Nanosecond => array!(TimestampNanosecondType),
    }
}

fn unsupported(field: &Field, data_type: &DataType) -> Error {
    let message = format!("decode column `{}` of type {data_type}", field.name());
    Error::config(codes::UNSUPPORTED_TYPE, message)
}
