//! Whatever is done to a file, reading it does not panic, every error has its place, secrets stay
//! hidden, and what passes is what the kinds can read.

use crate::kinds::{
    AssertOptions, FilesOptions, FilterOptions, Fixed, GenerateOptions, KafkaOptions, OTHER,
    SECRET, StdoutOptions, kinds, read,
};
use proptest::prelude::*;
use serde_json::Value;
use swiftwater_config::{Loaded, Role, parse, yaml};

const FILE: &str = "\
name: features # a comment
memory: 2GiB
retry: {initial: 100ms, budget: 1h}
x-kafka: &kafka {brokers: \"${BROKERS:-localhost:9092}\"}
sources:
  bids:
    kafka:
      <<: *kafka
      topic: [bids, more]
      port: \"${PORT}\"
      start: {timestamp: now}
      sasl: {mechanism: PLAIN, username: u, password: \"${SECRET}\"}
      offsets: {0: 12}
      properties:
        linger.ms: \"5\"
    format: {json: {strict: true}}
    schema: {auction: int64!, price: \"decimal(10,2)\", lines: [{sku: utf8}]}
    event_time: {column: date_time}
    on_error: {dead_letter: rejected}
  made: {generate: {rate: 10.5, columns: {a: {sequence: {start: 1}}, b: {choice: {values: [x, 1]}}}}}
operators:
  serious: {input: bids, filter: \"price >= 1000\"}
  good:
    inputs: [serious]
    assert:
      rules:
        - {check: range, column: price, min: 0}
        - check: not_null
          column: auction
sinks:
  out: {input: [good, made], stdout: }
  rejected: {files: {path: rejected/, headers: {Authorization: \"${file:/run/secrets/pw}\"}}}
tests:
  - name: x
    input: {bids: [{at: 0s, price: 2000}]}
    expect: {out: {count: 1}}
";

/// The properties that hold for every text.
fn check(text: &str) -> Result<(), TestCaseError> {
    // YAML counts a carriage return as the end of a line.
    let lines = text.replace("\r\n", "\n").split(['\n', '\r']).count();
    match parse(text, &kinds(), &Fixed) {
        Err(found) => {
            prop_assert!(found.has_errors());
            for told in &found.0 {
                let place = told.location;
                let fits = place.is_some_and(|p| p.column >= 1 && (1..=lines).contains(&p.line));
                prop_assert!(fits, "{told} at {place:?} in\n{text}");
                prop_assert!(!told.message.is_empty());
            }
            let shown = found.to_string();
            prop_assert!(!shown.contains(SECRET) && !shown.contains(OTHER), "{shown} in\n{text}");
        }
        Ok(loaded) => {
            prop_assert!(!loaded.redacted_yaml().contains(SECRET), "{text}");
            prop_assert!(!loaded.warnings.to_string().contains(SECRET), "{text}");
            readable(&loaded)
                .map_err(|error| TestCaseError::fail(format!("{error} in\n{text}")))?;
        }
    }
    Ok(())
}

/// What passed the walk is read by serde without a complaint.
fn readable(loaded: &Loaded) -> Result<(), serde_json::Error> {
    for node in &loaded.topology.nodes {
        let options = &node.options;
        match (node.role, node.kind.as_str()) {
            (Role::Source | Role::Sink, "kafka") => read::<KafkaOptions>(options).map(drop),
            (Role::Source, "generate") => read::<GenerateOptions>(options).map(drop),
            (Role::Operator, "filter") => read::<FilterOptions>(options).map(drop),
            (Role::Operator, "assert") => read::<AssertOptions>(options).map(drop),
            (Role::Sink, "files") => read::<FilesOptions>(options).map(drop),
            (Role::Sink, "stdout") => read::<StdoutOptions>(options).map(drop),
            other => panic!("{other:?} is not a kind of the tests"),
        }?;
    }
    Ok(())
}

#[test]
fn the_file_itself_is_right() {
    let loaded = parse(FILE, &kinds(), &Fixed);
    assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
    readable(&loaded.unwrap()).unwrap();
}

const WORDS: &[&str] = &[
    "x",
    "",
    "5",
    "1.5",
    "4s",
    "64MiB",
    "fail",
    "drop",
    "earliest",
    "json",
    "csv",
    "out",
    "bids",
    "int64",
    "PLAIN",
    "range",
    "sequence",
    "${OTHER}",
    "${PORT}",
    "${NOPE}",
    "${",
    "$${x}",
    "${YES}",
    "${EMPTY}",
    "${file:/run/secrets/pw}",
    "http://u:p@h/",
    "a b: c",
    "\u{1F600}",
];

const NAMES: &[&str] = &[
    "kafka",
    "timestamp",
    "check",
    "column",
    "min",
    "start",
    "sequence",
    "path",
    "dead_letter",
    "topic",
    "0",
    "x",
    "json",
    "${PORT}",
    "count",
    "a/b~c",
];

/// A value that somebody may write in the place of another.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..70_000).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(WORDS).prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(NAMES), inner, 0..3).prop_map(|map| {
                map.into_iter()
                    .map(|(name, value)| (name.to_string(), value))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }),
        ]
    })
}

/// All pointers into a value.
fn pointers(value: &Value, pointer: &str, out: &mut Vec<String>) {
    out.push(pointer.to_owned());
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(value, &format!("{pointer}/{key}"), out);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                pointers(item, &format!("{pointer}/{i}"), out);
            }
        }
        _ => {}
    }
}

/// The file as data, with some values replaced, some fields removed and some added.
fn mutated() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0..3_u8, value());
    prop::collection::vec(change, 1..4).prop_map(|changes| {
        let mut file = parse(FILE, &kinds(), &Fixed).unwrap().document.to_value();
        for (index, how, value) in changes {
            let mut all = Vec::new();
            pointers(&file, "", &mut all);
            let pointer = index.get(&all).clone();
            let Some(place) = file.pointer_mut(&pointer) else { continue };
            match (how, place) {
                (0, Value::Object(map)) => {
                    let name = map.keys().next().cloned();
                    name.and_then(|name| map.shift_remove(&name));
                }
                (1, Value::Object(map)) => {
                    map.insert("extra".into(), value);
                }
                (1, Value::Array(items)) => items.push(value),
                (_, place) => *place = value,
            }
        }
        yaml::write(&file)
    })
}

/// The text with some characters removed, doubled or replaced.
fn scribbled() -> impl Strategy<Value = String> {
    let mark = prop::sample::select(vec![
        "", ":", " ", "\n", "\t", "{", "}", "[", "]", "\"", "'", "*", "&", "|", "-", "#", "!",
        "${", "é", "\r", "\u{0}", "? ", ": ", "<<", "~",
    ]);
    prop::collection::vec((any::<prop::sample::Index>(), mark, any::<bool>()), 1..6).prop_map(
        |changes| {
            let mut text: Vec<char> = FILE.chars().collect();
            for (index, mark, removes) in changes {
                let at = index.index(text.len());
                let end = if removes { at + 1 } else { at };
                text.splice(at..end, mark.chars());
            }
            text.into_iter().collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn other_values_in_the_places_of_the_right_ones(text in mutated()) {
        check(&text)?;
    }

    #[test]
    fn scribbles_over_the_text(text in scribbled()) {
        check(&text)?;
    }

    #[test]
    fn anything_at_all(text in "\\PC{0,200}") {
        check(&text)?;
    }

    #[test]
    fn sources_with_any_options(options in value()) {
        let options = yaml::write(&serde_json::json!({ "kafka": options }));
        let options = options.replace('\n', "\n    ");
        let text = format!("name: t\nsources:\n  a:\n    {options}\nsinks: {{b: {{input: a, stdout: {{}}}}}}\n");
        check(&text)?;
    }
}
