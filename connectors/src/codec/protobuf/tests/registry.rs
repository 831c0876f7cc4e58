//! Protocol buffers with a schema registry.

use swiftwater_engine::ErrorKind;

use super::*;
use crate::codec::registry::frame;
use crate::codec::registry::server::{Server, assert_each_costs_itself};

const ORDERS: &str = "syntax = \"proto3\"; message Other { message Deep { int64 z = 1; } } \
    message Order { optional int64 price = 1; string channel = 2; }";

fn orders() -> RecordBatch {
    let rows = [json!({"price": 5, "channel": "web"}), json!({"price": null, "channel": "app"})];
    self::rows(json!({"price": "int64", "channel": "utf8"}), &rows)
}

fn written(server: &Server) -> Vec<Vec<u8>> {
    write(server.format(json!({ "schema": ORDERS, "message": "Order" })), &orders()).unwrap()
}

#[test]
fn messages_are_read_back_by_the_schema_and_place_they_name() {
    let server = Server::start();
    let payloads = written(&server);
    // One index, which is 1: the second message of the file.
    assert_eq!(payloads[0][..7], [0, 0, 0, 0, 1, 2, 2]);
    assert_eq!(server.shelf().schemas[0]["schemaType"], "PROTOBUF");
    let mut reader = reader_for(server.format(json!({ "message": "Order" })), None);
    let decoded = reader.decode(&[Some(&payloads[0]), Some(&payloads[1])]).unwrap();
    assert_eq!(json_rows(&decoded.records), json_rows(&orders()));
    let deep = [&frame(1)[..], &[4, 0, 0, 8, 9]].concat();
    let row = read(server.format(json!({})), Some(columns(json!({"z": "int64"}))), &deep);
    assert_eq!(row.unwrap(), r#"{"z":9}"#);
    let first = [&frame(1)[..], &[0]].concat();
    let row = read(server.format(json!({})), Some(columns(json!({"z": "int64"}))), &first);
    assert_eq!(row.unwrap(), r#"{"z":null}"#);
}

#[test]
fn a_message_of_another_kind_costs_itself() {
    let server = Server::start();
    let good = written(&server).remove(0);
    let avro = server.shelf().add("avro", &json!({ "schema": "\"int\"" }));
    let broken =
        server.shelf().add("broken", &json!({ "schema": "message", "schemaType": "PROTOBUF" }));
    let target = columns(json!({"price": "int64", "channel": "utf8!"}));
    let mut reader = reader_for(server.format(json!({})), Some(target));
    let named = |id: u32, rest: &[u8]| [&frame(id)[..], rest].concat();
    let cases = [
        (named(99, &[0]), "SW3108", "does not know schema id 99"),
        (b"{}".to_vec(), "SW3109", "expected the magic byte 0x00, found 0x7b"),
        (good[..4].to_vec(), "SW3111", "within the schema's id"),
        (good[..6].to_vec(), "SW3111", "within a number"),
        (named(1, &[2, 20]), "SW3114", "no message at the indexes [10]"),
        (named(1, &[1]), "SW3114", "message indexes"),
        (named(1, &[0]), "SW3113", "column `channel` is required"),
        (named(avro, &[0]), "SW3113", "it is AVRO and not PROTOBUF"),
        (named(broken, &[0]), "SW3113", "cannot fill the columns"),
    ];
    assert_each_costs_itself(reader.as_mut(), &good, &cases);
}

#[test]
fn an_outage_loses_nothing() {
    let server = Server::start();
    let good = written(&server).remove(0);
    let mut reader = reader_for(server.format(json!({})), Some(columns(json!({"price": "int64"}))));
    server.shelf().status = Some(500);
    assert_eq!(reader.decode(&[Some(&good)]).unwrap_err().kind, ErrorKind::Unavailable);
    server.shelf().status = None;
    assert_eq!(reader.decode(&[Some(&good)]).unwrap().records.num_rows(), 1);
}

#[test]
fn the_newest_schema_and_what_it_imports_are_used() {
    let server = Server::start();
    let with = server.format(json!({ "auto_register": false, "message": "A" }));
    let records = rows(json!({"b": {"c": "int64"}}), &[json!({"b": {"c": 7}})]);
    assert_eq!(write(with.clone(), &records).unwrap_err().code, "SW3123");
    let b = "syntax = \"proto3\"; message B { int64 c = 1; }";
    let a = "syntax = \"proto3\"; import \"b.proto\"; message A { B b = 1; }";
    server.shelf().add("b", &json!({ "schema": b, "schemaType": "PROTOBUF" }));
    server.shelf().add(
        "orders-value",
        &json!({ "schema": a, "schemaType": "PROTOBUF",
        "references": [{"name": "b.proto", "subject": "b", "version": 1}] }),
    );
    let payload = write(with, &records).unwrap().remove(0);
    assert_eq!(payload, [0, 0, 0, 0, 2, 0, 10, 2, 8, 7]);
    assert_eq!(read(server.format(json!({})), None, &payload).unwrap(), r#"{"b":{"c":7}}"#);
}
