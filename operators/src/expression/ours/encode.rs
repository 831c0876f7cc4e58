//! Categories and ranges as numbers.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray, Int64Array, Int64Builder, ListBuilder, StringArray,
    StringBuilder,
};
use arrow::datatypes::{DataType, Field, Float64Type};
use datafusion_common::{Result, exec_err};

use super::row_wise::RowWise;

fn list(of: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(of, true)))
}

pub(super) fn functions() -> Vec<RowWise> {
    let categories = || vec![DataType::Utf8, list(DataType::Utf8)];
    vec![
        RowWise::new(
            ("bucketize", "bucketize(x, [edges])"),
            vec![DataType::Float64, list(DataType::Float64)],
            DataType::Int64,
            bucketize,
        ),
        RowWise::new(
            ("ordinal", "ordinal(x, ['first', 'second'])"),
            categories(),
            DataType::Int64,
            ordinal,
        ),
        RowWise::new(
            ("one_hot", "one_hot(x, ['first', 'second'])"),
            categories(),
            list(DataType::Int64),
            one_hot,
        ),
        RowWise::new(("cross", "cross(a, b, …)"), vec![DataType::Utf8], DataType::Utf8, cross)
            .variadic(),
    ]
}

/// The values of a row as one category: joined by `|`, which is written `\|` within them, as a
/// backslash is written twice; null is written `\N`. Other values never give the same text.
fn cross(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let rows = columns.first().map_or(0, |column| column.len());
    let columns: Vec<&StringArray> = columns.iter().map(|c| c.as_string::<i32>()).collect();
    let mut crossed = StringBuilder::with_capacity(rows, rows * 16);
    let mut text = String::new();
    for row in 0..rows {
        text.clear();
        for (number, column) in columns.iter().enumerate() {
            if number > 0 {
                text.push('|');
            }
            if column.is_null(row) {
                text.push_str("\\N");
                continue;
            }
            for letter in column.value(row).chars() {
                if matches!(letter, '|' | '\\') {
                    text.push('\\');
                }
                text.push(letter);
            }
        }
        crossed.append_value(&text);
    }
    Ok(Arc::new(crossed.finish()))
}

/// The number of edges that are not above x, as numpy's `digitize`; null for null and NaN.
fn bucketize(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [values, edges] = columns else { return exec_err!("two arguments") };
    let (values, edges) = (values.as_primitive::<Float64Type>(), edges.as_list::<i32>());
    let one = |(row, value): (usize, Option<f64>)| {
        let value = value.filter(|v| !v.is_nan())?;
        let edges = edges.is_valid(row).then(|| edges.value(row))?;
        let below = edges.as_primitive::<Float64Type>().iter().flatten();
        i64::try_from(below.filter(|edge| *edge <= value).count()).ok()
    };
    Ok(Arc::new(values.iter().enumerate().map(one).collect::<Int64Array>()))
}

/// The place of a value in a list of categories, from 0. Null is found where the list holds it.
fn place(value: Option<&str>, categories: &ArrayRef) -> Option<usize> {
    categories.as_string::<i32>().iter().position(|category| category == value)
}

/// The place of a category, -1 for one that is not in the list.
fn ordinal(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [values, categories] = columns else { return exec_err!("two arguments") };
    let categories = categories.as_list::<i32>();
    let one = |(row, value): (usize, Option<&str>)| {
        let categories = categories.is_valid(row).then(|| categories.value(row))?;
        Some(place(value, &categories).and_then(|at| i64::try_from(at).ok()).unwrap_or(-1))
    };
    Ok(Arc::new(values.as_string::<i32>().iter().enumerate().map(one).collect::<Int64Array>()))
}

/// A one at the place of the category, zeros elsewhere: all zeros for one that is not in the list.
fn one_hot(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [values, categories] = columns else { return exec_err!("two arguments") };
    let categories = categories.as_list::<i32>();
    let mut lists = ListBuilder::new(Int64Builder::new());
    for (row, value) in values.as_string::<i32>().iter().enumerate() {
        if categories.is_null(row) {
            lists.append_null();
            continue;
        }
        let categories = categories.value(row);
        let hot = place(value, &categories);
        (0..categories.len()).for_each(|at| lists.values().append_value((Some(at) == hot).into()));
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}
