//! The same features live and in training: a topology runs on a topic, is killed, and its output is
//! compared with a backfill of the topic, which is killed too and has other parallelism.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Broker, Launch, Record, Topic, swiftwater, wait_until};

const LIMIT: Duration = Duration::from_secs(120);
const PARTITIONS: i32 = 3;
const PAYMENTS: i64 = 60_000;
const START: i64 = 1_700_000_000_000;

/// A payment of 97 cards, its time up to two seconds out of order.
fn payment(n: i64) -> Record {
    let mixed = n.wrapping_mul(2_654_435_761) % 1_000_003;
    let (card, amount) = (mixed % 97, mixed % 1000);
    let at = START + n * 20 - mixed % 2000;
    // Tenths have no exact double, so that sums would show another order of adding.
    let text =
        format!("{{\"n\":{n},\"card\":{card},\"amount\":{amount}.{},\"at\":{at}}}", mixed % 10);
    Record::new(text).partition((card % i64::from(PARTITIONS)) as i32)
}

fn topology(broker: &Broker, payments: &Topic, out: &Topic, state: &Path) -> String {
    format!(
        r#"
name: {payments}
guarantee: exactly_once
checkpoint: {{interval: 200ms, store: "file://{state}"}}
sources:
  payments:
    kafka: {{brokers: "{brokers}", topic: {payments}, start: earliest}}
    format: json
    schema: {{n: int64!, card: int64, amount: float64, at: timestamp_ms}}
    event_time: {{column: at, out_of_orderness: 3s}}
operators:
  history:
    input: payments
    parallelism: ${{TASKS:-1}}
    aggregate:
      key: [card]
      windows: [10s, 2min]
      features: {{payments: count(*), spent: sum(amount), mean: avg(amount), spread: stddev(amount)}}
  kept: {{input: history, throttle: {{rows_per_second: "${{RATE:-1000000}}"}}}}
sinks:
  features:
    input: kept
    kafka: {{brokers: "{brokers}", topic: {out}, key: [card]}}
    format: json
"#,
        brokers = broker.bootstrap(),
        payments = payments.name(),
        out = out.name(),
        state = state.display(),
    )
}

/// The rows by the number of the payment.
fn by_number(rows: impl Iterator<Item = Value>) -> BTreeMap<i64, String> {
    let mut found = BTreeMap::new();
    for row in rows {
        let n = row["n"].as_i64().unwrap();
        if n < PAYMENTS {
            assert_eq!(found.insert(n, row.to_string()), None, "payment {n} came twice");
        }
    }
    found
}

/// The rows of a training set, written as the live output is.
fn training(directory: &Path) -> BTreeMap<i64, String> {
    let topology = "name: reader\nsources:\n  rows: {files: {path: 'training/features/*.parquet'}}\n\
                    sinks:\n  out: {input: rows, stdout: {}}\n";
    std::fs::write(directory.join("reader.yaml"), topology).unwrap();
    let output = swiftwater(directory, &["run", "--http", "0", "reader.yaml"]);
    let text = String::from_utf8(output.stdout).unwrap();
    by_number(text.lines().map(|line| serde_json::from_str(line).unwrap()))
}

#[test]
fn live_output_and_backfill_are_equal_whatever_is_killed() {
    let broker = Broker::shared();
    let payments = Topic::create(broker, "replayed", PARTITIONS);
    let out = Topic::create(broker, "replayed_features", 2);
    let directory = TempDir::new().unwrap();
    let text = topology(broker, &payments, &out, &directory.path().join("live"));
    payments.produce((0..PAYMENTS).map(payment));
    // Payments of every partition that are newer than all others let the watermark pass those.
    payments.produce((0..i64::from(PARTITIONS)).map(|partition| {
        let at = START + PAYMENTS * 20 + 10_000;
        let n = PAYMENTS + partition;
        Record::new(format!("{{\"n\":{n},\"card\":{partition},\"amount\":1,\"at\":{at}}}"))
            .partition(partition as i32)
    }));

    let seen = || by_number(out.read_all().iter().map(Record::json)).len() as i64;
    let mut live = Launch::new(&*text).env("RATE", "20000").start();
    wait_until("some features", LIMIT, || seen() > PAYMENTS / 10);
    live.kill();
    let mut live = Launch::new(&*text).env("TASKS", "3").start();
    wait_until("all features", LIMIT, || seen() == PAYMENTS);
    assert_eq!(live.drain(LIMIT), 143, "{}", live.log());

    std::fs::write(directory.path().join("t.yaml"), &text).unwrap();
    let backfill = |tasks: &str, rate: &str| {
        std::process::Command::new(env!("CARGO_BIN_EXE_swiftwater"))
            .args(["backfill", "t.yaml", "--into", "training", "--http", "0"])
            .envs([("TASKS", tasks), ("RATE", rate)])
            .current_dir(directory.path())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    // Slow enough for an epoch to be over and another to be under way.
    let mut first = backfill("2", "4000");
    let files = directory.path().join("training/features");
    wait_until("the files of the first epoch", LIMIT, || {
        assert_eq!(first.try_wait().unwrap(), None, "the backfill ended");
        let names = std::fs::read_dir(&files).into_iter().flatten().flatten();
        names.filter(|f| f.path().extension().is_some_and(|e| e == "parquet")).count() > 0
    });
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(backfill("2", "1000000").wait().unwrap().success());

    let live = by_number(out.read_all().iter().map(Record::json));
    assert_eq!(live.len() as i64, PAYMENTS);
    let trained = training(directory.path());
    for (n, row) in &live {
        assert_eq!(trained.get(n), Some(row), "payment {n}");
    }
    assert_eq!(trained.len(), live.len());
    // What is live has another group and other offsets.
    assert_eq!(payments.committed(&format!("{}_backfill", payments.name())), [None, None, None]);
}

#[test]
fn parity_counts_what_differs() {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, rows: &str| {
        let topology = format!(
            "name: writer\nsources:\n  rows:\n    files: {{path: {name}.ndjson}}\n    \
             schema: {{card: int64, at: timestamp_ms, spent: float64, payments: int64, shop: utf8}}\n\
             sinks:\n  out: {{input: rows, files: {{path: {name}/}}, format: parquet}}\n"
        );
        std::fs::write(directory.path().join(format!("{name}.ndjson")), rows).unwrap();
        std::fs::write(directory.path().join("writer.yaml"), topology).unwrap();
        let written = swiftwater(directory.path(), &["run", "--http", "0", "writer.yaml"]);
        assert!(written.status.success());
    };
    write(
        "served",
        r#"{"card":1,"at":0,"spent":1.0,"payments":2,"shop":"a"}
{"card":1,"at":1000,"spent":2.0,"payments":null,"shop":"b"}
{"card":2,"at":1000,"spent":null,"payments":3,"shop":"b"}
{"card":3,"at":4000000,"spent":5.0,"payments":3,"shop":null}"#,
    );
    write(
        "replayed",
        r#"{"card":1,"at":0,"spent":1.0,"payments":2,"shop":"a"}
{"card":1,"at":1000,"spent":3.0,"payments":1,"shop":"c"}
{"card":2,"at":1000,"spent":null,"payments":3,"shop":"b"}
{"card":9,"at":4000000,"spent":5.0,"payments":3,"shop":null}"#,
    );
    let parity = |options: &[&str]| {
        let both = ["parity", "served", "replayed", "--key", "card", "--time", "at"];
        let output = swiftwater(directory.path(), &[&both, options].concat());
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, json) = parity(&["--format", "json", "--most", "0.75"]);
    assert_eq!(code, 0, "{json}");
    let rows: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let counts = |feature: &str| {
        let row = rows.iter().find(|row| row["feature"] == feature).unwrap();
        let names = [
            "compared",
            "served_only",
            "replayed_only",
            "both_null",
            "served_null",
            "replayed_null",
            "mismatch",
        ];
        (names.map(|name| row[name].as_i64().unwrap()), row["mean_smape"].as_f64())
    };
    // 2 |2 - 3| / 5 in one of two rows that have both numbers.
    assert_eq!(counts("spent"), ([3, 1, 1, 1, 0, 0, 1], Some(0.2)));
    assert_eq!(counts("payments"), ([3, 1, 1, 0, 1, 0, 0], Some(0.0)));
    assert_eq!(counts("shop"), ([3, 1, 1, 0, 0, 0, 1], None));
    assert_eq!(parity(&["--most", "0.4"]).0, 1);
    let (_, text) = parity(&["--tolerance", "0.34", "--features", "spent"]);
    let row = text.lines().find(|line| line.contains("spent")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[1..8], ["3", "1", "1", "1", "0", "0", "0"], "{text}");
    assert_eq!(parity(&["--features", "nothing"]).0, 2);
    let (_, windows) = parity(&["--window", "1h", "--format", "json"]);
    assert_eq!(windows.lines().count(), 6);
}
