//! The row's event time as a column.

use arrow::array::{
    ArrayRef, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampSecondArray,
};
use arrow::datatypes::{DataType, TimeUnit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::column::{Column, Rows, Timeline, array};

/// Resolution of the timestamp.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Seconds.
    S,
    /// Milliseconds (the default).
    #[default]
    Ms,
    /// Microseconds.
    Us,
}

/// The event time, `start` + row / `rate`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TimestampOptions {
    /// Resolution: `s`, `ms` or `us`.
    pub unit: Unit,
}

impl TimestampOptions {
    pub(super) const fn build(self) -> EventTime {
        EventTime(self.unit)
    }
}

/// The column.
pub(super) struct EventTime(Unit);

impl EventTime {
    pub(super) const MILLIS: Self = Self(Unit::Ms);
}

impl Column for EventTime {
    fn data_type(&self) -> DataType {
        let unit = match self.0 {
            Unit::S => TimeUnit::Second,
            Unit::Ms => TimeUnit::Millisecond,
            Unit::Us => TimeUnit::Microsecond,
        };
        DataType::Timestamp(unit, None)
    }

    fn values(&self, rows: Rows, time: Timeline) -> ArrayRef {
        let micros = rows.iter().map(|row| time.at(row));
        match self.0 {
            Unit::S => array(TimestampSecondArray::from_iter_values(
                micros.map(|t| t.div_euclid(1_000_000)),
            )),
            Unit::Ms => array(TimestampMillisecondArray::from_iter_values(
                micros.map(|t| t.div_euclid(1000)),
            )),
            Unit::Us => array(TimestampMicrosecondArray::from_iter_values(micros)),
        }
    }
}
