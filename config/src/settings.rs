//! The topology's own settings where each is right by itself: do they make sense together, and do
//! its tests name nodes that exist?

use crate::diagnostic::Diagnostic;
use crate::document::join;
use crate::fields::TopologyFields;
use crate::suggest;
use crate::topology::{NodeConfig, Role, TestConfig};
use crate::units::Duration;

/// What is wrong with the settings and the tests.
pub(crate) fn check(fields: &TopologyFields, nodes: &[NodeConfig]) -> Vec<Diagnostic> {
    let mut found = tests(&fields.tests, nodes);
    let positive = [
        ("checkpoint/interval", fields.checkpoint.interval),
        ("retry/initial", fields.retry.initial),
        ("retry/max", fields.retry.max),
    ];
    let shortest = Duration::from_millis(1);
    for (field, given) in positive.into_iter().filter(|(_, given)| *given < shortest) {
        let name = field.replace('/', ".");
        let message = format!("`{name}` expects at least `{shortest}`, not `{given}`");
        found.push(Diagnostic::error("SW0112", format!("/{field}"), message));
    }
    let (initial, max) = (fields.retry.initial, fields.retry.max);
    if initial > max {
        let message = format!("`retry.initial` is `{initial}`, longer than `retry.max`, `{max}`");
        let hint = "the pause begins with `initial` and doubles up to `max`";
        found.push(Diagnostic::error("SW0112", "/retry", message).with_hint(hint));
    }
    found
}

/// Tests that name nodes which do not exist or have another role.
fn tests(tests: &[TestConfig], nodes: &[NodeConfig]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (i, test) in tests.iter().enumerate() {
        let sides = [
            ("input", Role::Source, test.input.keys().collect::<Vec<_>>()),
            ("expect", Role::Sink, test.expect.keys().collect()),
        ];
        for (field, role, names) in sides {
            let fits = |node: &&NodeConfig| node.role == role;
            let known: Vec<_> = nodes.iter().filter(fits).map(|node| node.name.as_str()).collect();
            for name in names.into_iter().filter(|name| !known.contains(&name.as_str())) {
                let pointer = join(&format!("/tests/{i}/{field}"), name);
                let singular = role.section().trim_end_matches('s');
                let message = format!("the test names `{name}`, which is not a {singular}");
                let mut diagnostic = Diagnostic::error("SW0213", pointer, message);
                diagnostic.hint = suggest::hint(name, known.iter().copied());
                found.push(diagnostic);
            }
        }
    }
    found
}
