//! Event times of a batch as microseconds, and the watermark as operators compare it with them.

use arrow::array::{Array, AsArray, BooleanArray, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::compute::{cast, filter_record_batch, is_not_null, take_record_batch};
use arrow::datatypes::{DataType, Schema, TimeUnit, TimestampMicrosecondType};
use swiftwater_engine::{
    Batch, Error, NodeContext, Output, Readings, Rejected, Result, Timestamp, dead_letter,
};

/// The event-time column of an input.
#[derive(Debug, Clone)]
pub(crate) struct EventTime {
    name: String,
    column: usize,
}

/// Rows that have an event time, and that time in microseconds.
pub(crate) struct Times {
    pub(crate) batch: Batch,
    pub(crate) times: ScalarBuffer<i64>,
}

impl EventTime {
    /// The event time of a node's input.
    ///
    /// # Errors
    /// `Config` (`SW0330`) where it has none.
    pub(crate) fn of_input(cx: &NodeContext<'_>, input: usize) -> Result<Self> {
        let rows = cx.inputs.get(input).ok_or_else(|| Error::bug("find an input of the node"))?;
        Self::named(&cx.event_time(input)?, rows)
    }

    /// The column `name` of times.
    ///
    /// # Errors
    /// `Bug` where there is none.
    pub(crate) fn named(name: &str, rows: &Schema) -> Result<Self> {
        let missing = |_| Error::bug(format!("find the time `{name}` in its rows"));
        Ok(Self { name: name.to_owned(), column: rows.index_of(name).map_err(missing)? })
    }

    /// Number of the column.
    pub(crate) const fn column(&self) -> usize {
        self.column
    }

    /// A row has no event time.
    pub(crate) fn missing(&self) -> Error {
        let name = &self.name;
        Error::data("SW3301", format!("place a row in time: its event time `{name}` is null"))
    }

    /// The times of a batch; rows without one are set aside.
    pub(crate) fn of(&self, batch: Batch, out: &mut Output) -> Result<Times> {
        let column = batch.records.column(self.column);
        let micros = cast(column, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
        if micros.null_count() == 0 {
            let times = micros.as_primitive::<TimestampMicrosecondType>().values().clone();
            return Ok(Times { batch, times });
        }
        let present = is_not_null(&micros)?;
        let error = self.missing();
        for row in (0..batch.rows()).filter(|row| !present.value(*row)) {
            set_aside(&batch, row, &error, out);
        }
        let batch = batch.with_records(filter_record_batch(&batch.records, &present)?);
        let micros = arrow::compute::filter(&micros, &present)?;
        let times = micros.as_primitive::<TimestampMicrosecondType>().values().clone();
        Ok(Times { batch, times })
    }
}

/// Makes a dead letter of one row.
pub(crate) fn set_aside(batch: &Batch, row: usize, error: &Error, out: &mut Output) {
    let payload = dead_letter::row_as_json(&batch.records.slice(row, 1));
    let source = error.source.as_ref().map(|s| format!(": {s}")).unwrap_or_default();
    out.reject(Rejected {
        code: error.code,
        message: format!("{}{source}", error.message),
        key: None,
        payload: Some(payload),
        origin: None,
        attempts: 1,
    });
}

impl Times {
    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.batch.rows()
    }

    /// The rows for which `is_late` says no; the others go to the late rows.
    pub(crate) fn on_time(
        self,
        is_late: impl FnMut(usize, i64) -> bool,
        out: &mut Output,
    ) -> Result<Self> {
        let (rows, late) = self.split_late(is_late)?;
        late.into_iter().for_each(|late| out.late(late));
        Ok(rows)
    }

    /// The rows for which `is_late` says no, and the others if there are any.
    pub(crate) fn split_late(
        self,
        mut is_late: impl FnMut(usize, i64) -> bool,
    ) -> Result<(Self, Option<Batch>)> {
        let late: BooleanArray =
            self.times.iter().enumerate().map(|(row, t)| Some(is_late(row, *t))).collect();
        if late.true_count() == 0 {
            return Ok((self, None));
        }
        let of = self.batch.with_records(filter_record_batch(&self.batch.records, &late)?);
        let kept = (0_u32..).zip(late.values()).filter_map(|(row, late)| (!late).then_some(row));
        Ok((self.pick(&kept.collect())?, Some(of)))
    }

    /// Some of the rows.
    pub(crate) fn pick(&self, rows: &UInt32Array) -> Result<Self> {
        let time = |row: &u32| self.times.get(*row as usize).copied().unwrap_or(0);
        let times = rows.values().iter().map(time).collect();
        Ok(Self {
            batch: self.batch.with_records(take_record_batch(&self.batch.records, rows)?),
            times,
        })
    }
}

/// The watermark, and the readings of the newest rows, which results that it causes carry.
#[derive(Debug, Default)]
pub(crate) struct WatermarkClock {
    watermark: Option<i64>,
    readings: Option<Readings>,
}

impl WatermarkClock {
    /// Rows came.
    pub(crate) const fn saw(&mut self, readings: Readings) {
        self.readings = Some(readings);
    }

    /// Moves on, and tells whether the watermark rose.
    pub(crate) fn advance(&mut self, watermark: Timestamp) -> bool {
        let rose = self.watermark.is_none_or(|w| watermark.0 > w);
        if rose {
            self.watermark = Some(watermark.0);
        }
        rose
    }

    /// The watermark in microseconds, once there is one.
    pub(crate) const fn watermark(&self) -> Option<i64> {
        self.watermark
    }

    /// Whether the watermark has passed `time`: no row of this time is expected any more.
    pub(crate) fn has_passed(&self, time: i64) -> bool {
        self.watermark.is_some_and(|w| time <= w)
    }

    /// The time `by` microseconds before the watermark.
    pub(crate) fn before(&self, by: i64) -> Option<i64> {
        self.watermark.map(|w| w.saturating_sub(by))
    }

    /// The readings of rows that come out because time has passed.
    pub(crate) fn readings(&self, now: Timestamp) -> Readings {
        self.readings.unwrap_or_else(|| Readings::polled_at(now))
    }
}
