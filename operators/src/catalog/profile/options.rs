//! The options of `profile`.

use arrow::datatypes::{DataType, Field, Schema};
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Duration;
use swiftwater_engine::{Error, Result, schema};

use super::account::{FIRST, LAST};
use crate::expression::fault;
use crate::keyed::micros;

/// Tells what the columns of each window look like.
///
/// When a window that has rows closes there comes a row for each column: `window_start`, `window_end`,
/// `window_time`, `column`, and
///
/// - `rows`, and of these `null_rate`, and of a column of doubles `nan_rate` and `infinite_rate`;
/// - `distinct`: different values, neither null nor NaN: `HyperLogLog` as in `aggregate`, exact up to
///   256 and within about 2.3 % above;
/// - `freshness_seconds`: from the newest event time of a row with a value (neither null nor NaN) to
///   the end of the window;
/// - of a column of numbers `min`, `max`, `mean`, `stddev` (divisor n - 1) and the `quantiles`,
///   `DDSketch` as in `aggregate`, within 1 % of the value: 0.5 is the column `p50`, 0.999 is `p99_9`.
///   Infinity is skipped;
/// - of a column of text or bool `most_frequent` (the first by its bytes of several) and
///   `most_frequent_rate`, its part of all rows: exact up to 1024 different values, above that too low
///   by up to 0.001.
///
/// What a column has not is null. The same numbers stand in
/// `swiftwater_profile{node,column,statistic}`, NaN for null. A row whose window has closed is late. All
/// rows meet on one task, which holds the profiled columns of the windows that are open.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileOptions {
    /// Size of the tumbling windows.
    pub window: Duration,
    /// Columns of numbers, text or bool; all of them but the event time without it.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Quantiles from 0 to 1 of columns of numbers.
    #[serde(default = "quartiles")]
    pub quantiles: Vec<f64>,
}

fn quartiles() -> Vec<f64> {
    vec![0.05, 0.25, 0.5, 0.75, 0.95]
}

fn mistake(message: impl Into<String>, hint: &str) -> Error {
    Error::config("SW0373", message).with_hint(hint)
}

/// The type as which a column is held, where it can be profiled.
fn held(of: &DataType) -> Option<DataType> {
    match of {
        DataType::UInt64 => Some(DataType::UInt64),
        of if of.is_integer() => Some(DataType::Int64),
        of if of.is_numeric() => Some(DataType::Float64),
        DataType::Boolean => Some(DataType::Boolean),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(DataType::Utf8),
        _ => None,
    }
}

impl ProfileOptions {
    /// The columns to profile, and as they are held.
    pub(super) fn columns(&self, input: &Schema, time: usize) -> Result<(Vec<usize>, Vec<Field>)> {
        let columns: Vec<usize> = if self.columns.is_empty() {
            let fits = |n: &usize| *n != time && held(input.field(*n).data_type()).is_some();
            (0..input.fields().len()).filter(fits).collect()
        } else {
            let find = |name: &String| {
                input.index_of(name).map_err(|_| fault::unknown_column(name, "columns", input))
            };
            self.columns.iter().map(find).collect::<Result<_>>()?
        };
        let mut fields: Vec<Field> = Vec::new();
        for number in &columns {
            let field = input.field(*number);
            let name = field.name();
            let Some(held) = held(field.data_type()) else {
                let message = format!("profile `{name}` ({})", schema::name(field.data_type()));
                return Err(mistake(message, "name columns of numbers, text or bool"));
            };
            if fields.iter().any(|other| other.name() == name) {
                return Err(mistake(format!("profile `{name}` twice"), "name each column once"));
            }
            fields.push(Field::new(name, held, true));
        }
        if fields.is_empty() {
            let hint = "give a column of numbers, text or bool";
            return Err(mistake("profile no column", hint));
        }
        Ok((columns, fields))
    }

    /// Names of the statistics that are doubles.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = FIRST.map(str::to_owned).to_vec();
        for q in &self.quantiles {
            if !(0.0..=1.0).contains(q) {
                let hint = "write quantiles from 0 to 1, such as 0.99";
                return Err(mistake(format!("take the quantile {q}"), hint));
            }
            // Six digits hide what a product of doubles adds to 0.07.
            let name = format!("p{}", (q * 1e8).round() / 1e6).replace('.', "_");
            if names.contains(&name) {
                return Err(mistake(format!("take the quantile {q} twice"), "write it once"));
            }
            names.push(name);
        }
        names.push(LAST.to_owned());
        Ok(names)
    }

    pub(super) fn check(&self) -> Result<i64> {
        let size = micros(self.window);
        if size < 1000 || size % 1000 != 0 {
            let message = "profile windows of less than a millisecond, or parts of one";
            return Err(mistake(message, "write window: 1h"));
        }
        Ok(size)
    }
}
