//! Expressions as users write them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use serde_json::{Value, json};
use swiftwater_engine::testing::rows;
use swiftwater_engine::{ErrorKind, Timestamp};

use super::*;

const NOON: Timestamp = Timestamp(1_767_268_800_000_000);

fn bids() -> SchemaRef {
    rows::columns(&json!({
        "auction": "int64", "price": "int64", "channel": "utf8", "date_time": "timestamp_ms",
        "share": "float64", "tags": "list<utf8>", "sizes": "list<int64>",
        "item": {"name": "utf8", "size": {"w": "int64", "h": "int64"}}, "Mixed": "int64",
        "order": "int32", "amount": "decimal(10,2)", "raw": "binary", "ok": "bool", "day": "date",
    }))
}

fn one_bid() -> RecordBatch {
    rows::batch(
        &bids(),
        &json!([{
            "auction": 7, "price": 2000, "channel": "Google Ads",
            "date_time": "2026-01-01T10:30:15.250", "share": 0.25, "tags": ["a", "b", null],
            "sizes": [3, 1, 2], "item": {"name": "lamp", "size": {"w": 4, "h": 9}}, "Mixed": 5,
            "order": 3, "amount": "12.50", "raw": "00ff", "ok": true, "day": "2026-01-01",
        }]),
    )
}

fn try_value(text: &str) -> Result<Value> {
    let records = one_bid();
    let expression = Expression::plan(text, &records.schema())?;
    let found = expression.evaluate(&records, NOON)?;
    assert_eq!(found.data_type(), expression.field().data_type(), "`{text}`");
    let field = expression.field().clone().with_name("v");
    let records = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![found]).unwrap();
    Ok(rows::json(&records)[0]["v"].clone())
}

fn value(text: &str) -> Value {
    try_value(text).unwrap_or_else(|e| panic!("`{text}`: {e}"))
}

fn error(text: &str) -> Error {
    match Expression::plan(text, &bids()) {
        Ok(_) => panic!("`{text}` plans"),
        Err(error) => error,
    }
}

#[test]
fn every_scalar_function_of_datafusion_is_there() {
    let functions = Functions::get();
    let names: BTreeSet<&str> = functions.names().collect();
    let scalar = datafusion_functions::all_default_functions();
    let nested = datafusion_functions_nested::all_default_nested_functions();
    let lambdas = datafusion_functions_nested::all_default_higher_order_functions();
    for function in scalar.iter().chain(&nested) {
        assert!(names.contains(function.name().to_lowercase().as_str()), "{}", function.name());
    }
    let count = scalar.len() + nested.len() + lambdas.len();
    assert!(count >= 186, "DataFusion 55 has 186 functions, found {count}");
    assert!(names.len() > count, "aliases count as well: {} of {count}", names.len());
}

#[test]
fn functions_answer() {
    let mut wrong = Vec::new();
    for (text, expected) in include!("table.in") {
        let found = match try_value(text) {
            Ok(found) => found,
            Err(error) => {
                wrong.push(format!("{text}: {}", error.message));
                continue;
            }
        };
        let same = match (found.as_f64(), expected.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-9,
            _ => found == expected,
        };
        if !same {
            wrong.push(format!("{text}: {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_clock_is_the_one_handed_in() {
    assert_eq!(value("now()"), json!("2026-01-01T12:00:00"));
    assert_eq!(value("current_timestamp"), json!("2026-01-01T12:00:00"));
    assert_eq!(value("current_date()"), json!("2026-01-01"));
    assert_eq!(value("today()"), json!("2026-01-01"));
    assert_eq!(value("current_time()"), json!("12:00:00"));
    assert_eq!(value("date_time > now() - INTERVAL '2 hours'"), json!(true));
    assert_eq!(value("date_time > now() - INTERVAL '1 hour'"), json!(false));

    let records = one_bid();
    let expression = Expression::plan("now()", &records.schema()).unwrap();
    let at = |t| format!("{:?}", expression.evaluate(&records, Timestamp(t)).unwrap());
    assert_ne!(at(0), at(1_000_000), "the time must not be frozen in the plan");
    assert!(expression.warnings().is_empty());
}

#[test]
fn random_functions_work_and_are_warned_of() {
    for (text, name) in [("random() < 2", "random"), ("length(uuid()) = 36", "uuid")] {
        let expression = Expression::plan(text, &bids()).unwrap();
        assert!(expression.warnings()[0].contains(name), "{:?}", expression.warnings());
        assert_eq!(value(text), json!(true));
    }
    let records = rows::made_up(&bids(), 100, 1, false);
    let drawn = Expression::plan("random()", &bids()).unwrap().evaluate(&records, NOON).unwrap();
    let drawn: BTreeSet<String> = drawn
        .as_primitive::<arrow::datatypes::Float64Type>()
        .values()
        .iter()
        .map(|v| v.to_string())
        .collect();
    assert_eq!(drawn.len(), 100, "each row draws its own");
}

#[test]
fn mistakes_are_named_with_place_and_cure() {
    for (text, code, parts) in [
        (
            "prise > 3",
            "SW0301",
            ["unknown column `prise`", "at column 1", "did you mean `price`?", "channel utf8"],
        ),
        ("mixed + 1", "SW0301", ["`mixed`", "at column 1", "did you mean `Mixed`?", "Mixed int64"]),
        ("channel = \"Yahoo\"", "SW0301", ["`Yahoo`", "column 11", "single quotes: 'Yahoo'", ""]),
        (
            "uper(channel)",
            "SW0302",
            ["unknown function `uper`", "at column 1", "did you mean `upper`?", ""],
        ),
        (
            "price > 0 AND frobnicate(price)",
            "SW0302",
            ["`frobnicate`", "column 15", "DataFusion", ""],
        ),
        ("sum(price) > 3", "SW0305", ["aggregate `sum`", "column 1", "`window`", ""]),
        ("row_number() OVER (ORDER BY price)", "SW0305", ["OVER", "window", "", ""]),
        ("price IN (SELECT 1)", "SW0305", ["subquery", "`join`", "", ""]),
        ("price + channel", "SW0303", ["price + channel", "Utf8", "columns: auction int64", ""]),
        ("upper(price, 3)", "SW0303", ["upper", "", "", ""]),
        ("channel AND ok", "SW0303", ["channel AND ok", "", "", ""]),
        ("item.nope = 1", "SW0303", ["nope", "", "", ""]),
        (
            "price >",
            "SW0304",
            ["read `price >`", "expected an expression", "found the end", "single quotes"],
        ),
        ("price > 3 4", "SW0304", ["found 4", "at column 11", "", ""]),
        ("a 'b", "SW0304", ["unterminated", "column 3", "", ""]),
        ("price\n  = = 3", "SW0304", ["line 2, column 5", "", "", ""]),
        ("", "SW0304", ["empty", "", "", ""]),
        ("channel ~ '('", "SW0306", ["`(`", "unclosed group", "channel ~ '('", ""]),
        ("regexp_like(channel, '[a')", "SW0306", ["`[a`", "unclosed", "", ""]),
    ] {
        let error = error(text);
        let full = error.to_string();
        assert_eq!((error.code, error.kind), (code, ErrorKind::Config), "{full}");
        for part in parts {
            assert!(full.contains(part), "`{text}` should say `{part}`: {full}");
        }
    }
}

#[test]
fn a_predicate_is_boolean() {
    let error = Predicate::plan("price * 2", &bids()).unwrap_err();
    assert_eq!(error.code, "SW0303");
    assert!(error.message.contains("a predicate must be boolean, this is int64"), "{error}");
    assert!(matches!(
        Predicate::plan("NULL", &bids()).unwrap().take(&one_bid(), NOON),
        Ok(Taken::None)
    ));
    assert!(matches!(
        Predicate::plan("true", &bids()).unwrap().take(&one_bid(), NOON),
        Ok(Taken::All)
    ));
}

#[test]
fn a_row_that_cannot_be_evaluated_is_bad_data() {
    for (text, part) in [
        ("price / (order - 3)", "ivide by zero"),
        ("price % (order - 3)", "ivide by zero"),
        ("CAST(channel AS BIGINT)", "Google Ads"),
        ("CAST(price AS TINYINT)", "2000"),
        ("price * 9223372036854775807", "verflow"),
        ("9223372036854775807 + price", "verflow"),
        ("-9223372036854775807 - price", "verflow"),
        ("regexp_like(channel, concat('(', channel))", "unclosed"),
        ("to_timestamp(channel) > now()", "Google Ads"),
    ] {
        let expression = Expression::plan(text, &bids()).unwrap();
        let error = expression.evaluate(&one_bid(), NOON).unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Data, "SW3201"), "{text}: {error}");
        assert!(error.message.contains(part), "{text}: {error}");
    }
}

#[test]
fn columns_that_are_read_are_known() {
    let expression = Expression::plan("price + \"Mixed\" > item.size.w", &bids()).unwrap();
    assert_eq!(expression.columns(), [1, 7, 8]);
}

#[test]
fn long_expressions_do_not_exhaust_the_stack() {
    let long: Vec<_> = (0..400).map(|i| format!("price = {i}")).collect();
    assert_eq!(value(&long.join(" OR ")), json!(false));
    let list: Vec<_> = (0..20_000).map(|i| i.to_string()).collect();
    assert_eq!(value(&format!("price IN ({})", list.join(", "))), json!(true));
    let deep = format!("{}price{}", "(".repeat(400), ")".repeat(400));
    assert_eq!(error(&deep).code, "SW0304");
}
