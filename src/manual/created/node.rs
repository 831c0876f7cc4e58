//! One node of a created file: its wiring, its kind's options, the fields that every node has.

use serde_json::{Map, Value, json};
use swiftwater_config::Role;

use super::Draft;
use crate::manual::options::{Opt, Schema};
use crate::manual::{fill, flow};

/// Width of a line with its comment.
const WIDTH: usize = 100;

/// The nodes in the order in which rows pass them.
pub(super) struct Chain {
    names: Vec<String>,
    inputs: Vec<Vec<String>>,
    /// Columns that the nodes behind the sources ask for, as name and type.
    needs: Vec<(String, String)>,
}

impl Chain {
    pub(super) fn new(drafts: &[Draft<'_>]) -> Self {
        let names = names(drafts);
        let of = |role: Role| {
            let numbered = drafts.iter().zip(&names).filter(move |(d, _)| d.manual.role == role);
            numbered.map(|(_, name)| name.clone()).collect::<Vec<_>>()
        };
        let mut before = of(Role::Source);
        let mut inputs = Vec::new();
        for (draft, name) in drafts.iter().zip(&names) {
            inputs.push(match draft.manual.role {
                Role::Source => Vec::new(),
                Role::Operator => std::mem::replace(&mut before, vec![name.clone()]),
                Role::Sink => before.clone(),
            });
        }
        let mut needs: Vec<(String, String)> = Vec::new();
        for (column, data_type) in drafts.iter().flat_map(|d| &d.needs) {
            if !needs.iter().any(|(name, _)| name == column) {
                needs.push((column.clone(), data_type.clone()));
            }
        }
        Self { names, inputs, needs }
    }

    /// The text of node `number`.
    pub(super) fn node(&self, number: usize, draft: &Draft<'_>, formats: &[&str]) -> String {
        let name = self.names.get(number).map_or("", String::as_str);
        let mut lines = Lines::default();
        lines.put(2, &format!("{name}:"));
        match self.inputs.get(number).map(Vec::as_slice) {
            None | Some([]) => {}
            Some([one]) => lines.put(4, &format!("input: {one}")),
            Some(several) => lines.put(4, &format!("inputs: [{}]", several.join(", "))),
        }
        self.kind(draft, &mut lines);
        self.fields(draft, formats, &mut lines);
        lines.0
    }

    /// The kind with its options.
    fn kind(&self, draft: &Draft<'_>, lines: &mut Lines) {
        let manual = draft.manual;
        let mut given = draft.example.options.clone();
        if manual.kind == "generate" && manual.role == Role::Source {
            self.generate_missing(draft, &mut given);
        }
        let schema = Schema::new(&manual.schema);
        lines.comment(4, manual.summary());
        match given {
            Value::Object(fields) if schema.is_map() => {
                let options = schema.options();
                let kept = |o: &Opt| o.required || !draft.sparse;
                let empty = !options.iter().any(|o| kept(o) && fields.contains_key(&o.name));
                lines.put(4, &format!("{}:{}", manual.kind, if empty { " {}" } else { "" }));
                for option in &options {
                    let value = fields.get(&option.name);
                    self::option(option, value.filter(|_| kept(option)), value, 6, lines);
                }
            }
            other => lines.value(4, manual.kind, &other),
        }
    }

    /// Makes up the columns that other nodes ask for and the example does not have.
    fn generate_missing(&self, draft: &Draft<'_>, options: &mut Value) {
        let given = |name: &str| draft.gives.iter().any(|(given, _)| given == name);
        let missing = self.needs.iter().filter(|(name, _)| !given(name));
        let columns: Vec<_> = missing.map(|(n, t)| (n.clone(), made_up(t))).collect();
        let Value::Object(options) = options else { return };
        if columns.is_empty() {
            return;
        }
        let all = options.entry("columns").or_insert_with(|| json!({}));
        if let Value::Object(all) = all {
            all.extend(columns);
        }
    }

    /// The fields around the kind.
    fn fields(&self, draft: &Draft<'_>, formats: &[&str], lines: &mut Lines) {
        let example = &draft.example;
        if let Some(format) = &example.format {
            let choices = formats.join(", ");
            lines.comment(4, &format!("Message format: {choices}."));
            let none = format.options.as_object().is_none_or(Map::is_empty);
            let options = Map::from_iter([(format.name.clone(), format.options.clone())]);
            let written = if none { format.name.clone() } else { flow(&Value::Object(options)) };
            lines.put(4, &format!("format: {written}"));
        }
        if let Some(schema) = &example.schema {
            let mut columns = schema.clone();
            for (column, data_type) in &self.needs {
                let missing = || Value::from(data_type.as_str());
                columns.entry(column.clone()).or_insert_with(missing);
            }
            lines.comment(4, "Columns and their types; `!` behind a type forbids nulls.");
            lines.put(4, "schema:");
            for (column, data_type) in &columns {
                lines.put(6, &format!("{column}: {}", flow(data_type)));
            }
        }
        if draft.manual.role == Role::Source {
            lines.comment(4, "The column with the time of an event.");
            match &example.event_time {
                Some(event_time) => {
                    let value = serde_json::to_value(event_time).unwrap_or_default();
                    lines.put(4, &format!("event_time: {}", flow(&without_nulls(value))));
                }
                None => lines.put(4, "#event_time: {column: NAME}"),
            }
        }
        lines.comment(4, "Bad records: fail (stop), drop (and count), or {dead_letter: SINK}.");
        lines.put(4, "#on_error: fail");
        if draft.manual.role != Role::Sink {
            lines.comment(4, "Number of threads.");
            lines.put(4, "#parallelism: 1");
        }
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields.into_iter().filter(|(_, v)| !v.is_null()).collect(),
        other => other,
    }
}

/// A name for each node: its kind, with a number where it comes twice, and `_in` or `_out` where
/// source and sink are of one kind.
fn names(drafts: &[Draft<'_>]) -> Vec<String> {
    let name = |(number, draft): (usize, &Draft<'_>)| {
        let kind = draft.manual.kind;
        let same = |d: &&Draft<'_>| d.manual.kind == kind && d.manual.role == draft.manual.role;
        let before = drafts.iter().take(number).filter(same).count();
        let suffix = match draft.manual.role {
            Role::Source => "_in",
            Role::Operator => "",
            Role::Sink => "_out",
        };
        match before {
            0 => format!("{kind}{suffix}"),
            n => format!("{kind}{suffix}_{}", n + 1),
        }
    };
    drafts.iter().enumerate().map(name).collect()
}

/// A generated column of a type.
fn made_up(data_type: &str) -> Value {
    match data_type {
        "utf8" => json!({"text": {}}),
        "bool" => json!({"choice": {"values": [true, false]}}),
        time if time.starts_with("timestamp") => json!({"timestamp": {}}),
        "float64" => json!({"uniform": {"min": 0.0, "max": 100.0, "decimals": 2}}),
        "int64" => json!({"uniform": {"min": 1, "max": 1000}}),
        other => json!({"uniform": {"min": 1, "max": 100}, "type": other}),
    }
}

/// One option, set to `given` or commented out; `shown` is what the example sets it to.
fn option(
    option: &Opt,
    given: Option<&Value>,
    shown: Option<&Value>,
    indent: usize,
    lines: &mut Lines,
) {
    lines.comment(indent, &about(option));
    match given {
        Some(Value::Object(fields)) if option.is_map() => {
            lines.put(indent, &format!("{}:", option.name));
            for inner in &option.inner {
                let value = fields.get(&inner.name);
                self::option(inner, value, value, indent + 2, lines);
            }
        }
        Some(value) => lines.value(indent, &option.name, value),
        None => {
            let mut commented = Lines::default();
            let shown = shown.or(option.default.as_ref());
            plain(option, shown, 0, &mut commented);
            commented.0.lines().for_each(|line| lines.put(indent, &format!("#{line}")));
        }
    }
}

/// An option that is not set, with its default or the example's value.
fn plain(option: &Opt, value: Option<&Value>, indent: usize, lines: &mut Lines) {
    let value = value.or(option.example.as_ref());
    if option.is_map() && value.is_none_or(Value::is_object) {
        lines.put(indent, &format!("{}:", option.name));
        for inner in &option.inner {
            lines.comment(indent + 2, &about(inner));
            let value = value.and_then(|v| v.get(&inner.name)).or(inner.default.as_ref());
            plain(inner, value, indent + 2, lines);
        }
        return;
    }
    let first = option.choices.first().map(|(choice, _)| Value::from(choice.as_str()));
    match value.or(first.as_ref()) {
        Some(value) => lines.put(indent, &format!("{}: {}", option.name, flow(value))),
        None => lines.put(indent, &format!("{}:", option.name)),
    }
}

/// What an option does, in a comment's length.
fn about(option: &Opt) -> String {
    let text = option.text.split("\n\n").next().unwrap_or_default();
    let text = text.trim_end_matches([':', '.']);
    let required = if option.required { ", required" } else { "" };
    if text.is_empty() {
        return format!("{}{required}", option.form);
    }
    format!("{text} ({}{required})", option.form)
}

/// Lines of the file.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn put(&mut self, indent: usize, line: &str) {
        self.0.push_str(&format!("{}{line}\n", " ".repeat(indent)));
    }

    fn comment(&mut self, indent: usize, text: &str) {
        let filled = fill(text, WIDTH - indent - 2, "");
        filled.lines().for_each(|line| self.put(indent, format!("# {line}").trim_end()));
    }

    /// A field with its value, on one line where it is short.
    fn value(&mut self, indent: usize, name: &str, value: &Value) {
        let line = format!("{name}: {}", flow(value));
        match value {
            Value::String(text) if text.trim().contains('\n') => {
                self.put(indent, &format!("{name}: |"));
                text.lines().for_each(|line| self.put(indent + 2, line));
            }
            Value::Object(fields) if indent + line.chars().count() > WIDTH => {
                self.put(indent, &format!("{name}:"));
                fields.iter().for_each(|(name, value)| self.value(indent + 2, name, value));
            }
            Value::Array(items) if indent + line.chars().count() > WIDTH => {
                self.put(indent, &format!("{name}:"));
                items.iter().for_each(|item| self.put(indent + 2, &format!("- {}", flow(item))));
            }
            _ => self.put(indent, &line),
        }
    }
}
