//! `swiftwater check`: the words a user reads when a file is wrong.

use serde_json::Value;

use super::{assert_golden, call, call_on};

#[test]
fn ten_mistakes_are_told_at_once_with_place_and_cure() {
    let topology = include_str!("ten_mistakes.yaml");
    let called = call_on(topology, &["check", "t.yaml"]);
    assert_eq!(called.code, 2);
    assert_golden("ten_mistakes.txt", &called.stdout);
    let counted = called.stdout.lines().filter(|l| l.contains(": error SW")).count();
    assert_eq!(counted, 10, "{}", called.stdout);
}

#[test]
fn problems_are_also_given_as_json() {
    let topology = include_str!("ten_mistakes.yaml");
    let called = call_on(topology, &["check", "--format", "json", "t.yaml"]);
    assert_eq!(called.code, 2);
    let found: Value = serde_json::from_str(&called.stdout).unwrap();
    let found = found.as_array().unwrap();
    assert_eq!(found.iter().filter(|d| d["severity"] == "error").count(), 10);
    for diagnostic in found {
        assert!(diagnostic["line"].is_u64() && diagnostic["file"] == "t.yaml", "{diagnostic}");
    }
}

#[test]
fn a_missing_file_is_bad_configuration() {
    let called = call(&["check", "no/such/file.yaml"]);
    assert_eq!(called.code, 2);
    assert!(called.stdout.contains("no/such/file.yaml"), "{}", called.stdout);
}

#[test]
fn variables_come_from_a_file() {
    let topology = "name: t\nsources:\n  s: {generate: {preset: bids, count: \"${COUNT}\"}}\n\
                    sinks: {out: {input: s, blackhole: {}}}\n";
    let called = call_on(topology, &["check", "t.yaml"]);
    assert_eq!(called.code, 2, "{}", called.stdout);
    assert!(called.stdout.contains("SW0105"), "{}", called.stdout);
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("t.yaml"), topology).unwrap();
    std::fs::write(directory.path().join("vars"), "COUNT=5\n").unwrap();
    let arguments = ["check", "--env-file", "vars", "t.yaml"];
    let called = super::call_in(directory.path(), &arguments);
    assert_eq!(called.code, 0, "{}", called.stdout);
    assert_eq!(called.stdout, "t.yaml: ok\n");
}
