//! Values as YAML, the way a person would write them.

use serde_json::Value;

/// One value on one line: plain text where it cannot be misread, flow maps and lists.
pub(crate) fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| format!("{}: {}", scalar(name), flow(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

fn scalar(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_');
    let spaced = |c: char| word(c) || c == ' ' || c == ':' || c == '(' || c == ')';
    let colon_ends_key = text.contains(": ") || text.ends_with(':');
    let trimmed = text.trim() == text;
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let special = reserved.contains(&text.to_lowercase().as_str());
    let number_and_unit = text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric())
        && text.parse::<f64>().is_err()
        && !text.starts_with("0x")
        && !text.starts_with("0o");
    if number_and_unit
        || (first && trimmed && !special && !colon_ends_key && text.chars().all(spaced))
    {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_that_could_be_misread_is_quoted() {
        for (value, yaml) in [
            (json!("localhost:9092"), "localhost:9092"),
            (json!("250ms"), "250ms"),
            (json!("decimal(10,2)"), "\"decimal(10,2)\""),
            (json!("price >= 1000"), "\"price >= 1000\""),
            (json!("true"), "\"true\""),
            (json!("No"), "\"No\""),
            (json!("12"), "\"12\""),
            (json!("1e3"), "\"1e3\""),
            (json!(""), "\"\""),
            (json!("a: b"), "\"a: b\""),
            (json!("file:///tmp/x"), "file:///tmp/x"),
            (json!({"a": ["x", 1, true], "b": null}), "{a: [x, 1, true], b: null}"),
        ] {
            assert_eq!(flow(&value), yaml);
        }
    }
}
