//! Values of the libraries that the functions are modelled on.

use serde_json::{Value, json};
use swiftwater_engine::Timestamp;
use swiftwater_engine::testing::rows;

use crate::expression::Expression;

fn value(text: &str) -> Value {
    let records = rows::batch(&rows::columns(&json!({"x": "int64"})), &json!([{"x": 7}]));
    let expression =
        Expression::plan(text, &records.schema()).unwrap_or_else(|e| panic!("`{text}`: {e}"));
    let found = expression.evaluate(&records, Timestamp(0)).unwrap();
    let field = expression.field().clone().with_name("v");
    let schema = std::sync::Arc::new(arrow::datatypes::Schema::new(vec![field]));
    let records = arrow::array::RecordBatch::try_new(schema, vec![found]).unwrap();
    rows::json(&records)[0]["v"].clone()
}

fn near(text: &str, expected: f64) {
    let found = value(text).as_f64().unwrap();
    assert!((found - expected).abs() < 1e-9, "`{text}` is {found}");
}

#[test]
fn hashes_are_those_of_scikit_learn() {
    assert_eq!(value("murmur3('cat=a')"), 125_031_837);
    assert_eq!(value("hash_bucket('cat=a', 8)"), 5);
    assert_eq!(value("hash_sign('cat=a')"), 1);
    assert_eq!(value("hash_bucket('cat=b', 8)"), 3);
    assert_eq!(value("hash_sign('cat=b')"), -1);
    // HashingVectorizer(n_features=16, ngram_range=(1, 2), norm=None)
    let mut expected = vec![0.0; 16];
    (expected[2], expected[4], expected[7], expected[14]) = (1.0, 1.0, 1.0, -2.0);
    assert_eq!(value("hash_ngrams('The cat sat!', 16, 1, 2)"), json!(expected));
    assert_eq!(value("hash_bucket(NULL, 8)"), Value::Null);
    assert_eq!(value("hash_bucket(CAST(x AS VARCHAR), 0)"), Value::Null);
}

#[test]
fn the_least_hash_has_a_bucket() {
    assert_eq!(super::hash::bucket(i32::MIN, 7), Some((1_i64 << 31) % 7));
}

#[test]
fn places_are_near_and_far() {
    assert_eq!(value("geohash(57.64911, 10.40744, 11)"), "u4pruydqqvj");
    assert_eq!(value("geohash(42.605, -5.603, 5)"), "ezs42");
    assert_eq!(value("geohash(91, 0, 5)"), Value::Null);
    near("haversine_km(0, 0, 90, 0)", 6371.0 * std::f64::consts::FRAC_PI_2);
    near("haversine_km(0, 179, 0, -179)", 6371.0 * 2.0_f64.to_radians());
    assert_eq!(value("haversine_km(0, 0, 0, 181)"), Value::Null);
}

#[test]
fn hours_come_round() {
    near("cyclic_sin(6, 24)", 1.0);
    near("cyclic_cos(12, 24)", -1.0);
    near("cyclic_sin(24, 24)", 0.0);
    near("cyclic_cos(x, 7)", 1.0);
    assert_eq!(value("cyclic_sin(1, 0)"), Value::Null);
}

#[test]
fn categories_and_ranges_become_numbers() {
    // numpy.digitize([0.2, 6.4, 3.0, 1.6, 10], [0, 1, 2.5, 4, 10])
    for (x, bucket) in [("0.2", 1), ("6.4", 4), ("3.0", 3), ("1.6", 2), ("10", 5), ("-1", 0)] {
        assert_eq!(value(&format!("bucketize({x}, [0, 1, 2.5, 4, 10])")), bucket);
    }
    assert_eq!(value("ordinal('b', ['a', 'b'])"), 1);
    assert_eq!(value("ordinal('z', ['a', 'b'])"), -1);
    assert_eq!(value("one_hot('b', ['a', 'b', 'c'])"), json!([0, 1, 0]));
    assert_eq!(value("one_hot('z', ['a', 'b', 'c'])"), json!([0, 0, 0]));
    assert_eq!(value("one_hot(NULL, ['a', NULL])"), json!([0, 1]));
}

#[test]
fn a_wrong_number_of_arguments_is_told_with_the_right_one() {
    let schema = rows::columns(&json!({"x": "int64"}));
    let error = Expression::plan("geohash(x, x)", &schema).unwrap_err();
    assert!(error.to_string().contains("geohash(latitude, longitude, length)"), "{error}");
}

#[test]
fn crosses_of_other_values_differ() {
    assert_eq!(value("cross('a', 'b')"), "a|b");
    assert_eq!(value("cross('a|b', 'c', x)"), "a\\|b|c|7");
    assert_eq!(value("cross('a', 'b|c', x)"), "a|b\\|c|7");
    assert_eq!(value("cross(NULL, '\\N')"), "\\N|\\\\N");
}

/// The 28th of March 2026 is a Saturday; the clocks of Berlin go forward in the night after it.
#[test]
fn days_are_those_of_the_time_zone() {
    let friday = "TIMESTAMP '2026-03-27 22:59:59'";
    assert_eq!(value(&format!("is_weekend({friday}, 'Europe/Berlin')")), false);
    assert_eq!(value("is_weekend(TIMESTAMP '2026-03-27 23:00:00', 'Europe/Berlin')"), true);
    assert_eq!(value("is_weekend(TIMESTAMP '2026-03-29 21:59:59', 'Europe/Berlin')"), true);
    assert_eq!(value("is_weekend(TIMESTAMP '2026-03-29 22:00:00', 'Europe/Berlin')"), false);
    let business =
        |at: &str| value(&format!("is_business_hour(TIMESTAMP '{at}', 'America/New_York', 9, 17)"));
    assert_eq!(business("2026-03-30 12:59:59"), false);
    assert_eq!(business("2026-03-30 13:00:00"), true);
    assert_eq!(business("2026-03-30 20:59:59"), true);
    assert_eq!(business("2026-03-30 21:00:00"), false);
    assert_eq!(business("2026-03-28 15:00:00"), false);
    assert_eq!(value("is_weekend(NULL, 'UTC')"), Value::Null);
}

#[test]
fn a_speed_is_a_distance_in_time() {
    let quarter = 6371.0 * std::f64::consts::FRAC_PI_2;
    let (early, late) = ("TIMESTAMP '2026-03-27 10:00:00'", "TIMESTAMP '2026-03-27 12:00:00'");
    near(&format!("speed_kmh(0, 0, {early}, 90, 0, {late})"), quarter / 2.0);
    near(&format!("speed_kmh(0, 0, {late}, 90, 0, {early})"), quarter / 2.0);
    assert_eq!(value(&format!("speed_kmh(0, 0, {early}, 90, 0, {early})")), Value::Null);
    assert_eq!(value(&format!("speed_kmh(0, 0, {early}, 91, 0, {late})")), Value::Null);
}

/// What the Python package `h3` says.
#[test]
fn cells_are_those_of_h3() {
    assert_eq!(value("h3(37.3615593, -122.0553238, 7)"), "87283472bffffff");
    assert_eq!(value("h3(0, 0, 0)"), "8075fffffffffff");
    assert_eq!(value("h3(52.52, 13.405, 15)"), "8f1f1d48945d998");
    assert_eq!(value("h3(-89.9, 179.9, 5)"), "85f29383fffffff");
    assert_eq!(value("h3_parent('87283472bffffff', 3)"), "832834fffffffff");
    for nothing in [
        "h3(91, 0, 5)",
        "h3(0, 0, 16)",
        "h3(NULL, 0, 5)",
        "h3_parent('no cell', 3)",
        "h3_parent('87283472bffffff', 8)",
    ] {
        assert_eq!(value(nothing), Value::Null, "{nothing}");
    }
}
