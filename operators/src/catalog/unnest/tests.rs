//! Lists as rows, structs as columns.

use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::testing::{Harness, rows};

use super::*;

fn columns() -> Value {
    json!({
        "id": "int64", "tags": "list<utf8>", "item": {"name": "utf8", "w": "int64"}, "n": "int64",
    })
}

fn unnest(options: Value) -> Harness {
    Harness::new::<UnnestOptions>(options, &columns())
}

#[test]
fn elements_become_rows_and_fields_become_columns() {
    let input = json!([
        {"id": 1, "tags": ["x", null], "item": {"name": "lamp", "w": 4}, "n": 9},
        {"id": 2, "tags": [], "item": null, "n": 8},
        {"id": 3, "tags": null, "item": {"name": "bed", "w": null}, "n": 7},
    ]);
    for (options, expected) in [
        (
            json!({"column": "tags"}),
            json!([{"id": 1, "tags": "x", "n": 9}, {"id": 1, "tags": null, "n": 9}]),
        ),
        (
            json!({"column": "tags", "as": "tag", "empty": "keep", "position": "place"}),
            json!([
                {"id": 1, "tag": "x", "place": 1}, {"id": 1, "tag": null, "place": 2},
                {"id": 2, "tag": null, "place": null}, {"id": 3, "tag": null, "place": null},
            ]),
        ),
        (
            json!({"column": "item", "expand": true, "prefix": "item_"}),
            json!([
                {"id": 1, "item_name": "lamp", "item_w": 4, "tags": ["x", null]},
                {"id": 2, "item_name": null, "item_w": null},
                {"id": 3, "item_name": "bed", "item_w": null},
            ]),
        ),
    ] {
        unnest(options).push(&input).expect(&expected);
    }
}

/// A schema file cannot write a list of structs yet; decoded messages have them.
fn lines() -> SchemaRef {
    let line: arrow::datatypes::Fields =
        vec![Field::new("sku", DataType::Utf8, true), Field::new("qty", DataType::Int64, false)]
            .into();
    let lines = DataType::List(Arc::new(Field::new("item", DataType::Struct(line), true)));
    Arc::new(Schema::new(vec![
        Field::new("order", DataType::Int64, false),
        Field::new("lines", lines, true),
    ]))
}

#[test]
fn structs_in_a_list_become_rows_of_columns() {
    let options = json!({"column": "lines", "expand": true, "empty": "keep"});
    let mut unnest = Harness::plan::<UnnestOptions>(options, &[lines()]).unwrap();
    unnest.push(&json!([
        {"order": 1, "lines": [{"sku": "a", "qty": 2}, {"sku": "b", "qty": 1}]},
        {"order": 2, "lines": [null]},
        {"order": 3, "lines": null},
    ]));
    unnest.expect(&json!([
        {"order": 1, "sku": "a", "qty": 2}, {"order": 1, "sku": "b", "qty": 1},
        {"order": 2, "sku": null, "qty": null}, {"order": 3, "sku": null, "qty": null},
    ]));
}

#[test]
fn a_large_result_comes_in_bearable_batches() {
    let mut unnest = unnest(json!({"column": "tags"}));
    let row = json!({"id": 1, "tags": vec!["x"; 10_000]});
    unnest.push(&json!([row, row, row]));
    let sizes: Vec<_> = unnest.take_batches(0).iter().map(|b| b.num_rows()).collect();
    assert_eq!(sizes, [10_000, 10_000, 10_000]);
}

#[test]
fn mistakes_are_named() {
    for (options, code, part) in [
        (json!({"column": "tag"}), "SW0301", "did you mean `tags`?"),
        (json!({"column": "n"}), "SW0303", "it is int64, not a list"),
        (json!({"column": "item"}), "SW0303", "expand: true"),
        (json!({"column": "tags", "expand": true}), "SW0303", "utf8, not structs"),
        (json!({"column": "tags", "as": "id"}), "SW0307", "two columns `id`"),
        (json!({"column": "tags", "position": "n"}), "SW0307", "two columns `n`"),
        (json!({"colum": "tags"}), "SW0110", "`colum`"),
    ] {
        let schema = rows::columns(&columns());
        let error = Harness::plan::<UnnestOptions>(options.clone(), &[schema]).err().unwrap();
        assert_eq!(error.code, code, "{options}: {error}");
        assert!(error.to_string().contains(part), "{options}: {error}");
    }
}

proptest! {
    #[test]
    fn any_split_gives_what_the_oracle_gives(
        lists in prop::collection::vec(
            prop::option::of(prop::collection::vec(prop::option::of("[a-c]{0,2}"), 0..4)),
            0..40,
        ),
        cut in 1usize..10,
        keep: bool,
    ) {
        let rows: Vec<Value> = lists.iter().enumerate().map(|(i, l)| json!({"id": i, "tags": l})).collect();
        let mut expected = Vec::new();
        for (id, list) in lists.iter().enumerate() {
            let elements = list.clone().unwrap_or_default();
            for (place, element) in elements.iter().enumerate() {
                expected.push(json!({"id": id, "tags": element, "at": place + 1}));
            }
            if elements.is_empty() && keep {
                expected.push(json!({"id": id, "tags": null, "at": null}));
            }
        }
        let empty = if keep { "keep" } else { "drop" };
        let mut unnest = unnest(json!({"column": "tags", "empty": empty, "position": "at"}));
        for part in rows.chunks(cut) {
            unnest.push(&json!(part));
        }
        unnest.expect(&json!(expected));
    }
}
