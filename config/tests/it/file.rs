//! The file as a whole: its own fields, order, places and excerpts.

use swiftwater_config::{Diagnostic, parse};

use crate::kinds::{Fixed, kinds};
use crate::told::{check, with_kafka, with_operator};

#[test]
fn top_level_fields() {
    check(
        "nme: t\nsources: {a: {generate: {}}}\nsinks: {b: {input: a, stdout: {}}}",
        &[(1, 1, "SW0107", "unknown field `nme`", "`name`")],
    );
    check(
        "sources: {a: {generate: {}}}\nsinks: {b: {input: a, stdout: {}}}",
        &[(1, 1, "SW0103", "`name` is missing", "name:")],
    );
    check(
        "name: My Topology\nsource: {a: {generate: {}}}\nsinks: {b: {input: a, stdout: {}}}",
        &[
            (1, 7, "SW0117", "name of a topology", ""),
            (2, 1, "SW0107", "unknown field `source`", "`sources`"),
        ],
    );
    check(
        "name: t\nsources: {}\n",
        &[(1, 1, "SW0214", "no sink", "sinks"), (2, 1, "SW0214", "no source", "sources")],
    );
    check("- a\n- b\n", &[(1, 1, "SW0104", "is a map, not a list", "name:")]);
    check("name: [a\n", &[(1, 9, "SW0101", "not valid YAML", "close the `[`")]);
    let with = |field: &str| {
        format!(
            "name: t\nsources: {{a: {{generate: {{}}}}}}\nsinks: {{b: {{input: a, stdout: {{}}}}}}\n{field}\n"
        )
    };
    check(&with("memory: 2GiB\ndrain_timeout: 5s\nretry: {budget: 1h}\nx-any: &a {b: 1}"), &[]);
    check(&with("memory: 2 gigs"), &[(4, 9, "SW0109", "`memory` expects a size", "unknown unit")]);
    check(
        &with("drain_timeout: 30"),
        &[(4, 16, "SW0104", "`drain_timeout` expects a duration", "`30s`")],
    );
    check(
        &with("retry: {initial: 1m}\ncheckpoint: {interval: 0s}"),
        &[
            (4, 1, "SW0112", "`retry.initial` is `1m`", "doubles"),
            (5, 24, "SW0112", "`checkpoint.interval` expects at least `1ms`", ""),
        ],
    );
    check(&with("retry: {budgt: 1h}"), &[(4, 9, "SW0107", "`budgt` of `retry`", "`budget`")]);
    check(
        &with("guarantee: at_least_one"),
        &[(4, 12, "SW0111", "`guarantee` expects", "`at_least_once`")],
    );
    check(&with("name: u"), &[(4, 1, "SW0118", "`name` is given twice", "line 1")]);
}

#[test]
fn everything_is_told_at_once_in_the_order_of_the_file() {
    let text = "\
name: t
memory: lots
sources:
  bids: {kafka: {brokrs: b, topic: t, port: '${NOPE}'}}
operators:
  f: {input: bid, filtr: x}
sinks:
  out: {input: f, stdout: {rows: many}}
";
    check(
        text,
        &[
            (2, 9, "SW0109", "`memory`", ""),
            (4, 18, "SW0107", "`brokrs`", "`brokers`"),
            (4, 45, "SW0105", "`NOPE`", ""),
            (6, 14, "SW0201", "`bid`", "`bids`"),
            (6, 19, "SW0102", "`filtr`", "`filter`"),
            (8, 34, "SW0104", "`stdout.rows`", ""),
        ],
    );
}

#[test]
fn the_excerpt_shows_the_line_and_marks_the_place() {
    let found = parse(&with_kafka("{brokrs: b, topic: t}"), &kinds(), &Fixed).unwrap_err();
    let expected = "\
4:13: error SW0107: unknown option `brokrs` of `kafka`
  4 |     kafka: {brokrs: b, topic: t}
    |             ^^^^^^
  hint: did you mean `brokers`?";
    assert_eq!(found.to_string(), expected);
}

#[test]
fn a_file_is_named_in_front_of_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bids.yaml");
    std::fs::write(&path, with_kafka("{brokers: b}")).unwrap();
    let found = swiftwater_config::load(&path, &kinds(), &Fixed).unwrap_err().to_string();
    let place = format!("{}:4:5: error SW0103: ", path.display());
    assert!(found.starts_with(&place), "{found}");
    let missing = swiftwater_config::load(&folder.path().join("no.yaml"), &kinds(), &Fixed);
    let missing = missing.unwrap_err();
    assert_eq!(missing.0[0].code, "SW0100");
}

#[test]
fn later_findings_are_placed_by_their_pointer() {
    let text = with_operator("op: {input: bids, filter: '${WORD} > 1'}");
    let loaded = parse(&text, &kinds(), &Fixed).unwrap();
    let mut found = swiftwater_config::Diagnostics(vec![
        Diagnostic::error("SW0301", "/operators/op/filter/3/4", "unknown column `word`"),
        Diagnostic::error("SW0301", "/operators/op", "something"),
        Diagnostic::error("SW0301", "/sources/bids/generate", "something"),
    ]);
    found.locate(&loaded.source);
    let places: Vec<_> = found.0.iter().map(|d| d.location.map(|l| (l.line, l.column))).collect();
    assert_eq!(places, [Some((2, 18)), Some((4, 3)), Some((4, 29))]);
}
