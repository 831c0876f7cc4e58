//! Reading Parquet files: row groups one after the other, from disk or by ranges from a store.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use futures::StreamExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderBuilder, ParquetRecordBatchReaderBuilder};
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use swiftwater_engine::{Error, Result};

use super::adapt::Adapter;
use super::byte_stream::{is_gone, unreadable};
use super::listing::{Entry, FileRef};
use super::object_ranges::ObjectRanges;
use super::reader::{Chunk, FileReader};
use crate::io_call;

/// Rows decoded at a time.
const BATCH: usize = 8192;

/// The columns of a file.
///
/// # Errors
/// `Data` (`SW2015`) for a file that is no Parquet, `Unavailable` for one that cannot be read.
pub(super) fn schema(entry: &Entry) -> Result<SchemaRef> {
    match &entry.file {
        FileRef::Local(_) => Ok(Arc::clone(local(entry)?.schema())),
        FileRef::Object(..) => Ok(Arc::clone(remote(entry)?.schema())),
    }
}

fn failed(name: &str, error: ParquetError) -> Error {
    if let ParquetError::External(cause) = &error {
        let store = cause.downcast_ref::<object_store::Error>();
        if store.is_some() || cause.is::<std::io::Error>() {
            return unreadable(name, store.is_some_and(is_gone), error);
        }
    }
    Error::data("SW2015", format!("read the file `{name}` as Parquet")).with_source(error)
}

fn local(entry: &Entry) -> Result<ParquetRecordBatchReaderBuilder<std::fs::File>> {
    let FileRef::Local(path) = &entry.file else {
        return Err(Error::bug(format!("open `{}` as a local file", entry.name)));
    };
    let gone = |e: &std::io::Error| e.kind() == std::io::ErrorKind::NotFound;
    let file = std::fs::File::open(path).map_err(|e| unreadable(&entry.name, gone(&e), e))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| failed(&entry.name, e))
}

fn remote(entry: &Entry) -> Result<ParquetRecordBatchStreamBuilder<ObjectRanges>> {
    let FileRef::Object(store, path) = &entry.file else {
        return Err(Error::bug(format!("open `{}` as an object", entry.name)));
    };
    let reader = ObjectRanges::new(Arc::clone(store), path.clone());
    let opened = io_call::block_on(ParquetRecordBatchStreamBuilder::new(reader))?;
    opened.map_err(|e| failed(&entry.name, e))
}

/// Reads only the declared columns, from row `skip` on.
fn narrowed<T>(builder: ArrowReaderBuilder<T>, to: &SchemaRef, skip: u64) -> ArrowReaderBuilder<T> {
    let roots = builder.schema().fields().iter().enumerate();
    let wanted = roots.filter(|(_, f)| to.index_of(f.name()).is_ok()).map(|(place, _)| place);
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let builder = builder.with_projection(mask).with_batch_size(BATCH);
    if skip == 0 {
        return builder;
    }
    builder.with_offset(usize::try_from(skip).unwrap_or(usize::MAX))
}

/// Opens a file at row `skip`.
pub(super) fn open(entry: &Entry, to: &SchemaRef, skip: u64) -> Result<Box<dyn FileReader>> {
    let name = &entry.name;
    let (rows, from): (Rows, SchemaRef) = match &entry.file {
        FileRef::Local(_) => {
            let reader = narrowed(local(entry)?, to, skip).build().map_err(|e| failed(name, e))?;
            let schema = arrow::array::RecordBatchReader::schema(&reader);
            (Rows::Local(Box::new(reader)), schema)
        }
        FileRef::Object(..) => {
            let stream = narrowed(remote(entry)?, to, skip).build().map_err(|e| failed(name, e))?;
            let schema = Arc::clone(stream.schema());
            (Rows::Remote(Box::new(stream)), schema)
        }
    };
    let adapter = Adapter::new(name, &from, to)?;
    let file = Arc::clone(name);
    Ok(Box::new(ParquetReader { file, rows, adapter, current: None, row: skip }))
}

/// Rows from either place.
enum Rows {
    Local(Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>> + Send>),
    Remote(Box<ParquetRecordBatchStream<ObjectRanges>>),
}

struct ParquetReader {
    file: Arc<str>,
    rows: Rows,
    adapter: Adapter,
    current: Option<RecordBatch>,
    row: u64,
}

impl ParquetReader {
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        match &mut self.rows {
            Rows::Local(reader) => reader.next().transpose().map_err(|e| match e {
                ArrowError::IoError(_, e) => unreadable(&self.file, false, e),
                e => Error::data("SW2015", format!("read the file `{}` as Parquet", self.file))
                    .with_source(e),
            }),
            Rows::Remote(stream) => {
                io_call::block_on(stream.next())?.transpose().map_err(|e| failed(&self.file, e))
            }
        }
    }
}

impl FileReader for ParquetReader {
    fn next(&mut self, rows: usize) -> Result<Option<Chunk>> {
        let current = match self.current.take() {
            Some(current) => current,
            None => match self.batch()? {
                Some(batch) => batch,
                None => return Ok(None),
            },
        };
        let count = rows.min(current.num_rows());
        let rest = current.num_rows() - count;
        self.current = (rest > 0).then(|| current.slice(count, rest));
        let batch = current.slice(0, count);
        let (records, rejected) = self.adapter.adapt(&batch, self.row)?;
        self.row += count as u64;
        let bytes = records.get_array_memory_size();
        Ok(Some(Chunk { records, rejected, bytes, used: count as u64 }))
    }

    fn skip(&mut self, records: u64) -> Result<()> {
        for _ in 0..records {
            if self.next(1)?.is_none() {
                break;
            }
        }
        Ok(())
    }
}
