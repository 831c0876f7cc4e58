//! Rows that wait for the watermark, to be taken in the order of event time and arrival.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use swiftwater_engine::Result;

use super::{Agenda, KeyColumns, Removal, RowId, RowTable, Times};

/// Most rows that are taken at once.
const CHUNK: usize = 8192;

/// Rows that wait for the watermark.
pub(crate) struct Waiting {
    pub(crate) table: RowTable,
    pub(crate) agenda: Agenda<()>,
}

impl Waiting {
    pub(crate) fn new(keys: &KeyColumns, rows: &SchemaRef) -> Self {
        Self {
            table: RowTable::new("waiting", keys, rows, Removal::ByTime),
            agenda: Agenda::default(),
        }
    }

    /// Rows came, none of them late.
    pub(crate) fn push(&mut self, rows: &Times) -> Result<()> {
        let first = self.table.push(rows.batch.records.clone(), &rows.times)?;
        (first..).zip(&rows.times).for_each(|(id, time)| self.agenda.push(*time, id, ()));
        Ok(())
    }

    /// The next rows up to `until`, in the order of time and arrival.
    pub(crate) fn take(&mut self, until: i64) -> Result<Option<(RecordBatch, Vec<i64>)>> {
        let (mut ids, mut times): (Vec<RowId>, Vec<i64>) = (Vec::new(), Vec::new());
        while ids.len() < CHUNK
            && let Some((time, id, ())) = self.agenda.pop_until(until)
        {
            ids.push(id);
            times.push(time);
        }
        self.table.expire_below(until.saturating_add(1));
        if ids.is_empty() {
            return Ok(None);
        }
        let rows = self.table.rows(&ids)?;
        self.table.remove(&ids)?;
        Ok(Some((rows, times)))
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes() + self.agenda.bytes()
    }

    /// Bytes of the disk.
    pub(crate) fn disk_bytes(&self) -> usize {
        self.table.disk_bytes()
    }

    /// The rows, as far as they can go to disk.
    pub(crate) const fn table_mut(&mut self) -> &mut RowTable {
        &mut self.table
    }
}
