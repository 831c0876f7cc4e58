//! The event times of a batch, in milliseconds; rows that have none are set aside.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{
    DataType, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use swiftwater_engine::dead_letter::{Rejected, row_as_json};
use swiftwater_engine::{Batch, Error, Output, Result};

/// Times beyond this, 285,000 years from now, are taken for mistakes: window arithmetic would
/// overflow.
const FARTHEST: i64 = 1 << 53;

/// Where event time is found.
#[derive(Debug, Clone)]
pub(crate) struct EventTimes {
    number: usize,
    name: String,
}

/// Rows with their times.
pub(crate) struct Placed {
    pub(crate) batch: Batch,
    /// Milliseconds since 1970, one for each row.
    pub(crate) times: Vec<i64>,
}

impl EventTimes {
    /// The event-time column of this name.
    ///
    /// # Errors
    /// `Bug` where the input has no such column.
    pub(crate) fn plan(name: String, schema: &SchemaRef) -> Result<Self> {
        let found = schema
            .column_with_name(&name)
            .filter(|(_, field)| matches!(field.data_type(), DataType::Timestamp(..)));
        let (number, _) =
            found.ok_or_else(|| Error::bug(format!("find the event time `{name}`")))?;
        Ok(Self { number, name })
    }

    /// The times of the rows; rows without one are rejected (`SW3301`).
    ///
    /// # Errors
    /// None in practice.
    pub(crate) fn place(&self, batch: Batch, out: &mut Output) -> Result<Placed> {
        let column = batch.records.column(self.number);
        let times = millis(column)?;
        let near = |time: &i64| (-FARTHEST..FARTHEST).contains(time);
        if column.null_count() == 0 && times.iter().all(near) {
            return Ok(Placed { batch, times });
        }
        let present: BooleanArray = times
            .iter()
            .enumerate()
            .map(|(row, time)| Some(column.is_valid(row) && near(time)))
            .collect();
        for row in (0..batch.rows()).filter(|row| !present.value(*row)) {
            out.reject(self.rejected(&batch, row, column));
        }
        let times = times.into_iter().zip(present.values()).filter(|(_, p)| *p).map(|(t, _)| t);
        let times = times.collect();
        let kept = filter_record_batch(&batch.records, &present)?;
        Ok(Placed { batch: batch.with_records(kept), times })
    }

    fn rejected(&self, batch: &Batch, row: usize, column: &ArrayRef) -> Rejected {
        let what = if column.is_null(row) { "is null" } else { "is far beyond any calendar" };
        Rejected {
            code: "SW3301",
            message: format!("place a row in time: its event time `{}` {what}", self.name),
            key: None,
            payload: Some(row_as_json(&batch.records.slice(row, 1))),
            origin: None,
            attempts: 1,
        }
    }
}

/// Milliseconds since 1970, rounded down.
fn millis(column: &ArrayRef) -> Result<Vec<i64>> {
    let DataType::Timestamp(unit, _) = column.data_type() else {
        return Err(Error::bug(format!("read {} as a time", column.data_type())));
    };
    Ok(match unit {
        TimeUnit::Second => {
            let values = column.as_primitive::<TimestampSecondType>().values();
            values.iter().map(|t| t.saturating_mul(1000)).collect()
        }
        TimeUnit::Millisecond => {
            column.as_primitive::<TimestampMillisecondType>().values().to_vec()
        }
        TimeUnit::Microsecond => {
            let values = column.as_primitive::<TimestampMicrosecondType>().values();
            values.iter().map(|t| t.div_euclid(1000)).collect()
        }
        TimeUnit::Nanosecond => {
            let values = column.as_primitive::<TimestampNanosecondType>().values();
            values.iter().map(|t| t.div_euclid(1_000_000)).collect()
        }
    })
}

/// The values of a state's column of times.
///
/// # Errors
/// `State` (`SW3311`) where the column is another.
pub(crate) fn stored_times(column: &ArrayRef) -> Result<Vec<i64>> {
    let values = column.as_primitive_opt::<Int64Type>();
    values.map(|v| v.values().to_vec()).ok_or_else(|| {
        Error::state("SW3311", format!("read a time of the state: it is {}", column.data_type()))
    })
}
