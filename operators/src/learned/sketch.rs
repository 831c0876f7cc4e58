//! Quantiles within a relative error of 1 %: `DDSketch` (C. Masson, J. Rim and H. Lee, 2019). The
//! same values give the same bins in whatever order they come.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use hashbrown::HashSet;

/// Relative error of a quantile.
const ERROR: f64 = 0.01;
const GAMMA: f64 = (1.0 + ERROR) / (1.0 - ERROR);
/// Beyond the number of any bin: the logarithm of the largest double is 709.8, that of the least
/// -744.5, and a bin spans 0.02.
const OFFSET: i32 = 100_000;

/// Values in bins that widen with their distance from zero.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sketch {
    bins: BTreeMap<i32, f64>,
    n: f64,
    changed: HashSet<i32>,
    read: OnceLock<Vec<f64>>,
}

#[expect(clippy::cast_possible_truncation, reason = "below 40,000")]
fn bin_of(value: f64) -> i32 {
    let power = |x: f64| (x.ln() / GAMMA.ln()).ceil() as i32 + OFFSET;
    if value > 0.0 {
        power(value)
    } else if value < 0.0 {
        -power(-value)
    } else {
        0
    }
}

/// The value that stands for a bin.
fn value_of(bin: i32) -> f64 {
    if bin == 0 {
        return 0.0;
    }
    let power = f64::from(bin.abs() - OFFSET);
    // Half of the largest double is still in reach where its power is not.
    let value = 2.0 * ((power - 1.0) * GAMMA.ln()).exp() * (GAMMA / (GAMMA + 1.0));
    value.min(f64::MAX).copysign(f64::from(bin))
}

impl Sketch {
    pub(super) fn add(&mut self, value: f64, weight: f64) {
        let bin = bin_of(value);
        *self.bins.entry(bin).or_default() += weight;
        self.n += weight;
        self.changed.insert(bin);
        self.read.take();
    }

    pub(super) fn rescale(&mut self, by: f64) {
        self.bins.values_mut().for_each(|weight| *weight *= by);
        self.changed.extend(self.bins.keys());
        self.n *= by;
    }

    /// The value at each share of `wanted`, and the median of the distances from the middle one
    /// after them where `spread`; `unit` is the weight of one row.
    pub(super) fn read(&self, wanted: &[f64], spread: bool, unit: f64) -> Option<&[f64]> {
        if self.n <= 0.0 {
            return None;
        }
        Some(self.read.get_or_init(|| {
            let bins: Vec<_> = self.bins.iter().map(|(b, w)| (value_of(*b), *w / unit)).collect();
            let n = self.n / unit;
            let mut values = quantiles(&bins, n, wanted);
            if spread {
                let middle = quantiles(&bins, n, &[0.5]).first().copied().unwrap_or(0.0);
                let distance = |(value, weight): &(f64, f64)| ((value - middle).abs(), *weight);
                let mut distances: Vec<_> = bins.iter().map(distance).collect();
                distances.sort_by(|a, b| a.0.total_cmp(&b.0));
                values.extend(quantiles(&distances, n, &[0.5]));
            }
            values
        }))
    }

    /// Bins that changed since the last time, with their weights.
    pub(super) fn take_changed(&mut self) -> Vec<(i32, f64)> {
        let mut changed: Vec<i32> = self.changed.drain().collect();
        changed.sort_unstable();
        changed.into_iter().map(|b| (b, self.bins.get(&b).copied().unwrap_or(0.0))).collect()
    }

    pub(super) fn restore_bin(&mut self, bin: i32, weight: f64) {
        self.bins.insert(bin, weight);
        self.read.take();
    }

    pub(super) fn restore_total(&mut self, n: f64) {
        self.n = n;
        self.read.take();
    }

    pub(super) const fn total(&self) -> f64 {
        self.n
    }

    pub(super) fn bytes(&self) -> usize {
        self.bins.len() * 24 + self.changed.allocation_size()
    }
}

/// Values at shares of sorted ones, between two of them on the line that joins them.
fn quantiles(sorted: &[(f64, f64)], n: f64, wanted: &[f64]) -> Vec<f64> {
    let at = |rank: f64| {
        let mut before = 0.0;
        let reaches = |(_, weight): &&(f64, f64)| {
            before += weight;
            before > rank
        };
        sorted.iter().find(reaches).or(sorted.last()).map_or(0.0, |(value, _)| *value)
    };
    let one = |share: &f64| {
        let rank = share * (n - 1.0).max(0.0);
        let (low, high) = (at(rank.floor()), at(rank.ceil()));
        low + (high - low) * (rank - rank.floor())
    };
    wanted.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_quantile_is_within_its_error(
            mut values in prop::collection::vec(prop_oneof![-1e6..1e6_f64, Just(0.0), -1.0..1.0_f64], 1..200),
            share in 0.0..=1.0_f64,
        ) {
            let mut sketch = Sketch::default();
            values.iter().for_each(|v| sketch.add(*v, 1.0));
            values.sort_by(f64::total_cmp);
            let rank = share * (values.len() - 1) as f64;
            let (low, high) = (values[rank.floor() as usize], values[rank.ceil() as usize]);
            let exact = low + (high - low) * rank.fract();
            let found = sketch.read(&[share], false, 1.0).unwrap()[0];
            let bound = ERROR * 1.001 * low.abs().max(high.abs());
            prop_assert!((found - exact).abs() <= bound, "{found} for {exact}");
        }

        #[test]
        fn the_ends_of_doubles_have_bins(value in prop::num::f64::NORMAL) {
            let found = value_of(bin_of(value));
            prop_assert!((found - value).abs() <= ERROR * 1.001 * value.abs(), "{found} for {value}");
        }
    }
}
