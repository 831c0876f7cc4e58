//! Checks of maps: declared fields, free fields, missing and unknown ones.

use regex::Regex;
use serde_json::{Map, Value};

use super::rule::Rule;
use super::single::length_outside;
use super::{At, Checker};
use crate::diagnostic::Diagnostic;
use crate::document::Entry;
use crate::interpolate;
use crate::suggest;

impl Checker<'_> {
    pub(super) fn map(&mut self, rule: Rule<'_>, entries: &[Entry], at: &At) -> Value {
        let mut map = Map::new();
        let mut meant = Vec::new();
        for entry in entries {
            let field = at.field(&entry.key);
            let value = if let Some(declared) = rule.property(&entry.key) {
                self.value(declared, &entry.value, &field)
            } else if let Some(known) = by_pattern(rule, &entry.key) {
                self.value(known, &entry.value, &self.free_field(&entry.key, at))
            } else if rule.is_closed() {
                meant.extend(self.unknown(rule, entry, at));
                continue;
            } else {
                self.check_name(entry, at);
                let field = self.free_field(&entry.key, at);
                match rule.additional() {
                    Some(rule) => self.value(rule, &entry.value, &field),
                    None => self.anything(&entry.value, &field),
                }
            };
            map.insert(entry.key.clone(), value);
        }
        for name in rule.required() {
            if !map.contains_key(name) && !meant.contains(&name) {
                self.missing(rule, name, at);
            }
        }
        let count = entries.len() as u64;
        if let Some(wanted) = length_outside(rule, "minProperties", "maxProperties", count) {
            let message = format!("`{}` expects {wanted} fields, not {count}", at.path);
            self.found.push(Diagnostic::error("SW0112", &at.pointer, message));
        }
        Value::Object(map)
    }

    /// Tells an unknown field, and returns the declared one that was most likely meant.
    fn unknown<'s>(&mut self, rule: Rule<'s>, entry: &Entry, at: &At) -> Option<&'s str> {
        let names: Vec<&str> = rule.properties().map(|(name, _)| name).collect();
        let message = match at.path.as_str() {
            "" => format!("unknown field `{}`", entry.key),
            path => format!("unknown option `{}` of `{path}`", entry.key),
        };
        let pointer = at.field(&entry.key).pointer;
        let mut diagnostic = Diagnostic::error("SW0107", pointer, message);
        diagnostic = diagnostic.at(entry.key_span.start);
        diagnostic.hint = suggest::hint(&entry.key, names.iter().copied());
        self.found.push(diagnostic);
        suggest::closest(&entry.key, names)
    }

    pub(super) fn missing(&mut self, rule: Rule<'_>, name: &str, at: &At) {
        let message = match at.path.as_str() {
            "" => format!("the field `{name}` is missing"),
            path => format!("`{path}` needs the option `{name}`"),
        };
        let mut diagnostic = Diagnostic::error("SW0103", &at.pointer, message);
        let summary = rule.property(name).and_then(Rule::summary);
        diagnostic.hint = summary.map(|summary| format!("`{name}`: {summary}"));
        self.found.push(diagnostic);
    }

    fn check_name(&mut self, entry: &Entry, at: &At) {
        if interpolate::is_template(&entry.key) {
            let field = at.field(&entry.key);
            let message = format!("the name of a field of `{}` holds an interpolation", at.path);
            let diagnostic = Diagnostic::error("SW0106", field.pointer, message)
                .with_hint("interpolate values; names of fields are written out")
                .at(entry.key_span.start);
            self.found.push(diagnostic);
        }
    }
}

fn by_pattern<'s>(rule: Rule<'s>, key: &str) -> Option<Rule<'s>> {
    let mut patterns = rule.patterns();
    let found =
        patterns.find(|(pattern, _)| Regex::new(pattern).is_ok_and(|regex| regex.is_match(key)));
    found.map(|(_, rule)| rule)
}
