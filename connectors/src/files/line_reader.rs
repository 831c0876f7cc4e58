//! Reading files of lines through a message format: NDJSON, CSV and raw lines.

use std::sync::Arc;

use swiftwater_engine::{Rejected, Result};

use super::adapt::Adapter;
use super::byte_stream::{self, unreadable};
use super::compression::decompressed;
use super::listing::Entry;
use super::reader::{Chunk, FileReader, rejected};
use super::records::{Fault, Record, Records};
use crate::codec::Decoder;

/// Bytes of lines that are decoded together.
pub(super) const RUN: usize = 1 << 20;

/// A stream of records of a file that may be compressed.
pub(super) type FileRecords = Records<Box<dyn std::io::Read + Send>>;

/// Opens a file as records.
pub(super) fn open_records(entry: &Entry, quote: Option<u8>, max: usize) -> Result<FileRecords> {
    let bytes = decompressed(&entry.name, byte_stream::open(entry)?)
        .map_err(|e| unreadable(&entry.name, false, e))?;
    Ok(Records::new(bytes, quote, max))
}

/// The error of a file whose bytes stopped coming, or could not be decompressed.
pub(super) fn broken(name: &str, error: std::io::Error) -> swiftwater_engine::Error {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    if matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) {
        return swiftwater_engine::Error::data("SW2015", format!("decompress the file `{name}`"))
            .with_source(error);
    }
    unreadable(name, false, error)
}

/// What to say of bytes that are no record.
pub(super) fn fault(file: &Arc<str>, record: &Record, fault: Fault, bytes: &[u8]) -> Rejected {
    let message = match fault {
        Fault::TooLong => {
            format!("the line is longer than `max_record`, {} bytes of it are kept", bytes.len())
        }
        Fault::OpenQuote => "a quote is opened and never closed".into(),
    };
    rejected(file, record.line, "SW2016", message, Some(bytes))
}

/// The reader.
pub(super) struct LineReader {
    file: Arc<str>,
    records: FileRecords,
    decoder: Box<dyn Decoder>,
    /// Makes the declared columns of the decoded ones, where those differ.
    adapter: Option<Adapter>,
}

impl LineReader {
    pub(super) fn new(
        entry: &Entry,
        records: FileRecords,
        decoder: Box<dyn Decoder>,
        adapter: Option<Adapter>,
    ) -> Self {
        Self { file: Arc::clone(&entry.name), records, decoder, adapter }
    }
}

impl FileReader for LineReader {
    fn next(&mut self, rows: usize) -> Result<Option<Chunk>> {
        let Self { file, records, decoder, adapter } = self;
        let found = records.next(rows, RUN).map_err(|e| broken(file, e))?;
        if found.is_empty() {
            return Ok(None);
        }
        let text = records.bytes();
        let bytes_of = |record: &Record| {
            let line = text.get(record.range.clone()).unwrap_or_default();
            line.strip_suffix(b"\r").unwrap_or(line)
        };
        let (bad, good): (Vec<&Record>, Vec<&Record>) =
            found.iter().partition(|record| record.fault.is_some());
        let payloads: Vec<Option<&[u8]>> = good.iter().map(|r| Some(bytes_of(r))).collect();
        let decoded = decoder.decode(&payloads)?;
        let mut set_aside: Vec<Rejected> = bad
            .into_iter()
            .filter_map(|r| r.fault.map(|f| fault(file, r, f, bytes_of(r))))
            .collect();
        for payload in decoded.rejected {
            let Some(record) = good.get(payload.index) else { continue };
            let bytes = Some(bytes_of(record));
            set_aside.push(rejected(file, record.line, payload.code, payload.message, bytes));
        }
        set_aside.sort_by_key(|r| r.origin.as_ref().map(|o| o.offset));
        let rows = match adapter {
            // Columns are only added, so no row is refused.
            Some(adapter) => adapter.adapt(&decoded.records, 0)?.0,
            None => decoded.records,
        };
        Ok(Some(Chunk {
            records: rows,
            rejected: set_aside,
            bytes: found.iter().map(|r| r.range.len() + 1).sum(),
            used: found.len() as u64,
        }))
    }

    fn skip(&mut self, records: u64) -> Result<()> {
        skip(&mut self.records, &self.file, records)
    }
}

/// Leaves out records without decoding them.
pub(super) fn skip(records: &mut FileRecords, file: &str, mut count: u64) -> Result<()> {
    while count > 0 {
        let most = usize::try_from(count).unwrap_or(usize::MAX).min(8192);
        let skipped = records.next(most, RUN).map_err(|e| broken(file, e))?.len();
        if skipped == 0 {
            return Ok(());
        }
        count -= skipped as u64;
    }
    Ok(())
}
