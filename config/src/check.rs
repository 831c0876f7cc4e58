//! The schema-guided walk: checks a value of the file against a JSON Schema, fills in its
//! interpolations typed by the field, and tells all problems at once.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::diagnostic::Diagnostic;
use crate::document::{Content, Node, join};
use crate::environment::Environment;
use crate::interpolate;
use crate::scalar;
use crate::secrecy::{SecretValues, looks_secret, url_secrets};

mod expectation;
mod mismatch;
pub(crate) mod rule;
mod sequence;
mod single;
mod structure;
mod union;

use rule::{Rule, Shape};

/// Where the walk is.
#[derive(Debug, Clone)]
pub(crate) struct At {
    /// JSON pointer of the value.
    pub(crate) pointer: String,
    /// What messages call it, such as `kafka.sasl.mechanism`.
    pub(crate) path: String,
    /// Whether it stands inside a secret.
    pub(crate) secret: bool,
}

impl At {
    pub(crate) fn new(pointer: impl Into<String>, path: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), path: path.into(), secret: false }
    }

    fn field(&self, name: &str) -> Self {
        let path = if self.path.is_empty() { name.into() } else { format!("{}.{name}", self.path) };
        Self { pointer: join(&self.pointer, name), path, secret: self.secret }
    }

    fn item(&self, i: usize) -> Self {
        let path = format!("{}[{i}]", self.path);
        Self { pointer: format!("{}/{i}", self.pointer), path, secret: self.secret }
    }
}

/// A value on its way through the walk.
#[derive(Clone, Copy)]
enum Given<'n> {
    /// As it stands in the file.
    Plain(&'n Node),
    /// A string whose interpolations were filled in.
    Filled { template: &'n str, text: &'n str },
}

impl Given<'_> {
    fn shape(self) -> Shape {
        match self {
            Self::Filled { .. } => Shape::Text,
            Self::Plain(node) => match &node.content {
                Content::Null => Shape::Null,
                Content::Bool(_) => Shape::Bool,
                Content::Number(_) => Shape::Number,
                Content::Text(_) => Shape::Text,
                Content::List(_) => Shape::List,
                Content::Map(_) => Shape::Map,
            },
        }
    }
}

/// The walk and what it found.
pub(crate) struct Checker<'e> {
    environment: &'e dyn Environment,
    /// All problems, in the order of the walk.
    pub(crate) found: Vec<Diagnostic>,
    /// Pointers of the fields that hold secrets.
    pub(crate) secret: BTreeSet<String>,
    /// The secrets themselves.
    pub(crate) secrets: SecretValues,
    /// Whether a free map's entry is a secret where its name sounds like one. Connectors pass such
    /// maps on (librdkafka's properties, HTTP headers); elsewhere the names are columns.
    pub(crate) guess_secrets: bool,
}

impl<'e> Checker<'e> {
    pub(crate) fn new(environment: &'e dyn Environment) -> Self {
        Self {
            environment,
            found: Vec::new(),
            secret: BTreeSet::new(),
            secrets: SecretValues::default(),
            guess_secrets: false,
        }
    }

    /// Checks `node` against `rule` and returns it with its interpolations filled in. Where
    /// something was found the value is of no use.
    pub(crate) fn value(&mut self, rule: Rule<'_>, node: &Node, at: &At) -> Value {
        let secret = at.secret || rule.is_secret();
        let at = &At { secret, ..at.clone() };
        if secret {
            self.secret.insert(at.pointer.clone());
        }
        let Content::Text(template) = &node.content else {
            return self.given(rule, Given::Plain(node), at);
        };
        if !interpolate::is_template(template) {
            self.remember_secrets(template, secret);
            return self.given(rule, Given::Plain(node), at);
        }
        let Some(text) = self.fill(template, at) else {
            return Value::Null;
        };
        self.remember_secrets(&text, secret);
        self.given(rule, Given::Filled { template, text: &text }, at)
    }

    fn remember_secrets(&mut self, text: &str, whole: bool) {
        if whole {
            self.secrets.add(text);
        }
        for range in url_secrets(text) {
            let part = text.get(range).unwrap_or_default();
            self.secrets.add(part);
            if let Some((_, password)) = part.split_once(':') {
                self.secrets.add(password);
            }
        }
    }

    fn fill(&mut self, template: &str, at: &At) -> Option<String> {
        match interpolate::resolve(template, self.environment) {
            Ok(resolved) => {
                resolved.from_files.iter().for_each(|content| self.secrets.add(content));
                for warning in resolved.warnings {
                    let hint = "take the permission away: `chmod o-r`, or `defaultMode: 0400` of a Kubernetes volume";
                    let diagnostic = Diagnostic::warning("SW0122", &at.pointer, warning);
                    self.found.push(diagnostic.with_hint(hint));
                }
                Some(resolved.text)
            }
            Err(failures) => {
                self.found.extend(failures.into_iter().map(|failure| {
                    Diagnostic::error(failure.code, &at.pointer, failure.message)
                        .with_hint(failure.hint)
                }));
                None
            }
        }
    }

    fn given(&mut self, rule: Rule<'_>, given: Given<'_>, at: &At) -> Value {
        let at = &At { secret: at.secret || rule.is_secret(), ..at.clone() };
        if at.secret {
            self.secret.insert(at.pointer.clone());
        }
        if let Some(branches) = rule.branches() {
            return self.union(rule, &branches, given, at);
        }
        if rule.is_deprecated() {
            let message = format!("`{}` is deprecated", at.path);
            let mut warning = Diagnostic::warning("SW0123", &at.pointer, message);
            warning.hint = rule.summary().map(str::to_owned);
            self.found.push(warning);
        }
        match given {
            Given::Filled { template, text } => self.filled(rule, template, text, at),
            Given::Plain(node) => {
                if !rule.accepts(given.shape()) {
                    return self.mismatch(rule, given, at);
                }
                match &node.content {
                    Content::Null => Value::Null,
                    Content::Bool(value) => self.constant(rule, given, Value::Bool(*value), at),
                    Content::Number(number) => self.number(rule, given, number, at),
                    Content::Text(text) => self.text(rule, given, text, at),
                    Content::List(items) => self.list(rule, items, at),
                    Content::Map(entries) => self.map(rule, entries, at),
                }
            }
        }
    }

    /// A filled-in string becomes what the field wants; where the field takes several types, what
    /// the text would be without quotes.
    fn filled(&mut self, rule: Rule<'_>, template: &str, text: &str, at: &At) -> Value {
        let given = Given::Filled { template, text };
        match scalar::plain(text.trim()) {
            Content::Bool(value) if rule.accepts(Shape::Bool) => {
                self.constant(rule, given, Value::Bool(value), at)
            }
            Content::Number(number) if rule.accepts(Shape::Number) => {
                self.number(rule, given, &number, at)
            }
            Content::Null if text.is_empty() && !rule.accepts(Shape::Text) => {
                if rule.accepts(Shape::Null) {
                    return Value::Null;
                }
                self.mismatch(rule, given, at)
            }
            _ if rule.accepts(Shape::Text) => self.text(rule, given, text, at),
            _ => self.mismatch(rule, given, at),
        }
    }

    /// The value of a field whose content is free: interpolated, nothing else is asked.
    fn anything(&mut self, node: &Node, at: &At) -> Value {
        match &node.content {
            Content::List(items) => {
                let items = items.iter().enumerate();
                items.map(|(i, item)| self.anything(item, &at.item(i))).collect()
            }
            Content::Map(entries) => {
                let mut map = Map::new();
                for entry in entries {
                    let at = self.free_field(&entry.key, at);
                    map.insert(entry.key.clone(), self.anything(&entry.value, &at));
                }
                Value::Object(map)
            }
            _ => self.value(Rule::root(&Value::Bool(true)), node, at),
        }
    }

    /// The place of a field whose name no schema declares.
    fn free_field(&self, name: &str, at: &At) -> At {
        let mut at = at.field(name);
        at.secret |= self.guess_secrets && looks_secret(name);
        at
    }
}
