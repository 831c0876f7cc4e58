//! Many small parts become few: the newest parts of a table are merged as soon as there are many of
//! about the same size, so that each row is written again only a few times in its life.

use std::collections::HashMap;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::row::{OwnedRow, RowConverter, SortField};

use super::manifest::{Part, Slice, TableState};
use super::part::{Contents, encode};
use super::store::Store;
use crate::error::{Error, Result};
use crate::key_group;
use crate::state::{Merge, TableSpec};

/// This many parts of a table are left alone.
const PARTS: usize = 8;
/// An older part joins a merge unless it is this many times larger than all newer ones together.
const FACTOR: usize = 2;

/// Parts to become one.
pub(crate) struct Job {
    pub(crate) node: String,
    pub(crate) spec: TableSpec,
    /// Neighbours, oldest first.
    pub(crate) parts: Vec<Part>,
    /// Whether there is an older part, so that deleted keys must stay known.
    pub(crate) has_older: bool,
    pub(crate) expired_below: Option<i64>,
    /// Bytes of memory that the merge may take: it goes through the keys slice by slice.
    pub(crate) most: usize,
    /// Name of the file to be.
    pub(crate) file: String,
}

/// What became of a job.
pub(crate) struct Merged {
    pub(crate) node: String,
    pub(crate) table: &'static str,
    /// Files that are no longer needed.
    pub(crate) files: Vec<String>,
    /// The parts that take their place: one for each slice of the keys in which something is left.
    pub(crate) parts: Vec<Part>,
}

/// How many of a table's newest parts should become one, if any.
pub(crate) fn due(table: &TableState) -> Option<usize> {
    let merge = |part: &Part| part.slice.as_ref().map(|slice| slice.merge.clone());
    // What one merge made counts as one.
    let same = |a: &Part, b: &Part| a.slice.is_some() && merge(a) == merge(b);
    let wholes: Vec<&[Part]> = table.parts.chunk_by(same).collect();
    if wholes.len() <= PARTS {
        return None;
    }
    let (mut wholes_in, mut count, mut bytes) = (0, 0, 0_usize);
    for whole in wholes.into_iter().rev() {
        let size: usize = whole.iter().map(|part| part.bytes).sum();
        if wholes_in >= PARTS / 2 && size > bytes.saturating_mul(FACTOR) {
            break;
        }
        wholes_in += 1;
        count += whole.len();
        bytes += size;
    }
    Some(count)
}

/// What the table of keys takes for each row, roughly.
const KEY_BYTES: usize = 160;

/// Into how many slices the keys of a job are cut: a power of two, so that a part of an earlier
/// merge is read for its own slices only.
fn slices(job: &Job) -> u64 {
    if job.spec.key == 0 {
        return 1;
    }
    let memory = |part: &Part| part.memory.max(part.bytes) + part.rows * KEY_BYTES;
    let all: usize = job.parts.iter().map(memory).sum();
    (all.div_ceil(job.most.max(1)) as u64).next_power_of_two()
}

/// The rows of a batch whose keys are in slice `index` of `of`.
fn of_slice(batch: &RecordBatch, key: usize, (index, of): (u64, u64)) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = batch.columns().iter().take(key).cloned().collect();
    let hashes = key_group::hashes(&columns)?;
    let mine: BooleanArray = hashes.iter().map(|hash| Some(hash % of == index)).collect();
    Ok(filter_record_batch(batch, &mine)?)
}

/// Whether a part can hold keys of slice `index` of `of`.
fn may_hold(part: &Part, (index, of): (u64, u64)) -> bool {
    part.slice.as_ref().is_none_or(|slice| {
        let common = slice.of.min(of).max(1);
        slice.index % common == index % common
    })
}

/// Merges the parts of a job into one file, or one for each slice of the keys where memory does not
/// hold them all.
///
/// # Errors
/// As for reading and writing parts.
pub(crate) fn merge(store: &Store, job: Job) -> Result<Merged> {
    let of = slices(&job);
    let mut parts = Vec::new();
    for index in 0..of {
        parts.extend(merge_slice(store, &job, (index, of))?);
    }
    let files = job.parts.iter().map(|p| p.file.clone()).collect();
    Ok(Merged { node: job.node, table: job.spec.name, files, parts })
}

fn merge_slice(store: &Store, job: &Job, slice: (u64, u64)) -> Result<Option<Part>> {
    let (index, of) = slice;
    let mut contents = Vec::new();
    for part in job.parts.iter().filter(|part| may_hold(part, slice)) {
        let Contents { mut rows, mut deleted } = Contents::read(store, part)?;
        if of > 1 {
            rows = of_slice(&rows, job.spec.key, slice)?;
            deleted = deleted.map(|d| of_slice(&d, job.spec.key, slice)).transpose()?;
        }
        contents.push(Contents { rows, deleted });
    }
    if contents.is_empty() {
        return Ok(None);
    }
    let merged = match &job.spec.merge {
        Merge::Latest => latest(job, &contents)?,
        Merge::Combine(combine) => {
            let rows: Vec<RecordBatch> =
                contents.iter().map(|c| without_expired(job, &c.rows)).collect::<Result<_>>()?;
            Contents { rows: combine(&rows)?, deleted: None }
        }
    };
    let is_empty =
        merged.rows.num_rows() == 0 && merged.deleted.as_ref().is_none_or(|d| d.num_rows() == 0);
    let Some(newest) = job.parts.last().filter(|_| !is_empty) else {
        return Ok(None);
    };
    let file = match of {
        1 => job.file.clone(),
        _ => job.file.replace(".arrow", &format!("-{index}.arrow")),
    };
    let (mut part, bytes) = encode(&merged, &job.spec, (file, newest.instance, newest.epoch))?;
    store.put(&part.file, bytes)?;
    part.slice = (of > 1).then(|| Slice { merge: job.file.clone(), index, of });
    Ok(Some(part))
}

fn without_expired(job: &Job, rows: &RecordBatch) -> Result<RecordBatch> {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    let (Some(column), Some(bound)) = (job.spec.expiry, job.expired_below) else {
        return Ok(rows.clone());
    };
    let column = rows.columns().get(column).and_then(|c| c.as_primitive_opt::<Int64Type>());
    let column = column.ok_or_else(|| Error::bug("find the expiry column of a table"))?;
    let keep: BooleanArray = column.iter().map(|v| Some(v.is_none_or(|v| v >= bound))).collect();
    Ok(filter_record_batch(rows, &keep)?)
}

/// Where the newest word on a key stands: batch and row, or that it is gone.
type Newest = HashMap<OwnedRow, Option<(usize, u32)>>;

/// The newest row of each key, and the keys that are gone.
fn latest(job: &Job, contents: &[Contents]) -> Result<Contents> {
    let columns = |batch: &RecordBatch| -> Vec<ArrayRef> {
        batch.columns().iter().take(job.spec.key).cloned().collect()
    };
    let fields = job.spec.schema.fields().iter().take(job.spec.key);
    let fields = fields.map(|f| SortField::new(f.data_type().clone())).collect();
    let converter = RowConverter::new(fields)?;
    let mut newest: Newest = HashMap::new();
    let mut kept = Vec::new();
    for (index, part) in contents.iter().enumerate() {
        if let Some(deleted) = &part.deleted {
            for row in &converter.convert_columns(&columns(deleted))? {
                newest.insert(row.owned(), None);
            }
        }
        let rows = without_expired(job, &part.rows)?;
        for (number, row) in (0..).zip(&converter.convert_columns(&columns(&rows))?) {
            newest.insert(row.owned(), Some((index, number)));
        }
        kept.push(rows);
    }
    let mut picked: Vec<Vec<u32>> = vec![Vec::new(); kept.len()];
    let mut gone = Vec::new();
    for (key, place) in newest {
        match place {
            Some((index, row)) => picked.get_mut(index).map_or((), |p| p.push(row)),
            None => gone.push(key),
        }
    }
    let mut parts = Vec::new();
    for (rows, mut picked) in kept.iter().zip(picked) {
        picked.sort_unstable();
        parts.push(take_record_batch(rows, &UInt32Array::from(picked))?);
    }
    gone.sort();
    let deleted = if job.has_older && !gone.is_empty() {
        let fields = job.spec.schema.fields().iter().take(job.spec.key).cloned();
        let schema = arrow::datatypes::Schema::new(fields.collect::<Vec<_>>());
        let columns = converter.convert_rows(gone.iter().map(OwnedRow::row))?;
        Some(RecordBatch::try_new(schema.into(), columns)?)
    } else {
        None
    };
    Ok(Contents { rows: concat_batches(&job.spec.schema, &parts)?, deleted })
}

#[cfg(test)]
#[path = "merge/tests.rs"]
mod tests;
