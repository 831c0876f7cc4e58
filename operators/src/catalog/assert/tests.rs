//! Rules as users write them.

use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::ErrorKind;
use swiftwater_engine::testing::{Harness, rows};

use super::*;

fn columns() -> Value {
    json!({
        "id": "int64", "price": "int64", "share": "float64", "channel": "utf8",
        "at": "timestamp_ms", "amount": "decimal(10,2)", "ok": "bool",
    })
}

fn asserted(rules: Value) -> Harness {
    Harness::new::<AssertOptions>(json!({"rules": rules}), &columns())
}

/// Numbers of the rows that pass and of those that are set aside.
fn judged(rule: Value, input: &Value) -> (Vec<i64>, Vec<i64>) {
    let mut assert = asserted(json!([rule]));
    assert.push(input);
    let id = |row: &Value| row["id"].as_i64().unwrap();
    let passed = assert.take_rows(0).iter().map(id).collect();
    let aside = assert.take_rejected();
    let aside = aside.iter().map(|r| id(&swiftwater_engine::testing::payload(r))).collect();
    (passed, aside)
}

#[test]
fn each_rule_sets_aside_the_rows_that_break_it() {
    let input = json!([
        {"id": 1, "price": 5, "share": 0.5, "channel": "Apple", "at": "2026-01-01T00:00:00", "amount": "1.50", "ok": true},
        {"id": 2, "price": -5, "share": 1.5, "channel": "Yahoo", "at": "2025-01-01T00:00:00", "amount": "99.00", "ok": false},
        {"id": 3},
    ]);
    for (rule, aside) in [
        (json!({"column": "price", "not_null": true}), vec![3]),
        (json!({"column": "price", "range": {"min": 0, "max": 10}}), vec![2]),
        (json!({"column": "price", "range": {"max": 4}}), vec![1]),
        (json!({"column": "price", "range": {"min": 5.5}}), vec![1, 2]),
        (json!({"column": "share", "range": {"min": 0, "max": 1}}), vec![2]),
        (json!({"column": "amount", "range": {"max": 50.5}}), vec![2]),
        (json!({"column": "at", "range": {"min": "2026-01-01"}}), vec![2]),
        (json!({"column": "channel", "one_of": ["Apple", "Google"]}), vec![2]),
        (json!({"column": "price", "one_of": [5, 6]}), vec![2]),
        (json!({"column": "ok", "one_of": [true]}), vec![2]),
        (json!({"column": "channel", "matches": "^A"}), vec![2]),
        (json!({"predicate": "price > 0 OR share < 1"}), vec![2]),
        (json!({"predicate": "100 / (price - 5) < 0"}), vec![1]),
        (json!({"unique": ["channel"]}), vec![]),
        (json!({"column": "channel", "max_null_rate": 0.5}), vec![]),
        (json!({"column": "channel", "max_null_rate": 0.3}), vec![1, 2, 3]),
        (json!({"column": "channel", "max_null_rate": 0.3, "min_rows": 4}), vec![]),
    ] {
        let passed: Vec<i64> = (1..=3).filter(|id| !aside.contains(id)).collect();
        assert_eq!(judged(rule.clone(), &input), (passed, aside), "{rule}");
    }
}

#[test]
fn not_a_number_lies_in_no_range() {
    use arrow::array::{Float64Array, Int64Array};
    let schema = rows::columns(&json!({"id": "int64", "share": "float64"}));
    let options = json!({"rules": [{"column": "share", "range": {"min": 0}}]});
    let mut assert =
        Harness::plan::<AssertOptions>(options, std::slice::from_ref(&schema)).unwrap();
    let shares = Float64Array::from(vec![Some(1.0), Some(f64::NAN), None]);
    let records = RecordBatch::try_new(
        schema,
        vec![Arc::new(Int64Array::from(vec![1, 2, 3])), Arc::new(shares)],
    );
    assert.push_batch(0, records.unwrap()).unwrap();
    assert.expect(&json!([{"id": 1}, {"id": 3}]));
}

#[test]
fn repeated_rows_are_set_aside_but_the_first() {
    let input = json!([
        {"id": 1, "price": 1, "channel": "a"}, {"id": 2, "price": 1, "channel": "b"},
        {"id": 3, "price": 1, "channel": "a"}, {"id": 4, "price": 1, "channel": null},
        {"id": 5, "price": 1, "channel": null}, {"id": 6, "price": 1, "channel": "a"},
    ]);
    assert_eq!(
        judged(json!({"unique": ["price", "channel"]}), &input),
        (vec![1, 2, 4, 5], vec![3, 6])
    );
}

#[test]
fn a_dead_letter_names_rule_and_value_and_carries_the_row() {
    let mut assert = asserted(json!([
        {"column": "price", "range": {"min": 0, "max": 10}},
        {"name": "sane", "predicate": "price > 0 OR share > 0.7"},
        {"unique": ["channel"]},
    ]));
    assert.push(&json!([
        {"id": 1, "price": -5, "share": 0.5, "channel": "x"},
        {"id": 2, "price": 0, "share": 0.5, "channel": "x"},
        {"id": 3, "price": 1, "channel": "y"}, {"id": 4, "price": 1, "channel": "y"},
    ]));
    assert.expect(&json!([{"id": 3}]));
    let rejected = assert.take_rejected();
    let told: Vec<_> = rejected.iter().map(|r| (r.code, r.message.as_str())).collect();
    assert_eq!(
        told,
        [
            ("SW3210", "keep the rule `price from 0 to 10`: `price` is -5"),
            ("SW3210", "keep the rule `sane`: `price` is 0, `share` is 0.5"),
            (
                "SW3212",
                "keep the rule `channel unique`: `channel` is y in an earlier row of the batch too"
            ),
        ]
    );
    let row = swiftwater_engine::testing::payload(&rejected[0]);
    assert_eq!(row, json!({"id": 1, "price": -5, "share": 0.5, "channel": "x"}));
    // The second row breaks its rule although it is set aside for another one.
    let breaches = assert.take_breaches();
    assert_eq!(breaches["sane"], 2);
    assert_eq!(breaches["price from 0 to 10"], 1);
}

#[test]
fn a_breach_that_only_counts_lets_the_row_pass() {
    let mut assert = asserted(json!([
        {"column": "price", "range": {"min": 0}, "on_breach": "count"},
        {"column": "channel", "max_null_rate": 0.1, "on_breach": "count"},
    ]));
    let input = json!([{"id": 1, "price": -5}, {"id": 2, "price": 5}]);
    assert.push(&input).expect(&input).expect_rejected(&[]);
    let breaches = assert.take_breaches();
    assert_eq!(breaches["price at least 0"], 1);
    assert_eq!(breaches["channel null in at most 10 %"], 2);
}

#[test]
fn a_breach_can_stop_the_topology() {
    for rule in [
        json!({"column": "price", "range": {"min": 0}}),
        json!({"unique": ["channel"]}),
        json!({"column": "share", "max_null_rate": 0}),
    ] {
        let options = json!({"rules": [rule], "on_breach": "stop"});
        let schema = rows::columns(&columns());
        let mut assert =
            Harness::plan::<AssertOptions>(options, std::slice::from_ref(&schema)).unwrap();
        let bad = json!([{"price": 1, "channel": "x"}, {"price": -7, "channel": "x"}]);
        let error = assert.push_batch(0, rows::batch(&schema, &bad)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::State, "on_error must not swallow it");
        assert!(error.message.contains("the row is {"), "{error}");
    }
}

#[test]
fn good_rows_are_passed_on_untouched() {
    use arrow::array::Array;
    let schema = rows::columns(&columns());
    let batch = rows::made_up(&schema, 50, 1, false);
    let mut assert = asserted(json!([{"column": "price", "range": {"min": 0}}]));
    assert.push_batch(0, batch.clone()).unwrap();
    let kept = assert.take_batches(0);
    assert!(kept[0].column(3).to_data().ptr_eq(&batch.column(3).to_data()));
}

#[test]
fn dead_letters_without_a_place_to_go_are_warned_of() {
    let assert = asserted(json!([{"column": "price", "not_null": true}]));
    assert!(assert.planned().warnings[0].contains("on_error"));
    let assert = asserted(json!([{"column": "price", "not_null": true, "on_breach": "count"}]));
    assert!(assert.planned().warnings.is_empty());
}

#[test]
fn mistakes_are_named() {
    for (rules, code, part) in [
        (json!([]), "SW0313", "without `rules`"),
        (json!([{"column": "price"}]), "SW0313", "rule 1: it has no check"),
        (
            json!([{"column": "price", "not_null": true, "matches": "x"}]),
            "SW0313",
            "several checks: not_null, matches",
        ),
        (json!([{"name": "r", "not_null": true}]), "SW0313", "rule r: `not_null` needs `column`"),
        (json!([{"column": "price", "predicate": "true"}]), "SW0313", "takes no `column`"),
        (json!([{"column": "price", "range": {}}]), "SW0313", "neither `min` nor `max`"),
        (json!([{"column": "price", "one_of": []}]), "SW0313", "`one_of` is empty"),
        (json!([{"column": "price", "max_null_rate": 2}]), "SW0313", "not between 0 and 1"),
        (json!([{"column": "price", "not_null": true, "min_rows": 2}]), "SW0313", "`min_rows`"),
        (json!([{"column": "price", "one_of": [[1]]}]), "SW0313", "compare a column with [1]"),
        (json!([{"column": "prise", "not_null": true}]), "SW0301", "did you mean `price`?"),
        (json!([{"unique": ["prise"]}]), "SW0301", "did you mean `price`?"),
        (json!([{"column": "channel", "matches": "("}]), "SW0306", "`(`"),
        (json!([{"column": "price", "matches": "x"}]), "SW0303", "matches x"),
        (json!([{"column": "at", "range": {"min": "yesterday"}}]), "SW0303", "yesterday"),
        (json!([{"predicate": "price"}]), "SW0303", "boolean"),
        (json!([{"colum": "price"}]), "SW0110", "`colum`"),
    ] {
        let schema = rows::columns(&columns());
        let options = json!({"rules": rules});
        let error = Harness::plan::<AssertOptions>(options.clone(), &[schema]).err().unwrap();
        assert_eq!(error.code, code, "{options}: {error}");
        assert!(error.to_string().contains(part), "{options}: {error}");
    }
}

proptest! {
    #[test]
    fn any_split_gives_what_the_oracle_gives(
        values in prop::collection::vec((prop::option::of(-5i64..5), prop::option::of("[ab]")), 0..60),
        cut in 1usize..20,
    ) {
        let input: Vec<Value> = values.iter().enumerate()
            .map(|(id, (price, channel))| json!({"id": id, "price": price, "channel": channel}))
            .collect();
        let good = |v: &(Option<i64>, Option<String>)| {
            v.0.is_none_or(|p| (-2..=2).contains(&p)) && v.1.as_deref().is_none_or(|c| c == "a")
        };
        let rules = json!([
            {"column": "price", "range": {"min": -2, "max": 2}},
            {"column": "channel", "one_of": ["a"]},
            {"predicate": "10 / price < 100", "on_breach": "count"},
        ]);
        let mut assert = asserted(rules);
        for part in input.chunks(cut) {
            assert.push(&json!(part));
        }
        let id = |row: &Value| row["id"].as_u64().unwrap() as usize;
        let passed: Vec<usize> = assert.take_rows(0).iter().map(id).collect();
        let mut aside: Vec<usize> = assert.take_rejected().iter()
            .map(|r| id(&swiftwater_engine::testing::payload(r))).collect();
        let expected: Vec<usize> = (0..values.len()).filter(|i| good(&values[*i])).collect();
        prop_assert_eq!(&passed, &expected);
        aside.sort_unstable();
        let expected: Vec<usize> = (0..values.len()).filter(|i| !good(&values[*i])).collect();
        prop_assert_eq!(&aside, &expected);
        let zeros = values.iter().filter(|v| v.0 == Some(0)).count();
        prop_assert_eq!(assert.take_breaches().get("10 / price < 100").copied().unwrap_or(0), zeros);
    }
}
