//! What was restored of a table and is not settled yet: the rows of all deltas, of which later ones
//! take some away. They can be on disk, so that a restart needs no more memory than it had before.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Int64Type, SchemaRef};
use hashbrown::HashMap;
use swiftwater_engine::{Result, SpillRoom, TableDelta};

use super::{CHUNK, Hasher, identity};
use crate::keyed::index::{KeyIndex, Slot};
use crate::keyed::row_log::{RowId, RowLog};

/// Deltas, oldest first.
pub(super) struct Restoring {
    /// The rows of all deltas, in the columns of the table.
    rows: RowLog,
    deltas: Vec<Delta>,
}

/// What is left of a delta without its rows.
struct Delta {
    /// Numbers of its rows among those that were restored.
    rows: Range<RowId>,
    deleted: Option<RecordBatch>,
    expired_below: Option<i64>,
}

/// A row of a delta.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// Its number among those that were restored.
    pub(super) restored: RowId,
    pub(super) slot: Slot,
    pub(super) stored: i64,
    pub(super) time: i64,
}

impl Restoring {
    /// Nothing yet of a table of these columns.
    pub(super) fn new(schema: &SchemaRef) -> Self {
        Self { rows: RowLog::new(Arc::clone(schema)), deltas: Vec::new() }
    }

    /// Adds a delta.
    pub(super) fn push(&mut self, delta: &TableDelta) -> Result<()> {
        let first = self.rows.next_id();
        for from in (0..delta.rows.num_rows()).step_by(CHUNK) {
            let to = delta.rows.num_rows().min(from + CHUNK);
            let places = (from..to).filter_map(|row| u32::try_from(row).ok());
            // A copy, because a slice would keep all rows of the delta in memory.
            let part = take_record_batch(&delta.rows, &UInt32Array::from_iter_values(places))?;
            let times = vec![0; part.num_rows()];
            self.rows.push(part, &times, Vec::new())?;
        }
        self.deltas.push(Delta {
            rows: first..self.rows.next_id(),
            deleted: delta.deleted.clone(),
            expired_below: delta.expired_below,
        });
        Ok(())
    }

    /// Takes rows out.
    pub(super) fn take(&mut self, ids: &[RowId]) -> Result<RecordBatch> {
        let rows = self.rows.rows(ids)?;
        ids.iter().for_each(|id| self.rows.kill(*id));
        self.rows.sweep()?;
        Ok(rows)
    }

    /// Moves the oldest rows to disk until those in memory take `target` bytes or less.
    pub(super) fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        self.rows.spill(target, room)
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    /// Bytes of the disk.
    pub(super) fn disk_bytes(&self) -> usize {
        self.rows.disk_bytes()
    }

    /// The rows that are left, in any order.
    pub(super) fn surviving(
        &self,
        keys: usize,
        identity_schema: &SchemaRef,
        index: &mut KeyIndex,
    ) -> Result<Vec<Found>> {
        let mut held: HashMap<(Slot, i64), Found, Hasher> = HashMap::default();
        let mut slots = Vec::new();
        let mut expired = i64::MIN;
        for delta in &self.deltas {
            if let Some(deleted) = &delta.deleted {
                let (columns, stored) = identity(deleted, keys)?;
                index.insert(columns, deleted.num_rows(), &mut slots)?;
                for (slot, stored) in slots.iter().zip(stored.values()) {
                    held.remove(&(*slot, *stored));
                }
            }
            expired = expired.max(delta.expired_below.unwrap_or(i64::MIN));
            for from in delta.rows.clone().step_by(CHUNK) {
                let ids: Vec<RowId> = (from..delta.rows.end.min(from + CHUNK as RowId)).collect();
                let places = self.rows.places(&ids)?;
                let columns = (0..keys + 2).map(|c| self.rows.column(c, &places));
                let columns = columns.collect::<Result<Vec<_>>>()?;
                let known = RecordBatch::try_new(Arc::clone(identity_schema), columns)?;
                let (columns, stored) = identity(&known, keys)?;
                let times = known.column(keys + 1).as_primitive::<Int64Type>();
                index.insert(columns, ids.len(), &mut slots)?;
                for ((restored, slot), (stored, time)) in
                    ids.iter().zip(&slots).zip(stored.values().iter().zip(times.values()))
                {
                    let found =
                        Found { restored: *restored, slot: *slot, stored: *stored, time: *time };
                    held.insert((*slot, *stored), found);
                }
            }
        }
        Ok(held.into_values().filter(|f| f.time >= expired).collect())
    }
}
