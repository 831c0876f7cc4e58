//! Features in Redis: what the SDK of Feast reads, and which row of an entity stays.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::{ExactlyOnce, Stream};

use crate::oracle::oracle;
use crate::sink::{rows, write};
use crate::store::*;

fn features(store: &Store, layout: &str, more: Value) -> Value {
    let mut features = json!({"layout": layout, "project": store.prefix, "view": "v"});
    for (name, value) in more.as_object().unwrap() {
        features[name] = value.clone();
    }
    json!({"url": url(), "features": features})
}

/// Everything under this test's project: key and fields as hex.
fn everything(store: &Store) -> BTreeMap<String, BTreeMap<String, String>> {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let mut connection = store.connection.lock().unwrap();
    let pattern = format!("*{}*", store.prefix);
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg(pattern).query(&mut connection).unwrap();
    let own = |key: &&Vec<u8>| !key.starts_with(b"sw:{");
    let mut found = BTreeMap::new();
    for key in keys.iter().filter(own) {
        let fields: BTreeMap<Vec<u8>, Vec<u8>> =
            redis::cmd("HGETALL").arg(key).query(&mut connection).unwrap();
        let fields = fields.iter().map(|(k, v)| (hex(k), hex(v))).collect();
        found.insert(hex(key), fields);
    }
    found
}

fn wipe(store: &Store) {
    let mut connection = store.connection.lock().unwrap();
    let pattern = format!("*{}*", store.prefix);
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg(pattern).query(&mut connection).unwrap();
    redis::cmd("DEL").arg(&store.prefix).arg(keys).exec(&mut connection).unwrap();
}

#[test]
fn the_sdk_of_feast_reads_what_was_written() {
    let store = Store::new("feast");
    let columns = json!({
        "card": "utf8", "shop": "int64", "at": "timestamp_ns", "n": "int64", "small": "int32",
        "mean": "float64", "share": "float32", "known": "bool", "name": "utf8",
        "last": "timestamp_ms", "top": "list<int64>", "tags": "list<utf8>", "vector": "list<float32>"
    });
    let one = |card: &str, shop: i64, at: &str, n: i64| {
        json!({
            "card": card, "shop": shop, "at": at, "n": n, "small": -7, "mean": 0.25, "share": 1.5,
            "known": false, "name": "Zürich", "last": "2026-11-23T10:15:30.900Z",
            "top": [3, -1], "tags": ["a", ""], "vector": [0.5, -0.5]
        })
    };
    let records = rows(
        columns,
        json!([
            one("c1", 5, "2026-11-23T10:00:00.000000002Z", 2),
            one("c1", 5, "2026-11-23T10:00:00.000000001Z", 1),
            {"card": "c2", "shop": -1, "at": "2026-11-23T10:00:00Z"}
        ]),
    );
    let mut options =
        features(&store, "feast", json!({"entity": ["shop", "card"], "event_time": "at"}));
    options["ttl"] = "1h".into();
    let mut sink = open(&options, &records);
    write(sink.as_mut(), &mut 0, &records);
    let address = url().trim_start_matches("redis://").trim_end_matches('/').replace("/", ",db=");
    let read = oracle(
        "feast_read.py",
        &[&address],
        &json!({
            "project": store.prefix, "view": "v", "entity": {"card": "STRING", "shop": "INT64"},
            "features": {
                "n": "Int64", "small": "Int32", "mean": "Float64", "share": "Float32",
                "known": "Bool", "name": "String", "last": "UnixTimestamp", "top": "Int64[]",
                "tags": "String[]", "vector": "Float32[]"
            },
            "rows": [{"card": "c1", "shop": 5}, {"card": "c2", "shop": -1}, {"card": "c3", "shop": 5}]
        })
        .to_string(),
    );
    let expected = json!({
        "n": 2, "small": -7, "mean": 0.25, "share": 1.5, "known": false, "name": "Zürich",
        "last": "2026-11-23 10:15:30+00:00", "top": [3, -1], "tags": ["a", ""],
        "vector": [0.5, -0.5]
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(read[name], json!([value, null, null]), "{name}: {read}");
    }
}

#[test]
fn plain_features_are_readable() {
    let store = Store::new("plain");
    let columns =
        json!({"a": "utf8", "b": "int64", "at": "timestamp_ms", "n": "int64", "s": "utf8"});
    let records = rows(
        columns,
        json!([
            {"a": "x:%", "b": 1, "at": "2026-11-23T10:00:00.5Z", "n": 3, "s": "y"},
            {"a": "z", "b": 2, "at": "2026-11-23T10:00:00Z", "n": 4}
        ]),
    );
    let options = features(&store, "plain", json!({"entity": ["a", "b"], "event_time": "at"}));
    let mut sink = open(&options, &records);
    write(sink.as_mut(), &mut 0, &records);
    let time = |text: &str| format!("2026-11-23T10:00:{text}Z");
    assert_eq!(
        store.hash("v:x%3A%25:1"),
        map(&[("_ts", &time("00.500000000")), ("n", "3"), ("s", "y")])
    );
    assert_eq!(store.hash("v:z:2"), map(&[("_ts", &time("00.000000000")), ("n", "4")]));
    let text = |at: &str| {
        let columns =
            json!({"a": "utf8", "b": "int64", "at": "timestamp_ns", "n": "int64", "s": "utf8"});
        rows(columns, json!([{"a": "z", "b": 2, "at": at, "s": "new"}]))
    };
    write(sink.as_mut(), &mut 1, &text("2026-11-23T09:59:59.999999999Z"));
    assert_eq!(store.hash("v:z:2")["n"], "4", "older");
    write(sink.as_mut(), &mut 2, &text("2026-11-23T10:00:00.000000001Z"));
    assert_eq!(store.hash("v:z:2"), map(&[("_ts", &time("00.000000001")), ("s", "new")]));
}

#[test]
fn what_features_cannot_be_is_told_before_a_row_flows() {
    let store = Store::new("options");
    let columns = json!({"k": "int64", "at": "timestamp_ms", "f": "decimal(10,2)", "d": "float64"});
    let records = rows(columns, json!([]));
    let refused =
        |options: &Value| try_open(options, &records, Stream::append(), None).err().unwrap();
    let cases = [
        (features(&store, "feast", json!({"event_time": "at"})), "whose features"),
        (features(&store, "feast", json!({"entity": ["k"]})), "event time"),
        (features(&store, "feast", json!({"entity": ["k"], "event_time": "d"})), "no timestamp"),
        (features(&store, "feast", json!({"entity": ["d"], "event_time": "at"})), "key of Feast's"),
        (features(&store, "feast", json!({"entity": ["k"], "event_time": "at"})), "`f`"),
        (features(&store, "plain", json!({"entity": ["x"], "event_time": "at"})), "`x`"),
    ];
    for (options, words) in cases {
        let error = refused(&options);
        assert_eq!(error.code, "SW2212");
        assert!(error.message.contains(words), "{words}: {error}");
    }
}

/// Rows by (key, time, value, deletes).
type Row = (i64, i64, i64, bool);

fn batch_of(all: &[Row], ops: bool) -> arrow::array::RecordBatch {
    let row = |(k, at, v, deletes): &Row| {
        let mut row = json!({"k": k, "at": at - 2_500, "v": v});
        if ops {
            row["_op"] = if *deletes { "delete" } else { "insert" }.into();
        }
        row
    };
    let mut columns = json!({"k": "int64", "at": "timestamp_ns", "v": "int64"});
    if ops {
        columns["_op"] = "utf8!".into();
    }
    rows(columns, all.iter().map(row).collect())
}

/// What a map with the same rule holds.
fn model(all: &[Row]) -> BTreeMap<i64, (i64, i64)> {
    let mut model: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for (k, at, v, deletes) in all {
        if model.get(k).is_some_and(|(stored, _)| at < stored) {
            continue;
        }
        if *deletes {
            model.remove(k);
        } else {
            model.insert(*k, (*at, *v));
        }
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Also before 1970, at the same time, in any cut of batches, in epochs and without.
    #[test]
    fn an_older_row_never_replaces_a_newer_one(
        all in proptest::collection::vec((0..4_i64, 0..5_000_i64, any::<i64>(), any::<bool>()), 1..40),
        coarse in any::<bool>(), cut in 1..9_usize, ops in any::<bool>(), epochs in any::<bool>(),
        feast in any::<bool>(),
    ) {
        let mut all = all;
        for row in &mut all {
            row.1 = if coarse { row.1 / 1_000 * 1_000 } else { row.1 };
            row.3 &= ops;
        }
        let store = Store::new("newest");
        let layout = if feast { "feast" } else { "plain" };
        let options = features(&store, layout, json!({"entity": ["k"], "event_time": "at"}));
        let none = batch_of(&[], ops);
        let stream = if ops { Stream::append().upserting(vec!["k".into()]) } else { Stream::append() };
        let run = |cut: usize, epochs: bool| {
            wipe(&store);
            let exactly_once = epochs.then(ExactlyOnce::default);
            let mut sink = try_open(&options, &none, stream.clone(), exactly_once).unwrap();
            let mut sequence = 0;
            for (epoch, part) in (1..).zip(all.chunks(cut)) {
                let refused = write(sink.as_mut(), &mut sequence, &batch_of(part, ops));
                assert!(refused.is_empty(), "{refused:?}");
                if epochs {
                    let staged = sink.stage(epoch).unwrap();
                    sink.finalise(epoch, &staged).unwrap();
                }
            }
            everything(&store)
        };
        let found = run(cut, epochs);
        prop_assert_eq!(&found, &run(40, false), "whatever the cuts");
        let expected = model(&all);
        prop_assert_eq!(found.len(), expected.len());
        // A wiped store is filled again from what compaction leaves, in any order.
        wipe(&store);
        let newest: Vec<Row> = expected.iter().rev().map(|(k, (at, v))| (*k, *at, *v, false)).collect();
        let mut sink = try_open(&options, &none, stream.clone(), None).unwrap();
        if !newest.is_empty() {
            write(sink.as_mut(), &mut 0, &batch_of(&newest, ops));
        }
        prop_assert_eq!(&found, &everything(&store), "rebuilt");
        if !feast {
            for (k, (_, v)) in expected {
                prop_assert_eq!(&store.hash(&format!("v:{k}"))["v"], &v.to_string());
            }
        }
    }
}
