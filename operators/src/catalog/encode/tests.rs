//! `encode` against the values of scikit-learn, river and feature-engine, and against a loop.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use swiftwater_engine::Timestamp;
use swiftwater_engine::testing::{Harness, rows};

use super::*;
use crate::keyed::fleet::{self, Told};

fn encode(options: Json) -> Harness {
    let rows_of = json!({"c": "utf8", "at": "timestamp_ms"});
    let labels = json!({"c": "utf8", "y": "float64", "known": "timestamp_ms"});
    let inputs = [rows::columns(&rows_of), rows::columns(&labels)];
    Harness::plan::<EncodeOptions>(options, &inputs).unwrap()
}

fn near(found: &Json, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
}

/// Labels at 1 ms, 2 ms and so on; then a row for each name.
fn after(options: Json, labels: &[(Option<&str>, f64)], names: &[Option<&str>]) -> Vec<Json> {
    let mut encode = encode(options);
    let at = (1..).zip(labels);
    let labels: Vec<_> = at.map(|(at, (c, y))| json!({"c": c, "y": y, "known": at})).collect();
    encode.push_to(1, &json!(labels));
    let found: Vec<_> = names.iter().map(|c| json!({"c": c, "at": 1000})).collect();
    encode.push_to(0, &json!(found));
    encode.end().unwrap();
    encode.take_rows(0)
}

#[test]
fn the_smoothed_mean_is_that_of_scikit_learn() {
    let options =
        json!({"target": "y", "columns": {"e": {"of": "c", "method": "target", "smoothing": 5}}});
    let four = [(Some("a"), 1.0), (Some("b"), 2.0), (Some("a"), 3.0), (None, 4.0)];
    let found = after(options, &four.repeat(5), &[Some("a"), Some("b"), None, Some("new")]);
    for (row, expected) in found.iter().zip([2.166_666_67, 2.25, 3.25, 2.5]) {
        near(&row["e"], expected);
    }
}

#[test]
fn weight_of_evidence_is_that_of_feature_engine() {
    let labels: Vec<_> = [("a", 1.0), ("a", 0.0), ("b", 1.0), ("b", 0.0), ("b", 0.0), ("c", 0.0)]
        .map(|(c, y)| (Some(c), y))
        .to_vec();
    let asked = |fill: Json| json!({"target": "y", "columns": {"e": {"of": "c", "method": "weight_of_evidence", "fill": fill}}});
    let found = after(asked(json!(null)), &labels[..5], &[Some("a"), Some("b"), Some("new")]);
    near(&found[0]["e"], 0.405_465);
    near(&found[1]["e"], -0.287_682);
    assert_eq!(found[2]["e"], json!(null));
    // No positive label of `c`: null, or as if its share were the fill.
    assert_eq!(after(asked(json!(null)), &labels, &[Some("c")])[0]["e"], json!(null));
    near(&after(asked(json!(0.01)), &labels, &[Some("c")])[0]["e"], (0.01_f64 / 0.25).ln());
}

/// Row by row, each label being known right after its row: river's `TargetAgg(BayesianMean(3, 1))`.
#[test]
fn row_by_row_it_is_the_bayesian_mean_of_river() {
    let options = json!({"target": "y", "columns": {"e": {"of": "c", "method": "target", "smoothing": 1, "prior": 3}}});
    let mut encode = encode(options);
    let given = [
        ("taco", 42),
        ("king", 16),
        ("king", 24),
        ("taco", 58),
        ("king", 20),
        ("taco", 50),
        ("king", 10),
        ("taco", 80),
    ];
    for (at, (c, y)) in (0..).zip(given) {
        encode.push_to(1, &json!([{"c": c, "y": y, "known": at}]));
        // A label of the same moment is not known to the row.
        encode.push_to(0, &json!([{"c": c, "at": at}]));
    }
    encode.end().unwrap();
    let found = encode.take_rows(0);
    let expected = [3.0, 3.0, 9.5, 22.5, 14.333_333_3, 34.333_333_3, 15.75, 38.25];
    found.iter().zip(expected).for_each(|(row, expected)| near(&row["e"], expected));
}

#[test]
fn a_row_counts_for_those_after_it() {
    let options = json!({"columns": {
        "n": {"of": "c", "method": "count"}, "s": {"of": "c", "method": "share"}, "o": {"of": "c", "method": "ordinal"},
        "r": {"of": "c", "method": "rare", "top": 1}, "m": {"of": "c", "method": "rare", "min_count": 2, "other": "-"},
        "h": {"of": "c", "method": "rare", "min_share": 0.5}, "u": {"of": "c", "method": "count", "unknown": -9},
    }});
    let mut encode =
        Harness::new::<EncodeOptions>(options, &json!({"c": "utf8", "at": "timestamp_ms"}));
    let names =
        [json!("b"), json!("a"), json!("a"), json!("b"), json!(null), json!("a"), json!(null)];
    let given: Vec<_> = (1..).zip(names).map(|(at, c)| json!({"c": c, "at": at})).collect();
    encode.push(&json!(given));
    encode.end().unwrap();
    encode.expect(&json!([
        {"n": 0.0, "s": 0.0, "o": -1, "r": "other", "m": "-", "h": "other", "u": -9.0},
        {"n": 0.0, "s": 0.0, "o": -1, "r": "other", "m": "-", "h": "other", "u": -9.0},
        // `b` came first and as often.
        {"n": 1.0, "s": 0.5, "o": 1, "r": "other", "m": "-", "h": "a", "u": 1.0},
        {"n": 1.0, "o": 0, "r": "other", "m": "-", "h": "other"},
        {"n": 0.0, "o": -1, "r": null, "m": null, "h": null},
        // Both twice; `b` is older.
        {"n": 2.0, "s": 0.4, "o": 1, "r": "other", "m": "a", "h": "a"},
        {"n": 1.0, "o": 2, "r": null},
    ]));
}

#[test]
fn there_is_room_for_so_many_categories() {
    let options = json!({"columns": {"n": {"of": "c", "method": "count"}}, "max_categories": 2});
    let mut encode =
        Harness::new::<EncodeOptions>(options, &json!({"c": "utf8", "at": "timestamp_ms"}));
    let given: Vec<_> =
        (1..).zip(["a", "b", "c", "c", "b"]).map(|(at, c)| json!({"c": c, "at": at})).collect();
    encode.push(&json!(given));
    encode.end().unwrap();
    let found: Vec<_> = encode.take_rows(0).iter().map(|row| row["n"].as_f64().unwrap()).collect();
    assert_eq!(found, [0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(
        encode.take_breaches().into_iter().collect::<Vec<_>>(),
        [("n has at most 2 categories".to_owned(), 2)]
    );
}

#[test]
fn late_labels_are_dropped_and_frozen_ones_change_nothing() {
    let options = json!({"target": "y", "freeze_after": 2, "columns": {"e": {"of": "c", "method": "target"}}});
    let mut encode = encode(options);
    encode.push_to(1, &json!([{"c": "a", "y": 1, "known": 1}, {"c": "a", "y": 2, "known": 2}, {"c": "a", "y": 9, "known": 3}]));
    encode.watermark(Timestamp(5000)).unwrap();
    encode.push_to(1, &json!([{"c": "a", "y": 9, "known": 4}]));
    encode.push_to(0, &json!([{"c": "a", "at": 6}, {"c": "z", "at": 6}]));
    encode.end().unwrap();
    encode.expect(&json!([{"e": 1.5}, {"e": 1.5}]));
    assert_eq!(encode.take_dropped().into_iter().collect::<Vec<_>>(), [("late label", 1)]);
    let learned = encode.take_rows(2);
    let told: Vec<_> = learned
        .iter()
        .map(|row| {
            (
                row["category"].as_str(),
                row["statistic"].as_str().unwrap(),
                row["value"].as_f64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (None, "total_count", 2.0),
            (None, "total_sum", 3.0),
            (Some("a"), "count", 2.0),
            (Some("a"), "sum", 3.0),
            (Some("a"), "order", 0.0)
        ]
    );
}

#[test]
fn a_replica_serves_the_same_numbers() {
    let columns = json!({"c": "utf8", "at": "timestamp_ms"});
    let asked = json!({"e": {"of": "c", "method": "target", "smoothing": 2}, "w": {"of": "c", "method": "weight_of_evidence", "fill": 0.1}, "r": {"of": "c", "method": "rare", "top": 2}});
    let labels =
        [(Some("a"), 1.0), (Some("b"), 0.0), (None, 1.0), (Some("a"), 0.0), (Some("=x"), 0.0)];
    let mut live = encode(json!({"target": "y", "columns": asked}));
    let given: Vec<_> =
        (1..).zip(labels).map(|(at, (c, y))| json!({"c": c, "y": y, "known": at})).collect();
    live.push_to(1, &json!(given));
    let given: Vec<_> = (1..).zip(labels).map(|(at, (c, _))| json!({"c": c, "at": at})).collect();
    live.push_to(0, &json!(given));
    live.end().unwrap();
    live.take_batches(0);
    let path = std::env::temp_dir().join(format!("swiftwater-{}-encode.json", std::process::id()));
    let mut writer = arrow::json::LineDelimitedWriter::new(std::fs::File::create(&path).unwrap());
    live.take_batches(2).iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    let serving = json!({"columns": asked, "learn": false, "parameters": path.to_str()});
    let replica = Harness::plan::<EncodeOptions>(serving, &[rows::columns(&columns)]);
    std::fs::remove_file(&path).unwrap();
    let mut replica = replica.unwrap();
    let names = [Some("a"), Some("b"), None, Some("=x"), Some("new")];
    let rest = json!(names.map(|c| json!({"c": c, "at": 100})));
    replica.push(&rest);
    // Learning goes on after the rows of one moment: the same rows, one at a time.
    let (mut found, mut expected) = (replica.take_rows(0), Vec::new());
    for c in names {
        let mut again = encode(json!({"target": "y", "columns": asked}));
        let given: Vec<_> =
            (1..).zip(labels).map(|(at, (c, y))| json!({"c": c, "y": y, "known": at})).collect();
        again.push_to(1, &json!(given));
        let given = (1..).zip(labels).map(|(at, (c, _))| json!({"c": c, "at": at}));
        again.push_to(0, &json!(given.chain([json!({"c": c, "at": 100})]).collect::<Vec<_>>()));
        again.end().unwrap();
        expected.extend(again.take_rows(0).pop());
    }
    found.iter_mut().zip(&expected).for_each(|(found, expected)| assert_eq!(found, expected));
    assert_eq!(found.len(), 5);
}

#[test]
fn mistakes_are_named() {
    let rows_of = rows::columns(&json!({"c": "utf8", "k": "int64", "at": "timestamp_ms"}));
    let labels =
        rows::columns(&json!({"c": "utf8", "y": "float64", "s": "utf8", "known": "timestamp_ms"}));
    let target = |more: Json| {
        let mut options = json!({"columns": {"e": {"of": "c", "method": "target"}}});
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        options
    };
    for (options, inputs, code) in [
        (target(json!({})), 1, "SW0361"),
        (target(json!({})), 2, "SW0361"),
        (target(json!({"target": "q"})), 2, "SW0301"),
        (target(json!({"target": "s"})), 2, "SW0361"),
        (json!({"target": "y", "columns": {"e": {"of": "k", "method": "target"}}}), 2, "SW0301"),
        (json!({"columns": {"e": {"of": "c", "method": "count"}}}), 2, "SW0361"),
        (json!({"target": "y", "columns": {"e": {"of": "c", "method": "count"}}}), 1, "SW0361"),
        (json!({"columns": {"e": {"of": "c", "method": "count", "smoothing": 1}}}), 1, "SW0361"),
        (json!({"columns": {"e": {"of": "c", "method": "rare"}}}), 1, "SW0361"),
        (
            json!({"columns": {"e": {"of": "c", "method": "rare", "top": 1, "min_count": 1}}}),
            1,
            "SW0361",
        ),
        (json!({"columns": {"e": {"of": "c", "method": "ordinal", "unknown": 0.5}}}), 1, "SW0361"),
        (
            json!({"columns": {"e": {"of": "c", "method": "ordinal"}}, "half_life": "1d"}),
            1,
            "SW0361",
        ),
        (json!({"columns": {"e": "c"}}), 1, "SW0361"),
    ] {
        let text = options.to_string();
        let inputs = &[Arc::clone(&rows_of), Arc::clone(&labels)][..inputs];
        let error = Harness::plan::<EncodeOptions>(options, inputs).err();
        assert_eq!(error.expect(&text).code, code, "{text}");
    }
}

type Passed = BTreeMap<i64, (i64, i64, Option<f64>)>;

/// Categories of rows, and categories and labels, of one key.
type Held = (Vec<i64>, Vec<(i64, i64)>);

/// Count, order and mean label of `v % 3` by key, as a loop finds them.
fn oracle(told: &[Told]) -> Passed {
    let (mut waiting, mut now): (Vec<(i64, usize, fleet::Row)>, i64) = (Vec::new(), i64::MIN);
    let mut held: BTreeMap<Option<i64>, Held> = BTreeMap::new();
    let mut passed = Passed::new();
    for told in told.iter().chain([&Told::Watermark(i64::MAX)]) {
        match told {
            Told::Row(input, row) if row.t > now => waiting.push((row.t, *input, *row)),
            Told::Row(..) => {}
            Told::Watermark(watermark) => {
                now = *watermark;
                waiting.sort_by_key(|(t, input, row)| (*t, *input, row.v));
                let due = waiting.partition_point(|(t, ..)| *t <= now);
                for (_, input, row) in waiting.drain(..due) {
                    let (rows, labels) = held.entry(row.k).or_default();
                    let c = row.v % 3;
                    if input == 1 {
                        labels.push((c, row.v));
                        continue;
                    }
                    let count = rows.iter().filter(|r| **r == c).count() as i64;
                    let mut seen = rows.clone();
                    let mut order: Vec<i64> = Vec::new();
                    seen.drain(..).for_each(|r| {
                        if !order.contains(&r) {
                            order.push(r)
                        }
                    });
                    let place = order.iter().position(|r| *r == c).map_or(-1, |p| p as i64);
                    let own: Vec<f64> =
                        labels.iter().filter(|l| l.0 == c).map(|l| l.1 as f64).collect();
                    let all = labels.iter().map(|l| l.1 as f64).sum::<f64>() / labels.len() as f64;
                    let mean = (!labels.is_empty())
                        .then(|| (own.iter().sum::<f64>() + 2.0 * all) / (own.len() as f64 + 2.0));
                    passed.insert(row.v, (count, place, mean));
                    rows.push(c);
                }
            }
        }
    }
    passed
}

proptest! {
    #[test]
    fn it_is_what_a_loop_says(script in fleet::script(2)) {
        let columns = rows::columns(&json!({"k": "int64", "t": "timestamp_ms", "v": "int64", "c": "int64"}));
        let mut steps = script.steps.clone();
        for step in &mut steps {
            if let fleet::Step::Rows(_, rows) = step {
                rows.iter_mut().for_each(|row| row["c"] = json!(row["v"].as_i64().unwrap() % 3));
            }
        }
        let options = json!({"key": ["k"], "target": "v", "columns": {
            "n": {"of": "c", "method": "count"}, "o": {"of": "c", "method": "ordinal"}, "e": {"of": "c", "method": "target", "smoothing": 2}}});
        let given = fleet::run::<EncodeOptions>(options, &[Arc::clone(&columns), columns], script.instances, &steps);
        let expected = oracle(&script.told);
        prop_assert_eq!(given.rows.len(), expected.len());
        for row in &given.rows {
            let (count, place, mean) = expected[&row["v"].as_i64().unwrap()];
            prop_assert_eq!(row["n"].as_f64(), Some(count as f64));
            prop_assert_eq!(row["o"].as_i64(), Some(place));
            match (row["e"].as_f64(), mean) {
                (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-6, "{} is not {}", a, b),
                (a, b) => prop_assert_eq!(a, b),
            }
        }
    }
}
