//! A secret that is part of what fails is seen nowhere: not in log lines, health, pages or dead
//! letters.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::call_in;
use crate::support::{Launch, Swiftwater, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
/// With characters that JSON and quotes escape.
const SECRET: &str = "hunter2 \"and\" more";
/// What shows of it if it shows at all.
const SIGN: &str = "hunter2";

/// A topology in which every record breaks a rule that is secret and whose sink's directory, which
/// is secret too, cannot be made.
fn topology(directory: &Path, budget: &str) -> String {
    let file = directory.join("secret");
    fs::write(&file, SECRET).expect("the secret is written");
    format!(
        "name: discreet
retry: {{initial: 10ms, max: 10ms, budget: {budget}}}
sources:
  bids: {{generate: {{preset: bids, only: [channel], rate: 200}}}}
operators:
  ruled:
    input: bids
    assert: {{rules: [{{column: channel, matches: \"${{file:{file}}}\"}}]}}
    on_error: {{dead_letter: letters}}
sinks:
  out: {{input: ruled, files: {{path: \"/dev/null/${{file:{file}}}/\"}}, format: json}}
  letters: {{stdout: {{}}}}
",
        file = file.display()
    )
}

fn retries(running: &Swiftwater, path: &str) -> bool {
    running.get(path).is_some_and(|(_, text)| {
        assert!(!text.contains(SIGN), "{path}: {text}");
        text.contains("retrying") && text.contains("/dev/null/***")
    })
}

#[test]
fn a_secret_is_in_no_state_log_line_or_dead_letter() {
    let directory = tempfile::tempdir().unwrap();
    let running = Launch::new(topology(directory.path(), "10m")).start();
    for path in ["/readyz", "/topology"] {
        wait_until(path, LIMIT, || retries(&running, path));
    }
    wait_until("a dead letter", LIMIT, || running.log().contains("keep the rule"));
    for path in ["/config", "/metrics"] {
        let (status, text) = running.get(path).unwrap();
        assert!(status == 200 && !text.contains(SIGN), "{path}: {text}");
    }
    let log = running.log();
    assert!(log.contains("trying again") && log.contains("***") && !log.contains(SIGN), "{log}");
}

#[test]
fn a_secret_is_not_in_the_error_that_stops_the_topology() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("t.yaml"), topology(directory.path(), "50ms")).unwrap();
    for format in ["json", "text"] {
        let arguments = ["run", "--http", "off", "--log-format", format, "t.yaml"];
        let called = call_in(directory.path(), &arguments);
        assert_eq!(called.code, 1, "{}", called.stderr);
        assert!(called.stderr.contains("/dev/null/***"), "{}", called.stderr);
        assert!(!called.stderr.contains(SIGN), "{}", called.stderr);
        assert!(!called.stdout.contains(SIGN), "{}", called.stdout);
    }
}
