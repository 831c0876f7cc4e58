//! Tumbling windows of event time over all rows: the rows wait in a table until the watermark has
//! passed the end of their window, and are then taken in the order of time and arrival.

use arrow::array::{ArrayRef, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};
use swiftwater_engine::{Batch, Output, Readings, Result, Timestamp};

use super::{EventTime, KeyColumns, KeyIndex, Times, Waiting, WatermarkClock};

/// A window closes when the watermark is a millisecond before its end.
const CLOSES_BEFORE: i64 = 1000;

/// The rows of the windows that are open.
pub(crate) struct Tumbling {
    size: i64,
    clock: WatermarkClock,
    pub(crate) waiting: Waiting,
}

/// Names of the columns `window_start`, `window_end` and `window_time`.
pub(crate) const WINDOW_COLUMNS: [&str; 3] = ["window_start", "window_end", "window_time"];

const MILLIS: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// The columns that rows about a window begin with.
pub(crate) fn window_fields() -> Vec<Field> {
    WINDOW_COLUMNS.iter().map(|name| Field::new(*name, MILLIS, false)).collect()
}

impl Tumbling {
    /// Windows of `size` microseconds over rows with the columns `held`.
    pub(crate) fn new(size: i64, held: &SchemaRef) -> Self {
        let keys = KeyColumns { numbers: Vec::new(), fields: Vec::new() };
        Self { size, clock: WatermarkClock::default(), waiting: Waiting::new(&keys, held) }
    }

    /// Takes up the rows that a snapshot gave back.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if self.waiting.table.is_restoring() {
            let mut index = KeyIndex::new(&[])?;
            for row in self.waiting.table.settle(&mut index)? {
                self.waiting.agenda.push(row.mark.time, row.id, ());
            }
        }
        Ok(())
    }

    /// Rows came; those of a window that has closed are late. `held` makes the columns to hold.
    pub(crate) fn push(
        &mut self,
        (batch, time): (Batch, &EventTime),
        held: impl FnOnce(&RecordBatch) -> Result<RecordBatch>,
        out: &mut Output,
    ) -> Result<()> {
        self.clock.saw(batch.readings);
        let (clock, size) = (&self.clock, self.size);
        let closed = |_, time| clock.has_passed(closing(end_of(time, size)));
        let Times { batch, times } = time.of(batch, out)?.on_time(closed, out)?;
        let records = held(&batch.records)?;
        self.waiting.push(&Times { batch: batch.with_records(records), times })
    }

    /// The watermark moved on.
    pub(crate) fn advance(&mut self, watermark: Timestamp) {
        self.clock.advance(watermark);
    }

    /// The end of the first window that has rows and has closed.
    pub(crate) fn closed(&self) -> Option<i64> {
        let end = end_of(self.waiting.agenda.next_time()?, self.size);
        self.clock.has_passed(closing(end)).then_some(end)
    }

    /// The next rows of the window that ends then, with their times.
    pub(crate) fn take(&mut self, end: i64) -> Result<Option<(RecordBatch, Vec<i64>)>> {
        self.waiting.take(end.saturating_sub(1))
    }

    /// The values of [`window_fields`] for so many rows about a window.
    pub(crate) fn times(&self, end: i64, rows: usize) -> Result<Vec<ArrayRef>> {
        let times = [end.saturating_sub(self.size), end, closing(end)];
        let column = |time| Ok(cast(&TimestampMicrosecondArray::from_value(time, rows), &MILLIS)?);
        times.into_iter().map(column).collect()
    }

    /// The readings that rows about a window carry.
    pub(crate) fn readings(&self, now: Timestamp) -> Readings {
        self.clock.readings(now)
    }
}

const fn closing(end: i64) -> i64 {
    end.saturating_sub(CLOSES_BEFORE)
}

const fn end_of(time: i64, size: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(size)).saturating_add(size)
}
