//! Arrow IPC: a payload is a stream of record batches, many rows at once.

mod fit;
mod limits;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::buffer::Buffer;
use arrow::compute::concat_batches;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use swiftwater_config::ByteSize;
use swiftwater_engine::{Error, Result};

use self::limits::Limits;
use super::plan::{PlannedDecoder, make_decoder, make_encoder};
use super::rows::{Bad, row_number};
use super::{BadPayload, Decoded, Decoder, Encoder, MakeEncoder, Payloads, codes};

/// An Arrow IPC stream a message: a schema and any number of record batches.
///
/// Reading. Columns are found by name; further ones are skipped, and missing ones are null. Types
/// that hold the same values (text of any offset width, dictionaries, integers of another width)
/// are converted; a stream with other types is a bad record.
///
/// Writing. One message holds all rows of a batch, so it has no key of its own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ArrowIpcOptions {
    /// Writing: how the columns are compressed.
    pub compression: Compression,
    /// Reading: a larger payload is a bad record.
    pub max_bytes: ByteSize,
    /// Reading: a payload that would take more memory than this is a bad record.
    pub max_decoded_bytes: ByteSize,
}

/// How the columns are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// LZ4 frames: fast.
    Lz4,
    /// Zstandard: small.
    Zstd,
}

impl Default for ArrowIpcOptions {
    fn default() -> Self {
        Self {
            compression: Compression::default(),
            max_bytes: ByteSize(8 << 20),
            max_decoded_bytes: ByteSize(64 << 20),
        }
    }
}

/// Plans a decoder.
pub(super) fn decoder(
    options: &ArrowIpcOptions,
    schema: Option<SchemaRef>,
) -> Result<PlannedDecoder> {
    let schema = schema.ok_or_else(|| {
        Error::config(codes::NO_SCHEMA, "decode `arrow_ipc` without columns")
            .with_hint("declare the columns to read: `schema: {price: int64, …}`")
    })?;
    let limits = Limits {
        payload: usize::try_from(options.max_bytes.0).unwrap_or(usize::MAX),
        decoded: options.max_decoded_bytes.0,
    };
    let make = {
        let schema = Arc::clone(&schema);
        make_decoder(move || {
            let schema = Arc::clone(&schema);
            Ok(ArrowIpcDecoder { schema, limits })
        })
    };
    Ok(PlannedDecoder { schema, make })
}

/// Plans an encoder.
pub(super) fn encoder(options: &ArrowIpcOptions, schema: &SchemaRef) -> Result<MakeEncoder> {
    let compression = match options.compression {
        Compression::None => None,
        Compression::Lz4 => Some(arrow_ipc::CompressionType::LZ4_FRAME),
        Compression::Zstd => Some(arrow_ipc::CompressionType::ZSTD),
    };
    let options = IpcWriteOptions::default().try_with_compression(compression)?;
    // A type that cannot be written is found here rather than with the first rows.
    stream(&RecordBatch::new_empty(Arc::clone(schema)), &options).map_err(|e| {
        Error::config(codes::UNSUPPORTED_TYPE, "encode the columns as `arrow_ipc`").with_source(e)
    })?;
    Ok(make_encoder(move || Ok(ArrowIpcEncoder { options: options.clone() })))
}

fn stream(records: &RecordBatch, options: &IpcWriteOptions) -> Result<Vec<u8>, ArrowError> {
    let schema = records.schema_ref();
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), schema, options.clone())?;
    writer.write(records)?;
    writer.finish()?;
    writer.into_inner()
}

struct ArrowIpcEncoder {
    options: IpcWriteOptions,
}

impl Encoder for ArrowIpcEncoder {
    fn encode(&mut self, records: &RecordBatch, out: &mut Payloads) -> Result<()> {
        out.bytes.extend(stream(records, &self.options)?);
        out.end();
        Ok(())
    }
}

struct ArrowIpcDecoder {
    schema: SchemaRef,
    limits: Limits,
}

impl Decoder for ArrowIpcDecoder {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Result<Decoded> {
        let mut batches = Vec::new();
        let mut rows = Vec::new();
        let mut rejected = Vec::new();
        for (index, payload) in payloads.iter().enumerate() {
            let read = match payload {
                Some(payload) => self.payload(payload),
                None => null_row(&self.schema).map(|row| vec![row]),
            };
            match read {
                Ok(read) => {
                    let count = read.iter().map(RecordBatch::num_rows).sum();
                    rows.extend(std::iter::repeat_n(row_number(index)?, count));
                    batches.extend(read);
                }
                Err(Bad { code, message }) => rejected.push(BadPayload { index, code, message }),
            }
        }
        Ok(Decoded { records: concat_batches(&self.schema, &batches)?, rows: Some(rows), rejected })
    }
}

impl ArrowIpcDecoder {
    /// The batches of one payload with the declared columns.
    fn payload(&self, payload: &[u8]) -> Result<Vec<RecordBatch>, Bad> {
        self.limits.check(payload)?;
        // The reader panics on some metadata that no writer produces: a message from outside must
        // not stop the process.
        let read = catch_unwind(AssertUnwindSafe(|| read(payload))).unwrap_or_else(|_| {
            let message = "metadata that contradicts itself".to_owned();
            Err(ArrowError::IpcError(message))
        });
        let batches = read.map_err(|e| {
            let message = format!("malformed Arrow IPC stream: {e}");
            Bad::new(codes::MALFORMED, message)
        })?;
        let fitted = batches.iter().map(|batch| fit::fit(batch, &self.schema));
        fitted.collect()
    }
}

/// Reads all batches of a stream.
fn read(payload: &[u8]) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut decoder = StreamDecoder::new();
    let mut buffer = Buffer::from(payload);
    let mut batches = Vec::new();
    while !buffer.is_empty() {
        batches.extend(decoder.decode(&mut buffer)?);
    }
    decoder.finish()?;
    if decoder.schema().is_none() {
        return Err(ArrowError::IpcError("no schema".to_owned()));
    }
    Ok(batches)
}

/// What a message without a value stands for.
fn null_row(schema: &Schema) -> Result<RecordBatch, Bad> {
    let fields = schema.fields();
    if !fields.iter().all(|field| field.is_nullable()) {
        let message = "null payload, and a column is required";
        return Err(Bad::new(codes::NULL_PAYLOAD, message));
    }
    let columns = fields.iter().map(|f| new_null_array(f.data_type(), 1));
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    RecordBatch::try_new_with_options(Arc::new(schema.clone()), columns.collect(), &options)
        .map_err(|e| Bad::new(codes::NULL_PAYLOAD, e.to_string()))
}
