//! Answers as rows of text, compared as sorted multisets: exactly, but for the columns that are
//! named as computed in another order.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use arrow::util::display::array_value_to_string;

/// Largest relative difference of what is computed in another order of the rows.
const TOLERANCE: f64 = 1e-9;

/// One value as text: times in milliseconds, floats with all their digits.
fn cell(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "null".to_owned();
    }
    match column.data_type() {
        DataType::Timestamp(..) => {
            let millis = cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None)).unwrap();
            let numbers = cast(&millis, &DataType::Int64).unwrap();
            numbers.as_primitive::<Int64Type>().value(row).to_string()
        }
        DataType::Float64 => {
            // There are two zeros.
            let value = column.as_primitive::<Float64Type>().value(row) + 0.0;
            format!("{value:?}")
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            format!("{:?}", array_value_to_string(column, row).unwrap())
        }
        _ => array_value_to_string(column, row).unwrap(),
    }
}

/// A row: its values by the order of the columns asked for.
pub(crate) type Row = Vec<String>;

/// These columns of all rows, in order.
///
/// # Panics
/// Where a batch has no such column.
pub(crate) fn rows(batches: &[RecordBatch], columns: &[&str]) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in batches {
        let column = |name: &&str| {
            let found = batch.column_by_name(name);
            found.unwrap_or_else(|| panic!("no column {name} in {}", batch.schema()))
        };
        let columns: Vec<&ArrayRef> = columns.iter().map(column).collect();
        rows.extend(
            (0..batch.num_rows()).map(|row| columns.iter().map(|c| cell(c, row)).collect()),
        );
    }
    rows
}

/// The rows that are left to someone who follows `_op`, of which `key` tells one from another.
///
/// # Panics
/// Where an operation does not fit what is there.
pub(crate) fn followed(batches: &[RecordBatch], key: &[&str], columns: &[&str]) -> Vec<Row> {
    let keys = rows(batches, key);
    let operations = rows(batches, &["_op"]);
    let mut left: BTreeMap<Row, Row> = BTreeMap::new();
    for ((key, operation), row) in keys.into_iter().zip(operations).zip(rows(batches, columns)) {
        let there = left.get(&key);
        match operation[0].as_str() {
            "\"insert\"" => assert_eq!(there, None, "{key:?} is inserted twice"),
            "\"update\"" => assert!(there.is_some(), "{key:?} is updated before it is there"),
            "\"delete\"" => {
                assert_eq!(there, Some(&row), "{key:?} is deleted with other values");
                left.remove(&key);
                continue;
            }
            other => panic!("{other} of {key:?}"),
        }
        left.insert(key, row);
    }
    left.into_values().collect()
}

/// Fails where the rows are not the same, whatever their order. The last `loose` values of a row are
/// floats that may differ in the ninth digit.
///
/// # Panics
/// Where they differ, with the rows that only one side has.
pub(crate) fn assert_same(what: &str, found: Vec<Row>, expected: Vec<Row>, loose: usize) {
    let (found, expected) = (sorted(found), sorted(expected));
    let same = found.len() == expected.len()
        && found.iter().zip(&expected).all(|(one, other)| is_same(one, other, loose));
    if same {
        return;
    }
    let only = |these: &[Row], those: &[Row]| {
        let missing = these.iter().filter(|row| !those.iter().any(|o| is_same(row, o, loose)));
        missing.take(10).map(|row| format!("  {}\n", row.join(" | "))).collect::<String>()
    };
    panic!(
        "{what}: {} rows, batch SQL has {}\nonly the stream has\n{}only batch SQL has\n{}",
        found.len(),
        expected.len(),
        only(&found, &expected),
        only(&expected, &found),
    );
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_unstable();
    rows
}

fn is_same(one: &Row, other: &Row, loose: usize) -> bool {
    let exact = one.len().saturating_sub(loose);
    one.len() == other.len()
        && one[..exact] == other[..exact]
        && one[exact..].iter().zip(&other[exact..]).all(|(a, b)| is_close(a, b))
}

fn is_close(a: &str, b: &str) -> bool {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        _ if a == b => true,
        (Ok(a), Ok(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0),
        _ => false,
    }
}

#[test]
fn a_difference_is_found() {
    let row = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Row>();
    let same = |one: &[&str], other: &[&str]| is_same(&row(one), &row(other), 1);
    assert!(same(&["1", "0.3"], &["1", "0.30000000000000004"]));
    assert!(!same(&["1", "0.3"], &["1", "0.300001"]));
    assert!(!same(&["1", "0.3"], &["2", "0.3"]));
    assert!(!same(&["1", "null"], &["1", "0.0"]));
    let lost = std::panic::catch_unwind(|| {
        assert_same("rows", vec![row(&["1"])], vec![row(&["1"]), row(&["1"])], 0);
    });
    assert!(lost.is_err(), "a row that comes once instead of twice");
}
