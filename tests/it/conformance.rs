//! Every kind and format of the program keeps the rules that all of them share.

use swiftwater_engine::Registry;
use swiftwater_engine::testing::conformance;

#[test]
fn every_kind_keeps_the_rules_of_all_kinds() {
    let mut registry = Registry::new();
    swiftwater_connectors::register(&mut registry);
    swiftwater_operators::register(&mut registry);
    let problems = conformance::check(&registry);
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}
