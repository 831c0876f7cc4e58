//! Tests of the reader: what it accepts, and where it says that something is wrong.

use super::*;

fn json(text: &str) -> String {
    parse(text).unwrap().to_value().to_string()
}

#[test]
fn yaml_and_json_become_the_same_tree() {
    for (text, expected) in [
        ("a: 1\nb: [x, 'y', \"z\"]\n", r#"{"a":1,"b":["x","y","z"]}"#),
        (r#"{"a": 1, "b": ["x", "y", "z"]}"#, r#"{"a":1,"b":["x","y","z"]}"#),
        ("{\n\t\"a\": {\n\t\t\"b\": [\n\t\t\t1,\n\t\t\t2\n\t\t]\n\t}\n}", r#"{"a":{"b":[1,2]}}"#),
        (r#"{"a":"\ud83d\ude00 \\ud83d \/"}"#, "{\"a\":\"😀 \\\\ud83d /\"}"),
        ("\u{feff}a: 1", r#"{"a":1}"#),
        ("---\na: no\nb: 'no'\nc: ~\n", r#"{"a":"no","b":"no","c":null}"#),
        ("a: &x {b: 1}\nc: *x", r#"{"a":{"b":1},"c":{"b":1}}"#),
        ("x: &x {b: 1, c: 2}\ny: {<<: *x, b: 3}", r#"{"x":{"b":1,"c":2},"y":{"b":3,"c":2}}"#),
        ("a: !!str 12\nb: !!int '12'", r#"{"a":"12","b":12}"#),
        (
            "a: |\n  two\n  lines\nb: >-\n  one\n  line\n",
            "{\"a\":\"two\\nlines\\n\",\"b\":\"one line\"}",
        ),
        ("1: x\ntrue: y", r#"{"1":"x","true":"y"}"#),
    ] {
        assert_eq!(json(text), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_told_at_its_place() {
    for (text, code, line, column, part) in [
        ("", "SW0101", 1, 1, "empty"),
        ("# only a comment\n", "SW0101", 1, 1, "empty"),
        ("a: 1\nb: 2\na: 3\n", "SW0118", 3, 1, "`a` is given twice"),
        ("a: 1\n---\nb: 2\n", "SW0101", 2, 1, "several documents"),
        ("a: !include x\n", "SW0101", 1, 4, "a tag"),
        ("a:\n  - 1\n\t- 2\n", "SW0101", 3, 1, "tab"),
        ("a: b: c\n", "SW0101", 1, 5, "not allowed"),
        ("a: *b\n", "SW0101", 1, 4, "unknown anchor"),
        ("a: {b: 1\n", "SW0101", 1, 9, "flow mapping"),
        ("? [a, b]\n: c\n", "SW0101", 1, 3, "a key is a list"),
        ("a: &a {b: *a}\n", "SW0101", 1, 11, "alias"),
        ("a: 'open\n", "SW0101", 1, 4, "quoted"),
        ("a: {<<: 1}\n", "SW0101", 1, 5, "`<<`"),
        ("a: !!int x\n", "SW0101", 1, 4, "tag"),
    ] {
        let error = parse(text).unwrap_err();
        let place = error.location.map(|l| (l.line, l.column));
        assert_eq!((error.code, place), (code, Some((line, column))), "{text:?}: {error}");
        assert!(error.message.contains(part), "{text:?}: {error}");
    }
}

#[test]
fn depth_and_size_have_bounds() {
    let deep = "[".repeat(200) + &"]".repeat(200);
    assert_eq!(parse(&deep).unwrap_err().code, "SW0121");
    let very_deep = "[".repeat(100_000);
    assert!(parse(&very_deep).is_err());
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..10 {
        let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
        laughs.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
    }
    assert_eq!(parse(&laughs).unwrap_err().code, "SW0121");
}

#[test]
fn every_value_knows_its_place() {
    let document = parse("a:\n  b: [1, two]\n  c: \"x y\"\n").unwrap();
    let a = document.root.entry("a").unwrap();
    let b = a.value.entry("b").unwrap();
    let Content::List(items) = &b.value.content else { panic!("a list") };
    let two = items[1].span;
    assert_eq!((two.start.line, two.start.column, two.end.column), (2, 10, 13));
    let c = a.value.entry("c").unwrap();
    assert_eq!((c.key_span.start.line, c.key_span.start.column), (3, 3));
    assert_eq!((c.value.span.start.column, c.value.span.end.column), (6, 11));
}
