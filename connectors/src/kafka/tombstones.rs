//! Which rows become records without a value.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, Scalar, StringArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::compute::kernels::cmp::neq;
use arrow::datatypes::DataType;
use swiftwater_engine::Result;
use swiftwater_engine::stream::DELETE;

use super::keys::all_null;

/// What makes a row a record without a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TombstonePlan {
    /// Columns that are all null in such a row.
    pub(crate) null: Option<Vec<usize>>,
    /// The column that says that a row takes its key's row away.
    pub(crate) op: Option<usize>,
}

impl TombstonePlan {
    /// The rows without a value; `None` where every row has one.
    pub(super) fn of(&self, records: &RecordBatch) -> Result<Option<NullBuffer>> {
        let nulls = self.null.as_ref().and_then(|columns| all_null(records, columns));
        let Some(op) = self.op else {
            return Ok(nulls);
        };
        let ops = cast(records.column(op), &DataType::Utf8)?;
        let kept = neq(ops.as_string::<i32>(), &Scalar::new(StringArray::from(vec![DELETE])))?;
        let kept = valid(&kept);
        Ok(NullBuffer::union(nulls.as_ref(), Some(&kept)))
    }
}

/// A row whose `_op` is null takes nothing away.
fn valid(kept: &BooleanArray) -> NullBuffer {
    match kept.nulls() {
        None => NullBuffer::new(kept.values().clone()),
        Some(known) => NullBuffer::new(kept.values() | &!known.inner()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    #[test]
    fn deletions_and_rows_of_nulls_have_no_value() {
        let ops: ArrayRef = Arc::new(StringArray::from(vec![
            Some("insert"),
            Some("delete"),
            None,
            Some("update"),
            Some("delete"),
        ]));
        let values: ArrayRef =
            Arc::new(Int64Array::from(vec![Some(1), Some(2), Some(3), None, None]));
        let records = RecordBatch::try_from_iter([("_op", ops), ("v", values)]).unwrap();
        let gone = |null: Option<Vec<usize>>, op| {
            let nulls = TombstonePlan { null, op }.of(&records).unwrap();
            let is_null = |i: usize| nulls.as_ref().is_some_and(|n| n.is_null(i));
            (0..5).filter(|i| is_null(*i)).collect::<Vec<_>>()
        };
        assert_eq!(gone(None, None), [0; 0]);
        assert_eq!(gone(None, Some(0)), [1, 4]);
        assert_eq!(gone(Some(vec![1]), None), [3, 4]);
        assert_eq!(gone(Some(vec![1]), Some(0)), [1, 3, 4]);
    }
}
