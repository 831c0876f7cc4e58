//! JSON: one object a payload, columns by the names of its fields.
//!
//! Payloads are read by our own projecting reader: it checks the whole payload against RFC 8259 but
//! makes values only of the fields that are columns. What it accepts and what comes out is the same
//! as with `arrow-json`, which the tests compare it with, except where that one is lenient at the
//! cost of the data: it cuts fractions off integers and takes what is not JSON.

mod describe;
mod encode;
mod number;
mod object;
mod problem;
mod scan;
mod text;
mod value;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::{DataType, Fields, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use swiftwater_config::ByteSize;
use swiftwater_engine::{Error, Result};

use self::encode::{Framing, JsonEncoder};
pub(super) use self::encode::{base64, string};
use self::object::{Layout, Rules};
use self::problem::Problem;
use self::scan::{MAX_DEPTH, Scanner};
use super::column::Group;
use super::plan::{CodecContext, PlannedDecoder, make_decoder, make_encoder};
use super::registry::{self, Registry, RegistryOptions, subject};
use super::rows::{Bad, decode_each};
use super::{Decoded, Decoder, MakeEncoder, cell, codes};

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
    /// Schema registry. Messages then begin with a zero byte and the id of their JSON Schema: reading
    /// passes over it, writing puts it there.
    pub registry: Option<RegistryOptions>,
    /// Subject in the registry; the default is the topic's name with `-value`.
    pub subject: Option<String>,
    /// Writing: register a schema made from the columns. With `false` the newest schema of the
    /// subject is named, whatever it says.
    pub auto_register: bool,
}

/// What a nullable column gets whose field is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Null.
    #[default]
    Null,
    /// The record is bad.
    Reject,
}

/// What happens to a field that is no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownFields {
    /// It is skipped.
    #[default]
    Ignore,
    /// The record is bad.
    Reject,
}

/// How timestamps are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Timestamps {
    /// As text, `2026-01-31T09:26:56.123Z`; years beyond 9999 as integers.
    #[default]
    Rfc3339,
    /// As an integer in the column's unit since 1970.
    Epoch,
}

/// How nulls are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
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
            registry: None,
            subject: None,
            auto_register: true,
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
    options.registry.as_ref().map(Registry::new).transpose()?;
    let make = {
        let schema = Arc::clone(&schema);
        make_decoder(move || JsonDecoder::new(Arc::clone(&schema), &options))
    };
    Ok(PlannedDecoder { schema, make })
}

/// Plans an encoder.
pub(super) fn encoder(
    options: JsonOptions,
    schema: &Schema,
    cx: &CodecContext<'_>,
) -> Result<MakeEncoder> {
    cell::check(schema, "json")?;
    let framing = match &options.registry {
        None => Framing::Known(Vec::new()),
        Some(registry) => Framing::Asked {
            registry: Arc::new(Registry::new(registry)?),
            subject: subject(options.subject.as_deref(), cx.topic)?,
            schema: options.auto_register.then(|| {
                let epoch = options.timestamps == Timestamps::Epoch;
                describe::schema(schema.fields(), epoch).to_string()
            }),
        },
    };
    Ok(make_encoder(move || Ok(JsonEncoder::new(&options, framing.clone()))))
}

/// Reads JSON objects.
struct JsonDecoder {
    schema: SchemaRef,
    group: Group,
    layout: Layout,
    max_bytes: usize,
    max_depth: u32,
    framed: bool,
}

impl JsonDecoder {
    fn new(schema: SchemaRef, options: &JsonOptions) -> Result<Self> {
        refuse_maps(schema.fields())?;
        let rules = Rules {
            require_all: options.missing == Missing::Reject,
            refuse_unknown: options.unknown_fields == UnknownFields::Reject,
        };
        Ok(Self {
            group: Group::new(schema.fields())?,
            layout: Layout::new(schema.fields(), rules),
            schema,
            max_bytes: usize::try_from(options.max_bytes.0).unwrap_or(usize::MAX),
            max_depth: options.max_depth,
            framed: options.registry.is_some(),
        })
    }
}

impl Decoder for JsonDecoder {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Result<Decoded> {
        let (layout, depth, framed) = (&mut self.layout, self.max_depth, self.framed);
        decode_each(&self.schema, &mut self.group, self.max_bytes, payloads, |group, payload| {
            if !framed {
                return Ok(row(layout, group, payload, depth));
            }
            Ok(registry::unframe(payload).and_then(|(_, body)| row(layout, group, body, depth)))
        })
    }
}

/// A map column has no names that a reader could expect.
fn refuse_maps(fields: &Fields) -> Result<()> {
    for field in fields {
        if matches!(field.data_type(), DataType::Map(..)) {
            let message = format!("decode column `{}` of a map type from `json`", field.name());
            return Err(Error::config(codes::UNSUPPORTED_TYPE, message)
                .with_hint("declare the fields of the object"));
        }
    }
    Ok(())
}

/// Appends one payload as a row, or says why not.
fn row(layout: &mut Layout, group: &mut Group, payload: &[u8], depth: u32) -> Result<(), Bad> {
    if let Err(error) = std::str::from_utf8(payload) {
        return Err(Bad::utf8(payload, &error));
    }
    let mut scanner = Scanner::new(payload, depth);
    read(layout, group, &mut scanner)
        .map_err(|problem| Bad::new(problem.code(), problem.message(payload)))
}

/// Reads the object that makes up a payload.
fn read(layout: &mut Layout, group: &mut Group, scanner: &mut Scanner<'_>) -> problem::Outcome {
    scanner.space();
    let outcome = if scanner.peek() == b'{' {
        layout.object(group, scanner)
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
