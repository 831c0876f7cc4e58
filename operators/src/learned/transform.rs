//! How a row's value becomes another by what was learned before it.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Float64Array, Float64Builder,
    Int64Builder, RecordBatch, StringArray, StringBuilder,
};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{cast, not, nullif};
use arrow::datatypes::{DataType, Field, Float64Type};
use swiftwater_engine::Result;

use super::fit::{Fit, Spec};

/// A value of a row; NaN and infinity are null.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Number(f64),
    Text(&'a str),
}

/// What it becomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Answer<'a> {
    Null,
    Number(f64),
    Integer(i64),
    Flag(bool),
    Text(&'a str),
}

/// How the values of a column are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    Numbers,
    Texts,
}

/// What was learned, as of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) fit: &'a Fit,
    pub(crate) spec: &'a Spec,
    /// Event time of the row in microseconds; 0 where rows pass without one.
    pub(crate) time: i64,
}

/// A transformation of values one by one.
pub(crate) trait Transform: Send + Sync {
    /// The value of a row by what is known before it.
    fn one<'a>(&'a self, known: Known<'a>, value: Value<'a>) -> Answer<'a>;
}

/// A column that a node makes.
#[derive(Clone)]
pub(crate) struct Column {
    /// Number of the column it is made from.
    pub(crate) source: usize,
    /// Its name; where the input has it, it takes that one's place.
    pub(crate) field: Arc<Field>,
    pub(crate) reads: Reads,
    pub(crate) spec: Spec,
    /// Whether it learns from the second input.
    pub(crate) supervised: bool,
    /// Whether only the nulls of the source are replaced.
    pub(crate) fills: bool,
    /// What the method is, for the layout of the state.
    pub(crate) method: String,
    pub(crate) transform: Arc<dyn Transform>,
}

/// Values of a batch as they are read.
pub(super) enum Values {
    Numbers(Float64Array),
    Texts(StringArray),
}

impl Values {
    /// Reads a column; infinite values are counted.
    pub(super) fn of(column: &ArrayRef, reads: Reads) -> Result<(Self, usize)> {
        if reads == Reads::Texts && !column.data_type().is_floating() {
            let texts = cast(column, &DataType::Utf8)?;
            return Ok((Self::Texts(texts.as_string::<i32>().clone()), 0));
        }
        let numbers = cast(column, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let infinite = numbers.iter().flatten().filter(|v| v.is_infinite()).count();
        if reads == Reads::Texts {
            let finite = numbers.iter().map(|x| x.map(f64::is_finite)).collect::<BooleanArray>();
            let kept = nullif(column, &not(&finite)?)?;
            return Ok((Self::Texts(cast(&kept, &DataType::Utf8)?.as_string().clone()), infinite));
        }
        Ok((Self::Numbers(numbers.clone()), infinite))
    }

    pub(super) fn get(&self, row: usize) -> Value<'_> {
        match self {
            Self::Numbers(values) if values.is_valid(row) && values.value(row).is_finite() => {
                Value::Number(values.value(row))
            }
            Self::Texts(values) if values.is_valid(row) => Value::Text(values.value(row)),
            _ => Value::Null,
        }
    }
}

/// A column that grows.
pub(super) enum Growing {
    Numbers(Float64Builder),
    Integers(Int64Builder),
    Flags(BooleanBuilder),
    Texts(StringBuilder),
}

impl Growing {
    pub(super) fn new(of: &DataType, rows: usize) -> Self {
        match of {
            DataType::Float64 => Self::Numbers(Float64Builder::with_capacity(rows)),
            DataType::Int64 => Self::Integers(Int64Builder::with_capacity(rows)),
            DataType::Boolean => Self::Flags(BooleanBuilder::with_capacity(rows)),
            _ => Self::Texts(StringBuilder::new()),
        }
    }

    /// Adds an answer; `false` where it is infinite or no number, and null instead.
    pub(super) fn push(&mut self, answer: Answer<'_>) -> bool {
        match (self, answer) {
            (Self::Numbers(values), Answer::Number(x)) if x.is_finite() => values.append_value(x),
            (Self::Numbers(values), Answer::Number(_)) => {
                values.append_null();
                return false;
            }
            (Self::Numbers(values), Answer::Text(text)) => values.append_option(text.parse().ok()),
            (Self::Numbers(values), _) => values.append_null(),
            (Self::Integers(values), Answer::Integer(x)) => values.append_value(x),
            (Self::Integers(values), Answer::Text(text)) => {
                values.append_option(text.parse().ok());
            }
            (Self::Integers(values), _) => values.append_null(),
            (Self::Flags(values), Answer::Flag(x)) => values.append_value(x),
            (Self::Flags(values), Answer::Text(text)) => values.append_option(text.parse().ok()),
            (Self::Flags(values), _) => values.append_null(),
            (Self::Texts(values), Answer::Text(text)) => values.append_value(text),
            (Self::Texts(values), _) => values.append_null(),
        }
        true
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Numbers(values) => Arc::new(values.finish()),
            Self::Integers(values) => Arc::new(values.finish()),
            Self::Flags(values) => Arc::new(values.finish()),
            Self::Texts(values) => Arc::new(values.finish()),
        }
    }

    /// The column, in the type it is declared with.
    pub(super) fn into_column(
        mut self,
        column: &Column,
        (records, values): (&RecordBatch, &Values),
    ) -> Result<ArrayRef> {
        let of = column.field.data_type();
        let grown = cast(&self.finish(), of)?;
        if !column.fills {
            return Ok(grown);
        }
        let missing = (0..grown.len()).map(|row| Some(values.get(row) == Value::Null)).collect();
        let source = cast(records.column(column.source), of)?;
        Ok(zip(&missing, &grown, &source)?)
    }
}
