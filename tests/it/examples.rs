//! The examples of `config/examples/` as their pages tell: events, a training set, a model, and scores in the
//! stream, which must be those that scikit-learn gives for the rows of the training set.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{oracle, python};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples");

/// A process that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// `serve.py` with a model, at a port that it chose, and its address.
fn serve(directory: &Path, model: &str) -> (Server, String) {
    let mut child = Command::new(python())
        .arg(Path::new(EXAMPLES).join("serve.py"))
        .args([model, "0"])
        // Threads for a handful of rows wait for each other more than they compute.
        .env("OMP_NUM_THREADS", "1")
        .current_dir(directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let server = Server(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let (_, address) = line.trim().split_once(" at ").unwrap_or_else(|| panic!("said `{line}`"));
    (server, address.to_owned())
}

/// Standard output of a command that must succeed.
fn succeed(command: &mut Command, directory: &Path) -> String {
    let output = command.current_dir(directory).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// What an example is to show, at least: rows, and how well its model tells the true ones.
struct Expected {
    rows: u64,
    auc: f64,
    recall: f64,
}

/// Runs the five commands of an example's page in a directory of its own, which it gives.
fn follow_the_page(name: &str, expected: &Expected) -> TempDir {
    let copy = TempDir::new().unwrap();
    let directory = copy.path().join(name);
    fs::create_dir(&directory).unwrap();
    for entry in fs::read_dir(Path::new(EXAMPLES).join(name)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, directory.join(path.file_name().unwrap())).unwrap();
        }
    }
    let swiftwater = |arguments: &[&str], models: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swiftwater"));
        command.args(arguments).args(["--http", "off"]).env("MODELS", models);
        command.env_remove("STORE").env_remove("RATE");
        succeed(&mut command, &directory);
    };
    swiftwater(&["run", "generate.yaml"], "");
    swiftwater(&["backfill", "features.yaml", "--into", "training"], "");
    let told = succeed(Command::new(python()).arg("train.py"), &directory);
    let auc = told.lines().find_map(|line| line.strip_prefix("AUC ")).unwrap();
    assert!(auc.parse::<f64>().unwrap() > expected.auc, "{told}");
    let page = fs::read_to_string(directory.join("README.md")).unwrap();
    let (counts, _) = told.split_once(" later ones").unwrap();
    assert!(page.contains(counts), "the page does not say: {counts}");
    let (_server, models) = serve(&directory, &format!("{name}.joblib"));
    swiftwater(&["run", "score.yaml"], &models);

    let found = oracle("scored.py", &[directory.to_str().unwrap()], "");
    for count in ["rows", "scores"] {
        assert_eq!(found[count].as_u64(), Some(expected.rows), "{count}: {found}");
    }
    for count in ["missing", "fallbacks", "labels"] {
        assert_eq!(found[count].as_u64(), Some(0), "{count}: {found}");
    }
    // The exponential at the end of a model may be rounded otherwise in a batch of another size.
    assert!(found["difference"].as_f64().unwrap() < 1e-12, "{found}");
    assert!(found["auc"].as_f64().unwrap() > expected.auc, "{found}");
    assert!(found["recall"].as_f64().unwrap() > expected.recall, "{found}");
    copy
}

#[test]
fn stolen_cards_are_found_in_the_stream() {
    follow_the_page("card_fraud", &Expected { rows: 40_000, auc: 0.95, recall: 0.8 });
}

#[test]
fn clicks_are_foretold_in_the_stream() {
    follow_the_page("click_through", &Expected { rows: 40_000, auc: 0.77, recall: 0.55 });
}

#[test]
fn breakdowns_and_a_hot_day_are_seen_in_the_stream() {
    let expected = Expected { rows: 43_200, auc: 0.88, recall: 0.65 };
    let copy = follow_the_page("machine_sensors", &expected);
    let mut drifted = Vec::new();
    for entry in fs::read_dir(copy.path().join("machine_sensors/drift")).unwrap() {
        for line in fs::read_to_string(entry.unwrap().path()).unwrap().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            if row["drifted"] == true {
                drifted.push(format!("{} {}", row["column"], row["window_start"]).replace('"', ""));
            }
        }
    }
    drifted.sort();
    let days = [9, 10].map(|day| format!("temperature 2026-01-{day:02}T00:00:00.000Z"));
    assert_eq!(drifted, days);
}
