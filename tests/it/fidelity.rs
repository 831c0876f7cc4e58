//! The command `fidelity` against SDMetrics 0.32.0 on the same files, and as its user meets it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{oracle, swiftwater};

/// What `fidelity` prints as JSON.
fn report(directory: &Path, arguments: &[&str]) -> Value {
    let arguments = [&["fidelity"], arguments, &["--json"]].concat();
    let output = swiftwater(directory, &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn near(what: &str, ours: &Value, theirs: &Value) {
    match (ours.as_f64(), theirs.as_f64()) {
        (Some(a), Some(b)) => assert!((a - b).abs() < 1e-9, "{what}: {a}, SDMetrics {b}"),
        (None, None) => {}
        _ => panic!("{what}: {ours}, SDMetrics {theirs}"),
    }
}

fn columns_are_the_same(table: &str, quality: &Value, theirs: &Value) {
    let columns = quality["columns"].as_array().expect("columns");
    assert_eq!(columns.len(), theirs["counting"]["columns"].as_object().unwrap().len());
    for column in columns {
        let name = column["column"].as_str().unwrap();
        let what = format!("{table}, {name}");
        near(&what, &column["score"], &theirs["counting"]["columns"][name]);
        near(&what, &column["missing_value_similarity"], &theirs["missing"][name]);
    }
}

fn pairs_are_the_same(table: &str, quality: &Value, theirs: &Value) {
    let pairs = quality["pairs"].as_array().expect("pairs");
    assert_eq!(pairs.len(), theirs["all"]["pairs"].as_object().unwrap().len());
    for pair in pairs {
        let key =
            format!("{}|{}", pair["first"].as_str().unwrap(), pair["second"].as_str().unwrap());
        let what = format!("{table}, {key}");
        let (counting, all) = (&theirs["counting"]["pairs"][&key], &theirs["all"]["pairs"][&key]);
        assert_eq!(pair["counts"], counting["counts"], "{what}");
        assert_eq!(pair["metric"], all["metric"], "{what}");
        near(&what, &pair["score"], &all["score"]);
        if counting["counts"] == true {
            near(&what, &pair["score"], &counting["score"]);
        }
        if !counting["real"].is_null() {
            near(&what, &pair["real"], &counting["real"]);
        }
        if let Some(score) = theirs["at_real_edges"].get(&key) {
            near(&what, &pair["score_at_real_edges"], score);
        }
    }
}

#[test]
fn scores_are_those_of_sdmetrics() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().to_str().unwrap();
    let tables = oracle("fidelity_scores.py", &["make", path], "");
    let scores = oracle("fidelity_scores.py", &["score", path], "");
    let tables: Vec<String> = serde_json::from_value(tables).unwrap();
    assert_eq!(tables.len(), 3);
    for table in tables {
        let (real, synthetic) =
            (format!("real_{table}.parquet"), format!("synthetic_{table}.parquet"));
        let found = report(directory.path(), &[&real, &synthetic]);
        let (quality, theirs) = (&found["quality"], &scores[&table]);
        near(&table, &quality["score"], &theirs["counting"]["score"]);
        near(&table, &quality["column_shapes"], &theirs["counting"]["shapes"]);
        near(&table, &quality["column_pair_trends"], &theirs["counting"]["trends"]);
        near(&table, &quality["all_pair_trends"], &theirs["all"]["trends"]);
        columns_are_the_same(&table, quality, theirs);
        pairs_are_the_same(&table, quality, theirs);
    }
    // The table that comes with SDMetrics, whose score is known.
    let golden = scores["placements"]["counting"]["score"].as_f64().unwrap();
    assert!((golden - 0.776_727).abs() < 1e-6, "{golden}");
}

#[test]
fn distances_are_those_of_sdmetrics() {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().to_str().unwrap();
    oracle("fidelity_scores.py", &["make", path, "400"], "");
    let scores = oracle("fidelity_scores.py", &["score", path], "");
    for table in ["mixed", "small"] {
        let file = |side: &str| format!("{side}_{table}.parquet");
        let (real, synthetic, holdout) = (file("real"), file("synthetic"), file("holdout"));
        let arguments = [real.as_str(), &synthetic, "--holdout", &holdout];
        let found = report(directory.path(), &arguments);
        for figure in ["median_to_real", "overfitting_protection"] {
            let what = format!("{table}, {figure}");
            near(&what, &found["closeness"][figure], &scores[table]["distances"][figure]);
        }
    }
}

/// Rows of two columns as lines of JSON; in the rows `whole` the second column follows the first.
fn lines(rows: u64, salt: u64, whole: impl Fn(u64) -> bool) -> String {
    let word = |row: u64, draw: u64| {
        let mixed = (row * 2 + draw + salt * 1_000_003).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33
    };
    let line = |row: u64| {
        let first = word(row, 0) % 5;
        let second = if whole(row) { first } else { word(row, 1) % 5 };
        format!("{{\"a\":\"x{first}\",\"b\":\"y{second}\",\"n\":{}}}\n", word(row, 2) % 1000)
    };
    (0..rows).map(line).collect()
}

fn write(directory: &Path, files: &[(&str, String)]) {
    for (name, text) in files {
        std::fs::write(directory.join(name), text).unwrap();
    }
}

#[test]
fn the_normalised_score_runs_from_independent_columns_to_the_real_rows() {
    let directory = TempDir::new().unwrap();
    let real = |salt| lines(4000, salt, |row| row % 10 < 8);
    let files = [
        ("real.json", real(1)),
        ("again.json", real(2)),
        ("half.json", lines(4000, 3, |row| row % 10 < 4)),
        ("loose.json", lines(4000, 4, |_| false)),
    ];
    write(directory.path(), &files);
    let place = |synthetic| {
        let found = report(directory.path(), &["real.json", synthetic, "--target", "a"]);
        (found["baselines"]["quality"]["normalised"].as_f64().unwrap(), found)
    };
    let (again, (half, _), (loose, found)) =
        (place("again.json").0, place("half.json"), place("loose.json"));
    assert!((again - 1.0).abs() < 0.08, "{again}");
    assert!((0.35..0.65).contains(&half), "{half}");
    assert!(loose.abs() < 0.08, "{loose}");
    // What is lost is lost to models, too.
    let ratio = found["utility"]["ratio"].as_f64().unwrap();
    assert!(ratio < 0.2, "{ratio}");
    let least = ["fidelity", "real.json", "loose.json", "--least", "0.5"];
    let output = swiftwater(directory.path(), &least);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("reach a normalised score of 0.5"));
}

#[test]
fn the_page_is_whole_and_the_same_for_the_same_seed() {
    let directory = TempDir::new().unwrap();
    let real = lines(500, 1, |row| row % 10 < 8).replace("x1", "<b>&x1");
    let twin = lines(400, 2, |row| row % 10 < 7).replace("x1", "<b>&x1");
    write(directory.path(), &[("real.json", real), ("twin.json", twin)]);
    let page = |name: &str| {
        let arguments = ["fidelity", "real.json", "twin.json", "--target", "b", "--html", name];
        let output = swiftwater(directory.path(), &arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read_to_string(directory.path().join(name)).unwrap()
    };
    let first = page("one.html");
    assert_eq!(first, page("two.html"));
    assert!(first.starts_with("<!doctype html>") && first.trim_end().ends_with("</html>"));
    assert!(first.contains("&lt;b&gt;&amp;x1") && !first.contains("<b>&x1"));
    for foreign in ["http://", "https://", "<script", "NaN", "inf"] {
        assert!(!first.contains(foreign), "{foreign}");
    }
    let count = |tag: &str| first.matches(tag).count();
    for (open, close) in [("<svg", "</svg>"), ("<section", "</section>"), ("<div", "</div>")] {
        assert_eq!(count(open), count(close), "{open}");
    }
}

#[test]
fn mistakes_are_told_with_their_cure() {
    let directory = TempDir::new().unwrap();
    write(
        directory.path(),
        &[("real.json", lines(50, 1, |_| true)), ("other.csv", "z\n1\n".into())],
    );
    let mistakes: BTreeMap<&str, Vec<&str>> = BTreeMap::from([
        ("no file is there", vec!["real.json", "missing.json"]),
        ("compare the column `q`", vec!["real.json", "real.json", "--columns", "q"]),
        ("predict the column `q`", vec!["real.json", "real.json", "--target", "q"]),
        ("find a column that both sides have", vec!["real.json", "other.csv"]),
        ("it lies from 0 to 1", vec!["real.json", "real.json", "--association-threshold", "3"]),
        ("--canaries-out", vec!["real.json", "real.json", "--canaries-in", "real.json"]),
    ]);
    for (expected, arguments) in mistakes {
        let output = swiftwater(directory.path(), &[vec!["fidelity"], arguments].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(expected), "{expected} is not in {stderr}");
    }
}
