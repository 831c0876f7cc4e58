//! Mistakes in the options of `score`; what models say is tested on a server, in `tests/score.rs`.

use serde_json::{Value, json};
use swiftwater_engine::testing::Harness;

use super::*;

fn plan(change: Value) -> Result<Harness> {
    let schema = swiftwater_engine::testing::rows::columns(
        &json!({"a": "float64", "n": "int64", "t": "utf8", "l": "list<int64>"}),
    );
    let mut options = json!({
        "server": "http://localhost:1", "model": "m", "inputs": {"x": ["a", "n"]}, "outputs": {"y": "float64"},
    });
    for (name, value) in change.as_object().unwrap() {
        options[name] = value.clone();
    }
    Harness::plan::<ScoreOptions>(options, &[schema])
}

#[test]
fn mistakes_are_named() {
    for (change, code) in [
        (json!({"server": "localhost"}), "SW2237"),
        (json!({"server": "ftp://host"}), "SW2237"),
        (json!({"model": ""}), "SW2237"),
        (json!({"version": "1", "version_file": "v"}), "SW2237"),
        (json!({"inputs": {}}), "SW2237"),
        (json!({"inputs": {"x": []}}), "SW2237"),
        (json!({"inputs": {"x": ["b"]}}), "SW2237"),
        (json!({"inputs": {"x": ["l"]}}), "SW2237"),
        (json!({"inputs": {"x": ["a", "t"]}}), "SW2237"),
        (json!({"inputs": {"x": {"columns": ["t"], "type": "fp64"}}}), "SW2237"),
        (json!({"inputs": {"x": {"columns": ["a"], "tpye": "fp64"}}}), "SW0110"),
        (json!({"outputs": {"y": "decimal"}}), "SW2237"),
        (json!({"outputs": {"a": "float64"}}), "SW2237"),
        (json!({"outputs": {"y": {"type": "float64", "att": 1}}}), "SW0110"),
        (json!({"version_column": "y"}), "SW2237"),
        (json!({"fallback": {"z": 1}}), "SW2237"),
        (json!({"fallback": {"y": "one"}}), "SW2237"),
        (json!({"max_rows": 0}), "SW2237"),
        (json!({"at_once": 0}), "SW2237"),
        (json!({"timeout": "0s"}), "SW2237"),
        (json!({"canary": {"model": "c", "share": 1.5, "key": ["n"]}}), "SW2237"),
        (json!({"canary": {"model": "c", "share": 0.5, "key": []}}), "SW2237"),
        (json!({"canary": {"model": "c", "share": 0.5, "key": ["b"]}}), "SW2237"),
        (json!({"shadow": {"model": "s", "tolerance": -1}}), "SW2237"),
        (json!({"headers": {"a b": "c"}}), "SW2232"),
    ] {
        assert_eq!(plan(change.clone()).err().map(|e| e.code), Some(code), "{change}");
    }
    let planned = plan(json!({"version_column": "by"})).unwrap();
    let names: Vec<&str> =
        planned.planned().ports[0].1.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["a", "n", "t", "l", "y", "by"]);
}
