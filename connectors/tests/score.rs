//! The `score` operator on a real model server with scikit-learn models, started by `scripts/models.sh` or
//! named by `SWIFTWATER_TEST_MODELS`. The models are logistic regressions of known coefficients: see
//! `models/make.py`.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "../../tests/support/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Value, json};
use swiftwater_connectors::catalog::ScoreOptions;
use swiftwater_engine::metrics::{Metrics, NodeMetrics};
use swiftwater_engine::testing::Harness;

fn models() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| server::shared("SWIFTWATER_TEST_MODELS", "models.sh"))
}

fn score(change: Value) -> Harness {
    let mut options = json!({
        "server": models(), "model": "fraud", "version": "1", "timeout": "20s",
        "inputs": {"x": ["a", "b"]},
        "outputs": {"p": {"tensor": "predict_proba", "at": 1, "type": "float64"}, "is": {"tensor": "predict", "type": "int64"}},
    });
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            options.as_object_mut().unwrap().remove(name);
        } else {
            options.as_object_mut().unwrap().insert(name.clone(), value.clone());
        }
    }
    let columns = json!({"id": "int64", "a": "float64", "b": "float64"});
    Harness::new::<ScoreOptions>(options, &columns)
}

/// What a logistic regression says.
fn probability(weights: [f64; 2], bias: f64, row: &Value) -> f64 {
    let x = ["a", "b"].map(|name| row[name].as_f64().unwrap());
    1.0 / (1.0 + (-(weights[0] * x[0] + weights[1] * x[1] + bias)).exp())
}

fn rows(count: i64) -> Vec<Value> {
    let row = |id: i64| {
        let (a, b) = (id as f64 * 0.37 - 2.0, (id * 7 % 13) as f64 * 0.5);
        json!({"id": id, "a": a, "b": b})
    };
    (0..count).map(row).collect()
}

fn close(found: &Value, expected: f64) -> bool {
    (found.as_f64().unwrap() - expected).abs() < 1e-12
}

#[test]
fn rows_get_what_the_model_says_in_their_order() {
    for (max_rows, version, bias) in [(1024, "1", 0.25), (3, "2", 0.75)] {
        let mut score = score(json!({"max_rows": max_rows, "at_once": 3, "version": version}));
        let asked = rows(25);
        score.push(&json!(asked));
        let scored = score.take_rows(0);
        assert_eq!(scored.len(), asked.len());
        for (row, scored) in asked.iter().zip(&scored) {
            let expected = probability([0.5, -1.0], bias, row);
            assert_eq!(scored["id"], row["id"]);
            assert!(close(&scored["p"], expected), "{scored} and {expected}");
            assert_eq!(scored["is"], json!(i64::from(expected > 0.5)));
            assert_eq!(scored["model_version"], json!(format!("fraud:{version}")));
        }
        score.push(&json!([]));
        assert!(score.take_rows(0).is_empty());
    }
}

#[test]
fn another_version_is_asked_once_its_file_says_so() {
    let directory = std::env::temp_dir().join(format!("swiftwater-score-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("version");
    let write = |text: &str| {
        std::fs::write(directory.join("next"), text).unwrap();
        std::fs::rename(directory.join("next"), &file).unwrap();
    };
    write("1\n");
    let mut score = score(json!({"version": null, "version_file": file}));
    for version in ["1", "2", "1"] {
        write(&format!("{version}\n"));
        score.push(&json!(rows(2)));
        let scored = score.take_rows(0);
        assert!(
            scored.iter().all(|r| r["model_version"] == format!("fraud:{version}")),
            "{scored:?}"
        );
    }
    // A file that is gone: the version of before holds.
    std::fs::remove_file(&file).unwrap();
    score.push(&json!(rows(1)));
    assert_eq!(score.take_rows(0)[0]["model_version"], "fraud:1");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn the_canary_has_its_share_of_the_keys_and_keeps_them() {
    let canary = json!({"model": "candidate", "version": "7", "share": 0.3, "key": ["id"]});
    let mut by_key: BTreeMap<i64, String> = BTreeMap::new();
    for max_rows in [1024, 7] {
        let mut score = score(json!({"canary": canary, "max_rows": max_rows}));
        let asked = rows(400);
        score.push(&json!(asked));
        let scored = score.take_rows(0);
        assert_eq!(scored.len(), asked.len());
        for (row, scored) in asked.iter().zip(scored) {
            let version = scored["model_version"].as_str().unwrap().to_owned();
            let (weights, bias) =
                if version == "candidate:7" { ([2.0, 0.0], 0.0) } else { ([0.5, -1.0], 0.25) };
            assert_eq!(scored["id"], row["id"]);
            assert!(close(&scored["p"], probability(weights, bias, row)), "{scored}");
            let known =
                by_key.entry(row["id"].as_i64().unwrap()).or_insert_with(|| version.clone());
            assert_eq!(*known, version);
        }
    }
    let canaries = by_key.values().filter(|v| *v == "candidate:7").count();
    // Within four standard deviations of 120.
    assert!((84..=156).contains(&canaries), "{canaries} of 400");
}

/// The sum of a family's series with this label.
fn counted(metrics: &Metrics, family: &str, outcome: &str) -> f64 {
    let families = metrics.registry().gather();
    let family = families.iter().find(|f| f.name() == family).unwrap();
    let has = |m: &&prometheus::proto::Metric| m.get_label().iter().any(|l| l.value() == outcome);
    family.get_metric().iter().filter(has).map(|m| m.get_counter().get_value()).sum()
}

#[test]
fn the_shadow_is_counted_and_never_comes_out() {
    for (model, version, outcomes) in [
        ("fraud", "1", [10.0, 0.0, 0.0]),
        ("candidate", "7", [0.0, 10.0, 0.0]),
        ("nobody", "1", [0.0, 0.0, 10.0]),
    ] {
        let metrics = Metrics::new("test").unwrap();
        let mut score = score(json!({"shadow": {"model": model, "version": version}}));
        score.open(&NodeMetrics::new(&metrics, "scored")).unwrap();
        score.push(&json!(rows(10)));
        score.end().unwrap();
        let scored = score.take_rows(0);
        assert_eq!(scored.len(), 10);
        assert!(scored.iter().all(|r| r["model_version"] == "fraud:1"), "{scored:?}");
        let shadow = "swiftwater_score_shadow_rows_total";
        let found = ["equal", "different", "failed"].map(|o| counted(&metrics, shadow, o));
        assert_eq!(found, outcomes, "{model}");
        assert_eq!(counted(&metrics, "swiftwater_score_rows_total", "scored"), 10.0);
    }
}

#[test]
fn rows_that_cannot_be_scored_are_set_aside_or_get_the_fallback() {
    let asked = json!([{"id": 1, "a": 1.0, "b": 2.0}, {"id": 2, "a": null, "b": 2.0}, {"id": 3, "a": 0.0, "b": 0.0}]);
    let mut plain = score(json!({}));
    plain.push(&asked);
    plain.expect(&json!([{"id": 1}, {"id": 3}]));
    assert_eq!(plain.take_rejected().iter().map(|r| r.code).collect::<Vec<_>>(), ["SW2238"]);

    let mut kept = score(json!({"fallback": {"p": 0.5}}));
    kept.push(&asked);
    kept.expect(&json!([
        {"id": 1, "model_version": "fraud:1"}, {"id": 2, "p": 0.5, "is": null, "model_version": null},
        {"id": 3, "model_version": "fraud:1"},
    ]));

    // A model with other inputs, one that is not there, an answer without the tensor, and a server that is away.
    let wrong = [
        json!({"inputs": {"x": ["a"]}}),
        json!({"model": "nobody"}),
        json!({"outputs": {"p": {"tensor": "predict", "at": 4, "type": "float64"}}}),
        json!({"server": "http://127.0.0.1:9", "retry": "100ms"}),
    ];
    for mut change in wrong {
        change["retry"] = json!("100ms");
        let mut failing = score(change.clone());
        failing.push(&json!(rows(3)));
        failing.expect(&json!([]));
        let rejected = failing.take_rejected();
        assert_eq!(rejected.len(), 3, "{change}");
        assert!(rejected.iter().all(|r| r.code == "SW2238"), "{change}");
        if change["server"].is_string() {
            assert!(rejected.iter().all(|r| r.attempts > 1), "tried again");
        }
        change["fallback"] = json!({"p": 0.25});
        let mut falling_back = score(change);
        falling_back.push(&json!(rows(2)));
        falling_back.expect(&json!([{"id": 0, "p": 0.25}, {"id": 1, "p": 0.25}]));
        assert!(falling_back.take_rejected().is_empty());
    }
}
