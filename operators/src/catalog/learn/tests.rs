//! `learn` on payments whose truth is known.

use serde_json::{Value, json};
use swiftwater_engine::Timestamp;
use swiftwater_engine::random::{Stream, unit};
use swiftwater_engine::testing::{Harness, rows};

use super::*;
use crate::synthetic::model::{Dependence as Found, Model};

fn columns() -> Value {
    json!({"at": "timestamp_ms", "kind": "utf8", "amount": "float64", "id": "utf8"})
}

/// Rows in which the kind decides the amount; `shift` moves what is bought.
fn payments(from: usize, to: usize, shift: bool) -> Value {
    let row = |row: usize| {
        let word = |name: &str| unit(Stream::new(3, name, 0).at(row as u64));
        let cheap = (word("kind") < 0.7) != shift;
        let amount = if cheap { 5.0 + 5.0 * word("x") } else { 100.0 + 900.0 * word("x") };
        json!({"at": row as i64 * 10, "kind": if cheap { "coffee" } else { "flight" }, "amount": (amount * 100.0).round() / 100.0, "id": format!("p{row}")})
    };
    (from..to).map(row).collect()
}

fn options(more: Value) -> Value {
    let mut options = json!({"pane": "10s", "reference_rows": 1500, "columns": {"id": "key"}});
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    options
}

fn watermark(harness: &mut Harness, millis: i64) {
    harness.watermark(Timestamp::from_millis(millis)).unwrap();
}

#[test]
fn versions_come_with_panes_once_there_are_rows_enough() {
    let mut learn = Harness::new::<LearnOptions>(options(json!({"name": "payments"})), &columns());
    learn.push(&payments(0, 3500, false));
    watermark(&mut learn, 9_999);
    // The first pane has 1000 rows: too few.
    assert!(learn.take_rows(0).is_empty());
    watermark(&mut learn, 19_999);
    let first = learn.take_rows(0);
    // Each pane makes a version, also those from which bins were cut.
    assert_eq!(
        first.iter().map(|v| v["version"].clone()).collect::<Vec<_>>(),
        [json!(1), json!(2)]
    );
    assert_eq!(first[1]["rows"], json!(2000));
    assert_eq!(first[1]["name"], json!("payments"));
    assert!(first[1]["quality"].as_f64().unwrap() > 0.98, "{}", first[1]["quality"]);
    let model = Model::from_text(first[1]["model"].as_str().unwrap()).unwrap();
    let Found::Tree(edges) = &model.dependence else { panic!("no tree") };
    assert_eq!((edges[0].parent.as_str(), edges[0].column.as_str()), ("kind", "amount"));
    assert_eq!(model.time.unwrap().name, "at");
    // Late rows, and the rest.
    learn.push(&payments(10, 12, false));
    assert_eq!(learn.take_late().len(), 2);
    learn.end().unwrap();
    let rest = learn.take_rows(0);
    assert_eq!(
        rest.iter().map(|v| v["rows"].clone()).collect::<Vec<_>>(),
        [json!(3000), json!(3500)]
    );
}

#[test]
fn a_model_that_does_not_fit_the_newest_rows_is_refused_with_the_reason() {
    let mut learn =
        Harness::new::<LearnOptions>(options(json!({"least_quality": 0.9})), &columns());
    learn.push(&payments(0, 2000, false));
    watermark(&mut learn, 19_999);
    assert_eq!(learn.take_rows(0).len(), 2);
    learn.push(&payments(2000, 3000, true));
    learn.end().unwrap();
    assert!(learn.take_rows(0).is_empty());
    let refused = learn.take_rows(2);
    assert!(refused[0]["reason"].as_str().unwrap().contains("less than 0.9"), "{refused:?}");
    assert_eq!(learn.take_breaches().into_values().sum::<usize>(), 1);
}

#[test]
fn a_stream_that_ends_before_the_reference_says_so() {
    let mut learn = Harness::new::<LearnOptions>(options(json!({})), &columns());
    learn.push(&payments(0, 1499, false));
    learn.end().unwrap();
    assert!(learn.take_rows(0).is_empty());
    let refused = learn.take_rows(2);
    assert_eq!((refused.len(), &refused[0]["version"]), (1, &json!(0)));
    assert!(refused[0]["reason"].as_str().unwrap().contains("1499 rows"), "{refused:?}");
}

#[test]
fn a_pane_of_few_rows_does_not_judge_alone() {
    let mut learn =
        Harness::new::<LearnOptions>(options(json!({"least_quality": 0.9})), &columns());
    learn.push(&payments(0, 2003, false));
    learn.end().unwrap();
    let versions = learn.take_rows(0);
    assert_eq!(versions.last().unwrap()["rows"], json!(2003));
}

#[test]
fn what_is_old_weighs_less() {
    let mut learn = Harness::new::<LearnOptions>(
        options(json!({"half_life": "10s", "least_quality": 0})),
        &columns(),
    );
    learn.push(&payments(0, 4000, false));
    learn.end().unwrap();
    let last = learn.take_rows(0).pop().unwrap();
    assert_eq!((last["rows"].clone(), last["weight"].clone()), (json!(4000), json!(1875.0)));
}

#[test]
fn versions_are_the_same_after_a_crash_and_however_rows_are_cut() {
    let all = rows::columns(&columns());
    let run = |cut: usize, crash: bool| {
        let mut learn = Harness::new::<LearnOptions>(options(json!({})), &columns());
        let batch = rows::batch(&all, &payments(0, 4000, false));
        let mut deltas = Vec::new();
        for from in (0..4000).step_by(cut) {
            let to = (from + cut).min(4000);
            learn.push_batch(0, batch.slice(from, to - from)).unwrap();
            let mark = Timestamp::from_millis(to as i64 * 10 - 4_000);
            learn.watermark(mark).unwrap();
            if crash {
                deltas.extend(learn.seal().unwrap());
                learn.crash_and_restore(&deltas, Some(mark)).unwrap();
            }
        }
        learn.end().unwrap();
        learn.take_rows(0)
    };
    let whole = run(1000, false);
    assert_eq!(whole.len(), 4);
    assert_eq!(run(100, false), whole);
    assert_eq!(run(100, true), whole);
    assert_eq!(run(37, true), whole);
}

#[test]
fn mistakes_are_told() {
    let all = rows::columns(&json!({"at": "timestamp_ms", "kind": "utf8", "tags": "list<utf8>"}));
    for (more, word) in [
        (json!({"bins": 1}), "1 bins"),
        (json!({"columns": {"kidn": "leave"}}), "kidn"),
        (json!({"columns": {"kind": "number"}}), "`kind` (utf8)"),
        (json!({"columns": {"tags": "category"}}), "`tags`"),
        (json!({"columns": {"kind": "leave"}}), "no column"),
        (json!({"together": [["kind"]]}), "together"),
        (json!({"together": [["kind", "at"]]}), "`at` together"),
        (json!({"pane": "0s"}), "panes"),
        (json!({"least_quality": 2}), "quality of 2"),
        (json!({"half_life": "0s"}), "forget"),
    ] {
        let mut options = json!({"pane": "10s"});
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let error = Harness::plan::<LearnOptions>(options, &[Arc::clone(&all)]).err().unwrap();
        assert!(error.to_string().contains(word), "{more}: {error}");
    }
}
