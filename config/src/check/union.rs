//! Checks against unions: the alternative that is meant is found by the shape of the value, by the
//! tag of a map or by trial, so that the message is about what the writer had in mind.

use serde_json::Value;

use super::rule::{Rule, Shape};
use super::{At, Checker, Given, expectation};
use crate::diagnostic::Diagnostic;
use crate::document::{Content, Entry};
use crate::scalar;
use crate::suggest;

impl Checker<'_> {
    pub(super) fn union(
        &mut self,
        rule: Rule<'_>,
        branches: &[Rule<'_>],
        given: Given<'_>,
        at: &At,
    ) -> Value {
        let shapes = shapes(given);
        let fitting: Vec<Rule<'_>> = shapes
            .iter()
            .flat_map(|shape| branches.iter().filter(|branch| branch.accepts(*shape)))
            .copied()
            .collect();
        match (fitting.as_slice(), given) {
            ([], _) => self.mismatch(rule, given, at),
            (_, Given::Plain(node)) if matches!(node.content, Content::Map(_)) => {
                self.map_union(rule, &fitting, given, node.entries(), at)
            }
            ([only], _) if only.constants().is_none() => self.given(*only, given, at),
            _ => self.attempt(rule, &fitting, given, at),
        }
    }

    /// The first alternative without an error, or else the complaint of the one that came closest.
    fn attempt(
        &mut self,
        rule: Rule<'_>,
        branches: &[Rule<'_>],
        given: Given<'_>,
        at: &At,
    ) -> Value {
        let mut complaints = Vec::new();
        for branch in branches {
            match self.attempt_one(*branch, given, at) {
                Ok(value) => return value,
                Err(found) if branch.constants().is_none() => complaints.push(found),
                Err(_) => {}
            }
        }
        let lists = branches.iter().any(|branch| branch.constants().is_some());
        match (complaints.as_mut_slice(), given) {
            // The complaint of the one alternative that is open says most.
            ([only], _) if !lists => self.found.append(only),
            (_, Given::Plain(node)) if lists => {
                return self.not_listed(rule, given, &node.to_value(), at);
            }
            (_, Given::Filled { text, .. }) if lists => {
                return self.not_listed(rule, given, &Value::String(text.into()), at);
            }
            _ => return self.mismatch(rule, given, at),
        }
        Value::Null
    }

    fn attempt_one(
        &mut self,
        branch: Rule<'_>,
        given: Given<'_>,
        at: &At,
    ) -> Result<Value, Vec<Diagnostic>> {
        let mark = self.found.len();
        let value = self.given(branch, given, at);
        let errors = |d: &Diagnostic| d.severity == crate::Severity::Error;
        if self.found.iter().skip(mark).any(errors) {
            return Err(self.found.split_off(mark));
        }
        Ok(value)
    }

    fn map_union(
        &mut self,
        rule: Rule<'_>,
        branches: &[Rule<'_>],
        given: Given<'_>,
        entries: &[Entry],
        at: &At,
    ) -> Value {
        if let Some(tag) = inner_tag(branches) {
            return self.tagged(tag, branches, given, entries, at);
        }
        if let Some(names) = outer_tags(branches) {
            return self.named(rule, branches, &names, given, entries, at);
        }
        let mut closest: Option<(usize, usize, Vec<Diagnostic>)> = None;
        for branch in branches {
            let found = match self.attempt_one(*branch, given, at) {
                Ok(value) => return value,
                Err(found) => found,
            };
            let foreign = entries.iter().filter(|e| branch.property(&e.key).is_none()).count();
            if closest.as_ref().is_none_or(|(f, n, _)| (foreign, found.len()) < (*f, *n)) {
                closest = Some((foreign, found.len(), found));
            }
        }
        self.found.extend(closest.map(|(_, _, found)| found).unwrap_or_default());
        Value::Null
    }

    /// A map whose field `tag` says which alternative is meant.
    fn tagged(
        &mut self,
        tag: &str,
        branches: &[Rule<'_>],
        given: Given<'_>,
        entries: &[Entry],
        at: &At,
    ) -> Value {
        let listed = |branch: &Rule<'_>| -> Vec<Value> {
            let values = branch.property(tag).and_then(Rule::constants).unwrap_or_default();
            values.into_iter().cloned().collect()
        };
        let known: Vec<Value> = branches.iter().flat_map(&listed).collect();
        let names: Vec<String> =
            known.iter().map(|v| format!("`{}`", expectation::bare(v))).collect();
        let Some(entry) = entries.iter().find(|entry| entry.key == tag) else {
            let message = format!("`{}` needs the option `{tag}`", at.path);
            let hint = format!("`{tag}` is one of {}", names.join(", "));
            self.found.push(Diagnostic::error("SW0103", &at.pointer, message).with_hint(hint));
            return Value::Null;
        };
        let any_of = serde_json::json!({ "enum": known });
        let field = at.field(tag);
        let mark = self.found.len();
        let value = self.value(Rule::root(&any_of), &entry.value, &field);
        if self.found.len() > mark {
            return Value::Null;
        }
        match branches.iter().find(|branch| listed(branch).contains(&value)) {
            Some(branch) => self.given(*branch, given, at),
            None => Value::Null,
        }
    }

    /// A map whose one field names the alternative: `{dead_letter: rejected}`.
    fn named(
        &mut self,
        rule: Rule<'_>,
        branches: &[Rule<'_>],
        names: &[&str],
        given: Given<'_>,
        entries: &[Entry],
        at: &At,
    ) -> Value {
        let meant = entries.iter().find_map(|e| names.iter().position(|name| *name == e.key));
        if let Some(branch) = meant.and_then(|i| branches.get(i)) {
            return self.given(*branch, given, at);
        }
        let Some(entry) = entries.first() else {
            return self.complain("SW0103", rule, given, at, &expectation::of(rule), None);
        };
        let message = format!("unknown option `{}` of `{}`", entry.key, at.path);
        let mut diagnostic = Diagnostic::error("SW0107", at.field(&entry.key).pointer, message);
        diagnostic = diagnostic.at(entry.key_span.start);
        diagnostic.hint = suggest::hint(&entry.key, names.iter().copied());
        self.found.push(diagnostic);
        Value::Null
    }
}

/// The shapes a value can take, the likeliest first: a filled-in `9092` is a number before it is a
/// string.
fn shapes(given: Given<'_>) -> Vec<Shape> {
    let Given::Filled { text, .. } = given else {
        return vec![given.shape()];
    };
    match scalar::plain(text.trim()) {
        Content::Bool(_) => vec![Shape::Bool, Shape::Text],
        Content::Number(_) => vec![Shape::Number, Shape::Text],
        Content::Null => vec![Shape::Text, Shape::Null],
        _ => vec![Shape::Text],
    }
}

/// The field that tells the alternatives apart, where each lists its own values for it.
fn inner_tag<'s>(branches: &[Rule<'s>]) -> Option<&'s str> {
    let (first, rest) = branches.split_first()?;
    let is_tag = |branch: &Rule<'_>, name: &str| {
        branch.required().any(|required| required == name)
            && branch.property(name).is_some_and(|rule| rule.get("const").is_some())
    };
    first
        .properties()
        .map(|(name, _)| name)
        .find(|name| is_tag(first, name) && rest.iter().all(|branch| is_tag(branch, name)))
}

/// The names of the alternatives, where each is a map with one field.
fn outer_tags<'s>(branches: &[Rule<'s>]) -> Option<Vec<&'s str>> {
    let tag = |branch: &Rule<'s>| {
        let mut fields = branch.properties().map(|(name, _)| name);
        let name = fields.next().filter(|name| branch.required().any(|required| required == *name));
        name.filter(|_| branch.is_closed() && fields.next().is_none())
    };
    branches.iter().map(tag).collect()
}
