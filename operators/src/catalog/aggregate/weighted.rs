//! Partial aggregates in which newer values weigh more, and the deepest fall.
//!
//! Weighted means and squared differences join as in T. Chan, G. Golub, R. LeVeque (1979), the
//! earlier stretch scaled down by what has passed since.

use super::partial::Partial;

/// Values that lose half of their weight each half-life, as of the time of the newest.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Decayed {
    /// Microseconds of a half-life; 0 where there is no value.
    half_life: f64,
    /// Microseconds.
    newest: i64,
    weight: f64,
    sum: f64,
}

impl Decayed {
    pub(super) const fn of(value: f64, time: i64, half_life: f64) -> Self {
        Self { half_life, newest: time, weight: 1.0, sum: value }
    }

    #[expect(clippy::cast_precision_loss, reason = "a distance of times")]
    fn left(&self, now: i64) -> f64 {
        (-(now.saturating_sub(self.newest) as f64) / self.half_life).exp2()
    }

    /// Weight and weighted sum as of `now`.
    pub(super) fn at(&self, now: i64) -> Option<(f64, f64)> {
        let left = (self.half_life > 0.0).then(|| self.left(now))?;
        Some((self.weight * left, self.sum * left))
    }

    /// The weighted mean: it does not depend on when it is asked for.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }

    pub(super) const fn words(self) -> [u64; 4] {
        let bits = [self.half_life.to_bits(), self.weight.to_bits(), self.sum.to_bits()];
        let [half_life, weight, sum] = bits;
        [half_life, self.newest.cast_unsigned(), weight, sum]
    }

    pub(super) const fn from_words([half_life, newest, weight, sum]: [u64; 4]) -> Self {
        Self {
            half_life: f64::from_bits(half_life),
            newest: newest.cast_signed(),
            weight: f64::from_bits(weight),
            sum: f64::from_bits(sum),
        }
    }
}

impl Partial for Decayed {
    fn merge(self, later: Self) -> Self {
        if later.half_life == 0.0 {
            return self;
        }
        if self.half_life == 0.0 {
            return later;
        }
        let left = self.left(later.newest);
        Self {
            weight: self.weight * left + later.weight,
            sum: self.sum * left + later.sum,
            ..later
        }
    }
}

/// Exponentially weighted mean and variance: `m <- a x + (1 - a) m`, `v <- (1 - a)(v + a (x - m)²)`,
/// beginning with `m = x`, `v = 0`. The first value is kept apart, for its weight depends on all
/// that follow.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Smoothed {
    first: f64,
    /// `(1 - a)^n`, the weight of the first value in its role as the beginning; 0 without values.
    left: f64,
    mean: f64,
    m2: f64,
    n: u64,
}

/// A weight, a mean, and squared differences from it.
type Group = (f64, f64, f64);

fn join((wa, a, a2): Group, (wb, b, b2): Group) -> Group {
    let weight = wa + wb;
    if weight == 0.0 {
        return (0.0, 0.0, 0.0);
    }
    let difference = b - a;
    let part = wb / weight;
    (weight, a + difference * part, a2 + b2 + difference * difference * wa * part)
}

impl Smoothed {
    pub(super) fn of(value: f64, alpha: f64) -> Self {
        Self { first: value, left: 1.0 - alpha, mean: value, m2: 0.0, n: 1 }
    }

    fn group(&self) -> Group {
        (1.0 - self.left, self.mean, self.m2)
    }

    fn whole(&self) -> Option<Group> {
        (self.n > 0).then(|| join((self.left, self.first, 0.0), self.group()))
    }

    pub(super) fn mean(&self) -> Option<f64> {
        self.whole().map(|(_, mean, _)| mean)
    }

    pub(super) fn variance(&self) -> Option<f64> {
        self.whole().map(|(_, _, m2)| m2)
    }

    pub(super) const fn words(self) -> [u64; 5] {
        let (first, left) = (self.first.to_bits(), self.left.to_bits());
        [first, left, self.mean.to_bits(), self.m2.to_bits(), self.n]
    }

    pub(super) const fn from_words([first, left, mean, m2, n]: [u64; 5]) -> Self {
        Self {
            first: f64::from_bits(first),
            left: f64::from_bits(left),
            mean: f64::from_bits(mean),
            m2: f64::from_bits(m2),
            n,
        }
    }
}

impl Partial for Smoothed {
    fn merge(self, later: Self) -> Self {
        if later.n == 0 {
            return self;
        }
        if self.n == 0 {
            return later;
        }
        let (weight, mean, m2) = self.group();
        let earlier = (weight * later.left, mean, m2 * later.left);
        let (_, mean, m2) = join(earlier, later.group());
        let left = self.left * later.left;
        Self { first: self.first, left, mean, m2, n: self.n + later.n }
    }
}

/// The greatest fall from a value to a later one, as a part of the earlier one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fall {
    n: u64,
    greatest: f64,
    least: f64,
    deepest: f64,
}

impl Fall {
    pub(super) const fn of(value: f64) -> Self {
        Self { n: 1, greatest: value, least: value, deepest: 0.0 }
    }

    /// `None` without values, or where the greatest is not above 0.
    pub(super) fn deepest(&self) -> Option<f64> {
        (self.n > 0 && self.greatest > 0.0).then_some(self.deepest)
    }

    pub(super) const fn words(self) -> [u64; 4] {
        [self.n, self.greatest.to_bits(), self.least.to_bits(), self.deepest.to_bits()]
    }

    pub(super) const fn from_words([n, greatest, least, deepest]: [u64; 4]) -> Self {
        let greatest = f64::from_bits(greatest);
        Self { n, greatest, least: f64::from_bits(least), deepest: f64::from_bits(deepest) }
    }
}

impl Partial for Fall {
    fn merge(self, later: Self) -> Self {
        if later.n == 0 {
            return self;
        }
        if self.n == 0 {
            return later;
        }
        let across = (self.greatest - later.least) / self.greatest;
        let across = if self.greatest > 0.0 { across } else { 0.0 };
        Self {
            n: self.n + later.n,
            greatest: self.greatest.max(later.greatest),
            least: self.least.min(later.least),
            deepest: self.deepest.max(later.deepest).max(across),
        }
    }
}
