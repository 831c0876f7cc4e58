//! JSON with a schema registry.

use serde_json::json;
use swiftwater_engine::ErrorKind;

use super::*;
use crate::codec::Payloads;
use crate::codec::registry::server::Server;

fn write(server: &Server, more: Value) -> Result<Vec<Vec<u8>>> {
    let schema = schema(json!({"price": "int64!", "tags": "list<utf8>", "user": {"name": "utf8"}}));
    let row: &[u8] = br#"{"price":5,"tags":["a"],"user":{"name":"x"}}"#;
    let records = decode_all(&schema, &[row]).records;
    let make = encoder(serde_json::from_value(server.format(more)).unwrap(), &schema, &CX)?;
    let mut out = Payloads::default();
    make()?.encode(&records, &mut out)?;
    Ok(out.iter().map(<[u8]>::to_vec).collect())
}

#[test]
fn messages_name_a_schema_that_is_registered() {
    let server = Server::start();
    let payload = write(&server, json!({})).unwrap().remove(0);
    assert_eq!(payload[..5], [0, 0, 0, 0, 1]);
    let registered = server.shelf().schemas[0].clone();
    assert_eq!(registered["schemaType"], "JSON");
    let text: Value = serde_json::from_str(registered["schema"].as_str().unwrap()).unwrap();
    assert_eq!(text["required"], json!(["price"]));
    assert_eq!(text["properties"]["tags"]["type"], json!(["array", "null"]));
    assert_eq!(text["properties"]["user"]["properties"]["name"]["type"], json!(["string", "null"]));

    let mut reader = decoder_with(&schema(json!({"price": "int64"})), server.format(json!({})));
    let decoded =
        reader.decode(&[Some(&payload), Some(&payload[5..]), Some(&payload[..3])]).unwrap();
    assert_eq!(crate::codec::json_rows(&decoded.records), [r#"{"price":5}"#]);
    let codes: Vec<_> = decoded.rejected.iter().map(|r| r.code).collect();
    assert_eq!(codes, ["SW3109", "SW3111"]);
}

#[test]
fn without_registration_the_newest_schema_is_named() {
    let server = Server::start();
    let with = json!({ "auto_register": false, "subject": "s" });
    assert_eq!(write(&server, with.clone()).unwrap_err().code, "SW3123");
    for n in 0..3 {
        let schema = json!({ "schema": format!("{{\"title\":\"{n}\"}}"), "schemaType": "JSON" });
        server.shelf().add("s", &schema);
    }
    assert_eq!(write(&server, with).unwrap()[0][..5], [0, 0, 0, 0, 3]);
    server.shelf().status = Some(500);
    assert_eq!(write(&server, json!({})).unwrap_err().kind, ErrorKind::Unavailable);
}
