//! One file of a table: deleted keys and rows, as two Arrow IPC streams compressed with zstd.

use std::io::Cursor;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use arrow::compute::{concat_batches, max};
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use bytes::Bytes;

use super::manifest::Part;
use super::store::Store;
use crate::error::{Error, Result};
use crate::message::Epoch;
use crate::state::TableSpec;

/// What a part holds.
#[derive(Debug, Clone)]
pub struct Contents {
    /// Rows, in the columns of the table.
    pub rows: RecordBatch,
    /// Keys that are gone; they go before the rows come.
    pub deleted: Option<RecordBatch>,
}

/// The name of a file.
pub(crate) fn part_name(
    node: &str,
    table: &str,
    epoch: Epoch,
    instance: usize,
    run: &str,
) -> String {
    format!("state/{node}.{table}-{epoch:012}-{instance}-{run}.arrow")
}

fn unfit(what: &str) -> impl Fn(arrow::error::ArrowError) -> Error {
    let what = what.to_owned();
    move |error| Error::bug(format!("{what} a part of a snapshot")).with_source(error)
}

fn stream(batch: &RecordBatch, bytes: &mut Vec<u8>) -> Result<()> {
    let options = IpcWriteOptions::default()
        .try_with_compression(Some(CompressionType::ZSTD))
        .map_err(unfit("write"))?;
    let mut writer = StreamWriter::try_new_with_options(bytes, &batch.schema(), options)
        .map_err(unfit("write"))?;
    writer.write(batch).and_then(|()| writer.finish()).map_err(unfit("write"))
}

/// Encodes a part; `name`, `instance` and `epoch` go into its description.
pub(crate) fn encode(
    contents: &Contents,
    spec: &TableSpec,
    (name, instance, epoch): (String, usize, Epoch),
) -> Result<(Part, Bytes)> {
    let deleted = contents.deleted.as_ref().filter(|d| d.num_rows() > 0);
    let mut bytes = vec![u8::from(deleted.is_some())];
    if let Some(deleted) = deleted {
        stream(deleted, &mut bytes)?;
    }
    stream(&contents.rows, &mut bytes)?;
    let newest = spec.expiry.and_then(|column| {
        let column: &Int64Array =
            contents.rows.columns().get(column)?.as_primitive_opt::<Int64Type>()?;
        max(column)
    });
    let part = Part {
        file: name,
        rows: contents.rows.num_rows() + deleted.map_or(0, RecordBatch::num_rows),
        bytes: bytes.len(),
        checksum: crc32fast::hash(&bytes),
        instance,
        epoch,
        newest,
        memory: contents.memory(),
        slice: None,
    };
    Ok((part, bytes.into()))
}

impl Contents {
    /// The same in pieces of about `most` bytes of memory; deleted keys come with the first.
    pub(crate) fn pieces(self, most: usize) -> Vec<Self> {
        let rows = self.rows.num_rows();
        let count = self.memory().div_ceil(most.max(1)).clamp(1, rows.max(1));
        let length = rows.div_ceil(count).max(1);
        let mut deleted = self.deleted;
        let starts = (0..rows.max(1)).step_by(length);
        let piece = |from: usize| Self {
            rows: self.rows.slice(from, length.min(rows - from)),
            deleted: deleted.take(),
        };
        starts.map(piece).collect()
    }

    /// Bytes of memory that it takes.
    fn memory(&self) -> usize {
        let batches = self.deleted.iter().chain([&self.rows]);
        let columns = batches.flat_map(RecordBatch::columns);
        columns.map(|c| c.to_data().get_slice_memory_size().unwrap_or_default()).sum()
    }

    /// Reads a part back.
    ///
    /// # Errors
    /// `State` (`SW4323`) where the file is missing or damaged; `Unavailable` where the store does
    /// not answer.
    pub fn read(store: &Store, part: &Part) -> Result<Self> {
        let lost = |why: String| {
            let message = format!("read `{}` in {}: {why}", part.file, store.url());
            Error::state("SW4323", message)
                .with_hint("restore the file from a copy, or go back to an older snapshot")
        };
        let bytes = store.get(&part.file)?.ok_or_else(|| lost("it is not there".into()))?;
        let found = crc32fast::hash(&bytes);
        if found != part.checksum {
            return Err(lost(format!("its checksum is {found:08x}, not {:08x}", part.checksum)));
        }
        let mut cursor = Cursor::new(bytes);
        let mut flag = [0_u8];
        std::io::Read::read_exact(&mut cursor, &mut flag).map_err(|e| lost(e.to_string()))?;
        let deleted = (flag == [1]).then(|| read_stream(&mut cursor)).transpose();
        let deleted = deleted.map_err(|e| lost(e.to_string()))?;
        let rows = read_stream(&mut cursor).map_err(|e| lost(e.to_string()))?;
        Ok(Self { rows, deleted })
    }
}

fn read_stream(cursor: &mut Cursor<Bytes>) -> Result<RecordBatch, arrow::error::ArrowError> {
    let mut reader = StreamReader::try_new(cursor, None)?;
    let schema: SchemaRef = reader.schema();
    let batches = reader.by_ref().collect::<Result<Vec<_>, _>>()?;
    match <[RecordBatch; 1]>::try_from(batches) {
        Ok([only]) => Ok(only),
        Err(batches) => concat_batches(&schema, &batches),
    }
}
