//! The snippets of the operators' guide are topologies that plan.

use std::fs;

use swiftwater_config::Environment;
use swiftwater_engine::{Plan, Registry};

struct Nothing;

impl Environment for Nothing {
    fn var(&self, _name: &str) -> Option<String> {
        None
    }

    fn secret_file(&self, path: &str) -> Result<String, String> {
        Err(format!("a guide needs no `{path}`"))
    }
}

const SOURCES: &str = "name: guide
sources:
  bids: {generate: {preset: bids, rate: 1000}}
  web: {generate: {preset: bids, rate: 1000}}
  app: {generate: {preset: bids, rate: 1000}}
";

/// The YAML blocks of a guide.
fn blocks(markdown: &str) -> Vec<&str> {
    let parts = markdown.split("```yaml\n").skip(1);
    parts.filter_map(|part| part.split("```").next()).collect()
}

/// A whole topology of a block: of operators alone, each is read by a sink.
fn whole(block: &str) -> String {
    if block.starts_with("operators:") {
        return format!("{SOURCES}{block}");
    }
    let indented: Vec<_> = block.lines().map(|line| format!("  {line}\n")).collect();
    let names = block.lines().filter(|line| !line.starts_with(' '));
    let names = names.filter_map(|line| line.split_once(':')).map(|(name, _)| name);
    let sinks: Vec<_> =
        names.map(|name| format!("  to_{name}: {{input: {name}, blackhole: {{}}}}\n")).collect();
    format!("{SOURCES}operators:\n{}sinks:\n{}", indented.concat(), sinks.concat())
}

#[test]
fn every_snippet_of_the_operators_guide_plans() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide/operators.md");
    let guide = fs::read_to_string(path).unwrap();
    let mut registry = Registry::new();
    swiftwater_connectors::register(&mut registry);
    swiftwater_operators::register(&mut registry);
    let blocks = blocks(&guide);
    let mut planned = 0;
    for block in blocks.iter().filter(|block| !block.starts_with("sources:")) {
        let text = whole(block);
        let loaded = swiftwater_config::parse(&text, &registry.kinds(), &Nothing);
        let loaded = loaded.unwrap_or_else(|e| panic!("{e}\n{text}"));
        Plan::new(loaded.topology, &registry).unwrap_or_else(|e| panic!("{e}\n{text}"));
        planned += 1;
    }
    assert!(planned >= 9, "each operator has a snippet, found {planned}");
}

/// The sources and operators of all blocks as one topology.
fn joined(blocks: &[&str]) -> String {
    let (mut sources, mut operators, mut sinks) = (String::new(), String::new(), String::new());
    let mut in_sources = false;
    for line in blocks.iter().flat_map(|block| block.lines()) {
        match line {
            "sources:" => in_sources = true,
            "operators:" => in_sources = false,
            _ if in_sources => sources += &format!("{line}\n"),
            _ => {
                let name = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '));
                if let Some((name, _)) = name.and_then(|rest| rest.split_once(':')) {
                    sinks += &format!("  to_{name}: {{input: {name}, blackhole: {{}}}}\n");
                }
                operators += &format!("{line}\n");
            }
        }
    }
    format!("name: guide\nsources:\n{sources}operators:\n{operators}sinks:\n{sinks}")
}

#[test]
fn the_guide_to_joins_is_a_topology() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide/joins.md");
    let guide = fs::read_to_string(path).unwrap();
    let mut registry = Registry::new();
    swiftwater_connectors::register(&mut registry);
    swiftwater_operators::register(&mut registry);
    let text = joined(&blocks(&guide));
    let loaded = swiftwater_config::parse(&text, &registry.kinds(), &Nothing);
    let loaded = loaded.unwrap_or_else(|e| panic!("{e}\n{text}"));
    let plan = Plan::new(loaded.topology, &registry).unwrap_or_else(|e| panic!("{e}\n{text}"));
    for kind in ["deduplicate", "lag", "top", "join"] {
        assert!(plan.nodes.iter().any(|n| n.config.kind == kind), "the guide shows a `{kind}`");
    }
}
