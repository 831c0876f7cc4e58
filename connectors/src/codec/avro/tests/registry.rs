//! Avro with a schema registry.

use swiftwater_engine::ErrorKind;

use super::*;
use crate::codec::registry::server::{Server, assert_each_costs_itself};

fn bids() -> RecordBatch {
    let rows = [json!({"price": 5, "channel": "web"}), json!({"price": null, "channel": "app"})];
    self::rows(json!({"price": "int64", "channel": "utf8!"}), &rows)
}

#[test]
fn messages_are_read_back_by_the_schema_they_name() {
    let server = Server::start();
    let payloads = write(server.format(json!({})), &bids()).unwrap();
    assert_eq!(payloads[0][..5], [0, 0, 0, 0, 1]);
    let text = server.shelf().schemas[0]["schema"].as_str().unwrap().to_owned();
    assert!(text.contains("\"name\":\"bids\""), "{text}");
    // Without declared columns they are those of the subject.
    let mut reader = reader_for(server.format(json!({})), None);
    let payloads: Vec<_> = payloads.iter().map(|p| Some(p.as_slice())).collect();
    let decoded = reader.decode(&payloads).unwrap();
    assert_eq!(decoded.records, bids());
    // Twice the same schema is one schema.
    write(server.format(json!({})), &bids()).unwrap();
    assert_eq!(server.shelf().schemas.len(), 1);
}

#[test]
fn a_schema_may_change_from_message_to_message() {
    let server = Server::start();
    let old = write(server.format(json!({})), &bids()).unwrap();
    let wider = rows(
        json!({"channel": "utf8!", "price": "float64", "note": "utf8"}),
        &[json!({"channel": "tv", "price": 2.5, "note": "new"})],
    );
    let new = write(server.format(json!({})), &wider).unwrap();
    let target = columns(json!({"price": "float64", "channel": "utf8", "note": "utf8"}));
    let mut reader = reader_for(server.format(json!({})), Some(target));
    let payloads = [Some(new[0].as_slice()), Some(&old[0]), Some(&new[0]), Some(&old[1])];
    let decoded = reader.decode(&payloads).unwrap();
    assert_eq!(
        json_rows(&decoded.records),
        [
            r#"{"price":2.5,"channel":"tv","note":"new"}"#,
            r#"{"price":5.0,"channel":"web","note":null}"#,
            r#"{"price":2.5,"channel":"tv","note":"new"}"#,
            r#"{"price":null,"channel":"app","note":null}"#,
        ]
    );
}

#[test]
fn a_message_of_another_kind_costs_itself() {
    let server = Server::start();
    let good = write(server.format(json!({})), &bids()).unwrap().remove(0);
    let other =
        server.shelf().add("other", &json!({"schema": "message A {}", "schemaType": "PROTOBUF"}));
    let text = server.shelf().add("text", &json!({ "schema": test_record().to_string() }));
    let mut reader =
        reader_for(server.format(json!({})), Some(columns(json!({"price": "int64!"}))));
    let named = |id: u32| [&crate::codec::registry::frame(id)[..], &good[5..]].concat();
    let cases = [
        (named(99), "SW3108", "does not know schema id 99"),
        (good[5..].to_vec(), "SW3109", "expected the magic byte 0x00, found 0x02"),
        (good[..4].to_vec(), "SW3111", "within the schema's id"),
        (good[..6].to_vec(), "SW3111", "within a number"),
        (named(other), "SW3113", "it is PROTOBUF and not AVRO"),
        (named(text), "SW3113", "column `price` is required"),
    ];
    assert_each_costs_itself(reader.as_mut(), &good, &cases);
}

#[test]
fn an_outage_loses_nothing() {
    let server = Server::start();
    let good = write(server.format(json!({})), &bids()).unwrap().remove(0);
    let mut reader = reader_for(server.format(json!({})), Some(columns(json!({"price": "int64"}))));
    server.shelf().status = Some(503);
    let payloads = [Some(&b"bad"[..]), Some(&good)];
    let error = reader.decode(&payloads).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "SW3131"));
    assert_eq!(write(server.format(json!({})), &bids()).unwrap_err().kind, ErrorKind::Unavailable);
    server.shelf().status = None;
    let decoded = reader.decode(&payloads).unwrap();
    assert_eq!((decoded.records.num_rows(), decoded.rejected.len()), (1, 1));
    // Once known, a schema needs no registry.
    server.shelf().status = Some(503);
    assert_eq!(reader.decode(&payloads).unwrap().records.num_rows(), 1);
}

#[test]
fn the_newest_schema_is_used_where_none_may_be_registered() {
    let server = Server::start();
    let with = server.format(json!({ "auto_register": false, "subject": "s" }));
    let error = write(with.clone(), &bids()).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Config, "SW3123"));
    let schema = json!({"type": "record", "name": "bid", "fields": [
        {"name": "extra", "type": ["null", "string"]},
        {"name": "channel", "type": {"type": "enum", "name": "channel", "symbols": ["app", "web"]}},
        {"name": "price", "type": ["int", "null"]}]});
    server.shelf().add("s", &json!({ "schema": schema.to_string() }));
    let payloads = write(with.clone(), &bids()).unwrap();
    assert_eq!(payloads, [vec![0, 0, 0, 0, 1, 0, 2, 0, 10], vec![0, 0, 0, 0, 1, 0, 0, 2]]);
    server.shelf().add("s", &json!({ "schema": test_record().to_string() }));
    let error = write(with, &bids()).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Config, "SW3125"));
}

#[test]
fn references_between_schemas_are_followed() {
    let server = Server::start();
    let item = json!({"type": "record", "name": "shop.Item", "fields": [{"name": "sku", "type": "string"}]});
    let order = json!({"type": "record", "name": "shop.Order", "fields": [{"name": "item", "type": "Item"}]});
    server.shelf().add("item", &json!({ "schema": item.to_string() }));
    let id = server.shelf().add(
        "order",
        &json!({ "schema": order.to_string(),
        "references": [{"name": "shop.Item", "subject": "item", "version": 1}] }),
    );
    let payload = [&crate::codec::registry::frame(id)[..], &[2, b'x']].concat();
    let with = server.format(json!({ "subject": "order" }));
    assert_eq!(read(with, None, &payload).unwrap(), r#"{"item":{"sku":"x"}}"#);
}
