//! Quantiles, about: DDSketch (C. Masson, J. Rim, H. Lee, VLDB 2019) with a relative error of 1 %.
//! It counts values by the power of `γ` they lie below, so that the same values give the same
//! sketch in whatever order and parts they come.

/// Greatest distance from a value of the rank that is asked for, as a part of it.
pub(crate) const RELATIVE_ERROR: f64 = 0.01;
const GAMMA: f64 = (1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR);

/// Values by their size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DdSketch {
    /// Buckets in ascending order of their values, and how many are in each: 0 that of zero, below
    /// it those of negative values.
    pub(crate) counts: Vec<(i64, u64)>,
}

/// Moves the powers of all doubles above 0.
const SHIFT: i64 = 100_000;

#[expect(clippy::cast_possible_truncation, reason = "a power of γ is within 40 000 of 0")]
fn bucket(value: f64) -> i64 {
    if value == 0.0 {
        return 0;
    }
    let power = (value.abs().ln() / GAMMA.ln()).ceil() as i64 + SHIFT;
    if value < 0.0 { -power } else { power }
}

#[expect(clippy::cast_precision_loss, reason = "a power of γ")]
fn value(bucket: i64) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let size = ((bucket.abs() - SHIFT) as f64 * GAMMA.ln()).exp() * 2.0 / (GAMMA + 1.0);
    if bucket < 0 { -size } else { size }
}

impl DdSketch {
    /// Adds a value; what is not finite has no place.
    pub(crate) fn add(&mut self, value: f64) {
        if value.is_finite() {
            self.count(bucket(value), 1);
        }
    }

    fn count(&mut self, bucket: i64, times: u64) {
        match self.counts.binary_search_by_key(&bucket, |(b, _)| *b) {
            Ok(at) => {
                if let Some((_, count)) = self.counts.get_mut(at) {
                    *count += times;
                }
            }
            Err(at) => self.counts.insert(at, (bucket, times)),
        }
    }

    /// Joins with another.
    pub(crate) fn merge(&mut self, later: &Self) {
        later.counts.iter().for_each(|(bucket, times)| self.count(*bucket, *times));
    }

    /// The value of rank `floor(q (n - 1))`, about.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank"
    )]
    pub(crate) fn quantile(&self, q: f64) -> Option<f64> {
        let n: u64 = self.counts.iter().map(|(_, count)| count).sum();
        let rank = (q * n.checked_sub(1)? as f64).floor() as u64;
        let mut below = 0;
        let held = self.counts.iter().find(|(_, count)| {
            below += count;
            below > rank
        });
        held.map(|(bucket, _)| value(*bucket))
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.counts.capacity() * 16
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn quantiles_are_within_the_relative_error(
            mut values in prop::collection::vec(prop_oneof![-1e9..1e9_f64, -1e-9..1e-9_f64, Just(0.0)], 1..200),
            q in 0.0..=1.0_f64, cut in 0_usize..200,
        ) {
            let (mut a, mut b) = (DdSketch::default(), DdSketch::default());
            let (first, second) = values.split_at(cut.min(values.len()));
            first.iter().for_each(|v| a.add(*v));
            second.iter().for_each(|v| b.add(*v));
            a.merge(&b);
            values.sort_by(f64::total_cmp);
            let wanted: f64 = values[(q * (values.len() - 1) as f64).floor() as usize];
            let found = a.quantile(q).unwrap();
            prop_assert!((found - wanted).abs() <= wanted.abs() * RELATIVE_ERROR * 1.000_001);
        }
    }
}
