//! Columns as users select them.

use arrow::array::Array;
use serde_json::json;
use swiftwater_engine::testing::{Harness, rows};

use super::*;

fn columns() -> Value {
    json!({"auction": "int64", "price": "int64", "channel": "utf8", "item": {"name": "utf8", "w": "int64"}})
}

fn row() -> Value {
    json!([{"auction": 7, "price": 100, "channel": "g", "item": {"name": "lamp", "w": 4}}])
}

fn mistake(options: Value) -> Error {
    Harness::plan::<SelectOptions>(options, &[rows::columns(&columns())]).err().unwrap()
}

#[test]
fn columns_are_computed_renamed_reordered_and_left_out() {
    for (options, expected) in [
        (json!(["price", "auction"]), json!({"price": 100, "auction": 7})),
        (json!(["price * 2 AS twice", "price"]), json!({"twice": 200, "price": 100})),
        (json!(["item.name", "item['w'] AS width"]), json!({"name": "lamp", "width": 4})),
        (json!(["* EXCEPT (item, channel)"]), json!({"auction": 7, "price": 100})),
        (
            json!(["* EXCLUDE (item)", "1 AS one"]),
            json!({"auction": 7, "price": 100, "channel": "g", "one": 1}),
        ),
        (
            json!(["* REPLACE (price + 1 AS price)"]),
            json!({"auction": 7, "price": 101, "channel": "g", "item": {"name": "lamp", "w": 4}}),
        ),
        (
            json!({"columns": ["*"], "except": ["item", "price"]}),
            json!({"auction": 7, "channel": "g"}),
        ),
        (
            json!({"columns": {"b": "price", "a": "auction + 1", "Kind of": "'x'", "n": 3}}),
            json!({"b": 100, "a": 8, "Kind of": "x", "n": 3}),
        ),
        (json!(["price + price AS a", "(price + price) * 2 AS b"]), json!({"a": 200, "b": 400})),
    ] {
        let mut select = Harness::new::<SelectOptions>(options.clone(), &columns());
        select.push(&row());
        let found = select.take_rows(0);
        assert_eq!(found, vec![expected.clone()], "{options}");
        let names: Vec<_> = found[0].as_object().unwrap().keys().collect();
        let wanted: Vec<_> = expected.as_object().unwrap().keys().collect();
        assert_eq!(names, wanted, "the order of the columns");
    }
}

#[test]
fn columns_that_are_passed_on_are_not_copied() {
    let schema = rows::columns(&columns());
    let batch = rows::made_up(&schema, 100, 1, true);
    let mut select = Harness::new::<SelectOptions>(json!(["channel", "price"]), &columns());
    select.push_batch(0, batch.clone()).unwrap();
    let found = select.take_batches(0);
    assert!(found[0].column(0).to_data().ptr_eq(&batch.column(2).to_data()));
    assert!(found[0].column(1).to_data().ptr_eq(&batch.column(1).to_data()));
}

#[test]
fn a_row_that_cannot_be_evaluated_is_set_aside_alone() {
    let options = json!(["auction", "1000 / price AS share"]);
    let mut select = Harness::new::<SelectOptions>(options, &columns());
    select.push(&json!([{"auction": 1, "price": 10}, {"auction": 2, "price": 0}]));
    select.expect(&json!([{"auction": 1, "share": 100}]));
    let rejected = select.take_rejected();
    assert_eq!(rejected[0].code, "SW3201");
    assert!(rejected[0].message.contains("column `share`"), "{}", rejected[0].message);
}

#[test]
fn mistakes_are_named() {
    for (options, code, part) in [
        (json!(["prise"]), "SW0301", "did you mean `price`?"),
        (json!(["price * 2"]), "SW0307", "price * 2 AS name"),
        (json!(["upper(channel)"]), "SW0307", "upper(channel) AS name"),
        (json!(["price", "auction AS price"]), "SW0307", "two columns `price`"),
        (json!(["*", "1 AS price"]), "SW0307", "* EXCEPT (price)"),
        (json!([]), "SW0308", "no column"),
        (json!({"columns": {}}), "SW0308", "no column"),
        (json!({"columns": ["price"], "except": ["auction"]}), "SW0308", "no `*`"),
        (json!({"columns": ["*"], "except": ["prise"]}), "SW0301", "`prise`"),
        (json!({"columns": {"a": ["x"]}}), "SW0308", "column `a`"),
        (json!({"colums": ["*"]}), "SW0110", "unknown field `colums`"),
        (json!(["sum(price) AS s"]), "SW0305", "`sum`"),
        (json!(["(SELECT 1) AS s"]), "SW0305", "subquery"),
        (json!(["unnest(channel) AS s"]), "SW0305", "`unnest` node"),
        (json!(["price AS"]), "SW0304", "read `price AS`"),
        (json!(["price +"]), "SW0304", "read `price +`"),
    ] {
        let error = mistake(options.clone());
        assert_eq!(error.code, code, "{options}: {error}");
        assert!(error.to_string().contains(part), "{options}: {error}");
    }
}

#[test]
fn random_columns_are_warned_of() {
    let select = Harness::new::<SelectOptions>(json!(["uuid() AS id"]), &columns());
    assert!(select.planned().warnings[0].contains("`uuid()`"));
}
