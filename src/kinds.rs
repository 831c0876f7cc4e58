//! The kinds of this binary: what operators and connectors register, as one registry.

use swiftwater_config::{Kinds, Role};
use swiftwater_engine::Registry;

/// Every source, operator, sink and message format that a topology can use.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::new();
    swiftwater_connectors::register(&mut registry);
    swiftwater_operators::register(&mut registry);
    registry
}

/// The names of all kinds and formats with the schemas of their options, to check a file against.
pub(crate) fn of(registry: &Registry) -> Kinds {
    let mut kinds = Kinds::default();
    for manual in registry.manuals() {
        let section = match manual.role {
            Role::Source => &mut kinds.sources,
            Role::Operator => &mut kinds.operators,
            Role::Sink => &mut kinds.sinks,
        };
        section.insert(manual.kind.to_owned(), manual.schema.clone());
    }
    for format in registry.formats() {
        let name = format.name.to_owned();
        kinds.formats.insert(name, format.schema.clone());
    }
    kinds
}

/// The name that `name` was probably meant to be.
pub(crate) fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let near = names.iter().map(|n| (strsim::damerau_levenshtein(name, n), *n));
    let (distance, near) = near.min()?;
    (distance <= 1 + name.chars().count() / 4).then_some(near)
}
