//! Options of every type, unions and interpolation.

use crate::told::{Told, check, with_kafka, with_operator};

/// What stands behind `kafka:` in line 4 and what is told about it.
const OPTIONS: &[(&str, Told)] = &[
    ("{brokrs: b, topic: t}", (4, 13, "SW0107", "`brokrs` of `kafka`", "`brokers`")),
    ("{brokers: b, topic: t, wat: 1}", (4, 35, "SW0107", "`wat`", "known are `brokers`")),
    (
        "{topic: t}",
        (4, 5, "SW0103", "`kafka` needs the option `brokers`", "Addresses of the brokers"),
    ),
    ("{brokers: 5, topic: t}", (4, 22, "SW0104", "a string, not the number `5`", "`\"5\"`")),
    ("{brokers: [b], topic: t}", (4, 13, "SW0104", "a string, not a list", "")),
    ("{brokers: b, topic: {}}", (4, 25, "SW0104", "a string or a list of strings, not a map", "")),
    ("{brokers: b, topic: []}", (4, 25, "SW0112", "at least 1 items", "")),
    ("{brokers: b, topic: [t, 5]}", (4, 36, "SW0104", "`kafka.topic[1]`", "quotes")),
    (
        "{brokers: b, topic: t, port: x}",
        (4, 41, "SW0104", "a whole number, not the string `x`", ""),
    ),
    ("{brokers: b, topic: t, port: 1.5}", (4, 41, "SW0104", "a whole number", "")),
    ("{brokers: b, topic: t, port: 5.0}", (4, 41, "SW0104", "a whole number", "`5`")),
    ("{brokers: b, topic: t, port: '5'}", (4, 41, "SW0104", "a whole number", "remove the quotes")),
    ("{brokers: b, topic: t, port: 65536}", (4, 41, "SW0112", "from 0 to 65535", "")),
    ("{brokers: b, topic: t, verify: no}", (4, 43, "SW0104", "`true` or `false`", "`true`")),
    ("{brokers: b, topic: t, verify: }", (4, 35, "SW0104", "not nothing", "leave the field out")),
    (
        "{brokers: b, topic: t, start: lates}",
        (4, 42, "SW0111", "`earliest`, `latest` or a map", "`latest`"),
    ),
    (
        "{brokers: b, topic: t, start: {at: x}}",
        (4, 43, "SW0107", "`at` of `kafka.start`", "`timestamp`"),
    ),
    (
        "{brokers: b, topic: t, timeout: 5}",
        (4, 44, "SW0104", "a duration such as", "`5s` or `5ms`"),
    ),
    (
        "{brokers: b, topic: t, timeout: 5 parsecs}",
        (4, 44, "SW0109", "a duration", "unknown unit `parsecs`"),
    ),
    ("{brokers: b, topic: t, max_bytes: big}", (4, 46, "SW0109", "a size such as", "number")),
    ("{brokers: b, topic: t, offsets: {x: 1}}", (4, 45, "SW0107", "`x` of `kafka.offsets`", "")),
    ("{brokers: b, topic: t, offsets: {0: x}}", (4, 48, "SW0104", "a whole number", "")),
    (
        "{brokers: b, topic: t, properties: {a: 1}}",
        (4, 51, "SW0104", "`kafka.properties.a`", "`\"1\"`"),
    ),
    (
        "{brokers: b, topic: t, properties: {'${A}': x}}",
        (4, 48, "SW0106", "name of a field", "values"),
    ),
    (
        "{brokers: b, topic: t, sasl: {mechanism: PLAN, username: u, password: p}}",
        (4, 53, "SW0111", "`PLAIN` or `SCRAM-SHA-256`, not the string `PLAN`", "`PLAIN`"),
    ),
    (
        "{brokers: b, topic: t, sasl: {mechanism: PLAIN, username: u}}",
        (4, 35, "SW0103", "`kafka.sasl` needs the option `password`", "The password"),
    ),
];

#[test]
fn options_of_every_type() {
    for (options, told) in OPTIONS {
        check(&with_kafka(options), &[*told]);
    }
    check(&with_kafka("{brokers: b, topic: t, port: }"), &[]);
    check(
        &with_kafka(""),
        &[
            (4, 5, "SW0103", "`kafka` needs the option `brokers`", "Addresses"),
            (4, 5, "SW0103", "`kafka` needs the option `topic`", "Name of the topic"),
        ],
    );
}

#[test]
fn unions_are_told_by_what_was_meant() {
    let generate = |columns: &str| {
        format!(
            "name: t\nsources:\n  a: {{generate: {{columns: {columns}}}}}\nsinks: {{b: {{input: a, stdout: {{}}}}}}"
        )
    };
    check(&generate("{c: {sequence: {start: 1}}, d: {choice: {values: [1, x]}}}"), &[]);
    check(
        &generate("{c: {sequense: {start: 1}}}"),
        &[(3, 32, "SW0107", "`sequense` of `generate.columns.c`", "`sequence`")],
    );
    check(
        &generate("{c: {sequence: {strat: 1}}}"),
        &[(3, 43, "SW0107", "`strat` of `generate.columns.c.sequence`", "`start`")],
    );
    check(&generate("{c: {}}"), &[(3, 28, "SW0103", "a map with `sequence`", "")]);
    check(&generate("{c: sequence}"), &[(3, 31, "SW0111", "a map with `sequence`", "")]);
    check(
        &with_operator("op: {input: bids, filter: {predicat: x}}"),
        &[(4, 30, "SW0107", "`predicat` of `filter`", "`predicate`")],
    );
    check(
        &with_operator("op: {input: bids, filter: 5}"),
        &[(4, 29, "SW0104", "a string or a map with `predicate`, not the number `5`", "quotes")],
    );
    let rules =
        |rules: &str| with_operator(&format!("op: {{input: bids, assert: {{rules: {rules}}}}}"));
    check(
        &rules("[{check: rnage, column: a, min: 1}]"),
        &[(4, 46, "SW0111", "`range` or `not_null`", "`range`")],
    );
    check(
        &rules("[{column: a}]"),
        &[(4, 38, "SW0103", "needs the option `check`", "`range`, `not_null`")],
    );
    check(
        &rules("[{check: range, column: a}]"),
        &[(4, 38, "SW0103", "needs the option `min`", "lowest")],
    );
    check(
        &rules("[{check: not_null, column: a, mn: 1}]"),
        &[(4, 67, "SW0107", "`mn` of `assert.rules[0]`", "")],
    );
}

#[test]
fn interpolation_is_typed_by_its_field() {
    check(
        &with_kafka("{brokers: '${BROKERS}', topic: '${WORD}', port: '${PORT}', verify: '${YES}'}"),
        &[],
    );
    check(&with_kafka("{brokers: '${PORT}', topic: ['${PORT}'], timeout: '${TEN}'}"), &[]);
    check(&with_kafka("{brokers: b, topic: t, port: '${EMPTY}', max_bytes: '${NONE:-5MiB}'}"), &[]);
    for (options, told) in [
        ("{brokers: '${NOPE}', topic: t}", (4, 22, "SW0105", "`NOPE` is not set", "${NOPE:-…}")),
        ("{brokers: '${NO PE}', topic: t}", (4, 22, "SW0106", "`${NO`", "$${")),
        (
            "{brokers: '${file:/none}', topic: t}",
            (4, 22, "SW0119", "`/none`: there is no such file", "mount"),
        ),
        (
            "{brokers: b, topic: t, port: '${WORD}'}",
            (4, 41, "SW0104", "a whole number, which the value of `${WORD}` is not", ""),
        ),
        (
            "{brokers: b, topic: t, port: '${BIG}'}",
            (4, 41, "SW0112", "from 0 to 65535, which the value of `${BIG}`", ""),
        ),
        (
            "{brokers: b, topic: t, verify: '${WORD}'}",
            (4, 43, "SW0104", "the value of `${WORD}`", ""),
        ),
        (
            "{brokers: b, topic: t, timeout: '${PORT}'}",
            (4, 44, "SW0109", "the value of `${PORT}`", ""),
        ),
        (
            "{brokers: b, topic: t, start: '${WORD}'}",
            (4, 42, "SW0111", "the value of `${WORD}`", ""),
        ),
        (
            "{brokers: b, topic: t, sasl: '${WORD}'}",
            (4, 41, "SW0104", "a map with `mechanism`", ""),
        ),
        ("{brokers: '${file:/tmp/pw}', topic: t}", (4, 22, "SW0122", "every user", "chmod")),
    ] {
        check(&with_kafka(options), &[told]);
    }
}
