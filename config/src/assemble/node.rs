//! One node: its common fields, and its kind with the kind's options.

use serde_json::{Map, Value};

use super::Assembler;
use crate::check::At;
use crate::check::rule::{Rule, Shape};
use crate::diagnostic::Diagnostic;
use crate::document::{Content, Entry, Node, join};
use crate::fields;
use crate::suggest;
use crate::topology::{NodeConfig, PortRef, Role};

impl Assembler<'_, '_> {
    /// Reads a node, adds it to the nodes and returns its resolved fields.
    pub(super) fn node(&mut self, role: Role, entry: &Entry) -> Value {
        self.check_node_name(role, entry);
        let pointer = join(&format!("/{}", role.section()), &entry.key);
        let mut config = NodeConfig::new(role, &entry.key, "", Value::Null);
        config.pointer.clone_from(&pointer);
        let mut resolved = Map::new();
        if matches!(entry.value.content, Content::Map(_) | Content::Null) {
            self.fields(&mut config, &entry.value, &mut resolved);
        } else {
            let message = format!("a node is a map with its kind, not {}", entry.value.noun());
            let hint = format!("write `{}: {{kind: {{…}}}}`", entry.key);
            self.report(Diagnostic::error("SW0104", pointer, message).with_hint(hint));
            self.doubt.inputs = true;
        }
        self.nodes.push(config);
        Value::Object(resolved)
    }

    fn fields(&mut self, config: &mut NodeConfig, node: &Node, resolved: &mut Map<String, Value>) {
        let mut has_unknown = false;
        for entry in node.entries() {
            let pointer = join(&config.pointer, &entry.key);
            let name = entry.key.as_str();
            if fields::of_role(config.role).contains(&name) {
                let value = self.common_field(config, entry, pointer);
                resolved.insert(entry.key.clone(), value);
            } else if fields::is_common(name) {
                self.misplaced(config, entry, pointer);
            } else if self.kinds.of(config.role).contains_key(name) {
                self.kind(config, entry, pointer);
            } else {
                has_unknown |= self.unknown_kind(config, entry, pointer);
            }
        }
        if config.kind.is_empty() && !has_unknown {
            let role = config.role.section().trim_end_matches('s');
            let message = format!("the {role} `{}` has no kind", config.name);
            let hint = suggest::hint("", self.kinds.of(config.role).keys().map(String::as_str));
            let mut diagnostic = Diagnostic::error("SW0114", &config.pointer, message);
            diagnostic.hint = hint.map(|hint| format!("say what it is: {hint}"));
            self.report(diagnostic);
        }
    }

    fn misplaced(&mut self, config: &NodeConfig, entry: &Entry, pointer: String) {
        let name = &entry.key;
        let message = format!("`{name}` has no meaning in `{}`", config.role.section());
        let roles = [Role::Source, Role::Operator, Role::Sink];
        let sections: Vec<_> = roles
            .into_iter()
            .filter(|role| fields::of_role(*role).contains(&name.as_str()))
            .map(|role| format!("`{}`", role.section()))
            .collect();
        let hint = format!("remove it; it belongs to {}", sections.join(" and "));
        let diagnostic = Diagnostic::error("SW0108", pointer, message).with_hint(hint);
        self.report(diagnostic.at(entry.key_span.start));
    }

    fn kind(&mut self, config: &mut NodeConfig, entry: &Entry, pointer: String) {
        if !config.kind.is_empty() {
            let first = &config.kind;
            let message = format!("`{}` has two kinds, `{first}` and `{}`", config.name, entry.key);
            let hint = format!("make `{}` a node of its own", entry.key);
            let diagnostic = Diagnostic::error("SW0115", pointer, message).with_hint(hint);
            return self.report(diagnostic.at(entry.key_span.start));
        }
        config.kind.clone_from(&entry.key);
        let Some(schema) = self.kinds.of(config.role).get(&entry.key) else {
            return;
        };
        self.checker.guess_secrets = config.role != Role::Operator;
        config.options = self.options(Rule::root(schema), entry, &At::new(pointer, &entry.key));
        self.checker.guess_secrets = false;
    }

    /// `stdout:` with nothing behind it is `stdout: {}`.
    fn options(&mut self, rule: Rule<'_>, entry: &Entry, at: &At) -> Value {
        let is_empty = entry.value.content == Content::Null;
        if is_empty && rule.accepts(Shape::Map) && !rule.accepts(Shape::Null) {
            let empty = Node { content: Content::Map(Vec::new()), span: entry.value.span };
            return self.checker.value(rule, &empty, at);
        }
        self.checker.value(rule, &entry.value, at)
    }

    /// Tells a name that is neither field nor kind; returns whether a kind may have been meant.
    fn unknown_kind(&mut self, config: &NodeConfig, entry: &Entry, pointer: String) -> bool {
        let role = config.role;
        let name = entry.key.as_str();
        let elsewhere = self.kinds.roles_of(name);
        let common = fields::of_role(role).iter().copied();
        let kinds = self.kinds.of(role).keys().map(String::as_str);
        let mut may_be_kind = true;
        let section = role.section();
        let (message, hint) = if elsewhere.is_empty() {
            let closest = suggest::closest(name, common.clone().chain(kinds.clone()));
            may_be_kind = closest.is_none_or(|closest| !fields::is_common(closest));
            let hint = match closest {
                Some(closest) => Some(format!("did you mean `{closest}`?")),
                None => suggest::hint("", kinds)
                    .map(|hint| format!("{hint} as kinds, and {}", list(common))),
            };
            (format!("`{name}` is neither a field nor a kind of `{section}`"), hint)
        } else {
            let sections: Vec<_> = elsewhere.iter().map(|r| format!("`{}`", r.section())).collect();
            let hint = format!("move the node to {}", sections.join(" or "));
            (format!("`{name}` is not a kind of `{section}`"), Some(hint))
        };
        // A misspelled `input` must not be told a second time as an input that is missing.
        self.doubt.inputs |= suggest::closest(name, ["input", "inputs"]).is_some();
        let mut diagnostic = Diagnostic::error("SW0102", pointer, message);
        diagnostic = diagnostic.at(entry.key_span.start);
        diagnostic.hint = hint;
        self.report(diagnostic);
        may_be_kind
    }

    fn common_field(&mut self, config: &mut NodeConfig, entry: &Entry, pointer: String) -> Value {
        let at = At::new(pointer, &entry.key);
        match entry.key.as_str() {
            "format" => {
                config.format = self.format(entry, &at);
                return Value::Null;
            }
            "schema" => {
                config.schema = self.columns(entry, &at);
                return Value::Null;
            }
            _ => {}
        }
        let common = std::mem::take(&mut self.common);
        let mark = self.checker.found.len();
        let value = match Rule::root(&common).property(&entry.key) {
            Some(rule) => self.checker.value(rule, &entry.value, &at),
            None => Value::Null,
        };
        self.common = common;
        if self.checker.found.len() > mark {
            self.doubt.inputs = true;
            return value;
        }
        self.take(config, entry, &value, &at);
        value
    }

    /// Puts a checked common field where it belongs.
    fn take(&mut self, config: &mut NodeConfig, entry: &Entry, value: &Value, at: &At) {
        match entry.key.as_str() {
            "input" | "inputs" if !config.inputs.is_empty() => {
                let message = "`input` and `inputs` are the same field";
                let diagnostic = Diagnostic::error("SW0108", &at.pointer, message);
                let diagnostic =
                    diagnostic.with_hint("keep one of them, with a list of all inputs");
                self.report(diagnostic.at(entry.key_span.start));
            }
            "input" | "inputs" => config.inputs = names(value).map(PortRef::parse).collect(),
            "late" => config.late = value.as_str().map(str::to_owned),
            "parallelism" => {
                config.parallelism = value.as_u64().and_then(|n| usize::try_from(n).ok());
            }
            "partition_by" => config.partition_by = names(value).map(str::to_owned).collect(),
            "event_time" => config.event_time = self.typed(value, at),
            "on_error" => config.on_error = self.typed(value, at).unwrap_or_default(),
            _ => {}
        }
    }

    fn typed<T: serde::de::DeserializeOwned>(&mut self, value: &Value, at: &At) -> Option<T> {
        match serde_json::from_value(value.clone()) {
            Ok(typed) => typed,
            Err(error) => {
                self.report(Diagnostic::error("SW0110", &at.pointer, error.to_string()));
                None
            }
        }
    }
}

fn names(value: &Value) -> impl Iterator<Item = &str> {
    let one = value.as_str();
    let many = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    one.into_iter().chain(many)
}

fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
