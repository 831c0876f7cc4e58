//! Windows of tiles, and the functions that came with them, against loops over all rows and values of
//! pandas and river.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::testing::Harness;

use super::*;
use crate::keyed::fleet::{self, Told};

/// Rows of one key through the operator; its rows.
fn features(options: Value, given: &Value) -> Vec<Value> {
    let columns =
        json!({"k": "int64", "x": "float64", "n": "int64", "s": "utf8", "at": "timestamp_ms"});
    let mut aggregate = Harness::new::<AggregateOptions>(options, &columns);
    aggregate.push(given);
    aggregate.end().unwrap();
    aggregate.take_rows(0)
}

fn near(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} is not {expected}");
}

const MODES: [&str; 2] = ["exact", "sawtooth"];

#[test]
fn decayed_values_are_those_of_pandas() {
    for mode in MODES {
        let options = json!({"key": ["k"], "window": "1h", "mode": mode, "hops": ["2s"], "features": {
            "sum": "decayed_sum(x, '2s')", "mean": "decayed_mean(x, '2s')", "count": "decayed_count(x, '2s')"}});
        let row = |at: i64, x: Option<f64>| json!({"k": 1, "x": x, "at": at * 1000});
        let given = json!([
            row(0, Some(1.0)),
            row(1, Some(2.0)),
            row(3, Some(4.0)),
            row(4, Some(8.0)),
            row(6, None)
        ]);
        let found = features(options, &given);
        assert_eq!((&found[0]["sum"], &found[0]["count"]), (&json!(null), &json!(0.0)));
        near(&found[4]["sum"], 5.892_766_952_966_369);
        near(&found[4]["mean"], 5.100_505_063_388_335);
        // 2^-3 + 2^-2.5 + 2^-1.5 + 2^-1
        near(&found[4]["count"], 0.125 + 2f64.powf(-2.5) + 2f64.powf(-1.5) + 0.5);
    }
}

#[test]
fn smoothed_values_are_those_of_pandas_without_adjustment() {
    // pandas.Series([1, 3, 4]).ewm(alpha=.5, adjust=False).mean() is 1, 2, 3; the variance by its recurrence.
    for mode in MODES {
        let options = json!({"key": ["k"], "window": "1h", "mode": mode, "hops": ["2ms"], "include_current": true,
            "features": {"m": "ewma(x, 0.5)", "v": "ewvar(x, 0.5)"}});
        let given = json!([{"k": 1, "x": 1, "at": 1}, {"k": 1, "x": null, "at": 2}, {"k": 1, "x": 3, "at": 3}, {"k": 1, "x": 4, "at": 4}]);
        let found = features(options, &given);
        for (row, (m, v)) in found.iter().zip([(1.0, 0.0), (1.0, 0.0), (2.0, 1.0), (3.0, 1.5)]) {
            near(&row["m"], m);
            near(&row["v"], v);
        }
    }
}

#[test]
fn sketches_and_maps_say_what_they_are_named_for() {
    let given: Vec<Value> =
        [("a", 5, 1.0), ("b", 20, 2.0), ("a", 7, 3.0), ("c", -3, 4.0), ("d", 100, 2.0)]
            .into_iter()
            .enumerate()
            .map(|(at, (s, n, x))| json!({"k": 1, "s": s, "n": n, "x": x, "at": at * 100}))
            .chain([json!({"k": 1, "at": 900})])
            .collect();
    for (mode, window) in
        [("exact", "1h"), ("sawtooth", "1h"), ("exact", "unbounded"), ("hop", "1h")]
    {
        let options = json!({"key": ["k"], "window": window, "mode": mode, "hops": ["300ms"], "features": {
            "distinct": "approx_distinct(s)", "bytes": "hll_sketch(n)", "half": "approx_quantile(n, 0.5)",
            "bars": "histogram(n, [0, 10])", "counts": {"of": "count_by(s)", "max_categories": 2},
            "sums": "sum_by(n, s)", "means": {"of": "mean_by(x, s)", "max_categories": 1},
            "ratio": "distinct_ratio(s)", "fall": "drawdown(x)", "last": "last(s)", "where": "argmax(s, n)", "lasts": "last_k(s, 2)"}});
        let found = features(options, &json!(given));
        let last = found.last().unwrap();
        let expected = json!({"distinct": 4, "bars": [1, 2, 2], "counts": {"a": 2, "b": 1, "__other__": 2},
            "sums": {"a": 12, "b": 20, "c": -3, "d": 100}, "means": {"a": 2.0, "__other__": 8.0 / 3.0},
            "ratio": 0.8, "fall": 0.5, "last": "d", "where": "d", "lasts": ["d", "c"]});
        for (name, expected) in expected.as_object().unwrap() {
            assert_eq!(&last[name], expected, "{name} {mode}");
        }
        let half = last["half"].as_f64().unwrap();
        assert!((half - 7.0).abs() <= 0.07, "{half}");
        assert_eq!(found[0]["counts"], json!({}));
    }
}

#[test]
fn sums_by_category_that_do_not_fit_are_null_and_counted() {
    let columns = json!({"k": "int64", "n": "int64", "s": "utf8", "at": "timestamp_ms"});
    let options = json!({"key": ["k"], "window": "1h", "mode": "sawtooth", "features": {"all": "sum(n)", "sums": "sum_by(n, s)"}});
    let mut aggregate = Harness::new::<AggregateOptions>(options, &columns);
    aggregate.push(&json!([
        {"k": 1, "n": i64::MAX, "s": "a", "at": 1}, {"k": 1, "n": i64::MAX, "s": "a", "at": 2}, {"k": 1, "n": 1, "s": "b", "at": 3}, {"k": 1, "at": 4},
    ]));
    aggregate.end().unwrap();
    let found = aggregate.take_rows(0);
    assert_eq!((&found[3]["all"], &found[3]["sums"]), (&json!(null), &json!({"a": null, "b": 1})));
    let counted: Vec<_> = aggregate.take_breaches().into_iter().collect();
    assert_eq!(counted, [("all fits 64 bits".to_owned(), 2), ("sums fits 64 bits".to_owned(), 2)]);
}

#[test]
fn a_window_begins_at_the_tile_that_holds_its_older_end_also_before_1970() {
    let options =
        json!({"key": ["k"], "window": "1h", "mode": "sawtooth", "features": {"rows": "count(*)"}});
    let minute = 60_000;
    // The window of a row at 3:00 min begins at -57:00, that is in the tile from -60:00 on.
    let rows = [-60 * minute - 1, -60 * minute, -1, 0, 3 * minute, 3 * minute];
    let given: Vec<Value> = rows.iter().map(|at| json!({"k": 1, "at": at})).collect();
    let found = features(options, &json!(given));
    let found: Vec<i64> = found.iter().map(|row| row["rows"].as_i64().unwrap()).collect();
    assert_eq!(found, [0, 1, 2, 2, 3, 3]);
}

#[test]
fn the_usual_hops_are_those_of_chronon() {
    let columns = columns();
    for (window, hop) in [("11h", 300), ("12h", 3600), ("11d", 3600), ("12d", 86_400), ("1m", 300)]
    {
        let options = json!({"key": ["k"], "window": window, "mode": "sawtooth", "features": {"rows": "count(*)"}});
        let options: AggregateOptions = serde_json::from_value(options).unwrap();
        let layout = options.layout(&columns).unwrap();
        assert_eq!(layout.tiles.levels[0].hop, hop * 1_000_000, "{window}");
    }
}

fn columns() -> SchemaRef {
    fleet::script_columns()
}

#[test]
fn mistakes_of_modes_and_calls_are_named() {
    let schema = swiftwater_engine::testing::rows::columns(
        &json!({"k": "int64", "n": "int64", "s": "utf8", "at": "timestamp_ms"}),
    );
    for (changes, said) in [
        (json!({"hops": ["5m", "7m"]}), "multiple"),
        (json!({"hops": []}), "multiple"),
        (json!({"mode": "hop", "include_current": true}), "sawtooth"),
        (json!({"features": {"a": "decayed_sum(n, 5)"}}), "'1h'"),
        (json!({"features": {"a": "ewma(n, 2)"}}), "ewma(column, 0.3)"),
        (json!({"features": {"a": "histogram(n, [2, 1])"}}), "histogram(column, [0, 10, 100])"),
        (json!({"features": {"a": "count_by(n)"}}), "CAST"),
        (json!({"features": {"a": "sum_by(s, s)"}}), "CAST"),
    ] {
        let mut options =
            json!({"key": ["k"], "window": "1h", "mode": "sawtooth", "features": {"a": "sum(n)"}});
        options.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let error =
            Harness::plan::<AggregateOptions>(options, &[Arc::clone(&schema)]).err().unwrap();
        assert_eq!(error.code, "SW0360", "{changes}");
        assert!(error.hint.as_deref().unwrap_or("").contains(said), "{changes}: {error:?}");
    }
}

/// The rows that a row sees, as a loop finds them, and the time as of which it does.
#[derive(Debug, Clone, Copy)]
enum Seen {
    Tiles { window: i64, hop: i64, at_hops: bool },
    Ever(Option<i64>),
}

fn seen(passed: &[fleet::Row], row: fleet::Row, how: Seen, current: bool) -> Vec<i64> {
    let of_key: Vec<&fleet::Row> = passed.iter().filter(|held| held.k == row.k).collect();
    let before = of_key.iter().filter(|held| current || held.t < row.t);
    match how {
        Seen::Tiles { window, hop, at_hops } => {
            let floor = |t: i64| t.div_euclid(hop) * hop;
            let (as_of, end) =
                if at_hops { (floor(row.t), floor(row.t)) } else { (row.t, i64::MAX) };
            before
                .filter(|held| held.t >= floor(as_of - window) && held.t < end)
                .map(|held| held.v)
                .collect()
        }
        Seen::Ever(ttl) => {
            let mut held = Vec::new();
            let mut newest: Option<i64> = None;
            for one in before {
                if newest.zip(ttl).is_some_and(|(newest, ttl)| one.t >= newest + ttl) {
                    held.clear();
                }
                newest = Some(one.t);
                held.push(one.v);
            }
            if newest.zip(ttl).is_some_and(|(newest, ttl)| row.t >= newest + ttl) {
                held.clear();
            }
            held
        }
    }
}

/// All rows in their order with what they see, and how many are late.
fn oracle(told: &[Told], how: Seen, current: bool) -> Vec<(i64, Vec<i64>)> {
    let (mut passed, mut all) = (Vec::new(), Vec::new());
    let (mut waiting, mut now): (Vec<fleet::Row>, i64) = (Vec::new(), i64::MIN);
    for told in told.iter().chain([&Told::Watermark(i64::MAX)]) {
        match told {
            Told::Row(_, row) if row.t <= now => {}
            Told::Row(_, row) => waiting.push(*row),
            Told::Watermark(watermark) => {
                now = *watermark;
                waiting.sort_by_key(|row| (row.t, row.v));
                let due = waiting.partition_point(|row| row.t <= now);
                for row in waiting.drain(..due) {
                    if current {
                        passed.push(row);
                    }
                    all.push((row.v, seen(&passed, row, how, current)));
                    if !current {
                        passed.push(row);
                    }
                }
            }
        }
    }
    all.sort();
    all
}

fn expected(v: i64, seen: &[i64]) -> Value {
    let mut sorted = seen.to_vec();
    sorted.sort_unstable();
    let n = seen.len();
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    let mut classes = vec![0; 3];
    for v in seen {
        let name = format!("c{}", v % 3);
        *counts.entry(name.clone()).or_default() += 1;
        *sums.entry(name).or_default() += v;
        classes[usize::from(*v >= 5) + usize::from(*v >= 20)] += 1;
    }
    let parity: Vec<i64> = seen.iter().map(|v| v % 2).collect();
    let odd = parity.iter().filter(|p| **p == 1).count();
    let mode = if n == 0 { None } else { Some(i64::from(odd * 2 > n)) };
    json!({
        "v": v, "count": n, "sum": (n > 0).then(|| seen.iter().sum::<i64>()), "least": sorted.first(), "most": sorted.last(),
        "first": seen.first(), "last": seen.last(), "lasts": seen.iter().rev().take(3).collect::<Vec<_>>(),
        "firsts": seen.iter().take(2).collect::<Vec<_>>(), "tops": sorted.iter().rev().take(2).collect::<Vec<_>>(),
        "bottoms": sorted.iter().take(2).collect::<Vec<_>>(), "kinds": sorted.len(), "about": sorted.len(),
        "median": (n > 0).then(|| (sorted[(n - 1) / 2] + sorted[n / 2]) as f64 / 2.0),
        "bars": classes, "mode": mode, "where": sorted.last().map(|v| format!("r{v}")), "last_text": seen.last().map(|v| format!("r{v}")),
        "cats": counts, "sums": sums,
    })
}

proptest! {
    #[test]
    fn tiles_are_what_a_loop_over_all_rows_says(
        script in fleet::script(1), window in 1i64..90, hop in 1i64..40, which in 0..4, current: bool,
    ) {
        let (mode, how) = match which {
            0 => ("sawtooth", Seen::Tiles { window, hop, at_hops: false }),
            1 => ("hop", Seen::Tiles { window, hop, at_hops: true }),
            2 => ("exact", Seen::Ever(None)),
            _ => ("exact", Seen::Ever(Some(window))),
        };
        let current = current && which != 1;
        let ttl = match how { Seen::Ever(Some(ttl)) => json!(format!("{ttl}ms")), _ => json!(null) };
        let window = if which < 2 { format!("{window}ms") } else { "unbounded".to_owned() };
        let options = json!({"key": ["k"], "window": window, "mode": mode, "hops": [format!("{hop}ms")], "include_current": current, "ttl": ttl, "features": {
            "count": "count(*)", "sum": "sum(v)", "least": "min(v)", "most": "max(v)", "first": "first(v)", "last": "last(v)", "lasts": "last_k(v, 3)",
            "firsts": "first_k(v, 2)", "tops": "top_k(v, 2)", "bottoms": "bottom_k(v, 2)", "kinds": "count_distinct(v)", "about": "approx_distinct(v)",
            "median": "median(v)", "bars": "histogram(v, [5, 20])", "mode": "mode(v % 2)", "where": "argmax('r' || CAST(v AS VARCHAR), v)",
            "last_text": "last('r' || CAST(v AS VARCHAR))", "cats": {"of": "count_by('c' || CAST(v % 3 AS VARCHAR))", "max_categories": 3},
            "sums": "sum_by(v, 'c' || CAST(v % 3 AS VARCHAR))", "few": {"of": "count_by('c' || CAST(v % 3 AS VARCHAR))", "max_categories": 1},
            "var": "var(v)", "skew": "skew(v)", "slope": "slope(v)", "ewma": "ewma(v, 0.3)", "ewvar": "ewvar(v, 0.3)", "decayed": "decayed_sum(v, '20ms')",
            "mean": "mean(v)", "quantile": "approx_quantile(v, 0.5)", "fall": "drawdown(v)",
        }});
        let given = fleet::run::<AggregateOptions>(options, &[fleet::script_columns()], script.instances, &script.steps);
        let mut rows = given.rows.clone();
        rows.sort_by_key(|row| row["v"].as_i64());
        let oracle = oracle(&script.told, how, current);
        prop_assert_eq!(rows.len(), oracle.len());
        for (row, (v, seen)) in rows.iter().zip(&oracle) {
            let wanted = expected(*v, seen);
            for (name, wanted) in wanted.as_object().unwrap() {
                prop_assert_eq!(&row[name], wanted, "{} of {:?}", name, seen);
            }
            // Categories are bounded tile by tile; no row is lost.
            let few = row["few"].as_object().unwrap();
            prop_assert!(few.len() <= 2);
            let total: i64 = row["few"].as_object().unwrap().values().map(|n| n.as_i64().unwrap()).sum();
            prop_assert_eq!(total, seen.len() as i64);
            let close = |name: &str, wanted: Option<f64>| {
                let found = row[name].as_f64();
                found.zip(wanted).map_or(found.is_none() && wanted.is_none(), |(a, b)| (a - b).abs() < 1e-9 * b.abs().max(1.0))
            };
            let values: Vec<f64> = seen.iter().map(|v| *v as f64).collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let m2: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
            prop_assert!(close("mean", (n > 0.0).then_some(mean)));
            prop_assert!(close("var", (n > 1.0).then(|| m2 / (n - 1.0))));
            let m3: f64 = values.iter().map(|v| (v - mean).powi(3)).sum();
            prop_assert!(close("skew", (n >= 3.0).then(|| n.sqrt() * m3 / m2.powf(1.5))));
            let (mut m, mut var) = (values.first().copied(), 0.0);
            for x in values.iter().skip(1) {
                let before = m.unwrap();
                var = 0.7 * (var + 0.3 * (x - before).powi(2));
                m = Some(0.3 * x + 0.7 * before);
            }
            prop_assert!(close("ewma", m));
            prop_assert!(close("ewvar", m.map(|_| var)));
            let fall = values.iter().enumerate().flat_map(|(at, a)| values[at..].iter().map(move |b| (a - b) / a)).filter(|f| f.is_finite());
            let fall = fall.fold(0.0, f64::max);
            prop_assert!(close("fall", values.iter().any(|v| *v > 0.0).then_some(fall)));
            if let Some(found) = row["quantile"].as_f64() {
                let mut sorted = seen.clone();
                sorted.sort_unstable();
                let wanted = sorted[(sorted.len() - 1) / 2] as f64;
                prop_assert!((found - wanted).abs() <= wanted * 0.010_001);
            }
        }
        prop_assert_eq!(given.behind, 0);
    }

    #[test]
    fn rows_at_or_after_a_time_never_move_a_feature_as_of_it(
        rows in prop::collection::vec((0i64..300, -100i64..100), 1..40), poison in prop::collection::vec((0i64..300, -100i64..100), 1..20), which in 0usize..3,
    ) {
        let mode = ["exact", "sawtooth", "hop"][which];
        let run = |rows: &[(i64, i64)]| {
            let options = json!({"key": ["k"], "windows": ["50ms", "unbounded"], "mode": mode, "hops": ["7ms"], "features": {
                "rows": "count(*)", "sum": "sum(n)", "last": "last(n)", "most": "max(n)", "kinds": "count_distinct(n)", "m": "ewma(n, 0.5)", "d": "decayed_sum(n, '9ms')"}});
            let given: Vec<Value> = rows.iter().map(|(at, n)| json!({"k": 1, "n": n, "at": at})).collect();
            features(options, &json!(given))
        };
        // Each poisonous row comes at its own time: all features up to that time stay.
        let first = poison.iter().map(|(at, _)| *at).min().unwrap();
        let clean = run(&rows);
        let poisoned = run(&rows.iter().chain(&poison).copied().collect::<Vec<_>>());
        let kept = rows.iter().filter(|(at, _)| *at <= first).count();
        prop_assert_eq!(&clean[..kept], &poisoned[..kept]);
    }
}
