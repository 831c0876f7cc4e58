//! `drift` against a recount of all rows; the metrics have golden values of scipy beside them.

use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::metrics::Metrics;
use swiftwater_engine::testing::{Harness, rows};

use super::*;
use crate::keyed::fleet::{self, Row, Told};

fn prices(options: Value) -> Result<Harness> {
    let columns = rows::columns(&json!({"at": "timestamp_ms", "price": "float64", "shop": "utf8"}));
    Harness::plan::<DriftOptions>(options, &[columns])
}

#[test]
fn windows_are_compared_with_the_first_ones() {
    let options = json!({"window": "100ms", "reference_rows": 15, "metrics": {"ks": 0.5, "wasserstein": 0.1}});
    let mut drift = prices(options).unwrap();
    let metrics = Metrics::new("test").unwrap();
    drift.open(&NodeMetrics::new(&metrics, "prices")).unwrap();
    let window = |from: i64, shift: i64| -> Vec<Value> {
        (0..10).map(|i| json!({"at": from + i, "price": i + shift, "shop": "a"})).collect()
    };
    drift.push(&json!(window(0, 0))).push(&json!(window(100, 0)));
    drift.push(&json!(window(200, 0))).push(&json!(window(500, 10)));
    drift.push(&json!([{"at": 300, "price": null, "shop": "b"}]));
    drift.watermark(Timestamp(600_000)).unwrap();
    drift.expect(&json!([
        {"window_start": "1970-01-01T00:00:00.200", "column": "price", "metric": "ks", "value": 0.0, "drifted": false},
        {"metric": "wasserstein", "value": 0.0, "drifted": false},
        {"window_start": "1970-01-01T00:00:00.300", "metric": "ks", "value": null, "drifted": false},
        {"metric": "wasserstein", "value": null, "drifted": false},
        {"window_end": "1970-01-01T00:00:00.600", "metric": "ks", "value": 1.0, "threshold": 0.5, "drifted": true},
        {"window_time": "1970-01-01T00:00:00.599", "metric": "wasserstein", "drifted": true},
    ]));
    drift.push(&json!([{"at": 599, "price": 1, "shop": "c"}]));
    assert_eq!(drift.take_late().len(), 1);
    let text = |name: &str| {
        let families = metrics.registry().gather();
        let family = families.iter().find(|f| f.name() == name).unwrap();
        family
            .get_metric()
            .iter()
            .map(|m| (m.get_gauge().get_value(), m.get_counter().get_value()))
            .collect::<Vec<_>>()
    };
    assert_eq!(text("swiftwater_drift").first().unwrap().0, 1.0);
    assert_eq!(text("swiftwater_drift_windows_total").first().unwrap().1, 1.0);
}

#[test]
fn mistakes_are_named() {
    for (options, code) in [
        (json!({"window": "0s", "reference_rows": 1}), "SW0372"),
        (json!({"window": "1s", "reference_rows": 0}), "SW0372"),
        (json!({"window": "1s", "reference_rows": 1, "metrics": {}}), "SW0372"),
        (json!({"window": "1s", "reference_rows": 1, "columns": ["shop"]}), "SW0372"),
        (json!({"window": "1s", "reference_rows": 1, "columns": ["cost"]}), "SW0301"),
        (json!({"window": "1s", "reference_rows": 1, "metrics": {"kl": 1}}), "SW0110"),
    ] {
        assert_eq!(prices(options.clone()).err().map(|e| e.code), Some(code), "{options}");
    }
}

type Drifted = Vec<(i64, Option<i64>)>;

/// The windows in order, with KS in millionths of each after the reference.
fn oracle(told: &[Told], size: i64, wanted: usize) -> (Drifted, Vec<i64>) {
    let (mut open, mut late, mut watermark): (Vec<Row>, Vec<i64>, i64) =
        (Vec::new(), Vec::new(), i64::MIN);
    let (mut reference, mut found): (Vec<i64>, Drifted) = (Vec::new(), Vec::new());
    let end = |t: i64| (t.div_euclid(size) + 1) * size;
    for told in told.iter().chain([&Told::Watermark(i64::MAX)]) {
        match told {
            Told::Row(_, row) if end(row.t) - 1 <= watermark => late.push(row.v),
            Told::Row(_, row) => open.push(*row),
            Told::Watermark(w) => {
                watermark = *w;
                while let Some(first) = open.iter().map(|r| end(r.t)).min().filter(|e| e - 1 <= *w)
                {
                    let (mine, rest): (Vec<Row>, Vec<Row>) =
                        open.iter().partition(|r| end(r.t) == first);
                    open = rest;
                    let values: Vec<i64> = mine.iter().map(|r| r.v % 7).collect();
                    if reference.len() < wanted {
                        reference.extend(values);
                        continue;
                    }
                    let share = |of: &[i64], v: i64| {
                        of.iter().filter(|x| **x <= v).count() as f64 / of.len() as f64
                    };
                    let apart = (0..7).map(|v| (share(&reference, v) - share(&values, v)).abs());
                    found.push((first, Some((apart.fold(0.0, f64::max) * 1e6).round() as i64)));
                }
            }
        }
    }
    (found, late)
}

proptest! {
    #[test]
    fn windows_are_as_a_recount_says(script in fleet::script(1), size in 5i64..40, wanted in 1usize..30) {
        let mut script = script;
        for step in &mut script.steps {
            if let fleet::Step::Rows(_, rows) = step {
                rows.iter_mut().for_each(|r| r["x"] = json!(r["v"].as_i64().unwrap() % 7));
            }
            if let fleet::Step::Crash(instances) = step {
                *instances = 1;
            }
        }
        let columns = rows::columns(&json!({"k": "int64", "t": "timestamp_ms", "v": "int64", "x": "int64"}));
        let options = json!({
            "window": format!("{size}ms"), "reference_rows": wanted, "columns": ["x"], "metrics": {"ks": 0.5},
        });
        let given = fleet::run::<DriftOptions>(options, &[columns], 1, &script.steps);
        let (expected, late) = oracle(&script.told, size, wanted);
        let found = given.rows.iter().map(|row| {
            let value = row["value"].as_f64().map(|v| (v * 1e6).round() as i64);
            assert_eq!(row["drifted"], json!(row["value"].as_f64().unwrap() >= 0.5));
            value
        });
        let found: Vec<_> = found.collect();
        prop_assert_eq!(found, expected.into_iter().map(|(_, ks)| ks).collect::<Vec<_>>());
        prop_assert_eq!(fleet::numbers(&given.late, "v"), late.into_iter().map(Some).collect::<Vec<_>>());
        prop_assert_eq!(given.behind, 0);
    }
}
