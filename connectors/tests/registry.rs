//! Message formats with a real schema registry: started by `scripts/registry.sh`, or named by
//! `SWIFTWATER_TEST_REGISTRY`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

#[path = "../../tests/support/server.rs"]
mod server;

use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde_json::{Value, json};
use swiftwater_config::FormatConfig;
use swiftwater_connectors::codec::{self, CodecContext, Decoded, Payloads};
use swiftwater_engine::{ErrorKind, Result};

/// The registry's URL. Tests keep apart by the names of their topics.
fn registry() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| server::shared("SWIFTWATER_TEST_REGISTRY", "registry.sh"))
}

/// A request of the test's own, with the answer's status.
fn request(method: reqwest::Method, path: &str, body: &Value) -> (u16, Value) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let request = reqwest::Client::new().request(method, format!("{}/{path}", registry()));
        let answer = request.json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    })
}

fn post(path: &str, body: &Value) -> u32 {
    let (status, answer) = request(reqwest::Method::POST, path, body);
    assert_eq!(status, 200, "{answer}");
    answer["id"].as_u64().unwrap().try_into().unwrap()
}

fn format(name: &str, mut options: Value) -> FormatConfig {
    options["registry"] = json!({ "url": registry() });
    FormatConfig { name: name.to_owned(), options }
}

fn columns(columns: &Value) -> SchemaRef {
    swiftwater_engine::schema::from_config(columns.as_object().unwrap()).unwrap()
}

fn rows(types: &Value, rows: &[Value]) -> RecordBatch {
    let rows: Vec<_> = rows.iter().map(Value::to_string).collect();
    let rows: Vec<_> = rows.iter().map(|row| Some(row.as_bytes())).collect();
    let cx = CodecContext { topic: None, node: "rows" };
    let planned = codec::decoder(None, Some(columns(types)), &cx).unwrap();
    let decoded = (planned.make)().unwrap().decode(&rows).unwrap();
    assert_eq!(decoded.rejected, []);
    decoded.records
}

fn write(topic: &str, format: &FormatConfig, records: &RecordBatch) -> Result<Vec<Vec<u8>>> {
    let cx = CodecContext { topic: Some(topic), node: "sink" };
    let make = codec::encoder(Some(format), records.schema(), &cx)?;
    let mut out = Payloads::default();
    make()?.encode(records, &mut out)?;
    Ok(out.iter().map(<[u8]>::to_vec).collect())
}

fn read(
    topic: &str,
    format: &FormatConfig,
    columns: Option<SchemaRef>,
    payloads: &[Vec<u8>],
) -> Result<Decoded> {
    let cx = CodecContext { topic: Some(topic), node: "source" };
    let planned = codec::decoder(Some(format), columns, &cx)?;
    let payloads: Vec<_> = payloads.iter().map(|p| Some(p.as_slice())).collect();
    (planned.make)()?.decode(&payloads)
}

/// Rows as JSON.
fn text(records: &RecordBatch) -> Vec<Value> {
    let cx = CodecContext { topic: None, node: "text" };
    let make = codec::encoder(None, records.schema(), &cx).unwrap();
    let mut out = Payloads::default();
    make().unwrap().encode(records, &mut out).unwrap();
    out.iter().map(|row| serde_json::from_slice(row).unwrap()).collect()
}

/// The number of a message's schema.
fn id(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[1..5].try_into().unwrap())
}

const BID: &str = "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\"; message Bid { \
    optional int64 price = 1; optional string channel = 2; google.protobuf.Timestamp at = 3; }";

fn bids() -> RecordBatch {
    let types = json!({"price": "int64", "channel": "utf8", "at": "timestamp_us"});
    let bids = [
        json!({"price": 5, "channel": "web", "at": "2026-01-31T09:26:56.123456Z"}),
        json!({"price": null, "channel": "é", "at": null}),
    ];
    rows(&types, &bids)
}

#[test]
fn each_format_reads_what_it_wrote() {
    for (name, options) in
        [("avro", json!({})), ("protobuf", json!({ "schema": BID })), ("json", json!({}))]
    {
        let topic = format!("bids_{name}");
        let payloads = write(&topic, &format(name, options.clone()), &bids()).unwrap();
        // The schema is there already: it keeps its number.
        let again = write(&topic, &format(name, options), &bids()).unwrap();
        assert_eq!(payloads, again, "{name}");
        let decoded = read(&topic, &format(name, json!({})), Some(bids().schema()), &payloads);
        let decoded = decoded.unwrap();
        assert_eq!(decoded.rejected, [], "{name}");
        assert_eq!(decoded.records, bids(), "{name}");
        // Without declared columns they are those of the registered schema.
        if name != "json" {
            let decoded = read(&topic, &format(name, json!({})), None, &payloads).unwrap();
            assert_eq!(text(&decoded.records), text(&bids()), "{name}");
        }
    }
}

#[test]
fn a_schema_may_grow_and_an_incompatible_one_is_refused() {
    let avro = format("avro", json!({}));
    let rule = json!({ "compatibility": "BACKWARD" });
    let old = write("growing", &avro, &bids()).unwrap();
    let (status, answer) = request(reqwest::Method::PUT, "config/growing-value", &rule);
    assert_eq!(status, 200, "{answer}");
    let types = json!({"price": "int64", "channel": "utf8", "at": "timestamp_us", "note": "utf8"});
    let wider = rows(&types, &[json!({"price": 7, "note": "new"})]);
    let new = write("growing", &avro, &wider).unwrap();
    assert_ne!(id(&old[0]), id(&new[0]));
    let payloads = [old, new].concat();
    let decoded = read("growing", &avro, Some(columns(&types)), &payloads).unwrap();
    assert_eq!(decoded.rejected, []);
    let notes: Vec<_> = text(&decoded.records).iter().map(|row| row["note"].clone()).collect();
    assert_eq!(notes, [Value::Null, Value::Null, json!("new")]);

    let other = rows(&json!({"price": "utf8!"}), &[json!({"price": "5"})]);
    let error = write("growing", &avro, &other).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Config, "SW3132"));
    assert!(error.to_string().contains("compatib"), "{error}");
}

#[test]
fn an_unknown_schema_id_costs_one_message() {
    let avro = format("avro", json!({}));
    let mut payloads = write("unknown", &avro, &bids()).unwrap();
    payloads[1][1..5].copy_from_slice(&1_000_000_u32.to_be_bytes());
    payloads.push(b"{}".to_vec());
    let decoded = read("unknown", &avro, Some(bids().schema()), &payloads).unwrap();
    assert_eq!(decoded.rows, Some(vec![0]));
    let codes: Vec<_> = decoded.rejected.iter().map(|bad| bad.code).collect();
    assert_eq!(codes, ["SW3108", "SW3109"]);
}

#[test]
fn schemas_that_refer_to_others_are_read_and_written() {
    let item = "syntax = \"proto3\"; message Item { string sku = 1; }";
    let order = "syntax = \"proto3\"; import \"item.proto\"; message Order { Item item = 1; }";
    post("subjects/item_proto/versions", &json!({ "schemaType": "PROTOBUF", "schema": item }));
    let references = json!([{"name": "item.proto", "subject": "item_proto", "version": 1}]);
    let body = json!({ "schemaType": "PROTOBUF", "schema": order, "references": references });
    let number = post("subjects/orders-value/versions", &body);
    let records = rows(&json!({"item": {"sku": "utf8"}}), &[json!({"item": {"sku": "x"}})]);
    let protobuf = format("protobuf", json!({ "auto_register": false }));
    let payloads = write("orders", &protobuf, &records).unwrap();
    assert_eq!(id(&payloads[0]), number);
    let decoded = read("orders", &protobuf, None, &payloads).unwrap();
    assert_eq!(text(&decoded.records), [json!({"item": {"sku": "x"}})]);

    let item = json!({"type": "record", "name": "shop.Item", "fields": [{"name": "sku", "type": "string"}]});
    let order = json!({"type": "record", "name": "shop.Order", "fields": [{"name": "item", "type": "shop.Item"}]});
    post("subjects/item_avro/versions", &json!({ "schema": item.to_string() }));
    let references = json!([{"name": "shop.Item", "subject": "item_avro", "version": 1}]);
    let body = json!({ "schema": order.to_string(), "references": references });
    post("subjects/avro_orders-value/versions", &body);
    let avro = format("avro", json!({ "auto_register": false }));
    let payloads = write("avro_orders", &avro, &records).unwrap();
    let decoded = read("avro_orders", &avro, None, &payloads).unwrap();
    assert_eq!(text(&decoded.records), [json!({"item": {"sku": "x"}})]);
}

#[test]
fn a_subject_that_is_not_there_is_named() {
    let avro = format("avro", json!({ "auto_register": false, "subject": "nobody" }));
    let error = write("any", &avro, &bids()).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Config, "SW3123"));
    assert!(error.to_string().contains("`nobody`"), "{error}");
    let error = read("any", &avro, None, &[]).unwrap_err();
    assert_eq!(error.code, "SW3123");
    let declared = read("any", &avro, Some(Arc::clone(&bids().schema())), &[]).unwrap();
    assert_eq!(declared.records.num_rows(), 0);
}
