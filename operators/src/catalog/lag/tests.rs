//! `lag` against a list of rows for each key.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use swiftwater_engine::Timestamp;
use swiftwater_engine::testing::{Harness, rows};

use super::*;
use crate::keyed::fleet::{self, Told};

fn bids(options: Value) -> Harness {
    let columns = json!({"auction": "int64", "price": "int64", "at": "timestamp_ms"});
    Harness::new::<LagOptions>(options, &columns)
}

#[test]
fn the_row_before_is_the_one_that_came_before() {
    let mut lag = bids(json!({"key": ["auction"], "columns": {"previous_price": "price"}}));
    lag.push(&json!([
        {"auction": 1, "price": 10}, {"auction": 2, "price": 20}, {"auction": 1, "price": 15},
        {"auction": 1, "price": null}, {"auction": 1, "price": 16},
    ]));
    lag.expect(&json!([
        {"price": 10, "previous_price": null}, {"price": 20, "previous_price": null},
        {"price": 15, "previous_price": 10}, {"price": null, "previous_price": 15},
        {"price": 16, "previous_price": null},
    ]));
}

#[test]
fn in_event_time_rows_wait_for_the_watermark() {
    let options = json!({"key": ["auction"], "columns": {"before": "price"}, "order": "event_time", "offset": 2});
    let mut lag = bids(options);
    lag.push(&json!([
        {"auction": 1, "price": 3, "at": 30}, {"auction": 1, "price": 1, "at": 10},
        {"auction": 1, "price": 2, "at": 20}, {"auction": 1, "price": 4, "at": 40},
    ]));
    lag.expect(&json!([]));
    lag.watermark(Timestamp(30_000)).unwrap();
    lag.expect(&json!([{"price": 1, "before": null}, {"price": 2, "before": null}, {"price": 3, "before": 1}]));
    lag.push(&json!([{"auction": 1, "price": 0, "at": 30}]));
    assert_eq!(lag.take_late().len(), 1);
    lag.end().unwrap();
    lag.expect(&json!([{"price": 4, "before": 2}]));
}

#[test]
fn mistakes_are_named() {
    let schema = rows::columns(&json!({"a": "int64", "p": "int64"}));
    for (options, code) in [
        (json!({"key": [], "columns": {"b": "p"}}), "SW0321"),
        (json!({"key": ["a"], "columns": {}}), "SW0321"),
        (json!({"key": ["a"], "columns": {"b": 1}}), "SW0321"),
        (json!({"key": ["a"], "columns": {"b": "q"}}), "SW0301"),
        (json!({"key": ["a"], "columns": {"p": "p"}}), "SW0307"),
        (json!({"key": ["a"], "columns": {"b": "p"}, "offset": 0}), "SW0321"),
        (json!({"key": ["a"], "columns": {"b": "p"}, "order": "event_time"}), "SW0330"),
    ] {
        let error = Harness::plan::<LagOptions>(options, &[Arc::clone(&schema)]).err().unwrap();
        assert_eq!(error.code, code);
    }
}

#[test]
fn state_holds_the_last_rows_alone_and_a_delta_what_changed() {
    let mut lag = bids(json!({"key": ["auction"], "columns": {"before": "price"}}));
    for round in 0..300 {
        let rows: Vec<_> = (0..200).map(|a| json!({"auction": a, "price": round})).collect();
        lag.push(&json!(rows));
        let changed: usize = lag.seal().unwrap().iter().map(|d| d.rows.num_rows()).sum();
        assert_eq!(changed, 200);
        assert!(lag.state_bytes() < 1_000_000, "{} bytes", lag.state_bytes());
    }
    assert!(lag.seal().unwrap().is_empty());
}

type Passed = Vec<(i64, Option<i64>)>;

struct Oracle {
    offset: usize,
    ttl: Option<i64>,
    watermark: i64,
    in_order: bool,
    held: BTreeMap<Option<i64>, Vec<fleet::Row>>,
    passed: Passed,
}

impl Oracle {
    fn forgotten(&self, time: i64) -> bool {
        self.ttl.is_some_and(|ttl| {
            self.watermark != i64::MIN && time <= self.watermark.saturating_sub(ttl)
        })
    }

    fn pass(&mut self, row: fleet::Row) {
        let forgotten = !self.in_order && self.forgotten(row.t);
        let held = self.held.entry(row.k).or_default();
        let before = held.len().checked_sub(self.offset).map(|at| held[at]);
        let before = before.filter(|b| self.ttl.is_none_or(|ttl| row.t - b.t < ttl));
        self.passed.push((row.v, before.map(|b| b.v)));
        if !forgotten {
            held.push(row);
            let many = held.len().saturating_sub(self.offset);
            held.drain(..many);
        }
    }

    fn forget(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        held.values_mut().for_each(|rows| rows.retain(|row| !self.forgotten(row.t)));
        self.held = held;
    }
}

fn oracle(told: &[Told], offset: usize, ttl: Option<i64>, order: Order) -> (Passed, Vec<i64>) {
    let in_order = order == Order::EventTime;
    let (held, watermark) = (BTreeMap::new(), i64::MIN);
    let mut oracle = Oracle { offset, ttl, watermark, in_order, held, passed: Vec::new() };
    let (mut waiting, mut late): (Vec<fleet::Row>, Vec<i64>) = (Vec::new(), Vec::new());
    for told in told.iter().chain([&Told::Watermark(i64::MAX)]) {
        match told {
            Told::Row(_, row) if order == Order::Arrival => oracle.pass(*row),
            Told::Row(_, row) if row.t <= oracle.watermark => late.push(row.v),
            Told::Row(_, row) => waiting.push(*row),
            Told::Watermark(watermark) => {
                oracle.watermark = *watermark;
                waiting.sort_by_key(|row| (row.t, row.v));
                let due = waiting.partition_point(|row| row.t <= *watermark);
                waiting.drain(..due).for_each(|row| oracle.pass(row));
                oracle.forget();
            }
        }
    }
    (oracle.passed, late)
}

proptest! {
    #[test]
    fn it_is_what_a_list_says(
        script in fleet::script(1),
        offset in 1usize..4,
        ttl in prop::option::of(1i64..40),
        order in prop::sample::select(vec![Order::Arrival, Order::EventTime]),
    ) {
        let name = if order == Order::Arrival { "arrival" } else { "event_time" };
        let mut options = json!({"key": ["k"], "columns": {"before": "v"}, "offset": offset, "order": name});
        if let Some(ttl) = ttl {
            options["ttl"] = json!(format!("{ttl}ms"));
        }
        let given = fleet::run::<LagOptions>(
            options, &[fleet::script_columns()], script.instances, &script.steps,
        );
        let (passed, late) = oracle(&script.told, offset, ttl, order);
        let found = given.rows.iter().map(|r| (r["v"].as_i64().unwrap(), r["before"].as_i64()));
        let expected = fleet::comparable(&script, passed);
        prop_assert_eq!(fleet::comparable(&script, found.collect()), expected);
        let found = fleet::numbers(&given.late, "v").into_iter().flatten().collect();
        prop_assert_eq!(fleet::comparable(&script, found), late);
    }
}
