//! `impute` by example, and against a loop over the rows of a key.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use swiftwater_engine::testing::{Harness, rows};

use super::*;
use crate::keyed::fleet::{self, Told};

/// `SimpleImputer` of scikit-learn says the same of the values before.
#[test]
fn missing_values_are_those_before_them() {
    let columns = json!({"k": "int64", "x": "float64", "n": "int32", "s": "utf8", "b": "bool", "at": "timestamp_ms"});
    let options = json!({"key": ["k"], "indicator": true, "columns": {
        "mean": {"of": "n", "method": "mean"}, "x": {"method": "median"}, "n": {"method": "most_frequent"},
        "s": {"method": "last", "max_age": "5ms"}, "b": {"method": "constant", "value": true},
    }});
    let mut impute = Harness::new::<ImputeOptions>(options, &columns);
    impute.push(&json!([
        {"k": 1, "at": 1},
        {"k": 1, "x": 1.0, "n": 7, "s": "a", "b": false, "at": 2}, {"k": 1, "x": 3.0, "n": 9, "at": 3},
        {"k": 2, "x": 99.0, "n": 8, "s": "z", "at": 3}, {"k": 1, "x": 8.0, "n": 9, "at": 4},
        {"k": 1, "at": 7}, {"k": 1, "at": 8},
    ]));
    impute.end().unwrap();
    impute.expect(&json!([
        {"mean": null, "x": null, "n": null, "s": null, "b": true, "x_missing": true, "s_missing": true},
        {"mean": 7.0, "x": 1.0, "n": 7, "s": "a", "b": false, "b_missing": false},
        {"mean": 9.0, "x": 3.0, "n": 9, "s": "a", "b": true, "n_missing": false},
        {"k": 2, "mean": 8.0, "s": "z"},
        {"x": 8.0, "s": "a"},
        {"mean": 25.0 / 3.0, "n": 9, "s": "a", "x_missing": true, "mean_missing": true},
        // The last value is older than 5 ms.
        {"n": 9, "s": null, "s_missing": true},
    ]));
}

#[test]
fn a_median_is_within_one_per_cent() {
    let columns = json!({"x": "float64", "at": "timestamp_ms"});
    let mut impute =
        Harness::new::<ImputeOptions>(json!({"columns": {"x": {"method": "median"}}}), &columns);
    let mut given: Vec<Json> = (1..1000).map(|at| json!({"x": at * at, "at": at})).collect();
    given.push(json!({"at": 1000}));
    impute.push(&json!(given));
    impute.end().unwrap();
    let found = impute.take_rows(0).pop().unwrap()["x"].as_f64().unwrap();
    assert!((found / 250_000.0 - 1.0).abs() < 0.01, "{found}");
}

#[test]
fn nan_is_missing() {
    let columns = json!({"x": "float64", "y": "float64", "at": "timestamp_ms"});
    let options = json!({"columns": {"x": {"method": "constant", "value": 0.5}, "y": {"method": "most_frequent"}}});
    let mut impute = Harness::new::<ImputeOptions>(options, &columns);
    let x = Arc::new(arrow::array::Float64Array::from(vec![f64::NAN, 2.0, f64::INFINITY]));
    let at = Arc::new(arrow::array::TimestampMillisecondArray::from(vec![1, 2, 3]));
    let columns: Vec<arrow::array::ArrayRef> = vec![Arc::clone(&x) as _, x, at];
    let schema = rows::columns(&json!({"x": "float64", "y": "float64", "at": "timestamp_ms"}));
    impute.push_batch(0, arrow::array::RecordBatch::try_new(schema, columns).unwrap()).unwrap();
    impute.end().unwrap();
    impute.expect(&json!([{"x": 0.5, "y": null}, {"x": 2.0, "y": 2.0}, {"x": 0.5, "y": 2.0}]));
    let counted: Vec<_> = impute.take_breaches().into_iter().collect();
    assert_eq!(counted, [("x is finite".to_owned(), 1), ("y is finite".to_owned(), 1)]);
}

#[test]
fn mistakes_are_named() {
    let columns = json!({"k": "int64", "x": "float64", "s": "utf8", "x_missing": "bool", "at": "timestamp_ms"});
    let schema = rows::columns(&columns);
    for options in [
        json!({"columns": {"s": {"method": "mean"}}}),
        json!({"columns": {"x": {"method": "last"}}}),
        json!({"columns": {"x": {"method": "constant"}}}),
        json!({"columns": {"x": {"method": "constant", "value": "abc"}}}),
        json!({"columns": {"x": {"method": "constant", "value": [1]}}}),
        json!({"columns": {"x": {"method": "mean", "value": 1}}}),
        json!({"columns": {"x": {"method": "mean", "max_age": "1s"}}}),
        json!({"columns": {"x": {"method": "mean"}}, "indicator": true}),
        json!({"key": ["k"], "columns": {"x": {"method": "last"}}, "half_life": "1h"}),
        json!({"columns": {"at": {"method": "most_frequent"}}}),
    ] {
        let text = options.to_string();
        let error = Harness::plan::<ImputeOptions>(options, &[Arc::clone(&schema)]).err();
        assert_eq!(error.expect(&text).code, "SW0361", "{text}");
    }
}

proptest! {
    /// `x` is there in every third row.
    #[test]
    fn it_is_what_a_loop_says(script in fleet::script(1), max_age in 1i64..40) {
        let columns = rows::columns(&json!({"k": "int64", "t": "timestamp_ms", "v": "int64", "x": "int64"}));
        let x = |v: i64| (v % 3 == 0).then_some(v % 4);
        let mut steps = script.steps.clone();
        for step in &mut steps {
            if let fleet::Step::Rows(_, rows) = step {
                rows.iter_mut().for_each(|row| row["x"] = json!(x(row["v"].as_i64().unwrap())));
            }
        }
        let options = json!({"key": ["k"], "columns": {"x": {"method": "last", "max_age": format!("{max_age}ms")}, "m": {"of": "x", "method": "most_frequent"}}});
        let given = fleet::run::<ImputeOptions>(options, &[columns], script.instances, &steps);
        let (mut waiting, mut now): (Vec<fleet::Row>, i64) = (Vec::new(), i64::MIN);
        let mut held: BTreeMap<Option<i64>, Vec<(i64, i64)>> = BTreeMap::new();
        let mut expected = BTreeMap::new();
        for told in script.told.iter().chain([&Told::Watermark(i64::MAX)]) {
            match told {
                Told::Row(_, row) if row.t > now => waiting.push(*row),
                Told::Row(..) => {}
                Told::Watermark(watermark) => {
                    now = *watermark;
                    waiting.sort_by_key(|row| (row.t, row.v));
                    let due = waiting.partition_point(|row| row.t <= now);
                    for row in waiting.drain(..due) {
                        let seen = held.entry(row.k).or_default();
                        let last = seen.last().filter(|(t, _)| row.t - t <= max_age).map(|s| s.1);
                        let count = |x: i64| seen.iter().filter(|s| s.1 == x).count();
                        // The first of those that are most frequent.
                        let most = seen.iter().rev().map(|s| s.1).max_by_key(|x| (count(*x), std::cmp::Reverse(seen.iter().position(|s| s.1 == *x))));
                        expected.insert(row.v, (x(row.v).or(last), x(row.v).or(most)));
                        seen.extend(x(row.v).map(|x| (row.t, x)));
                    }
                }
            }
        }
        let found: BTreeMap<_, _> = given.rows.iter().map(|r| (r["v"].as_i64().unwrap(), (r["x"].as_i64(), r["m"].as_i64()))).collect();
        prop_assert_eq!(found, expected);
    }
}
