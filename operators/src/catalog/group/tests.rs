//! Running aggregates as users see them.

use std::collections::BTreeMap;
use std::time::Duration as Span;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use swiftwater_engine::testing::{Harness, rows};
use swiftwater_engine::{Timestamp, stream};

use super::*;

fn columns() -> Value {
    json!({"bidder": "int64", "price": "int64", "at": "timestamp_ms"})
}

fn group(mut options: Value) -> Harness {
    options["aggregate"] = json!({"n": "count(*)", "top": "max(price)"});
    Harness::new::<GroupOptions>(options, &columns())
}

fn row(bidder: i64, price: i64, second: i64) -> Value {
    json!({"bidder": bidder, "price": price, "at": format!("1970-01-01T00:00:{second:02}")})
}

#[test]
fn a_key_that_changed_gives_a_row() {
    let mut harness = group(json!({"key": ["bidder"]}));
    let stream = harness.planned().stream.clone().unwrap();
    assert_eq!(stream.changes, stream::Changes::Upsert { key: vec!["bidder".into()] });
    harness.push(&json!([row(2, 5, 1), row(1, 7, 1), row(2, 6, 1)]));
    harness.fire_timers().unwrap();
    harness.expect(&json!([
        {"bidder": 1, "n": 1, "top": 7, "_op": "insert"},
        {"bidder": 2, "n": 2, "top": 6, "_op": "insert"},
    ]));
    harness.push(&json!([row(2, 1, 1), row(3, 1, 1)]));
    harness.fire_timers().unwrap();
    harness.expect(&json!([
        {"bidder": 2, "n": 3, "top": 6, "_op": "update"},
        {"bidder": 3, "n": 1, "top": 1, "_op": "insert"},
    ]));
    harness.fire_timers().unwrap();
    harness.expect(&json!([]));
}

#[test]
fn changes_are_collected_and_survive_a_crash() {
    let mut harness = group(json!({"key": ["bidder"], "every": "1s"}));
    harness.push(&json!([row(1, 7, 1)]));
    harness.advance(Span::from_secs(1)).fire_timers().unwrap();
    harness.expect(&json!([{"bidder": 1, "n": 1, "_op": "insert"}]));
    harness.push(&json!([row(1, 8, 1), row(2, 9, 1)]));
    harness.fire_timers().unwrap();
    harness.expect(&json!([]));
    let mut deltas = harness.seal().unwrap();
    harness.crash_and_restore(&deltas, None).unwrap();
    harness.advance(Span::from_secs(1)).fire_timers().unwrap();
    let given = json!([
        {"bidder": 1, "n": 2, "top": 8, "_op": "update"},
        {"bidder": 2, "n": 1, "top": 9, "_op": "insert"},
    ]);
    harness.expect(&given);
    // What was given after the snapshot is not given once more after the next.
    deltas.extend(harness.seal().unwrap());
    harness.crash_and_restore(&deltas, None).unwrap();
    harness.advance(Span::from_secs(1)).fire_timers().unwrap();
    harness.expect(&json!([]));
    harness.push(&json!([row(2, 1, 1)]));
    harness.end().unwrap();
    harness.expect(&json!([{"bidder": 2, "n": 2, "top": 9, "_op": "update"}]));
}

#[test]
fn a_key_without_rows_is_forgotten_by_event_time() {
    let mut harness = group(json!({"key": ["bidder"], "ttl": "10s"}));
    harness.push(&json!([row(1, 7, 1), row(2, 1, 5)]));
    harness.fire_timers().unwrap();
    harness.expect(&json!([{"bidder": 1}, {"bidder": 2}]));
    harness.watermark(Timestamp::from_millis(11_000)).unwrap();
    harness.expect(&json!([{"bidder": 1, "n": 1, "top": 7, "_op": "delete"}]));
    let deltas = harness.seal().unwrap();
    harness.crash_and_restore(&deltas, Some(Timestamp::from_millis(11_000))).unwrap();
    // Too old to open the key again; the other key is remembered and takes an old row.
    harness.push(&json!([row(1, 8, 1), row(2, 9, 1), row(1, 5, 12)]));
    assert_eq!(harness.take_late().len(), 1);
    harness.end().unwrap();
    harness.expect(&json!([
        {"bidder": 1, "n": 1, "top": 5, "_op": "insert"},
        {"bidder": 2, "n": 2, "top": 9, "_op": "update"},
    ]));
}

#[test]
fn a_key_without_rows_is_forgotten_by_the_clock() {
    let options = json!({"key": ["bidder"], "ttl": "10s", "aggregate": {"n": "count(*)"}});
    let mut harness = Harness::new::<GroupOptions>(options, &json!({"bidder": "int64"}));
    harness.push(&json!([{"bidder": 1}]));
    harness.fire_timers().unwrap();
    harness.advance(Span::from_secs(9)).push(&json!([{"bidder": 2}, {"bidder": 1}]));
    harness.advance(Span::from_secs(9)).fire_timers().unwrap();
    harness.take_rows(0);
    harness.advance(Span::from_secs(1)).push(&json!([{"bidder": 2}])).fire_timers().unwrap();
    harness.expect(&json!([
        {"bidder": 2, "n": 2, "_op": "update"},
        {"bidder": 1, "n": 2, "_op": "delete"},
    ]));
    harness.advance(Span::from_secs(60)).fire_timers().unwrap();
    harness.expect(&json!([{"bidder": 2, "n": 2, "_op": "delete"}]));
    harness.push(&json!([{"bidder": 2}]));
    harness.end().unwrap();
    harness.expect(&json!([{"bidder": 2, "n": 1, "_op": "insert"}]));
}

#[test]
fn mistakes_are_named() {
    for (options, code, words) in [
        (json!({"aggregate": {"n": "count(*)"}, "ttl": "0s"}), "SW0342", "ttl"),
        (json!({"aggregate": {"n": "price"}}), "SW0341", "calls no aggregate"),
        (json!({"key": ["x"], "aggregate": {"n": "count(*)"}}), "SW0301", "x"),
        (json!({"aggregate": {"_op": "count(*)"}}), "SW0307", "_op"),
    ] {
        let planned = Harness::plan::<GroupOptions>(options.clone(), &[rows::columns(&columns())]);
        let error = planned.err().expect("a mistake");
        assert_eq!(error.code, code, "{options}: {error}");
        assert!(error.to_string().contains(words), "{options}: {error}");
    }
}

/// One thing that happens to a group.
#[derive(Debug, Clone)]
enum Step {
    /// A batch of keys and prices.
    Rows(Vec<(Option<i64>, i64)>),
    /// Time passes, and what changed is given.
    Tick,
    /// An epoch ends.
    Seal,
    /// All since the last epoch is lost, and comes again.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = prop_oneof![9 => (0..7_i64).prop_map(Some), 1 => Just(None)];
    let step = prop_oneof![
        4 => vec((key, -5..9_i64), 0..9).prop_map(Step::Rows),
        2 => Just(Step::Tick),
        2 => Just(Step::Seal),
        1 => Just(Step::Crash),
    ];
    vec(step, 1..40)
}

/// What a reader knows who follows `_op`, as text.
fn follow(shown: &mut BTreeMap<String, (i64, i64)>, given: &[Value]) {
    for row in given {
        let (key, n, total) = (row["bidder"].to_string(), &row["n"], &row["total"]);
        let before = shown.insert(key, (n.as_i64().unwrap(), total.as_i64().unwrap()));
        let operation = if before.is_some() { "update" } else { "insert" };
        assert_eq!(row["_op"], operation, "{row}");
    }
}

proptest! {
    #[test]
    fn groups_equal_a_map_of_sums(steps in steps()) {
        let options = json!({"key": ["bidder"], "every": "1s",
            "aggregate": {"n": "count(*)", "total": "sum(price)"}});
        let mut harness = Harness::new::<GroupOptions>(options, &columns());
        let mut sums: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        let (mut certain, mut shown) = (BTreeMap::new(), BTreeMap::new());
        let (mut deltas, mut since) = (Vec::new(), Vec::new());
        let run = |harness: &mut Harness, step: &Step| match step {
            Step::Rows(rows) => {
                let rows = rows.iter().map(|(bidder, price)| json!({"bidder": bidder, "price": price}));
                harness.push(&rows.collect());
            }
            _ => {
                harness.advance(Span::from_secs(1)).fire_timers().unwrap();
            }
        };
        for step in steps.into_iter().chain([Step::Tick]) {
            match &step {
                Step::Seal => {
                    deltas.extend(harness.seal().unwrap());
                    since.clear();
                    certain = BTreeMap::clone(&shown);
                }
                Step::Crash => {
                    harness.crash_and_restore(&deltas, None).unwrap();
                    shown = BTreeMap::clone(&certain);
                    for step in &since {
                        run(&mut harness, step);
                        follow(&mut shown, &harness.take_rows(0));
                    }
                }
                other => {
                    if let Step::Rows(rows) = other {
                        for (bidder, price) in rows {
                            let sum = sums.entry(json!(bidder).to_string()).or_default();
                            *sum = (sum.0 + 1, sum.1 + price);
                        }
                    }
                    since.push(other.clone());
                    run(&mut harness, other);
                    follow(&mut shown, &harness.take_rows(0));
                }
            }
        }
        prop_assert_eq!(shown, sums);
    }
}
