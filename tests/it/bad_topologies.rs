//! Wrong topology files and wrong surroundings: a clear error that names the place, the value and
//! the cure, and the exit code for it.

use std::fs;
use std::time::Duration;

use crate::support::{Broker, Launch, Topic, swiftwater};

const GOOD: &str = r#"name: good
sources:
  bids:
    generate: {columns: {auction: {sequence: {}}, price: {uniform: {min: 1, max: 9}}}, count: 10}
operators:
  serious: {input: bids, filter: "price > 5"}
sinks:
  out: {input: serious, blackhole: {}}
"#;

/// Runs `check` on a file; returns its exit code and everything it said.
fn check(topology: &str) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("t.yaml"), topology).unwrap();
    let output = swiftwater(directory.path(), &["check", "t.yaml"]);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_good_file_passes() {
    let (code, text) = check(GOOD);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn each_mistake_is_named_with_its_place_and_a_cure() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("price > 5\"}", "prize > 5\"}", &["6:", "SW0301", "prize", "price"]),
        ("price > 5\"}", "abss(price) > 5\"}", &["6:", "SW0302", "abss", "abs"]),
        ("price > 5\"}", "price + 5\"}", &["6:", "SW0303", "boolean"]),
        ("price > 5\"}", "price > \"}", &["6:", "SW0304"]),
        ("filter:", "fliter:", &["6:", "fliter", "filter"]),
        ("count: 10", "cuont: 10", &["4:", "SW0107", "cuont", "count"]),
        ("count: 10", "count: ten", &["4:", "ten"]),
        (
            "count: 10",
            "count: \"${SW_NOT_SET_ANYWHERE}\"",
            &["4:", "SW0105", "SW_NOT_SET_ANYWHERE"],
        ),
        ("blackhole", "blackhoel", &["8:", "SW0102", "blackhoel", "blackhole"]),
        ("input: bids", "input: bidz", &["6:", "SW0201", "bidz", "bids"]),
        ("input: bids", "input: serious", &["6:", "SW0202"]),
        ("input: bids", "input: bids.high", &["6:", "SW0204", "high"]),
        ("name: good", "nmae: good", &["1:", "nmae", "name"]),
        ("name: good", "name: good\nguarantee: exactly_once", &["SW0223", "blackhole"]),
        ("  bids:\n", "  bids:\n    on_error: {dead_letter: nowhere}\n", &["4:", "nowhere"]),
        ("sinks:\n", "sinks:\n\t- x\n", &["8:"]),
    ];
    for (from, to, parts) in cases {
        let topology = GOOD.replacen(from, to, 1);
        assert_ne!(topology, GOOD, "{from}");
        let (code, text) = check(&topology);
        assert_eq!(code, Some(2), "{to}: {text}");
        for part in *parts {
            assert!(text.contains(part), "`{part}` is missing for `{to}`:\n{text}");
        }
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let topology = GOOD
        .replacen("price > 5", "prize > 5", 1)
        .replacen("cuont", "count", 1)
        .replacen("blackhole: {}", "blackhole: {colour: black}", 1)
        .replacen("name: good", "name: good\nmemroy: 1GiB", 1);
    let (code, text) = check(&topology);
    assert_eq!(code, Some(2), "{text}");
    for part in ["memroy", "colour"] {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
}

fn from_topic(brokers: &str, topic: &str, more: &str) -> String {
    format!(
        r#"
name: surroundings
retry: {{initial: 100ms, max: 200ms, budget: 3s}}
sources:
  bids:
    kafka: {{brokers: "{brokers}", topic: {topic}, group: g, start: earliest{more}}}
    format: json
    schema: {{id: int64}}
sinks:
  out: {{input: bids, blackhole: {{}}}}
"#
    )
}

fn fails_with(topology: String, parts: &[&str]) {
    let mut process = Launch::new(topology).start();
    let status = process.wait(Duration::from_secs(90));
    let log = process.log();
    assert!(matches!(status.code(), Some(1 | 2)), "{status}: {log}");
    for part in parts {
        assert!(log.contains(part), "`{part}` is missing:\n{log}");
    }
}

#[test]
fn an_unreachable_broker_is_named_once_the_budget_is_spent() {
    fails_with(from_topic("127.0.0.1:1", "bids", ""), &["bids", "127.0.0.1:1", "retry.budget"]);
}

#[test]
fn an_unknown_topic_is_named() {
    let topology = from_topic(Broker::shared().bootstrap(), "no-such-topic", "");
    fails_with(topology, &["bids", "no-such-topic"]);
}

#[test]
fn a_missing_permission_and_a_wrong_password_are_named() {
    let broker = Broker::start(&["--secure"]);
    let topic = Topic::create(&broker, "guarded", 1);
    let ca = broker.file("ca.pem");
    let security = |user: &str, password: &str| {
        format!(
            ", security: {{tls: {{ca: \"{}\"}}, sasl: {{scram_sha_256: {{username: {user}, password: {password}}}}}}}",
            ca.display()
        )
    };
    let listener = broker.listener("SASL_SSL");
    let alice = from_topic(listener, topic.name(), &security("alice", "alice-secret"));
    fails_with(alice, &["bids", topic.name(), "without permission", "SW2113"]);
    let stranger = from_topic(listener, topic.name(), &security("alice", "wrong-secret"));
    let mut process = Launch::new(stranger).start();
    assert_eq!(process.wait(Duration::from_secs(90)).code(), Some(2), "{}", process.log());
    let log = process.log();
    assert!(log.contains("bids") && log.to_lowercase().contains("authentication"), "{log}");
    assert!(!log.contains("wrong-secret"), "a password was shown:\n{log}");
}
