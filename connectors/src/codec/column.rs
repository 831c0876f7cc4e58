//! Columns that grow value by value and can forget the last ones, so that a bad record leaves no
//! trace. Every decoder fills these.

mod values;

use std::sync::Arc;

use arrow::array::{ArrayRef, NullBufferBuilder};
use arrow::datatypes::{FieldRef, Fields};
use swiftwater_engine::{Result, schema};

pub(super) use self::values::{Items, Values};

/// Columns side by side: the fields of a record, or those of a struct inside it.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) columns: Vec<Column>,
    /// Complete rows.
    len: usize,
}

impl Group {
    /// Empty columns for `fields`.
    ///
    /// # Errors
    /// `Config` for a type that messages are not decoded to.
    pub(super) fn new(fields: &Fields) -> Result<Self> {
        let columns = fields.iter().map(Column::new).collect::<Result<_>>()?;
        Ok(Self { columns, len: 0 })
    }

    /// Makes room for so many more rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        for column in &mut self.columns {
            column.reserve(rows);
        }
    }

    /// Complete rows.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Every column has got its value of the row.
    pub(super) const fn end_row(&mut self) {
        self.len += 1;
    }

    /// Forgets all but the first rows.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        for column in &mut self.columns {
            column.truncate(len);
        }
    }

    /// Whether a row of nulls is allowed.
    pub(super) fn accepts_nulls(&self) -> bool {
        self.columns.iter().all(Column::is_nullable)
    }

    /// Appends a row of nulls.
    pub(super) fn append_nulls(&mut self) {
        for column in &mut self.columns {
            column.append_null();
        }
        self.len += 1;
    }

    /// The columns as arrays; the group is empty again.
    pub(super) fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        self.len = 0;
        self.columns.iter_mut().map(Column::finish).collect()
    }
}

/// One column of a record.
#[derive(Debug)]
pub(super) struct Column {
    field: FieldRef,
    /// The type as a topology file writes it, for messages.
    expected: String,
    pub(super) nulls: NullBufferBuilder,
    pub(super) values: Values,
}

impl Column {
    /// An empty column.
    fn new(field: &FieldRef) -> Result<Self> {
        let values = Values::new(field)?;
        Ok(Self {
            field: Arc::clone(field),
            expected: schema::name(field.data_type()),
            nulls: NullBufferBuilder::new(0),
            values,
        })
    }

    pub(super) fn name(&self) -> &str {
        self.field.name()
    }

    pub(super) fn expected(&self) -> &str {
        &self.expected
    }

    pub(super) fn is_nullable(&self) -> bool {
        self.field.is_nullable()
    }

    /// Appends a null, also where none is allowed: the value of a field below a null struct.
    pub(super) fn append_null(&mut self) {
        self.nulls.append_null();
        self.values.append_null();
    }

    /// Forgets all but the first values.
    pub(super) fn truncate(&mut self, len: usize) {
        self.nulls.truncate(len);
        self.values.truncate(len);
    }

    /// Makes room for so many more values.
    fn reserve(&mut self, rows: usize) {
        self.values.reserve(rows);
    }

    /// The values as an array; the column is empty again.
    fn finish(&mut self) -> Result<ArrayRef> {
        let nulls = self.nulls.finish();
        self.values.finish(&self.field, nulls)
    }
}
