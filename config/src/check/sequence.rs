//! Checks of lists.

use serde_json::Value;

use super::rule::Rule;
use super::single::length_outside;
use super::{At, Checker};
use crate::diagnostic::Diagnostic;
use crate::document::Node;

impl Checker<'_> {
    pub(super) fn list(&mut self, rule: Rule<'_>, items: &[Node], at: &At) -> Value {
        let length = items.len() as u64;
        if let Some(wanted) = length_outside(rule, "minItems", "maxItems", length) {
            let message = format!("`{}` expects {wanted} items, not {length}", at.path);
            self.found.push(Diagnostic::error("SW0112", &at.pointer, message));
        }
        let mut values: Vec<Value> = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            let at = at.item(i);
            values.push(match rule.item(i) {
                Some(rule) => self.value(rule, item, &at),
                None => self.anything(item, &at),
            });
        }
        if rule.get("uniqueItems") == Some(&Value::Bool(true)) {
            self.find_doubles(&values, at);
        }
        Value::Array(values)
    }

    fn find_doubles(&mut self, values: &[Value], at: &At) {
        for (i, value) in values.iter().enumerate() {
            if !value.is_null() && values.iter().take(i).any(|earlier| earlier == value) {
                let at = at.item(i);
                let message = format!("`{}` repeats an earlier item", at.path);
                self.found.push(Diagnostic::error("SW0112", &at.pointer, message));
            }
        }
    }
}
