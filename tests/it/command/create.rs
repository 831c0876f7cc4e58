//! `swiftwater create`: what it writes passes `check`, whatever the kinds.

use std::fs;

use serde_json::Value;

use super::{Called, call, call_in};

/// Names of a role, as `list` gives them.
fn names(role: &str) -> Vec<String> {
    let listed: Value =
        serde_json::from_str(&call(&["list", "--format", "json"]).stdout).expect("JSON");
    let listed = listed.as_array().expect("a list").iter();
    let of_role = listed.filter(|k| k["role"] == role);
    of_role.map(|k| k["name"].as_str().expect("a name").to_owned()).collect()
}

/// Creates a file of the kinds and checks it.
fn created(kinds: &[&str]) -> (Called, Called) {
    let arguments: Vec<&str> = ["create"].iter().chain(kinds).copied().collect();
    let written = call(&arguments);
    assert_eq!(written.code, 0, "create {kinds:?}: {}", written.stderr);
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("my.yaml"), &written.stdout).unwrap();
    let checked = call_in(directory.path(), &["check", "my.yaml"]);
    (written, checked)
}

#[test]
fn every_kind_alone_makes_a_file_that_passes() {
    let mut kinds = [names("source"), names("operator"), names("sink")].concat();
    kinds.dedup();
    assert!(kinds.len() > 10, "{kinds:?}");
    for kind in &kinds {
        let (written, checked) = created(&[kind]);
        assert_eq!(checked.code, 0, "{kind}: {}\n{}", checked.stdout, written.stdout);
        assert_eq!(written.stderr, "", "{kind}");
    }
}

#[test]
fn every_operator_stands_between_kafka_and_every_sink() {
    // Rows of a `group` replace earlier ones: only a sink with its very key takes them.
    for operator in names("operator").into_iter().filter(|name| name != "group") {
        let (_, checked) = created(&["kafka", &operator, "kafka"]);
        assert_eq!(checked.code, 0, "{operator}: {}", checked.stdout);
    }
    for sink in names("sink") {
        let (_, checked) = created(&["kafka", "filter", &sink]);
        assert_eq!(checked.code, 0, "{sink}: {}", checked.stdout);
    }
}

#[test]
fn every_option_is_there_with_its_meaning() {
    let listed = call(&["list", "--format", "json"]).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    for kind in listed.as_array().unwrap().iter().filter(|k| k["role"] != "format") {
        let Some(options) = kind["options"]["properties"].as_object() else { continue };
        let name = kind["name"].as_str().unwrap();
        let arguments: &[&str] = if kind["role"] == "sink" { &["generate", name] } else { &[name] };
        let (written, _) = created(arguments);
        // Only people can choose the columns of two inputs: these kinds are shown by their example.
        if written.stdout.contains("takes two streams") {
            continue;
        }
        for option in options.keys() {
            let present = written.stdout.lines().any(|line| {
                let line = line.trim_start().trim_start_matches('#');
                line.starts_with(&format!("{option}:"))
            });
            assert!(present, "`{option}` is missing from `create {name}`:\n{}", written.stdout);
        }
    }
}

#[test]
fn an_unknown_kind_is_told_with_what_was_probably_meant() {
    let called = call(&["create", "generate", "fliter"]);
    assert_eq!(called.code, 2);
    assert!(called.stderr.contains("did you mean `filter`?"), "{}", called.stderr);
    let called = call(&["create", "json"]);
    assert_eq!(called.code, 2);
    assert!(called.stderr.contains("format: json"), "{}", called.stderr);
}
