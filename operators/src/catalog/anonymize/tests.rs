//! Tests of `anonymize`.

use serde_json::{Value, json};
use swiftwater_engine::testing::{Harness, rows};

use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn columns() -> Value {
    json!({"card": "utf8", "customer": "int64", "amount": "float64", "age": "int64", "paid_at": "timestamp_ms"})
}

fn planned(options: Value) -> Result<Harness> {
    Harness::plan::<AnonymizeOptions>(options, &[rows::columns(&columns())])
}

fn row() -> Value {
    json!({"card": "4111-1111-22", "customer": 77, "amount": 129.5, "age": 47, "paid_at": "2026-03-05T17:45:12"})
}

#[test]
fn each_method_does_what_it_says() {
    let mut harness = planned(json!({"columns": {
        "card": {"method": "mask", "keep_first": 2, "keep_last": 2},
        "customer": {"method": "null"},
        "amount": {"method": "bin", "edges": [0, 100, 1000]},
        "age": {"method": "bin", "width": 10},
        "paid_at": {"method": "truncate", "to": "month"},
    }}))
    .unwrap();
    let mut low = row();
    low["card"] = json!("1234");
    low["amount"] = json!(-1);
    low["age"] = json!(-3);
    low["paid_at"] = json!(null);
    harness.push(&json!([row(), low]));
    let found = harness.take_rows(0);
    assert_eq!(found[0]["card"], "41********22");
    assert_eq!(found[0]["customer"], json!(null));
    assert_eq!(found[0]["amount"], 100.0);
    assert_eq!(found[0]["age"], 40);
    assert!(found[0]["paid_at"].to_string().contains("2026-03-01T00:00:00"), "{}", found[0]);
    assert_eq!(found[1]["card"], "****");
    assert_eq!(found[1]["amount"], json!(null));
    assert_eq!(found[1]["age"], -10);
    assert_eq!(found[1]["paid_at"], json!(null));
}

#[test]
fn hashes_join_numbers_with_texts_and_across_nodes() {
    let hashed = |columns: Value, of: &Value, row: Value| {
        let options = json!({"key": KEY, "columns": columns, "others": "drop"});
        let mut harness = Harness::plan::<AnonymizeOptions>(options, &[rows::columns(of)]).unwrap();
        harness.push(&json!([row])).take_rows(0).remove(0)
    };
    let one = hashed(json!({"id": {"method": "hash"}}), &json!({"id": "int64"}), json!({"id": 77}));
    let two =
        hashed(json!({"who": {"method": "hash"}}), &json!({"who": "utf8"}), json!({"who": "77"}));
    assert_eq!(one["id"], two["who"]);
    assert_eq!(one["id"].as_str().unwrap().len(), 32);
    let apart = hashed(
        json!({"id": {"method": "hash", "domain": "x"}}),
        &json!({"id": "int64"}),
        json!({"id": 77}),
    );
    assert_ne!(one["id"], apart["id"]);
}

#[test]
fn a_value_too_short_for_a_token_is_set_aside_alone() {
    let options = json!({"key": KEY, "columns": {"card": {"method": "token"}}, "others": "drop"});
    let mut harness = planned(options).unwrap();
    let mut short = row();
    short["card"] = json!("123");
    harness.push(&json!([row(), short]));
    let tokens = harness.take_rows(0);
    assert_eq!(tokens.len(), 1);
    let token = tokens[0]["card"].as_str().unwrap();
    assert!(token != "4111-1111-22" && token.len() == 12 && token.as_bytes()[4] == b'-', "{token}");
    assert_eq!(harness.take_rejected().iter().map(|r| r.code).collect::<Vec<_>>(), ["SW3260"]);
}

#[test]
fn what_is_not_said_is_refused() {
    for (options, code) in [
        (json!({"columns": {"card": {"method": "keep"}}}), "SW0395"),
        (json!({"columns": {"cart": {"method": "keep"}}, "others": "keep"}), "SW0301"),
        (json!({"columns": {"card": {"method": "hash"}}, "others": "drop"}), "SW0395"),
        (
            json!({"key": "short", "columns": {"card": {"method": "hash"}}, "others": "drop"}),
            "SW0395",
        ),
        (json!({"columns": {"card": {"method": "mask", "width": 3}}, "others": "drop"}), "SW0395"),
        (json!({"columns": {"card": {"method": "bin", "width": 3}}, "others": "drop"}), "SW0395"),
        (json!({"columns": {"age": {"method": "bin", "width": 0.5}}, "others": "drop"}), "SW0395"),
        (
            json!({"columns": {"amount": {"method": "bin", "edges": [2, 1]}}, "others": "drop"}),
            "SW0395",
        ),
        (
            json!({"columns": {"amount": {"method": "truncate", "to": "day"}}, "others": "drop"}),
            "SW0395",
        ),
        (json!({"columns": {"card": {"method": "drop"}}, "others": "drop"}), "SW0395"),
        (json!({"columns": {"card": {"method": "encrypt"}}, "others": "drop"}), "SW0110"),
    ] {
        assert_eq!(planned(options.clone()).err().map(|e| e.code), Some(code), "{options}");
    }
}

#[test]
fn a_changed_time_is_no_event_time() {
    let time = |method: Value| {
        let node = swiftwater_engine::testing::node::<AnonymizeOptions>(
            json!({"columns": {"paid_at": method}, "others": "drop"}),
            1,
        );
        let inputs = [rows::columns(&columns())];
        let streams = [Stream::at("paid_at")];
        let cx = NodeContext { topology: "test", node: &node, inputs: &inputs, streams: &streams };
        let options: AnonymizeOptions = serde_json::from_value(node.options.clone()).unwrap();
        options.plan(&cx).unwrap().stream.unwrap().event_time
    };
    assert_eq!(time(json!({"method": "keep"})).as_deref(), Some("paid_at"));
    assert_eq!(time(json!({"method": "truncate", "to": "day"})), None);
}
