//! The `redis` sink on a real Redis, started by `scripts/redis.sh`, or named by
//! `SWIFTWATER_TEST_REDIS`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step fails the test"
)]

#[path = "../../tests/support/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_config::{NodeConfig, Role};
use swiftwater_connectors::catalog::RedisOptions;
use swiftwater_engine::metrics::{Metrics, SinkMetrics};
use swiftwater_engine::{
    Batch, Clock, Epoch, Error, ErrorKind, ExactlyOnce, NodeContext, Readings, Result, Sink,
    SinkContext, SinkOptions, Staged, Stream, Timestamp,
};

fn url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| server::shared("SWIFTWATER_TEST_REDIS", "redis.sh"))
}

/// A plain client, and a prefix of its own for each test.
struct Store {
    connection: Mutex<redis::Connection>,
    prefix: String,
}

impl Store {
    fn new(test: &str) -> Self {
        Self::at(url(), test)
    }

    fn at(url: &str, test: &str) -> Self {
        let connection = redis::Client::open(url).unwrap().get_connection().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        Self { connection: Mutex::new(connection), prefix: format!("{test}-{now}") }
    }

    /// A command; `$p` is the prefix.
    fn ask<T: redis::FromRedisValue>(&self, command: &str) -> T {
        let mut built = redis::Cmd::new();
        for word in command.split(' ') {
            built.arg(word.replace("$p", &self.prefix));
        }
        built.query(&mut self.connection.lock().unwrap()).unwrap()
    }

    /// Breaks all other connections to this one's database.
    fn break_others(&self, database: u8) {
        let list: String = self.ask("CLIENT LIST");
        let own: i64 = self.ask("CLIENT ID");
        for client in list.lines().filter(|line| line.contains(&format!(" db={database} "))) {
            let id = client.split(' ').next().unwrap().trim_start_matches("id=").to_owned();
            if id != own.to_string() {
                // It may have gone by itself in the meantime.
                self.ask::<i64>(&format!("CLIENT KILL ID {id}"));
            }
        }
    }

    fn hash(&self, key: &str) -> BTreeMap<String, String> {
        self.ask(&format!("HGETALL $p:{key}"))
    }

    fn options(&self, key: &str, mut options: Value) -> Value {
        options["url"] = url().into();
        options["key"] = format!("{}:{key}", self.prefix).into();
        options
    }
}

fn rows(columns: Value, rows: Value) -> RecordBatch {
    let schema = swiftwater_engine::schema::from_config(columns.as_object().unwrap()).unwrap();
    swiftwater_engine::testing::rows::batch(&schema, &rows)
}

fn try_open(
    options: &Value,
    records: &RecordBatch,
    stream: Stream,
    exactly_once: Option<ExactlyOnce>,
) -> Result<Box<dyn Sink>> {
    let node = NodeConfig::new(Role::Sink, "node", "redis", options.clone());
    let topology = options["key"].as_str().unwrap().to_owned();
    let options: RedisOptions = serde_json::from_value(options.clone()).unwrap();
    let inputs = [records.schema()];
    let cx = NodeContext { topology: "t", node: &node, inputs: &inputs, streams: &[stream] };
    let mut sink = (options.plan(&cx)?.make)()?;
    sink.open(SinkContext {
        shared: Arc::default(),
        exactly_once,
        topology,
        node: "node".into(),
        buffer_bytes: 64 << 20,
        retry_budget: Duration::from_secs(60),
        clock: Clock::system(),
        metrics: SinkMetrics::new(&Metrics::new("t").unwrap(), "node"),
    })?;
    Ok(sink)
}

fn open(options: &Value, records: &RecordBatch) -> Box<dyn Sink> {
    try_open(options, records, Stream::append(), None).unwrap()
}

/// Writes as the engine does; returns the errors of rows that were set aside.
fn write(sink: &mut dyn Sink, sequence: &mut u64, records: &RecordBatch) -> Vec<Error> {
    let mut tries = 0;
    loop {
        let batch = Batch::new(records.clone(), Readings::polled_at(Timestamp(0)));
        match sink.write(*sequence + 1, &batch) {
            Ok(()) => {
                *sequence += 1;
                assert_eq!(sink.acknowledged(Duration::ZERO).unwrap(), *sequence);
                return Vec::new();
            }
            Err(error) if error.kind == ErrorKind::Data => {
                let rows = records.num_rows();
                if rows == 1 {
                    return vec![error];
                }
                let mut errors = write(sink, sequence, &records.slice(0, rows / 2));
                errors.extend(write(sink, sequence, &records.slice(rows / 2, rows - rows / 2)));
                return errors;
            }
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
                tries += 1;
                assert!(tries < 200, "{error}");
            }
        }
    }
}

fn until_done<T>(mut call: impl FnMut() -> Result<T>) -> T {
    for _ in 0..200 {
        match call() {
            Ok(done) => return done,
            Err(error) => assert_eq!(error.kind, ErrorKind::Unavailable, "{error}"),
        }
    }
    panic!("it never worked");
}

fn map(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

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

type LastCommit = Option<(Epoch, Option<Staged>)>;

fn numbers(range: std::ops::Range<i64>) -> RecordBatch {
    let all: Vec<Value> = range.map(|n| json!({"k": n % 10, "v": n})).collect();
    rows(json!({"k": "int64", "v": "int64"}), all.into())
}

fn try_numbers(options: &Value, committed: LastCommit) -> Result<Box<dyn Sink>> {
    try_open(options, &numbers(0..0), Stream::append(), Some(ExactlyOnce { committed }))
}

fn stage(sink: &mut dyn Sink, epoch: Epoch, range: std::ops::Range<i64>) -> Staged {
    write(sink, &mut 0, &numbers(range));
    sink.stage(epoch).unwrap()
}

#[test]
fn epochs_are_seen_once_committed_and_an_old_one_never_overwrites_a_new_one() {
    let store = Store::new("epochs");
    let options = store.options("{k}", json!({}));
    let value = |k: i64| store.hash(&k.to_string()).get("v").cloned();
    let mut frozen = try_numbers(&options, None).unwrap();
    let first = stage(frozen.as_mut(), 1, 0..10);
    assert_eq!(frozen.stage(1).unwrap(), first, "asked again, it says the same");
    assert_eq!(value(3), None);
    // The first epoch was committed, and the process froze: the next one finishes it.
    let mut next = try_numbers(&options, Some((1, Some(first.clone())))).unwrap();
    assert_eq!(value(3).unwrap(), "3");
    let second = stage(next.as_mut(), 2, 10..20);
    assert_eq!(value(3).unwrap(), "3");
    next.finalise(2, &second).unwrap();
    next.finalise(2, &second).unwrap();
    frozen.finalise(1, &first).unwrap();
    assert_eq!(value(3).unwrap(), "13");
    drop(next);
    // The third was staged and never committed.
    let mut third = try_numbers(&options, Some((2, Some(second.clone())))).unwrap();
    stage(third.as_mut(), 3, 20..30);
    drop(third);
    let mut last = try_numbers(&options, Some((2, Some(second)))).unwrap();
    let own: Vec<String> = store.ask("KEYS sw:{$p:{k}:node}:*");
    assert_eq!(own.len(), 1, "only the fence is left: {own:?}");
    let empty = last.stage(3).unwrap();
    last.finalise(3, &empty).unwrap();
    assert_eq!(value(3).unwrap(), "13");
}

#[test]
fn what_redis_lost_stops_the_topology_with_the_cure() {
    let store = Store::new("lost");
    let options = store.options("{k}", json!({}));
    let mut sink = try_numbers(&options, None).unwrap();
    let first = stage(sink.as_mut(), 5, 0..10);
    let staged: Vec<String> = store.ask("KEYS sw:{$p:{k}:node}:staged:*");
    redis::cmd("DEL").arg(staged).exec(&mut store.connection.lock().unwrap()).unwrap();
    let error = try_numbers(&options, Some((5, Some(first.clone())))).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2217"));
    let cure = error.hint.unwrap().split("without them: ").last().unwrap().to_owned();
    store.ask::<()>(&cure);
    drop(try_numbers(&options, Some((5, Some(first)))).unwrap());
    let error = try_numbers(&options, None).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2218"));
    store.ask::<()>(error.hint.unwrap().split("anew: ").last().unwrap());
    drop(try_numbers(&options, None).unwrap());
}

/// When a process dies in an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Death {
    BeforeStage,
    BeforeCommit,
    BeforeFinalise,
    Not,
}

fn epochs() -> impl Strategy<Value = Vec<(Vec<(i64, bool)>, Death)>> {
    use Death::{BeforeCommit, BeforeFinalise, BeforeStage, Not};
    let death = prop::sample::select(vec![BeforeStage, BeforeCommit, BeforeFinalise, Not, Not]);
    let change = (0_i64..8, prop::bool::weighted(0.3));
    prop::collection::vec((prop::collection::vec(change, 0..12), death), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn redis_holds_what_the_committed_changes_say_whatever_dies(epochs in epochs()) {
        let store = Store::new("model");
        let options = store.options("{k}", json!({}));
        let columns = json!({"_op": "utf8!", "k": "int64", "v": "int64"});
        let none = rows(columns.clone(), json!([]));
        let stream = || Stream::append().upserting(vec!["k".into()]);
        let open = |committed| {
            try_open(&options, &none, stream(), Some(ExactlyOnce { committed })).unwrap()
        };
        let mut sink = open(None);
        let (mut model, mut version) = (BTreeMap::new(), 0_i64);
        let (mut epoch, mut committed) = (0, None);
        for (changes, death) in epochs {
            epoch += 1;
            let mut next = model.clone();
            let mut sequence = 0;
            for part in changes.chunks(3) {
                let mut all = Vec::new();
                for (k, delete) in part {
                    version += 1;
                    let op = if *delete { "delete" } else { "update" };
                    all.push(json!({"_op": op, "k": k, "v": version}));
                    if *delete { next.remove(k); } else { next.insert(*k, version.to_string()); }
                }
                write(sink.as_mut(), &mut sequence, &rows(columns.clone(), all.into()));
            }
            if death != Death::BeforeStage {
                let staged = sink.stage(epoch).unwrap();
                if death != Death::BeforeCommit {
                    model = next;
                    committed = Some((epoch, Some(staged.clone())));
                }
                if death == Death::Not {
                    sink.finalise(epoch, &staged).unwrap();
                }
            }
            if death != Death::Not {
                drop(sink);
                epoch = committed.as_ref().map_or(0, |(epoch, _)| *epoch);
                sink = open(committed.clone());
            }
            let found: BTreeMap<i64, String> = (0..8)
                .filter_map(|k| Some((k, store.hash(&k.to_string()).get("v").cloned()?)))
                .collect();
            prop_assert_eq!(found, model.clone());
        }
    }
}
