//! Which files the compiler sees: those a crate's root declares with `mod`, and so on down.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, code};

/// Files that are the root of a crate or of a build script.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["build.rs"] | [_, "build.rs"] => true,
        [.., "src", "lib.rs" | "main.rs"] => true,
        ["tests", _, "main.rs"] | [_, "tests", _, "main.rs"] => true,
        [.., "examples" | "benches", file] => file.ends_with(".rs"),
        [_, "tests", file] => file.ends_with(".rs"),
        _ => false,
    }
}

/// Modules without a body that a file declares: name, and the path an attribute gives it.
fn declared(text: &str) -> Vec<(String, Option<String>)> {
    let mut path = None;
    let mut modules = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(attribute) = line.strip_prefix("#[path = \"") {
            path = attribute.split('"').next().map(str::to_owned);
        }
        let bare = code(line);
        let words: Vec<&str> = bare.split([' ', '(', ')']).filter(|w| !w.is_empty()).collect();
        if let [.., "mod", name] = words.as_slice()
            && let Some(name) = name.strip_suffix(';')
        {
            modules.push((name.to_owned(), path.take()));
        }
    }
    modules
}

/// `a/b/../c` without the detour.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Paths of all files that a root reaches.
pub(super) fn reachable(all: &[Source]) -> BTreeSet<String> {
    let by_path: BTreeMap<&str, &Source> =
        all.iter().map(|source| (source.path.as_str(), source)).collect();
    let mut open: Vec<&Source> = all.iter().filter(|source| is_root(&source.path)).collect();
    let mut seen = BTreeSet::new();
    while let Some(source) = open.pop() {
        if !seen.insert(source.path.clone()) {
            continue;
        }
        let (directory, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
        let stem = file.trim_end_matches(".rs");
        let folder = if is_root(&source.path) || stem == "mod" {
            directory.to_owned()
        } else {
            format!("{directory}/{stem}")
        };
        for (name, attribute) in declared(&source.text) {
            let places = match attribute {
                Some(path) => vec![format!("{directory}/{path}")],
                None => vec![format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")],
            };
            open.extend(places.iter().filter_map(|place| by_path.get(normal(place).as_str())));
        }
    }
    seen
}
