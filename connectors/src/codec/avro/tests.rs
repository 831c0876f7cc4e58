//! Avro against the bytes of its specification, against `arrow-avro`, and against a registry.

mod bad_payloads;
mod oracle;
mod registry;
mod resolution;

use arrow::array::RecordBatch;
use serde_json::json;

use super::*;
use crate::codec::{Decoded, Decoder, Payloads, json_rows};

const CX: CodecContext<'static> = CodecContext { topic: Some("bids"), node: "test" };

/// A schema as a topology file writes it.
fn columns(columns: Value) -> SchemaRef {
    swiftwater_engine::schema::from_config(columns.as_object().unwrap()).unwrap()
}

fn planned(options: Value, columns: Option<SchemaRef>) -> Result<PlannedDecoder> {
    decoder(&serde_json::from_value(options).unwrap(), columns, &CX)
}

fn reader_for(options: Value, columns: Option<SchemaRef>) -> Box<dyn Decoder> {
    (planned(options, columns).unwrap().make)().unwrap()
}

/// Decodes one payload to JSON, or gives the code and message of its rejection.
fn read(
    options: Value,
    columns: Option<SchemaRef>,
    payload: &[u8],
) -> Result<String, (String, String)> {
    let decoded = reader_for(options, columns).decode(&[Some(payload)]).unwrap();
    match decoded.rejected.as_slice() {
        [] => Ok(json_rows(&decoded.records).remove(0)),
        [bad, ..] => Err((bad.code.to_owned(), bad.message.clone())),
    }
}

fn write(options: Value, records: &RecordBatch) -> Result<Vec<Vec<u8>>> {
    let options = serde_json::from_value(options).unwrap();
    let make = encoder(&options, &records.schema(), &CX)?;
    let mut out = Payloads::default();
    make()?.encode(records, &mut out)?;
    Ok(out.iter().map(<[u8]>::to_vec).collect())
}

/// Rows from JSON.
fn rows(columns: Value, rows: &[Value]) -> RecordBatch {
    let columns = self::columns(columns);
    let rows: Vec<_> = rows.iter().map(Value::to_string).collect();
    let rows: Vec<_> = rows.iter().map(|row| Some(row.as_bytes())).collect();
    let planned = crate::codec::decoder(None, Some(columns), &CX).unwrap();
    let decoded: Decoded = (planned.make)().unwrap().decode(&rows).unwrap();
    assert_eq!(decoded.rejected, []);
    decoded.records
}

/// The example of the specification: a long and a string.
fn test_record() -> Value {
    json!({"type": "record", "name": "test", "fields": [
        {"name": "a", "type": "long"}, {"name": "b", "type": "string"}]})
}

#[test]
fn the_bytes_are_those_of_the_specification() {
    let bytes = [0x36, 0x06, 0x66, 0x6f, 0x6f];
    let with = json!({ "schema": test_record() });
    assert_eq!(read(with.clone(), None, &bytes).unwrap(), r#"{"a":27,"b":"foo"}"#);
    let records = rows(json!({"a": "int64!", "b": "utf8!"}), &[json!({"a": 27, "b": "foo"})]);
    assert_eq!(write(with, &records).unwrap(), [bytes]);
    // A schema made from the columns is the same on the wire.
    assert_eq!(write(json!({}), &records).unwrap(), [bytes]);
}

#[test]
fn fingerprints_are_those_of_the_specification() {
    // From the test data of the Avro project (`schema-tests.txt`).
    assert_eq!(fingerprint(&json!("null")), 7_195_948_357_588_979_594);
    assert_eq!(fingerprint(&json!({"type": "int"})), 8_247_732_601_305_521_295);
}

#[test]
fn a_single_object_names_its_schema() {
    let with = json!({ "schema": test_record(), "framing": "single_object" });
    let records = rows(json!({"a": "int64!", "b": "utf8!"}), &[json!({"a": 27, "b": "foo"})]);
    let payload = write(with.clone(), &records).unwrap().remove(0);
    assert_eq!(payload[..2], [0xC3, 0x01]);
    assert_eq!(read(with.clone(), None, &payload).unwrap(), r#"{"a":27,"b":"foo"}"#);
    let code = |payload: &[u8]| read(with.clone(), None, payload).unwrap_err().0;
    assert_eq!(code(&payload[..7]), "SW3111");
    assert_eq!(code(b"{\"a\":27,\"b\":\"foo\"}"), "SW3109");
    let mut other = payload;
    other[5] ^= 1;
    assert_eq!(code(&other), "SW3108");
}

#[test]
fn options_are_checked_when_the_node_is_planned() {
    let registry = json!({"url": "http://registry"});
    let cases = [
        (json!({}), "SW3123", "writer's schema"),
        (json!({"schema": "int"}), "SW3125", "it is no record"),
        (json!({"schema": "{"}), "SW3125", "it is no JSON"),
        (
            json!({"schema": {"type": "record", "name": "a", "fields": [{"name": "b", "type": "c"}]}}),
            "SW3125",
            "field `b`: type `c` is unknown",
        ),
        (json!({"schema": {"type": "record", "name": "a"}}), "SW3125", "no `fields`"),
        (json!({"schema_file": "/no/such.avsc"}), "SW3125", "`/no/such.avsc`"),
        (json!({"schema": "int", "schema_file": "x"}), "SW3122", "both"),
        (json!({"framing": "confluent"}), "SW3122", "`confluent`"),
        (json!({"framing": "plain", "registry": registry}), "SW3122", "another framing"),
        (json!({"schema": test_record(), "registry": registry}), "SW3122", "for reading"),
    ];
    for (options, code, message) in cases {
        let error = planned(options, Some(columns(json!({"a": "int64"})))).err().unwrap();
        assert_eq!(error.code, code, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
    let columns = columns(json!({"a b": "int64"}));
    let error = encoder(&AvroOptions::default(), &columns, &CX).err().unwrap();
    assert!(error.code == "SW3124" && error.to_string().contains("`a b`"), "{error}");
}
