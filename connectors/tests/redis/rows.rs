//! Rows in Redis: layouts, keys, deletes, refused rows and broken connections.

use std::net::TcpListener;

use serde_json::{Value, json};
use swiftwater_engine::{ErrorKind, ExactlyOnce, Stream};

use crate::sink::{rows, until_done, write};
use crate::store::*;

#[test]
fn rows_are_hashes_json_or_strings() {
    let store = Store::new("layouts");
    let columns = json!({"k": "utf8", "n": "int64", "f": "float64", "b": "bool", "t": "timestamp_ms", "s": "utf8", "l": "list<int64>"});
    let records = rows(
        columns,
        json!([
            {"k": "a", "n": 1, "f": 0.5, "b": true, "t": "2026-11-23T10:15:30.123Z", "s": "x y", "l": [1, 2]},
            {"k": "b", "n": 2},
            {"k": "a", "n": 3, "f": -1.5, "b": false, "t": "2026-11-23T10:15:31Z", "s": "\"", "l": []}
        ]),
    );
    let mut sink = open(&store.options("h:{k}", json!({})), &records);
    write(sink.as_mut(), &mut 0, &records);
    let expected = map(&[
        ("n", "3"),
        ("f", "-1.5"),
        ("b", "false"),
        ("t", "2026-11-23T10:15:31Z"),
        ("s", "\""),
        ("l", "[]"),
    ]);
    let found = store.hash("h:a");
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for name in ["n", "f", "b", "s", "l"] {
        assert_eq!(found[name], expected[name], "{name}");
    }
    assert!(found["t"].starts_with("2026-11-23T10:15:31"), "{found:?}");
    assert_eq!(store.hash("h:b"), map(&[("n", "2")]));
    let mut sink = open(
        &store.options("j:{k}/{n}", json!({"layout": "json", "values": ["k", "n", "l"]})),
        &records,
    );
    write(sink.as_mut(), &mut 0, &records);
    let found: Value = serde_json::from_str(&store.ask::<String>("GET $p:j:a/1")).unwrap();
    assert_eq!(found, json!({"k": "a", "n": 1, "l": [1, 2]}));
    let mut sink = open(
        &store.options("s:{k}", json!({"layout": "string", "values": ["s"], "ttl": "1h"})),
        &records,
    );
    write(sink.as_mut(), &mut 0, &records);
    assert_eq!(store.ask::<String>("GET $p:s:a"), "\"");
    assert!(!store.ask::<bool>("EXISTS $p:s:b"), "a null is no value");
    let lives: i64 = store.ask("PTTL $p:s:a");
    assert!((3_000_000..=3_600_000).contains(&lives), "{lives}");
}

#[test]
fn a_later_row_replaces_an_earlier_one_and_leaves_what_is_others() {
    let store = Store::new("replace");
    let columns = || json!({"k": "int64", "a": "int64", "b": "int64"});
    let of = |all: Value| rows(columns(), all);
    let first = of(json!([{"k": 1, "a": 1, "b": 1}, {"k": 2, "a": 2}]));
    let options = store.options("{k}", json!({"ttl": "1h"}));
    let mut sink = open(&options, &first);
    store.ask::<()>("HSET $p:1 other 7");
    let mut sequence = 0;
    write(sink.as_mut(), &mut sequence, &first);
    write(sink.as_mut(), &mut sequence, &of(json!([{"k": 1, "b": 5}, {"k": 2}])));
    assert_eq!(store.hash("1"), map(&[("b", "5"), ("other", "7")]));
    assert!(!store.ask::<bool>("EXISTS $p:2"));
    assert!(store.ask::<i64>("TTL $p:1") > 3000);
}

#[test]
fn rows_of_an_upsert_stream_delete() {
    let store = Store::new("deletes");
    let columns = json!({"_op": "utf8!", "k": "int64", "v": "int64"});
    let records = rows(
        columns,
        json!([
            {"_op": "insert", "k": 1, "v": 1}, {"_op": "insert", "k": 2, "v": 2}, {"_op": "delete", "k": 1, "v": 1}
        ]),
    );
    let stream = || Stream::append().upserting(vec!["k".into()]);
    for layout in ["hash", "string"] {
        let options = store.options(&format!("{layout}:{{k}}"), json!({"layout": layout}));
        let mut sink = try_open(&options, &records, stream(), None).unwrap();
        write(sink.as_mut(), &mut 0, &records.slice(0, 2));
        write(sink.as_mut(), &mut 1, &records.slice(2, 1));
        assert_eq!(
            store.ask::<Vec<String>>(&format!("KEYS $p:{layout}:*")),
            [format!("{}:{layout}:2", store.prefix)]
        );
    }
    let options = store.options("{v}", json!({"values": ["k"]}));
    let error = try_open(&options, &records, stream(), None).err().unwrap();
    assert!(error.code == "SW2212" && error.hint.unwrap().contains("{k}"));
}

#[test]
fn rows_that_cannot_be_written_are_set_aside_alone() {
    let store = Store::new("refused");
    let all: Vec<Value> = (0..40).map(|k| json!({"k": (k != 7).then_some(k), "v": k})).collect();
    let records = rows(json!({"k": "int64", "v": "int64"}), all.into());
    store.ask::<()>("SET $p:13 text");
    let mut sink = open(&store.options("{k}", json!({})), &records);
    let refused = write(sink.as_mut(), &mut 0, &records);
    let codes: Vec<&str> = refused.iter().map(|e| e.code).collect();
    assert_eq!(codes, ["SW2216", "SW2216"]);
    assert!(
        refused[0].message.contains("null") && refused[1].message.contains("WRONGTYPE"),
        "{refused:?}"
    );
    assert_eq!(store.ask::<Vec<String>>("KEYS $p:*").len(), 39);
}

#[test]
fn connections_that_break_cost_nothing() {
    // A database of its own, so that no other test is disturbed.
    let url = format!("{}/5", url());
    let store = Store::at(&url, "broken");
    for exactly_once in [false, true] {
        let of = |from: i64| {
            let all: Vec<Value> = (from..from + 10).map(|k| json!({"k": k, "v": k})).collect();
            rows(json!({"k": "int64", "v": "int64"}), all.into())
        };
        let mut options = store.options(&format!("{exactly_once}:{{k}}"), json!({}));
        options["url"] = url.as_str().into();
        let mut sink = until_done(|| {
            try_open(&options, &of(0), Stream::append(), exactly_once.then(ExactlyOnce::default))
        });
        let mut sequence = 0;
        for epoch in 1..=20 {
            store.break_others(5);
            write(sink.as_mut(), &mut sequence, &of(i64::try_from(epoch).unwrap() * 10));
            if exactly_once {
                store.break_others(5);
                let staged = until_done(|| sink.stage(epoch));
                store.break_others(5);
                until_done(|| sink.finalise(epoch, &staged));
            }
        }
        let keys: Vec<String> = store.ask(&format!("KEYS $p:{exactly_once}:*"));
        assert_eq!(keys.len(), 200);
    }
}

#[test]
fn a_server_that_is_away_or_refuses_is_told_without_the_password() {
    let store = Store::new("away");
    let records = rows(json!({"k": "int64", "v": "int64"}), json!([]));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut options = store.options("{k}", json!({"password": "hunter2"}));
    let refused = try_open(&options, &records, Stream::append(), None).err().unwrap();
    assert_eq!((refused.kind, refused.code), (ErrorKind::Config, "SW2213"), "{refused}");
    options["url"] = format!("redis://:hunter2@{nobody}").into();
    let away = try_open(&options, &records, Stream::append(), None).err().unwrap();
    assert_eq!((away.kind, away.code), (ErrorKind::Unavailable, "SW2215"), "{away}");
    options["url"] = "hunter2".into();
    let wrong = try_open(&options, &records, Stream::append(), None).err().unwrap();
    assert_eq!((wrong.kind, wrong.code), (ErrorKind::Config, "SW2211"));
    for error in [refused, away, wrong] {
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}
