//! Secrets never leave: not in messages, not in excerpts, not in the redacted file, not in `Debug`.

use crate::kinds::{Fixed, OTHER, SECRET, kinds};
use swiftwater_config::{Diagnostic, Diagnostics, Loaded, parse};

const LITERAL: &str = "liter4l-passw0rd";

/// A file with secrets of every sort.
fn text() -> String {
    format!(
        "\
name: t
sources:
  bids:
    kafka:
      brokers: \"http://joe:{LITERAL}@b:9092,${{BROKERS}}\"
      topic: t
      sasl: {{mechanism: PLAIN, username: u, password: {LITERAL}}}
      properties: {{sasl.password: {LITERAL}, linger.ms: \"5\"}}
  more:
    kafka:
      brokers: b
      topic: t
      sasl: {{mechanism: PLAIN, username: u, password: \"${{file:/run/secrets/pw}}\"}}
  and_more:
    kafka:
      brokers: b
      topic: t
      sasl:
        mechanism: PLAIN
        username: u
        password: |
          {LITERAL}
          {LITERAL}
sinks:
  out:
    input: [bids, more, and_more]
    files: {{path: x, headers: {{Authorization: \"Bearer ${{SECRET}} {LITERAL}\", Accept: json}}}}
"
    )
}

fn load() -> Loaded {
    match parse(&text(), &kinds(), &Fixed) {
        Ok(loaded) => loaded,
        Err(found) => panic!("{found}"),
    }
}

#[track_caller]
fn assert_clean(shown: &str) {
    assert!(!shown.contains(LITERAL) && !shown.contains(SECRET), "{shown}");
}

#[test]
fn the_options_hold_the_values() {
    let loaded = load();
    let password = |i: usize| loaded.topology.nodes[i].options["sasl"]["password"].clone();
    assert_eq!(password(0), LITERAL);
    assert_eq!(password(1), SECRET);
    assert_eq!(loaded.topology.nodes[0].options["properties"]["sasl.password"], LITERAL);
}

#[test]
fn the_redacted_file_keeps_everything_else() {
    let loaded = load();
    let redacted = loaded.redacted();
    assert_clean(&redacted.to_string());
    let bids = &redacted["sources"]["bids"]["kafka"];
    assert_eq!(bids["brokers"], "http://***@b:9092,${BROKERS}");
    assert_eq!(bids["sasl"]["password"], "***");
    assert_eq!(bids["sasl"]["username"], "u");
    assert_eq!(bids["properties"]["sasl.password"], "***");
    assert_eq!(bids["properties"]["linger.ms"], "5");
    let more = &redacted["sources"]["more"]["kafka"]["sasl"]["password"];
    assert_eq!(more, "${file:/run/secrets/pw}");
    let headers = &redacted["sinks"]["out"]["files"]["headers"];
    assert_eq!(headers["Authorization"], "***${SECRET}***");
    assert_eq!(headers["Accept"], "json");
    let yaml = loaded.redacted_yaml();
    assert_clean(&yaml);
    let again = parse(&yaml, &kinds(), &Fixed).unwrap();
    assert_eq!(again.redacted(), redacted);
}

#[test]
fn anchors_do_not_give_secrets_away() {
    let text = format!(
        "\
name: &name {LITERAL}
x-sasl: &sasl {{mechanism: PLAIN, username: u, password: {LITERAL}-x}}
x-word: &word {LITERAL}-y
sources:
  a: {{kafka: {{brokers: b, topic: t, sasl: *sasl}}}}
  b: {{kafka: {{brokers: b, topic: t, sasl: {{<<: *sasl, password: *word}}}}}}
  c: {{kafka: {{brokers: b, topic: t, sasl: {{<<: *sasl, password: *name}}}}}}
sinks: {{out: {{input: [a, b, c], stdout: {{}}}}}}
"
    );
    let loaded = parse(&text, &kinds(), &Fixed).unwrap();
    assert_eq!(loaded.topology.nodes[1].options["sasl"]["password"], format!("{LITERAL}-y"));
    let redacted = loaded.redacted();
    assert_clean(&redacted.to_string());
    assert_eq!(redacted["sources"]["b"]["kafka"]["sasl"]["username"], "u");
    assert_eq!(redacted["name"], "***");
    assert_eq!(redacted.get("x-sasl"), None);
    let found = parse(&text.replace("topic", "topc"), &kinds(), &Fixed).unwrap_err();
    assert_clean(&found.to_string());
    let found = parse(&text.replace("x-sasl", "y-sasl"), &kinds(), &Fixed).unwrap_err();
    assert_clean(&found.to_string());
}

#[test]
fn debug_shows_nothing() {
    assert_clean(&format!("{:?} {:#?}", load(), load().topology));
}

#[test]
fn what_planning_finds_is_scrubbed() {
    let loaded = load();
    let message = format!("log in as `joe` with `{LITERAL}` and `{SECRET}` at http://a:b@c/");
    let mut found = Diagnostics(vec![
        Diagnostic::error("SW2100", "/sources/bids/kafka", message.clone()).with_hint(message),
        Diagnostic::error("SW2100", "/sources/bids/kafka/sasl/password", "too short"),
        Diagnostic::error("SW2100", "/sources/bids/kafka/brokers", "unreachable"),
        Diagnostic::error("SW2100", "/sources/and_more/kafka/sasl/password", "too short"),
    ]);
    found.locate(&loaded.source);
    let shown = found.to_string();
    assert_clean(&shown);
    assert!(shown.contains("log in as `joe` with `***` and `***` at http://***@c/"), "{shown}");
    assert!(shown.contains("sasl: {mechanism: PLAIN, username: u, password: ***}"), "{shown}");
    assert_eq!(loaded.secrets().scrub(SECRET), "***");
}

#[test]
fn excerpts_hide_secrets_of_files_that_are_wrong() {
    for (from, to) in [
        ("mechanism: PLAIN", "mechanism: PLAN"),
        ("username: u, password: ", "username: u, passwort: "),
        ("topic: t", "topc: t"),
        ("name: t\n", "name: [t\n"),
        ("sources:", "sources: *x"),
        ("sasl: {", "sasl: [{"),
        ("  more:\n    kafka:", "  more:\n    kafak:"),
        ("    files:", "    file:"),
        ("path: x", "pth: x"),
        ("password: |", "password: |\n x"),
        ("sasl: {mechanism: PLAIN, username: u, password: ", "sasl: "),
    ] {
        let text = text();
        assert!(text.contains(from), "{from}");
        let found = parse(&text.replacen(from, to, 1), &kinds(), &Fixed).unwrap_err();
        let shown = found.to_string().replace(&format!("passwort: {LITERAL}"), "");
        assert_clean(&shown);
    }
}

#[test]
fn values_of_variables_are_not_quoted() {
    for (from, to) in [
        ("[bids, more, and_more]", "[bids, more, and_more, '${OTHER}']"),
        ("topic: t", "port: '${OTHER}'"),
        ("topic: t", "start: '${OTHER}'"),
        ("topic: t", "timeout: '${OTHER}'"),
        ("topic: t", "verify: '${OTHER}'"),
        ("topic: t", "offsets: {0: '${OTHER}'}"),
        ("input: [", "format: '${OTHER}'\n    input: ["),
        ("  more:\n", "  more:\n    schema: {a: '${OTHER}', b: {c: 'x${OTHER}'}}\n"),
        ("  more:\n", "  more:\n    on_error: '${OTHER}'\n"),
        ("  more:\n", "  more:\n    on_error: {dead_letter: '${OTHER}'}\n"),
        ("  more:\n", "  more:\n    parallelism: '${OTHER}'\n"),
        ("  more:\n", "  more:\n    event_time: {column: '${OTHER}', idle_after: '${OTHER}'}\n"),
        ("name: t\n", "name: '${OTHER} '\n"),
        ("name: t\n", "name: t\nguarantee: '${OTHER}'\n"),
        ("name: t\n", "name: t\nmemory: '${OTHER}'\n"),
        (
            "name: t\n",
            "name: t\ntests: [{name: x, input: {bids: [{at: '${OTHER}'}]}, expect: {}}]\n",
        ),
        ("name: t\n", "name: t\ntests: '${OTHER}'\n"),
    ] {
        let text = text();
        assert!(text.contains(from), "{from}");
        let found = parse(&text.replacen(from, to, 1), &kinds(), &Fixed).unwrap_err();
        let shown = found.to_string();
        assert!(!shown.contains(OTHER), "{shown}");
    }
}
