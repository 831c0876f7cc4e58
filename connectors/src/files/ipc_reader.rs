//! Reading Arrow IPC files, in the file form or the stream form.
//!
//! The file form is a marker, the stream form, and an index at the end; so both are read from front
//! to back, without the index.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_ipc::reader::StreamReader;
use swiftwater_engine::{Error, Result};

use super::adapt::Adapter;
use super::byte_stream;
use super::line_reader::broken;
use super::listing::Entry;
use super::reader::{Chunk, FileReader};

type Bytes = io::Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>;

const MARKER: [u8; 8] = *b"ARROW1\0\0";

/// Opens either form.
pub(super) fn open_stream(entry: &Entry) -> Result<StreamReader<io::BufReader<Bytes>>> {
    let mut bytes = byte_stream::open(entry)?;
    let mut eight = || {
        let mut front = Vec::with_capacity(8);
        let read = bytes.by_ref().take(8).read_to_end(&mut front);
        read.map(|_| front).map_err(|e| broken(&entry.name, e))
    };
    let mut front = eight()?;
    if front == MARKER {
        front = eight()?;
        // Some writers fill up to 64 bytes, so that the first buffer is aligned.
        while front == [0; 8] {
            front = eight()?;
        }
    }
    let whole = io::BufReader::with_capacity(256 * 1024, Cursor::new(front).chain(bytes));
    StreamReader::try_new(whole, None).map_err(|e| corrupt(&entry.name, e))
}

fn corrupt(name: &str, error: arrow::error::ArrowError) -> Error {
    Error::data("SW2015", format!("read the file `{name}` as Arrow IPC")).with_source(error)
}

/// The reader; a batch of the file is handed over in pieces.
pub(super) struct IpcReader {
    file: Arc<str>,
    stream: StreamReader<io::BufReader<Bytes>>,
    adapter: Adapter,
    current: Option<RecordBatch>,
    row: u64,
}

impl IpcReader {
    pub(super) fn open(entry: &Entry, schema: SchemaRef) -> Result<Self> {
        let stream = open_stream(entry)?;
        let adapter = Adapter::new(&entry.name, &stream.schema(), &schema)?;
        Ok(Self { file: Arc::clone(&entry.name), stream, adapter, current: None, row: 0 })
    }

    /// Up to `rows` rows of the file.
    fn take(&mut self, rows: usize) -> Result<Option<RecordBatch>> {
        while self.current.as_ref().is_none_or(|b| b.num_rows() == 0) {
            match self.stream.next() {
                None => return Ok(None),
                Some(batch) => self.current = Some(batch.map_err(|e| corrupt(&self.file, e))?),
            }
        }
        let Some(current) = self.current.take() else { return Ok(None) };
        let count = rows.min(current.num_rows());
        self.current = Some(current.slice(count, current.num_rows() - count));
        Ok(Some(current.slice(0, count)))
    }
}

impl FileReader for IpcReader {
    fn next(&mut self, rows: usize) -> Result<Option<Chunk>> {
        let Some(batch) = self.take(rows)? else { return Ok(None) };
        let used = batch.num_rows() as u64;
        let (records, rejected) = self.adapter.adapt(&batch, self.row)?;
        self.row += used;
        let bytes = records.get_array_memory_size();
        Ok(Some(Chunk { records, rejected, bytes, used }))
    }

    fn skip(&mut self, mut records: u64) -> Result<()> {
        while records > 0 {
            let most = usize::try_from(records).unwrap_or(usize::MAX);
            let Some(batch) = self.take(most)? else { return Ok(()) };
            records -= batch.num_rows() as u64;
            self.row += batch.num_rows() as u64;
        }
        Ok(())
    }
}
