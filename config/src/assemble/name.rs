//! Names: of the topology, of nodes, and the times in tests.

use serde_json::Value;

use super::Assembler;
use crate::diagnostic::Diagnostic;
use crate::document::{Entry, join};
use crate::topology::Role;
use crate::units::Duration;

/// Longer names do not fit into the names of consumer groups and metrics of other systems.
const LONGEST: usize = 100;

impl Assembler<'_, '_> {
    pub(super) fn check_topology_name(&mut self, name: Option<&Value>) {
        let Some(name) = name.and_then(Value::as_str) else {
            return;
        };
        if !is_name(name, "_-") {
            let message = "the name of a topology is lowercase letters, digits, `_` and `-`, with a letter first";
            self.report(Diagnostic::error("SW0117", "/name", message));
        }
    }

    pub(super) fn check_node_name(&mut self, role: Role, entry: &Entry) {
        let pointer = join(&format!("/{}", role.section()), &entry.key);
        let at = entry.key_span.start;
        if !is_name(&entry.key, "_") {
            let message = format!("`{}` cannot be the name of a node", entry.key);
            let mut hint =
                "names are lowercase letters, digits and `_`, with a letter first".into();
            let mended = mend(&entry.key);
            if is_name(&mended, "_") {
                hint = format!("{hint}: `{mended}`");
            }
            let diagnostic = Diagnostic::error("SW0117", pointer, message).with_hint(hint);
            self.report(diagnostic.at(at));
        } else if let Some(first) = self.nodes.iter().find(|node| node.name == entry.key) {
            let message = format!("`{}` is the name of two nodes", entry.key);
            let hint = format!("the other one is in `{}`; rename one", first.role.section());
            let diagnostic = Diagnostic::error("SW0118", pointer, message).with_hint(hint);
            self.report(diagnostic.at(at));
        }
    }

    /// The `at` of a test's row is a duration since the start of the test.
    pub(super) fn check_test_times(&mut self, tests: Option<&Value>) {
        let tests = tests.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (i, test) in tests.iter().enumerate() {
            let inputs = test.get("input").and_then(Value::as_object);
            for (source, rows) in inputs.into_iter().flatten() {
                let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
                for (j, row) in rows.iter().enumerate() {
                    let Some(at) = row.get("at") else {
                        continue;
                    };
                    let read = at.as_str().map(str::parse::<Duration>);
                    if !matches!(read, Some(Ok(_))) {
                        let pointer = join(&format!("/tests/{i}/input"), source);
                        let pointer = format!("{pointer}/{j}/at");
                        let message = "`at` expects a duration such as `250ms` or `4s`";
                        let diagnostic = Diagnostic::error("SW0109", pointer, message);
                        self.report(diagnostic.with_hint("it counts from the start of the test"));
                    }
                }
            }
        }
    }
}

fn is_name(name: &str, marks: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= LONGEST
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || marks.contains(c))
}

/// `BidFilter-2` → `bid_filter_2`.
fn mend(name: &str) -> String {
    let mut mended = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && mended.ends_with(|p: char| p.is_ascii_lowercase()) {
            mended.push('_');
        }
        mended.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    mended
}
