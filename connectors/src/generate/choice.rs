//! One of several values, equally likely or weighted.

use arrow::array::{ArrayRef, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use swiftwater_engine::Result;

use super::column::{Column, Rows, Timeline, bad_option};
use super::constant::scalars;
use super::random::{Stream, below, unit};

/// A list of values, `[a, b, c]`, or values with weights.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ChoiceOptions {
    /// Equally likely values.
    Even(Vec<Value>),
    /// Weighted values.
    Weighted(WeightedOptions),
}

/// Values, each with its weight.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WeightedOptions {
    /// The values: all text, all numbers or all booleans.
    pub values: Vec<Value>,
    /// How likely each value is relative to the others; as many as values, none negative.
    pub weights: Vec<f64>,
}

impl ChoiceOptions {
    pub(super) fn build(self, name: &str, stream: Stream) -> Result<Choice> {
        let (values, weights) = match self {
            Self::Even(values) => (values, None),
            Self::Weighted(o) => (o.values, Some(o.weights)),
        };
        let count = u32::try_from(values.len()).unwrap_or_default();
        if count == 0 {
            return Err(bad_option(name, "`choice` has no value", "list at least one value"));
        }
        let alias = match weights {
            None => None,
            Some(weights) if weights.len() == values.len() && is_weighting(&weights) => {
                Some(AliasTable::new(&weights))
            }
            Some(weights) => {
                return Err(bad_option(
                    name,
                    format!("{} values with weights {weights:?}", values.len()),
                    "give one weight for each value, none negative and not all 0",
                ));
            }
        };
        Ok(Choice { values: scalars(name, &values)?, count, alias, stream })
    }
}

pub(super) fn is_weighting(weights: &[f64]) -> bool {
    let total: f64 = weights.iter().sum();
    weights.iter().all(|w| *w >= 0.0) && total.is_finite() && total > 0.0
}

/// Weighted choice in constant time: each of n equal cells holds its own number and one other.
///
/// Built as by Vose, "A linear algorithm for generating random numbers with a given distribution"
/// (1991).
pub(super) struct AliasTable {
    /// For each cell: the share of it that is its own, and the number of the rest.
    cells: Vec<(f64, u32)>,
}

impl AliasTable {
    /// Weights must be finite, not negative and not all 0.
    #[expect(
        clippy::cast_precision_loss,
        clippy::indexing_slicing,
        reason = "counts are small; every index is taken from the range of the vector"
    )]
    pub(super) fn new(weights: &[f64]) -> Self {
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let mut cells: Vec<(f64, u32)> = (0..).zip(weights).map(|(i, w)| (w / mean, i)).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..).take(cells.len()).partition(|&i: &u32| cells[i as usize].0 < 1.0);
        while let (Some(low), Some(high)) = (small.pop(), large.last().copied()) {
            cells[low as usize].1 = high;
            cells[high as usize].0 -= 1.0 - cells[low as usize].0;
            if cells[high as usize].0 < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        // What is left differs from 1 by rounding only.
        for i in small.into_iter().chain(large) {
            cells[i as usize] = (1.0, i);
        }
        Self { cells }
    }

    /// The number chosen by a random word.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a cell's number is below 2^32")]
    pub(super) fn pick(&self, word: u64) -> u32 {
        let cells = self.cells.len() as u64;
        let cell = below(word, cells);
        // The product's low half says where in the cell the word fell.
        let within = unit(word.wrapping_mul(cells));
        match self.cells.get(cell as usize) {
            Some(&(own, other)) if within >= own => other,
            _ => cell as u32,
        }
    }
}

/// The column: indices into an array of the values.
pub(super) struct Choice {
    values: ArrayRef,
    count: u32,
    alias: Option<AliasTable>,
    stream: Stream,
}

impl Column for Choice {
    fn data_type(&self) -> DataType {
        self.values.data_type().clone()
    }

    #[expect(clippy::cast_possible_truncation, reason = "the index is below a 32-bit count")]
    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        let words = rows.iter().map(|row| self.stream.at(row));
        let indices = match &self.alias {
            None => {
                UInt32Array::from_iter_values(words.map(|w| below(w, u64::from(self.count)) as u32))
            }
            Some(alias) => UInt32Array::from_iter_values(words.map(|w| alias.pick(w))),
        };
        take(&self.values, &indices, None)
            .unwrap_or_else(|_| new_null_array(self.values.data_type(), rows.count))
    }

    fn extremes(&self) -> Option<ArrayRef> {
        Some(ArrayRef::clone(&self.values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weighted_values_come_as_often_as_their_weights_say() {
        let weights = [5.0, 0.0, 1.0, 3.5, 0.5];
        let table = AliasTable::new(&weights);
        let stream = Stream::new(11, "kind", 0);
        let mut counts = [0_u32; 5];
        for row in 0..200_000 {
            counts[table.pick(stream.at(row)) as usize] += 1;
        }
        assert_eq!(counts[1], 0);
        let expected = |w: f64| w / 10.0 * 200_000.0;
        let chi: f64 = weights
            .iter()
            .zip(counts)
            .filter(|(w, _)| **w > 0.0)
            .map(|(&w, c)| (f64::from(c) - expected(w)).powi(2) / expected(w))
            .sum();
        // Chi-square with 3 degrees of freedom: 16.3 is passed once in a thousand.
        assert!(chi < 16.3, "{chi} {counts:?}");
    }

    #[test]
    fn values_without_weights_and_wrong_weights_are_told() {
        let stream = Stream::new(1, "c", 0);
        let weighted = |weights: Vec<f64>| {
            ChoiceOptions::Weighted(WeightedOptions {
                values: vec!["a".into(), "b".into()],
                weights,
            })
            .build("c", stream)
        };
        assert!(weighted(vec![1.0]).is_err());
        assert!(weighted(vec![0.0, 0.0]).is_err());
        assert!(weighted(vec![1.0, -1.0]).is_err());
        assert!(weighted(vec![1.0, f64::NAN]).is_err());
        assert!(ChoiceOptions::Even(vec!["a".into(), 1.into()]).build("c", stream).is_err());
        assert!(weighted(vec![0.0, 2.0]).is_ok());
    }
}
