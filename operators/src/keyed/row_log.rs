//! Rows by number. They stay in the batches they came in, as segments; small neighbours are joined,
//! and segments in which most rows are gone are rewritten, so that the cost follows what comes and
//! goes and not what is held.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{concat_batches, filter_record_batch, interleave};
use arrow::datatypes::SchemaRef;
use swiftwater_engine::Result;

/// Number of a row, given out in ascending order.
pub(crate) type RowId = u64;

/// Stands for a row of nulls.
pub(crate) const NO_ROW: RowId = RowId::MAX;

/// Segments below this many rows are joined with their neighbours.
const SEGMENT: usize = 8192;
/// So many rows that are gone are not worth looking at.
const SLACK: usize = 1024;

struct Segment {
    /// Ascending.
    ids: Vec<RowId>,
    times: Vec<i64>,
    /// The number under which snapshots know each row; as `ids` where it is empty.
    stored: Vec<i64>,
    records: RecordBatch,
    alive: Vec<bool>,
    live: usize,
    bytes: usize,
}

/// What a row is beyond its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowMark {
    pub(crate) time: i64,
    /// The number under which snapshots know the row.
    pub(crate) stored: i64,
    pub(crate) alive: bool,
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
}

/// Bytes of the rows themselves; a slice counts its own, not those of the buffer it shares.
pub(crate) fn bytes_of(records: &RecordBatch) -> usize {
    let columns = records.columns().iter();
    columns.map(|c| c.to_data().get_slice_memory_size().unwrap_or_default()).sum()
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
            ids: (first..self.next).collect(),
            times: times.to_vec(),
            stored,
            bytes: bytes_of(&records),
            records,
            alive: vec![true; rows],
            live: rows,
        });
        self.join_tail()?;
        Ok(first)
    }

    /// Joins the last segments while they are small and of like size: each row is copied a few
    /// times at most.
    fn join_tail(&mut self) -> Result<()> {
        while let [.., a, b] = self.segments.as_slice() {
            let (a, b) = (a.ids.len(), b.ids.len());
            if a + b > SEGMENT || a > 2 * b {
                return Ok(());
            }
            let tail = self.segments.split_off(self.segments.len() - 2);
            self.segments.push(joined(&self.schema, tail)?);
            self.firsts.pop();
        }
        Ok(())
    }

    fn find(&self, id: RowId) -> Option<(usize, usize)> {
        let at = self.firsts.partition_point(|first| *first <= id).checked_sub(1)?;
        let guess = usize::try_from(id - self.firsts.get(at)?).ok()?;
        let ids = &self.segments.get(at)?.ids;
        if ids.get(guess) == Some(&id) {
            return Some((at, guess));
        }
        Some((at, ids.binary_search(&id).ok()?))
    }

    /// What a row is beyond its columns; `None` if it is gone altogether.
    pub(crate) fn mark(&self, id: RowId) -> Option<RowMark> {
        let (at, row) = self.find(id)?;
        self.segments.get(at).and_then(|s| s.mark(row))
    }

    /// The rows from `id` on that are alive.
    pub(crate) fn alive_from(&self, id: RowId) -> Vec<RowId> {
        let from = self.segments.partition_point(|s| s.ids.last().is_some_and(|l| *l < id));
        let segments = self.segments.iter().skip(from);
        let alive = segments.flat_map(|s| s.ids.iter().zip(&s.alive));
        alive.filter(|(i, alive)| **i >= id && **alive).map(|(i, _)| *i).collect()
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
            if segment.live * 2 > segment.ids.len() && segment.live * 2 >= SEGMENT {
                self.finish_run(&mut run)?;
                self.segments.push(segment);
                continue;
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
        self.rows = self.segments.iter().map(|s| s.ids.len()).sum();
        self.firsts = self.segments.iter().filter_map(|s| s.ids.first().copied()).collect();
    }

    fn finish_run(&mut self, run: &mut Vec<Segment>) -> Result<()> {
        match run.len() {
            0 => {}
            1 => self.segments.append(run),
            _ => self.segments.push(joined(&self.schema, std::mem::take(run))?),
        }
        Ok(())
    }

    /// Values of one column for these rows, null for [`NO_ROW`].
    pub(crate) fn column(&self, column: usize, places: &Places) -> Result<ArrayRef> {
        let null = new_null_array(self.schema.field(column).data_type(), 1);
        let used = places.segments.iter().filter_map(|s| self.segments.get(*s));
        let mut arrays: Vec<&dyn Array> = vec![null.as_ref()];
        arrays.extend(used.map(|s| s.records.column(column).as_ref()));
        Ok(interleave(&arrays, &places.rows)?)
    }

    /// Where rows lie, for [`RowLog::column`].
    pub(crate) fn places(&self, ids: &[RowId]) -> Places {
        let mut number_of = vec![0_usize; self.segments.len()];
        let mut places = Places { segments: Vec::new(), rows: Vec::with_capacity(ids.len()) };
        for id in ids {
            let Some((at, row)) = (*id != NO_ROW).then(|| self.find(*id)).flatten() else {
                places.rows.push((0, 0));
                continue;
            };
            let Some(number) = number_of.get_mut(at) else { continue };
            if *number == 0 {
                places.segments.push(at);
                *number = places.segments.len();
            }
            places.rows.push((*number, row));
        }
        places
    }

    /// Whole rows, none of them [`NO_ROW`].
    pub(crate) fn rows(&self, ids: &[RowId]) -> Result<RecordBatch> {
        let places = self.places(ids);
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
        self.segments.iter().map(|s| s.bytes + s.ids.len() * 17 + s.stored.len() * 8).sum()
    }
}

/// Where rows lie in a log.
pub(crate) struct Places {
    /// Segments that hold some of them.
    segments: Vec<usize>,
    /// Number in `segments` plus one, or 0 for a row of nulls; and the row.
    rows: Vec<(usize, usize)>,
}

impl Segment {
    fn mark(&self, row: usize) -> Option<RowMark> {
        let id = i64::try_from(*self.ids.get(row)?).unwrap_or(i64::MAX);
        let stored = self.stored.get(row).copied().unwrap_or(id);
        Some(RowMark { time: *self.times.get(row)?, stored, alive: *self.alive.get(row)? })
    }

    fn only_alive(self) -> Result<Self> {
        if self.live == self.ids.len() {
            return Ok(self);
        }
        let alive = &self.alive;
        fn keep<T: Copy>(values: &[T], alive: &[bool]) -> Vec<T> {
            values.iter().zip(alive).filter(|(_, a)| **a).map(|(v, _)| *v).collect()
        }
        let records = filter_record_batch(&self.records, &BooleanArray::from(alive.clone()))?;
        Ok(Self {
            ids: keep(&self.ids, alive),
            times: keep(&self.times, alive),
            stored: keep(&self.stored, alive),
            bytes: bytes_of(&records),
            records,
            alive: vec![true; self.live],
            live: self.live,
        })
    }
}

fn joined(schema: &SchemaRef, parts: Vec<Segment>) -> Result<Segment> {
    let records = concat_batches(schema, parts.iter().map(|p| &p.records))?;
    let numbered = parts.iter().any(|p| !p.stored.is_empty());
    let mut whole = Segment {
        ids: Vec::with_capacity(records.num_rows()),
        times: Vec::with_capacity(records.num_rows()),
        stored: Vec::new(),
        bytes: bytes_of(&records),
        records,
        alive: Vec::new(),
        live: 0,
    };
    for part in parts {
        if numbered {
            let stored = (0..part.ids.len()).filter_map(|row| part.mark(row)).map(|m| m.stored);
            whole.stored.extend(stored);
        }
        whole.ids.extend(part.ids);
        whole.times.extend(part.times);
        whole.alive.extend(part.alive);
        whole.live += part.live;
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use proptest::prelude::*;

    use super::*;

    fn batch(from: u64, rows: usize) -> RecordBatch {
        let values: Int64Array =
            (from..from + rows as u64).map(|i| Some(i.cast_signed() * 10)).collect();
        RecordBatch::try_from_iter([("v", Arc::new(values) as _)]).unwrap()
    }

    proptest! {
        /// Rows come back by their numbers, whatever was joined and rewritten in between.
        #[test]
        fn rows_are_found_by_number(steps in prop::collection::vec((1usize..3000, 0u64..100), 1..25), seed: u64) {
            let mut log = RowLog::new(batch(0, 1).schema());
            let mut oracle = std::collections::BTreeSet::new();
            for (rows, dying) in steps {
                let first = log.next_id();
                let times = vec![i64::try_from(first).unwrap(); rows];
                prop_assert_eq!(log.push(batch(first, rows), &times, Vec::new()).unwrap(), first);
                oracle.extend(first..log.next_id());
                let dead: Vec<u64> =
                    oracle.iter().copied().filter(|i| (i ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 < dying << 25).collect();
                for id in dead {
                    log.kill(id);
                    oracle.remove(&id);
                }
                log.sweep().unwrap();
                prop_assert_eq!(log.live(), oracle.len());
                prop_assert!(log.rows <= 2 * log.live + 2 * SEGMENT);
            }
            let ids: Vec<u64> = oracle.iter().copied().collect();
            prop_assert_eq!(log.alive_from(0), ids.clone());
            let mut wanted: Vec<u64> = ids.iter().rev().copied().collect();
            let found = log.rows(&wanted).unwrap();
            let values: Vec<u64> = found.column(0).as_primitive::<Int64Type>().values().iter().map(|v| v.cast_unsigned() / 10).collect();
            prop_assert_eq!(&values, &wanted);
            wanted.push(NO_ROW);
            let column = log.column(0, &log.places(&wanted)).unwrap();
            prop_assert_eq!(column.null_count(), 1);
        }
    }
}
