//! Rules that look at all rows of a batch together.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, SortField};
use swiftwater_engine::{Error, Result};

use super::{Broken, Terms, values};

/// A rule on a batch.
#[derive(Debug)]
pub(crate) struct BatchRule {
    /// Name and consequence.
    pub(crate) terms: Terms,
    check: Check,
}

#[derive(Debug)]
enum Check {
    NullRate { column: usize, most: f64, min_rows: usize },
    Unique { columns: Vec<usize>, converter: RowConverter },
}

impl BatchRule {
    /// At most the share `most` of the rows has no value in `column`; a batch of fewer than
    /// `min_rows` rows is not judged.
    pub(crate) const fn null_rate(terms: Terms, column: usize, most: f64, min_rows: usize) -> Self {
        Self { terms, check: Check::NullRate { column, most, min_rows } }
    }

    /// No two rows have the same values in `columns`; a null is like no other value.
    ///
    /// # Errors
    /// `Config` for types that cannot be compared.
    pub(crate) fn unique(terms: Terms, columns: Vec<usize>, schema: &Schema) -> Result<Self> {
        let fields = columns.iter().map(|c| SortField::new(schema.field(*c).data_type().clone()));
        let converter = RowConverter::new(fields.collect()).map_err(|e| {
            Error::config("SW0313", "compare the columns of a `unique` rule").with_source(e)
        })?;
        Ok(Self { terms, check: Check::Unique { columns, converter } })
    }

    /// The rows that break the rule and, first, how many rows to count.
    ///
    /// A null rate that is too high is broken by every row of the batch, but only rows without a
    /// value are counted. Of rows that repeat each other, the first is good.
    ///
    /// # Errors
    /// `Bug` where the columns are not what the plan said.
    pub(crate) fn broken(&self, records: &RecordBatch) -> Result<(usize, Vec<Broken>)> {
        let rows = records.num_rows();
        match &self.check {
            Check::NullRate { column, most, min_rows } => {
                let nulls = records.column(*column).logical_null_count();
                if nulls == 0 || rows < *min_rows || share(nulls, rows) <= *most {
                    return Ok((0, Vec::new()));
                }
                let message = format!(
                    "keep the rule `{}`: {nulls} of {rows} rows have no value",
                    self.terms.label
                );
                let broken = |row| Broken { row, code: "SW3211", message: message.clone() };
                Ok((nulls, (0..rows).map(broken).collect()))
            }
            Check::Unique { columns, converter } => {
                let keys: Vec<ArrayRef> =
                    columns.iter().map(|c| std::sync::Arc::clone(records.column(*c))).collect();
                let encoded = converter.convert_columns(&keys)?;
                let mut seen = HashSet::with_capacity(rows);
                let has_null = |row: usize| keys.iter().any(|k| k.is_null(row));
                let again: Vec<_> = (0..rows)
                    .filter(|row| !has_null(*row) && !seen.insert(encoded.row(*row)))
                    .map(|row| self.repeated(records, columns, row))
                    .collect();
                Ok((again.len(), again))
            }
        }
    }

    fn repeated(&self, records: &RecordBatch, columns: &[usize], row: usize) -> Broken {
        let values = values(records, columns, row);
        let label = &self.terms.label;
        let message =
            format!("keep the rule `{label}`: {values} in an earlier row of the batch too");
        Broken { row, code: "SW3212", message }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^53 rows")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
