//! Windows as users see them.

use std::time::Duration as Span;

use serde_json::json;
use swiftwater_engine::testing::{Harness, rows};
use swiftwater_engine::{Timestamp, stream};

use super::*;

fn columns() -> Value {
    json!({"bidder": "int64", "price": "int64", "at": "timestamp_ms"})
}

fn window(mut options: Value) -> Harness {
    if options.get("aggregate").is_none() {
        options["aggregate"] = json!({"n": "count(*)", "top": "max(price)"});
    }
    Harness::new::<WindowOptions>(options, &columns())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn row(bidder: i64, price: i64, second: i64) -> Value {
    json!({"bidder": bidder, "price": price, "at": format!("1970-01-01T00:00:{second:02}")})
}

#[test]
fn a_window_closes_when_the_watermark_passes_it() {
    let mut harness = window(json!({"tumbling": {"size": "10s"}, "key": ["bidder"]}));
    harness.push(&json!([row(2, 20, 1), row(1, 10, 12), row(2, 5, 9), row(1, 1, 3)]));
    harness.watermark(Timestamp(9_998_999)).unwrap();
    harness.expect(&json!([]));
    harness.watermark(Timestamp(9_999_000)).unwrap();
    harness.expect(&json!([
        {"bidder": 1, "n": 1, "top": 1, "window_start": "1970-01-01T00:00:00",
         "window_end": "1970-01-01T00:00:10", "window_time": "1970-01-01T00:00:09.999"},
        {"bidder": 2, "n": 2, "top": 20},
    ]));
    harness.push(&json!([row(7, 7, 9)]));
    assert_eq!(harness.take_late().len(), 1);
    harness.end().unwrap();
    harness.expect(&json!([{"bidder": 1, "n": 1, "top": 10}]));
    assert_eq!(harness.state_bytes(), 0);
}

#[test]
fn aggregates_are_expressions_with_filter_and_distinct() {
    let aggregate = json!({
        "share": "100 * sum(price) FILTER (WHERE price > 10) / sum(price)",
        "spread": "max(price) - min(price)",
        "prices": "count(DISTINCT price)",
        "mean": "avg(price)",
        "middle": "median(price)",
        "list": "array_agg(price ORDER BY price DESC)",
        "all": "array_to_string(array_agg(price ORDER BY price), '-')",
        "kinds": "string_agg(DISTINCT CAST(bidder AS VARCHAR), '-')",
        "last": "last_value(price ORDER BY at)",
        "label": "bidder * 10 + count(*)",
    });
    let options = json!({"tumbling": {"size": "10s"}, "key": ["bidder"], "aggregate": aggregate});
    let mut harness = window(options);
    harness.push(&json!([row(1, 30, 1), row(1, 10, 2), row(1, 10, 3)]));
    let deltas = harness.seal().unwrap();
    harness.crash_and_restore(&deltas, None).unwrap();
    harness.push(&json!([row(1, 50, 0)]));
    harness.end().unwrap();
    harness.expect(&json!([{"bidder": 1, "share": 80, "spread": 40, "prices": 3, "mean": 25.0,
        "middle": 20, "list": [50, 30, 10, 10], "all": "10-10-30-50", "kinds": "1", "last": 10, "label": 14}]));
}

#[test]
fn texts_in_order_are_refused_with_their_cure() {
    let options = json!({"tumbling": {"size": "10s"}, "key": ["bidder"],
        "aggregate": {"all": "string_agg(CAST(price AS VARCHAR), '-' ORDER BY price)"}});
    let columns = json!({"bidder": "int64", "price": "int64", "at": "timestamp_ms"});
    let schema = rows::columns(&columns);
    let error = Harness::plan::<WindowOptions>(options, &[schema]).err().unwrap();
    let told = format!("{error:?}");
    assert!(error.code == "SW0303" && told.contains("array_to_string(array_agg("), "{told}");
}

#[test]
fn hopping_and_cumulative_windows_overlap() {
    let mut hopping = window(json!({"hopping": {"size": "10s", "slide": "4s"}}));
    hopping.push(&json!([row(1, 1, 5), row(2, 2, 9)]));
    hopping.end().unwrap();
    hopping.expect(&json!([
        {"n": 1, "window_end": "1970-01-01T00:00:06"},
        {"n": 2, "window_end": "1970-01-01T00:00:10"},
        {"n": 2, "window_end": "1970-01-01T00:00:14"},
        {"n": 1, "window_start": "1970-01-01T00:00:08"},
    ]));
    let mut cumulative = window(json!({"cumulative": {"size": "9s", "step": "3s"}}));
    cumulative.push(&json!([row(1, 1, 1), row(2, 2, 4)]));
    cumulative.end().unwrap();
    cumulative.expect(&json!([
        {"n": 1, "window_end": "1970-01-01T00:00:03"},
        {"n": 2, "window_end": "1970-01-01T00:00:06", "window_start": "1970-01-01T00:00:00"},
        {"n": 2, "window_end": "1970-01-01T00:00:09"},
    ]));
}

#[test]
fn a_session_lasts_as_long_as_rows_come() {
    let mut harness = window(json!({"session": {"gap": "5s"}, "key": ["bidder"]}));
    harness.push(&json!([row(1, 1, 1), row(1, 2, 10), row(2, 3, 2), row(1, 4, 5)]));
    harness.watermark(at(7)).unwrap();
    harness.expect(&json!([{"bidder": 2, "n": 1, "window_end": "1970-01-01T00:00:07"}]));
    // Bridges the sessions from 1 to 10 and from 10 to 15.
    harness.push(&json!([row(1, 5, 9)]));
    harness.end().unwrap();
    harness.expect(&json!([{"bidder": 1, "n": 4, "top": 5, "window_start": "1970-01-01T00:00:01",
        "window_end": "1970-01-01T00:00:15", "window_time": "1970-01-01T00:00:14.999"}]));
}

#[test]
fn a_late_row_takes_a_session_back() {
    let options = json!({"session": {"gap": "5s"}, "key": ["bidder"], "allowed_lateness": "9s"});
    let mut harness = window(options);
    harness.push(&json!([row(1, 1, 1), row(1, 2, 8)]));
    harness.watermark(at(13)).unwrap();
    harness.expect(&json!([{"n": 1, "_op": "insert"}, {"n": 1, "_op": "insert"}]));
    harness.push(&json!([row(1, 9, 5)]));
    harness.expect(&json!([
        {"n": 1, "top": 1, "window_end": "1970-01-01T00:00:06", "_op": "delete"},
        {"n": 1, "top": 2, "window_end": "1970-01-01T00:00:13", "_op": "delete"},
        {"n": 3, "top": 9, "window_end": "1970-01-01T00:00:13", "_op": "insert"},
    ]));
}

#[test]
fn a_late_row_corrects_what_was_given() {
    let options = json!({"tumbling": {"size": "10s"}, "key": ["bidder"], "allowed_lateness": "5s"});
    let mut harness = window(options);
    let stream = harness.planned().stream.clone().unwrap();
    let key = ["bidder", "window_start", "window_end"].map(str::to_owned).to_vec();
    assert_eq!(stream.changes, stream::Changes::Upsert { key });
    harness.push(&json!([row(1, 10, 1)]));
    harness.watermark(at(10)).unwrap();
    harness.expect(&json!([{"bidder": 1, "n": 1, "_op": "insert"}]));
    harness.push(&json!([row(2, 2, 3), row(1, 20, 2), row(1, 3, 11)]));
    harness.expect(&json!([
        {"bidder": 1, "n": 2, "top": 20, "_op": "update"},
        {"bidder": 2, "n": 1, "top": 2, "_op": "insert"},
    ]));
    let deltas = harness.seal().unwrap();
    harness.crash_and_restore(&deltas, Some(at(10))).unwrap();
    harness.push(&json!([row(2, 9, 4)]));
    harness.expect(&json!([{"bidder": 2, "n": 2, "top": 9, "_op": "update"}]));
    harness.watermark(at(15)).unwrap();
    harness.push(&json!([row(2, 9, 4)]));
    harness.expect(&json!([]));
    assert_eq!(harness.take_late().len(), 1);
}

#[test]
fn early_results_tell_what_changed() {
    let options = json!({"tumbling": {"size": "10s"}, "key": ["bidder"], "early": {"every": "1s"}});
    let mut harness = window(options);
    harness.push(&json!([row(1, 10, 1), row(2, 20, 2)]));
    harness.fire_timers().unwrap();
    harness.expect(&json!([]));
    harness.advance(Span::from_secs(1)).fire_timers().unwrap();
    harness.expect(&json!([
        {"bidder": 1, "n": 1, "_op": "insert"},
        {"bidder": 2, "n": 1, "_op": "insert"},
    ]));
    harness.push(&json!([row(2, 30, 3)]));
    let deltas = harness.seal().unwrap();
    harness.crash_and_restore(&deltas, None).unwrap();
    harness.advance(Span::from_secs(1)).fire_timers().unwrap();
    harness.expect(&json!([{"bidder": 2, "n": 2, "top": 30, "_op": "update"}]));
    harness.push(&json!([row(3, 1, 3)]));
    harness.watermark(at(10)).unwrap();
    harness.expect(&json!([
        {"bidder": 1, "n": 1, "_op": "update"},
        {"bidder": 2, "n": 2, "_op": "update"},
        {"bidder": 3, "n": 1, "_op": "insert"},
    ]));
}

#[test]
fn processing_time_follows_the_clock() {
    let mut harness = window(json!({"tumbling": {"size": "10s"}, "time": "processing"}));
    harness.push(&json!([row(1, 10, 1), row(1, 20, 50)]));
    harness.watermark(at(1_000_000)).unwrap();
    harness.advance(Span::from_secs(9)).fire_timers().unwrap();
    harness.expect(&json!([]));
    assert_eq!(harness.planned().stream, Some(Stream::append()));
    harness.advance(Span::from_secs(1)).fire_timers().unwrap();
    harness.expect(&json!([{"n": 2, "top": 20, "window_start": "2026-01-01T00:00:00"}]));
}

#[test]
fn rows_without_time_are_set_aside() {
    let mut harness = window(json!({"tumbling": {"size": "10s"}}));
    let no_time = json!({"bidder": 1, "price": 2, "at": null});
    harness.push(&json!([row(1, 10, 1), no_time]));
    harness.expect_rejected(&[("SW3301", json!({"bidder": 1, "price": 2}))]);
    harness.end().unwrap();
    harness.expect(&json!([{"n": 1}]));
}

#[test]
fn mistakes_are_named() {
    let tumbling = json!({"tumbling": {"size": "10s"}, "aggregate": {"n": "count(*)"}});
    let with = |field: &str, value: Value| {
        let mut options = tumbling.clone();
        options[field] = value;
        options
    };
    for (options, code, words) in [
        (json!({"aggregate": {"n": "count(*)"}}), "SW0340", "shape is missing"),
        (with("hopping", json!({"size": "1s", "slide": "1s"})), "SW0340", "several shapes"),
        (with("tumbling", json!({"size": "10us"})), "SW0340", "10us"),
        (with("key", json!(["bider"])), "SW0301", "bider"),
        (with("key", json!(["bidder", "bidder"])), "SW0307", "bidder"),
        (with("aggregate", json!({"n": "price"})), "SW0341", "calls no aggregate"),
        (with("aggregate", json!({"n": "max(prise)"})), "SW0301", "prise"),
        (with("aggregate", json!({"n": "price + count(*)"})), "SW0341", "neither aggregated"),
        (with("aggregate", json!({"n": "max(count(*))"})), "SW0341", "aggregate an aggregate"),
        (with("aggregate", json!({"n": "cuont(*)"})), "SW0302", "cuont"),
        (with("aggregate", json!({"n": "sum(at)"})), "SW0303", "sum"),
        (with("aggregate", json!({"window_end": "count(*)"})), "SW0307", "window_end"),
        (with("aggregate", json!({"n": "sum(price) OVER ()"})), "SW0305", "OVER"),
        (with("aggregate", json!({})), "SW0341", "nothing"),
    ] {
        let planned = Harness::plan::<WindowOptions>(options.clone(), &[rows::columns(&columns())]);
        let error = planned.err().expect("a mistake");
        assert_eq!(error.code, code, "{options}: {error}");
        assert!(error.to_string().contains(words), "{options}: {error}");
    }
}

#[test]
fn slices_that_take_no_rows_go_to_disk_until_their_window_ends() {
    let options = json!({"hopping": {"size": "3h", "slide": "1h"}, "key": ["k"], "aggregate": {"n": "count(*)", "most": "max(v)"}});
    let columns = json!({"k": "utf8", "v": "int64", "at": "timestamp_ms"});
    let hour = 3_600_000_i64;
    let keys = 20_000_i64;
    let rows = |at: i64| -> Value {
        (0..keys).map(|k| json!({"k": format!("key {k:05}"), "v": k + at, "at": at})).collect()
    };
    let mut results = Vec::new();
    for spills in [false, true] {
        let mut harness = Harness::new::<WindowOptions>(options.clone(), &columns);
        for slice in 0..3 {
            harness.push(&rows(slice * hour));
            harness.seal().unwrap();
        }
        harness.seal().unwrap();
        if spills {
            let before = harness.state_bytes();
            harness.spill(before / 2).unwrap();
            assert!(harness.state_bytes() * 10 < before * 6, "{}", harness.state_bytes());
            assert!(harness.spilled_bytes() > 500_000, "{}", harness.spilled_bytes());
            harness.spill(0).unwrap();
            assert!(harness.state_bytes() * 20 < before, "{}", harness.state_bytes());
        }
        // A row brings its slice back.
        harness.push(&json!([{"k": "key 00007", "v": 1_000_000_000, "at": hour + 1}]));
        assert!(harness.state_bytes() > 200_000, "{}", harness.state_bytes());
        assert!(harness.seal().unwrap().iter().map(|d| d.rows.num_rows()).sum::<usize>() == 1);
        harness.end().unwrap();
        assert_eq!(harness.spilled_bytes(), 0);
        results.push(harness.take_rows(0));
    }
    let [plain, spilled] = results.as_slice() else { panic!("two runs") };
    assert_eq!(plain.len() as i64, 5 * keys);
    assert!(plain.contains(&json!({"k": "key 00007", "n": 4, "most": 1_000_000_000,
        "window_start": "1970-01-01T00:00:00", "window_end": "1970-01-01T03:00:00", "window_time": "1970-01-01T02:59:59.999"})), "{}", plain[2 * keys as usize + 7]);
    assert_eq!(plain, spilled);
}
