//! `scale` against scikit-learn, and against a loop over all rows before.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use swiftwater_engine::Timestamp;
use swiftwater_engine::testing::{Harness, rows};

use super::*;
use crate::keyed::fleet::{self, Told};

fn scaled(options: Json, values: &[Json]) -> Harness {
    let columns = json!({"k": "int64", "x": "float64", "at": "timestamp_ms"});
    let mut scale = Harness::new::<ScaleOptions>(options, &columns);
    let rows: Vec<Json> =
        (1..).zip(values).map(|(at, x)| json!({"k": 1, "x": x, "at": at})).collect();
    scale.push(&json!(rows));
    scale.end().unwrap();
    scale
}

fn near(found: &Json, expected: f64, within: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() <= within, "{found} is not {expected}");
}

/// The fit of `[1, 2, 4, 8, 16]`, frozen, on 3, -5 and 20: scikit-learn's scalers say the same.
#[test]
fn frozen_scalers_are_those_of_scikit_learn() {
    let values = [1, 2, 4, 8, 16, 3, -5, 20].map(|x| json!(x));
    for (method, expected, within) in [
        (
            "standard",
            [-0.586_588_460_085_413_1, -2.053_059_610_298_945, 2.529_662_734_118_344],
            1e-12,
        ),
        ("min_max", [0.133_333_333_333_333, -0.4, 1.266_666_666_666_667], 1e-12),
        ("max_abs", [0.1875, -0.3125, 1.25], 1e-12),
        // Quantiles are known to 1 %.
        ("robust", [-0.166_666_666_666_667, -1.5, 2.666_666_666_666_667], 0.06),
        ("quantile", [0.375, 0.0, 1.0], 0.01),
    ] {
        let options = json!({"columns": {"y": "x"}, "method": method, "freeze_after": 5});
        let found = scaled(options, &values).take_rows(0);
        for (row, expected) in found[5..].iter().zip(expected) {
            near(&row["y"], expected, within);
        }
    }
    let normal = json!({"columns": {"y": {"of": "x", "method": "quantile", "output": "normal"}}, "freeze_after": 5});
    let found = scaled(normal, &values).take_rows(0);
    for (row, expected) in found[5..].iter().zip([
        -0.318_639_363_964_375,
        -5.199_337_582_192_817,
        5.199_337_582_192_817,
    ]) {
        near(&row["y"], expected, 0.02);
    }
}

#[test]
fn power_transforms_are_those_of_scipy() {
    for (lambda, expected) in [
        (0.0, [1.386_294_361_119_890_6, -17.5, 0.0]),
        (0.5, [2.0, -9.131_292_304_466_047, 0.0]),
        (1.0, [3.0, -5.0, 0.0]),
        (2.0, [7.5, -1.791_759_469_228_055, 0.0]),
        (3.0, [21.0, -0.833_333_333_333_333, 0.0]),
    ] {
        let options =
            json!({"columns": {"y": {"of": "x", "method": "yeo_johnson", "lambda": lambda}}});
        let found = scaled(options, &[json!(3), json!(-5), json!(0)]).take_rows(0);
        for (row, expected) in found.iter().zip(expected) {
            near(&row["y"], expected, 1e-12);
        }
    }
}

#[test]
fn a_row_does_not_know_itself() {
    let mut scale =
        scaled(json!({"columns": {"x": "x"}}), &[json!(5), json!(5), json!(7), json!(6)]);
    let found = scale.take_rows(0);
    let z = (6.0 - 17.0 / 3.0) / (8.0_f64 / 9.0).sqrt();
    // Nothing known; a scale of 0; a scale of 0 for another value; something known.
    assert_eq!(found[0]["x"], json!(null));
    assert_eq!([&found[1]["x"], &found[2]["x"]], [&json!(0.0), &json!(0.0)]);
    near(&found[3]["x"], z, 1e-12);
}

#[test]
fn what_is_no_number_is_null_and_teaches_nothing() {
    let columns = json!({"x": "float64", "at": "timestamp_ms"});
    let options = json!({"columns": {"y": "x", "l": {"of": "x", "method": "log1p"}}});
    let mut scale = Harness::new::<ScaleOptions>(options, &columns);
    let schema = rows::columns(&columns);
    let values = [1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 3.0, -7.0];
    let x = arrow::array::Float64Array::from_iter_values(values);
    let at = arrow::array::TimestampMillisecondArray::from_iter_values(1..7);
    let batch = arrow::array::RecordBatch::try_new(schema, vec![Arc::new(x), Arc::new(at)]);
    scale.push_batch(0, batch.unwrap()).unwrap();
    scale.end().unwrap();
    let found = scale.take_rows(0);
    assert!(found[1..4].iter().all(|row| row["y"].is_null() && row["l"].is_null()));
    assert_eq!(found[4]["y"], json!(0.0));
    near(&found[5]["y"], -9.0, 1e-12);
    assert_eq!(found[5]["l"], json!(null));
    let counted: Vec<_> = scale.take_breaches().into_iter().collect();
    // Of `l`, the logarithm of -6 as well.
    assert_eq!(counted, [("l is finite".to_owned(), 3), ("y is finite".to_owned(), 2)]);
}

#[test]
fn old_rows_weigh_less() {
    let columns = json!({"x": "float64", "at": "timestamp_ms"});
    let options = json!({"columns": {"y": "x"}, "half_life": "1s"});
    let mut scale = Harness::new::<ScaleOptions>(options, &columns);
    // The landmark moves on between the second and the third row.
    scale.push(&json!([
        {"x": 1.0, "at": 0}, {"x": 4.0, "at": 2000}, {"x": 2.0, "at": 3_000_000}, {"x": 5.0, "at": 3_001_000}, {"x": 3.0, "at": 3_001_000},
    ]));
    scale.end().unwrap();
    let found = scale.take_rows(0);
    near(&found[2]["y"], (2.0 - 3.4) / 1.2, 1e-12);
    // 2 weighs one half of 5; the rest nothing.
    near(&found[4]["y"], (3.0 - 4.0) / 2.0_f64.sqrt(), 1e-12);
}

fn json_lines(rows: &arrow::array::RecordBatch) -> Vec<u8> {
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    writer.write(rows).unwrap();
    writer.finish().unwrap();
    writer.into_inner()
}

fn csv(rows: &arrow::array::RecordBatch) -> Vec<u8> {
    let mut text = Vec::new();
    // In another order of columns.
    let turned: Vec<usize> = (0..rows.num_columns()).rev().collect();
    let mut writer = arrow::csv::Writer::new(&mut text);
    writer.write(&rows.project(&turned).unwrap()).unwrap();
    drop(writer);
    text
}

#[test]
fn a_replica_serves_the_same_numbers() {
    let columns = json!({"k": "int64", "x": "float64", "at": "timestamp_ms"});
    let asked = json!({
        "a": "x", "b": {"of": "x", "method": "robust"}, "c": {"of": "x", "method": "quantile", "output": "normal"},
        "d": {"of": "x", "method": "max_abs"}, "e": {"of": "x", "method": "min_max"},
    });
    let learning = json!({"columns": asked, "key": ["k"], "freeze_after": 6});
    let mut live = Harness::new::<ScaleOptions>(learning, &columns);
    let row = |at: i64| json!({"k": at % 2, "x": ((at * 37) as f64).sqrt(), "at": at});
    live.push(&json!((0..12).map(row).collect::<Vec<_>>()));
    live.watermark(Timestamp(12_000)).unwrap();
    live.take_batches(0);
    let [parameters] = &live.take_batches(2)[..] else { panic!("one batch of parameters") };
    let rest = (13..40).map(row).chain([json!({"k": 7, "x": 1.0, "at": 50})]);
    let rest = json!(rest.collect::<Vec<_>>());
    live.push(&rest);
    live.end().unwrap();
    let expected = live.take_batches(0);
    for (name, text) in [("learned.json", json_lines(parameters)), ("learned.csv", csv(parameters))]
    {
        let path = std::env::temp_dir().join(format!("swiftwater-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let serving =
            json!({"columns": asked, "key": ["k"], "learn": false, "parameters": path.to_str()});
        let replica = Harness::plan::<ScaleOptions>(serving, &[rows::columns(&columns)]);
        std::fs::remove_file(&path).unwrap();
        let mut replica = replica.unwrap();
        replica.push(&rest);
        assert_eq!(replica.take_batches(0), expected, "{name}");
    }
}

#[test]
fn parameters_leave_when_they_are_asked_for() {
    let options = json!({"columns": {"y": {"of": "x", "method": "min_max"}}, "export_every": "2ms", "freeze_after": 5});
    let mut scale = scaled(options, &[3, 1, 4, 1, 5, 9].map(|x| json!(x)));
    let found = scale.take_rows(2);
    let versions: Vec<_> = found
        .iter()
        .map(|row| (row["version"].as_i64().unwrap(), row["value"].as_f64().unwrap()))
        .collect();
    // At 2 ms and 4 ms, before the rows of those times; then frozen by the fifth row.
    assert_eq!(versions, [(1, 3.0), (1, 3.0), (3, 1.0), (3, 4.0), (5, 1.0), (5, 5.0)]);
    assert_eq!(found[0]["statistic"], json!("min"));
}

#[test]
fn mistakes_are_named() {
    let schema =
        rows::columns(&json!({"k": "int64", "x": "float64", "s": "utf8", "at": "timestamp_ms"}));
    for (options, code) in [
        (json!({"columns": {}}), "SW0361"),
        (json!({"columns": {"y": "q"}}), "SW0301"),
        (json!({"columns": {"y": "s"}}), "SW0361"),
        (json!({"columns": {"k": "x"}}), "SW0307"),
        (json!({"columns": {"y": {"of": "x", "method": "log"}}}), "SW0361"),
        (json!({"columns": {"y": {"of": "x", "lambda": 1}}}), "SW0361"),
        (json!({"columns": {"y": "x"}, "method": "yeo_johnson"}), "SW0361"),
        (json!({"columns": {"y": "x"}, "method": "min_max", "half_life": "1d"}), "SW0361"),
        (json!({"columns": {"y": "x"}, "half_life": "0s"}), "SW0361"),
        (json!({"columns": {"y": "x"}, "freeze_after": 0}), "SW0361"),
        (json!({"columns": {"y": "x"}, "export_every": "0s"}), "SW0361"),
        (json!({"columns": {"y": "x"}, "learn": false}), "SW0361"),
        (json!({"columns": {"y": "x"}, "parameters": "p.json"}), "SW0361"),
        (json!({"columns": {"y": "x"}, "learn": false, "parameters": "/nowhere.json"}), "SW0362"),
        (json!({"columns": {"k": "k"}, "key": ["k"]}), "SW0361"),
    ] {
        let text = options.to_string();
        let error = Harness::plan::<ScaleOptions>(options, &[Arc::clone(&schema)]).err();
        assert_eq!(error.expect(&text).code, code, "{text}");
    }
}

type Passed = Vec<(i64, Option<f64>, Option<f64>)>;

/// Standard and min-max scaling of `v` by the rows of the key that came before in event time.
fn oracle(told: &[Told], freeze: Option<usize>) -> Passed {
    let (mut waiting, mut now): (Vec<fleet::Row>, i64) = (Vec::new(), i64::MIN);
    let mut held: BTreeMap<Option<i64>, Vec<f64>> = BTreeMap::new();
    let mut passed = Passed::new();
    for told in told.iter().chain([&Told::Watermark(i64::MAX)]) {
        match told {
            Told::Row(_, row) if row.t > now => waiting.push(*row),
            Told::Row(..) => {}
            Told::Watermark(watermark) => {
                now = *watermark;
                waiting.sort_by_key(|row| (row.t, row.v));
                let due = waiting.partition_point(|row| row.t <= now);
                for row in waiting.drain(..due) {
                    let (x, before) = (row.v as f64, held.entry(row.k).or_default());
                    let n = before.len() as f64;
                    let mean = before.iter().sum::<f64>() / n;
                    let sd = (before.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / n).sqrt();
                    let least = before.iter().copied().fold(f64::INFINITY, f64::min);
                    let greatest = before.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let by = |d: f64, s: f64| if s == 0.0 { 0.0 } else { d / s };
                    let known = !before.is_empty();
                    let z = known.then(|| by(x - mean, sd));
                    let place = known.then(|| by(x - least, greatest - least));
                    passed.push((row.v, z, place));
                    if freeze.is_none_or(|most| before.len() < most) {
                        before.push(x);
                    }
                }
            }
        }
    }
    passed
}

proptest! {
    #[test]
    fn it_is_what_a_loop_says(script in fleet::script(1), freeze in prop::option::of(1usize..6)) {
        let options = json!({"key": ["k"], "columns": {"z": "v", "p": {"of": "v", "method": "min_max"}}, "freeze_after": freeze});
        let given = fleet::run::<ScaleOptions>(options, &[fleet::script_columns()], script.instances, &script.steps);
        let mut expected = oracle(&script.told, freeze);
        expected.sort_by_key(|row| row.0);
        let mut found: Passed = given.rows.iter().map(|row| (row["v"].as_i64().unwrap(), row["z"].as_f64(), row["p"].as_f64())).collect();
        found.sort_by_key(|row| row.0);
        prop_assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-6,
                (a, b) => a == b,
            };
            prop_assert!(found.0 == expected.0 && near(found.1, expected.1) && near(found.2, expected.2), "{:?} is not {:?}", found, expected);
        }
    }

    /// The same to the last bit, whatever was restored in between; parameters as well.
    #[test]
    fn a_restart_changes_no_bit(script in fleet::script(1)) {
        let options = json!({"key": ["k"], "half_life": "5ms", "export_every": "20ms", "columns": {
            "z": "v", "r": {"of": "v", "method": "robust"}, "q": {"of": "v", "method": "quantile"}}});
        let steps: Vec<_> = script.steps.iter().filter(|s| !matches!(s, fleet::Step::Crash(_) | fleet::Step::Seal)).cloned().collect();
        let sorted = |instances, steps: &[fleet::Step]| {
            let given = fleet::run::<ScaleOptions>(options.clone(), &[fleet::script_columns()], instances, steps);
            let mut rows: Vec<String> = given.rows.iter().chain(&given.beside).map(Json::to_string).collect();
            rows.sort_unstable();
            rows
        };
        prop_assert_eq!(sorted(script.instances, &script.steps), sorted(1, &steps));
    }
}
