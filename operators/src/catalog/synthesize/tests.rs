//! `synthesize` as a source and as an operator.

use std::time::Duration;

use arrow::array::RecordBatch;
use serde_json::{Value, json};
use swiftwater_config::{NodeConfig, Role};
use swiftwater_engine::metrics::{Metrics, SourceMetrics};
use swiftwater_engine::testing::{Harness, rows};
use swiftwater_engine::{
    Clock, Polled, Position, Shared, SourceContext, SourceOptions, SourcePlan, Timestamp,
};

use super::*;
use crate::catalog::LearnOptions;

const AT: i64 = 1_767_225_600_000_000;

fn columns() -> Value {
    json!({"at": "timestamp_ms!", "id": "int64", "city": "utf8", "country": "utf8", "amount": "float64", "paid": "timestamp_ms"})
}

fn payments(count: i64) -> Value {
    let cities = [("Berlin", "DE"), ("Paris", "FR"), ("Lyon", "FR"), ("Bonn", "DE")];
    let row = |row: i64| {
        let (city, country) = cities[(row * 7 % 4) as usize];
        let amount = if country == "DE" { 10 + row % 5 } else { 200 + row % 50 };
        let at = AT / 1000 + row * 10;
        json!({"at": at, "id": row, "city": city, "country": country, "amount": amount as f64, "paid": at + 50 + row % 9})
    };
    (0..count).map(row).collect()
}

/// Versions as `learn` gives them.
fn versions() -> Vec<Value> {
    let options = json!({
        "pane": "10s", "reference_rows": 500, "name": "payments",
        "columns": {"id": "key"}, "together": [["city", "country"]],
    });
    let mut learn = Harness::new::<LearnOptions>(options, &columns());
    learn.push(&payments(2000));
    learn.end().unwrap();
    learn.take_rows(0)
}

fn text(version: usize) -> String {
    versions()[version]["model"].as_str().unwrap().to_owned()
}

fn plan(options: Value) -> Result<SourcePlan> {
    let node = NodeConfig::new(Role::Source, "made", "synthesize", options);
    let cx = NodeContext { topology: "test", node: &node, inputs: &[], streams: &[] };
    let options: SynthesizeSourceOptions = serde_json::from_value(node.options.clone()).unwrap();
    options.plan(&cx)
}

/// Batches of one instance, at most `most` of them, and where it stands then.
fn poll(
    plan: &SourcePlan,
    (instance, instances): (usize, usize),
    resume: Option<Position>,
    most: usize,
) -> (Vec<RecordBatch>, Position) {
    let metrics = Metrics::new("test").unwrap();
    let mut source = (plan.make)(instance).unwrap();
    source
        .open(SourceContext {
            topology: "test".into(),
            node: "made".into(),
            instance,
            instances,
            prefetch_bytes: 1 << 20,
            batch_rows: 4096,
            clock: Clock::manual(Timestamp(AT)),
            metrics: SourceMetrics::new(&metrics, "made"),
            resume,
            takes_all: true,
            shared: Arc::new(Shared::default()),
        })
        .unwrap();
    let mut batches = Vec::new();
    while batches.len() < most {
        match source.poll(Duration::ZERO).unwrap() {
            Polled::Rows { batch, .. } => batches.push(batch.records),
            Polled::End => break,
            other => panic!("{other:?}"),
        }
    }
    (batches, source.position())
}

fn sorted(batches: &[RecordBatch]) -> Vec<Value> {
    let mut all: Vec<Value> = batches.iter().flat_map(rows::json).collect();
    all.sort_by_key(|row| row["id"].as_i64().unwrap());
    all
}

fn asked(count: usize) -> Value {
    json!({
        "model": text(1), "seed": 5, "count": count, "start": "2026-03-01T00:00:00Z", "event_rate": 1000,
        "unique": {"id": {"start": 1}}, "where": {"country": "FR"}, "order": ["at < paid"],
        "observed": [["city", "country"]],
    })
}

#[test]
fn rows_are_the_same_at_any_parallelism_and_after_a_stop() {
    let count = 50_000;
    let whole = plan(asked(count)).unwrap();
    let (one, _) = poll(&whole, (0, 1), None, usize::MAX);
    let one = sorted(&one);
    assert_eq!(one.len(), count);
    assert_eq!(one[0]["_synthetic"], json!(2));
    assert_eq!(one[0]["at"], json!("2026-03-01T00:00:00"));
    assert!(
        one.iter()
            .all(|row| row["country"] == json!("FR") && row["amount"].as_f64().unwrap() >= 200.0)
    );
    assert!(one.iter().all(|row| ["Paris", "Lyon"].contains(&row["city"].as_str().unwrap())));
    for instances in [2, 4] {
        let mut all = Vec::new();
        for instance in 0..instances {
            all.extend(
                poll(&plan(asked(count)).unwrap(), (instance, instances), None, usize::MAX).0,
            );
        }
        assert_eq!(sorted(&all), one, "{instances}");
    }
    // Two instances stop in the middle, three go on.
    let mut all = Vec::new();
    let mut resume = Position::default();
    for (instance, most) in [(0, 2), (1, 3)] {
        let (batches, position) = poll(&whole, (instance, 2), None, most);
        all.extend(batches);
        resume.0.extend(position.0);
    }
    for instance in 0..3 {
        let fresh = plan(asked(count)).unwrap();
        all.extend(poll(&fresh, (instance, 3), Some(resume.clone()), usize::MAX).0);
    }
    assert_eq!(sorted(&all), one);
}

#[test]
fn a_source_that_cannot_be_is_refused_by_check() {
    for (more, code, word) in [
        (json!({"where": {"country": "US"}}), "SW0385", "`city+country`"),
        (json!({"where": {"country": "FR", "city": "Bonn"}}), "SW0385", "no row"),
        (json!({"where": {"amount": {"min": 9, "max": 1}}}), "SW0384", "from 9 to 1"),
        (json!({"where": {"nothing": 1}}), "SW0385", "`nothing`"),
        (json!({"where": {"id": 1}, "unique": {}}), "SW0385", "`id` is a key"),
        (json!({"order": ["paid < at", "at < paid"]}), "SW0384", "other way round"),
        (json!({"observed": [["city", "amount"]]}), "SW0385", "together"),
        (json!({"model": "no/such/file.json"}), "SW0385", "no/such/file.json"),
        (json!({"model": "{\"format\": \"x\"}"}), "SW0385", "format"),
        (json!({"rate": 0}), "SW0384", "rate: 0"),
        (json!({"start": "soon"}), "SW0384", "soon"),
        (json!({"unique": {"id": {"prefix": "x"}}}), "SW0385", "int64"),
        (json!({"unique": {"_synthetic": {}}}), "SW0384", "_synthetic"),
    ] {
        let mut options = asked(10);
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let error = plan(options).err().unwrap_or_else(|| panic!("{more} was not refused"));
        assert!(error.code == code && error.to_string().contains(word), "{more}: {error}");
    }
}

fn models() -> Value {
    json!({"model": "utf8"})
}

fn among(options: Value) -> Harness {
    let inputs = [rows::columns(&columns()), rows::columns(&models())];
    Harness::plan::<SynthesizeOptions>(options, &inputs).map_err(|e| e.to_string()).unwrap()
}

#[test]
fn rows_are_added_at_a_ratio_and_models_are_taken_up_in_mid_stream() {
    let mut more = among(json!({"ratio": 0.5, "unique": {"id": {"start": 1000}}}));
    more.push(&payments(4));
    let alone = more.take_rows(0);
    assert!(alone.len() == 4 && alone.iter().all(|row| row["_synthetic"].is_null()));
    more.push_to(1, &json!([{"model": text(0)}, {"model": null}]));
    more.push(&payments(5));
    let mixed = more.take_rows(0);
    let marks: Vec<&Value> = mixed.iter().map(|row| &row["_synthetic"]).collect();
    assert_eq!(
        marks,
        [
            &json!(null),
            &json!(null),
            &json!(1),
            &json!(null),
            &json!(null),
            &json!(1),
            &json!(null)
        ]
    );
    // A made-up row has the time of the one before, and the next key.
    assert_eq!((&mixed[2]["at"], &mixed[2]["id"]), (&mixed[1]["at"], &json!(1000)));
    more.push_to(1, &json!([{"model": text(1)}, {"model": text(0)}]));
    more.push(&payments(1));
    let swapped = more.take_rows(0);
    assert_eq!((&swapped[1]["_synthetic"], &swapped[1]["id"]), (&json!(2), &json!(1002)));
}

#[test]
fn a_model_that_cannot_be_taken_up_is_set_aside_with_the_reason() {
    let mut more = among(json!({"real": false, "where": {"amount": {"max": 12}}}));
    more.push_to(1, &json!([{"model": text(0)}]));
    let damaged = text(1).replace("\"version\": 2", "\"version\": 3");
    more.push_to(1, &json!([{"model": damaged}]));
    let aside = more.take_rejected();
    assert!(aside[0].code == "SW3251" && aside[0].message.contains("checksum"), "{aside:?}");
    more.push(&payments(50));
    let made = more.take_rows(0);
    assert_eq!(made.len(), 50);
    assert!(made.iter().all(|row| row["country"] == json!("DE") && row["_synthetic"] == json!(1)));
    let mut none = among(json!({"where": {"amount": {"min": 9000}}}));
    none.push_to(1, &json!([{"model": text(0)}]));
    assert!(none.take_rejected()[0].message.contains("`amount`"));
}

#[test]
fn made_up_rows_go_on_after_a_crash() {
    let all = rows::columns(&columns());
    let run = |crash: bool| {
        let mut more = among(json!({"ratio": 1.7, "seed": 3}));
        more.push_to(1, &json!([{"model": text(1)}]));
        let batch = rows::batch(&all, &payments(100));
        let mut deltas = Vec::new();
        for from in (0..100).step_by(10) {
            more.push_batch(0, batch.slice(from, 10)).unwrap();
            if crash {
                deltas.extend(more.seal().unwrap());
                more.crash_and_restore(&deltas, None).unwrap();
            }
        }
        more.take_rows(0)
    };
    let whole = run(false);
    assert_eq!(whole.len(), 270);
    assert_eq!(run(true), whole);
}

#[test]
fn mistakes_are_told() {
    let input = rows::columns(&columns());
    let told = |options: Value, inputs: &[SchemaRef]| {
        Harness::plan::<SynthesizeOptions>(options, inputs).err().unwrap().to_string()
    };
    let both = [Arc::clone(&input), rows::columns(&models())];
    assert!(told(json!({}), &both[..1]).contains("without a model"));
    assert!(told(json!({"ratio": 0}), &both).contains("0 rows for each"));
    assert!(told(json!({"where": {"a": {"min": 2, "max": 1}}}), &both).contains("from 2 to 1"));
    assert!(told(json!({}), &[Arc::clone(&input), input]).contains("`model`"));
    let other = json!({"at": "timestamp_ms", "amount": "utf8"});
    let other = told(json!({"model": text(0)}), &[rows::columns(&other)]);
    assert!(other.contains("`amount` is float64 in it, and utf8"), "{other}");
}

/// Writes the example of the source anew: run with `UPDATE=1` after the artifact's form changed.
#[test]
fn the_example_of_the_source_has_a_model() {
    let indented: String = text(1).lines().map(|line| format!("        {line}\n")).collect();
    let example = format!(
        "name: synthesize_example\nsources:\n  twin:\n    synthesize:\n      count: 1000\n      seed: 42\n      unique: {{id: {{start: 1}}}}\n      where: {{country: FR}}\n      model: |\n{indented}    event_time: {{column: at}}\nsinks:\n  screen: {{input: twin, stdout: {{}}}}\n"
    );
    if std::env::var_os("UPDATE").is_some() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/src/catalog/synthesize/source_example.yaml");
        std::fs::write(path, &example).unwrap();
    } else {
        assert_eq!(SynthesizeSourceOptions::EXAMPLE, example);
    }
}
