//! Key columns in the form in which they are compared: one integer as an `i64`, anything else as
//! the bytes of Arrow's row format, which sort as the values do.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, PrimitiveArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type, SchemaRef, UInt64Type};
use arrow::row::{RowConverter, Rows, SortField};
use swiftwater_engine::{Error, Result};

use crate::expression::fault;

/// The key columns of a node.
#[derive(Debug, Clone)]
pub(crate) struct KeyColumns {
    /// Their numbers in the input.
    numbers: Vec<usize>,
    fields: Vec<FieldRef>,
    converter: Option<Arc<RowConverter>>,
}

/// The keys of the rows of one batch.
#[derive(Debug)]
pub(crate) enum Keys {
    /// There is no key column: all rows have the same key.
    One,
    /// One integer column.
    Integers(Int64Array),
    /// Anything else.
    Bytes(Rows),
}

/// Moves unsigned values so that they keep their order as signed ones.
const fn signed(value: u64) -> i64 {
    (value ^ (1 << 63)).cast_signed()
}

const fn unsigned(value: i64) -> u64 {
    value.cast_unsigned() ^ (1 << 63)
}

impl KeyColumns {
    /// The columns of these names.
    ///
    /// # Errors
    /// `Config`: `SW0301` unknown column, `SW0303` for a type that cannot be a key.
    pub(crate) fn plan(names: &[String], schema: &SchemaRef) -> Result<Self> {
        let mut numbers = Vec::with_capacity(names.len());
        for (place, name) in names.iter().enumerate() {
            let found = schema.column_with_name(name);
            let (number, _) = found.ok_or_else(|| fault::unknown_column(name, "key", schema))?;
            if names.iter().take(place).any(|earlier| earlier == name) {
                return Err(fault::duplicate(name, "key"));
            }
            numbers.push(number);
        }
        let fields: Vec<FieldRef> =
            numbers.iter().map(|n| Arc::new(schema.field(*n).clone())).collect();
        Self::of(numbers, fields)
    }

    fn of(numbers: Vec<usize>, fields: Vec<FieldRef>) -> Result<Self> {
        let plain = match fields.as_slice() {
            [] => true,
            [one] => is_integer(one.data_type()),
            _ => false,
        };
        let sort: Vec<_> = fields.iter().map(|f| SortField::new(f.data_type().clone())).collect();
        let converter = (!plain).then(|| RowConverter::new(sort)).transpose().map_err(|e| {
            let names: Vec<_> = fields.iter().map(|f| f.name().as_str()).collect();
            Error::config("SW0303", format!("use `{}` as a key", names.join("`, `"))).with_source(e)
        })?;
        Ok(Self { numbers, fields, converter: converter.map(Arc::new) })
    }

    /// The same columns as the first ones of a batch, as in stored state.
    pub(crate) fn leading(&self) -> Self {
        Self { numbers: (0..self.fields.len()).collect(), ..self.clone() }
    }

    /// The columns as they are in the input.
    pub(crate) fn fields(&self) -> &[FieldRef] {
        &self.fields
    }

    /// The key columns of a batch.
    pub(crate) fn columns(&self, records: &RecordBatch) -> Vec<ArrayRef> {
        self.numbers.iter().map(|n| Arc::clone(records.column(*n))).collect()
    }

    /// The keys in these columns, which are those of [`KeyColumns::columns`].
    ///
    /// # Errors
    /// `Bug` where the columns are others.
    pub(crate) fn keys(&self, columns: &[ArrayRef]) -> Result<Keys> {
        if let Some(converter) = &self.converter {
            return Ok(Keys::Bytes(converter.convert_columns(columns)?));
        }
        Ok(match columns {
            [one] => Keys::Integers(to_integers(one)?),
            _ => Keys::One,
        })
    }

    /// Columns of integer keys.
    pub(super) fn of_integers(
        &self,
        values: Vec<i64>,
        nulls: Option<NullBuffer>,
    ) -> Result<Vec<ArrayRef>> {
        let field = self.fields.first().ok_or_else(|| Error::bug("find the key column"))?;
        let values = Int64Array::new(values.into(), nulls);
        let column: ArrayRef = match field.data_type() {
            DataType::UInt64 => Arc::new(values.unary::<_, UInt64Type>(unsigned)) as ArrayRef,
            DataType::Date32 | DataType::Time32(_) => {
                cast(&cast(&values, &DataType::Int32)?, field.data_type())?
            }
            other => cast(&values, other)?,
        };
        Ok(vec![column])
    }

    /// Columns of keys in the row format.
    pub(super) fn of_bytes<'a>(
        &self,
        keys: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Vec<ArrayRef>> {
        let converter =
            self.converter.as_ref().ok_or_else(|| Error::bug("read keys that are no bytes"))?;
        let parser = converter.parser();
        Ok(converter.convert_rows(keys.map(|key| parser.parse(key)))?)
    }
}

fn is_integer(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(
            data_type,
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Time64(_)
        )
}

fn to_integers(column: &ArrayRef) -> Result<Int64Array> {
    Ok(match column.data_type() {
        DataType::UInt64 => {
            let values: &PrimitiveArray<UInt64Type> = column.as_primitive();
            values.unary::<_, Int64Type>(signed)
        }
        DataType::Date32 => to_integers(&cast(column, &DataType::Int32)?)?,
        _ => cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone(),
    })
}

impl Keys {
    /// Number of a null key among integers, told before the value.
    pub(super) fn is_null(values: &Int64Array, row: usize) -> bool {
        values.nulls().is_some_and(|n| n.is_null(row))
    }
}
