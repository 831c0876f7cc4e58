//! The columns of a window's rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use swiftwater_engine::stream::OP_COLUMN;
use swiftwater_engine::{Error, Result};

use crate::expression::fault;

/// Start of the window.
pub(crate) const WINDOW_START: &str = "window_start";
/// End of the window.
pub(crate) const WINDOW_END: &str = "window_end";
/// The event time of the row, a millisecond before the end.
pub(crate) const WINDOW_TIME: &str = "window_time";

/// Rows are handed on in batches of this many.
pub(crate) const BATCH_ROWS: usize = 8192;

/// Puts the columns of results together.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    schema: SchemaRef,
    upserts: bool,
}

impl Layout {
    /// Key columns, aggregates, bounds, and where rows may be replaced `_op`.
    ///
    /// # Errors
    /// `Config` (`SW0307`) where two columns have one name.
    pub(crate) fn plan(
        keys: &[FieldRef],
        aggregates: &[FieldRef],
        bounds: bool,
        upserts: bool,
    ) -> Result<Self> {
        let time = |name: &str| {
            Arc::new(Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, None), false))
        };
        let mut fields: Vec<FieldRef> = keys.iter().chain(aggregates).cloned().collect();
        if bounds {
            fields.extend([WINDOW_START, WINDOW_END, WINDOW_TIME].map(time));
        }
        if upserts {
            fields.push(Arc::new(Field::new(OP_COLUMN, DataType::Utf8, false)));
        }
        let mut names: Vec<&str> = fields.iter().map(|f| f.name().as_str()).collect();
        names.sort_unstable();
        if let Some([name, _]) = names.array_windows::<2>().find(|[a, b]| a == b) {
            return Err(fault::duplicate(name, "the columns of the result")
                .with_hint("give the aggregate another name"));
        }
        Ok(Self { schema: Arc::new(Schema::new(fields)), upserts })
    }

    /// The columns.
    pub(crate) const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows of keys and aggregates (`columns`) of the windows whose bounds are given, in batches.
    ///
    /// # Errors
    /// `Bug` where the columns are not those that were planned.
    pub(crate) fn batches(
        &self,
        mut columns: Vec<ArrayRef>,
        bounds: Option<(Vec<i64>, Vec<i64>)>,
        operations: Option<Vec<&'static str>>,
    ) -> Result<Vec<RecordBatch>> {
        if let Some((starts, ends)) = bounds {
            let times: Vec<i64> = ends.iter().map(|end| end - 1).collect();
            columns.extend(
                [starts, ends, times]
                    .map(|times| Arc::new(TimestampMillisecondArray::from(times)) as ArrayRef),
            );
        }
        if self.upserts {
            let operations = operations.ok_or_else(|| Error::bug("say what a row does"))?;
            columns.push(Arc::new(StringArray::from(operations)));
        }
        // A column that is null throughout may come with the type of nulls.
        for (column, field) in columns.iter_mut().zip(self.schema.fields()) {
            if *column.data_type() == DataType::Null {
                *column = new_null_array(field.data_type(), column.len());
            }
        }
        let whole = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|e| Error::bug("put results together").with_source(e))?;
        let starts = (0..whole.num_rows()).step_by(BATCH_ROWS);
        Ok(starts.map(|from| whole.slice(from, BATCH_ROWS.min(whole.num_rows() - from))).collect())
    }
}
