//! `profile` against numbers worked out by hand, and against a recount of all rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::metrics::Metrics;
use swiftwater_engine::testing::{Harness, rows};

use super::*;
use crate::keyed::fleet::{self, Row, Told};

fn orders(options: Value) -> Result<Harness> {
    let columns = rows::columns(&json!({
        "at": "timestamp_ms", "price": "float64", "items": "int64", "shop": "utf8", "paid": "bool", "made": "timestamp_ms",
    }));
    Harness::plan::<ProfileOptions>(options, &[columns])
}

#[test]
fn columns_are_told_by_window_and_in_series() {
    let mut profile = orders(json!({"window": "100ms", "quantiles": [0.5, 0.999]})).unwrap();
    let metrics = Metrics::new("test").unwrap();
    profile.open(&NodeMetrics::new(&metrics, "orders")).unwrap();
    profile.push(&json!([
        {"at": 10, "price": 5.0, "items": 2, "shop": "b", "paid": true},
        {"at": 60, "price": null, "items": 9_007_199_254_740_993_i64, "shop": "", "paid": null},
        {"at": 40, "price": 5.0, "items": 9_007_199_254_740_992_i64, "shop": "b", "paid": false},
        {"at": 20, "price": 8.0, "items": 2, "shop": "a", "paid": true},
        {"at": 350, "price": null, "items": 1, "shop": null, "paid": false},
    ]));
    profile.watermark(Timestamp(98_999)).unwrap();
    profile.expect(&json!([]));
    profile.watermark(Timestamp(400_000)).unwrap();
    profile.expect(&json!([
        {"window_start": "1970-01-01T00:00:00", "window_end": "1970-01-01T00:00:00.100", "window_time": "1970-01-01T00:00:00.099",
         "column": "price", "rows": 4, "null_rate": 0.25, "nan_rate": 0.0, "infinite_rate": 0.0, "distinct": 2,
         "freshness_seconds": 0.06, "min": 5.0, "max": 8.0, "mean": 6.0, "stddev": 3_f64.sqrt(),
         "most_frequent": null, "most_frequent_rate": null},
        {"column": "items", "rows": 4, "null_rate": 0.0, "nan_rate": null, "distinct": 3, "freshness_seconds": 0.04, "min": 2.0},
        {"column": "shop", "distinct": 3, "null_rate": 0.0, "min": null, "mean": null, "p50": null, "p99_9": null,
         "most_frequent": "b", "most_frequent_rate": 0.5, "freshness_seconds": 0.04},
        {"column": "paid", "distinct": 2, "null_rate": 0.25, "most_frequent": "true", "most_frequent_rate": 0.5,
         "freshness_seconds": 0.06},
        {"window_start": "1970-01-01T00:00:00.300", "column": "price", "rows": 1, "null_rate": 1.0, "distinct": 0,
         "freshness_seconds": null, "mean": null, "stddev": null},
        {"column": "items", "mean": 1.0, "stddev": null, "p50": 1.0},
        {"column": "shop", "most_frequent": null, "most_frequent_rate": null, "distinct": 0},
        {"column": "paid", "most_frequent": "false", "most_frequent_rate": 1.0},
    ]));
    profile.push(&json!([{"at": 399, "price": 1}]));
    assert_eq!(profile.take_late().len(), 1);
    let families = metrics.registry().gather();
    let family = families.iter().find(|f| f.name() == "swiftwater_profile").unwrap();
    let series: BTreeMap<(&str, &str), f64> = family
        .get_metric()
        .iter()
        .map(|m| {
            let label =
                |name: &str| m.get_label().iter().find(|l| l.name() == name).unwrap().value();
            assert_eq!(label("node"), "orders");
            ((label("column"), label("statistic")), m.get_gauge().get_value())
        })
        .collect();
    assert_eq!(series[&("price", "null_rate")], 1.0);
    assert!(series[&("price", "mean")].is_nan(), "not that of the window before");
    assert_eq!(series[&("items", "rows")], 1.0);
    assert_eq!(series[&("items", "p50")], 1.0);
    assert_eq!(series[&("paid", "most_frequent_rate")], 1.0);
    assert_eq!(series[&("paid", "distinct")], 1.0);
}

#[test]
fn nan_is_no_value_and_infinity_none_to_calculate_with() {
    let values = [Some(f64::NAN), Some(f64::INFINITY), Some(1.0), None, Some(-0.0), Some(0.0)];
    let column: ArrayRef = Arc::new(Float64Array::from_iter(values));
    let mut account = Account::default();
    account.add(&column.slice(0, 2), &[9_000_000, 1_000_000]);
    account.add(&column.slice(2, 4), &[2_000_000, 8_000_000, 3_000_000, 3_000_000]);
    let figures = account.figures(10_000_000, &[1.0]);
    assert_eq!((figures.rows, figures.distinct, figures.most_frequent), (6, 3, None));
    let [rates @ .., mean, deviation, p100, none] = &figures.doubles[..] else { panic!() };
    assert_eq!(rates, [1.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0, 7.0, 0.0, 1.0].map(Some));
    assert!((mean.unwrap() - 1.0 / 3.0).abs() < 1e-12);
    assert!((deviation.unwrap() - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    assert!((p100.unwrap() - 1.0).abs() <= 0.010_001 && none.is_none());
}

#[test]
fn mistakes_are_named() {
    for (options, code) in [
        (json!({"window": "0s"}), "SW0373"),
        (json!({"window": "1s", "columns": ["made"]}), "SW0373"),
        (json!({"window": "1s", "columns": ["shop", "shop"]}), "SW0373"),
        (json!({"window": "1s", "columns": ["cost"]}), "SW0301"),
        (json!({"window": "1s", "quantiles": [1.5]}), "SW0373"),
        (json!({"window": "1s", "quantiles": [0.5, 0.5]}), "SW0373"),
        (json!({"window": "1s", "bins": 3}), "SW0110"),
    ] {
        assert_eq!(orders(options.clone()).err().map(|e| e.code), Some(code), "{options}");
    }
}

/// The columns of a row, from its number.
fn cells(v: i64) -> (Option<f64>, i64, Option<&'static str>, bool) {
    let text = [Some("a"), Some(""), None, Some("b"), Some("a")][(v % 5) as usize];
    ((v % 4 != 0).then_some((v % 9 - 3) as f64 * 1.5), v % 7, text, v % 3 == 0)
}

/// The end of each window and its rows.
type Windows = Vec<(i64, Vec<Row>)>;

/// The windows in order, and the rows that came too late.
fn oracle(told: &[Told], size: i64) -> (Windows, Vec<Option<i64>>) {
    let (mut open, mut late, mut closed) =
        (BTreeMap::<i64, Vec<Row>>::new(), Vec::new(), Vec::new());
    let mut watermark = i64::MIN;
    for told in told.iter().chain([&Told::Watermark(i64::MAX)]) {
        match told {
            Told::Row(_, row) => {
                let end = (row.t.div_euclid(size) + 1) * size;
                if end - 1 <= watermark {
                    late.push(Some(row.v));
                } else {
                    open.entry(end).or_default().push(*row);
                }
            }
            Told::Watermark(w) => {
                watermark = *w;
                while let Some(first) = open.first_entry().filter(|e| e.key() - 1 <= *w) {
                    closed.push(first.remove_entry());
                }
            }
        }
    }
    (closed, late)
}

fn near(found: &Value, wanted: Option<f64>, apart: f64) {
    match (found.as_f64(), wanted) {
        (Some(a), Some(b)) => assert!((a - b).abs() <= apart * b.abs() + 1e-12, "{a} for {b}"),
        (a, b) => assert_eq!(a, b),
    }
}

fn numbers_are_as(row: &Value, end: i64, values: &[(i64, Option<f64>)]) {
    let mut known: Vec<f64> = values.iter().filter_map(|(_, v)| *v).collect();
    known.sort_by(f64::total_cmp);
    let n = known.len() as f64;
    let mean = (n > 0.0).then(|| known.iter().sum::<f64>() / n);
    let squares = |mean: f64| known.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    near(&row["mean"], mean, 1e-9);
    near(&row["stddev"], mean.filter(|_| n > 1.0).map(|m| (squares(m) / (n - 1.0)).sqrt()), 1e-9);
    near(&row["min"], known.first().copied(), 0.0);
    near(&row["max"], known.last().copied(), 0.0);
    for (name, q) in [("p25", 0.25), ("p50", 0.5), ("p90", 0.9)] {
        let rank = (q * (n - 1.0)).floor() as usize;
        near(&row[name], known.get(rank).copied(), 0.010_001);
    }
    let newest = values.iter().filter(|(_, v)| v.is_some()).map(|(t, _)| *t).max();
    near(&row["freshness_seconds"], newest.map(|t| (end - t) as f64 / 1000.0), 1e-9);
    near(&row["null_rate"], Some(1.0 - n / values.len() as f64), 1e-9);
    known.dedup();
    assert_eq!(row["distinct"], json!(known.len()));
    assert_eq!(row["rows"], json!(values.len()));
}

fn texts_are_as(row: &Value, values: &[Option<String>]) {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    values.iter().flatten().for_each(|text| *counts.entry(text).or_default() += 1);
    let most = counts.iter().max_by_key(|(text, n)| (**n, std::cmp::Reverse(**text)));
    assert_eq!(row["most_frequent"].as_str(), most.map(|(text, _)| *text));
    let rows = values.len() as f64;
    near(&row["most_frequent_rate"], most.map(|(_, n)| *n as f64 / rows), 1e-9);
    assert_eq!(row["distinct"], json!(counts.len()));
    let nulls = values.iter().filter(|text| text.is_none()).count();
    near(&row["null_rate"], Some(nulls as f64 / rows), 1e-9);
    assert!(row["mean"].is_null() && row["p50"].is_null() && row["nan_rate"].is_null());
}

proptest! {
    #[test]
    fn windows_are_as_a_recount_says(script in fleet::script(1), size in 5i64..40) {
        let mut script = script;
        for step in &mut script.steps {
            match step {
                fleet::Step::Rows(_, rows) => for row in rows {
                    let (x, n, s, b) = cells(row["v"].as_i64().unwrap());
                    (row["x"], row["n"], row["s"], row["b"]) = (json!(x), json!(n), json!(s), json!(b));
                },
                // Without a key there is one instance, whatever the parallelism.
                fleet::Step::Crash(instances) => *instances = 1,
                _ => {}
            }
        }
        let columns = rows::columns(&json!({
            "k": "int64", "t": "timestamp_ms", "v": "int64", "x": "float64", "n": "int64", "s": "utf8", "b": "bool",
        }));
        let options = json!({
            "window": format!("{size}ms"), "columns": ["x", "n", "s", "b"], "quantiles": [0.25, 0.5, 0.9],
        });
        let given = fleet::run::<ProfileOptions>(options, &[columns], 1, &script.steps);
        let (windows, late) = oracle(&script.told, size);
        prop_assert_eq!(given.rows.len(), windows.len() * 4);
        for (found, (end, rows)) in given.rows.chunks(4).zip(&windows) {
            let [x, n, s, b] = found else { unreachable!() };
            let names = found.iter().map(|row| row["column"].as_str().unwrap());
            prop_assert_eq!(names.collect::<Vec<_>>(), ["x", "n", "s", "b"]);
            let of = |number: fn(i64) -> Option<f64>| -> Vec<_> {
                rows.iter().map(|row| (row.t, number(row.v))).collect()
            };
            numbers_are_as(x, *end, &of(|v| cells(v).0));
            numbers_are_as(n, *end, &of(|v| Some(cells(v).1 as f64)));
            let of = |text: fn(i64) -> Option<String>| -> Vec<_> {
                rows.iter().map(|row| text(row.v)).collect()
            };
            texts_are_as(s, &of(|v| cells(v).2.map(str::to_owned)));
            texts_are_as(b, &of(|v| Some(cells(v).3.to_string())));
        }
        prop_assert_eq!(fleet::numbers(&given.late, "v"), late);
        prop_assert_eq!(given.behind, 0);
    }
}
