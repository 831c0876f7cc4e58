//! Rows that an operator holds, and the table in which snapshots hold them: the key's columns, the
//! row's number and time, then its other columns.

mod restoring;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use swiftwater_engine::{Error, Merge, Result, SpillRoom, TableDelta, TableSpec};

use self::restoring::Restoring;
use super::index::{KeyIndex, Slot};
use super::key_columns::KeyColumns;
use super::row_log::{Places, RowId, RowLog, RowMark};

/// Rows of a batch that is made from stored ones.
const CHUNK: usize = 8192;

/// How rows of a table go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// All below some time at once.
    ByTime,
    /// One by one.
    ByKey,
}

/// Rows with their table.
pub(crate) struct RowTable {
    name: &'static str,
    keys: KeyColumns,
    /// Columns of the rows that are not in the key.
    rest: Vec<usize>,
    rows: SchemaRef,
    schema: SchemaRef,
    removal: Removal,
    log: RowLog,
    /// Rows below this were sealed.
    sealed: RowId,
    deleted: Vec<RecordBatch>,
    expired_below: Option<i64>,
    restoring: Option<Restoring>,
    /// How much memory rows may take, once some of them went to disk.
    room: Option<(usize, SpillRoom)>,
}

/// A row that came back from a snapshot.
pub(crate) struct Restored {
    pub(crate) id: RowId,
    pub(crate) slot: Slot,
    pub(crate) mark: RowMark,
}

impl RowTable {
    /// An empty table `name` of rows with these columns.
    pub(crate) fn new(
        name: &'static str,
        keys: &KeyColumns,
        rows: &SchemaRef,
        removal: Removal,
    ) -> Self {
        let rest: Vec<usize> =
            (0..rows.fields().len()).filter(|c| !keys.numbers.contains(c)).collect();
        let mut fields = keys.fields.clone();
        fields.push(Arc::new(Field::new("__row", DataType::Int64, false)));
        fields.push(Arc::new(Field::new("__time", DataType::Int64, false)));
        fields.extend(rest.iter().filter_map(|c| rows.fields().get(*c)).map(Arc::clone));
        Self {
            name,
            keys: keys.clone(),
            rest,
            rows: Arc::clone(rows),
            schema: Arc::new(Schema::new(fields)),
            removal,
            log: RowLog::new(Arc::clone(rows)),
            sealed: 0,
            deleted: Vec::new(),
            expired_below: None,
            restoring: None,
            room: None,
        }
    }

    /// The table as snapshots see it.
    pub(crate) fn spec(&self) -> TableSpec {
        let keys = self.keys.numbers.len();
        TableSpec {
            name: self.name,
            version: 1,
            schema: Arc::clone(&self.schema),
            partition: keys,
            key: keys + 1,
            expiry: Some(keys + 1),
            merge: Merge::Latest,
        }
    }

    /// Name of the table.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Adds rows with their times; gives the number of the first.
    pub(crate) fn push(&mut self, records: RecordBatch, times: &[i64]) -> Result<RowId> {
        self.log.push(records, times, Vec::new())
    }

    /// Rows are gone, one by one.
    pub(crate) fn remove(&mut self, ids: &[RowId]) -> Result<()> {
        if self.removal == Removal::ByKey {
            let was_sealed =
                |id: &&RowId| **id < self.sealed && self.log.mark(**id).is_some_and(|m| m.alive);
            let sealed: Vec<RowId> = ids.iter().filter(was_sealed).copied().collect();
            if !sealed.is_empty() {
                let deleted = self.key_rows(&sealed)?;
                self.deleted.push(deleted);
            }
        }
        ids.iter().for_each(|id| self.log.kill(*id));
        self.log.sweep()
    }

    /// Rows are gone that [`RowTable::expire_below`] covers.
    pub(crate) fn remove_expired(&mut self, ids: &[RowId]) -> Result<()> {
        ids.iter().for_each(|id| self.log.kill(*id));
        self.log.sweep()
    }

    /// All rows whose time is below `time` are gone, or will be removed before they are asked for.
    pub(crate) fn expire_below(&mut self, time: i64) {
        self.expired_below = self.expired_below.max(Some(time));
    }

    /// The time below which rows are gone, where it rose since the last barrier.
    pub(crate) const fn expired(&self) -> Option<i64> {
        self.expired_below
    }

    /// Those of the rows that are there.
    pub(crate) fn alive(&self, mut ids: Vec<RowId>) -> Vec<RowId> {
        ids.retain(|id| self.log.mark(*id).is_some_and(|m| m.alive));
        ids
    }

    /// The time of a row.
    pub(crate) fn time(&self, id: RowId) -> Option<i64> {
        self.log.mark(id).map(|m| m.time)
    }

    /// Whole rows.
    pub(crate) fn rows(&self, ids: &[RowId]) -> Result<RecordBatch> {
        self.log.rows(ids)
    }

    /// Where rows lie, for [`RowTable::column`].
    pub(crate) fn places(&self, ids: &[RowId]) -> Result<Places> {
        self.log.places(ids)
    }

    /// Values of one column, null for a row that is [`super::NO_ROW`].
    pub(crate) fn column(&self, column: usize, places: &Places) -> Result<ArrayRef> {
        self.log.column(column, places)
    }

    /// The key and number of rows, as the table's deletions want it.
    fn key_rows(&self, ids: &[RowId]) -> Result<RecordBatch> {
        let count = self.keys.numbers.len() + 1;
        let schema = self.schema.project(&(0..count).collect::<Vec<_>>())?;
        let places = self.log.places(ids)?;
        let mut columns = self
            .keys
            .numbers
            .iter()
            .map(|c| self.log.column(*c, &places))
            .collect::<Result<Vec<_>>>()?;
        let number = |id: &RowId| self.log.mark(*id).map(|m| m.stored);
        columns.push(Arc::new(ids.iter().map(number).collect::<Int64Array>()));
        Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
    }

    /// The key, number and time of rows: what a table about these rows is keyed by.
    pub(crate) fn identities(&self, ids: &[RowId], schema: &SchemaRef) -> Result<RecordBatch> {
        let mut columns = self.key_rows(ids)?.columns().to_vec();
        columns.push(Arc::new(
            ids.iter().map(|id| self.log.mark(*id).map(|m| m.time)).collect::<Int64Array>(),
        ));
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }

    /// The first columns of the table: key, number and time.
    pub(crate) fn identity_schema(&self) -> SchemaRef {
        let count = self.keys.numbers.len() + 2;
        let fields: Vec<_> = self.schema.fields().iter().take(count).cloned().collect();
        Arc::new(Schema::new(fields))
    }

    /// What changed since the last time.
    pub(crate) fn seal(&mut self) -> Result<Option<TableDelta>> {
        let ids = self.log.alive_from(self.sealed);
        self.sealed = self.log.next_id();
        let delta = TableDelta {
            table: self.name,
            rows: self.table_rows(&ids)?,
            deleted: self.take_deleted()?,
            expired_below: self.expired_below.take(),
        };
        Ok((!delta.is_empty()).then_some(delta))
    }

    fn take_deleted(&mut self) -> Result<Option<RecordBatch>> {
        let parts = std::mem::take(&mut self.deleted);
        let Some(first) = parts.first() else {
            return Ok(None);
        };
        Ok(Some(concat_batches(&first.schema(), &parts)?))
    }

    fn table_rows(&self, ids: &[RowId]) -> Result<RecordBatch> {
        let places = self.log.places(ids)?;
        let column = |c: &usize| self.log.column(*c, &places);
        let mut columns = self.keys.numbers.iter().map(column).collect::<Result<Vec<_>>>()?;
        let marks: Vec<RowMark> = ids.iter().filter_map(|id| self.log.mark(*id)).collect();
        columns.push(Arc::new(Int64Array::from_iter_values(marks.iter().map(|m| m.stored))));
        columns.push(Arc::new(Int64Array::from_iter_values(marks.iter().map(|m| m.time))));
        for rest in &self.rest {
            columns.push(column(rest)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// Takes a delta; [`RowTable::settle`] makes rows of all.
    pub(crate) fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        check_columns(self.name, &self.schema, delta)?;
        let schema = &self.schema;
        self.restoring.get_or_insert_with(|| Restoring::new(schema)).push(delta)
    }

    /// Whether deltas wait for [`RowTable::settle`].
    pub(crate) const fn is_restoring(&self) -> bool {
        self.restoring.is_some()
    }

    /// Makes rows of the deltas that were restored: those that are left, in their old order.
    pub(crate) fn settle(&mut self, index: &mut KeyIndex) -> Result<Vec<Restored>> {
        let Some(mut restoring) = self.restoring.take() else {
            return Ok(Vec::new());
        };
        let (keys, schema) = (self.keys.numbers.len(), self.identity_schema());
        let mut found = restoring.surviving(keys, &schema, index)?;
        found.sort_unstable_by_key(|f| (f.stored, f.restored));
        let mut restored = Vec::with_capacity(found.len());
        for chunk in found.chunks(CHUNK) {
            let places: Vec<RowId> = chunk.iter().map(|f| f.restored).collect();
            let records = self.as_rows(&restoring.take(&places)?)?;
            let times: Vec<i64> = chunk.iter().map(|f| f.time).collect();
            let stored: Vec<i64> = chunk.iter().map(|f| f.stored).collect();
            let first = self.log.push(records, &times, stored)?;
            if let Some((target, room)) = &self.room {
                self.log.spill(target.saturating_sub(restoring.bytes()), room)?;
            }
            restored.extend((first..).zip(chunk).map(|(id, f)| Restored {
                id,
                slot: f.slot,
                mark: RowMark { time: f.time, stored: f.stored, alive: true },
            }));
        }
        let newest = found.last().map_or(0, |f| f.stored.cast_unsigned() + 1);
        self.log.skip_to(newest);
        self.sealed = self.log.next_id();
        Ok(restored)
    }

    /// Rows of the table in the columns of the rows that are held.
    fn as_rows(&self, table: &RecordBatch) -> Result<RecordBatch> {
        let keys = self.keys.numbers.len();
        let place = |column: usize| match self.keys.numbers.iter().position(|k| *k == column) {
            Some(key) => Some(key),
            None => self.rest.iter().position(|r| *r == column).map(|rest| keys + 2 + rest),
        };
        let columns = (0..self.rows.fields().len()).filter_map(place);
        let columns = columns.map(|c| Arc::clone(table.column(c))).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(table.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.rows), columns, &options)?)
    }

    /// Moves the oldest rows to disk until those in memory take `target` bytes or less.
    pub(crate) fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        self.room = Some((target, room.clone()));
        let mut left = target;
        if let Some(restoring) = &mut self.restoring {
            restoring.spill(target.saturating_sub(self.log.bytes()), room)?;
            left = left.saturating_sub(restoring.bytes());
        }
        self.log.spill(left, room)
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.log.bytes() + self.restoring.as_ref().map_or(0, Restoring::bytes)
    }

    /// Bytes of the disk.
    pub(crate) fn disk_bytes(&self) -> usize {
        self.log.disk_bytes() + self.restoring.as_ref().map_or(0, Restoring::disk_bytes)
    }
}

/// Moves rows of an operator's tables to disk until all of its state, of which `held` bytes are in
/// memory now, takes about `target`. Only rows can go: the more of them a table has, the more go.
pub(crate) fn spill_tables<'t>(
    tables: impl IntoIterator<Item = &'t mut RowTable>,
    (held, target): (usize, usize),
    room: &SpillRoom,
) -> Result<()> {
    let mut tables: Vec<&mut RowTable> = tables.into_iter().collect();
    let rows: usize = tables.iter().map(|table| table.bytes()).sum();
    let left = target.saturating_sub(held.saturating_sub(rows));
    for table in &mut tables {
        let share = left as u128 * table.bytes() as u128 / rows.max(1) as u128;
        table.spill(usize::try_from(share).unwrap_or(usize::MAX), room)?;
    }
    Ok(())
}

/// Sees to it that what is restored has the columns of its table.
///
/// # Errors
/// `State` (`SW3311`) where it has others.
pub(crate) fn check_columns(table: &str, schema: &SchemaRef, delta: &TableDelta) -> Result<()> {
    if delta.rows.schema().fields() == schema.fields() {
        return Ok(());
    }
    let message = format!("restore the table `{table}`: its columns are others");
    Err(Error::state("SW3311", message))
}

/// Key columns and numbers of rows that begin with them.
pub(crate) fn identity(rows: &RecordBatch, keys: usize) -> Result<(&[ArrayRef], &Int64Array)> {
    let columns = rows.columns();
    let parts =
        columns.get(..keys).zip(columns.get(keys).and_then(|c| c.as_primitive_opt::<Int64Type>()));
    parts.ok_or_else(|| Error::state("SW3311", "restore rows without a key and a number"))
}

/// Hashes a slot and a number.
pub(crate) type Hasher = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;
