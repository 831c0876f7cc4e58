//! `top` against a sorted list.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::testing::{Harness, rows};

use super::*;
use crate::keyed::fleet::{self, Step};

fn bids(options: Value) -> Harness {
    let columns = json!({"a": "int64", "price": "int64", "at": "timestamp_ms"});
    Harness::new::<TopOptions>(options, &columns)
}

fn windowed(options: Value) -> Harness {
    let columns = json!({
        "a": "int64", "price": "int64", "window_time": "timestamp_ms",
        "window_start": "timestamp_ms", "window_end": "timestamp_ms",
    });
    Harness::new::<TopOptions>(options, &columns)
}

fn row(a: i64, price: Option<i64>, end: i64) -> Value {
    json!({"a": a, "price": price, "window_time": end - 1, "window_start": end - 10, "window_end": end})
}

#[test]
fn a_window_gives_its_first_rows_when_it_is_over() {
    let options =
        json!({"key": [], "by": "price desc, a", "n": 2, "rank": "place", "window": true});
    let mut top = windowed(options);
    top.push(&json!([
        row(1, Some(5), 20),
        row(2, Some(7), 20),
        row(3, None, 20),
        row(4, Some(7), 10),
        row(5, Some(5), 20),
    ]));
    top.expect(&json!([]));
    top.watermark(Timestamp(8_000)).unwrap();
    top.expect(&json!([]));
    top.watermark(Timestamp(9_000)).unwrap();
    top.expect(&json!([{"a": 4, "place": 1}]));
    top.push(&json!([row(6, Some(9), 10), row(7, Some(6), 20)]));
    assert_eq!(top.take_late().len(), 1);
    top.end().unwrap();
    top.expect(&json!([{"a": 2, "place": 1}, {"a": 7, "place": 2}]));
}

#[test]
fn ties_share_their_rank() {
    let options =
        json!({"by": "price desc", "n": 2, "rank": "place", "window": true, "ties": "include"});
    let mut top = windowed(options);
    let prices = [(1, 5), (2, 7), (3, 5), (4, 5), (5, 1)];
    let rows: Vec<_> = prices.iter().map(|(a, price)| row(*a, Some(*price), 20)).collect();
    top.push(&json!(rows));
    top.end().unwrap();
    top.expect(&json!([
        {"a": 2, "place": 1}, {"a": 1, "place": 2}, {"a": 3, "place": 2}, {"a": 4, "place": 2},
    ]));
}

#[test]
fn a_running_list_is_a_stream_of_upserts_by_rank() {
    let mut top = bids(json!({"key": ["a"], "by": "price desc", "n": 2, "rank": "place"}));
    let stream = top.planned().stream.clone().unwrap();
    assert_eq!(stream, Stream::at("at").upserting(vec!["a".into(), "place".into()]));
    top.push(&json!([{"a": 1, "price": 5}, {"a": 1, "price": 7}, {"a": 1, "price": 6}, {"a": 1, "price": 1}]));
    top.expect(&json!([
        {"price": 5, "place": 1, "_op": "insert"},
        {"price": 7, "place": 1, "_op": "update"}, {"price": 5, "place": 2, "_op": "insert"},
        {"price": 6, "place": 2, "_op": "update"},
    ]));
}

#[test]
fn nulls_come_last_unless_asked_for() {
    for (by, first) in
        [("price desc", json!(1)), ("price", json!(1)), ("price desc nulls first", json!(null))]
    {
        let mut top = bids(json!({"key": ["a"], "by": by, "n": 1, "rank": "place"}));
        top.push(&json!([{"a": 1, "price": 1}, {"a": 1, "price": null}]));
        assert_eq!(top.take_rows(0).last().unwrap()["price"], first, "{by}");
    }
}

#[test]
fn a_row_whose_order_cannot_be_told_is_set_aside_alone() {
    let mut top = bids(json!({"key": ["a"], "by": "100 / price", "n": 1, "rank": "place"}));
    top.push(&json!([{"a": 1, "price": 10}, {"a": 1, "price": 0}, {"a": 1, "price": 20}]));
    top.expect(&json!([{"price": 10}, {"price": 20}]));
    assert_eq!(top.take_rejected().len(), 1);
}

#[test]
fn mistakes_are_named() {
    let schema = rows::columns(&json!({"a": "int64", "price": "int64", "at": "timestamp_ms"}));
    for (options, code) in [
        (json!({"by": "price", "n": 0, "rank": "r"}), "SW0323"),
        (json!({"by": "price", "n": 1}), "SW0323"),
        (json!({"by": "price", "n": 1, "rank": "r", "ties": "include"}), "SW0323"),
        (json!({"by": "price", "n": 1, "window": true}), "SW0323"),
        (json!({"by": "price", "n": 1, "rank": "price"}), "SW0307"),
        (json!({"by": "prize", "n": 1, "rank": "r"}), "SW0301"),
        (json!({"by": "random()", "n": 1, "rank": "r"}), "SW0323"),
        (json!({"by": "price upwards", "n": 1, "rank": "r"}), "SW0304"),
        (json!({"by": "", "n": 1, "rank": "r"}), "SW0304"),
        (json!({"key": ["b"], "by": "price", "n": 1, "rank": "r"}), "SW0301"),
    ] {
        let error = Harness::plan::<TopOptions>(options.clone(), &[Arc::clone(&schema)]).err();
        assert_eq!(error.map(|e| e.code), Some(code), "{options}");
    }
}

#[test]
fn state_holds_the_first_rows_alone() {
    let mut top = bids(json!({"key": ["a"], "by": "price desc", "n": 3, "rank": "place"}));
    for round in 0..300 {
        let rows: Vec<_> = (0..200).map(|a| json!({"a": a, "price": round % 7})).collect();
        top.push(&json!(rows));
        assert!(top.state_bytes() < 2_000_000, "{} bytes", top.state_bytes());
    }
    let held: usize = top.seal().unwrap().iter().map(|d| d.rows.num_rows()).sum();
    assert_eq!(held, 600);
    assert!(top.seal().unwrap().is_empty());
}

#[derive(Debug, Clone, Copy)]
struct Bid {
    k: Option<i64>,
    price: Option<i64>,
    end: i64,
    v: i64,
}

#[derive(Debug, Clone)]
enum Raw {
    Rows(Vec<(Option<i64>, Option<i64>, i64)>),
    Watermark(i64),
    Seal,
    Crash(usize),
}

struct Script {
    steps: Vec<Step>,
    /// `Err` is a watermark.
    told: Vec<Result<Bid, i64>>,
}

fn raw() -> impl Strategy<Value = Vec<Raw>> {
    let row = (prop::option::weighted(0.9, 0i64..3), prop::option::weighted(0.9, 0i64..6), 0i64..4);
    let raw = prop_oneof![
        6 => prop::collection::vec(row, 1..10).prop_map(Raw::Rows),
        2 => (0i64..3).prop_map(Raw::Watermark),
        2 => Just(Raw::Seal),
        1 => (1usize..5).prop_map(Raw::Crash),
    ];
    prop::collection::vec(raw, 1..30)
}

/// Windows of 10 ms that end at 10, 20 and so on; rows for the next four that are open.
fn script(raw: Vec<Raw>) -> Script {
    let mut script = Script { steps: Vec::new(), told: Vec::new() };
    let (mut open, mut v) = (1, 0);
    for step in raw {
        script.steps.push(match step {
            Raw::Rows(raw) => {
                let mut json = Vec::new();
                for (k, price, ahead) in raw {
                    // Now and then a row of a window that is over.
                    let bid = Bid { k, price, end: (open + ahead - 1) * 10, v };
                    v += 1;
                    let mut row = row(0, bid.price, bid.end);
                    row["a"] = json!(bid.k);
                    row["v"] = json!(bid.v);
                    json.push(row);
                    script.told.push(Ok(bid));
                }
                Step::Rows(0, json)
            }
            Raw::Watermark(windows) => {
                open += windows;
                script.told.push(Err(open * 10 - 11));
                Step::Watermark(open * 10 - 11)
            }
            Raw::Seal => Step::Seal,
            Raw::Crash(instances) => Step::Crash(instances),
        });
    }
    script
}

fn columns() -> SchemaRef {
    rows::columns(&json!({
        "a": "int64", "price": "int64", "window_time": "timestamp_ms",
        "window_start": "timestamp_ms", "window_end": "timestamp_ms", "v": "int64",
    }))
}

/// Price from high to low, nulls last; then as they came.
fn sorted(bids: &[Bid]) -> Vec<Bid> {
    let mut sorted = bids.to_vec();
    sorted.sort_by_key(|b| (b.price.is_none(), std::cmp::Reverse(b.price), b.v));
    sorted
}

/// Number and rank of the rows of each window, and the late ones.
fn window_oracle(script: &Script, n: usize, ties: Ties) -> (Vec<(i64, i64)>, Vec<i64>) {
    let mut windows: BTreeMap<(i64, Option<i64>), Vec<Bid>> = BTreeMap::new();
    let (mut late, mut watermark) = (Vec::new(), i64::MIN);
    for told in &script.told {
        match told {
            Err(w) => watermark = *w,
            Ok(bid) if bid.end - 1 <= watermark => late.push(bid.v),
            Ok(bid) => windows.entry((bid.end, bid.k)).or_default().push(*bid),
        }
    }
    let mut given = Vec::new();
    for bids in windows.values() {
        let sorted = sorted(bids);
        for (place, bid) in sorted.iter().enumerate() {
            let rank = match ties {
                Ties::Exclude => place,
                Ties::Include => sorted.iter().position(|b| b.price == bid.price).unwrap(),
            };
            if rank < n {
                given.push((bid.v, i64::try_from(rank).unwrap() + 1));
            }
        }
    }
    given.sort_unstable();
    late.sort_unstable();
    (given, late)
}

proptest! {
    #[test]
    fn a_window_is_sorted_and_cut(
        raw in raw(), n in 1usize..4, instances in 1usize..5,
        ties in prop::sample::select(vec![Ties::Exclude, Ties::Include]),
    ) {
        let script = script(raw);
        let name = if ties == Ties::Exclude { "exclude" } else { "include" };
        let options = json!({"key": ["a"], "by": "price desc", "n": n, "rank": "place", "window": true, "ties": name});
        let given = fleet::run::<TopOptions>(options, &[columns()], instances, &script.steps);
        let mut found: Vec<(i64, i64)> = given.rows.iter()
            .map(|row| (row["v"].as_i64().unwrap(), row["place"].as_i64().unwrap())).collect();
        found.sort_unstable();
        let (expected, expected_late) = window_oracle(&script, n, ties);
        prop_assert_eq!(found, expected);
        let mut late: Vec<i64> = fleet::numbers(&given.late, "v").into_iter().flatten().collect();
        late.sort_unstable();
        prop_assert_eq!(late, expected_late);
        prop_assert_eq!(given.behind, 0, "rows below the watermark that was told");
    }

    /// What upserts by key and rank leave behind is the list; `insert` is said once a rank.
    #[test]
    fn upserts_lead_to_the_list(raw in raw(), n in 1usize..4, keyed: bool, instances in 1usize..5) {
        let script = script(raw);
        let key: Vec<&str> = if keyed { vec!["a"] } else { vec![] };
        let options = json!({"key": key, "by": "price desc", "n": n, "rank": "place"});
        let steps: Vec<Step> = script.steps.iter().map(|s| match s {
            Step::Crash(_) if !keyed => Step::Crash(1),
            other => other.clone(),
        }).collect();
        let instances = if keyed { instances } else { 1 };
        let given = fleet::run::<TopOptions>(options, &[columns()], instances, &steps);
        let mut lists: BTreeMap<(Option<i64>, i64), i64> = BTreeMap::new();
        for row in &given.rows {
            let of = if keyed { row["a"].as_i64() } else { None };
            let before = lists.insert((of, row["place"].as_i64().unwrap()), row["v"].as_i64().unwrap());
            prop_assert_eq!(row["_op"] == UPDATE, before.is_some());
        }
        let mut all: BTreeMap<Option<i64>, Vec<Bid>> = BTreeMap::new();
        for bid in script.told.iter().flatten() {
            all.entry(bid.k.filter(|_| keyed)).or_default().push(*bid);
        }
        let expected = all.iter().flat_map(|(k, bids)| {
            let places = (1_i64..).zip(sorted(bids).into_iter().take(n));
            places.map(|(place, bid)| ((*k, place), bid.v)).collect::<Vec<_>>()
        });
        prop_assert_eq!(lists, expected.collect::<BTreeMap<_, _>>());
    }
}
