//! Kinds that hints speak of and that this version does not have yet.

const PLANNED: [&str; 1] = ["lookup"];

/// The hint, and which of the kinds it names are yet to come.
pub(crate) fn told(hint: &str) -> String {
    let named = PLANNED.iter().map(|kind| format!("`{kind}`")).filter(|kind| hint.contains(kind));
    let named: Vec<_> = named.collect();
    match named.as_slice() {
        [] => hint.to_owned(),
        named => format!("{hint} (this version has no {} yet)", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use swiftwater_config::Role;
    use swiftwater_engine::Registry;

    use super::*;

    #[test]
    fn what_is_there_is_not_announced() {
        let mut registry = Registry::new();
        crate::register(&mut registry);
        for kind in PLANNED {
            assert!(registry.manual(Role::Operator, kind).is_none(), "take `{kind}` off the list");
        }
        assert_eq!(told("use a `filter`"), "use a `filter`");
        assert_eq!(told("use a `lookup`"), "use a `lookup` (this version has no `lookup` yet)");
    }
}
