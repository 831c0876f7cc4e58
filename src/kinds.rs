//! The kinds of this binary: what operators and connectors register, as one registry.

use swiftwater_engine::Registry;

/// Every source, operator, sink and message format that a topology can use.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::new();
    swiftwater_connectors::register(&mut registry);
    swiftwater_operators::register(&mut registry);
    registry
}

/// The name that `name` was probably meant to be.
pub(crate) fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let near = names.iter().map(|n| (strsim::damerau_levenshtein(name, n), *n));
    let (distance, near) = near.min()?;
    (distance <= 1 + name.chars().count() / 4).then_some(near)
}
