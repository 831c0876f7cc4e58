//! Columns of features, built value by value.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, StringBuilder};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use swiftwater_engine::Result;

use super::answer::Answer;
use super::shape::Cells;
use super::texts::Texts;

/// A column that grows.
pub(super) struct Column {
    values: Values,
    data_type: DataType,
    on_empty: Option<f64>,
}

enum Values {
    Integers(Vec<Option<i64>>),
    Floats(Vec<Option<f64>>),
    Texts(StringBuilder),
    Lists { ends: Vec<usize>, items: Box<Self> },
}

impl Values {
    fn of(cells: Cells) -> Self {
        match cells {
            Cells::Integer => Self::Integers(Vec::new()),
            Cells::Float => Self::Floats(Vec::new()),
            Cells::Text => Self::Texts(StringBuilder::new()),
        }
    }

    fn push_cell(&mut self, cell: Option<u64>, texts: &Texts) {
        match self {
            Self::Integers(values) => values.push(cell.map(u64::cast_signed)),
            Self::Floats(values) => values.push(cell.map(f64::from_bits)),
            Self::Texts(values) => {
                let id = cell.and_then(|cell| u32::try_from(cell).ok());
                values.append_option(id.and_then(|id| texts.get(id)));
            }
            Self::Lists { .. } => {}
        }
    }

    fn len(&self) -> usize {
        use arrow::array::ArrayBuilder as _;
        match self {
            Self::Integers(values) => values.len(),
            Self::Floats(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::Lists { ends, .. } => ends.len(),
        }
    }

    fn finish(self, data_type: &DataType) -> Result<ArrayRef> {
        let values: ArrayRef = match self {
            Self::Integers(values) => Arc::new(Int64Array::from(values)),
            Self::Floats(values) => Arc::new(Float64Array::from(values)),
            Self::Texts(mut values) => Arc::new(values.finish()),
            Self::Lists { ends, items } => {
                let DataType::List(item) = data_type else { return items.finish(data_type) };
                let starts = [0].into_iter().chain(ends.iter().copied());
                let lengths = starts.zip(&ends).map(|(start, end)| end - start);
                let offsets = OffsetBuffer::from_lengths(lengths);
                let items = items.finish(item.data_type())?;
                Arc::new(ListArray::try_new(Arc::clone(item), offsets, items, None)?)
            }
        };
        Ok(match data_type {
            DataType::Date32 => cast(&cast(&values, &DataType::Int32)?, data_type)?,
            other if values.data_type() == other => values,
            other => cast(&values, other)?,
        })
    }
}

impl Column {
    /// A column for a feature over values that are held as `cells`.
    pub(super) fn new(field: &Field, cells: Cells, on_empty: Option<f64>) -> Self {
        let values = match field.data_type() {
            DataType::List(_) => {
                Values::Lists { ends: Vec::new(), items: Box::new(Values::of(cells)) }
            }
            _ => Values::of(cells),
        };
        Self { values, data_type: field.data_type().clone(), on_empty }
    }

    /// Adds the value of the next row.
    pub(super) fn push(&mut self, answer: Answer, texts: &Texts) {
        let on_empty = self.on_empty;
        match (&mut self.values, answer) {
            (Values::Lists { ends, items }, Answer::Cells(cells)) => {
                cells.into_iter().for_each(|cell| items.push_cell(Some(cell), texts));
                ends.push(items.len());
            }
            (Values::Lists { ends, items }, _) => ends.push(items.len()),
            (values, Answer::Cell(cell)) => values.push_cell(Some(cell), texts),
            (Values::Integers(values), Answer::Integer(value)) => values.push(Some(value)),
            (Values::Floats(values), Answer::Float(value)) => values.push(Some(value)),
            (Values::Floats(values), _) => values.push(on_empty),
            #[expect(clippy::cast_possible_truncation, reason = "whole by `check`")]
            (Values::Integers(values), _) => values.push(on_empty.map(|v| v as i64)),
            (values @ Values::Texts(_), _) => values.push_cell(None, texts),
        }
    }

    /// The column as an array.
    pub(super) fn finish(self) -> Result<ArrayRef> {
        self.values.finish(&self.data_type)
    }

    /// How a feature of this type is built.
    pub(super) fn cells_for(data_type: &DataType, argument: Option<Cells>) -> Cells {
        match data_type {
            DataType::Float64 => Cells::Float,
            DataType::Int64 => Cells::Integer,
            _ => argument.unwrap_or(Cells::Integer),
        }
    }
}
