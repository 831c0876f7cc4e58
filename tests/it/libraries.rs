//! Features of random rows against pandas, scikit-learn, scipy and river: what an operator gives for a row is what a
//! library tells of the rows before it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{oracle, python};

const ORACLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle");

/// How many seeds are tried: `SWIFTWATER_TEST_SEEDS=20` looks longer than a push can wait.
fn seeds() -> u64 {
    std::env::var("SWIFTWATER_TEST_SEEDS").map_or(1, |seeds| seeds.parse().unwrap())
}

/// Runs `NAME.yaml` over what `NAME.py` makes of a seed, and lets it compare: each feature has values enough, and none
/// differs by more than rounding.
fn compare(name: &str, seed: u64, features: usize) {
    let directory = TempDir::new().unwrap();
    let here = directory.path().to_str().unwrap();
    let script = Path::new(ORACLE).join(format!("{name}.py"));
    let made = Command::new(python())
        .arg(&script)
        .args(["make", here, &seed.to_string()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let file = format!("{name}.yaml");
    fs::copy(Path::new(ORACLE).join(&file), directory.path().join(&file)).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_swiftwater"))
        .args(["run", &file, "--http", "off"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));

    let found = oracle(&format!("{name}.py"), &["compare", here], "");
    let found = found.as_object().unwrap();
    assert_eq!(found.len(), features, "{:?}", found.keys().collect::<Vec<_>>());
    for (feature, differs) in found {
        // Beside 10 million, the doubles themselves are 2e-9 apart.
        let most = if feature.ends_with("far_std") { 1e-8 } else { 1e-12 };
        let worst = differs["worst"].as_f64().unwrap();
        assert!(worst < most, "seed {seed}, {feature}: {differs}");
        assert!(differs["values"].as_u64() > Some(20), "seed {seed}, {feature}: {differs}");
    }
}

#[test]
fn aggregates_are_those_of_pandas_and_scipy() {
    for seed in 1..=seeds() {
        compare("aggregates", seed, 53);
    }
}

#[test]
fn what_is_learned_is_what_scikit_learn_and_river_learn() {
    for seed in 1..=seeds() {
        compare("learned", seed, 23);
    }
}
