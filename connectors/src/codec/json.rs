//! JSON: one object a payload.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::json::reader::Decoder as Tape;
use arrow::json::writer::WriterBuilder;
use arrow::json::{ReaderBuilder, writer::LineDelimited};
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::{Error, Result};

use super::plan::{PlannedDecoder, make_decoder, make_encoder};
use super::{BadPayload, Decoded, Decoder, Encoder, MakeEncoder, Payloads};

/// One JSON object a message, with a field for each column.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JsonOptions {}

pub(super) fn decoder(_options: JsonOptions, schema: Option<SchemaRef>) -> Result<PlannedDecoder> {
    let schema = schema.ok_or_else(|| {
        Error::config("SW3123", "decode `json` without columns")
            .with_hint("declare the fields to read: `schema: {price: int64, …}`")
    })?;
    let make = {
        let schema = Arc::clone(&schema);
        make_decoder(move || JsonDecoder::new(Arc::clone(&schema)))
    };
    Ok(PlannedDecoder { schema, make })
}

pub(super) fn encoder(_options: JsonOptions, _schema: SchemaRef) -> Result<MakeEncoder> {
    Ok(make_encoder(|| Ok(JsonEncoder)))
}

struct JsonDecoder {
    schema: SchemaRef,
    tape: Tape,
}

impl JsonDecoder {
    fn new(schema: SchemaRef) -> Result<Self> {
        let tape = ReaderBuilder::new(Arc::clone(&schema)).build_decoder()?;
        Ok(Self { schema, tape })
    }

    fn row(&mut self, payload: &[u8]) -> Result<RecordBatch, (&'static str, String)> {
        let bad = |e: arrow::error::ArrowError| ("SW3101", e.to_string());
        let read = self.tape.decode(payload).and_then(|_| self.tape.flush());
        match read {
            Ok(Some(batch)) if batch.num_rows() == 1 => Ok(batch),
            Ok(_) => Err(("SW3101", "expected one JSON object".into())),
            Err(e) => {
                self.tape = ReaderBuilder::new(Arc::clone(&self.schema))
                    .build_decoder()
                    .map_err(bad)?;
                Err(bad(e))
            }
        }
    }
}

impl Decoder for JsonDecoder {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Result<Decoded> {
        let mut batches = Vec::new();
        let mut rows = Vec::new();
        let mut rejected = Vec::new();
        for (index, payload) in payloads.iter().enumerate() {
            match self.row(payload.unwrap_or(b"{}")) {
                Ok(batch) => {
                    batches.push(batch);
                    rows.push(u32::try_from(index).unwrap_or(u32::MAX));
                }
                Err((code, message)) => rejected.push(BadPayload {
                    index,
                    code,
                    message,
                }),
            }
        }
        let records = arrow::compute::concat_batches(&self.schema, &batches)?;
        let rows = (!rejected.is_empty()).then_some(rows);
        Ok(Decoded {
            records,
            rows,
            rejected,
        })
    }
}

struct JsonEncoder;

impl Encoder for JsonEncoder {
    fn encode(&mut self, records: &RecordBatch, out: &mut Payloads) -> Result<()> {
        for row in 0..records.num_rows() {
            let mut writer = WriterBuilder::new()
                .with_explicit_nulls(true)
                .build::<_, LineDelimited>(Vec::new());
            writer.write(&records.slice(row, 1))?;
            writer.finish()?;
            out.bytes
                .extend_from_slice(writer.into_inner().trim_ascii_end());
            out.ends.push(out.bytes.len());
        }
        Ok(())
    }
}
