//! Columns of features, built value by value.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Float64Array, Int64Array, ListArray, MapArray, StringBuilder,
    StructArray,
};
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
    Maps { ends: Vec<usize>, names: StringBuilder, values: Box<Self> },
    Bytes(BinaryBuilder),
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
            Self::Lists { .. } | Self::Maps { .. } | Self::Bytes(_) => {}
        }
    }

    fn push(&mut self, answer: Answer, texts: &Texts, on_empty: Option<f64>) {
        match (self, answer) {
            (Self::Lists { ends, items }, answer) => {
                match answer {
                    Answer::Cells(cells) => {
                        cells.into_iter().for_each(|cell| items.push_cell(Some(cell), texts));
                    }
                    Answer::Texts(all) => {
                        all.into_iter().for_each(|text| items.push(Answer::Text(text), texts, None))
                    }
                    _ => {}
                }
                ends.push(items.len());
            }
            (Self::Maps { ends, names, values }, answer) => {
                if let Answer::Map(entries) = answer {
                    for (name, value) in entries {
                        names.append_value(&name);
                        values.push(value, texts, None);
                    }
                }
                ends.push(values.len());
            }
            (Self::Bytes(values), Answer::Bytes(bytes)) => values.append_value(bytes),
            (Self::Bytes(values), _) => values.append_null(),
            (Self::Texts(values), Answer::Text(text)) => values.append_value(text),
            (values, Answer::Cell(cell)) => values.push_cell(Some(cell), texts),
            (Self::Integers(values), Answer::Integer(value)) => values.push(Some(value)),
            (Self::Floats(values), Answer::Float(value)) => values.push(Some(value)),
            (Self::Floats(values), _) => values.push(on_empty),
            #[expect(clippy::cast_possible_truncation, reason = "whole by `check`")]
            (Self::Integers(values), _) => values.push(on_empty.map(|v| v as i64)),
            (values @ Self::Texts(_), _) => values.push_cell(None, texts),
        }
    }

    fn len(&self) -> usize {
        use arrow::array::ArrayBuilder as _;
        match self {
            Self::Integers(values) => values.len(),
            Self::Floats(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::Lists { ends, .. } | Self::Maps { ends, .. } => ends.len(),
            Self::Bytes(values) => values.len(),
        }
    }

    fn finish(self, data_type: &DataType) -> Result<ArrayRef> {
        let values: ArrayRef = match self {
            Self::Integers(values) => Arc::new(Int64Array::from(values)),
            Self::Floats(values) => Arc::new(Float64Array::from(values)),
            Self::Texts(mut values) => Arc::new(values.finish()),
            Self::Lists { ends, items } => {
                let DataType::List(item) = data_type else { return items.finish(data_type) };
                let items = items.finish(item.data_type())?;
                Arc::new(ListArray::try_new(Arc::clone(item), offsets(&ends), items, None)?)
            }
            Self::Maps { ends, mut names, values } => {
                let DataType::Map(entry, _) = data_type else { return values.finish(data_type) };
                let DataType::Struct(fields) = entry.data_type() else {
                    return values.finish(data_type);
                };
                let of = fields.last().map_or(&DataType::Int64, |field| field.data_type());
                let columns: Vec<ArrayRef> = vec![Arc::new(names.finish()), values.finish(of)?];
                let entries = StructArray::try_new(fields.clone(), columns, None)?;
                let ends = offsets(&ends);
                Arc::new(MapArray::try_new(Arc::clone(entry), ends, entries, None, false)?)
            }
            Self::Bytes(mut values) => Arc::new(values.finish()),
        };
        Ok(match data_type {
            DataType::Date32 => cast(&cast(&values, &DataType::Int32)?, data_type)?,
            other if values.data_type() == other => values,
            other => cast(&values, other)?,
        })
    }
}

/// Where lists begin and end that end at these places.
fn offsets(ends: &[usize]) -> OffsetBuffer<i32> {
    let starts = [0].into_iter().chain(ends.iter().copied());
    OffsetBuffer::from_lengths(starts.zip(ends).map(|(start, end)| end - start))
}

impl Column {
    /// A column for a feature over values that are held as `cells`.
    pub(super) fn new(field: &Field, cells: Cells, on_empty: Option<f64>) -> Self {
        let values = match field.data_type() {
            DataType::List(_) => {
                Values::Lists { ends: Vec::new(), items: Box::new(Values::of(cells)) }
            }
            DataType::Map(..) => Values::Maps {
                ends: Vec::new(),
                names: StringBuilder::new(),
                values: Box::new(Values::of(cells)),
            },
            DataType::Binary => Values::Bytes(BinaryBuilder::new()),
            _ => Values::of(cells),
        };
        Self { values, data_type: field.data_type().clone(), on_empty }
    }

    /// Adds the value of the next row.
    pub(super) fn push(&mut self, answer: Answer, texts: &Texts) {
        self.values.push(answer, texts, self.on_empty);
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
            DataType::List(item) => Self::cells_for(item.data_type(), argument),
            DataType::Map(entry, _) => match entry.data_type() {
                DataType::Struct(fields) => fields
                    .last()
                    .map_or(Cells::Integer, |field| Self::cells_for(field.data_type(), argument)),
                _ => Cells::Integer,
            },
            _ => argument.unwrap_or(Cells::Integer),
        }
    }
}
