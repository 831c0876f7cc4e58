//! What is known of one column in one window.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};

use super::frequent::Frequent;
use crate::learned::{Moments, Range};
use crate::sketch::{DdSketch, Hll};

/// Statistics that are doubles and come before the quantiles.
pub(super) const FIRST: [&str; 8] =
    ["null_rate", "nan_rate", "infinite_rate", "freshness_seconds", "min", "max", "mean", "stddev"];
/// The one that comes after them.
pub(super) const LAST: &str = "most_frequent_rate";

/// A running account of the values of a column.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    rows: u64,
    nulls: u64,
    /// Of a column of doubles.
    nans: Option<u64>,
    infinities: Option<u64>,
    /// Newest time of a row with a value.
    newest: Option<i64>,
    distinct: Hll,
    /// The sketch passes over the empty text.
    empty_text: bool,
    moments: Moments,
    range: Range,
    sketch: DdSketch,
    frequent: Frequent,
}

/// What a window's row of a column says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figures {
    pub(super) rows: u64,
    pub(super) distinct: u64,
    /// [`FIRST`], the quantiles, [`LAST`].
    pub(super) doubles: Vec<Option<f64>>,
    pub(super) most_frequent: Option<String>,
}

#[expect(clippy::cast_precision_loss, reason = "a number of rows")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a window")]
const fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

impl Account {
    /// Takes rows with their times; the column is of a type that the options have chosen to hold.
    #[expect(clippy::cast_precision_loss, reason = "statistics are doubles")]
    pub(super) fn add(&mut self, column: &ArrayRef, times: &[i64]) {
        self.rows += column.len() as u64;
        self.nulls += column.null_count() as u64;
        match column.data_type() {
            DataType::Int64 => self.each(column.as_primitive::<Int64Type>(), times, |own, v| {
                own.distinct.add_integer(v);
                own.number(v as f64);
            }),
            DataType::UInt64 => self.each(column.as_primitive::<UInt64Type>(), times, |own, v| {
                own.distinct.add_integer(v.cast_signed());
                own.number(v as f64);
            }),
            DataType::Float64 => self.doubles(column, times),
            DataType::Boolean => self.each(column.as_boolean(), times, |own, v| {
                own.distinct.add_integer(i64::from(v));
                own.frequent.add(if v { "true" } else { "false" });
            }),
            _ => self.each(column.as_string::<i32>(), times, |own, v| {
                own.empty_text |= v.is_empty();
                own.distinct.add_text(v);
                own.frequent.add(v);
            }),
        }
    }

    fn each<T>(
        &mut self,
        values: impl IntoIterator<Item = Option<T>>,
        times: &[i64],
        add: impl Fn(&mut Self, T),
    ) {
        for (value, time) in values.into_iter().zip(times) {
            if let Some(value) = value {
                self.newest = self.newest.max(Some(*time));
                add(self, value);
            }
        }
    }

    /// NaN is no value; infinity is one, but not one to calculate with.
    fn doubles(&mut self, column: &ArrayRef, times: &[i64]) {
        let (mut nans, mut infinities) = (0, 0);
        for (value, time) in column.as_primitive::<Float64Type>().iter().zip(times) {
            let Some(value) = value else { continue };
            if value.is_nan() {
                nans += 1;
                continue;
            }
            self.newest = self.newest.max(Some(*time));
            self.distinct.add_float(value);
            if value.is_finite() {
                self.number(value);
            } else {
                infinities += 1;
            }
        }
        *self.nans.get_or_insert(0) += nans;
        *self.infinities.get_or_insert(0) += infinities;
    }

    fn number(&mut self, value: f64) {
        self.moments.add(value, 1.0);
        self.range.add(value);
        self.sketch.add(value);
    }

    /// The statistics of the window that ends then.
    pub(super) fn figures(&self, end: i64, quantiles: &[f64]) -> Figures {
        let rate = |count: u64| float(count) / float(self.rows);
        let range = self.range.read();
        let Moments { n, m2, .. } = self.moments;
        let mean = self.moments.read().map(|(mean, _)| mean);
        let deviation = (n > 1.0).then(|| (m2 / (n - 1.0)).sqrt());
        let most = self.frequent.most();
        let mut doubles = vec![
            Some(rate(self.nulls)),
            self.nans.map(rate),
            self.infinities.map(rate),
            self.newest.map(|newest| seconds(end.saturating_sub(newest))),
            range.map(|(least, _)| least),
            range.map(|(_, greatest)| greatest),
            // What overflows is no number.
            mean.filter(|mean| mean.is_finite()),
            deviation.filter(|deviation| deviation.is_finite()),
        ];
        // The middle of a cell may lie outside of all values.
        let within = |q| range.zip(self.sketch.quantile(q)).map(|((a, b), v)| v.clamp(a, b));
        doubles.extend(quantiles.iter().map(|q| within(*q)));
        doubles.push(most.map(|(_, count)| rate(count)));
        Figures {
            rows: self.rows,
            distinct: self.distinct.estimate() + u64::from(self.empty_text),
            doubles,
            most_frequent: most.map(|(text, _)| text.to_owned()),
        }
    }
}
