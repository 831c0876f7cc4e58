//! `outlier` against the `Winsorizer` of feature-engine, and against a loop.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use swiftwater_engine::testing::{Harness, rows};

use super::*;
use crate::keyed::fleet::{self, Told};

const VALUES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 5.0, 3.0, 7.0, 100.0, -100.0];

fn judged(options: Json) -> Vec<Json> {
    let mut outlier =
        Harness::new::<OutlierOptions>(options, &json!({"x": "float64", "at": "timestamp_ms"}));
    let given: Vec<_> = (1..).zip(VALUES).map(|(at, x)| json!({"x": x, "at": at})).collect();
    outlier.push(&json!(given));
    outlier.push(&json!([{"at": 1000}]));
    outlier.end().unwrap();
    outlier.take_rows(0)
}

/// The bounds of the first eight values, which 100 and -100 are drawn in to.
#[test]
fn bounds_are_those_of_feature_engine() {
    for (method, high, low, within) in [
        ("gaussian", 19.145_428_324_618_813, -7.645_428_324_618_813, 1e-9),
        // Quantiles are known to 1 %.
        ("iqr", 14.0, -4.0, 0.25),
        ("mad", 16.694_398_730_892_97, -7.694_398_730_892_97, 0.25),
        ("quantiles", 13.2, 1.35, 0.14),
    ] {
        let column = |more: Json| {
            let mut full = json!({"of": "x", "method": method});
            full.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            full
        };
        let found = judged(json!({"freeze_after": 8, "columns": {
            "odd": column(json!({})), "high": column(json!({"tail": "right"})), "x": column(json!({"action": "winsorize"})),
        }}));
        for (row, bound) in found[8..10].iter().zip([high, low]) {
            let found = row["x"].as_f64().unwrap();
            assert!((found - bound).abs() <= within, "{method}: {found} is not {bound}");
        }
        let flags: Vec<_> =
            found[8..].iter().map(|row| (row["odd"].clone(), row["high"].clone())).collect();
        let expected =
            [(json!(true), json!(true)), (json!(true), json!(false)), (json!(null), json!(null))];
        assert_eq!(flags, expected, "{method}");
        // Nothing known, then one value.
        assert!(found[..2].iter().all(|row| row["odd"].is_null()));
        assert_eq!(found[1]["x"], json!(2.0));
    }
}

#[test]
fn mistakes_are_named() {
    let schema = rows::columns(&json!({"x": "float64", "s": "utf8", "at": "timestamp_ms"}));
    for options in [
        json!({"columns": {"odd": "s"}}),
        json!({"columns": {"odd": {"of": "x", "fold": 0}}}),
        json!({"columns": {"odd": {"of": "x", "method": "quantiles", "fold": 0.5}}}),
        json!({"columns": {"odd": {"of": "x", "method": "zscore"}}}),
        json!({"columns": {"at": {"of": "at"}}}),
    ] {
        let text = options.to_string();
        let error = Harness::plan::<OutlierOptions>(options, &[Arc::clone(&schema)]).err();
        assert_eq!(error.expect(&text).code, "SW0361", "{text}");
    }
}

proptest! {
    #[test]
    fn it_is_what_a_loop_says(script in fleet::script(1)) {
        let options = json!({"key": ["k"], "columns": {"odd": {"of": "v", "fold": 1}, "near": {"of": "v", "fold": 1, "action": "winsorize"}}});
        let given = fleet::run::<OutlierOptions>(options, &[fleet::script_columns()], script.instances, &script.steps);
        let (mut waiting, mut now): (Vec<fleet::Row>, i64) = (Vec::new(), i64::MIN);
        let mut held: BTreeMap<Option<i64>, Vec<f64>> = BTreeMap::new();
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
                        let (x, seen) = (row.v as f64, held.entry(row.k).or_default());
                        let n = seen.len() as f64;
                        let mean = seen.iter().sum::<f64>() / n;
                        let sd = (seen.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n).sqrt();
                        let bounds = (sd > 0.0).then_some((mean - sd, mean + sd));
                        expected.insert(row.v, bounds);
                        seen.push(x);
                    }
                }
            }
        }
        prop_assert_eq!(given.rows.len(), expected.len());
        for row in &given.rows {
            let v = row["v"].as_i64().unwrap();
            let (x, near) = (v as f64, row["near"].as_f64().unwrap());
            match expected[&v] {
                None => prop_assert!(row["odd"].is_null() && near.to_bits() == x.to_bits()),
                Some((low, high)) => {
                    prop_assert!((near - x.clamp(low, high)).abs() < 1e-6);
                    // At the bound itself either is right.
                    let sure = (x - low).abs() > 1e-6 && (x - high).abs() > 1e-6;
                    prop_assert!(!sure || row["odd"].as_bool() == Some(x < low || x > high));
                }
            }
        }
    }
}
