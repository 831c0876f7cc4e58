//! `aggregate` against a loop over all rows, and against values of the libraries that its users
//! come from.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::testing::{Harness, rows};

use super::*;
use crate::keyed::fleet::{self, Told};

/// Rows of one key through the operator; the columns of its features.
fn features(options: Value, given: &Value) -> Vec<Value> {
    let columns =
        json!({"k": "int64", "x": "float64", "y": "float64", "s": "utf8", "at": "timestamp_ms"});
    let mut aggregate = Harness::new::<AggregateOptions>(options, &columns);
    aggregate.push(given);
    aggregate.end().unwrap();
    aggregate.take_rows(0)
}

fn column(rows: &[Value], name: &str) -> Vec<Option<f64>> {
    rows.iter().map(|row| row[name].as_f64()).collect()
}

fn near(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} is not {expected}");
}

const DAY: i64 = 86_400_000;

#[test]
fn skew_and_kurtosis_are_those_of_scipy() {
    let values = [1, 2, 4, 8, 16, 0];
    let given: Vec<_> =
        (1..).zip(values).map(|(at, x)| json!({"k": 1, "x": x, "at": at})).collect();
    let options = json!({"key": ["k"], "window": "1h", "features": {"skew": "skew(x)", "tails": "kurtosis(x)"}});
    let found = features(options, &json!(given));
    near(found[5]["skew"].as_f64(), 0.889_048_134_817);
    near(found[5]["tails"].as_f64(), -0.674_059_139_785);
    assert_eq!(column(&found[..3], "skew"), [None; 3]);
}

#[test]
fn the_mean_of_a_window_is_that_of_pandas() {
    let given = json!([
        {"k": 1, "x": 1, "at": 0}, {"k": 1, "x": null, "at": DAY}, {"k": 1, "x": 3, "at": 2 * DAY}, {"k": 1, "x": 4, "at": 3 * DAY},
    ]);
    let options = |current: bool| json!({"key": ["k"], "window": "2d", "include_current": current, "features": {"mean": "mean(x)"}});
    // pandas.Series.rolling('2D', closed='left').mean() and rolling('2D').mean()
    assert_eq!(
        column(&features(options(false), &given), "mean"),
        [None, Some(1.0), Some(1.0), Some(3.0)]
    );
    assert_eq!(
        column(&features(options(true), &given), "mean"),
        [Some(1.0), Some(1.0), Some(3.0), Some(3.5)]
    );
}

#[test]
fn each_function_says_what_it_is_named_for() {
    let given = json!([
        {"k": 1, "x": 2.0, "y": 1.0, "s": "a", "at": 1000}, {"k": 1, "x": 4.0, "y": 2.0, "s": "b", "at": 2000},
        {"k": 2, "x": 99.0, "s": "z", "at": 2000}, {"k": 1, "x": 9.0, "y": 4.0, "s": "b", "at": 3000},
        {"k": 1, "x": 6.0, "s": "c", "at": 4000},
    ]);
    let options = json!({"key": ["k"], "windows": ["1h", "2s"], "features": {
        "n": "count(*)", "big": "count(*) FILTER (WHERE x > 3)", "sum": "sum(x)", "none": {"of": "sum(y) FILTER (WHERE y > 9)", "on_empty": 0},
        "var": "var(x)", "pop": "std(x, 0)", "min": "min(x)", "max": "max(x)", "where": "argmax(s, x)", "least": "argmin(s, x)",
        "first": "first(s)", "last": "last(s)", "lasts": "last_k(s, 2)", "firsts": "first_k(x, 2)", "tops": "top_k(x, 2)",
        "kinds": "count_distinct(s)", "mode": "mode(s)", "entropy": "entropy(s)", "median": "median(x)", "q": "quantile(x, 0.25)",
        "z": "zscore(x)", "robust": "robust_z(x)", "corr": "corr(x, y)", "covar": "covar(x, y)", "slope": "slope(x)", "gap": "seconds_since_last()",
    }});
    let found = features(options, &given);
    let last = found.last().unwrap();
    for (name, expected) in [
        ("n_1h", json!(3)),
        ("big_1h", json!(2)),
        ("sum_1h", json!(15.0)),
        ("none_1h", json!(0.0)),
        ("var_1h", json!(13.0)),
        ("min_1h", json!(2.0)),
        ("max_1h", json!(9.0)),
        ("where_1h", json!("b")),
        ("least_1h", json!("a")),
        ("first_1h", json!("a")),
        ("last_1h", json!("b")),
        ("lasts_1h", json!(["b", "b"])),
        ("firsts_1h", json!([2.0, 4.0])),
        ("tops_1h", json!([9.0, 4.0])),
        ("kinds_1h", json!(2)),
        ("mode_1h", json!("b")),
        ("median_1h", json!(4.0)),
        ("q_1h", json!(3.0)),
        ("gap_1h", json!(1.0)),
        ("slope_1h", json!(3.5)),
        ("n_2s", json!(2)),
        ("sum_2s", json!(13.0)),
        ("lasts_2s", json!(["b", "b"])),
        ("kinds_2s", json!(1)),
        ("median_2s", json!(6.5)),
    ] {
        assert_eq!(last[name], expected, "{name}");
    }
    near(last["pop_1h"].as_f64(), (26.0_f64 / 3.0).sqrt());
    near(last["entropy_1h"].as_f64(), 0.636_514_168_294_813);
    near(last["z_1h"].as_f64(), 1.0 / 13.0_f64.sqrt());
    near(last["robust_1h"].as_f64(), 0.6745 * (6.0 - 4.0) / 2.0);
    near(last["corr_1h"].as_f64(), 11.0 / (26.0_f64 * 14.0 / 3.0).sqrt());
    near(last["covar_1h"].as_f64(), 5.5);
}

#[test]
fn types_stay_what_they_are() {
    let columns =
        json!({"k": "utf8", "n": "int32", "d": "date", "b": "bool", "at": "timestamp_ms"});
    let options = json!({"key": ["k"], "window": "1h", "features": {
        "most": "max(n)", "day": "last(d)", "yes": "last(b)", "when": "max(at)", "many": "sum(n)", "all": "last_k(n, 9)"}});
    let mut aggregate = Harness::new::<AggregateOptions>(options, &columns);
    aggregate.push(
        &json!([{"k": "a", "n": 7, "d": "2026-03-01", "b": true, "at": 1}, {"k": "a", "at": 2}]),
    );
    aggregate.end().unwrap();
    aggregate.expect(&json!([
        {"most": null, "many": null, "all": []},
        {"most": 7, "many": 7, "yes": true, "all": [7]},
    ]));
}

#[test]
fn sums_that_are_too_large_are_null_and_counted() {
    let columns = json!({"k": "int64", "n": "int64", "at": "timestamp_ms"});
    let options = json!({"key": ["k"], "window": "1h", "features": {"sum": "sum(n)"}});
    let mut aggregate = Harness::new::<AggregateOptions>(options, &columns);
    aggregate.push(&json!([
        {"k": 1, "n": i64::MAX, "at": 1}, {"k": 1, "n": i64::MAX, "at": 2}, {"k": 1, "n": -2, "at": 3}, {"k": 1, "n": 1, "at": 4},
        {"k": 1, "n": 0, "at": 3_600_001}, {"k": 1, "n": 0, "at": 3_600_002},
    ]));
    aggregate.end().unwrap();
    let found = aggregate.take_rows(0);
    let sums: Vec<Option<i64>> = found.iter().map(|row| row["sum"].as_i64()).collect();
    let counted = aggregate.take_breaches();
    assert_eq!(counted.into_iter().collect::<Vec<_>>(), [("sum fits 64 bits".to_owned(), 3)]);
    assert_eq!(sums, [None, Some(i64::MAX), None, None, None, Some(i64::MAX - 1)]);
}

#[test]
fn mistakes_are_named() {
    let schema =
        rows::columns(&json!({"k": "int64", "x": "float64", "s": "utf8", "at": "timestamp_ms"}));
    for (options, code) in [
        (json!({"key": ["k"], "features": {}}), "SW0360"),
        (json!({"key": ["k"], "features": {"a": "sum(x)"}}), "SW0360"),
        (json!({"key": ["k"], "window": "1h", "features": {"a": "sum(s)"}}), "SW0360"),
        (json!({"key": ["k"], "window": "1h", "features": {"a": "argmax(x, s)"}}), "SW0360"),
        (json!({"key": ["k"], "window": "1h", "features": {"x": "sum(x)"}}), "SW0307"),
        (json!({"key": ["k"], "window": "1h", "features": {"a": "sum(q)"}}), "SW0301"),
        (json!({"key": ["k"], "window": "9 rows", "features": {"a": "sum(x)"}}), "SW0360"),
        (json!({"key": ["k"], "window": "soon", "features": {"a": "sum(x)"}}), "SW0360"),
        (json!({"key": ["q"], "window": "1h", "features": {"a": "sum(x)"}}), "SW0301"),
        (
            json!({"key": ["k"], "window": "1h", "features": {"a": {"of": "last(s)", "on_empty": 1}}}),
            "SW0360",
        ),
    ] {
        let text = options.to_string();
        let error = Harness::plan::<AggregateOptions>(options, &[Arc::clone(&schema)]).err();
        assert_eq!(error.unwrap().code, code, "{text}");
    }
}

/// What a row should come with.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    v: i64,
    count: usize,
    sum: Option<i64>,
    mean: Option<f64>,
    least: Option<i64>,
    last: Vec<i64>,
    median: Option<f64>,
    parities: usize,
    rows: Vec<i64>,
}

/// The rows before one, as a loop finds them.
fn expected(passed: &[fleet::Row], row: fleet::Row, window: i64, current: bool) -> Expected {
    let reaches = |held: &&fleet::Row| match current {
        true => held.t > row.t - window,
        false => held.t < row.t && held.t >= row.t - window,
    };
    let of_key = passed.iter().filter(|held| held.k == row.k);
    let held: Vec<&fleet::Row> = of_key.clone().filter(reaches).collect();
    let mut values: Vec<i64> = held.iter().map(|r| r.v).collect();
    let last = values.iter().rev().take(3).copied().collect();
    values.sort_unstable();
    let n = values.len();
    let sum = (n > 0).then(|| values.iter().sum::<i64>());
    let median = (n > 0).then(|| (values[(n - 1) / 2] + values[n / 2]) as f64 / 2.0);
    let recent = of_key.filter(|r| current || r.t < row.t);
    let recent: Vec<&fleet::Row> = recent.filter(|r| reaches_ttl(r, row, current)).collect();
    Expected {
        v: row.v,
        count: n,
        sum,
        mean: sum.map(|sum| sum as f64 / n as f64),
        least: values.first().copied(),
        last,
        median,
        parities: values.iter().map(|v| v % 2).collect::<BTreeSet<_>>().len(),
        rows: recent.iter().rev().take(2).map(|r| r.v).collect(),
    }
}

/// `ttl` of the rows window.
const TTL: i64 = 60;

fn reaches_ttl(held: &fleet::Row, row: fleet::Row, current: bool) -> bool {
    if current { held.t > row.t - TTL } else { held.t >= row.t - TTL }
}

fn oracle(told: &[Told], window: i64, current: bool) -> (Vec<Expected>, Vec<i64>) {
    let (mut passed, mut all, mut late) = (Vec::new(), Vec::new(), Vec::new());
    let (mut waiting, mut now): (Vec<fleet::Row>, i64) = (Vec::new(), i64::MIN);
    for told in told.iter().chain([&Told::Watermark(i64::MAX)]) {
        match told {
            Told::Row(_, row) if row.t <= now => late.push(row.v),
            Told::Row(_, row) => waiting.push(*row),
            Told::Watermark(watermark) => {
                now = *watermark;
                waiting.sort_by_key(|row| (row.t, row.v));
                let due = waiting.partition_point(|row| row.t <= now);
                for row in waiting.drain(..due) {
                    if current {
                        passed.push(row);
                    }
                    all.push(expected(&passed, row, window, current));
                    if !current {
                        passed.push(row);
                    }
                }
            }
        }
    }
    (all, late)
}

fn found(row: &Value) -> Expected {
    let list = |name: &str| {
        row[name].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect::<Vec<_>>()
    };
    Expected {
        v: row["v"].as_i64().unwrap(),
        count: usize::try_from(row["count"].as_i64().unwrap()).unwrap(),
        sum: row["sum"].as_i64(),
        mean: row["mean"].as_f64(),
        least: row["least"].as_i64(),
        last: list("last"),
        median: row["median"].as_f64(),
        parities: usize::try_from(row["parities"].as_i64().unwrap()).unwrap(),
        rows: list("rows"),
    }
}

proptest! {
    #[test]
    fn features_are_what_a_loop_over_all_rows_says(
        script in fleet::script(1), window in 1i64..90, current: bool,
    ) {
        let options = json!({"key": ["k"], "window": format!("{window}ms"), "include_current": current, "ttl": format!("{TTL}ms"), "features": {
            "count": "count(*)", "sum": "sum(v)", "mean": "mean(v)", "least": "min(v)", "last": "last_k(v, 3)", "median": "median(v)",
            "parities": "count_distinct(v % 2)", "rows": {"of": "last_k(v, 2)", "window": "2 rows"},
        }});
        let given = fleet::run::<AggregateOptions>(options, &[fleet::script_columns()], script.instances, &script.steps);
        let (mut expected, mut late) = oracle(&script.told, window, current);
        let mut rows: Vec<Expected> = given.rows.iter().map(found).collect();
        rows.sort_by_key(|r| r.v);
        expected.sort_by_key(|r| r.v);
        for (row, expected) in rows.iter_mut().zip(&expected) {
            // JSON is read to the last digit but one.
            if let (Some(mean), Some(wanted)) = (&mut row.mean, expected.mean) {
                prop_assert!((*mean - wanted).abs() < 1e-9);
                *mean = wanted;
            }
        }
        prop_assert_eq!(rows, expected);
        let mut found = fleet::numbers(&given.late, "v");
        found.sort_unstable();
        late.sort_unstable();
        prop_assert_eq!(found, late.into_iter().map(Some).collect::<Vec<_>>());
        prop_assert_eq!(given.behind, 0);
    }

    /// Doubles come out the same to the last bit, whatever was restored in between.
    #[test]
    fn a_restart_changes_no_bit(script in fleet::script(1)) {
        let options = json!({"key": ["k"], "window": "60ms", "features": {
            "sum": "sum(sqrt(v))", "var": "var(sqrt(v))", "skew": "skew(sqrt(v))", "slope": "slope(sqrt(v))", "entropy": "entropy(v % 5)",
        }});
        let steps: Vec<_> = script.steps.iter().filter(|s| !matches!(s, fleet::Step::Crash(_) | fleet::Step::Seal)).cloned().collect();
        let columns = [fleet::script_columns()];
        let sorted = |instances, steps: &[fleet::Step]| {
            let given = fleet::run::<AggregateOptions>(options.clone(), &columns, instances, steps);
            let mut rows: Vec<String> = given.rows.iter().map(Value::to_string).collect();
            rows.sort_unstable();
            rows
        };
        prop_assert_eq!(sorted(script.instances, &script.steps), sorted(1, &steps));
    }
}
