//! Versions of each key with their rows: the side of a join that is looked up as of a time.

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType};
use swiftwater_engine::Result;
use swiftwater_engine::stream::DELETE;

use super::versions::{Asked, Version, Versions};
use super::{KeyColumns, KeyIndex, NO_ROW, Removal, RowId, RowTable, Slot, Times};

/// What the rows of a table of versions are.
pub(crate) struct VersionRows<'a> {
    /// Name of the table.
    pub(crate) name: &'static str,
    pub(crate) keys: &'a KeyColumns,
    pub(crate) rows: &'a SchemaRef,
    /// How long a version holds, in microseconds; for ever without it.
    pub(crate) max_age: Option<i64>,
    /// The column that says when a version was known; at its time without one.
    pub(crate) known: Option<usize>,
    /// The column `_op` of versions that replace each other.
    pub(crate) op: Option<usize>,
}

/// Versions of each key, found by time.
pub(crate) struct VersionTable {
    pub(crate) table: RowTable,
    keys: KeyColumns,
    known: Option<usize>,
    op: Option<usize>,
    index: KeyIndex,
    slots: Vec<Slot>,
    versions: Versions,
}

/// Which rows have no null in any of these columns; `None` where all have none.
pub(crate) fn keyed_rows(keys: &[ArrayRef]) -> Option<NullBuffer> {
    let nulls = keys.iter().map(|k| k.logical_nulls());
    nulls.fold(None, |all, one| NullBuffer::union(all.as_ref(), one.as_ref()))
}

fn numbers(picked: impl Iterator<Item = bool>) -> UInt32Array {
    (0_u32..).zip(picked).filter_map(|(row, picked)| picked.then_some(row)).collect()
}

impl VersionTable {
    pub(crate) fn new(of: &VersionRows<'_>) -> Result<Self> {
        Ok(Self {
            table: RowTable::new(of.name, of.keys, of.rows, Removal::ByKey),
            keys: of.keys.clone(),
            known: of.known,
            op: of.op,
            index: KeyIndex::new(&of.keys.types())?,
            slots: Vec::new(),
            versions: Versions::new(of.max_age),
        })
    }

    /// Versions of rows with these columns and times.
    fn read(
        &self,
        column: impl Fn(usize) -> Result<ArrayRef>,
        times: &[i64],
    ) -> Result<Vec<Version>> {
        let mut versions: Vec<Version> = times.iter().map(|time| Version::at(*time)).collect();
        if let Some(known) = self.known {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
            let known = cast(&column(known)?, &micros)?;
            let known = known.as_primitive::<TimestampMicrosecondType>().values();
            versions.iter_mut().zip(known).for_each(|(version, known)| version.known = *known);
        }
        if let Some(op) = self.op {
            let op = column(op)?;
            let op = op.as_string::<i32>();
            versions.iter_mut().zip(op).for_each(|(v, op)| v.is_gap = op == Some(DELETE));
        }
        Ok(versions)
    }

    /// Rows come, all of which say when they were known. Gives back those that no row above the
    /// watermark can ask for any more.
    pub(crate) fn push(
        &mut self,
        mut rows: Times,
        watermark: Option<i64>,
    ) -> Result<Option<Times>> {
        if let Some(keyed) = keyed_rows(&self.keys.of(&rows.batch.records)) {
            // A null equals nothing.
            rows = rows.pick(&numbers(keyed.iter()))?;
        }
        let records = &rows.batch.records;
        let versions = self.read(|c| Ok(ArrayRef::clone(records.column(c))), &rows.times)?;
        self.index.insert(&self.keys.of(records), rows.rows(), &mut self.slots)?;
        let first = self.table.push(records.clone(), &rows.times)?;
        let mut useless = Vec::with_capacity(rows.rows());
        for (id, (slot, version)) in (first..).zip(self.slots.iter().zip(versions)) {
            let is_useless = watermark.is_some_and(|w| self.versions.is_useless(*slot, version, w));
            useless.push(is_useless);
            if !is_useless {
                self.versions.insert(*slot, version, id);
            }
        }
        if !useless.contains(&true) {
            return Ok(None);
        }
        let gone = (first..).zip(&useless).filter(|(_, u)| **u).map(|(id, _)| id);
        self.table.remove(&gone.collect::<Vec<_>>())?;
        for slot in &self.slots {
            if self.versions.is_empty(*slot) {
                self.index.remove(*slot);
            }
        }
        rows.pick(&numbers(useless.into_iter())).map(Some)
    }

    /// The version of each row's key that holds for what it asks, [`NO_ROW`] where there is none.
    pub(crate) fn find(
        &mut self,
        keys: &[ArrayRef],
        asked: impl ExactSizeIterator<Item = Asked>,
    ) -> Result<Vec<RowId>> {
        let keyed = keyed_rows(keys);
        self.index.find(keys, asked.len(), &mut self.slots)?;
        let version = |(row, (slot, asked)): (usize, (&Slot, Asked))| {
            let keyed = keyed.as_ref().is_none_or(|k| k.is_valid(row));
            keyed.then(|| self.versions.at(*slot, asked)).flatten().unwrap_or(NO_ROW)
        };
        Ok(self.slots.iter().zip(asked).enumerate().map(version).collect())
    }

    /// Versions are forgotten that no row above the watermark can ask for.
    pub(crate) fn advance(&mut self, watermark: i64) -> Result<()> {
        let gone = self.versions.advance(watermark, &mut self.index);
        self.table.remove(&gone)
    }

    /// Takes in what was restored.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if !self.table.is_restoring() {
            return Ok(());
        }
        let restored = self.table.settle(&mut self.index)?;
        for rows in restored.chunks(8192) {
            let ids: Vec<RowId> = rows.iter().map(|row| row.id).collect();
            let times: Vec<i64> = rows.iter().map(|row| row.mark.time).collect();
            let places = self.table.places(&ids)?;
            let versions = self.read(|c| self.table.column(c, &places), &times)?;
            for (row, version) in rows.iter().zip(versions) {
                self.versions.insert(row.slot, version, row.id);
            }
        }
        let versions = &self.versions;
        self.index.retain(|slot| !versions.is_empty(slot));
        Ok(())
    }

    /// Bytes of memory beside the rows.
    pub(crate) fn bytes(&self) -> usize {
        self.index.bytes() + self.table.bytes() + self.versions.bytes()
    }
}
