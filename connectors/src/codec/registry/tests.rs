//! What the answers of a registry lead to.

use serde_json::json;
use swiftwater_engine::ErrorKind;

use super::server::Server;
use super::*;

fn registry(options: serde_json::Value) -> Result<Registry> {
    Registry::new(&serde_json::from_value(options).unwrap())
}

#[test]
fn a_schema_is_fetched_once() {
    let server = Server::start();
    let id = server.shelf().add("bids-value", &json!({ "schema": "\"string\"" }));
    let registry = Registry::new(&server.options()).unwrap();
    for _ in 0..3 {
        let schema = registry.schema(id).unwrap().unwrap();
        assert_eq!((schema.language.as_str(), schema.text.as_str()), ("AVRO", "\"string\""));
        assert_eq!(registry.schema(77).unwrap(), None);
    }
    assert_eq!(server.shelf().requests, 2);
}

#[test]
fn a_schema_is_registered_and_found_by_its_subject() {
    let server = Server::start();
    let registry = Registry::new(&server.options()).unwrap();
    assert_eq!(registry.latest("a/b value").unwrap(), None);
    let first = registry.register("a/b value", Language::Avro, "\"string\"").unwrap();
    let second = registry.register("a/b value", Language::Protobuf, "message A {}").unwrap();
    assert_eq!(registry.register("a/b value", Language::Avro, "\"string\"").unwrap(), first);
    let (id, schema) = registry.latest("a/b value").unwrap().unwrap();
    assert_eq!((id, schema.language.as_str()), (second, "PROTOBUF"));
}

#[test]
fn references_come_before_what_needs_them() {
    let server = Server::start();
    let refer =
        |name: &str, subject: &str| json!([{ "name": name, "subject": subject, "version": 1 }]);
    let id = {
        let mut shelf = server.shelf();
        shelf.add("c", &json!({ "schema": "c" }));
        shelf.add("b", &json!({ "schema": "b", "references": refer("c.proto", "c") }));
        shelf.add("a", &json!({ "schema": "a", "references": refer("b.proto", "b") }))
    };
    let schema = Registry::new(&server.options()).unwrap().schema(id).unwrap().unwrap();
    let names: Vec<_> = schema.references.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["c.proto", "b.proto"]);
}

#[test]
fn an_outage_is_tried_again_and_a_refusal_is_not() {
    let server = Server::start();
    let registry = Registry::new(&server.options()).unwrap();
    let fail = |status: u16| {
        server.shelf().status = Some(status);
        let error = registry.schema(1).unwrap_err();
        (error.kind, error.code)
    };
    for status in [500, 503, 429] {
        assert_eq!(fail(status), (ErrorKind::Unavailable, "SW3131"), "{status}");
    }
    for status in [400, 403, 409, 422] {
        assert_eq!(fail(status), (ErrorKind::Config, "SW3132"), "{status}");
    }
    // Nothing of this is remembered.
    let mut shelf = server.shelf();
    shelf.status = None;
    shelf.add("s", &json!({ "schema": "\"int\"" }));
    drop(shelf);
    assert!(registry.schema(1).unwrap().is_some());
}

#[test]
fn nobody_there_and_no_registry_there_are_told_apart() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = registry(json!({ "url": format!("http://{free}") })).unwrap().schema(1);
    assert_eq!(error.unwrap_err().kind, ErrorKind::Unavailable);
    let server = Server::start();
    let error = registry(json!({ "url": format!("{}/elsewhere", server.url) })).unwrap().schema(1);
    let error = error.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.to_string().contains("no schema registry"), "{error}");
}

#[test]
fn the_password_is_sent_and_never_shown() {
    let server = Server::start();
    server.shelf().authorization = Some("Basic bWU6aHVudGVyMg==".to_owned());
    let known = registry(json!({ "url": server.url, "username": "me", "password": "hunter2" }));
    assert_eq!(known.unwrap().schema(1).unwrap(), None);
    let wrong = registry(json!({ "url": server.url, "username": "me", "password": "hunter3" }));
    let error = wrong.unwrap().schema(1).unwrap_err();
    assert_eq!(error.code, "SW3132");
    assert!(!format!("{error} {error:?}").contains("hunter3"));
    for options in [
        json!({ "url": "http://me:hunter2@registry" }),
        json!({ "url": "hunter2" }),
        json!({ "url": "ftp://registry" }),
        json!({ "url": "http://registry", "token": "hunter2", "username": "me" }),
        json!({ "url": "http://registry", "ca_file": "/no/such/file" }),
    ] {
        let error = registry(options).err().unwrap();
        assert_eq!(error.code, "SW3122");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

/// A sink's task asks from within a runtime, which forbids to block on another.
#[test]
fn it_can_be_asked_from_within_a_runtime() {
    let server = Server::start();
    let registry = Registry::new(&server.options()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(async { registry.schema(5) }).unwrap(), None);
}

#[test]
fn framing_is_put_on_and_taken_off() {
    let framed = [&frame(0x0102_0304)[..], b"body"].concat();
    assert_eq!(unframe(&framed).unwrap(), (0x0102_0304, &b"body"[..]));
    let code = |payload: &[u8]| unframe(payload).unwrap_err().code;
    assert_eq!(code(b""), "SW3111");
    assert_eq!(code(b"\0\0\0\0"), "SW3111");
    assert_eq!(code(b"{\"a\":1}"), "SW3109");
}
