//! Features in a table: of each entity the newest stay, whichever comes first.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::{Changes, ErrorKind, ExactlyOnce, Stream};

use crate::database::{Database, open, plan, try_open};
use crate::sink::{rows, write};

fn columns() -> Value {
    json!({"n": "int64", "card": "utf8", "at": "timestamp_ms", "spent": "float64", "other": "utf8"})
}

fn options(database: &Database, more: Value) -> Value {
    let mut options = json!({
        "create": true, "values": ["n", "spent"],
        "features": {"view": "card_v1", "entity": ["card"], "event_time": "at"}
    });
    for (name, value) in more.as_object().unwrap() {
        options[name] = value.clone();
    }
    database.options("features", options)
}

fn row(n: usize, card: &str, second: u32) -> Value {
    json!({"n": n, "card": card, "at": format!("2026-11-23T10:00:{second:02}Z"), "spent": n as f64, "other": "x"})
}

/// Card, second and number of the row that stays, of rows in the order in which they came.
fn stays(came: &[(&str, u32)]) -> Vec<String> {
    let mut newest: BTreeMap<&str, (u32, usize)> = BTreeMap::new();
    for (n, (card, second)) in came.iter().enumerate() {
        let held = newest.entry(card).or_insert((*second, n));
        if *second >= held.0 {
            *held = (*second, n);
        }
    }
    newest.iter().map(|(card, (second, n))| format!("{card}|{second}|{n}|{n}")).collect()
}

const FOUND: &str =
    "SELECT card, extract(second FROM at)::int, n, spent FROM $s.features ORDER BY card";

#[test]
fn an_older_row_never_replaces_a_newer_one() {
    let database = Database::new("view");
    let options = options(&database, json!({}));
    let records = rows(columns(), json!([row(0, "a", 5), row(1, "a", 3), row(2, "b", 5)]));
    let mut sink = open(&options, &records.schema());
    write(sink.as_mut(), &mut 0, &records);
    assert_eq!(database.query(FOUND), ["a|5|0|0", "b|5|2|2"]);
    let table = "SELECT attname FROM pg_attribute WHERE attrelid = '$s.features'::regclass AND attnum > 0 ORDER BY attnum";
    assert_eq!(database.query(table), ["card", "at", "n", "spent"]);
    // Another writer, such as one that fills the table again from the topic.
    let mut other = open(&options, &records.schema());
    let again = rows(columns(), json!([row(3, "a", 4), row(4, "b", 5), row(5, "c", 1)]));
    write(other.as_mut(), &mut 0, &again);
    assert_eq!(database.query(FOUND), ["a|5|0|0", "b|5|4|4", "c|1|5|5"]);
    // Without an event time nobody can tell.
    let without = rows(columns(), json!([{"n": 6, "card": "a", "spent": 6.0}]));
    let refused = write(sink.as_mut(), &mut 1, &without);
    assert_eq!(refused.iter().map(|e| e.code).collect::<Vec<_>>(), ["SW2206"]);
    assert_eq!(database.query(FOUND).len(), 3);
}

#[test]
fn an_older_delete_takes_nothing_away() {
    let database = Database::new("view_deletes");
    let columns = json!({"_op": "utf8", "card": "utf8", "at": "timestamp_ms", "n": "int64"});
    let with = |op: &str, n: usize, card: &str, second: u32| {
        let mut row = row(n, card, second);
        row["_op"] = op.into();
        row
    };
    let stream = Stream {
        event_time: Some("at".into()),
        changes: Changes::Upsert { key: vec!["card".into()] },
    };
    let options =
        database.options("features", json!({"create": true, "features": {"view": "card_v1"}}));
    let records =
        rows(columns.clone(), json!([with("insert", 0, "a", 5), with("insert", 1, "b", 5)]));
    let mut sink = try_open(&options, &records.schema(), stream, None).unwrap();
    let mut sequence = 0;
    write(sink.as_mut(), &mut sequence, &records);
    let deletes = rows(columns, json!([with("delete", 2, "a", 4), with("delete", 3, "b", 6)]));
    write(sink.as_mut(), &mut sequence, &deletes);
    assert_eq!(database.query("SELECT card, n FROM $s.features"), ["a|0"]);
}

#[test]
fn what_features_cannot_be_is_told_before_a_row_flows() {
    let database = Database::new("view_options");
    let schema = rows(columns(), json!([])).schema();
    let features = |value: Value| options(&database, json!({"features": value}));
    let cases = [
        (options(&database, json!({"key": ["card"]})), "beside `key`"),
        (options(&database, json!({"values": ["nothing"]})), "`nothing`"),
        (features(json!({"view": "v", "event_time": "at"})), "whose features"),
        (features(json!({"view": "v", "entity": ["card"]})), "event time"),
        (features(json!({"view": "v", "entity": ["card"], "event_time": "n"})), "no timestamp"),
        (features(json!({"view": "v", "entity": ["cards"], "event_time": "at"})), "`cards`"),
    ];
    for (options, told) in cases {
        let error = plan(&options, &schema, Stream::append()).err().unwrap();
        assert_eq!((error.kind, error.code), (ErrorKind::Config, "SW2202"));
        assert!(error.message.contains(told), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_newest_rows_stay_however_they_come(
        came in prop::collection::vec((prop::sample::select(vec!["a", "b", "c"]), 0_u32..6), 1..40),
        cuts in prop::collection::vec(1_usize..8, 40),
        epochs in any::<bool>(),
    ) {
        let database = Database::new("view_any");
        let options = options(&database, json!({}));
        let schema = rows(columns(), json!([])).schema();
        let exactly_once = epochs.then_some(ExactlyOnce { committed: None });
        let mut sink = try_open(&options, &schema, Stream::append(), exactly_once).unwrap();
        let (mut sequence, mut at) = (0, 0);
        for (epoch, cut) in (1..).zip(cuts) {
            let end = came.len().min(at + cut);
            let part = came[at..end].iter().zip(at..);
            let part: Vec<Value> = part.map(|((card, second), n)| row(n, card, *second)).collect();
            at = end;
            if !part.is_empty() {
                write(sink.as_mut(), &mut sequence, &rows(columns(), part.into()));
            }
            if epochs && epoch % 2 == 0 {
                let staged = sink.stage(epoch / 2).unwrap();
                sink.finalise(epoch / 2, &staged).unwrap();
            }
        }
        prop_assert_eq!(at, came.len());
        prop_assert_eq!(database.query(FOUND), stays(&came));
    }
}
