//! A column that grows by the values of a field and can forget the last ones, so that a bad record
//! leaves no trace.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, BooleanBufferBuilder, Decimal128Array, ListArray,
    NullBufferBuilder, PrimitiveArray, StringArray, StructArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Field, FieldRef, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use swiftwater_engine::{Error, Result, schema};

use super::problem::{Outcome, Problem};
use super::record::{Record, Rules};
use super::scan::Scanner;

/// Values of text or bytes, end to end.
#[derive(Debug)]
pub(super) struct Bytes {
    pub(super) offsets: Vec<i32>,
    pub(super) data: Vec<u8>,
}

impl Default for Bytes {
    fn default() -> Self {
        Self { offsets: vec![0], data: Vec::new() }
    }
}

impl Bytes {
    /// Ends a value. The batch holds less than 2 GiB, which the decoder sees to.
    #[inline]
    pub(super) fn end(&mut self) {
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
pub(super) struct Items {
    pub(super) field: FieldRef,
    pub(super) offsets: Vec<i32>,
    pub(super) column: Column,
}

/// The values of a column, null slots included.
#[derive(Debug)]
pub(super) enum Values {
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
    Struct(Box<Record>),
    List(Box<Items>),
}

/// One column of a record.
#[derive(Debug)]
pub(super) struct Column {
    field: FieldRef,
    /// The type as a topology file writes it, for messages.
    expected: String,
    pub(super) nulls: NullBufferBuilder,
    pub(super) values: Values,
}

impl Column {
    /// An empty column.
    pub(super) fn new(field: &FieldRef, rules: Rules) -> Result<Self> {
        let values = match field.data_type() {
            DataType::Boolean => Values::Bool(BooleanBufferBuilder::new(0)),
            DataType::Int8 => Values::I8(Vec::new()),
            DataType::Int16 => Values::I16(Vec::new()),
            DataType::Int32 => Values::I32(Vec::new()),
            DataType::Int64 => Values::I64(Vec::new()),
            DataType::UInt8 => Values::U8(Vec::new()),
            DataType::UInt16 => Values::U16(Vec::new()),
            DataType::UInt32 => Values::U32(Vec::new()),
            DataType::UInt64 => Values::U64(Vec::new()),
            DataType::Float32 => Values::F32(Vec::new()),
            DataType::Float64 => Values::F64(Vec::new()),
            DataType::Utf8 => Values::Utf8(Bytes::default()),
            DataType::Binary => Values::Binary(Bytes::default()),
            DataType::Date32 => Values::Date(Vec::new()),
            DataType::Timestamp(unit, _) => Values::Timestamp(*unit, Vec::new()),
            DataType::Decimal128(precision, scale) => {
                Values::Decimal(*precision, *scale, Vec::new())
            }
            DataType::Struct(fields) => Values::Struct(Box::new(Record::new(fields, rules)?)),
            DataType::List(item) => Values::List(Box::new(Items {
                field: Arc::clone(item),
                offsets: vec![0],
                column: Self::new(item, rules)?,
            })),
            other => return Err(unsupported(field, other)),
        };
        Ok(Self {
            field: Arc::clone(field),
            expected: schema::name(field.data_type()),
            nulls: NullBufferBuilder::new(0),
            values,
        })
    }

    pub(super) fn name(&self) -> &str {
        self.field.name()
    }

    pub(super) fn expected(&self) -> &str {
        &self.expected
    }

    pub(super) fn is_nullable(&self) -> bool {
        self.field.is_nullable()
    }

    /// Reads the value that is here and appends it. A value of another type is passed all the same
    /// and is an error that is not fatal.
    #[inline]
    pub(super) fn read(&mut self, scanner: &mut Scanner<'_>) -> Outcome {
        let start = scanner.at;
        if self.values.read(scanner)? {
            self.nulls.append_non_null();
            return Ok(());
        }
        self.read_other(scanner, start)
    }

    /// Reads a null, or a value that the column cannot hold.
    fn read_other(&mut self, scanner: &mut Scanner<'_>, start: usize) -> Outcome {
        scanner.at = start;
        scanner.skip()?;
        let value = scanner.since(start);
        if value != b"null" {
            return Err(Problem::wrong(&self.expected, value));
        }
        if !self.is_nullable() {
            return Err(Problem::missing(&self.expected));
        }
        self.append_null();
        Ok(())
    }

    /// Appends a null, also where none is allowed: the value of a field below a null struct.
    pub(super) fn append_null(&mut self) {
        self.nulls.append_null();
        match &mut self.values {
            Values::Bool(v) => v.append(false),
            Values::I8(v) => v.push(0),
            Values::I16(v) => v.push(0),
            Values::I32(v) | Values::Date(v) => v.push(0),
            Values::I64(v) | Values::Timestamp(_, v) => v.push(0),
            Values::U8(v) => v.push(0),
            Values::U16(v) => v.push(0),
            Values::U32(v) => v.push(0),
            Values::U64(v) => v.push(0),
            Values::F32(v) => v.push(0.0),
            Values::F64(v) => v.push(0.0),
            Values::Utf8(v) | Values::Binary(v) => v.end(),
            Values::Decimal(_, _, v) => v.push(0),
            Values::Struct(v) => v.append_nulls(),
            Values::List(v) => v.end(),
        }
    }

    /// Forgets all but the first values.
    pub(super) fn truncate(&mut self, len: usize) {
        self.nulls.truncate(len);
        match &mut self.values {
            Values::Bool(v) => v.truncate(len),
            Values::I8(v) => v.truncate(len),
            Values::I16(v) => v.truncate(len),
            Values::I32(v) | Values::Date(v) => v.truncate(len),
            Values::I64(v) | Values::Timestamp(_, v) => v.truncate(len),
            Values::U8(v) => v.truncate(len),
            Values::U16(v) => v.truncate(len),
            Values::U32(v) => v.truncate(len),
            Values::U64(v) => v.truncate(len),
            Values::F32(v) => v.truncate(len),
            Values::F64(v) => v.truncate(len),
            Values::Utf8(v) | Values::Binary(v) => v.truncate(len),
            Values::Decimal(_, _, v) => v.truncate(len),
            Values::Struct(v) => v.truncate(len),
            Values::List(v) => v.truncate(len),
        }
    }

    /// Makes room for so many more values.
    pub(super) fn reserve(&mut self, rows: usize) {
        match &mut self.values {
            Values::Bool(v) => v.reserve(rows),
            Values::I8(v) => v.reserve(rows),
            Values::I16(v) => v.reserve(rows),
            Values::I32(v) | Values::Date(v) => v.reserve(rows),
            Values::I64(v) | Values::Timestamp(_, v) => v.reserve(rows),
            Values::U8(v) => v.reserve(rows),
            Values::U16(v) => v.reserve(rows),
            Values::U32(v) => v.reserve(rows),
            Values::U64(v) => v.reserve(rows),
            Values::F32(v) => v.reserve(rows),
            Values::F64(v) => v.reserve(rows),
            Values::Utf8(v) | Values::Binary(v) => v.offsets.reserve(rows),
            Values::Decimal(_, _, v) => v.reserve(rows),
            Values::Struct(v) => v.reserve(rows),
            Values::List(v) => v.offsets.reserve(rows),
        }
    }

    /// The values as an array; the column is empty again.
    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        let nulls = self.nulls.finish();
        Ok(match &mut self.values {
            Values::Bool(v) => Arc::new(BooleanArray::new(v.finish(), nulls)),
            Values::I8(v) => primitive::<Int8Type>(v, nulls),
            Values::I16(v) => primitive::<Int16Type>(v, nulls),
            Values::I32(v) => primitive::<Int32Type>(v, nulls),
            Values::I64(v) => primitive::<Int64Type>(v, nulls),
            Values::U8(v) => primitive::<UInt8Type>(v, nulls),
            Values::U16(v) => primitive::<UInt16Type>(v, nulls),
            Values::U32(v) => primitive::<UInt32Type>(v, nulls),
            Values::U64(v) => primitive::<UInt64Type>(v, nulls),
            Values::F32(v) => primitive::<Float32Type>(v, nulls),
            Values::F64(v) => primitive::<Float64Type>(v, nulls),
            Values::Date(v) => primitive::<Date32Type>(v, nulls),
            Values::Timestamp(unit, v) => timestamps(*unit, v, nulls, &self.field),
            Values::Utf8(v) => {
                let (offsets, data) = v.finish();
                Arc::new(StringArray::try_new(offsets, data, nulls)?)
            }
            Values::Binary(v) => {
                let (offsets, data) = v.finish();
                Arc::new(BinaryArray::try_new(offsets, data, nulls)?)
            }
            Values::Decimal(precision, scale, v) => Arc::new(
                Decimal128Array::new(std::mem::take(v).into(), nulls)
                    .with_precision_and_scale(*precision, *scale)?,
            ),
            Values::Struct(v) => {
                let DataType::Struct(fields) = self.field.data_type() else {
                    return Err(Error::bug("finish a struct column of another type"));
                };
                let len = v.len();
                Arc::new(StructArray::try_new_with_length(fields.clone(), v.finish()?, nulls, len)?)
            }
            Values::List(v) => {
                let offsets = std::mem::replace(&mut v.offsets, vec![0]);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                let items = v.column.finish()?;
                Arc::new(ListArray::try_new(Arc::clone(&v.field), offsets, items, nulls)?)
            }
        })
    }
}

impl Items {
    /// Ends a list. The batch holds less than 2 GiB, which the decoder sees to.
    pub(super) fn end(&mut self) {
        let end = i32::try_from(self.column.nulls.len()).unwrap_or(i32::MAX);
        self.offsets.push(end);
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
    Error::config(
        crate::codec::codes::UNSUPPORTED_TYPE,
        format!("decode column `{}` of type {data_type} from `json`", field.name()),
    )
}
