//! `sessionize` against a loop over the rows of each key.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::testing::Harness;

use super::*;
use crate::keyed::fleet::{self, Told};

#[test]
fn rows_less_than_a_gap_apart_share_a_session() {
    let columns = json!({"k": "int64", "at": "timestamp_ms"});
    let given = json!([
        {"k": 1, "at": 0}, {"k": 1, "at": 199}, {"k": 1, "at": 100}, {"k": 1, "at": 299}, {"k": 2, "at": 120}, {"k": 1, "at": 380}, {"k": null, "at": 380},
    ]);
    let run = |options: Value| {
        let mut node = Harness::new::<SessionizeOptions>(options, &columns);
        node.push(&given);
        node.end().unwrap();
        node.take_rows(0)
    };
    let rows = run(json!({"key": ["k"], "gap": "100ms"}));
    let places: Vec<i64> =
        rows.iter().map(|row| row["session_position"].as_i64().unwrap()).collect();
    // 0 | 100 199 | key 2: 120 | 299 380 and the key that is null.
    assert_eq!(places, [1, 1, 1, 2, 1, 2, 1]);
    let ids: std::collections::BTreeSet<_> =
        rows.iter().map(|row| row["session_id"].to_string()).collect();
    assert_eq!(ids.len(), 5);
    let bounded = run(json!({"key": ["k"], "gap": "1s", "max_len": "200ms"}));
    let places: Vec<i64> =
        bounded.iter().map(|row| row["session_position"].as_i64().unwrap()).collect();
    assert_eq!(places, [1, 2, 1, 3, 1, 2, 1]);
    let sessions = run(json!({"key": ["k"], "gap": "100ms", "emit": "sessions"}));
    let counts: Vec<i64> =
        sessions.iter().map(|row| row["session_rows"].as_i64().unwrap()).collect();
    // In the order of their ends: 100, 220 of key 2, 299, and 480 twice.
    assert_eq!(counts[..3], [1, 1, 2]);
    assert_eq!(counts.iter().sum::<i64>(), 7);
}

#[test]
fn mistakes_are_named() {
    let schema = swiftwater_engine::testing::rows::columns(
        &json!({"k": "int64", "session_id": "utf8", "at": "timestamp_ms"}),
    );
    for (options, code) in [
        (json!({"key": [], "gap": "1s"}), "SW0321"),
        (json!({"key": ["k"], "gap": "0s"}), "SW0321"),
        (json!({"key": ["k"], "gap": "1s"}), "SW0307"),
    ] {
        let error =
            Harness::plan::<SessionizeOptions>(options, &[Arc::clone(&schema)]).err().unwrap();
        assert_eq!(error.code, code);
    }
}

/// First time, last time and rows of the sessions, and the position of each row.
type Found = (Vec<(i64, i64, i64)>, Vec<(i64, i64)>);

fn oracle(told: &[Told], gap: i64, longest: i64) -> Found {
    let (mut waiting, mut now): (Vec<fleet::Row>, i64) = (Vec::new(), i64::MIN);
    let mut by_key: BTreeMap<Option<i64>, Vec<fleet::Row>> = BTreeMap::new();
    for told in told.iter().chain([&Told::Watermark(i64::MAX)]) {
        match told {
            Told::Row(_, row) if row.t <= now => {}
            Told::Row(_, row) => waiting.push(*row),
            Told::Watermark(watermark) => {
                now = *watermark;
                waiting.sort_by_key(|row| (row.t, row.v));
                let due = waiting.partition_point(|row| row.t <= now);
                waiting.drain(..due).for_each(|row| by_key.entry(row.k).or_default().push(row));
            }
        }
    }
    let (mut sessions, mut places) = (Vec::new(), Vec::new());
    for rows in by_key.values() {
        let mut open: Option<(i64, i64, i64)> = None;
        for row in rows {
            open = match open {
                Some((first, last, n)) if row.t - last < gap && row.t - first < longest => {
                    Some((first, row.t, n + 1))
                }
                ended => {
                    sessions.extend(ended);
                    Some((row.t, row.t, 1))
                }
            };
            places.push((row.v, open.unwrap().2));
        }
        sessions.extend(open);
    }
    sessions.sort_unstable();
    places.sort_unstable();
    (sessions, places)
}

proptest! {
    #[test]
    fn sessions_are_those_of_a_loop(script in fleet::script(1), gap in 1i64..20, longest in prop::option::of(1i64..40)) {
        let max_len = longest.map(|ms| format!("{ms}ms"));
        let (sessions, places) = oracle(&script.told, gap, longest.unwrap_or(i64::MAX));
        let run = |emit: &str| {
            let options = json!({"key": ["k"], "gap": format!("{gap}ms"), "max_len": max_len, "emit": emit});
            fleet::run::<SessionizeOptions>(options, &[fleet::script_columns()], script.instances, &script.steps)
        };
        let rows = run("rows");
        let mut found: Vec<(i64, i64)> = rows.rows.iter().map(|row| (row["v"].as_i64().unwrap(), row["session_position"].as_i64().unwrap())).collect();
        found.sort_unstable();
        prop_assert_eq!(found, places);
        let ids: std::collections::BTreeSet<_> = rows.rows.iter().map(|row| row["session_id"].to_string()).collect();
        prop_assert_eq!(ids.len(), sessions.len());
        let given = run("sessions");
        prop_assert_eq!((rows.behind, given.behind), (0, 0));
        let mut counts: Vec<i64> = given.rows.iter().map(|row| row["session_rows"].as_i64().unwrap()).collect();
        let mut wanted: Vec<i64> = sessions.iter().map(|(_, _, n)| *n).collect();
        counts.sort_unstable();
        wanted.sort_unstable();
        prop_assert_eq!(counts, wanted);
        let given_ids: std::collections::BTreeSet<_> = given.rows.iter().map(|row| row["session_id"].to_string()).collect();
        prop_assert_eq!(given_ids, ids);
    }
}
