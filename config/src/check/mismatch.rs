//! Messages about values that are not what the field expects. None of them shows a secret or what
//! an interpolation became.

use serde_json::Value;

use super::rule::{Rule, Shape, Unit};
use super::{At, Checker, Given, expectation};
use crate::diagnostic::Diagnostic;
use crate::document::Content;
use crate::interpolate;
use crate::scalar;
use crate::secrecy::scrub_urls;

/// Longer values are cut short.
const LONGEST: usize = 60;

impl Checker<'_> {
    /// The value has a shape that the field cannot take.
    pub(super) fn mismatch(&mut self, rule: Rule<'_>, given: Given<'_>, at: &At) -> Value {
        let wanted = expectation::of(rule);
        self.complain("SW0104", rule, given, at, &wanted, cure(rule, given, at))
    }

    /// The value has the right shape, but `wanted` says what is asked of it.
    pub(super) fn complain(
        &mut self,
        code: &'static str,
        rule: Rule<'_>,
        given: Given<'_>,
        at: &At,
        wanted: &str,
        hint: Option<String>,
    ) -> Value {
        if rule.holds_secret() {
            // A secret in the wrong place: the line is shown without it.
            self.secret.insert(at.pointer.clone());
        }
        let mut diagnostic = Diagnostic::error(code, &at.pointer, unfit(rule, given, at, wanted));
        diagnostic.hint = hint;
        self.found.push(diagnostic);
        Value::Null
    }
}

/// "`path` expects …, not …".
fn unfit(rule: Rule<'_>, given: Given<'_>, at: &At, wanted: &str) -> String {
    let subject = if at.path.is_empty() { "the file".into() } else { format!("`{}`", at.path) };
    match given {
        Given::Filled { template, .. } => {
            let template = if at.secret || rule.holds_secret() {
                interpolate::hide_literals(template)
            } else {
                shorten(&scrub_urls(template))
            };
            format!("{subject} expects {wanted}, which the value of `{template}` is not")
        }
        Given::Plain(_) => format!("{subject} expects {wanted}, not {}", quote(rule, given, at)),
    }
}

fn quote(rule: Rule<'_>, given: Given<'_>, at: &At) -> String {
    let Given::Plain(node) = given else {
        return "this value".into();
    };
    let hidden = at.secret || rule.holds_secret();
    match &node.content {
        Content::Text(text) if !hidden => format!("the string `{}`", shorten(&scrub_urls(text))),
        Content::Number(number) if !hidden => format!("the number `{number}`"),
        Content::Bool(value) if !hidden => format!("`{value}`"),
        _ => node.noun().into(),
    }
}

fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(LONGEST).collect();
    if short.len() < text.trim_end().len() {
        short.push('…');
    }
    short
}

fn cure(rule: Rule<'_>, given: Given<'_>, at: &At) -> Option<String> {
    let Given::Plain(node) = given else {
        return None;
    };
    let takes = |shape| rule.accepts(shape);
    let unit = rule.branches().unwrap_or_else(|| vec![rule]).into_iter().find_map(Rule::unit);
    let hidden = at.secret || rule.holds_secret();
    let shown = |text: &str| if hidden { "…".to_owned() } else { shorten(&scrub_urls(text)) };
    match &node.content {
        Content::Null => Some("write a value, or leave the field out".into()),
        Content::Number(number) => match unit {
            Some(Unit::Duration) => Some(format!("add the unit: `{number}s` or `{number}ms`")),
            Some(Unit::Bytes) => Some(format!("add the unit: `{number}B` or `{number}MiB`")),
            None if takes(Shape::Text) => {
                Some(format!("put it in quotes: `\"{}\"`", shown(&number.to_string())))
            }
            None => None,
        },
        Content::Bool(value) if takes(Shape::Text) => {
            Some(format!("put it in quotes: `\"{}\"`", shown(&value.to_string())))
        }
        Content::Text(text) => match scalar::plain(text) {
            Content::Number(_) if takes(Shape::Number) => Some("remove the quotes".into()),
            Content::Bool(_) if takes(Shape::Bool) => Some("remove the quotes".into()),
            _ if takes(Shape::List) => Some(format!("make it a list: `[{}]`", shown(text))),
            _ if takes(Shape::Bool) => Some("write `true` or `false`".into()),
            _ => None,
        },
        _ => None,
    }
}
