//! Whole numbers that count up.

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::Result;

use super::column::{Column, Rows, Timeline, array, bad_option};

/// `start`, `start` + `step`, `start` + 2 `step` and so on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SequenceOptions {
    /// Value of row 0.
    pub start: i64,
    /// Difference from one row to the next; may be negative.
    pub step: i64,
    /// Begins again at `start` after this many rows; never without it.
    pub restart: Option<u64>,
}

impl Default for SequenceOptions {
    fn default() -> Self {
        Self { start: 0, step: 1, restart: None }
    }
}

impl SequenceOptions {
    pub(super) fn build(self, name: &str) -> Result<Sequence> {
        if self.restart == Some(0) {
            return Err(bad_option(
                name,
                "`restart: 0` leaves no row",
                "give the number of rows after which the sequence begins again",
            ));
        }
        Ok(Sequence(self))
    }
}

/// The column; it wraps around at the ends of 64 bits.
pub(super) struct Sequence(SequenceOptions);

impl Column for Sequence {
    fn data_type(&self) -> DataType {
        DataType::Int64
    }

    #[expect(clippy::cast_possible_wrap, reason = "a sequence wraps at 64 bits")]
    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        let SequenceOptions { start, step, restart } = self.0;
        let value = |row: u64| start.wrapping_add(step.wrapping_mul(row as i64));
        array(match restart {
            None => Int64Array::from_iter_values(rows.iter().map(value)),
            Some(after) => Int64Array::from_iter_values(rows.iter().map(|row| value(row % after))),
        })
    }

    #[expect(clippy::cast_possible_wrap, reason = "a sequence wraps at 64 bits")]
    fn extremes(&self) -> Option<ArrayRef> {
        let SequenceOptions { start, step, restart } = self.0;
        let last = restart? - 1;
        let end = start.wrapping_add(step.wrapping_mul(last as i64));
        Some(array(Int64Array::from(vec![start, end])))
    }
}
