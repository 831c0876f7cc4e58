//! `deduplicate` against a map of keys and times.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use swiftwater_engine::testing::{Harness, rows};

use super::*;
use crate::keyed::fleet::{self, Told};

const MS: i64 = 1000;

fn bids(options: serde_json::Value) -> Harness {
    let columns = json!({"id": "int64", "price": "int64", "at": "timestamp_ms"});
    Harness::new::<DeduplicateOptions>(options, &columns)
}

#[test]
fn the_first_row_of_a_key_passes_until_the_key_is_forgotten() {
    let mut once = bids(json!({"key": ["id"], "ttl": "10ms"}));
    once.push(&json!([
        {"id": 1, "price": 1, "at": 100}, {"id": 1, "price": 2, "at": 104},
        {"id": 2, "price": 3, "at": 103}, {"id": 1, "price": 4, "at": 110},
        {"id": 1, "price": 5, "at": 119}, {"id": null, "at": 1}, {"id": null, "at": 2},
    ]));
    once.expect(&json!([{"price": 1}, {"price": 3}, {"price": 4}, {"id": null}]));
    once.watermark(Timestamp(120 * MS)).unwrap();
    once.push(&json!([{"id": 1, "price": 6, "at": 121}, {"id": 3, "price": 7, "at": 110}]));
    once.expect(&json!([{"price": 6}]));
    assert_eq!(once.take_late().len(), 1);
}

#[test]
fn the_last_row_of_a_key_is_an_upsert() {
    let mut last = bids(json!({"key": ["id"], "keep": "last"}));
    assert!(last.planned().stream.as_ref().unwrap().is_upsert());
    last.push(&json!([
        {"id": 1, "price": 1, "at": 100}, {"id": 1, "price": 2, "at": 99},
        {"id": 1, "price": 3, "at": 100}, {"id": 2, "price": 4, "at": 5},
    ]));
    last.expect(&json!([
        {"price": 1, "_op": "insert"}, {"price": 3, "_op": "update"}, {"price": 4, "_op": "insert"},
    ]));
}

#[test]
fn without_ttl_no_event_time_is_needed() {
    let columns = json!({"id": "utf8"});
    let mut once = Harness::new::<DeduplicateOptions>(json!({"key": ["id"]}), &columns);
    assert_eq!(once.planned().warnings, [FOR_EVER]);
    once.push(&json!([{"id": "a"}, {"id": "b"}, {"id": "a"}]))
        .expect(&json!([{"id": "a"}, {"id": "b"}]));
}

#[test]
fn mistakes_are_named() {
    let schema = rows::columns(&json!({"id": "int64", "_op": "utf8"}));
    for (options, code) in [
        (json!({"key": []}), "SW0320"),
        (json!({"key": ["ib"]}), "SW0301"),
        (json!({"key": ["id", "id"]}), "SW0320"),
        (json!({"key": ["id"], "ttl": "1h"}), "SW0330"),
    ] {
        let error =
            Harness::plan::<DeduplicateOptions>(options, &[Arc::clone(&schema)]).err().unwrap();
        assert_eq!(error.code, code);
    }
    let timed = rows::columns(&json!({"id": "int64", "_op": "utf8", "at": "timestamp_ms"}));
    let options = json!({"key": ["id"], "keep": "last"});
    assert_eq!(
        Harness::plan::<DeduplicateOptions>(options, &[timed]).err().unwrap().code,
        "SW0307"
    );
}

#[test]
fn a_row_without_event_time_is_set_aside() {
    let mut once = bids(json!({"key": ["id"], "ttl": "10ms"}));
    once.push(&json!([{"id": 1, "at": null}, {"id": 1, "at": 5}]));
    once.expect(&json!([{"id": 1}]));
    once.expect_rejected(&[("SW3301", json!({"id": 1}))]);
}

#[test]
fn state_follows_the_keys_that_are_remembered_and_a_delta_what_changed() {
    let mut once = bids(json!({"key": ["id"], "ttl": "1s"}));
    let mut sealed = Vec::new();
    for second in 0..50 {
        let ids: Vec<_> =
            (0..1000).map(|i| json!({"id": second * 1000 + i, "at": second * 1000})).collect();
        once.push(&json!(ids));
        once.watermark(Timestamp(second * 1000 * MS)).unwrap();
        let deltas = once.seal().unwrap();
        assert_eq!(deltas.iter().map(|d| d.rows.num_rows()).sum::<usize>(), 1000);
        assert!(once.state_bytes() < 400_000, "{} bytes", once.state_bytes());
        sealed.extend(deltas);
    }
    assert!(once.seal().unwrap().is_empty());
    once.take_rows(0);
    once.crash_and_restore(&sealed, Some(Timestamp(49_000 * MS))).unwrap();
    once.push(&json!([{"id": 49_001, "at": 49_001}, {"id": 48_001, "at": 49_001}]));
    once.expect(&json!([{"id": 48_001}]));
}

/// Number and operation of the rows that pass, and the numbers of late ones.
fn oracle(told: &[Told], ttl: Option<i64>, keep: Keep) -> (Vec<(i64, &'static str)>, Vec<i64>) {
    let (mut seen, mut watermark) = (BTreeMap::new(), i64::MIN);
    let (mut passed, mut late) = (Vec::new(), Vec::new());
    for told in told {
        match told {
            Told::Watermark(w) => watermark = *w,
            Told::Row(_, row) => {
                let forgotten =
                    |t: i64| ttl.is_some_and(|ttl| watermark != i64::MIN && t + ttl <= watermark);
                if forgotten(row.t) {
                    late.push(row.v);
                    continue;
                }
                let held = seen.get(&row.k).copied().filter(|t| !forgotten(*t));
                let passes = match (held, keep) {
                    (None, _) => true,
                    (Some(held), Keep::First) => ttl.is_some_and(|ttl| row.t >= held + ttl),
                    (Some(held), Keep::Last) => row.t >= held,
                };
                if passes {
                    let op = if held.is_some() && keep == Keep::Last { UPDATE } else { INSERT };
                    passed.push((row.v, op));
                    seen.insert(row.k, row.t);
                }
            }
        }
    }
    (passed, late)
}

proptest! {
    #[test]
    fn it_is_what_a_map_says(
        script in fleet::script(1),
        ttl in prop::option::of(1i64..30),
        keep in prop::sample::select(vec![Keep::First, Keep::Last]),
    ) {
        let name = if keep == Keep::First { "first" } else { "last" };
        let mut options = json!({"key": ["k"], "keep": name});
        if let Some(ttl) = ttl {
            options["ttl"] = json!(format!("{ttl}ms"));
        }
        let given = fleet::run::<DeduplicateOptions>(
            options, &[fleet::script_columns()], script.instances, &script.steps,
        );
        let (passed, late) = oracle(&script.told, ttl, keep);
        let found: Vec<_> = given.rows.iter().map(|row| {
            let op = if row["_op"] == UPDATE { UPDATE } else { INSERT };
            (row["v"].as_i64().unwrap(), op)
        }).collect();
        prop_assert_eq!(fleet::comparable(&script, found), passed.clone(), "in order of arrival");
        let found = fleet::numbers(&given.late, "v").into_iter().flatten().collect();
        prop_assert_eq!(fleet::comparable(&script, found), late);
    }
}
