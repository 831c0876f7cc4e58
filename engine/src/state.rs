//! Keyed state as snapshots see it: an operator keeps tables, and at each barrier hands over what
//! changed in them since the last one. The engine stores the changes, merges old ones in the
//! background, and after a restart gives them back in their order.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::Result;

/// Joins the rows of one table from several epochs, oldest first, into fewer rows of the same meaning.
pub type Combine = Arc<dyn Fn(&[RecordBatch]) -> Result<RecordBatch> + Send + Sync>;

/// How rows of the same key from different epochs become one.
#[derive(Clone)]
pub enum Merge {
    /// The newest wins.
    Latest,
    /// A pure function of all rows, such as the merge of partial aggregates. Tables of this kind
    /// delete only by expiry.
    Combine(Combine),
}

/// One table of an operator's state.
#[derive(Clone)]
pub struct TableSpec {
    /// Name within the operator.
    pub name: &'static str,
    /// Layout version: state of another version is refused before the topology starts.
    pub version: u32,
    /// Columns, those of the key first.
    pub schema: SchemaRef,
    /// Number of leading columns by which rows are placed on tasks: the node's `key`, in its order
    /// and with its types. 0 where the state belongs to the instance and not to keys.
    pub partition: usize,
    /// Number of leading columns that identify a row; at least `partition`.
    pub key: usize,
    /// An `Int64` column by which old rows go as a whole, see [`TableDelta::expired_below`].
    pub expiry: Option<usize>,
    /// How rows of one key become one.
    pub merge: Merge,
}

/// What changed in a table during one epoch, or (on restore) what one stored part of it holds.
#[derive(Debug, Clone)]
pub struct TableDelta {
    /// Name of the table.
    pub table: &'static str,
    /// New and changed rows, in the columns of the table.
    pub rows: RecordBatch,
    /// Keys that are gone: the first `key` columns of the table. They go before `rows` come.
    pub deleted: Option<RecordBatch>,
    /// Rows of this and earlier epochs whose expiry column is below this are gone.
    pub expired_below: Option<i64>,
}

impl TableDelta {
    /// Rows that came or changed.
    #[must_use]
    pub const fn of(table: &'static str, rows: RecordBatch) -> Self {
        Self { table, rows, deleted: None, expired_below: None }
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.num_rows() == 0
            && self.deleted.as_ref().is_none_or(|d| d.num_rows() == 0)
            && self.expired_below.is_none()
    }
}
