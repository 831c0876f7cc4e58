//! Lookups in tables of memory and in an HTTP service; those in servers are in `tests/lookup.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration as Wait;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::{Value, json};
use swiftwater_engine::testing::Harness;
use swiftwater_engine::{Error, ErrorKind};

use super::*;

fn columns() -> Value {
    json!({"id": "int64", "region": "utf8"})
}

fn harness(options: Value) -> Harness {
    Harness::new::<LookupOptions>(options, &columns())
}

fn refused(options: Value) -> Error {
    let schema = swiftwater_engine::testing::rows::columns(&columns());
    Harness::plan::<LookupOptions>(options, &[schema]).err().unwrap()
}

fn inline(on_miss: &str) -> Value {
    json!({
        "key": ["region", "id"], "add": {"name": "utf8!", "tags": "list<int64>"}, "on_miss": on_miss,
        "from": {"rows": [
            {"region": "eu", "id": 1, "name": "first"},
            {"region": "eu", "id": 2, "name": "second", "tags": [1]},
            {"region": "eu", "id": 1, "name": "last"},
            {"id": 3, "name": "without a region"}
        ]}
    })
}

fn input() -> Value {
    json!([
        {"id": 2, "region": "eu"}, {"id": 2, "region": "us"}, {"id": 1, "region": "eu"},
        {"id": 3, "region": null}, {"id": 2, "region": "eu"}
    ])
}

#[test]
fn rows_keep_their_order_and_the_last_of_a_key_counts() {
    let second = json!({"id": 2, "region": "eu", "name": "second", "tags": [1]});
    let last = json!({"id": 1, "region": "eu", "name": "last", "tags": null});
    let miss =
        |id: i64, region: Value| json!({"id": id, "region": region, "name": null, "tags": null});
    let all = json!([second, miss(2, json!("us")), last, miss(3, Value::Null), second]);
    harness(inline("keep")).push(&input()).expect(&all);
    let mut dropping = harness(inline("drop"));
    dropping.push(&input()).expect(&json!([second, last, second]));
    assert_eq!(dropping.take_dropped(), BTreeMap::from([("lookup_miss", 2)]));
    let mut rejecting = harness(inline("reject"));
    rejecting.push(&input()).expect(&json!([second, last, second]));
    rejecting.expect_rejected(&[
        ("SW2236", json!({"id": 2, "region": "us"})),
        ("SW2236", json!({"id": 3})),
    ]);
    let mut failing = harness(inline("fail"));
    let schema = swiftwater_engine::testing::rows::columns(&columns());
    let batch = swiftwater_engine::testing::rows::batch(&schema, &input());
    let error = failing.push_batch(0, batch).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2236"));
}

#[test]
fn a_file_is_read_anew_and_a_broken_one_stops() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("people.csv");
    fs::write(&path, "person,name\n1,Ann\n2,Bob\n").unwrap();
    let options = json!({
        "key": ["id"], "add": {"name": "utf8", "age": "int64"},
        "from": {"file": {"path": path, "key": ["person"], "refresh": "10s"}}
    });
    let mut lookup = harness(options);
    let ask = json!([{"id": 2, "region": "eu"}]);
    let row =
        |name: Value, age: Value| json!([{"id": 2, "region": "eu", "name": name, "age": age}]);
    lookup.push(&ask).expect(&row(json!("Bob"), Value::Null));
    fs::write(&path, "person,name,age\n2,Robert,40\n").unwrap();
    lookup.advance(Wait::from_secs(9)).push(&ask).expect(&row(json!("Bob"), Value::Null));
    lookup.advance(Wait::from_secs(1)).push(&ask).expect(&row(json!("Robert"), json!(40)));
    fs::write(&path, "person,name,age\n2,Robert,old\n").unwrap();
    lookup.advance(Wait::from_secs(10));
    let schema = swiftwater_engine::testing::rows::columns(&columns());
    let batch = swiftwater_engine::testing::rows::batch(&schema, &ask);
    let error = lookup.push_batch(0, batch).unwrap_err();
    assert!(error.code == "SW2235" && error.message.contains("people.csv:2"), "{error}");
}

#[test]
fn a_file_holds_embeddings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vectors.json");
    fs::write(&path, "{\"id\":1,\"vector\":[0.5,-2.5]}\n{\"id\":2,\"vector\":[1.5,3.0]}\n")
        .unwrap();
    let options = json!({
        "key": ["id"], "add": {"vector": "list<float32>"},
        "from": {"file": {"path": path, "format": "json"}}
    });
    harness(options).push(&json!([{"id": 2}, {"id": 7}, {"id": 1}])).expect(&json!([
        {"id": 2, "vector": [1.5, 3.0]}, {"id": 7, "vector": null}, {"id": 1, "vector": [0.5, -2.5]},
    ]));
}

/// A service that counts what it is asked; people from 1 to 9 are there, 5 only at the second try.
#[derive(Clone, Default)]
struct People(Arc<Mutex<Vec<String>>>);

impl People {
    fn serve(&self) -> String {
        let one = |State(people): State<Self>, Path(id): Path<String>| async move {
            people.0.lock().unwrap().push(id.clone());
            let asked = people.0.lock().unwrap().iter().filter(|i| **i == id).count();
            match id.parse::<i64>() {
                Ok(5) if asked < 2 => Err(StatusCode::SERVICE_UNAVAILABLE),
                Ok(id @ 1..=9) => Ok(Json(json!({"name": format!("person {id}")}))),
                Ok(10) => Err(StatusCode::FORBIDDEN),
                _ => Err(StatusCode::NOT_FOUND),
            }
        };
        let many = |State(people): State<Self>, Json(keys): Json<Vec<Value>>| async move {
            people.0.lock().unwrap().push(Value::from(keys.clone()).to_string());
            let mut rows: Vec<Value> = keys
                .iter()
                .filter(|key| key["id"].as_i64().is_some_and(|id| id < 10))
                .map(|key| json!({"id": key["id"], "name": format!("person {}", key["id"])}))
                .collect();
            rows.reverse();
            Json(rows)
        };
        let routes = axum::Router::new()
            .route("/people/{id}", get(one))
            .route("/people", post(many))
            .with_state(self.clone());
        let runtime = crate::io_runtime::handle().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        format!("http://{address}/people")
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.0.lock().unwrap());
        asked.sort();
        asked
    }
}

fn service(url: String, batch: Option<usize>) -> Value {
    json!({
        "key": ["id"], "add": {"name": "utf8"}, "cache": {"ttl": "10s", "missing": "1s", "rows": 3},
        "from": {"http": {"url": url, "batch": batch}}
    })
}

fn names(lookup: &mut Harness, ids: &[i64]) -> Vec<Value> {
    let rows: Vec<Value> = ids.iter().map(|id| json!({"id": id, "region": "x"})).collect();
    lookup.push(&rows.into());
    lookup.take_rows(0).into_iter().map(|row| row["name"].clone()).collect()
}

#[test]
fn a_service_is_asked_once_for_each_key_and_again_when_it_is_away() {
    let people = People::default();
    let mut lookup = harness(service(format!("{}/{{id}}", people.serve()), None));
    let found = names(&mut lookup, &[3, 99, 3, 5]);
    assert_eq!(found, [json!("person 3"), Value::Null, json!("person 3"), json!("person 5")]);
    let asked = people.asked();
    assert!(asked.iter().filter(|id| *id == "5").count() == 2, "{asked:?}");
    assert_eq!(
        names(&mut lookup, &[5, 99, 3]),
        [json!("person 5"), Value::Null, json!("person 3")]
    );
    assert!(people.asked().is_empty(), "all was in the cache");
    lookup.advance(Wait::from_secs(1));
    names(&mut lookup, &[3, 99]);
    assert_eq!(people.asked(), ["99"], "a miss holds for a shorter time");
    names(&mut lookup, &[1]);
    assert_eq!(people.asked(), ["1"]);
    names(&mut lookup, &[3]);
    assert_eq!(people.asked(), ["3"], "the oldest of three had gone");
    lookup.advance(Wait::from_secs(10));
    names(&mut lookup, &[1]);
    assert_eq!(people.asked(), ["1"]);
    let schema = swiftwater_engine::testing::rows::columns(&columns());
    let batch = swiftwater_engine::testing::rows::batch(&schema, &json!([{"id": 10}]));
    let error = lookup.push_batch(0, batch).unwrap_err();
    assert!(error.kind == ErrorKind::Config && error.message.contains("403"), "{error}");
}

#[test]
fn a_service_is_asked_for_many_keys_at_once() {
    let people = People::default();
    let mut lookup = harness(service(people.serve(), Some(2)));
    let found = names(&mut lookup, &[3, 99, 3, 1]);
    assert_eq!(found, [json!("person 3"), Value::Null, json!("person 3"), json!("person 1")]);
    assert_eq!(people.asked(), [r#"[{"id":1}]"#, r#"[{"id":3},{"id":99}]"#]);
}

#[test]
fn a_service_that_stays_away_stops_the_topology_after_a_while() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut options = service(format!("http://{nobody}/{{id}}"), None);
    options["retry"] = "200ms".into();
    let schema = swiftwater_engine::testing::rows::columns(&columns());
    let batch = swiftwater_engine::testing::rows::batch(&schema, &json!([{"id": 1}]));
    let error = harness(options).push_batch(0, batch).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "SW2233"), "{error}");
}

#[test]
fn options_that_make_no_sense_are_told() {
    let with = |name: &str, value: Value| {
        let mut options = inline("keep");
        options[name] = value;
        options
    };
    for (options, word) in [
        (with("key", json!([])), "without a key"),
        (with("key", json!(["no"])), "`no`"),
        (with("add", json!({})), "no columns"),
        (with("add", json!({"id": "int64"})), "`id`"),
        (with("from", json!({"rows": [{"region": "eu", "id": 1, "nam": "x"}]})), "`nam`"),
        (with("from", json!({"rows": [{"region": "eu", "id": "x"}]})), "`rows`"),
        (with("from", json!({"http": {"url": "https://h/{no}"}})), "`no`"),
        (with("from", json!({"http": {"url": "ftp://h/{id}"}})), "`url`"),
        (
            with(
                "from",
                json!({"redis": {"url": "redis://h", "key": "u:{id}", "layout": "string"}}),
            ),
            "one string",
        ),
        (with("from", json!({"redis": {"url": "redis://h", "key": "u:{id}"}})), "`tags`"),
        (
            with("from", json!({"postgres": {"url": "postgres://u@h/d", "query": "SELECT 1"}})),
            "keys",
        ),
        (with("from", json!({"file": {"path": "x.csv", "key": ["a"]}})), "2 columns"),
    ] {
        let error = refused(options.clone());
        assert!(error.kind == ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(word) && error.hint.is_some(), "{options}: {error}");
    }
}
