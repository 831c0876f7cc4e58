//! A table from a file, read anew every so often.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use swiftwater_engine::metrics::{Metrics, SourceMetrics};
use swiftwater_engine::{
    Clock, Error, ErrorKind, Polled, Result, SourceContext, SourcePlan, Timestamp,
};

use super::backend::{Backend, Columns, Found};
use super::table::Table;

/// A table that is read from files.
pub(crate) struct FileTable {
    plan: Arc<SourcePlan>,
    columns: Columns,
    refresh: Option<Duration>,
    table: Option<Table>,
    /// When it is read again.
    due: Timestamp,
}

impl FileTable {
    /// The files of a planned `files` source whose columns are the key's and the added ones.
    pub(crate) const fn new(
        plan: Arc<SourcePlan>,
        columns: Columns,
        refresh: Option<Duration>,
    ) -> Self {
        Self { plan, columns, refresh, table: None, due: Timestamp(i64::MIN) }
    }

    fn read(&self) -> Result<Table> {
        let mut source = (self.plan.make)(0)?;
        source.open(SourceContext {
            topology: String::new(),
            node: String::new(),
            instance: 0,
            instances: 1,
            prefetch_bytes: 16 << 20,
            batch_rows: 8192,
            clock: Clock::system(),
            // What reading a lookup's file counts is not the topology's input.
            metrics: SourceMetrics::new(&Metrics::new("lookup")?, "file"),
            resume: None,
            takes_all: true,
            shared: Arc::default(),
        })?;
        let mut batches = Vec::new();
        loop {
            match source.poll(Duration::ZERO)? {
                Polled::Rows { batch, rejected, .. } => {
                    if let Some(bad) = rejected.first() {
                        let place = bad.origin.as_ref();
                        let place = place
                            .map_or_else(String::new, |o| format!("{}:{}: ", o.topic, o.offset));
                        return Err(Error::state(
                            "SW2235",
                            format!("read the table of a lookup: {place}{}", bad.message),
                        )
                        .with_hint("correct the file, and move files in whole"));
                    }
                    batches.push(batch.records);
                }
                Polled::Empty | Polled::Revoking { .. } => {}
                Polled::End => break,
            }
        }
        let rows: RecordBatch = concat_batches(&self.plan.schema, &batches)?;
        Table::new(&self.columns, &rows)
    }
}

impl Backend for FileTable {
    fn fetch(&mut self, keys: &RecordBatch, now: Timestamp) -> Result<Found> {
        if self.table.is_none() || now >= self.due {
            match self.read() {
                Ok(table) => self.table = Some(table),
                // While the file cannot be read, what was read before holds.
                Err(error) if error.kind != ErrorKind::State && self.table.is_some() => {
                    tracing::warn!(%error, "keep the table of a lookup as it was read before");
                }
                Err(error) => return Err(error),
            }
            let pause =
                self.refresh.map_or(i64::MAX, |r| i64::try_from(r.as_micros()).unwrap_or(i64::MAX));
            self.due = Timestamp(now.0.saturating_add(pause));
        }
        let table = self.table.as_mut();
        table.ok_or_else(|| Error::bug("look up in a table before it was read"))?.fetch(keys, now)
    }

    fn is_local(&self) -> bool {
        true
    }
}
