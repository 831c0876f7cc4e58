//! The event-time column of a source: which it is, and between which times the rows of a batch lie.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{DataType, Schema, TimeUnit, TimestampMicrosecondType};
use swiftwater_config::EventTimeConfig;
use swiftwater_engine::batch::Span;
use swiftwater_engine::{Error, Result, Timestamp};

/// A timestamp column of a source's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTime {
    column: usize,
}

impl EventTime {
    /// Finds the column that `event_time` names; `None` where the node has no event time.
    ///
    /// # Errors
    /// `Config` (`SW2006`) where the column is missing or holds no timestamps.
    pub fn find(config: Option<&EventTimeConfig>, schema: &Schema) -> Result<Option<Self>> {
        let Some(EventTimeConfig { column: name, .. }) = config else {
            return Ok(None);
        };
        let column = schema.index_of(name).map_err(|_| {
            let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            Error::config("SW2006", format!("read the event time from `{name}`"))
                .with_hint(format!("name one of the columns {}", names.join(", ")))
        })?;
        let data_type = schema.field(column).data_type();
        if !matches!(data_type, DataType::Timestamp(..)) {
            return Err(Error::config(
                "SW2006",
                format!("read the event time from `{name}`, which is {data_type}"),
            )
            .with_hint(format!("declare the column as `{name}: timestamp_ms`")));
        }
        Ok(Some(Self { column }))
    }

    /// Oldest and newest event time of the rows; `None` where no row has one.
    #[must_use]
    pub fn span(self, records: &RecordBatch) -> Option<Span> {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let column = records.columns().get(self.column)?;
        // A cast to the same type shares the values.
        let times = cast(column, &micros).ok()?;
        let times = times.as_primitive_opt::<TimestampMicrosecondType>()?;
        Some(Span { oldest: Timestamp(min(times)?), newest: Timestamp(max(times)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, TimestampMillisecondArray};

    fn records(times: Vec<Option<i64>>) -> RecordBatch {
        let numbers = Int64Array::from(vec![0; times.len()]);
        let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(times));
        RecordBatch::try_from_iter([("n", Arc::new(numbers) as ArrayRef), ("at", times)]).unwrap()
    }

    fn config(column: &str) -> EventTimeConfig {
        EventTimeConfig { column: column.into(), out_of_orderness: None, idle_after: None }
    }

    #[test]
    fn the_span_is_that_of_the_rows_with_a_time() {
        let rows = records(vec![Some(5), None, Some(-2), Some(3)]);
        let found = EventTime::find(Some(&config("at")), &rows.schema()).unwrap().unwrap();
        let span = found.span(&rows).unwrap();
        assert_eq!((span.oldest, span.newest), (Timestamp(-2000), Timestamp(5000)));
        assert_eq!(found.span(&records(vec![None])), None);
    }

    #[test]
    fn a_column_without_times_is_told() {
        let schema = records(vec![]).schema();
        let told = |c: &str| EventTime::find(Some(&config(c)), &schema).unwrap_err().to_string();
        assert!(told("n").contains("timestamp_ms"));
        assert!(told("when").contains("n, at"));
    }
}
