//! `list`, `describe`, `explain`, `plan` and the help: what a user asks before running anything.

use serde_json::Value;

use super::{assert_golden, call, call_on};

#[test]
fn everything_that_is_listed_has_a_page_with_its_options() {
    let listed: Value = serde_json::from_str(&call(&["list", "--format", "json"]).stdout).unwrap();
    let text = call(&["list"]).stdout;
    for kind in listed.as_array().unwrap() {
        let (role, name) = (kind["role"].as_str().unwrap(), kind["name"].as_str().unwrap());
        assert!(!kind["summary"].as_str().unwrap().is_empty(), "{name} has no summary");
        assert!(text.contains(&format!("  {name}")), "{name} is not in the list");
        let page = call(&["describe", name, "--role", role]);
        assert_eq!(page.code, 0, "{}", page.stderr);
        assert!(page.stdout.starts_with(&format!("# `{name}` {role}\n")), "{}", page.stdout);
        assert!(role == "format" || page.stdout.contains("```yaml\nname: "), "{}", page.stdout);
        let options = kind["options"]["properties"].as_object();
        for option in options.into_iter().flat_map(|o| o.keys()) {
            assert!(page.stdout.contains(&format!("- **{option}** (")), "{name}: {option}");
        }
    }
}

#[test]
fn options_say_their_default_and_their_meaning() {
    let listed: Value = serde_json::from_str(&call(&["list", "--format", "json"]).stdout).unwrap();
    let mut silent = Vec::new();
    for kind in listed.as_array().unwrap() {
        let name = kind["name"].as_str().unwrap();
        let page = call(&["describe", name]).stdout;
        // A long head of an option has its text on the next line.
        let ends = |l: &str| l.trim().is_empty() || l.trim_start().starts_with("- **");
        let next = page.lines().skip(1).chain([""]);
        let lines = page.lines().zip(next).filter(|(l, next)| {
            l.trim_start().starts_with("- **") && l.trim_end().ends_with("):") && ends(next)
        });
        silent.extend(lines.map(|(l, _)| format!("{name}: {l}")));
    }
    assert!(silent.is_empty(), "options without a word on them:\n{}", silent.join("\n"));
}

#[test]
fn an_unknown_name_is_told_with_what_was_probably_meant() {
    let called = call(&["describe", "gnerate"]);
    assert_eq!(called.code, 2);
    assert!(called.stderr.contains("did you mean `generate`?"), "{}", called.stderr);
}

#[test]
fn codes_are_explained() {
    let called = call(&["explain", "sw0107"]);
    assert_eq!(called.code, 0);
    assert!(called.stdout.starts_with("SW0107  "), "{}", called.stdout);
    let called = call(&["explain", "SW0000"]);
    assert_eq!(called.code, 2);
    assert!(called.stderr.contains("SW0000"), "{}", called.stderr);
}

#[test]
fn a_plan_shows_nodes_threads_edges_and_memory() {
    let topology = "name: planned\nmemory: 512MiB\nsources:\n  \
        bids: {generate: {preset: bids, only: [bidder, price], count: 5}, parallelism: 2}\n\
        operators:\n  serious: {input: bids, filter: \"price >= 1000\"}\n\
        sinks:\n  screen: {input: serious, stdout: {}}\n  rest: {input: bids, blackhole: {}}\n";
    let called = call_on(topology, &["plan", "t.yaml"]);
    assert_eq!(called.code, 0, "{}", called.stderr);
    assert_golden("plan.txt", &called.stdout);
    let called = call_on(topology, &["plan", "--format", "json", "t.yaml"]);
    let graph: Value = serde_json::from_str(&called.stdout).unwrap();
    assert_eq!(graph["nodes"][0]["name"], "bids");
    assert_eq!(graph["nodes"][0]["outputs"][0]["columns"][1]["type"], "int64");
}

#[test]
fn a_wrong_argument_is_bad_configuration() {
    for arguments in [&["run"] as &[&str], &["frobnicate"], &["check", "--nope", "x.yaml"]] {
        let called = call(arguments);
        assert_eq!(called.code, 2, "{arguments:?}: {}", called.stderr);
        assert!(called.stderr.contains("Usage"), "{}", called.stderr);
    }
    let help = call(&["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("Exit codes"), "{}", help.stdout);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_swiftwater"))
        .args(["list", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
