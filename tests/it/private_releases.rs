//! A private release is killed at each of its steps: what was paid for covers what was published,
//! and what was published stays as it is.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

const TOPOLOGY: &str = r#"
name: private_releases
checkpoint: {interval: 50ms, store: "file://DIRECTORY/store"}
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
    event_time: {column: date_time}
operators:
  published:
    input: bids
    release_private:
      dataset: bids
      ledger: DIRECTORY/bids.ledger
      unit: entity
      entity: channel
      max_contributions: 5
      budget: {epsilon: 20, delta: 0.000001}
      releases: 20
      window: 1s
      domain:
        price: {edges: [0, 1000, 10000, 100000000]}
      tables: {all: [], by_price: [price]}
sinks:
  out: {input: published, stdout: {}}
"#;

/// Records of the ledger: debits by release, and numbers by release.
fn ledger(text: &str) -> (BTreeMap<String, u64>, BTreeMap<String, Value>) {
    let (mut debits, mut releases) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        let (record, _) = line.rsplit_once(' ').unwrap();
        let record: Value = serde_json::from_str(record).unwrap();
        if let Some(debit) = record.get("debit") {
            *debits.entry(debit["id"]["window"].to_string()).or_default() += 1;
        }
        if let Some(release) = record.get("release") {
            let window = release["id"]["window"].to_string();
            let before = releases.insert(window, release["numbers"].clone());
            assert_eq!(before, None, "a window has two releases");
        }
    }
    (debits, releases)
}

#[test]
fn kills_at_each_step_never_spend_less_than_was_published() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("topology.yaml");
    let text = TOPOLOGY.replace("DIRECTORY", directory.path().to_str().unwrap());
    fs::write(&file, text).unwrap();
    let mut published: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let steps =
        ["private_started:2", "private_debited:2", "private_drawn:2", "private_recorded:2", ""];
    for step in steps {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swiftwater"));
        command.args(["run", "--http", "127.0.0.1:0"]).arg(&file);
        let output = command.env("SWIFTWATER_FAILPOINT", step).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), step.is_empty(), "{step}: {said}");
        let mut windows: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for row in String::from_utf8_lossy(&output.stdout).lines() {
            // A kill may cut the last row.
            let Ok(row) = serde_json::from_str::<Value>(row) else { continue };
            windows.entry(row["window_start"].to_string()).or_default().push(row["count"].clone());
        }
        for (window, counts) in windows.into_iter().filter(|(_, counts)| counts.len() == 4) {
            let known = published.entry(window).or_insert_with(|| counts.clone());
            assert_eq!(*known, counts, "a window was published with other noise");
        }
    }
    let (debits, releases) =
        ledger(&fs::read_to_string(directory.path().join("bids.ledger")).unwrap());
    assert!(published.len() >= 4, "{published:?}");
    for numbers in published.into_values().map(Value::Array) {
        assert!(releases.values().any(|release| *release == numbers), "not from the ledger");
    }
    // Two kills were between the debit and the record: their releases were paid for twice.
    let paid: u64 = debits.values().sum();
    assert_eq!(paid, releases.len() as u64 + 2, "{debits:?}");
}
