//! The arguments of several rows, row by row, as cells.

use arrow::array::{Array as _, ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};

use super::shape::{Cells, Row};
use super::texts::Texts;

/// The arguments of several rows.
pub(super) struct Taken {
    cells: Vec<u64>,
    present: Vec<u64>,
    width: usize,
}

impl Taken {
    /// Values of rows. Each row holds its texts until it is released.
    pub(super) fn of(arrays: &[ArrayRef], of: &[Cells], rows: usize, texts: &mut Texts) -> Self {
        let width = arrays.len();
        let mut taken = Self { cells: vec![0; rows * width], present: vec![0; rows], width };
        for (number, (array, cells)) in arrays.iter().zip(of).enumerate() {
            let places = taken.cells.iter_mut().skip(number).step_by(width.max(1));
            for (row, (place, present)) in places.zip(&mut taken.present).enumerate() {
                if array.is_null(row) {
                    continue;
                }
                *present |= 1 << number;
                *place = match cells {
                    Cells::Integer => array.as_primitive::<Int64Type>().value(row).cast_unsigned(),
                    Cells::Float => array.as_primitive::<Float64Type>().value(row).to_bits(),
                    Cells::Text => texts.take(array.as_string::<i32>().value(row)).into(),
                };
            }
        }
        taken
    }

    pub(super) fn row(&self, row: usize, time: i64) -> Row<'_> {
        let from = row * self.width;
        let cells = self.cells.get(from..from + self.width).unwrap_or_default();
        Row { time, cells, present: self.present.get(row).copied().unwrap_or(0) }
    }

    /// Bytes of memory.
    pub(super) const fn bytes(&self) -> usize {
        (self.cells.capacity() + self.present.capacity()) * 8
    }
}
