//! The reader against `arrow-json` and `serde_json` on random schemas and random, also broken,
//! payloads; and every kind of bad payload by hand.

mod bad_payloads;
mod differential;
mod framing;
mod round_trips;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::Value;

use super::*;

const CX: CodecContext<'static> = CodecContext { topic: Some("bids"), node: "test" };

/// A schema as a topology file writes it.
fn schema(columns: Value) -> SchemaRef {
    swiftwater_engine::schema::from_config(columns.as_object().unwrap()).unwrap()
}

fn decoder_with(schema: &SchemaRef, options: Value) -> Box<dyn Decoder> {
    let options: JsonOptions = serde_json::from_value(options).unwrap();
    let planned = decoder(options, Some(Arc::clone(schema))).unwrap();
    (planned.make)().unwrap()
}

fn decode_all(schema: &SchemaRef, payloads: &[&[u8]]) -> Decoded {
    let payloads: Vec<_> = payloads.iter().map(|p| Some(*p)).collect();
    decoder_with(schema, serde_json::json!({})).decode(&payloads).unwrap()
}

/// One nullable column `a`.
fn one(data_type: DataType) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("a", data_type, true)]))
}
