//! Rows to cells, cells to counts, counts to rows.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    RecordBatchOptions, StringArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Float64Type, Int32Type, TimeUnit};
use hashbrown::HashMap;
use swiftwater_engine::random::Stream;
use swiftwater_engine::{Error, Output, Result};

use super::CLOSES_BEFORE;
use super::options::Outside;
use super::plan::{Dimension, Plan};
use crate::keyed::{Times, set_aside};
use crate::privacy::accounting::as_rho;

impl Dimension {
    /// The cell of each row; none outside of the domain.
    fn cells(&self, column: &ArrayRef) -> Result<Vec<Option<i32>>> {
        let cell = |place: usize| i32::try_from(place).ok();
        if let Some(edges) = &self.edges {
            let last = edges.len().saturating_sub(2);
            let numbers = cast(column, &DataType::Float64)?;
            let place = |n: f64| edges.partition_point(|e| *e <= n).saturating_sub(1).min(last);
            let numbers = numbers.as_primitive::<Float64Type>().iter();
            return Ok(numbers
                .map(|n| n.filter(|n| !n.is_nan()).map(place).and_then(cell))
                .collect());
        }
        let places: HashMap<&str, i32> =
            (0..).zip(&self.labels).map(|(n, label)| (label.as_str(), n)).collect();
        let texts = cast(column, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>().iter();
        Ok(texts.map(|text| text.and_then(|text| places.get(text).copied())).collect())
    }
}

impl Plan {
    /// Rows as they wait. Those outside of the domain are dealt with.
    pub(super) fn cells(&self, times: Times, out: &mut Output) -> Result<(Times, RecordBatch)> {
        let rows = times.rows();
        let mut outside: Vec<Option<&str>> = vec![None; rows];
        let mut columns: Vec<ArrayRef> = Vec::new();
        if let Some((name, column)) = &self.entity {
            let texts = cast(times.batch.records.column(*column), &DataType::Utf8)?;
            let nulls = outside.iter_mut().enumerate().filter(|(row, _)| texts.is_null(*row));
            nulls.for_each(|(_, outside)| *outside = Some(name));
            columns.push(texts);
        }
        for dimension in &self.dimensions {
            let cells = dimension.cells(times.batch.records.column(dimension.column))?;
            let other = i32::try_from(dimension.labels.len()).unwrap_or(i32::MAX) - 1;
            let mut placed = Vec::with_capacity(rows);
            for (cell, outside) in cells.into_iter().zip(&mut outside) {
                if cell.is_none() && self.outside != Outside::Other {
                    outside.get_or_insert(&dimension.name);
                }
                placed.push(cell.unwrap_or(other));
            }
            columns.push(Arc::new(Int32Array::from(placed)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        if outside.iter().all(Option::is_none) {
            let held = Arc::clone(&self.held);
            return Ok((times, RecordBatch::try_new_with_options(held, columns, &options)?));
        }
        for (row, column) in outside.iter().enumerate() {
            let Some(column) = column else { continue };
            match self.outside {
                // Without the value: messages go where rows may not.
                Outside::DeadLetter | Outside::Other => {
                    let message =
                        format!("count a row whose `{column}` is outside of the public domain");
                    set_aside(&times.batch, row, &Error::data("SW3261", message), out);
                }
                Outside::Drop => out.count_dropped("outside_domain", 1),
            }
        }
        let kept = (0_u32..).zip(&outside).filter(|(_, o)| o.is_none()).map(|(row, _)| row);
        let kept: UInt32Array = kept.collect();
        let columns = columns.iter().map(|c| arrow::compute::take(c, &kept, None));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(kept.len()));
        let held = RecordBatch::try_new_with_options(Arc::clone(&self.held), columns, &options)?;
        let batch = times.batch.with_records(take_record_batch(&times.batch.records, &kept)?);
        let at = kept.values().iter().filter_map(|row| times.times.get(*row as usize).copied());
        Ok((Times { times: at.collect(), batch }, held))
    }

    /// The true counts of a window, of which at most so many rows of each entity count.
    pub(super) fn count(&self, parts: &[RecordBatch], window: i64) -> Result<Vec<i64>> {
        let rows = arrow::compute::concat_batches(&self.held, parts)?;
        let cells = rows.columns().iter().filter_map(|c| c.as_primitive_opt::<Int32Type>());
        let cells: Vec<&Int32Array> = cells.collect();
        let chosen = self.chosen(&rows, window);
        let mut counts = Vec::new();
        for (_, dimensions) in &self.tables {
            let from = counts.len();
            counts.resize(from + self.size_of(dimensions), 0_i64);
            for row in &chosen {
                let mut cell = 0;
                for number in dimensions {
                    let size = self.dimensions.get(*number).map_or(1, |d| d.labels.len());
                    let here = cells.get(*number).map_or(0, |c| c.value(*row));
                    cell = cell * size + usize::try_from(here).unwrap_or(0);
                }
                let count = counts.get_mut(from + cell);
                *count.ok_or_else(|| Error::bug("find the cell of a private count"))? += 1;
            }
        }
        Ok(counts)
    }

    /// Numbers of the rows that count. Which of an entity's rows do depends on that entity alone.
    fn chosen(&self, rows: &RecordBatch, window: i64) -> Vec<usize> {
        let entities = rows.columns().first().and_then(|c| c.as_string_opt::<i32>());
        let (Some(_), Some(entities)) = (&self.entity, entities) else {
            return (0..rows.num_rows()).collect();
        };
        let mut of: HashMap<&str, Vec<usize>> = HashMap::new();
        entities.iter().enumerate().for_each(|(row, entity)| {
            of.entry(entity.unwrap_or_default()).or_default().push(row);
        });
        let mut chosen = Vec::new();
        for (entity, rows) in of {
            let draw = Stream::new(window.cast_unsigned(), entity, 0);
            let mut drawn: Vec<(u64, usize)> =
                (0..).zip(rows).map(|(n, row)| (draw.at(n), row)).collect();
            drawn.sort_unstable();
            chosen.extend(drawn.into_iter().take(self.most).map(|(_, row)| row));
        }
        chosen
    }

    fn size_of(&self, dimensions: &[usize]) -> usize {
        dimensions.iter().filter_map(|n| self.dimensions.get(*n)).map(|d| d.labels.len()).product()
    }

    /// What is published of a window.
    pub(super) fn rows(&self, start: i64, numbers: &[i64]) -> Result<RecordBatch> {
        let rows = numbers.len();
        let time = |time: i64| -> Result<ArrayRef> {
            let times = TimestampMicrosecondArray::from_value(time, rows);
            Ok(cast(&times, &DataType::Timestamp(TimeUnit::Millisecond, None))?)
        };
        let end = start.saturating_add(self.size);
        let mut columns: Vec<ArrayRef> =
            vec![time(start)?, time(end)?, time(end.saturating_sub(CLOSES_BEFORE))?];
        let names = self.tables.iter().flat_map(|(name, dimensions)| {
            std::iter::repeat_n(Some(name.as_str()), self.size_of(dimensions))
        });
        columns.push(Arc::new(names.collect::<StringArray>()));
        for number in 0..self.dimensions.len() {
            let labels = self.tables.iter().flat_map(|(_, of)| self.labels(number, of));
            columns.push(Arc::new(labels.collect::<StringArray>()));
        }
        let counts = numbers.iter().map(|n| if self.clamp { (*n).max(0) } else { *n });
        #[expect(clippy::cast_precision_loss, reason = "below 2^41")]
        let sigma = (self.variance as f64 / 1024.0).sqrt();
        columns.push(Arc::new(Int64Array::from_iter_values(counts)));
        columns.push(Arc::new(Float64Array::from_value(sigma, rows)));
        columns.push(Arc::new(Float64Array::from_value(as_rho(self.cost), rows)));
        Ok(RecordBatch::try_new(Arc::clone(&self.output), columns)?)
    }

    /// The label of one dimension in each cell of a table.
    fn labels(&self, number: usize, of: &[usize]) -> Vec<Option<&str>> {
        let cells = self.size_of(of);
        let Some(place) = of.iter().position(|n| *n == number) else {
            return vec![None; cells];
        };
        let Some(dimension) = self.dimensions.get(number) else { return Vec::new() };
        let step = self.size_of(of.get(place + 1..).unwrap_or_default()).max(1);
        let label = |cell: usize| dimension.labels.get(cell / step % dimension.labels.len());
        (0..cells).map(|cell| label(cell).map(String::as_str)).collect()
    }
}
