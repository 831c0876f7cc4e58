//! A record batch with the clock readings that its latency is computed from.

use arrow::array::RecordBatch;

use crate::clock::Timestamp;

/// The oldest and the newest of a set of clock readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Reading of the oldest row.
    pub oldest: Timestamp,
    /// Reading of the newest row.
    pub newest: Timestamp,
}

impl Span {
    /// A span of one reading.
    #[must_use]
    pub const fn at(time: Timestamp) -> Self {
        Self { oldest: time, newest: time }
    }

    /// The span that holds both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { oldest: self.oldest.min(other.oldest), newest: self.newest.max(other.newest) }
    }
}

/// When the rows of a batch happened, were appended to the log they were read from, and were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readings {
    /// Broker or producer timestamp of the Kafka records; `None` for a source without a log.
    pub appended: Option<Span>,
    /// When the source handed the rows over.
    pub polled: Span,
    /// Event time, where the source declares an event-time column.
    pub event: Option<Span>,
}

impl Readings {
    /// Rows read just now from a source without a log.
    #[must_use]
    pub const fn polled_at(now: Timestamp) -> Self {
        Self { appended: None, polled: Span::at(now), event: None }
    }

    /// The readings of two batches that became one.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let either = |a: Option<Span>, b: Option<Span>| match (a, b) {
            (Some(a), Some(b)) => Some(a.union(b)),
            (a, b) => a.or(b),
        };
        Self {
            appended: either(self.appended, other.appended),
            polled: self.polled.union(other.polled),
            event: either(self.event, other.event),
        }
    }
}

/// Rows on their way through the topology.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The rows.
    pub records: RecordBatch,
    /// Their clock readings.
    pub readings: Readings,
}

impl Batch {
    /// Rows with their readings.
    #[must_use]
    pub const fn new(records: RecordBatch, readings: Readings) -> Self {
        Self { records, readings }
    }

    /// The same readings with other rows: what a stateless operator returns.
    #[must_use]
    pub const fn with_records(&self, records: RecordBatch) -> Self {
        Self { records, readings: self.readings }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.records.num_rows()
    }

    /// Bytes that these rows take. A slice counts its own bytes, not those of the buffer it shares.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let columns = self.records.columns().iter();
        columns
            .map(|c| {
                c.to_data().get_slice_memory_size().unwrap_or_else(|_| c.get_array_memory_size())
            })
            .sum()
    }
}
