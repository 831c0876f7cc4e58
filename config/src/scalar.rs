//! Typing of unquoted scalars by the core schema of YAML 1.2: `no`, `on` and `1_000` are strings.

use serde_json::Number;

use crate::document::Content;

/// The typed content of an unquoted scalar.
pub(crate) fn plain(text: &str) -> Content {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "true" | "True" | "TRUE" => Content::Bool(true),
        "false" | "False" | "FALSE" => Content::Bool(false),
        _ => number(text).map_or_else(|| Content::Text(text.into()), Content::Number),
    }
}

/// A number as YAML 1.2 writes it. `.inf` and `.nan` have no form in JSON and stay text.
pub(crate) fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(hex) = text.strip_prefix("0x") {
        return radix(hex, 16);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return radix(octal, 8);
    }
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        let text = text.strip_prefix('+').unwrap_or(text);
        let whole = text.parse::<i64>().map(Number::from);
        let whole = whole.or_else(|_| text.parse::<u64>().map(Number::from));
        return whole.ok().or_else(|| Number::from_f64(text.parse().ok()?));
    }
    let is_float = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().any(|b| b.is_ascii_digit())
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !is_float {
        return None;
    }
    Number::from_f64(text.parse().ok()?)
}

fn radix(digits: &str, radix: u32) -> Option<Number> {
    let plain = digits.chars().all(|c| c.is_digit(radix));
    plain.then(|| u64::from_str_radix(digits, radix).ok()).flatten().map(Number::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_typed_by_the_core_schema() {
        for (text, json) in [
            ("", "null"),
            ("~", "null"),
            ("True", "true"),
            ("yes", r#""yes""#),
            ("no", r#""no""#),
            ("on", r#""on""#),
            ("12", "12"),
            ("-7", "-7"),
            ("+7", "7"),
            ("007", "7"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("1_000", r#""1_000""#),
            ("1.5", "1.5"),
            (".5", "0.5"),
            ("1e3", "1000.0"),
            ("1.", "1.0"),
            ("1.2.3", r#""1.2.3""#),
            ("-", r#""-""#),
            (".", r#"".""#),
            ("e3", r#""e3""#),
            (".inf", r#"".inf""#),
            ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551616", "1.8446744073709552e+19"),
            ("12:30", r#""12:30""#),
            ("2026-01-01", r#""2026-01-01""#),
        ] {
            let span = crate::document::Span {
                start: crate::Location { line: 1, column: 1 },
                end: crate::Location { line: 1, column: 1 },
            };
            let node = crate::document::Node { content: plain(text), span };
            assert_eq!(node.to_value().to_string(), json, "{text}");
        }
    }
}
