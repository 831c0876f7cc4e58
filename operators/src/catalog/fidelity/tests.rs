//! `fidelity` against the command's measures on the same rows, and its mistakes.

use serde_json::{Value, json};
use swiftwater_engine::metrics::Metrics;
use swiftwater_engine::testing::{Harness, rows};

use super::*;

fn columns() -> SchemaRef {
    rows::columns(
        &json!({"at": "timestamp_ms", "a": "utf8", "b": "utf8", "n": "float64", "_synthetic": "int64"}),
    )
}

/// Row `n`: where it is whole, `b` follows `a`.
fn row(n: u32, whole: bool, synthetic: bool) -> Value {
    let mixed = n.wrapping_mul(2_654_435_761) >> 7;
    let (a, other) = (mixed % 4, (mixed >> 9) % 4);
    json!({"at": n % 100, "a": format!("x{a}"), "b": format!("y{}", if whole { a } else { other }),
           "n": f64::from(a) + f64::from(mixed % 10) / 10.0, "_synthetic": if synthetic { json!(3) } else { Value::Null }})
}

fn value(rows: &[Value], measure: &str, column: Option<&str>) -> Option<f64> {
    let is = |row: &&Value| row["measure"] == measure && row["column"].as_str() == column;
    rows.iter().find(is).and_then(|row| row["value"].as_f64())
}

fn told(harness: &mut Harness) -> Vec<Value> {
    harness.watermark(Timestamp(99_000)).unwrap();
    harness.take_rows(0)
}

#[test]
fn a_mark_and_two_inputs_say_the_same_and_series_have_it() {
    let options = json!({"window": "100ms", "ignore": ["n"]});
    let mut one = Harness::plan::<FidelityOptions>(options.clone(), &[columns()]).unwrap();
    let mut two = Harness::plan::<FidelityOptions>(options, &[columns(), columns()]).unwrap();
    let metrics = Metrics::new("test").unwrap();
    one.open(&NodeMetrics::new(&metrics, "alike")).unwrap();
    for n in 0..1000 {
        let (real, twin) = (row(n, true, false), row(n + 5000, n % 2 == 0, true));
        one.push(&json!([real.clone(), twin.clone()]));
        two.push_to(0, &json!([real])).push_to(1, &json!([twin]));
    }
    let found = told(&mut one);
    assert_eq!(found, told(&mut two));
    assert_eq!(value(&found, "real_rows", None), Some(1000.0));
    assert!(value(&found, "shape", Some("a")).unwrap() > 0.9);
    let normalised = value(&found, "normalised", None).unwrap();
    assert!((0.3..0.7).contains(&normalised), "{normalised}");
    let families = metrics.registry().gather();
    let family = families.iter().find(|f| f.name() == "swiftwater_fidelity").unwrap();
    assert_eq!(family.get_metric().len(), found.len());
}

#[test]
fn few_rows_are_counted_and_not_judged() {
    let mut harness =
        Harness::plan::<FidelityOptions>(json!({"window": "100ms"}), &[columns()]).unwrap();
    harness.push(&json!([row(1, true, false), row(2, true, true)]));
    let found = told(&mut harness);
    assert_eq!(found.len(), 2);
    assert_eq!(value(&found, "synthetic_rows", None), Some(1.0));
}

#[test]
fn mistakes_are_told_with_their_cure() {
    let mistakes = [
        (json!({"window": "1us"}), "less than a millisecond"),
        (json!({"window": "1s", "mark": "m"}), "column `m`"),
        (json!({"window": "1s", "columns": ["q"]}), "column `q`"),
        (json!({"window": "1s", "association_threshold": 2.0}), "dependence of 2"),
        (json!({"window": "1s", "draws": 0}), "without rows or draws"),
        (json!({"window": "1s", "ignore": ["a", "b", "n"]}), "both sides have"),
    ];
    for (options, expected) in mistakes {
        let error = Harness::plan::<FidelityOptions>(options, &[columns()]).err().unwrap();
        assert!(error.to_string().contains(expected), "{expected} is not in {error}");
    }
}
