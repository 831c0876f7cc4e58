//! What a stream is beyond its columns: which of them is event time, and whether rows may replace
//! earlier ones.

/// Name of the column that says what a row of an upsert stream does.
pub const OP_COLUMN: &str = "_op";
/// `_op` of the first row of a key.
pub const INSERT: &str = "insert";
/// `_op` of a row that replaces the key's earlier row.
pub const UPDATE: &str = "update";
/// `_op` of a row that takes the key's row away; its other columns hold the last values.
pub const DELETE: &str = "delete";

/// How rows of a stream relate to earlier rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Changes {
    /// Every row stands for itself.
    #[default]
    Append,
    /// A row replaces the earlier row of its key, as its column `_op` says.
    Upsert {
        /// Columns that identify a row.
        key: Vec<String>,
    },
}

/// What a stream is beyond its columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    /// The timestamp column that watermarks speak of.
    pub event_time: Option<String>,
    /// Whether rows may replace earlier ones.
    pub changes: Changes,
}

impl Stream {
    /// A stream of rows that stand for themselves, without event time.
    #[must_use]
    pub fn append() -> Self {
        Self::default()
    }

    /// A stream of rows that stand for themselves, with event time in `column`.
    #[must_use]
    pub fn at(column: impl Into<String>) -> Self {
        Self { event_time: Some(column.into()), changes: Changes::Append }
    }

    /// The same stream whose rows replace earlier ones of their `key`.
    #[must_use]
    pub fn upserting(self, key: Vec<String>) -> Self {
        Self { changes: Changes::Upsert { key }, ..self }
    }

    /// Whether rows may replace earlier ones.
    #[must_use]
    pub const fn is_upsert(&self) -> bool {
        matches!(self.changes, Changes::Upsert { .. })
    }
}
