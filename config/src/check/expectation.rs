//! What a rule expects, in words.

use serde_json::Value;

use super::rule::{Rule, Shape, Unit};

/// At most this many alternatives or fields are named.
const MOST: usize = 12;

/// What a rule expects, such as "a string, a list of strings or a map with `size`".
pub(crate) fn of(rule: Rule<'_>) -> String {
    let mut alternatives = Vec::new();
    collect(rule, &mut alternatives);
    alternatives.dedup();
    let left_out = alternatives.len().saturating_sub(MOST);
    alternatives.truncate(MOST);
    if left_out > 0 {
        alternatives.push(format!("one of {left_out} others"));
    }
    any_of(&alternatives)
}

fn any_of(alternatives: &[String]) -> String {
    match alternatives {
        [] => "another value".into(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn collect(rule: Rule<'_>, out: &mut Vec<String>) {
    if let Some(branches) = rule.branches() {
        for branch in branches {
            collect(branch, out);
        }
        return;
    }
    if let Some(values) = rule.constants() {
        out.extend(values.into_iter().filter(|v| !v.is_null()).map(|v| format!("`{}`", bare(v))));
        return;
    }
    if let Some(unit) = rule.unit() {
        out.push(unit.expectation().into());
        return;
    }
    let shapes = [Shape::Bool, Shape::Number, Shape::Text, Shape::List, Shape::Map];
    if shapes.iter().all(|shape| rule.accepts(*shape)) {
        out.push("any value".into());
        return;
    }
    for shape in shapes.into_iter().filter(|shape| rule.accepts(*shape)) {
        out.push(match shape {
            Shape::Null => continue,
            Shape::Bool => "`true` or `false`".into(),
            Shape::Number if rule.is_integer() => "a whole number".into(),
            Shape::Number => "a number".into(),
            Shape::Text => "a string".into(),
            Shape::List => list(rule),
            Shape::Map => map(rule),
        });
    }
}

fn list(rule: Rule<'_>) -> String {
    let Some(items) = rule.items() else {
        return "a list".into();
    };
    let accepted: Vec<_> = [Shape::Bool, Shape::Number, Shape::Text, Shape::List, Shape::Map]
        .into_iter()
        .filter(|shape| items.accepts(*shape))
        .collect();
    match accepted.as_slice() {
        [Shape::Text] => "a list of strings".into(),
        [Shape::Number] => "a list of numbers".into(),
        [Shape::Map] => "a list of maps".into(),
        [Shape::List] => "a list of lists".into(),
        _ => "a list".into(),
    }
}

fn map(rule: Rule<'_>) -> String {
    let mut names: Vec<_> = rule.required().collect();
    if names.is_empty() {
        names = rule.properties().map(|(name, _)| name).collect();
    }
    let mut shown: Vec<_> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    if names.len() > MOST {
        shown.push("…".into());
    }
    if shown.is_empty() { "a map".into() } else { format!("a map with {}", shown.join(", ")) }
}

/// A constant as one would write it.
pub(super) fn bare(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Unit {
    /// What is expected, with an example.
    pub(super) fn expectation(self) -> &'static str {
        match self {
            Self::Duration => "a duration such as `250ms` or `4s`",
            Self::Bytes => "a size such as `64MiB`",
        }
    }
}
