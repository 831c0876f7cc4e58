//! A table in memory, by key.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::row::{RowConverter, SortField};
use swiftwater_engine::{Result, Timestamp};

use super::backend::{Backend, Columns, Found};

/// Rows by their key. Of several rows with the same key, the last counts.
pub(crate) struct Table {
    converter: RowConverter,
    index: HashMap<Box<[u8]>, usize>,
    rows: RecordBatch,
}

/// Reads keys of these columns.
pub(super) fn converter(columns: &Columns) -> Result<RowConverter> {
    let fields = columns.key.fields().iter().map(|f| SortField::new(f.data_type().clone()));
    Ok(RowConverter::new(fields.collect())?)
}

impl Table {
    /// A table of rows with the key's columns first, then the added ones. A row with a null in its key
    /// is never found.
    ///
    /// # Errors
    /// None in practice: the columns were checked.
    pub(crate) fn new(columns: &Columns, rows: &RecordBatch) -> Result<Self> {
        let converter = converter(columns)?;
        let width = columns.key.fields().len();
        let key: Vec<usize> = (0..width).collect();
        let added: Vec<usize> = (width..rows.num_columns()).collect();
        let keys = rows.project(&key)?;
        let wanted = keys.columns().iter().zip(columns.key.fields());
        let keys: Vec<ArrayRef> =
            wanted.map(|(key, field)| cast(key, field.data_type())).collect::<Result<_, _>>()?;
        let bytes = converter.convert_columns(&keys)?;
        let mut index = HashMap::with_capacity(rows.num_rows());
        for (number, key) in bytes.iter().enumerate() {
            if keys.iter().all(|column| column.is_valid(number)) {
                index.insert(key.as_ref().into(), number);
            }
        }
        Ok(Self { converter, index, rows: rows.project(&added)? })
    }
}

impl Backend for Table {
    fn fetch(&mut self, keys: &RecordBatch, _now: Timestamp) -> Result<Found> {
        let keys = self.converter.convert_columns(keys.columns())?;
        let of = keys.iter().map(|key| self.index.get(key.as_ref()).copied()).collect();
        Ok(Found { rows: self.rows.clone(), of })
    }

    fn is_local(&self) -> bool {
        true
    }
}

/// Which of the found rows belong to which key, where the rows hold the key's columns themselves.
///
/// # Errors
/// As [`Table::new`].
pub(super) fn matched(columns: &Columns, rows: &RecordBatch, keys: &RecordBatch) -> Result<Found> {
    Table::new(columns, rows)?.fetch(keys, Timestamp(0))
}
