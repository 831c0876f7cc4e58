//! Writes data as YAML that reads back as the same data.

use serde_json::Value;

use crate::document::Content;
use crate::scalar;

/// The value as a YAML document.
#[must_use]
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

fn block(value: &Value, indent: usize, out: &mut String) {
    let pad = "  ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                out.push_str(&pad);
                out.push_str(&text(key));
                out.push(':');
                after_mark(value, indent + 1, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&pad);
                out.push('-');
                after_mark(item, indent + 1, out);
            }
        }
        other => {
            out.push_str(&pad);
            out.push_str(&inline(other));
            out.push('\n');
        }
    }
}

fn after_mark(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            block(value, indent, out);
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            out.push('\n');
            block(value, indent, out);
        }
        other => {
            out.push(' ');
            out.push_str(&inline(other));
            out.push('\n');
        }
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(string) => text(string),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

/// A string without quotes where it then still reads as that string.
fn text(string: &str) -> String {
    let is_plain = string
        .starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.'))
        && !string.ends_with(|c: char| c.is_whitespace() || c == ':')
        && string.chars().all(|c| {
            c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '/' | '(' | ')' | '+' | '=')
        })
        && matches!(scalar::plain(string), Content::Text(_))
        && string != "<<";
    if is_plain { string.into() } else { Value::from(string).to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn files_stay_readable() {
        let value = json!({
            "name": "a_b", "list": ["x", 1, null], "nested": {"empty": {}, "none": []},
            "nodes": [{"a": "1"}, [true]], "text": "a: b", "number": "12", "no": "no",
        });
        let expected = [
            "name: a_b",
            "list: [x, 1, null]",
            "nested:",
            "  empty: {}",
            "  none: []",
            "nodes:",
            "  -",
            "    a: \"1\"",
            "  - [true]",
            "text: \"a: b\"",
            "number: \"12\"",
            "no: no",
            "",
        ]
        .join("\n");
        assert_eq!(write(&value), expected);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "\\PC*".prop_map(Value::from),
            "[ -~\n\t]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{1,8}|<<", inner, 0..5)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in values()) {
            let document = json!({ "a": value, "b": 1 });
            let text = write(&document);
            let read = crate::syntax::parse(&text);
            prop_assert!(read.is_ok(), "{text}\n{read:?}");
            prop_assert_eq!(read.unwrap().to_value(), document, "{}", text);
        }
    }
}
