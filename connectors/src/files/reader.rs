//! Reading one file: the formats behind one interface.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use swiftwater_engine::{Origin, Rejected, Result};

use super::csv::CsvLayout;
use super::csv_reader;
use super::ipc_reader::IpcReader;
use super::line_reader::{LineReader, open_records};
use super::listing::Entry;
use super::parquet_reader;
use crate::codec::MakeDecoder;

/// Rows of a file and what stood between them.
pub(crate) struct Chunk {
    /// The rows; may be none where every record was rejected.
    pub records: RecordBatch,
    /// Records that could not be decoded.
    pub rejected: Vec<Rejected>,
    /// Bytes that were read for them.
    pub bytes: usize,
    /// Records of the file, good and bad, that this chunk used up.
    pub used: u64,
}

/// Reads one file from its beginning to its end.
pub(crate) trait FileReader: Send {
    /// The next rows, about `rows` of them; `None` at the end of the file.
    ///
    /// # Errors
    /// `Unavailable` where the file cannot be read now; `Data` where the rest of it makes no sense.
    fn next(&mut self, rows: usize) -> Result<Option<Chunk>>;

    /// Leaves out `records` records from the beginning.
    ///
    /// # Errors
    /// As `next`.
    fn skip(&mut self, records: u64) -> Result<()>;
}

/// What every reader needs to know.
#[derive(Clone)]
pub(crate) struct Reading {
    /// Columns of the rows.
    pub schema: SchemaRef,
    /// How records become rows.
    pub shape: Shape,
    /// Largest record of a line format, in bytes.
    pub max_record: usize,
}

/// How the records of a file become rows.
#[derive(Clone)]
pub(crate) enum Shape {
    /// Lines through a message format.
    Lines(MakeDecoder),
    /// Comma-separated values.
    Csv(CsvLayout),
    /// Parquet.
    Parquet,
    /// Arrow IPC.
    ArrowIpc,
}

impl Reading {
    /// Opens a file and leaves out its first records.
    ///
    /// # Errors
    /// As [`FileReader::next`].
    pub(crate) fn open(&self, entry: &Entry, skip: u64) -> Result<Box<dyn FileReader>> {
        let schema = Arc::clone(&self.schema);
        let mut reader: Box<dyn FileReader> = match &self.shape {
            Shape::Lines(make) => {
                let records = open_records(entry, None, self.max_record)?;
                Box::new(LineReader::new(entry, records, make()?, None))
            }
            Shape::Csv(layout) => csv_reader::open(entry, &schema, layout, self.max_record)?,
            Shape::Parquet => return parquet_reader::open(entry, &schema, skip),
            Shape::ArrowIpc => Box::new(IpcReader::open(entry, schema)?),
        };
        if skip > 0 {
            reader.skip(skip)?;
        }
        Ok(reader)
    }
}

/// A rejected record of a file.
///
/// `record` is the number of its line, from 1, in files of lines, and the number of its row, from
/// 1, in others.
pub(crate) fn rejected(
    file: &Arc<str>,
    record: u64,
    code: &'static str,
    message: String,
    payload: Option<&[u8]>,
) -> Rejected {
    Rejected {
        code,
        message,
        key: None,
        payload: payload.map(|p| p.to_vec().into()),
        origin: Some(Origin {
            topic: Arc::clone(file),
            partition: 0,
            offset: i64::try_from(record).unwrap_or(i64::MAX),
            timestamp: None,
        }),
        attempts: 1,
    }
}
