//! Tests of `release_private`.

use std::path::PathBuf;

use serde_json::{Value, json};
use swiftwater_engine::testing::{Harness, rows};

use super::*;

/// A ledger's file, gone when the test ends.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let name = format!("private-{name}-{}.ledger", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::remove_file(&path).ok();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

fn options(file: &File, more: Value) -> Value {
    let mut options = json!({
        "dataset": "visits", "ledger": file.0, "unit": "event", "window": "1s",
        "budget": {"epsilon": 80, "delta": 0.001},
        "domain": {"page": {"values": ["a", "b"]}, "age": {"edges": [0, 18, 65]}},
        "tables": {"all": [], "by_both": ["page", "age"]},
    });
    let more = more.as_object().unwrap().clone();
    options.as_object_mut().unwrap().extend(more);
    options
}

fn columns() -> Value {
    json!({"who": "int64", "page": "utf8", "age": "int64", "at": "timestamp_ms"})
}

fn planned(options: Value) -> Result<Harness> {
    let input = rows::columns(&columns());
    Harness::plan::<ReleasePrivateOptions>(options, &[input])
}

fn visit(who: i64, page: &str, age: i64, millis: i64) -> Value {
    let time = format!("2026-01-01T00:00:{:02}.{:03}", millis / 1000, millis % 1000);
    json!({"who": who, "page": page, "age": age, "at": time})
}

fn counts(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(|row| row["count"].as_i64().unwrap()).collect()
}

fn truths(options: Value, visits: &Value) -> Vec<i64> {
    let node = swiftwater_engine::testing::node::<ReleasePrivateOptions>(options, 1);
    let (inputs, streams) = ([rows::columns(&columns())], [Stream::at("at")]);
    let cx = NodeContext { topology: "t", node: &node, inputs: &inputs, streams: &streams };
    let options: ReleasePrivateOptions = serde_json::from_value(node.options.clone()).unwrap();
    let plan = Plan::new(options, &cx, &inputs[0]).unwrap();
    let records = rows::batch(&inputs[0], visits);
    let batch = Batch::new(records, swiftwater_engine::Readings::polled_at(Timestamp(0)));
    let mut out = Output::default();
    let times = plan.time.of(batch, &mut out).unwrap();
    let (_, held) = plan.cells(times, &mut out).unwrap();
    plan.count(&[held], 0).unwrap()
}

#[test]
fn every_cell_of_the_public_domain_is_published_near_its_count() {
    let file = File::new("cells");
    let mut harness = planned(options(&file, json!({}))).unwrap();
    let many: Vec<Value> =
        (0..1000).map(|n| visit(n, if n < 700 { "a" } else { "b" }, n % 100, n)).collect();
    harness.push(&Value::Array(many.clone()));
    harness.end().unwrap();
    let found = harness.take_rows(0);
    let labels: Vec<_> =
        found.iter().map(|r| (r["table"].as_str().unwrap(), &r["page"], &r["age"])).collect();
    let (young, old) = (json!("[0, 18)"), json!("[18, 65)"));
    let (a, b, none) = (json!("a"), json!("b"), json!(null));
    let both = "by_both";
    assert_eq!(
        labels,
        [
            ("all", &none, &none),
            (both, &a, &young),
            (both, &a, &old),
            (both, &b, &young),
            (both, &b, &old)
        ]
    );
    let truth = truths(options(&file, json!({})), &Value::Array(many));
    assert_eq!(truth, [1000, 126, 574, 54, 246]);
    let sigma = found[0]["sigma"].as_f64().unwrap();
    // Ten deviations are passed less than once in 10^22.
    for (count, truth) in counts(&found).iter().zip(truth) {
        assert!((count - truth).abs() as f64 <= 10.0 * sigma + 1.0, "{count} of {truth}, {sigma}");
    }
}

#[test]
fn empty_windows_are_published_too_and_releases_repeat_after_any_crash() {
    let file = File::new("repeat");
    let options = options(&file, json!({"budget": {"epsilon": 1, "delta": 0.001}}));
    let run = |seal_at: Option<usize>| {
        let mut harness = planned(options.clone()).unwrap();
        let mut deltas = Vec::new();
        for (step, second) in [0, 1, 4, 6].into_iter().enumerate() {
            harness.push(&json!([visit(1, "a", 20, second * 1000 + 5)]));
            harness.watermark(Timestamp(1_767_225_600_000_000 + second * 1_000_000)).unwrap();
            deltas.extend(harness.seal().unwrap());
            if seal_at == Some(step) {
                let watermark = Timestamp(1_767_225_600_000_000 + second * 1_000_000);
                harness.crash_and_restore(&deltas, Some(watermark)).unwrap();
            }
        }
        harness.end().unwrap();
        harness.take_rows(0)
    };
    let first = run(None);
    // Seven windows of five cells.
    assert_eq!(first.len(), 35);
    let lines = || std::fs::read_to_string(&file.0).unwrap().lines().count();
    assert_eq!(lines(), 1 + 2 * 7);
    for crash in [None, Some(0), Some(1), Some(2), Some(3)] {
        assert_eq!(run(crash), first);
    }
    assert_eq!(lines(), 1 + 2 * 7);
}

#[test]
fn an_entity_counts_no_more_than_its_bound() {
    let file = File::new("bound");
    let entity = json!({"unit": "entity", "entity": "who", "max_contributions": 2, "releases": 3});
    let options = options(&file, entity);
    let greedy: Vec<Value> = (0..50).map(|n| visit(7, "a", 20, n)).collect();
    assert_eq!(truths(options.clone(), &Value::Array(greedy.clone())), [2, 0, 2, 0, 0]);
    // Neighbours: without entity 7 no count differs by more than the bound.
    let mut crowd: Vec<Value> = (0..30).map(|n| visit(n / 2 + 100, "b", n, 100 + n)).collect();
    let without = truths(options.clone(), &Value::Array(crowd.clone()));
    crowd.extend(greedy);
    let with = truths(options.clone(), &Value::Array(crowd));
    let apart: Vec<i64> = with.iter().zip(&without).map(|(a, b)| a - b).collect();
    assert_eq!(apart, [2, 0, 2, 0, 0]);
    // Noise: m C^2 / (2 rho), with a third of the budget each.
    let mut harness = planned(options).unwrap();
    harness.push(&json!([visit(1, "a", 3, 5)]));
    harness.end().unwrap();
    let row = harness.take_rows(0).remove(0);
    let (sigma, rho) = (row["sigma"].as_f64().unwrap(), row["rho"].as_f64().unwrap());
    let share = crate::privacy::accounting::rho(80.0, 0.001) / 3.0;
    assert!(rho <= share && rho > 0.99 * share, "{rho} of {share}");
    assert!((sigma * sigma - 2.0 * 4.0 / (2.0 * rho)).abs() < 1e-6, "{sigma}");
}

#[test]
fn a_spent_budget_stops_with_the_reason_and_publishes_nothing() {
    let file = File::new("spent");
    let entity = json!({"unit": "entity", "entity": "who", "max_contributions": 1, "releases": 2});
    let options = options(&file, entity);
    let mut harness = planned(options.clone()).unwrap();
    harness.push(&json!([visit(1, "a", 3, 5), visit(1, "a", 3, 1005), visit(1, "a", 3, 2005)]));
    let refused = harness.end().unwrap_err();
    assert_eq!(refused.code, "SW3262");
    assert!(refused.to_string().contains("is spent"), "{refused}");
    // A new topology over the same ledger gets no new budget.
    let mut again = planned(options).unwrap();
    again.push(&json!([visit(1, "a", 3, 9005)]));
    assert_eq!(again.end().unwrap_err().code, "SW3262");
    assert!(again.take_rows(0).is_empty());
}

#[test]
fn rows_outside_of_the_public_domain_are_set_aside_or_counted_as_other() {
    let file = File::new("outside");
    let visits = json!([visit(1, "a", 3, 5), visit(1, "x", 3, 6), visit(1, "b", 99, 7)]);
    let mut harness = planned(options(&file, json!({}))).unwrap();
    harness.push(&visits);
    let rejected = harness.take_rejected();
    assert_eq!(rejected.iter().map(|r| r.code).collect::<Vec<_>>(), ["SW3261"]);
    assert!(!rejected[0].message.contains("`x`"), "{}", rejected[0].message);
    assert_eq!(truths(options(&file, json!({"outside": "drop"})), &visits), [2, 1, 0, 0, 1]);
    let other = truths(options(&file, json!({"outside": "other"})), &visits);
    // Pages a, b and other; ages young, old and other.
    assert_eq!(other, [3, 1, 0, 0, 0, 1, 0, 1, 0, 0]);
}

#[test]
fn rows_of_published_windows_are_late() {
    let file = File::new("late");
    let mut harness = planned(options(&file, json!({"from": "2026-01-01T00:00:01Z"}))).unwrap();
    harness.push(&json!([visit(1, "a", 3, 5), visit(2, "a", 3, 1005)]));
    harness.watermark(Timestamp(1_767_225_600_000_000 + 2_000_000)).unwrap();
    harness.push(&json!([visit(3, "a", 3, 1500)]));
    let late: Vec<i64> = harness.take_late().iter().map(|r| r["who"].as_i64().unwrap()).collect();
    assert_eq!(late, [1, 3]);
    assert_eq!(harness.take_rows(0).len(), 5);
}

#[test]
fn what_would_not_be_private_is_refused() {
    let file = File::new("refused");
    for (more, code) in [
        (json!({"unit": "entity"}), "SW0396"),
        (json!({"unit": "entity", "entity": "who", "max_contributions": 0}), "SW0396"),
        (json!({"unit": "entity", "entity": "whom", "max_contributions": 1}), "SW0301"),
        (json!({"entity": "who"}), "SW0396"),
        (json!({"budget": {"epsilon": 0, "delta": 0.001}}), "SW0396"),
        (json!({"budget": {"epsilon": 1, "delta": 0}}), "SW0396"),
        (json!({"budget": {"epsilon": 1, "delta": 0.5}}), "SW0396"),
        (json!({"tables": {}}), "SW0396"),
        (json!({"tables": {"t": ["who"]}}), "SW0396"),
        (json!({"tables": {"t": ["page", "page"]}}), "SW0396"),
        (json!({"domain": {"page": {}}}), "SW0396"),
        (json!({"domain": {"page": {"values": ["a", "a"]}}}), "SW0396"),
        (json!({"domain": {"page": {"edges": [1, 2]}}}), "SW0396"),
        (json!({"domain": {"age": {"edges": [2, 1]}}}), "SW0396"),
        (json!({"domain": {"cage": {"edges": [1, 2]}}}), "SW0301"),
        (json!({"releases": 0}), "SW0396"),
        (json!({"from": "yesterday"}), "SW0396"),
        (json!({"window": "0s"}), "SW0396"),
        (json!({"unit": "person"}), "SW0110"),
    ] {
        let found = planned(options(&file, more.clone())).err().map(|e| e.code);
        assert_eq!(found, Some(code), "{more}");
    }
}
