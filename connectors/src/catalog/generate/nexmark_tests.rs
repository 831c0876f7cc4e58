//! The `nexmark_` presets: three views of one sequence of events that fit each other.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use serde_json::json;
use std::time::Duration;
use swiftwater_config::Role;
use swiftwater_engine::{Clock, Polled};

use super::*;
use crate::test_node::{node, open_source, plan_source};

const EVENTS: u64 = 100_000;

/// All rows of one of the presets, an event a millisecond from 1970 on.
fn rows(preset: &str) -> RecordBatch {
    let options = json!({
        "preset": preset, "seed": 11, "count": EVENTS, "event_rate": 1000,
        "start": "1970-01-01T00:00:00Z",
    });
    let plan = plan_source::<GenerateOptions>(&node(Role::Source, "generate", options, ""));
    let plan = plan.unwrap();
    let mut source = open_source(&plan, (0, 1), 5000, &Clock::manual(Timestamp(0))).unwrap();
    let mut all = Vec::new();
    while let Polled::Rows { batch, .. } = source.poll(Duration::ZERO).unwrap() {
        all.push(batch.records);
    }
    concat_batches(&plan.schema, &all).unwrap()
}

fn whole(rows: &RecordBatch, name: &str) -> Vec<i64> {
    rows.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec()
}

fn millis(rows: &RecordBatch, name: &str) -> Vec<i64> {
    rows.column_by_name(name).unwrap().as_primitive::<TimestampMillisecondType>().values().to_vec()
}

fn texts(rows: &RecordBatch, name: &str) -> Vec<String> {
    let column = rows.column_by_name(name).unwrap().as_string::<i32>();
    column.iter().flatten().map(str::to_owned).collect()
}

fn share(hits: usize, of: usize) -> f64 {
    hits as f64 / of as f64
}

#[test]
fn together_they_are_every_event_once() {
    let all = ["nexmark_persons", "nexmark_auctions", "nexmark_bids"].map(rows);
    let counts = all.each_ref().map(RecordBatch::num_rows);
    assert_eq!(counts, [2000, 6000, 92_000]);
    let mut times: Vec<i64> = all.iter().flat_map(|r| millis(r, "date_time")).collect();
    times.sort_unstable();
    assert!(times.into_iter().eq(0..i64::try_from(EVENTS).unwrap()));
}

#[test]
fn bids_name_auctions_and_persons_that_are_there_or_soon_will_be() {
    let bids = rows("nexmark_bids");
    let named = whole(&bids, "auction").into_iter().zip(whole(&bids, "bidder"));
    for (time, (auction, bidder)) in millis(&bids, "date_time").into_iter().zip(named) {
        let round = time / 50;
        let newest = 1000 + round * 3 + 2;
        assert!((1000..=newest + 10).contains(&auction), "auction {auction} at {time}");
        assert!((1000..=1000 + round + 10).contains(&bidder), "bidder {bidder} at {time}");
    }
}

#[test]
fn auctions_have_sellers_prices_and_an_end_that_fit() {
    let auctions = rows("nexmark_auctions");
    let count = auctions.num_rows();
    assert!(whole(&auctions, "id").into_iter().eq(1000..1000 + count as i64));
    let times = millis(&auctions, "date_time");
    let lasts: Vec<i64> =
        millis(&auctions, "expires").iter().zip(&times).map(|(end, start)| end - start).collect();
    // 1666 events of a millisecond each are in flight on average, so up to twice that.
    assert!(lasts.iter().all(|l| (1..=2 * 1666).contains(l)));
    let mean = lasts.iter().sum::<i64>() as f64 / count as f64;
    assert!((mean - 1666.5).abs() < 50.0, "{mean}");
    let reserves = whole(&auctions, "reserve");
    assert!(whole(&auctions, "initial_bid").iter().zip(reserves).all(|(a, b)| b > *a));
    let sellers = whole(&auctions, "seller");
    assert!(sellers.iter().zip(&times).all(|(s, t)| (1000..=1000 + t / 50 + 10).contains(s)));
    let hot = share(sellers.iter().filter(|s| *s % 100 == 0).count(), count);
    assert!((hot - 0.7525).abs() < 0.025, "{hot}");
    let categories = whole(&auctions, "category");
    assert!(categories.iter().all(|c| (10..15).contains(c)));
    let ten = share(categories.iter().filter(|c| **c == 10).count(), count);
    assert!((ten - 0.2).abs() < 0.025, "{ten}");
}

#[test]
fn persons_live_in_six_states_and_have_what_the_queries_read() {
    let persons = rows("nexmark_persons");
    assert!(whole(&persons, "id").into_iter().eq(1000..3000));
    let states = texts(&persons, "state");
    let kept = states.iter().filter(|s| ["OR", "ID", "CA"].contains(&s.as_str())).count();
    assert!((share(kept, 2000) - 0.5).abs() < 0.05, "{kept}");
    assert!(texts(&persons, "email_address").iter().all(|e| e.len() == 21 && e.contains('@')));
    assert!(texts(&persons, "credit_card").iter().all(|c| c.len() == 19));
    let mut names = texts(&persons, "name");
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 90);
}
