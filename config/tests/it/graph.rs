//! The graph, tests of the file, and what this version does not have.

use crate::told::check;

/// A file with the source `a` in line 2, operators from line 4 on and sinks.
fn graph(operators: &str, sinks: &str) -> String {
    format!(
        "name: t\nsources: {{a: {{generate: {{}}}}}}\noperators:\n{operators}\nsinks:\n{sinks}\n"
    )
}

#[test]
fn inputs_lead_to_nodes_that_put_something_out() {
    check(
        &graph("  f: {input: aa, filter: x}", "  out: {input: [f, g, a], stdout: {}}"),
        &[
            (4, 14, "SW0201", "the input `aa` of `f`", ""),
            (6, 20, "SW0201", "the input `g` of `out`", "known are `a`, `f`"),
        ],
    );
    check(
        &graph(
            "  f: {input: out, filter: x}",
            "  out: {input: a, stdout: {}}\n  b: {input: f, stdout: {}}",
        ),
        &[(4, 14, "SW0210", "`out`, which is a sink", "reads from")],
    );
    check(
        &graph(
            "  f: {input: g, filter: x}\n  g: {input: f, filter: x}",
            "  out: {input: [a, f, g], stdout: {}}",
        ),
        &[(4, 3, "SW0202", "f → g → f", "one way")],
    );
    check(
        &graph("  f: {input: a, filter: x}", "  out: {input: a, stdout: {}}"),
        &[(4, 3, "SW0205", "nobody reads the rows of `f`", "remove `f`")],
    );
    check(
        &graph("  f: {filter: x}", "  out: {input: [a, f], stdout: {}}\n  b: {stdout: {}}"),
        &[(4, 3, "SW0211", "`f` has no input", "input:"), (7, 3, "SW0211", "`b` has no input", "")],
    );
}

#[test]
fn dead_letters_lead_to_sinks_and_operators() {
    check(
        &graph(
            "  f: {input: a, filter: x, on_error: {dead_letter: b}}",
            "  out: {input: f, stdout: {}}\n  b: {stdout: {}}",
        ),
        &[],
    );
    check(
        &graph(
            "  f: {input: a, filter: x, on_error: {dead_letter: bb}}",
            "  out: {input: f, stdout: {}}",
        ),
        &[(4, 52, "SW0201", "the target `bb` of `f`", "known are")],
    );
    check(
        &graph(
            "  f: {input: a, filter: x, on_error: {dead_letter: a}}",
            "  out: {input: f, stdout: {}}",
        ),
        &[(4, 52, "SW0210", "`a`, which is a source", "sink")],
    );
    check(
        &graph(
            "  f: {input: a, filter: x}",
            "  out: {input: f, stdout: {}, on_error: {dead_letter: out}}",
        ),
        &[(6, 3, "SW0202", "out → out", "")],
    );
    check(&graph("  f: {input: a.late, filter: x}", "  out: {input: [a, f.out], stdout: {}}"), &[]);
}

#[test]
fn tests_and_what_is_not_available() {
    let with = |field: &str| {
        format!(
            "name: t\nsources: {{a: {{generate: {{}}}}}}\nsinks: {{b: {{input: a, stdout: {{}}}}}}\n{field}\n"
        )
    };
    check(
        &with("tests:\n  - {name: x, input: {a: [{at: 0s, p: 1}]}, expect: {b: {count: 1}}}"),
        &[],
    );
    check(
        &with("tests:\n  - {name: x, input: {aa: [{at: 0, p: 1}]}, expect: {bb: {coun: 1}}}"),
        &[
            (5, 33, "SW0109", "`at` expects a duration", "start of the test"),
            (5, 59, "SW0107", "`coun`", "`count`"),
        ],
    );
    check(
        &with("tests:\n  - {name: x, input: {aa: []}, expect: {c: {count: 1}}}"),
        &[
            (5, 23, "SW0213", "`aa`, which is not a source", "`a`"),
            (5, 41, "SW0213", "`c`, which is not a sink", "`b`"),
        ],
    );
    let steps = "[crash_and_restore, {advance: 3s}, {idle: a}, {input: {a: [{at: 1s}]}}, end]";
    let tests = |steps: &str| {
        with(&format!("tests:\n  - {{name: x, input: {{a: []}}, then: {steps}, expect: {{}}}}"))
    };
    check(&tests(steps), &[]);
    check(&with("guarantee: exactly_once\ncheckpoint: {store: x, interval: 2s}"), &[]);
    let text = "name: t\nsources:\n  a: {generate: {}, event_time: {column: c, out_of_orderness: 1s, idle_after: 2s}}\noperators:\n  f: {input: a, filter: x, late: b}\nsinks: {b: {input: f, stdout: {}}}";
    check(text, &[]);
}
