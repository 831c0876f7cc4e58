//! Rows that lie side by side: in memory as they came, or on disk. What is asked of every row (its
//! number, time and whether it is alive) stays in memory.

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::SchemaRef;
use swiftwater_engine::{Error, Result};

use super::numbers::Numbers;
use super::{RowId, RowMark};
use crate::keyed::cold_rows::{ColdRows, ColdStore, RawRows};

/// Some rows.
pub(super) struct Segment {
    pub(super) numbers: Numbers,
    pub(super) times: Vec<i64>,
    /// The number under which snapshots know each row; as `numbers` where it is empty.
    pub(super) stored: Vec<i64>,
    pub(super) alive: Vec<bool>,
    pub(super) live: usize,
    pub(super) rows: Place,
}

/// Where the columns of rows are.
pub(super) enum Place {
    Memory { records: RecordBatch, bytes: usize },
    Disk(ColdRows),
}

/// Bytes of the rows themselves; a slice counts its own, not those of the buffer it shares.
pub(super) fn bytes_of(records: &RecordBatch) -> usize {
    let columns = records.columns().iter();
    columns.map(|c| c.to_data().get_slice_memory_size().unwrap_or_default()).sum()
}

impl Place {
    pub(super) fn memory(records: RecordBatch) -> Self {
        Self::Memory { bytes: bytes_of(&records), records }
    }
}

fn keep<T: Copy>(values: &[T], alive: &[bool]) -> Vec<T> {
    values.iter().zip(alive).filter(|(_, a)| **a).map(|(v, _)| *v).collect()
}

impl Segment {
    pub(super) const fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(super) const fn is_cold(&self) -> bool {
        matches!(self.rows, Place::Disk(_))
    }

    pub(super) fn mark(&self, row: usize) -> Option<RowMark> {
        let id = i64::try_from(self.numbers.get(row)?).unwrap_or(i64::MAX);
        let stored = self.stored.get(row).copied().unwrap_or(id);
        Some(RowMark { time: *self.times.get(row)?, stored, alive: *self.alive.get(row)? })
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let rows = match &self.rows {
            Place::Memory { bytes, .. } => *bytes,
            Place::Disk(rows) => rows.memory_bytes(),
        };
        let marks = self.times.capacity() * 8 + self.stored.capacity() * 8 + self.alive.capacity();
        rows + marks + self.numbers.bytes() + size_of::<Self>()
    }

    /// Bytes of the disk.
    pub(super) fn disk_bytes(&self) -> usize {
        match &self.rows {
            Place::Memory { .. } => 0,
            Place::Disk(rows) => rows.disk_bytes(),
        }
    }

    /// Moves the columns of the rows to disk; `false` where they do not go there.
    pub(super) fn cool(&mut self, store: &ColdStore) -> Result<bool> {
        let Place::Memory { records, .. } = &self.rows else {
            return Ok(true);
        };
        let Some(rows) = store.write(&store.encode(records.columns())?)? else {
            return Ok(false);
        };
        self.rows = Place::Disk(rows);
        self.times.shrink_to_fit();
        self.alive.shrink_to_fit();
        Ok(true)
    }

    /// The rows of a segment in memory that are alive.
    pub(super) fn only_alive(self) -> Result<Self> {
        let Place::Memory { records, .. } = &self.rows else {
            return Ok(self);
        };
        if self.live == self.len() {
            return Ok(self);
        }
        let alive = &self.alive;
        let ids: Vec<RowId> = self.numbers.iter().collect();
        let Some(numbers) = Numbers::of(&keep(&ids, alive)) else {
            return Ok(self);
        };
        let records = filter_record_batch(records, &BooleanArray::from(alive.clone()))?;
        Ok(Self {
            numbers,
            times: keep(&self.times, alive),
            stored: keep(&self.stored, alive),
            alive: vec![true; self.live],
            live: self.live,
            rows: Place::memory(records),
        })
    }

    fn is_alive(&self, row: usize) -> bool {
        self.alive.get(row).copied().unwrap_or(false)
    }
}

/// Neighbours as one, all of them in memory or all of them on disk; on disk only rows that are
/// alive are kept. Those whose numbers lie too far apart stay as they are.
pub(super) fn joined(
    schema: &SchemaRef,
    store: Option<&ColdStore>,
    parts: Vec<Segment>,
) -> Result<Vec<Segment>> {
    let cold = parts.iter().all(Segment::is_cold);
    let kept = |part: &Segment, row: usize| !cold || part.is_alive(row);
    let count: usize = parts.iter().map(|part| if cold { part.live } else { part.len() }).sum();
    let (mut ids, mut times) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut stored, mut alive) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for part in &parts {
        for row in (0..part.len()).filter(|row| kept(part, *row)) {
            let Some((id, mark)) = part.numbers.get(row).zip(part.mark(row)) else { continue };
            ids.push(id);
            times.push(mark.time);
            stored.push(mark.stored);
            alive.push(mark.alive);
        }
    }
    let Some(numbers) = Numbers::of(&ids) else {
        return Ok(parts);
    };
    if parts.iter().all(|part| part.stored.is_empty()) {
        stored = Vec::new();
    }
    let rows = if cold {
        let store = store.ok_or_else(|| Error::bug("join rows on no disk"))?;
        let mut raw = RawRows::default();
        for part in &parts {
            let Place::Disk(rows) = &part.rows else { continue };
            let live: Vec<usize> = (0..part.len()).filter(|row| part.is_alive(*row)).collect();
            rows.read(&live, &mut raw)?;
        }
        match store.write(&raw)? {
            Some(rows) => Place::Disk(rows),
            None => return Ok(parts),
        }
    } else {
        let records = parts.iter().filter_map(|part| match &part.rows {
            Place::Memory { records, .. } => Some(records),
            Place::Disk(_) => None,
        });
        Place::memory(concat_batches(schema, records)?)
    };
    let live = alive.iter().filter(|alive| **alive).count();
    Ok(vec![Segment { numbers, times, stored, alive, live, rows }])
}
