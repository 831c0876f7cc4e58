//! The catalogue of codes and the codes that the crate reports are the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use swiftwater_config::{CODES, explain};

/// Codes in the sources under `folder`, apart from the catalogue itself and from tests.
fn used(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            used(&path, codes);
        } else if name.ends_with(".rs") && name != "codes.rs" && name != "tests.rs" {
            let text = fs::read_to_string(&path).unwrap();
            let product = text.split("#[cfg(test)]").next().unwrap_or_default();
            let found = product.match_indices("\"SW0").map(|(at, _)| &product[at + 1..at + 7]);
            codes.extend(found.map(str::to_owned));
        }
    }
}

#[test]
fn every_code_is_explained_and_every_explanation_is_used() {
    let mut codes = BTreeSet::new();
    used(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut codes);
    let known: Vec<_> = CODES.iter().map(|(code, _, _)| (*code).to_owned()).collect();
    assert!(known.is_sorted_by(|a, b| a < b), "in order and without doubles");
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), known);
    let (summary, cure) = explain("sw0107").unwrap();
    assert!(summary.contains("option") && cure.contains("describe"));
    assert_eq!(explain("SW9999"), None);
}
