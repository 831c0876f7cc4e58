//! Elements of lists as rows, fields of structs as columns.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Builder, LargeListArray, RecordBatch, RecordBatchOptions,
    StructArray, UInt64Array, UInt64Builder,
};
use arrow::compute::{cast, is_null, nullif, take};
use arrow::datatypes::{DataType, Field, SchemaRef};
use swiftwater_engine::{Error, Result};

/// Most rows of one batch that comes out; one row's list is never cut.
const MOST_ROWS: usize = 16_384;

/// What becomes of a row whose list is null or has no elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Empty {
    /// It is gone.
    Drop,
    /// A null list gives one row with a null; an empty one is gone.
    KeepNull,
    /// It gives one row with a null.
    Keep,
}

/// How the columns of a batch are unnested. Several lists run side by side, the shorter ones filled
/// up with nulls.
#[derive(Debug, Clone)]
pub(crate) struct Unnest {
    /// Numbers of the list columns.
    pub(crate) lists: Vec<usize>,
    /// Numbers of the struct columns that are replaced by their fields.
    pub(crate) structs: Vec<usize>,
    /// Whether elements that are structs are replaced by their fields.
    pub(crate) expand: bool,
    /// Whether the element's place in its list, from 1, is added as the last column.
    pub(crate) position: bool,
    /// Rows without elements.
    pub(crate) empty: Empty,
    /// Columns of the result: those of the input in their order, unnested in place.
    pub(crate) schema: SchemaRef,
}

impl Unnest {
    /// Unnests the rows of one batch into batches of bearable size.
    ///
    /// # Errors
    /// `Bug` where a column is not what the plan said.
    pub(crate) fn run(&self, records: &RecordBatch, parts: &mut Vec<RecordBatch>) -> Result<()> {
        let lists =
            self.lists.iter().map(|i| as_list(records.column(*i))).collect::<Result<Vec<_>>>()?;
        let rows = records.num_rows();
        let lengths: Vec<usize> = (0..rows).map(|row| self.length(&lists, row)).collect();
        let mut from = 0;
        while from < rows {
            let (mut to, mut total) = (from, 0);
            while let Some(length) = lengths.get(to)
                && (to == from || total + length <= MOST_ROWS)
            {
                total += length;
                to += 1;
            }
            if total > 0 {
                let lengths = lengths.get(from..to).unwrap_or_default();
                parts.push(self.part(records, &lists, from..to, lengths)?);
            }
            from = to;
        }
        Ok(())
    }

    fn length(&self, lists: &[LargeListArray], row: usize) -> usize {
        if lists.is_empty() {
            return 1;
        }
        let length = |list: &LargeListArray| match (list.is_null(row), self.empty) {
            (true, Empty::Drop) => 0,
            (true, Empty::Keep | Empty::KeepNull) => 1,
            (false, empty) => match elements(list, row).len() {
                0 if empty == Empty::Keep => 1,
                length => length,
            },
        };
        lists.iter().map(length).max().unwrap_or(0)
    }

    fn part(
        &self,
        records: &RecordBatch,
        lists: &[LargeListArray],
        rows: Range<usize>,
        lengths: &[usize],
    ) -> Result<RecordBatch> {
        let parents = parents(rows.clone(), lengths);
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for (number, column) in records.columns().iter().enumerate() {
            if let Some(list) = self.lists.iter().position(|l| *l == number) {
                let list = lists.get(list).ok_or_else(|| Error::bug("find a list column"))?;
                let values = values(list, rows.clone(), lengths)?;
                match values.as_struct_opt() {
                    Some(fields) if self.expand => columns.extend(fields_of(fields)?),
                    _ => columns.push(values),
                }
                continue;
            }
            let taken = if lists.is_empty() {
                column.slice(rows.start, rows.len())
            } else {
                take(column, &parents, None)?
            };
            match taken.as_struct_opt() {
                Some(fields) if self.structs.contains(&number) => {
                    columns.extend(fields_of(fields)?);
                }
                _ => columns.push(taken),
            }
        }
        if self.position {
            columns.push(positions(lists, rows, lengths));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(parents.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

/// The type of the elements of a list type.
pub(crate) fn element(list: &DataType) -> Option<&Arc<Field>> {
    match list {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            Some(item)
        }
        _ => None,
    }
}

fn as_list(column: &ArrayRef) -> Result<LargeListArray> {
    let item = element(column.data_type())
        .ok_or_else(|| Error::bug(format!("unnest a column of type {}", column.data_type())))?;
    let list = cast(column, &DataType::LargeList(Arc::clone(item)))?;
    Ok(list.as_list::<i64>().clone())
}

/// Where the elements of one row stand among the values.
fn elements(list: &LargeListArray, row: usize) -> Range<usize> {
    let offset = |i: usize| {
        let offset = list.value_offsets().get(i).copied().unwrap_or_default();
        usize::try_from(offset).unwrap_or_default()
    };
    if list.is_null(row) { 0..0 } else { offset(row)..offset(row + 1) }
}

/// For each row that comes out, the row it came from.
fn parents(rows: Range<usize>, lengths: &[usize]) -> UInt64Array {
    let parents = rows.zip(lengths);
    parents.flat_map(|(row, length)| std::iter::repeat_n(row as u64, *length)).collect()
}

fn values(list: &LargeListArray, rows: Range<usize>, lengths: &[usize]) -> Result<ArrayRef> {
    let total: usize = lengths.iter().sum();
    if list.null_count() == 0 {
        let (from, to) = (elements(list, rows.start).start, elements(list, rows.end - 1).end);
        // Every length is at least the list's own, so equal sums mean equal lengths: the values
        // stand next to each other already.
        if to - from == total {
            return Ok(list.values().slice(from, total));
        }
    }
    let mut places = UInt64Builder::with_capacity(total);
    for (row, length) in rows.zip(lengths) {
        let own = elements(list, row);
        let missing = length - own.len();
        own.for_each(|place| places.append_value(place as u64));
        places.append_nulls(missing);
    }
    Ok(take(list.values(), &places.finish(), None)?)
}

/// The fields of a struct; where the struct is null, they are.
fn fields_of(fields: &StructArray) -> Result<Vec<ArrayRef>> {
    if fields.null_count() == 0 {
        return Ok(fields.columns().to_vec());
    }
    let missing = is_null(fields)?;
    fields.columns().iter().map(|c| Ok(nullif(c, &missing)?)).collect()
}

fn positions(lists: &[LargeListArray], rows: Range<usize>, lengths: &[usize]) -> ArrayRef {
    let mut positions = Int64Builder::with_capacity(lengths.iter().sum());
    for (row, length) in rows.zip(lengths) {
        let longest = lists.iter().map(|l| elements(l, row).len()).max().unwrap_or(0);
        for place in 1..=*length {
            positions.append_option((place <= longest).then_some(place as i64));
        }
    }
    Arc::new(positions.finish())
}
