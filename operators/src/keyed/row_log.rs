//! Rows by number. They stay in the batches they came in, as segments; small neighbours are joined,
//! and segments in which most rows are gone are rewritten, so that the cost follows what comes and
//! goes and not what is held. Where memory is short, the oldest segments lie on disk.

mod numbers;
mod segment;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use swiftwater_engine::{Error, Result, SpillRoom};

use self::numbers::Numbers;
use self::segment::{Place, Segment, joined};
use super::cold_rows::{ColdStore, RawRows};

/// Number of a row, given out in ascending order.
pub(crate) type RowId = u64;

/// Stands for a row of nulls.
pub(crate) const NO_ROW: RowId = RowId::MAX;

/// Segments below this many rows are joined with their neighbours.
const SEGMENT: usize = 8192;
/// So many rows that are gone are not worth looking at.
const SLACK: usize = 1024;

/// What a row is beyond its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowMark {
    pub(crate) time: i64,
    /// The number under which snapshots know the row.
    pub(crate) stored: i64,
    pub(crate) alive: bool,
}

/// Where old rows go.
enum Disk {
    /// Nothing went there yet.
    Unused,
    /// Rows of these columns cannot.
    Unfit,
    Used(ColdStore),
}

/// Rows by number.
pub(crate) struct RowLog {
    schema: SchemaRef,
    segments: Vec<Segment>,
    /// The first number of each segment, side by side: a search in the segments themselves would
    /// wait for memory at each step.
    firsts: Vec<RowId>,
    next: RowId,
    rows: usize,
    live: usize,
    emptied: bool,
    disk: Disk,
}

impl RowLog {
    pub(crate) const fn new(schema: SchemaRef) -> Self {
        Self {
            schema,
            segments: Vec::new(),
            firsts: Vec::new(),
            next: 0,
            rows: 0,
            live: 0,
            emptied: false,
            disk: Disk::Unused,
        }
    }

    /// The number that the next row will get.
    pub(crate) const fn next_id(&self) -> RowId {
        self.next
    }

    /// Lets numbers go on from `next` at least.
    pub(crate) fn skip_to(&mut self, next: RowId) {
        self.next = self.next.max(next);
    }

    /// Number of rows that are there.
    #[cfg(test)]
    pub(crate) const fn live(&self) -> usize {
        self.live
    }

    /// Adds rows with their times and, for rows of a snapshot, the numbers they have there; gives
    /// the number of the first.
    pub(crate) fn push(
        &mut self,
        records: RecordBatch,
        times: &[i64],
        stored: Vec<i64>,
    ) -> Result<RowId> {
        let (first, rows) = (self.next, records.num_rows());
        if rows == 0 {
            return Ok(first);
        }
        self.next += rows as u64;
        self.rows += rows;
        self.live += rows;
        self.firsts.push(first);
        self.segments.push(Segment {
            numbers: Numbers::from(first, rows),
            times: times.to_vec(),
            stored,
            rows: Place::memory(records),
            alive: vec![true; rows],
            live: rows,
        });
        self.join_tail()?;
        Ok(first)
    }

    /// Joins the last segments while they are small and of like size: each row is copied a few
    /// times at most.
    fn join_tail(&mut self) -> Result<()> {
        while let [.., a, b] = self.segments.as_slice()
            && !a.is_cold()
            && !b.is_cold()
            && a.len() + b.len() <= SEGMENT
            && a.len() <= 2 * b.len()
        {
            let tail = self.segments.split_off(self.segments.len() - 2);
            let joined = joined(&self.schema, None, tail)?;
            let is_one = joined.len() == 1;
            self.segments.extend(joined);
            if !is_one {
                break;
            }
            self.firsts.pop();
        }
        Ok(())
    }

    fn find(&self, id: RowId) -> Option<(usize, usize)> {
        let at = self.firsts.partition_point(|first| *first <= id).checked_sub(1)?;
        Some((at, self.segments.get(at)?.numbers.find(id)?))
    }

    /// What a row is beyond its columns; `None` if it is gone altogether.
    pub(crate) fn mark(&self, id: RowId) -> Option<RowMark> {
        let (at, row) = self.find(id)?;
        self.segments.get(at).and_then(|s| s.mark(row))
    }

    /// The rows from `id` on that are alive.
    pub(crate) fn alive_from(&self, id: RowId) -> Vec<RowId> {
        let from = self.segments.partition_point(|s| s.numbers.last().is_some_and(|l| l < id));
        let segments = self.segments.iter().skip(from);
        let alive = segments.flat_map(|s| s.numbers.iter().zip(&s.alive));
        alive.filter(|(i, alive)| *i >= id && **alive).map(|(i, _)| i).collect()
    }

    /// A row is gone. [`RowLog::sweep`] gives its memory back.
    pub(crate) fn kill(&mut self, id: RowId) {
        let Some((at, row)) = self.find(id) else {
            return;
        };
        if let Some(segment) = self.segments.get_mut(at)
            && let Some(alive) = segment.alive.get_mut(row)
            && std::mem::replace(alive, false)
        {
            segment.live -= 1;
            self.live -= 1;
            self.emptied |= segment.live == 0;
        }
    }

    /// Gives back the memory of rows that are gone, where it is worth while.
    pub(crate) fn sweep(&mut self) -> Result<()> {
        if std::mem::take(&mut self.emptied) {
            self.segments.retain(|s| s.live > 0);
            self.count();
        }
        if self.rows <= 2 * self.live + SLACK {
            return Ok(());
        }
        let mut run: Vec<Segment> = Vec::new();
        for segment in std::mem::take(&mut self.segments) {
            if segment.live * 2 > segment.len() && segment.live * 2 >= SEGMENT {
                self.finish_run(&mut run)?;
                self.segments.push(segment);
                continue;
            }
            if run.first().is_some_and(|first| first.is_cold() != segment.is_cold()) {
                self.finish_run(&mut run)?;
            }
            run.push(segment.only_alive()?);
            if run.iter().map(|s| s.live).sum::<usize>() >= SEGMENT {
                self.finish_run(&mut run)?;
            }
        }
        self.finish_run(&mut run)?;
        self.count();
        Ok(())
    }

    fn count(&mut self) {
        self.rows = self.segments.iter().map(Segment::len).sum();
        self.firsts = self.segments.iter().map(|s| s.numbers.first()).collect();
    }

    const fn store(&self) -> Option<&ColdStore> {
        match &self.disk {
            Disk::Used(store) => Some(store),
            Disk::Unused | Disk::Unfit => None,
        }
    }

    fn finish_run(&mut self, run: &mut Vec<Segment>) -> Result<()> {
        let run = std::mem::take(run);
        let segments = match run.as_slice() {
            [] => run,
            [one] if one.live == one.len() || !one.is_cold() => run,
            _ => joined(&self.schema, self.store(), run)?,
        };
        self.segments.extend(segments);
        Ok(())
    }

    /// Moves the oldest rows to disk until those in memory take `target` bytes or less.
    pub(crate) fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let mut held = self.bytes();
        if held <= target || self.segments.iter().all(Segment::is_cold) {
            return Ok(());
        }
        if matches!(self.disk, Disk::Unused) {
            let types: Vec<_> =
                self.schema.fields().iter().map(|f| f.data_type().clone()).collect();
            self.disk = ColdStore::open(&types, room)?.map_or(Disk::Unfit, Disk::Used);
        }
        let Disk::Used(store) = &self.disk else {
            return Ok(());
        };
        let mut cooled = Ok(());
        for place in &mut self.segments {
            if held <= target {
                break;
            }
            if place.is_cold() {
                continue;
            }
            held = held.saturating_sub(place.bytes());
            cooled = place.cool(store).map(|_| ());
            held += place.bytes();
            if cooled.is_err() {
                break;
            }
        }
        cooled?;
        self.join_cold()
    }

    /// Joins neighbours on disk as [`RowLog::join_tail`] does in memory.
    fn join_cold(&mut self) -> Result<()> {
        for segment in std::mem::take(&mut self.segments) {
            self.segments.push(segment);
            while let [.., a, b] = self.segments.as_slice()
                && a.is_cold()
                && b.is_cold()
                && a.len() + b.len() <= SEGMENT
                && a.len() <= 2 * b.len()
            {
                let tail = self.segments.split_off(self.segments.len() - 2);
                let joined = joined(&self.schema, self.store(), tail)?;
                let is_one = joined.len() == 1;
                self.segments.extend(joined);
                if !is_one {
                    break;
                }
            }
        }
        self.segments.retain(|s| s.live > 0);
        self.count();
        Ok(())
    }

    /// Values of one column for these rows, null for [`NO_ROW`].
    pub(crate) fn column(&self, column: usize, places: &Places) -> Result<ArrayRef> {
        let null = new_null_array(self.schema.field(column).data_type(), 1);
        let mut arrays: Vec<&dyn Array> = vec![null.as_ref()];
        for used in &places.segments {
            let rows = self.segments.get(*used).map(|segment| &segment.rows);
            let Some(Place::Memory { records, .. }) = rows else {
                return Err(Error::bug("find rows in memory"));
            };
            arrays.push(records.column(column).as_ref());
        }
        arrays.extend(places.cold.get(column).map(AsRef::as_ref));
        Ok(interleave(&arrays, &places.rows)?)
    }

    /// Where rows lie, for [`RowLog::column`]; those on disk are read.
    pub(crate) fn places(&self, ids: &[RowId]) -> Result<Places> {
        let mut number_of = vec![0_usize; self.segments.len()];
        let mut places =
            Places { segments: Vec::new(), rows: Vec::with_capacity(ids.len()), cold: Vec::new() };
        let mut wanted = Vec::new();
        for id in ids {
            let Some((at, row)) = (*id != NO_ROW).then(|| self.find(*id)).flatten() else {
                places.rows.push((0, 0));
                continue;
            };
            if self.segments.get(at).is_some_and(Segment::is_cold) {
                wanted.push(Wanted { segment: at, row, place: places.rows.len() });
                places.rows.push((0, 0));
                continue;
            }
            let Some(number) = number_of.get_mut(at) else { continue };
            if *number == 0 {
                places.segments.push(at);
                *number = places.segments.len();
            }
            places.rows.push((*number, row));
        }
        if !wanted.is_empty() {
            self.read(wanted, &mut places)?;
        }
        Ok(places)
    }

    /// Reads rows from disk, each once.
    fn read(&self, mut wanted: Vec<Wanted>, places: &mut Places) -> Result<()> {
        wanted.sort_unstable();
        let (mut raw, mut read) = (RawRows::default(), 0);
        let number = places.segments.len() + 1;
        for of_segment in wanted.chunk_by(|a, b| a.segment == b.segment) {
            let mut rows: Vec<usize> = Vec::with_capacity(of_segment.len());
            for Wanted { row, place, .. } in of_segment {
                if rows.last() != Some(row) {
                    rows.push(*row);
                }
                if let Some(found) = places.rows.get_mut(*place) {
                    *found = (number, read + rows.len() - 1);
                }
            }
            let segment = of_segment.first().and_then(|w| self.segments.get(w.segment));
            let Some(Place::Disk(cold)) = segment.map(|s| &s.rows) else {
                return Err(Error::bug("find rows on disk"));
            };
            cold.read(&rows, &mut raw)?;
            read += rows.len();
        }
        let store = self.store().ok_or_else(|| Error::bug("read rows from no disk"))?;
        places.cold = store.decode(&raw)?;
        Ok(())
    }

    /// Whole rows, none of them [`NO_ROW`].
    pub(crate) fn rows(&self, ids: &[RowId]) -> Result<RecordBatch> {
        let places = self.places(ids)?;
        let columns = (0..self.schema.fields().len()).map(|c| self.column(c, &places));
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(ids.len()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns.collect::<Result<_>>()?,
            &options,
        )?)
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.segments.iter().map(Segment::bytes).sum()
    }

    /// Bytes of the disk.
    pub(crate) fn disk_bytes(&self) -> usize {
        self.segments.iter().map(Segment::disk_bytes).sum()
    }
}

/// Where rows lie in a log.
pub(crate) struct Places {
    /// Segments in memory that hold some of them.
    segments: Vec<usize>,
    /// Number in `segments` plus one, or 0 for a row of nulls, or one more than all of them for one
    /// that was read from disk; and the row.
    rows: Vec<(usize, usize)>,
    /// Columns of the rows that were read from disk.
    cold: Vec<ArrayRef>,
}

/// A row on disk that is to stand at some place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    segment: usize,
    row: usize,
    place: usize,
}

#[cfg(test)]
mod tests;
