//! Every error code that the product reports is explained, and every explanation is of one.

use std::collections::BTreeSet;

use crate::architecture::source::{Source, sources};

/// The pages of `swiftwater explain`; `docs_current` holds them to the program.
const EXPLAINED: &str = include_str!("../../docs/reference/errors.md");

fn is_code(word: &str) -> bool {
    let digits = word.strip_prefix("SW").unwrap_or_default();
    digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a file is part of the product and more than explanations.
fn reports(source: &Source) -> bool {
    let path = source.path.as_str();
    let crates = ["config/src/", "engine/src/", "operators/src/", "connectors/src/", "src/"];
    let other = ["/tests/", "/tests.rs", "/testing/", "/test_node.rs", "src/codes"];
    crates.iter().any(|start| path.starts_with(start))
        && !other.iter().any(|part| path.contains(part))
        && path != "config/src/codes.rs"
}

/// Codes that the product reports, which stand as literals where they are.
fn reported() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for source in sources().iter().filter(|source| reports(source)) {
        let product = source.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        codes.extend(product.split('"').filter(|word| is_code(word)).map(str::to_owned));
    }
    codes
}

#[test]
fn codes_that_are_reported_and_codes_that_are_explained_are_the_same() {
    let words = EXPLAINED.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| is_code(word));
    let explained: BTreeSet<String> = words.map(str::to_owned).collect();
    let reported = reported();
    assert!(reported.len() > 100, "{reported:?}");
    let rows = EXPLAINED.lines().filter_map(|line| line.strip_prefix("| SW")?.get(..4));
    let mut seen = BTreeSet::new();
    let twice: Vec<_> = rows.filter(|code| !seen.insert(*code)).collect();
    assert!(twice.is_empty(), "explained more than once: {twice:?}");
    let missing: Vec<_> = reported.difference(&explained).collect();
    assert!(missing.is_empty(), "without an explanation in src/codes: {missing:?}");
    let idle: Vec<_> = explained.difference(&reported).collect();
    assert!(idle.is_empty(), "explained and never reported: {idle:?}");
}
