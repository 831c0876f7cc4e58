//! The graph: names that lead nowhere, nodes in a role they do not have, circles, outputs that
//! nobody reads. Ports and columns are checked where the nodes are planned.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Diagnostic;
use crate::document::{Content, Node};
use crate::suggest;
use crate::topology::{NodeConfig, OnError, Role};

/// What could not be read, so that nothing is said about what follows from it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Doubt {
    /// Some inputs: which nodes have none, and which are read by nobody, is not known.
    pub(crate) inputs: bool,
    /// Some sections: which nodes exist is not known.
    pub(crate) nodes: bool,
}

/// What is wrong with the graph.
pub(crate) fn graph(nodes: &[NodeConfig], root: &Node, doubt: Doubt) -> Vec<Diagnostic> {
    let graph = Graph {
        nodes,
        root,
        by_name: nodes.iter().map(|node| (node.name.as_str(), node)).collect(),
    };
    let mut found = Vec::new();
    if !doubt.nodes {
        for node in nodes {
            graph.check_inputs(node, &mut found);
            for (field, target) in targets(node) {
                graph.check_target(node, field, target, &mut found);
            }
        }
    }
    if !doubt.inputs {
        graph.find_without_input(&mut found);
    }
    // A misspelled input must not be told a second time as an output that nobody reads.
    if !doubt.inputs && !doubt.nodes && found.iter().all(|d| d.code == "SW0211") {
        graph.find_unread(&mut found);
    }
    let is_sound = graph.by_name.len() == nodes.len() && found.iter().all(|d| d.code != "SW0210");
    if is_sound {
        found.extend(graph.find_circle());
    }
    found
}

/// The nodes that `node` sends to without being their `input`, with the field that says so.
fn targets(node: &NodeConfig) -> impl Iterator<Item = (&'static str, &str)> {
    let dead = match &node.on_error {
        OnError::DeadLetter(target) => Some(("on_error/dead_letter", target.as_str())),
        OnError::Fail | OnError::Drop => None,
    };
    dead.into_iter().chain(node.late.as_deref().map(|late| ("late", late)))
}

struct Graph<'n> {
    nodes: &'n [NodeConfig],
    root: &'n Node,
    by_name: BTreeMap<&'n str, &'n NodeConfig>,
}

impl<'n> Graph<'n> {
    fn names(&self, roles: [Role; 2]) -> impl Iterator<Item = &'n str> {
        let fits = move |node: &&NodeConfig| roles.contains(&node.role);
        self.nodes.iter().filter(fits).map(|node| node.name.as_str())
    }

    fn check_inputs(&self, node: &NodeConfig, found: &mut Vec<Diagnostic>) {
        for (i, input) in node.inputs.iter().enumerate() {
            let pointer = self.pointer_of_input(node, i);
            match self.by_name.get(input.node.as_str()).map(|from| from.role) {
                None => {
                    let shown = self.root.quotable(&pointer, &input.to_string());
                    let message = format!("the input `{shown}` of `{}` is not a node", node.name);
                    let mut diagnostic = Diagnostic::error("SW0201", pointer, message);
                    let others = self.names([Role::Source, Role::Operator]);
                    let others = others.filter(|name| *name != node.name);
                    diagnostic.hint = suggest::hint(&input.node, others);
                    found.push(diagnostic);
                }
                Some(Role::Sink) => {
                    let message =
                        format!("`{}` reads from `{}`, which is a sink", node.name, input.node);
                    let hint = "read from the node that the sink reads from";
                    found.push(Diagnostic::error("SW0210", pointer, message).with_hint(hint));
                }
                Some(Role::Source | Role::Operator) => {}
            }
        }
    }

    /// An input may be written as `input` or `inputs`, as a name or as a list of names.
    fn pointer_of_input(&self, node: &NodeConfig, i: usize) -> String {
        let fields = ["input", "inputs"].map(|field| format!("{}/{field}", node.pointer));
        let written = fields.iter().find_map(|p| Some((p, &self.root.at(p)?.content)));
        match written {
            Some((pointer, Content::List(_))) => format!("{pointer}/{i}"),
            Some((pointer, _)) => pointer.clone(),
            None => node.pointer.clone(),
        }
    }

    fn check_target(
        &self,
        node: &NodeConfig,
        field: &str,
        target: &str,
        found: &mut Vec<Diagnostic>,
    ) {
        let pointer = format!("{}/{field}", node.pointer);
        match self.by_name.get(target).map(|to| to.role) {
            None => {
                let shown = self.root.quotable(&pointer, target);
                let message = format!("the target `{shown}` of `{}` is not a node", node.name);
                let mut diagnostic = Diagnostic::error("SW0201", pointer, message);
                let others = self.names([Role::Sink, Role::Operator]);
                let others = others.filter(|name| *name != node.name);
                diagnostic.hint = suggest::hint(target, others);
                found.push(diagnostic);
            }
            Some(Role::Source) => {
                let message = format!("`{}` sends to `{target}`, which is a source", node.name);
                let hint = "send to a sink: `files`, `kafka`, …";
                found.push(Diagnostic::error("SW0210", pointer, message).with_hint(hint));
            }
            Some(Role::Operator | Role::Sink) => {}
        }
    }

    fn find_without_input(&self, found: &mut Vec<Diagnostic>) {
        let fed: BTreeSet<&str> =
            self.nodes.iter().flat_map(targets).map(|(_, target)| target).collect();
        for node in self.nodes {
            let name = node.name.as_str();
            if node.role != Role::Source && node.inputs.is_empty() && !fed.contains(name) {
                let message = format!("`{name}` has no input");
                let hint = "add `input: name of a node`, or send dead letters to it";
                found.push(Diagnostic::error("SW0211", &node.pointer, message).with_hint(hint));
            }
        }
    }

    fn find_unread(&self, found: &mut Vec<Diagnostic>) {
        let inputs = self.nodes.iter().flat_map(|node| &node.inputs);
        let read: BTreeSet<&str> = inputs.map(|input| input.node.as_str()).collect();
        for node in self.nodes {
            let name = node.name.as_str();
            if node.role != Role::Sink && !read.contains(name) {
                let message = format!("nobody reads the rows of `{name}`");
                let hint = format!("name it as the `input` of a node, or remove `{name}`");
                found.push(Diagnostic::warning("SW0205", &node.pointer, message).with_hint(hint));
            }
        }
    }

    /// The nodes that `node` waits for.
    fn feeds(&self, node: &'n NodeConfig) -> Vec<&'n NodeConfig> {
        let inputs = node.inputs.iter().map(|input| input.node.as_str());
        let senders = self.nodes.iter().filter(|from| targets(from).any(|(_, to)| to == node.name));
        let inputs = inputs.filter_map(|name| self.by_name.get(name).copied());
        inputs.chain(senders).collect()
    }

    /// One circle, as the way along it.
    fn find_circle(&self) -> Option<Diagnostic> {
        let mut done = BTreeSet::new();
        for node in self.nodes {
            let mut way = Vec::new();
            if let Some(start) = self.walk(node, &mut way, &mut done) {
                let circle = way.get(start..).unwrap_or_default();
                let first = circle.first()?;
                let mut names: Vec<_> = circle.iter().rev().map(|n| n.name.as_str()).collect();
                names.insert(0, &first.name);
                let message = format!("nodes feed each other in a circle: {}", names.join(" → "));
                let hint = "remove one of these inputs; a topology flows one way";
                return Some(Diagnostic::error("SW0202", &first.pointer, message).with_hint(hint));
            }
        }
        None
    }

    /// Follows the inputs without recursion deeper than the number of nodes; returns where on the
    /// way a circle begins.
    fn walk(
        &self,
        node: &'n NodeConfig,
        way: &mut Vec<&'n NodeConfig>,
        done: &mut BTreeSet<&'n str>,
    ) -> Option<usize> {
        let mut open = vec![(node, self.feeds(node))];
        way.push(node);
        while let Some((current, feeds)) = open.last_mut() {
            let Some(next) = feeds.pop() else {
                done.insert(&current.name);
                open.pop();
                way.pop();
                continue;
            };
            if let Some(start) = way.iter().position(|on_way| on_way.name == next.name) {
                return Some(start);
            }
            if !done.contains(next.name.as_str()) {
                open.push((next, self.feeds(next)));
                way.push(next);
            }
        }
        None
    }
}
