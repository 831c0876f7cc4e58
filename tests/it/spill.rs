//! State several times larger than its share of memory: it goes to disk, survives a crash, and the
//! result is right while the process stays within `memory`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Launch, wait_until};

const KEYS: u64 = 250_000;
const ROUNDS: u64 = 2;
/// Rows a second: what an epoch changes is held in memory until it is written.
const RATE: u64 = 12_000;
const MEMORY: u64 = 256 << 20;
/// Bytes of text in each row: the rows of all keys are more than twice the share of state.
const TEXT: u64 = 1200;

/// Each row meets the one before of its key, whose digest tells whether it came back whole.
fn topology(spill: &str) -> String {
    format!(
        r#"
name: wide
guarantee: exactly_once
memory: {MEMORY}B
checkpoint: {{interval: 500ms, store: "file://${{DIRECTORY}}/store", spill: "{spill}"}}
sources:
  rows:
    generate:
      count: {count}
      seed: 7
      columns:
        n: {{sequence: {{}}}}
        id: {{sequence: {{restart: {KEYS}}}}}
        note: {{text: {{min_length: {TEXT}, max_length: {TEXT}}}}}
operators:
  paced: {{input: rows, throttle: {{rows_per_second: {RATE}}}}}
  told: {{input: paced, select: [n, id, note, "md5(note) AS digest"]}}
  steps:
    input: told
    lag: {{key: [id], columns: {{before: n, note_before: note, digest_before: digest}}}}
  wrong:
    input: steps
    filter: "before <> n - {KEYS} OR md5(note_before) <> digest_before OR (before IS NULL) <> (n < {KEYS})"
  first: {{input: steps, filter: "before IS NULL"}}
  numbers: {{input: first, select: [n]}}
sinks:
  wrong_rows: {{input: wrong, files: {{path: wrong/}}, format: json}}
  first_rows: {{input: numbers, files: {{path: first/}}, format: json}}
"#,
        count = KEYS * ROUNDS,
    )
}

/// The rows in the files of a directory.
fn rows(directory: &Path) -> Vec<Value> {
    let files = fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path());
    let texts = files.filter(|path| path.is_file()).map(|path| fs::read_to_string(path).unwrap());
    let lines = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
}

/// A process that may not make large files stops, and keeps what it has committed.
fn stops_where_the_disk_is_full(at: &Path, spill: &Path) {
    fs::write(at.join("full.yaml"), topology(spill.to_str().unwrap())).unwrap();
    // Blocks of 512 or 1024 bytes, as the shell has it.
    let limited = "trap '' XFSZ; ulimit -f 200000; exec \"$0\" run full.yaml --http 127.0.0.1:0";
    let ended = Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_swiftwater")])
        .env("DIRECTORY", at)
        .current_dir(at)
        .output()
        .expect("a shell");
    let log = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{log}");
    assert!(log.contains("SW4327") && log.contains("checkpoint: {spill"), "{log}");
}

#[test]
fn state_larger_than_memory_survives_a_full_disk_and_a_crash() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let spill = at.join("spill");
    // As the guide says: memory that is given back goes to the system.
    let launch = || {
        Launch::new(topology(spill.to_str().unwrap()))
            .env("DIRECTORY", at.to_str().unwrap())
            .env("MALLOC_ARENA_MAX", "2")
            .env("MALLOC_MMAP_THRESHOLD_", "65536")
            .env("MALLOC_TRIM_THRESHOLD_", "131072")
            .env("MALLOC_TOP_PAD_", "0")
    };
    stops_where_the_disk_is_full(at, &spill);
    let mut highest = 0;
    let mut first = launch().start_in(at);
    let limit = Duration::from_secs(300);
    first.wait_ready();
    wait_until("all keys to be known and most rows to be on disk", limit, || {
        highest = highest.max(first.anonymous_bytes().unwrap_or(0));
        let metrics = first.metrics();
        let spilled = metrics.total("swiftwater_state_spilled_bytes", &[("node", "steps")]);
        let taken =
            metrics.total("swiftwater_rows_total", &[("node", "steps"), ("direction", "in")]);
        spilled > MEMORY as f64 / 2.0 && taken > KEYS as f64 / 2.0
    });
    assert_eq!(fs::read_dir(&spill).unwrap().count(), 0, "files on disk have no names");
    first.kill();

    let mut second = launch().start_in(at);
    let mut ended = None;
    wait_until("the second process to end", limit, || {
        ended = second.status();
        if ended.is_none() {
            highest = highest.max(second.anonymous_bytes().unwrap_or(0));
        }
        ended.is_some()
    });
    assert!(ended.is_some_and(|status| status.success()), "{}", second.log());
    println!("highest resident memory {} MiB of {} MiB", highest >> 20, MEMORY >> 20);
    assert!(highest < MEMORY, "{} MiB of {} MiB", highest >> 20, MEMORY >> 20);
    assert_eq!(rows(&at.join("wrong")), Vec::<Value>::new());
    let mut seen = BTreeMap::new();
    for row in rows(&at.join("first")) {
        *seen.entry(row["n"].as_u64().unwrap()).or_insert(0) += 1;
    }
    assert_eq!(seen.len() as u64, KEYS);
    assert!(seen.values().all(|times| *times == 1), "a row came twice");
}

#[test]
fn without_spilling_such_state_stops_the_topology() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let off = Launch::new(topology("off")).env("DIRECTORY", at.to_str().unwrap());
    let mut process = off.start_in(at);
    let status = process.wait(Duration::from_secs(300));
    assert_eq!(status.code(), Some(1), "{}", process.log());
    assert!(process.log().contains("SW4326"), "{}", process.log());
}
