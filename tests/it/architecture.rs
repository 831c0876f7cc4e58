//! The house rules as far as a program can check them: who depends on whom, how files look, what
//! code may not do. A rule that fails says which file and why.

mod modules;
pub(crate) mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use source::{ROOT, Source, sources};

/// Fails with all findings at once.
fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

/// Names of the dependencies of one kind (`dependencies`, `dev-dependencies`) in a manifest.
fn dependencies(manifest: &str, kind: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new(ROOT).join(manifest)).unwrap();
    let heading = format!("[{kind}]");
    let section = text.split("\n[").map(|section| format!("[{section}"));
    let name = |line: &str| line.split_once('=').map(|(name, _)| name.trim().to_owned());
    section
        .filter(|section| section.starts_with(&heading))
        .flat_map(|section| section.lines().filter_map(name).collect::<Vec<_>>())
        .collect()
}

#[test]
fn crates_depend_in_one_direction() {
    let allowed = BTreeMap::from([
        ("config", vec![]),
        ("engine", vec!["config"]),
        ("operators", vec!["config", "engine"]),
        ("connectors", vec!["config", "engine"]),
    ]);
    let mut findings = Vec::new();
    for (member, may) in &allowed {
        for kind in ["dependencies", "dev-dependencies"] {
            let manifest = format!("{member}/Cargo.toml");
            for name in dependencies(&manifest, kind) {
                let ours = name.strip_prefix("swiftwater-");
                if ours.is_some_and(|ours| !may.contains(&ours)) {
                    findings.push(format!("{manifest} names {name} in {kind}"));
                }
                let owner = match name.as_str() {
                    // Snapshots of the engine live in object stores too.
                    "object_store" if *member == "engine" => continue,
                    "rdkafka" | "object_store" | "reqwest" | "parquet" => "connectors",
                    _ if name.starts_with("datafusion") => "operators",
                    _ => continue,
                };
                if owner != *member && kind == "dependencies" {
                    findings.push(format!("{manifest} names {name}, which is for {owner}"));
                }
            }
        }
    }
    let config = dependencies("config/Cargo.toml", "dependencies");
    for heavy in ["arrow", "tokio"].iter().filter(|name| config.contains(**name)) {
        findings.push(format!("config/Cargo.toml names {heavy}: config is pure data"));
    }
    assert!(
        dependencies("engine/Cargo.toml", "dependencies").contains("swiftwater-config"),
        "the manifests are read as they are written"
    );
    assert_none("crates that look the wrong way", &findings);
}

#[test]
fn one_version_of_what_types_pass_through() {
    let lock = fs::read_to_string(Path::new(ROOT).join("Cargo.lock")).unwrap();
    for name in
        ["arrow", "arrow-array", "arrow-schema", "object_store", "parquet", "rdkafka", "reqwest"]
    {
        let line = format!("name = \"{name}\"");
        let versions = lock.lines().filter(|l| **l == line).count();
        assert_eq!(versions, 1, "Cargo.lock holds {versions} versions of {name}");
    }
}

/// Name and version of the packages of a lock file.
fn locked(path: &str) -> BTreeSet<(String, String)> {
    let lock = fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
    let value = |line: &str, key: &str| Some(line.strip_prefix(key)?.trim_matches('"').to_owned());
    let lines: Vec<&str> = lock.lines().collect();
    let packages = lines
        .windows(2)
        .filter_map(|pair| Some((value(pair[0], "name = ")?, value(pair[1], "version = ")?)));
    packages.collect()
}

/// What streams are compared with is of the versions that they are made of.
#[test]
fn the_comparison_with_batch_sql_has_our_versions() {
    let (ours, theirs) = (locked("Cargo.lock"), locked("tests/batch/Cargo.lock"));
    let shared = |name: &str| ours.iter().any(|(n, _)| n == name);
    let is_theirs = |name: &str| name.starts_with("arrow") || name.starts_with("datafusion");
    let findings: Vec<String> = theirs
        .iter()
        .filter(|package| is_theirs(&package.0) && shared(&package.0) && !ours.contains(package))
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    assert!(theirs.iter().any(|(name, _)| name == "datafusion"), "the lock file is read");
    assert_none("tests/batch/Cargo.lock has other versions", &findings);
}

/// Lines before the inline tests.
fn lines_of_product(source: &Source) -> usize {
    source.text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count()
}

#[test]
fn files_are_introduced_and_not_too_long() {
    let mut findings = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//! ") {
            findings.push(format!("{} does not open with `//!`", source.path));
        }
        let lines = lines_of_product(&source);
        if lines > 400 {
            findings.push(format!("{} has {lines} lines before its tests", source.path));
        }
    }
    assert_none("files outside the house style", &findings);
}

#[test]
fn files_are_named_for_what_they_hold() {
    let banned = ["util", "utils", "common", "helper", "helpers", "misc", "types", "manager"];
    let findings: Vec<String> = sources()
        .into_iter()
        .map(|source| source.path)
        .filter(|path| path.trim_end_matches(".rs").split('/').any(|part| banned.contains(&part)))
        .collect();
    assert_none("names that say nothing", &findings);
}

/// Constructors of queues without a bound in `code`.
fn unbounded_queues(code: &str) -> Vec<String> {
    // Code as one line without blanks, so that a call broken over lines is found too.
    let code: String = code.split_whitespace().collect();
    let named = ["unbounded(", "unbounded::<", "unbounded_channel", "flume::", "SegQueue"];
    let mut found: Vec<String> = named
        .iter()
        .filter(|name| {
            code.match_indices(**name).any(|(at, _)| {
                // `is_unbounded(` is somebody's own function.
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
            })
        })
        .map(|name| (*name).to_owned())
        .collect();
    // `channel(bound)` of tokio is bounded, `channel()` of std is not.
    for (at, _) in code.match_indices("channel") {
        let mut call = &code[at + "channel".len()..];
        if let Some(turbofish) = call.strip_prefix("::<") {
            call = turbofish.split_once(">(").map_or("", |(_, rest)| rest);
            if call.starts_with(')') {
                found.push("channel::<_>()".to_owned());
            }
        } else if call.starts_with("()") {
            found.push("channel()".to_owned());
        }
    }
    found
}

#[test]
fn no_queue_is_unbounded() {
    let hidden = [
        "let (a, b) = crossbeam_channel::unbounded();",
        "let (a, b) = std::sync::mpsc::channel();",
        "mpsc::channel::<Vec<u8>>()",
        "tokio::sync::mpsc::unbounded_channel()",
        "futures::channel::mpsc::unbounded::<u8>()",
        "flume::bounded(3)",
    ];
    for sample in hidden {
        assert!(!unbounded_queues(sample).is_empty(), "{sample} was not found");
    }
    for sample in ["mpsc::channel(8)", "oneshot::channel::<()>", "bounded(1)", "sync_channel(0)"] {
        assert_eq!(unbounded_queues(sample), [""; 0], "{sample}");
    }
    let findings: Vec<String> = sources()
        .iter()
        .flat_map(|source| {
            let queues = unbounded_queues(&source.code());
            queues.into_iter().map(move |queue| format!("{}: {queue}", source.path))
        })
        .collect();
    assert_none("queues without a bound hide back-pressure", &findings);
}

#[test]
fn unsafe_code_is_in_one_place() {
    let findings: Vec<String> = sources()
        .iter()
        .filter(|source| {
            let path = source.path.as_str();
            path != "connectors/src/kafka/ffi.rs" && !path.starts_with("connectors/src/kafka/ffi/")
        })
        .filter(|source| {
            source
                .code()
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| word == "unsafe")
        })
        .map(|source| source.path.clone())
        .collect();
    assert_none("unsafe outside of the module connectors/src/kafka/ffi", &findings);
}

#[test]
fn every_file_is_compiled() {
    let all = sources();
    let compiled = modules::reachable(&all);
    let findings: Vec<String> =
        all.into_iter().map(|source| source.path).filter(|path| !compiled.contains(path)).collect();
    assert_none("files that no `mod` declares", &findings);
}

/// Targets of the Markdown links in `text` that are files of the repository.
fn linked_files(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut findings = Vec::new();
    let mut links = 0;
    for path in source::files("md") {
        let text = fs::read_to_string(&path).unwrap();
        for target in linked_files(&text) {
            links += 1;
            if !path.with_file_name(target).exists() {
                findings.push(format!("{} links to {target}", path.display()));
            }
        }
    }
    assert!(links > 0, "no link was found");
    assert_none("links to files that are not there", &findings);
}
