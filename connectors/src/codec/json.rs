//! JSON: one object a payload, columns by the names of its fields.
//!
//! Payloads are read by our own projecting reader: it checks the whole payload against RFC 8259 but
//! makes values only of the fields that are columns. What it accepts and what comes out is the same
//! as with `arrow-json`, which the tests compare it with, except where that one is lenient at the
//! cost of the data: it cuts fractions off integers and takes what is not JSON.

mod cell;
mod column;
mod encode;
mod number;
mod problem;
mod record;
mod scan;
mod text;
mod time;
mod value;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::ByteSize;
use swiftwater_engine::{Error, Result};

use self::encode::JsonEncoder;
use self::problem::Problem;
use self::record::{Record, Rules};
use self::scan::{MAX_DEPTH, Scanner};
use super::plan::{PlannedDecoder, make_decoder, make_encoder};
use super::{BadPayload, Decoded, Decoder, MakeEncoder, codes};

/// One JSON object a message; its fields are the columns of the same name.
///
/// Reading. Fields that are no columns are skipped; they must be valid JSON all the same. Columns
/// whose field is absent are null. Of several fields with one name the last counts. Integers may be
/// written `5`, `5.0`, `5e0` or `"5"`, floats also `"NaN"` and `"inf"`; a fraction in an integer
/// column, or a number outside the type's range, makes the record bad. Timestamps are integers in
/// the column's unit since 1970 or text such as `2026-01-31T09:26:56.123Z` (without an offset: UTC),
/// dates are days since 1970 or `2026-01-31`, decimals are numbers or text and are rounded half away
/// from zero, binary is base64.
///
/// Writing. Whatever is written is read back as the same value, except that NaN and infinity are
/// written as null, which is all that JSON has for them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JsonOptions {
    /// Reading: what a nullable column gets whose field is absent. `null`, or `reject`: the record
    /// is bad.
    pub missing: Missing,
    /// Reading: what happens to a field that is no column. `ignore`, or `reject`: the record is bad.
    pub unknown_fields: UnknownFields,
    /// Reading: a larger payload is a bad record.
    pub max_bytes: ByteSize,
    /// Reading: levels of nested objects and arrays, at most 128; a deeper payload is a bad record.
    pub max_depth: u32,
    /// Writing: timestamps as text (`rfc3339`) or as an integer in the column's unit (`epoch`).
    pub timestamps: Timestamps,
    /// Writing: null columns as `null` (`write`) or not at all (`omit`).
    pub nulls: Nulls,
}

/// What a nullable column gets whose field is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Null.
    #[default]
    Null,
    /// The record is bad.
    Reject,
}

/// What happens to a field that is no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownFields {
    /// It is skipped.
    #[default]
    Ignore,
    /// The record is bad.
    Reject,
}

/// How timestamps are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Timestamps {
    /// As text, `2026-01-31T09:26:56.123Z`; years beyond 9999 as integers.
    #[default]
    Rfc3339,
    /// As an integer in the column's unit since 1970.
    Epoch,
}

/// How nulls are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nulls {
    /// As `null`.
    #[default]
    Write,
    /// Not at all.
    Omit,
}

impl Default for JsonOptions {
    fn default() -> Self {
        Self {
            missing: Missing::default(),
            unknown_fields: UnknownFields::default(),
            max_bytes: ByteSize(8 << 20),
            max_depth: MAX_DEPTH,
            timestamps: Timestamps::default(),
            nulls: Nulls::default(),
        }
    }
}

/// Plans a decoder.
pub(super) fn decoder(options: JsonOptions, schema: Option<SchemaRef>) -> Result<PlannedDecoder> {
    let schema = schema.ok_or_else(|| {
        Error::config(codes::NO_SCHEMA, "decode `json` without columns")
            .with_hint("declare the fields to read: `schema: {price: int64, …}`")
    })?;
    if !(1..=MAX_DEPTH).contains(&options.max_depth) {
        let message = format!("use `max_depth: {}` of `json`", options.max_depth);
        return Err(
            Error::config(codes::BAD_OPTIONS, message).with_hint(format!("it is 1 to {MAX_DEPTH}"))
        );
    }
    JsonDecoder::new(Arc::clone(&schema), &options)?;
    let make = {
        let schema = Arc::clone(&schema);
        make_decoder(move || JsonDecoder::new(Arc::clone(&schema), &options))
    };
    Ok(PlannedDecoder { schema, make })
}

/// Plans an encoder.
pub(super) fn encoder(options: JsonOptions, schema: SchemaRef) -> Result<MakeEncoder> {
    JsonEncoder::check(&schema)?;
    Ok(make_encoder(move || Ok(JsonEncoder::new(&options))))
}

/// Reads JSON objects.
struct JsonDecoder {
    schema: SchemaRef,
    record: Record,
    max_bytes: usize,
    max_depth: u32,
}

impl JsonDecoder {
    fn new(schema: SchemaRef, options: &JsonOptions) -> Result<Self> {
        let rules = Rules {
            require_all: options.missing == Missing::Reject,
            refuse_unknown: options.unknown_fields == UnknownFields::Reject,
        };
        Ok(Self {
            record: Record::new(schema.fields(), rules)?,
            schema,
            max_bytes: usize::try_from(options.max_bytes.0).unwrap_or(usize::MAX),
            max_depth: options.max_depth,
        })
    }

    /// Appends one payload as a row, or says why not.
    fn row(&mut self, payload: &[u8]) -> Result<(), (&'static str, String)> {
        if payload.len() > self.max_bytes {
            let (size, limit) = (payload.len(), self.max_bytes);
            let message = format!("payload of {size} bytes is larger than `max_bytes`, {limit}");
            return Err((codes::TOO_LARGE, message));
        }
        if let Err(error) = std::str::from_utf8(payload) {
            let at = error.valid_up_to();
            let byte = payload.get(at).copied().unwrap_or_default();
            let message = format!("invalid UTF-8 at byte {at} (0x{byte:02x})");
            return Err((codes::BAD_UTF8, message));
        }
        let mut scanner = Scanner::new(payload, self.max_depth);
        read(&mut self.record, &mut scanner)
            .map_err(|problem| (problem.code(), problem.message(payload)))
    }

    fn null_row(&mut self) -> Result<(), (&'static str, String)> {
        if !self.record.accepts_nulls() {
            let message = "null payload, and a column is required".to_owned();
            return Err((codes::NULL_PAYLOAD, message));
        }
        self.record.append_nulls();
        Ok(())
    }
}

/// Reads the object that makes up a payload.
fn read(record: &mut Record, scanner: &mut Scanner<'_>) -> problem::Outcome {
    scanner.space();
    let outcome = if scanner.peek() == b'{' {
        record.object(scanner)
    } else {
        let start = scanner.at;
        scanner.skip()?;
        Err(Problem::wrong("an object", scanner.since(start)))
    };
    if let Err(problem) = &outcome
        && problem.is_fatal()
    {
        return outcome;
    }
    scanner.space();
    if scanner.at < scanner.bytes.len() {
        return scanner.malformed("the end");
    }
    outcome
}

impl Decoder for JsonDecoder {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Result<Decoded> {
        self.record.reserve(payloads.len());
        let mut rejected = Vec::new();
        let mut rows: Option<Vec<u32>> = None;
        let mut len = 0;
        // The offsets of text columns are 32 bits wide.
        let mut room = i32::MAX as usize;
        for (index, payload) in payloads.iter().enumerate() {
            let outcome = match payload {
                Some(payload) if payload.len() > room => {
                    Err((codes::TOO_LARGE, "payloads of one batch exceed 2 GiB".into()))
                }
                Some(payload) => {
                    room -= payload.len();
                    self.row(payload)
                }
                None => self.null_row(),
            };
            match outcome {
                Ok(()) => {
                    len += 1;
                    if let Some(rows) = &mut rows {
                        rows.push(row_number(index)?);
                    }
                }
                Err((code, message)) => {
                    self.record.truncate(len);
                    if rows.is_none() {
                        rows = Some((0..row_number(len)?).collect());
                    }
                    rejected.push(BadPayload { index, code, message });
                }
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(len));
        let columns = self.record.finish()?;
        let records =
            RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(Decoded { records, rows, rejected })
    }
}

fn row_number(index: usize) -> Result<u32> {
    u32::try_from(index).map_err(|_| Error::bug("decode a batch of more than 2^32 payloads"))
}
