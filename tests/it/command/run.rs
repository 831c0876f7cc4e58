//! `swiftwater run`: exit codes, signals and log lines.

use std::time::Duration;

use serde_json::Value;

use super::call_on;
use crate::support::{Launch, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

fn topology(generate: &str) -> String {
    format!(
        "name: short\nsources:\n  bids: {{generate: {{preset: bids, only: [auction, price], {generate}}}}}\n\
         sinks:\n  out: {{input: bids, stdout: {{}}}}\n"
    )
}

/// The log lines among what a process wrote.
fn log_lines(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
    lines.filter(|l| l.get("level").is_some()).collect()
}

#[test]
fn a_bounded_topology_ends_with_0_and_prints_its_rows() {
    let called = call_on(&topology("count: 7"), &["run", "--http", "0", "t.yaml"]);
    assert_eq!(called.code, 0, "{}", called.stderr);
    assert_eq!(called.stdout.lines().count(), 7, "{}", called.stdout);
    let logged = log_lines(&called.stderr);
    assert!(logged.len() >= 2, "{}", called.stderr);
    for line in &logged {
        assert_eq!(line["topology"], "short", "{line}");
        assert!(line["trace_id"].as_str().is_some_and(|id| id.len() >= 16), "{line}");
    }
    let messages: Vec<_> = logged.iter().filter_map(|l| l["message"].as_str()).collect();
    assert!(messages.contains(&"started") && messages.contains(&"finished"), "{messages:?}");
}

#[test]
fn a_bounded_topology_with_state_ends_without_waiting_for_files_to_be_old() {
    let topology = "name: kept\nguarantee: at_least_once\n\
         checkpoint: {interval: 50ms, store: ./state}\nsources:\n  \
         bids: {generate: {preset: bids, only: [auction, price], rate: 1000, count: 1000}}\n\
         operators:\n  all: {input: bids, deduplicate: {key: [auction, price]}}\n\
         sinks:\n  out: {input: all, files: {path: out, roll: {every: 1h}}, format: json}\n";
    let mut running = Launch::new(topology).start();
    let status = running.wait(LIMIT);
    assert!(status.success(), "{}", running.log());
}

#[test]
fn a_wrong_file_ends_with_2_and_says_where_as_a_log_line() {
    let wrong = topology("count: 7").replace("stdout", "stdouts");
    let called = call_on(&wrong, &["run", "t.yaml"]);
    assert_eq!(called.code, 2);
    let logged = log_lines(&called.stderr);
    assert!(logged.iter().any(|l| l["code"] == "SW0102" && l["line"] == 5), "{}", called.stderr);
    let called = call_on(&wrong, &["run", "--log-format", "text", "t.yaml"]);
    assert_eq!(called.code, 2);
    assert!(
        called.stderr.contains("t.yaml:5:") && called.stderr.contains("stdout"),
        "{}",
        called.stderr
    );
}

#[test]
fn a_signal_drains_and_is_in_the_exit_code() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut running = Launch::new(topology("rate: 50")).start();
        running.wait_ready();
        running.signal(signal);
        assert_eq!(running.wait(LIMIT).code(), Some(code), "{}", running.log());
        let log = running.log();
        assert!(log_lines(&log).iter().any(|l| l["message"] == "drained"), "{log}");
    }
}

#[test]
fn a_second_signal_aborts_what_a_drain_waits_for() {
    // Nobody listens there: the sink can never finish what it has taken.
    let topology = topology("rate: 50")
        .replace("stdout: {}", "http: {url: \"http://127.0.0.1:9/\"}, format: json")
        + "drain_timeout: 10m\n";
    let mut running = Launch::new(topology).start();
    wait_until("rows to be taken", LIMIT, || {
        running.get("/topology").is_some_and(|(_, text)| text.contains("retrying"))
    });
    running.signal("TERM");
    wait_until("the drain", LIMIT, || running.log().contains("draining"));
    running.signal("TERM");
    assert_eq!(running.wait(LIMIT).code(), Some(143), "{}", running.log());
}

#[test]
fn what_stops_a_topology_ends_with_1_and_names_node_and_code() {
    let topology = topology("count: 7, rate: 1000")
        .replace("stdout: {}", "http: {url: \"http://127.0.0.1:9/\"}, format: json")
        + "retry: {initial: 10ms, max: 10ms, budget: 50ms}\n";
    let called = call_on(&topology, &["run", "--http", "off", "t.yaml"]);
    assert_eq!(called.code, 1, "{}", called.stderr);
    let logged = log_lines(&called.stderr);
    let failure = logged.iter().find(|l| l["message"] == "failed").expect("a failure");
    assert_eq!(failure["node"], "out", "{failure}");
    assert!(failure["code"].as_str().is_some_and(|c| c.starts_with("SW20")), "{failure}");
}
