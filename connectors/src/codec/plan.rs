//! From the `format:` field of a node to the codec it names.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use serde::de::DeserializeOwned;
use swiftwater_config::FormatConfig;
use swiftwater_engine::{Error, Result};

use super::{
    Decoder, Encoder, MakeDecoder, MakeEncoder, arrow_ipc, avro, codes, csv, json, protobuf, raw,
};

/// What a codec knows of the node it works for.
#[derive(Debug, Clone, Copy)]
pub struct CodecContext<'a> {
    /// Topic that is written or read, where there is exactly one: a schema registry files schemas
    /// under it.
    pub topic: Option<&'a str>,
    /// Name of the node, for messages.
    pub node: &'a str,
}

/// A planned decoder.
#[derive(Clone)]
pub struct PlannedDecoder {
    /// Columns of the decoded rows.
    pub schema: SchemaRef,
    /// Makes the instances.
    pub make: MakeDecoder,
}

/// The format of a node that names none.
const DEFAULT: &str = "json";

/// Names of all formats.
pub const NAMES: &[&str] = &["json", "csv", "raw", "arrow_ipc", "avro", "protobuf"];

/// Plans the decoder of a node; without `format` it is `json`.
///
/// Does no I/O, unless the columns have to come from a schema registry because `schema` is absent.
///
/// # Errors
/// `Config`, naming the option; `Unavailable` where a schema registry must be asked and is away.
pub fn decoder(
    format: Option<&FormatConfig>,
    schema: Option<SchemaRef>,
    cx: &CodecContext<'_>,
) -> Result<PlannedDecoder> {
    match name(format) {
        "json" => json::decoder(options(format)?, schema),
        "csv" => csv::decoder(options(format)?, schema),
        "raw" => raw::decoder(&options(format)?, schema),
        "arrow_ipc" => arrow_ipc::decoder(&options(format)?, schema),
        "avro" => avro::decoder(&options(format)?, schema, cx),
        "protobuf" => protobuf::decoder(&options(format)?, schema, cx),
        other => Err(unknown(other)),
    }
    .map_err(|e| e.at_node(cx.node))
}

/// Plans the encoder of a node; without `format` it is `json`.
///
/// # Errors
/// `Config`, naming the option, or the column that the format cannot express.
pub fn encoder(
    format: Option<&FormatConfig>,
    schema: SchemaRef,
    cx: &CodecContext<'_>,
) -> Result<MakeEncoder> {
    match name(format) {
        "json" => json::encoder(options(format)?, &schema, cx),
        "csv" => csv::encoder(options(format)?, &schema),
        "raw" => raw::encoder(&schema),
        "arrow_ipc" => arrow_ipc::encoder(&options(format)?, &schema),
        "avro" => avro::encoder(&options(format)?, &schema, cx),
        "protobuf" => protobuf::encoder(&options(format)?, &schema, cx),
        other => Err(unknown(other)),
    }
    .map_err(|e| e.at_node(cx.node))
}

fn name(format: Option<&FormatConfig>) -> &str {
    format.map_or(DEFAULT, |f| f.name.as_str())
}

fn unknown(name: &str) -> Error {
    Error::config(codes::UNKNOWN_FORMAT, format!("use the unknown format `{name}`"))
        .with_hint(format!("formats are {}", NAMES.join(", ")))
}

fn options<O: DeserializeOwned + Default>(format: Option<&FormatConfig>) -> Result<O> {
    let Some(format) = format else {
        return Ok(O::default());
    };
    if format.options.is_null() {
        return Ok(O::default());
    }
    serde_json::from_value(format.options.clone()).map_err(|e| {
        Error::config(
            codes::BAD_OPTIONS,
            format!("read the options of the format `{}`: {e}", format.name),
        )
    })
}

/// Erases the type of a decoder.
pub(super) fn make_decoder<D: Decoder + 'static>(
    make: impl Fn() -> Result<D> + Send + Sync + 'static,
) -> MakeDecoder {
    Arc::new(move || Ok(Box::new(make()?)))
}

/// Erases the type of an encoder.
pub(super) fn make_encoder<E: Encoder + 'static>(
    make: impl Fn() -> Result<E> + Send + Sync + 'static,
) -> MakeEncoder {
    Arc::new(move || Ok(Box::new(make()?)))
}
