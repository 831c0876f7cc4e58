//! The `lookup` operator on a real PostgreSQL and a real Redis, started by their scripts, or named by
//! `SWIFTWATER_TEST_POSTGRES` and `SWIFTWATER_TEST_REDIS`.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "../../tests/support/server.rs"]
mod server;

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use swiftwater_connectors::catalog::LookupOptions;
use swiftwater_engine::ErrorKind;
use swiftwater_engine::testing::{Harness, rows};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

fn postgres() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| server::shared("SWIFTWATER_TEST_POSTGRES", "postgres.sh"))
}

fn redis_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| server::shared("SWIFTWATER_TEST_REDIS", "redis.sh"))
}

fn unique(test: &str) -> String {
    format!("{test}_{}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos())
}

fn columns() -> Value {
    json!({"id": "int64", "code": "utf8"})
}

fn harness(options: Value) -> Harness {
    Harness::new::<LookupOptions>(options, &columns())
}

/// A client beside the product's, and a schema of its own.
fn database(test: &str) -> (Runtime, Client, String) {
    let runtime = Runtime::new().unwrap();
    let connecting = async { tokio_postgres::connect(postgres(), NoTls).await };
    let (client, connection) = runtime.block_on(connecting).unwrap();
    runtime.spawn(connection);
    let schema = unique(test);
    runtime.block_on(client.batch_execute(&format!("CREATE SCHEMA {schema}"))).unwrap();
    (runtime, client, schema)
}

#[test]
fn rows_come_from_a_query_of_many_keys_and_the_cache_spares_the_next() {
    let (runtime, client, schema) = database("lookup");
    let run =
        |sql: &str| runtime.block_on(client.batch_execute(&sql.replace("$s", &schema))).unwrap();
    run("CREATE TABLE $s.people (id int, code text, name text, since timestamptz, tags jsonb, rate numeric(9,2), PRIMARY KEY (id, code));
         INSERT INTO $s.people VALUES (1, 'a', 'Ann', '2026-01-01 00:00:00+00', '[1, 2]', 0.25), (2, 'b', 'Bob', NULL, NULL, NULL)");
    let query = format!(
        "SELECT id, code, name, since, tags, rate FROM {schema}.people WHERE id = ANY($1) AND code = ANY($2::text[]);"
    );
    let mut lookup = harness(json!({
        "key": ["id", "code"],
        "add": {"name": "utf8", "since": "timestamp_ms", "tags": "list<int64>", "rate": "float64"},
        "from": {"postgres": {"url": postgres(), "query": query}}
    }));
    let ask = json!([
        {"id": 2, "code": "b"}, {"id": 1, "code": "b"}, {"id": 1, "code": "a"},
        {"id": 5_000_000_000_i64, "code": "a"}, {"id": 2, "code": "b"}, {"id": null, "code": "a"}
    ]);
    lookup.push(&ask);
    let found = lookup.take_rows(0);
    let names: Vec<&Value> = found.iter().map(|row| &row["name"]).collect();
    assert_eq!(json!(names), json!(["Bob", null, "Ann", null, "Bob", null]));
    let ann = found.iter().find(|row| row["name"] == "Ann").unwrap();
    assert!(ann["since"].as_str().unwrap().starts_with("2026-01-01T00:00:00"), "{ann}");
    assert_eq!((&ann["tags"], &ann["rate"]), (&json!([1, 2]), &json!(0.25)));
    // The session is ended, and what is in the cache does not need it.
    run("UPDATE $s.people SET name = 'Robert' WHERE id = 2;
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'swiftwater lookup' AND query LIKE '%$s%'");
    let name =
        |lookup: &mut Harness| lookup.take_rows(0).first().map(|row| row["name"].clone()).unwrap();
    lookup.push(&json!([{"id": 2, "code": "b"}]));
    assert_eq!(name(&mut lookup), "Bob");
    lookup.advance(std::time::Duration::from_secs(60)).push(&json!([{"id": 2, "code": "b"}]));
    assert_eq!(name(&mut lookup), "Robert");
    run("DROP SCHEMA $s CASCADE");
}

#[test]
fn a_query_that_does_not_fit_is_told() {
    for (query, key, code) in [
        ("SELECT 1 AS id WHERE 1 = ANY($1::int[]) AND 2 = ANY($2::int[])", "id", "SW2232"),
        ("SELECT 1 AS id WHERE true = ANY($1::bool[])", "id", "SW2232"),
        ("SELECT no FROM nowhere WHERE id = ANY($1)", "id", "SW2203"),
        ("SELECT id, 'x' AS n FROM unnest($1::int8[]) id", "id", "SW2235"),
    ] {
        let mut lookup = harness(json!({
            "key": [key], "add": {"n": "int64"}, "from": {"postgres": {"url": postgres(), "query": query}}
        }));
        let batch = rows::batch(&rows::columns(&columns()), &json!([{"id": 1, "code": "x"}]));
        let error = lookup.push_batch(0, batch).unwrap_err();
        assert!(error.code == code && error.kind != ErrorKind::Unavailable, "{query}: {error}");
    }
}

#[test]
fn rows_come_from_redis_in_each_layout() {
    let prefix = unique("lookup");
    let mut client = redis::Client::open(redis_url()).unwrap().get_connection().unwrap();
    let mut run = |words: &[&str]| {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(word.replace("$p", &prefix));
        }
        command.exec(&mut client).unwrap();
    };
    run(&["HSET", "$p:h:1:a", "name", "Ann", "age", "40"]);
    run(&["HSET", "$p:h:2:b", "name", "Bob"]);
    run(&["SET", "$p:j:1:a", r#"{"name": "Ann", "age": 40, "more": true}"#]);
    run(&["SET", "$p:s:1:a", "40"]);
    let ask = json!([{"id": 3, "code": "a"}, {"id": 1, "code": "a"}, {"id": 2, "code": "b"}]);
    for (layout, add, expected) in [
        (
            "hash",
            json!({"name": "utf8", "age": "int64"}),
            json!([[null, null], ["Ann", 40], ["Bob", null]]),
        ),
        (
            "json",
            json!({"name": "utf8", "age": "int64"}),
            json!([[null, null], ["Ann", 40], [null, null]]),
        ),
        ("string", json!({"age": "int64"}), json!([[null, null], [null, 40], [null, null]])),
    ] {
        let short = &layout[..1];
        let mut lookup = harness(json!({
            "key": ["code", "id"], "add": add,
            "from": {"redis": {"url": redis_url(), "key": format!("{prefix}:{short}:{{id}}:{{code}}"), "layout": layout}}
        }));
        lookup.push(&ask);
        let found: Vec<Value> =
            lookup.take_rows(0).iter().map(|row| json!([row["name"], row["age"]])).collect();
        assert_eq!(json!(found), expected, "{layout}");
    }
    run(&["HSET", "$p:h:9:a", "age", "old"]);
    let mut lookup = harness(json!({
        "key": ["id"], "add": {"age": "int64"},
        "from": {"redis": {"url": redis_url(), "key": format!("{prefix}:h:{{id}}:a")}}
    }));
    let batch = rows::batch(&rows::columns(&columns()), &json!([{"id": 9, "code": "a"}]));
    let error = lookup.push_batch(0, batch).unwrap_err();
    assert!(error.code == "SW2235" && error.message.contains("`age`"), "{error}");
}
