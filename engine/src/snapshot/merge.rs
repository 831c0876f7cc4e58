//! Many small parts become few: the newest parts of a table are merged as soon as there are many of
//! about the same size, so that each row is written again only a few times in its life.

use std::collections::HashMap;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::row::{OwnedRow, RowConverter, SortField};

use super::manifest::{Part, TableState};
use super::part::{Contents, encode};
use super::store::Store;
use crate::error::{Error, Result};
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
    /// Name of the file to be.
    pub(crate) file: String,
}

/// What became of a job.
pub(crate) struct Merged {
    pub(crate) node: String,
    pub(crate) table: &'static str,
    /// Files that are no longer needed.
    pub(crate) files: Vec<String>,
    /// The part that takes their place; `None` where nothing was left.
    pub(crate) part: Option<Part>,
}

/// How many of a table's newest parts should become one, if any.
pub(crate) fn due(table: &TableState) -> Option<usize> {
    if table.parts.len() <= PARTS {
        return None;
    }
    let (mut count, mut bytes) = (0, 0_usize);
    for part in table.parts.iter().rev() {
        if count >= PARTS / 2 && part.bytes > bytes.saturating_mul(FACTOR) {
            break;
        }
        count += 1;
        bytes += part.bytes;
    }
    Some(count)
}

/// Merges the parts of a job into one file.
///
/// # Errors
/// As for reading and writing parts.
pub(crate) fn merge(store: &Store, job: Job) -> Result<Merged> {
    let contents =
        job.parts.iter().map(|p| Contents::read(store, p)).collect::<Result<Vec<_>>>()?;
    let merged = match &job.spec.merge {
        Merge::Latest => latest(&job, &contents)?,
        Merge::Combine(combine) => {
            let rows: Vec<RecordBatch> =
                contents.iter().map(|c| without_expired(&job, &c.rows)).collect::<Result<_>>()?;
            Contents { rows: combine(&rows)?, deleted: None }
        }
    };
    let files = job.parts.iter().map(|p| p.file.clone()).collect();
    let is_empty =
        merged.rows.num_rows() == 0 && merged.deleted.as_ref().is_none_or(|d| d.num_rows() == 0);
    let part = match job.parts.last() {
        Some(newest) if !is_empty => {
            let (part, bytes) =
                encode(&merged, &job.spec, (job.file.clone(), newest.instance, newest.epoch))?;
            store.put(&part.file, bytes)?;
            Some(part)
        }
        _ => None,
    };
    Ok(Merged { node: job.node, table: job.spec.name, files, part })
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
