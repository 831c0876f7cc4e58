//! Nodes: kinds, common fields, formats and columns.

use crate::told::{check, with_kafka, with_operator};

#[test]
fn a_right_file_has_nothing_to_tell() {
    check(&with_kafka("{brokers: b, topic: t}"), &[]);
    check(
        &with_kafka("{brokers: b, topic: [t, u], start: latest, timeout: 4s, max_bytes: 1MiB}"),
        &[],
    );
    check(&with_kafka("{brokers: b, topic: t, start: {timestamp: now}, offsets: {0: 5}}"), &[]);
    check(&with_operator("op: {input: bids, filter: a > 1}"), &[]);
    check(&with_operator("op: {inputs: [bids], filter: {predicate: a > 1}, parallelism: 2}"), &[]);
    let rules = "op: {input: bids, assert: {rules: [{check: range, column: a, min: 1}]}}";
    check(&with_operator(rules), &[]);
}

#[test]
fn nodes_and_their_kinds() {
    check(&with_operator("op: {input: bids}"), &[(4, 3, "SW0114", "`op` has no kind", "`filter`")]);
    check(
        &with_operator(
            "op: {input: bids, filter: x, assert: {rules: [{check: not_null, column: a}]}}",
        ),
        &[(4, 32, "SW0115", "two kinds, `filter` and `assert`", "node of its own")],
    );
    check(
        &with_operator("op: {input: bids, filtr: x}"),
        &[(4, 21, "SW0102", "`filtr` is neither", "did you mean `filter`?")],
    );
    check(
        &with_operator("op: {input: bids, stdout: {}}"),
        &[(4, 21, "SW0102", "`stdout` is not a kind of `operators`", "`sinks`")],
    );
    check(
        &with_operator("op: {input: bids, filter: x, format: json}"),
        &[(4, 32, "SW0108", "`format` has no meaning in `operators`", "`sources` and `sinks`")],
    );
    check(
        &with_operator("op: {imput: bids, filter: x}"),
        &[(4, 8, "SW0102", "`imput`", "did you mean `input`?")],
    );
    check(&with_operator("op: filter"), &[(4, 7, "SW0104", "a node is a map", "{kind:")]);
    check(
        &with_operator("op: {input: bids, inputs: [bids], filter: x}"),
        &[(4, 21, "SW0108", "same field", "keep one")],
    );
    check(
        &with_operator("op: {input: bids, filter: x, parallelism: 0}"),
        &[(4, 45, "SW0112", "from 1 to 1024", "")],
    );
    check(
        &with_operator("op: {input: bids, filter: x, on_error: {dead_lettr: out}}"),
        &[(4, 43, "SW0107", "`dead_lettr` of `on_error`", "`dead_letter`")],
    );
    check(
        &with_operator("op: {input: bids, filter: x, on_error: dorp}"),
        &[(4, 42, "SW0111", "`fail`, `drop` or a map with `dead_letter`", "`drop`")],
    );
    check(
        &with_operator("Op-2: {input: bids, filter: x}").replace(", op]", ", Op-2]"),
        &[(4, 3, "SW0117", "`Op-2`", "`op_2`")],
    );
    check(
        &with_operator("bids: {input: bids, filter: x}").replace(", op]", "]"),
        &[(4, 3, "SW0118", "`bids` is the name of two nodes", "`sources`")],
    );
}

#[test]
fn formats_and_columns() {
    let with = |fields: &str| {
        format!(
            "name: t\nsources:\n  a: {{generate: {{}}, {fields}}}\nsinks: {{b: {{input: a, stdout: {{}}}}}}"
        )
    };
    check(&with("format: json"), &[]);
    check(&with("format: {json: {strict: true}}"), &[]);
    check(&with("format: {csv: {delimiter: ';'}}, schema: {a: int64!, b: [{c: utf8}]}"), &[]);
    check(&with("format: jsn"), &[(3, 29, "SW0116", "unknown format `jsn`", "`json`")]);
    check(&with("format: {jsn: {}}"), &[(3, 30, "SW0116", "unknown format `jsn`", "`json`")]);
    check(&with("format: 5"), &[(3, 29, "SW0104", "`format` expects a name", "`csv`, `json`")]);
    check(&with("format: csv"), &[(3, 29, "SW0103", "needs the option `delimiter`", "Separates")]);
    check(
        &with("format: {json: {strickt: 1}}"),
        &[(3, 37, "SW0107", "`strickt` of `format.json`", "`strict`")],
    );
    check(&with("format: {csv: {delimiter: ab}}"), &[(3, 47, "SW0112", "a single character", "")]);
    check(&with("schema: {a: strng}"), &[(3, 33, "SW0120", "`strng` of column `a`", "list<type>")]);
    check(
        &with("schema: {a: string, b: {c: int46}}"),
        &[
            (3, 33, "SW0120", "`string` of column `a`", "`utf8`"),
            (3, 48, "SW0120", "`int46` of column `c`", "`int64`"),
        ],
    );
    check(&with("schema: {}"), &[(3, 21, "SW0112", "at least 1 fields", "")]);
    check(
        &with("event_time: {colum: a}"),
        &[(3, 34, "SW0107", "`colum` of `event_time`", "`column`")],
    );
    check(
        &with("event_time: {}"),
        &[(3, 21, "SW0103", "`event_time` needs the option `column`", "timestamp")],
    );
}
