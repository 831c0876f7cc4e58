//! The schema for editors accepts what `load` accepts, refuses what it can, and all its references
//! lead somewhere.

use schemars::JsonSchema;

use super::*;
use crate::check::rule::Rule;
use crate::check::{At, Checker};
use crate::{ByteSize, Duration, Environment, Secret, parse};

/// Reads a topic.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is used")]
struct Kafka {
    /// Name of the topic.
    topic: String,
    /// Longest wait.
    wait: Option<Duration>,
    port: Option<u16>,
    start: Option<Start>,
    login: Option<Login>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only the schema is used")]
enum Start {
    Earliest,
    Latest,
}

#[derive(JsonSchema)]
#[schemars(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is used")]
enum Login {
    Plain { password: Secret },
    None {},
}

/// Something else under the same name.
mod other {
    use super::*;

    #[derive(JsonSchema)]
    #[schemars(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the schema is used")]
    pub(super) struct Stdout {
        pub(super) start: Option<Start>,
        pub(super) size: Option<ByteSize>,
        pub(super) nested: Option<Box<Nested>>,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only the schema is used")]
    pub(super) struct Start {
        pub(super) at: u32,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only the schema is used")]
    pub(super) struct Nested {
        pub(super) inner: Option<Box<Nested>>,
    }
}

fn schema_of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

fn kinds() -> Kinds {
    let mut kinds = Kinds::default();
    kinds.sources.insert("kafka".into(), schema_of::<Kafka>());
    kinds.operators.insert("filter".into(), json!({ "type": "string" }));
    kinds.sinks.insert("kafka".into(), schema_of::<Kafka>());
    kinds.sinks.insert("stdout".into(), schema_of::<other::Stdout>());
    kinds.formats.insert("json".into(), json!({ "type": "object", "additionalProperties": false }));
    kinds
}

struct Unset;

impl Environment for Unset {
    fn var(&self, _: &str) -> Option<String> {
        None
    }

    fn secret_file(&self, _: &str) -> Result<String, String> {
        Err("there is none".into())
    }
}

const FILE: &str = "\
name: t
memory: 1GiB
x-shared: {anything: goes}
sources:
  a:
    kafka: {topic: x, wait: 4s, port: 9092, start: latest, login: {kind: plain, password: p}}
    format: json
    schema: {id: int64!, price: \"decimal(10,2)\", tags: list<list<utf8>>, lines: [{sku: utf8}]}
    on_error: {dead_letter: c}
operators:
  f: {input: a, filter: x, parallelism: 2}
sinks:
  b: {inputs: [f, a], stdout: }
  c: {stdout: {nested: {inner: {}}, start: {at: 1}}}
";

/// What the checker says about a file when the schema for editors is all it knows.
fn complaints(text: &str) -> Vec<String> {
    let schema = topology_schema(&kinds());
    let document = crate::syntax::parse(text).unwrap();
    let mut checker = Checker::new(&Unset);
    checker.value(Rule::root(&schema), &document.root, &At::new("", ""));
    checker.found.iter().map(ToString::to_string).collect()
}

#[test]
fn what_loads_is_accepted() {
    assert!(parse(FILE, &kinds(), &Unset).is_ok());
    assert_eq!(complaints(FILE), [""; 0]);
}

#[test]
fn what_a_schema_can_see_is_refused() {
    for (from, to) in [
        ("name: t", "nam: t"),
        ("memory: 1GiB", "memory: lots"),
        ("topic: x", "topik: x"),
        ("wait: 4s", "wait: 4"),
        ("port: 9092", "port: 70000"),
        ("start: latest", "start: last"),
        ("kind: plain", "kind: plan"),
        ("format: json", "format: jsn"),
        ("int64!", "int65"),
        ("  f: {input: a, filter", "  f: {input: a, kafka"),
        ("start: {at: 1}", "start: latest"),
        ("dead_letter", "dead_lettr"),
    ] {
        let text = FILE.replacen(from, to, 1);
        assert!(parse(&text, &kinds(), &Unset).is_err(), "{to}");
        assert!(!complaints(&text).is_empty(), "{to}");
    }
}

#[test]
fn interpolations_are_accepted_where_values_are_typed() {
    let schema = topology_schema(&kinds());
    let port = schema.pointer("/$defs/source.kafka/properties/port").unwrap();
    let either = port.get("anyOf").and_then(Value::as_array).unwrap();
    assert_eq!(either[1], json!({ "$ref": "#/$defs/Interpolation" }));
    let topic = schema.pointer("/$defs/source.kafka/properties/topic").unwrap();
    assert_eq!(topic["type"], "string");
    assert_eq!(topic["description"], "Name of the topic.");
}

fn references(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            out.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| references(value, out));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, out)),
        _ => {}
    }
}

#[test]
fn references_lead_somewhere_also_where_names_clash() {
    let schema = topology_schema(&kinds());
    let mut found = Vec::new();
    references(&schema, &mut found);
    assert!(found.len() > 10);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(schema.pointer(pointer).is_some(), "{reference}");
    }
}
