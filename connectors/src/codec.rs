//! Message formats: payloads in, columns out, and back. One format a file in `codec/`.

mod arrow_ipc;
mod avro;
mod cell;
pub mod codes;
mod column;
mod csv;
mod decimal;
mod from_text;
mod json;
mod number_text;
mod plan;
mod protobuf;
mod raw;
mod registry;
mod rows;
mod time_text;

pub use arrow_ipc::ArrowIpcOptions;
pub use avro::AvroOptions;
pub use csv::CsvOptions;
pub use json::JsonOptions;
pub use plan::{CodecContext, NAMES, PlannedDecoder, decoder, encoder};
pub use protobuf::ProtobufOptions;
pub use raw::RawOptions;
pub use registry::RegistryOptions;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use swiftwater_engine::Result;

/// A payload that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPayload {
    /// Which of the payloads, from 0.
    pub index: usize,
    /// Stable code of the reason.
    pub code: &'static str,
    /// The reason, quoting the value and its place.
    pub message: String,
}

/// What a decoder made of a run of payloads.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The rows, in the order of the payloads.
    pub records: RecordBatch,
    /// For each row the payload it came from; `None` where row i is payload i.
    pub rows: Option<Vec<u32>>,
    /// Payloads that could not be decoded. They cost nothing but themselves.
    pub rejected: Vec<BadPayload>,
}

/// Payloads in, columns out. A bad payload costs one record, never the batch.
pub trait Decoder: Send {
    /// Columns of the decoded rows.
    fn schema(&self) -> SchemaRef;

    /// Decodes a run of payloads; `None` is a record without a value (a tombstone), which becomes a
    /// row of nulls where every column allows it and is rejected (`SW3105`) otherwise.
    ///
    /// # Errors
    /// `Unavailable` where a schema registry must be asked and cannot be; a bad payload is not an
    /// error but an entry of [`Decoded::rejected`].
    fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Result<Decoded>;
}

/// Encoded payloads, end to end in one buffer.
#[derive(Debug, Default)]
pub struct Payloads {
    /// All bytes.
    pub bytes: Vec<u8>,
    /// Where each payload ends in `bytes`.
    pub ends: Vec<usize>,
}

impl Payloads {
    /// Forgets all payloads, keeping the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// What was appended since the last payload's end is a payload.
    pub fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Each payload as a line.
    #[must_use]
    pub fn lines(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.bytes.len() + self.ends.len());
        for payload in self.iter() {
            text.extend_from_slice(payload);
            text.push(b'\n');
        }
        text
    }

    /// The payloads in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.bytes.get(start..*end).unwrap_or_default())
    }
}

/// Columns in, payloads out.
pub trait Encoder: Send {
    /// Appends one payload for each row, or one for the whole batch where the format says so
    /// (`arrow_ipc`).
    ///
    /// # Errors
    /// `Data` where a value has no form in the format; `Unavailable` where a schema registry must
    /// be asked and cannot be.
    fn encode(&mut self, records: &RecordBatch, out: &mut Payloads) -> Result<()>;
}

/// Makes decoders, one for each instance of a source.
pub type MakeDecoder = Arc<dyn Fn() -> Result<Box<dyn Decoder>> + Send + Sync>;
/// Makes encoders.
pub type MakeEncoder = Arc<dyn Fn() -> Result<Box<dyn Encoder>> + Send + Sync>;

/// Rows as JSON, for tests to compare.
#[cfg(test)]
fn json_rows(records: &RecordBatch) -> Vec<String> {
    let make =
        encoder(None, records.schema(), &CodecContext { topic: None, node: "test" }).unwrap();
    let mut out = Payloads::default();
    make().unwrap().encode(records, &mut out).unwrap();
    let rows = out.iter().map(|row| String::from_utf8_lossy(row).into_owned());
    rows.collect()
}
