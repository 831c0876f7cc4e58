//! What a sink received against what a test expects, and the difference for people.

use arrow::datatypes::SchemaRef;
use serde_json::Value;
use swiftwater_config::topology::{Expectation, TestRow};
use swiftwater_engine::{Result, simulate};

use super::rows::{Row, received};
use crate::manual::flow;

/// At most this many rows of a difference are shown.
const SHOWN: usize = 50;

/// Says what is not as expected; nothing where all is.
pub(super) fn compare(
    columns: &SchemaRef,
    expectation: &Expectation,
    got: &[Row],
) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    if let Some(count) = expectation.count
        && count != got.len()
    {
        problems.push(format!("expected {count} rows, got {}", got.len()));
    }
    if let Some(rows) = &expectation.rows {
        problems.extend(exactly(&normal(columns, rows)?, got));
    }
    if let Some(rows) = &expectation.contains {
        problems.extend(contains(&normal(columns, rows)?, got));
    }
    Ok(problems)
}

/// Expected rows in the form that received rows have.
fn normal(columns: &SchemaRef, rows: &[TestRow]) -> Result<Vec<Row>> {
    let mut normal = Vec::new();
    for row in rows {
        let batch = simulate::expected(columns, row)?;
        normal.extend(received(&[batch])?);
    }
    Ok(normal)
}

fn value<'a>(row: &'a Row, name: &str) -> &'a Value {
    row.get(name).unwrap_or(&Value::Null)
}

/// Whether every column that is expected has its value.
fn matches(expected: &Row, got: &Row) -> bool {
    expected.iter().all(|(name, v)| value(got, name) == v)
}

fn exactly(expected: &[Row], got: &[Row]) -> Option<String> {
    let steps = difference(expected, got);
    if steps.iter().all(|step| matches!(step, Step::Same(_))) {
        return None;
    }
    let mut text = String::from("the rows differ (- expected, + received)");
    let line = |step: &Step<'_>| match step {
        Step::Same(row) => format!("\n    {}", shown(row, expected)),
        Step::Missing(row) => format!("\n  - {}", shown(row, expected)),
        Step::Surplus(row) => format!("\n  + {}", shown(row, expected)),
    };
    text.extend(steps.iter().take(SHOWN).map(line));
    if steps.len() > SHOWN {
        text.push_str(&format!("\n    and {} more", steps.len() - SHOWN));
    }
    Some(text)
}

fn contains(expected: &[Row], got: &[Row]) -> Option<String> {
    let mut free: Vec<&Row> = got.iter().collect();
    let mut missing = Vec::new();
    for row in expected {
        match free.iter().position(|g| matches(row, g)) {
            Some(at) => drop(free.swap_remove(at)),
            None => missing.push(row),
        }
    }
    if missing.is_empty() {
        return None;
    }
    let count = got.len();
    let mut text = format!("rows are missing among the {count} received (- expected, + nearest)");
    for row in missing.into_iter().take(SHOWN) {
        text.push_str(&format!("\n  - {}", shown(row, expected)));
        let equal = |g: &&&Row| row.iter().filter(|(name, v)| value(g, name) == *v).count();
        if let Some(near) = free.iter().max_by_key(equal) {
            text.push_str(&format!("\n  + {}", shown(near, std::slice::from_ref(row))));
        }
    }
    Some(text)
}

/// A row, or of it the columns that the expected rows name.
fn shown(row: &Row, expected: &[Row]) -> String {
    let named = |name: &str| expected.iter().any(|e| e.contains_key(name));
    let all = expected.is_empty();
    let kept = row.iter().filter(|(name, _)| all || named(name));
    flow(&Value::Object(kept.map(|(n, v)| (n.clone(), v.clone())).collect()))
}

/// One line of a difference.
enum Step<'a> {
    Same(&'a Row),
    Missing(&'a Row),
    Surplus(&'a Row),
}

/// The shortest way from `expected` to `got`: the longest common subsequence by the table.
#[expect(clippy::indexing_slicing, reason = "the table is one larger than the lists")]
fn difference<'a>(expected: &'a [Row], got: &'a [Row]) -> Vec<Step<'a>> {
    let (rows, columns) = (expected.len(), got.len());
    let mut common = vec![vec![0_usize; columns + 1]; rows + 1];
    for i in (0..rows).rev() {
        for j in (0..columns).rev() {
            common[i][j] = if matches(&expected[i], &got[j]) {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut steps) = (0, 0, Vec::new());
    while i < rows || j < columns {
        if i < rows && j < columns && matches(&expected[i], &got[j]) {
            steps.push(Step::Same(&got[j]));
            (i, j) = (i + 1, j + 1);
        } else if j == columns || (i < rows && common[i + 1][j] >= common[i][j + 1]) {
            steps.push(Step::Missing(&expected[i]));
            i += 1;
        } else {
            steps.push(Step::Surplus(&got[j]));
            j += 1;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
    use serde_json::json;

    use super::*;

    fn columns() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("price", DataType::Float64, true),
            Field::new("time", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        ]))
    }

    fn rows(rows: Value) -> Vec<Row> {
        serde_json::from_value(rows).unwrap()
    }

    fn problems(expect: Value, got: Value) -> Vec<String> {
        let expectation: Expectation = serde_json::from_value(expect).unwrap();
        let got = normal(&columns(), &rows(got)).unwrap();
        compare(&columns(), &expectation, &got).unwrap()
    }

    #[test]
    fn equal_values_are_equal_however_they_are_written() {
        let got = json!([{"id": 1, "price": 2.0, "time": 14000}, {"id": 2}]);
        let rows = json!([
            {"id": 1, "price": 2, "time": "14s"},
            {"id": 2, "price": null},
        ]);
        assert_eq!(problems(json!({"rows": rows, "count": 2}), got.clone()), [""; 0]);
        let late = json!([{"time": "1970-01-01T00:00:14Z"}]);
        assert_eq!(problems(json!({"contains": late}), got), [""; 0]);
    }

    #[test]
    fn a_difference_shows_what_is_missing_and_what_is_too_much() {
        let got = json!([{"id": 1, "price": 1}, {"id": 3, "price": 3}, {"id": 2, "price": 2}]);
        let found = problems(json!({"rows": [{"id": 1}, {"id": 2}, {"id": 4}]}), got.clone());
        assert_eq!(
            found,
            [
                "the rows differ (- expected, + received)\n    {id: 1}\n  + {id: 3}\n    {id: 2}\n  - {id: 4}"
            ]
        );
        let found = problems(json!({"contains": [{"id": 3, "price": 4}], "count": 1}), got);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], "expected 1 rows, got 3");
        assert!(found[1].ends_with("- {id: 3, price: 4.0}\n  + {id: 3, price: 3.0}"), "{found:?}");
    }

    #[test]
    fn each_received_row_stands_for_one_expected_row() {
        let found = problems(json!({"contains": [{"id": 1}, {"id": 1}]}), json!([{"id": 1}]));
        assert_eq!(found.len(), 1);
    }
}
