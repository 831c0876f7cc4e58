//! From the tree of a file to a topology: the top-level fields, the sections and their nodes.

use serde_json::{Map, Value};

use crate::check::rule::Rule;
use crate::check::{At, Checker};
use crate::diagnostic::Diagnostic;
use crate::document::{Content, Entry, Node};
use crate::environment::Environment;
use crate::fields::{self, TopologyFields};
use crate::kinds::Kinds;
use crate::suggest;
use crate::topology::{NodeConfig, Role};
use crate::validate::Doubt;

mod format;
mod name;
mod node;

/// A file after the walk. Nodes are there even where something about them is wrong, so that the
/// graph can be checked all the same.
pub(crate) struct Assembled<'e> {
    /// The walk with what it found.
    pub(crate) checker: Checker<'e>,
    /// The topology's own fields, where they are right.
    pub(crate) fields: Option<TopologyFields>,
    /// All nodes.
    pub(crate) nodes: Vec<NodeConfig>,
    /// What could not be read.
    pub(crate) doubt: Doubt,
}

/// Walks over the whole file.
pub(crate) fn assemble<'e>(
    root: &Node,
    kinds: &Kinds,
    environment: &'e dyn Environment,
) -> Assembled<'e> {
    let mut assembler = Assembler {
        kinds,
        topology: fields::topology_fields(),
        common: fields::node_fields(),
        checker: Checker::new(environment),
        nodes: Vec::new(),
        doubt: Doubt::default(),
    };
    let fields = assembler.file(root);
    let Assembler { checker, nodes, doubt, .. } = assembler;
    Assembled { checker, fields, nodes, doubt }
}

struct Assembler<'k, 'e> {
    kinds: &'k Kinds,
    topology: Value,
    common: Value,
    checker: Checker<'e>,
    nodes: Vec<NodeConfig>,
    doubt: Doubt,
}

impl Assembler<'_, '_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.checker.found.push(diagnostic);
    }

    fn file(&mut self, root: &Node) -> Option<TopologyFields> {
        if !matches!(root.content, Content::Map(_)) {
            let message = format!("a topology file is a map, not {}", root.noun());
            let hint = "it begins with `name: …`, then `sources:`, `operators:` and `sinks:`";
            self.report(Diagnostic::error("SW0104", "", message).with_hint(hint));
            return None;
        }
        let mut own = Map::new();
        let mut meant = Vec::new();
        let mark = self.checker.found.len();
        let topology = std::mem::take(&mut self.topology);
        let rule = Rule::root(&topology);
        for entry in root.entries() {
            if let Some(rule) = rule.property(&entry.key) {
                let at = At::new(format!("/{}", entry.key), entry.key.clone());
                let value = self.checker.value(rule, &entry.value, &at);
                own.insert(entry.key.clone(), value);
            } else if !is_section(&entry.key) && !entry.key.starts_with("x-") {
                meant.extend(self.unknown(&topology, entry));
            }
        }
        for name in rule.required().filter(|name| !own.contains_key(*name)) {
            if !meant.contains(&name.to_owned()) {
                self.report(missing(name));
            }
        }
        self.check_topology_name(own.get("name"));
        self.check_test_times(own.get("tests"));
        let is_right = self.checker.found.iter().skip(mark).all(|d| d.code == "SW0122");
        let fields = is_right.then(|| self.read_fields(&own)).flatten();
        for role in [Role::Source, Role::Operator, Role::Sink] {
            self.section(root, role, &meant);
        }
        fields
    }

    fn read_fields(&mut self, own: &Map<String, Value>) -> Option<TopologyFields> {
        match serde_json::from_value(Value::Object(own.clone())) {
            Ok(fields) => Some(fields),
            Err(error) => {
                self.report(Diagnostic::error("SW0110", "", error.to_string()));
                None
            }
        }
    }

    fn unknown(&mut self, topology: &Value, entry: &Entry) -> Option<String> {
        let rule = Rule::root(topology);
        let sections = [Role::Source, Role::Operator, Role::Sink].map(Role::section);
        let names: Vec<_> = rule.properties().map(|(name, _)| name).chain(sections).collect();
        let message = format!("unknown field `{}`", entry.key);
        let mut diagnostic = Diagnostic::error("SW0107", format!("/{}", entry.key), message);
        diagnostic = diagnostic.at(entry.key_span.start);
        diagnostic.hint = suggest::hint(&entry.key, names.iter().copied());
        self.report(diagnostic);
        suggest::closest(&entry.key, names).map(str::to_owned)
    }

    fn section(&mut self, root: &Node, role: Role, meant: &[String]) {
        let name = role.section();
        let entry = root.entry(name);
        match entry.map(|entry| &entry.value.content) {
            Some(Content::Map(_)) => {}
            Some(Content::Null) => {}
            Some(_) => {
                let message = format!("`{name}` expects a map of nodes");
                let hint = format!("write `{name}: {{my_name: {{…}}}}`");
                let diagnostic = Diagnostic::error("SW0104", format!("/{name}"), message);
                self.report(diagnostic.with_hint(hint));
                self.doubt.nodes = true;
                return;
            }
            None if meant.iter().any(|meant| meant == name) => {
                self.doubt.nodes = true;
                return;
            }
            None => {}
        }
        let nodes = entry.map(|entry| entry.value.entries()).unwrap_or_default();
        if nodes.is_empty() && role != Role::Operator {
            let singular = name.trim_end_matches('s');
            let message = format!("the topology has no {singular}");
            let hint = format!("add a node under `{name}:`");
            let pointer = entry.map(|_| format!("/{name}")).unwrap_or_default();
            self.report(Diagnostic::error("SW0214", pointer, message).with_hint(hint));
        }
        for entry in nodes {
            self.node(role, entry);
        }
    }
}

fn is_section(name: &str) -> bool {
    [Role::Source, Role::Operator, Role::Sink].iter().any(|role| role.section() == name)
}

fn missing(name: &str) -> Diagnostic {
    let message = format!("the field `{name}` is missing");
    let hint = "begin the file with `name: my_topology`";
    Diagnostic::error("SW0103", "", message).with_hint(hint)
}
