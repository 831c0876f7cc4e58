//! Keys of the rows of another generated stream.

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::Result;

use super::column::{Column, Rows, Timeline, array, bad_option};
use super::random::{Stream, below, unit};

/// The key of a row that another `generate` source, or `sequence`, has made before this one.
///
/// The parents' source counts its keys up with `sequence: {start, step}`, and makes one row while this
/// one makes `children`: give it the same `start` of event time, and `rate` and `event_rate` divided
/// by `children`. A row then names only parents of its own time or earlier.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParentOptions {
    /// How many rows there are of this stream for one of the parents', on average.
    pub children: f64,
    /// Parents are this many rows old on average (an exponential law): the newest are the busiest.
    /// Without it all that are there are equally likely.
    #[serde(default)]
    pub recency: Option<f64>,
    /// The key of the first parent.
    #[serde(default)]
    pub start: i64,
    /// The distance from one parent's key to the next one's.
    #[serde(default = "one")]
    pub step: i64,
}

const fn one() -> i64 {
    1
}

impl ParentOptions {
    pub(super) fn build(self, name: &str, stream: Stream) -> Result<Parent> {
        let given = [Some(self.children), self.recency];
        if given.into_iter().flatten().any(|given| !(given > 0.0 && given.is_finite())) {
            let (children, recency) = (self.children, self.recency.unwrap_or(1.0));
            let what = format!("`parent: {{children: {children}, recency: {recency}}}`");
            return Err(bad_option(name, what, "give numbers above 0"));
        }
        Ok(Parent { options: self, stream })
    }
}

/// The column.
pub(super) struct Parent {
    options: ParentOptions,
    stream: Stream,
}

impl Parent {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "numbers of rows are below 2^53; the cast to a whole number saturates"
    )]
    fn key(&self, row: u64) -> i64 {
        let newest = (row as f64 / self.options.children) as u64;
        let word = self.stream.at(row);
        let number = match self.options.recency {
            None => below(word, newest + 1),
            Some(age) => newest.saturating_sub((-age * (1.0 - unit(word)).ln()) as u64),
        };
        self.options.start.wrapping_add(self.options.step.wrapping_mul(number.cast_signed()))
    }
}

impl Column for Parent {
    fn data_type(&self) -> DataType {
        DataType::Int64
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        array(Int64Array::from_iter_values(rows.iter().map(|row| self.key(row))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(children: f64, recency: Option<f64>) -> Vec<i64> {
        let options = ParentOptions { children, recency, start: 100, step: 10 };
        let parent = options.build("p", Stream::new(1, "p", 0)).unwrap();
        (0..30_000).map(|row| parent.key(row)).collect()
    }

    #[test]
    fn rows_name_parents_that_are_there_and_prefer_new_ones() {
        for recency in [None, Some(20.0)] {
            let keys = keys(3.0, recency);
            for (row, key) in keys.iter().enumerate() {
                let number = (key - 100) / 10;
                assert!((key - 100) % 10 == 0 && (0..=row as i64 / 3).contains(&number));
            }
            let last = keys.iter().enumerate().skip(20_000);
            let ages = last.map(|(row, key)| (row as i64 / 3 - (key - 100) / 10) as f64);
            let mean = ages.sum::<f64>() / 10_000.0;
            match recency {
                // Half of those that were there on average.
                None => assert!((mean - 25_000.0 / 6.0).abs() < 100.0, "{mean}"),
                Some(_) => assert!((mean - 19.5).abs() < 1.0, "{mean}"),
            }
        }
        let wrong = ParentOptions { children: 0.0, recency: None, start: 0, step: 1 };
        assert!(wrong.build("p", Stream::new(1, "p", 0)).is_err());
    }
}
