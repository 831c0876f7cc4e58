//! Partial aggregates: what is known of a stretch of values, and joins with what is known of the
//! next stretch.
//!
//! Moments: T. Chan, G. Golub, R. LeVeque (1979) and P. Pébay (2008). Sums of doubles: A. Neumaier
//! (1974).

/// What is known of a stretch of rows; the default is that of no row.
pub(super) trait Partial: Copy + Default {
    /// Joins with what is known of the rows after.
    #[must_use]
    fn merge(self, later: Self) -> Self;
}

/// Number and sum of whole numbers. The sum is exact.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Integers {
    pub(super) n: u64,
    pub(super) sum: i128,
}

impl Partial for Integers {
    fn merge(self, later: Self) -> Self {
        Self { n: self.n + later.n, sum: self.sum + later.sum }
    }
}

impl Integers {
    pub(super) fn of(value: i64) -> Self {
        Self { n: 1, sum: value.into() }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the halves of the sum")]
    pub(super) const fn words(self) -> [u64; 3] {
        let sum = self.sum.cast_unsigned();
        [self.n, sum as u64, (sum >> 64) as u64]
    }

    pub(super) const fn from_words([n, low, high]: [u64; 3]) -> Self {
        Self { n, sum: ((high as u128) << 64 | low as u128).cast_signed() }
    }
}

/// Number and sum of doubles, with what the sum lost to rounding.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Floats {
    pub(super) n: u64,
    sum: f64,
    lost: f64,
}

impl Partial for Floats {
    fn merge(self, later: Self) -> Self {
        let sum = self.sum + later.sum;
        let lost = if self.sum.abs() >= later.sum.abs() {
            (self.sum - sum) + later.sum
        } else {
            (later.sum - sum) + self.sum
        };
        Self { n: self.n + later.n, sum, lost: self.lost + later.lost + lost }
    }
}

impl Floats {
    pub(super) const fn of(value: f64) -> Self {
        Self { n: 1, sum: value, lost: 0.0 }
    }

    pub(super) const fn words(self) -> [u64; 3] {
        [self.n, self.sum.to_bits(), self.lost.to_bits()]
    }

    pub(super) const fn from_words([n, sum, lost]: [u64; 3]) -> Self {
        Self { n, sum: f64::from_bits(sum), lost: f64::from_bits(lost) }
    }

    pub(super) const fn sum(&self) -> f64 {
        let whole = self.sum + self.lost;
        // The loss of an infinite sum is no number.
        if whole.is_nan() { self.sum } else { whole }
    }
}

/// Number, mean and sum of squared differences from it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spread {
    pub(super) n: f64,
    pub(super) mean: f64,
    pub(super) m2: f64,
}

impl Partial for Spread {
    fn merge(self, later: Self) -> Self {
        if self.n == 0.0 {
            return later;
        }
        let n = self.n + later.n;
        if later.n == 0.0 {
            return self;
        }
        let difference = later.mean - self.mean;
        let part = later.n / n;
        Self {
            n,
            mean: self.mean + difference * part,
            m2: self.m2 + later.m2 + difference * difference * self.n * part,
        }
    }
}

impl Spread {
    pub(super) const fn of(value: f64) -> Self {
        Self { n: 1.0, mean: value, m2: 0.0 }
    }

    pub(super) fn words(self) -> [u64; 3] {
        [self.n, self.mean, self.m2].map(f64::to_bits)
    }

    pub(super) fn from_words(words: [u64; 3]) -> Self {
        let [n, mean, m2] = words.map(f64::from_bits);
        Self { n, mean, m2 }
    }

    /// Variance with divisor `n - ddof`.
    pub(super) fn variance(&self, ddof: f64) -> Option<f64> {
        (self.n > ddof).then(|| self.m2 / (self.n - ddof))
    }
}

/// The first four moments.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    n: f64,
    mean: f64,
    m2: f64,
    m3: f64,
    m4: f64,
}

impl Partial for Moments {
    fn merge(self, later: Self) -> Self {
        if self.n == 0.0 {
            return later;
        }
        if later.n == 0.0 {
            return self;
        }
        let (a, b) = (self.n, later.n);
        let n = a + b;
        let d = later.mean - self.mean;
        let (d2, ab) = (d * d, a * b);
        Self {
            n,
            mean: self.mean + d * b / n,
            m2: self.m2 + later.m2 + d2 * ab / n,
            m3: self.m3
                + later.m3
                + d2 * d * ab * (a - b) / (n * n)
                + 3.0 * d * (a * later.m2 - b * self.m2) / n,
            m4: self.m4
                + later.m4
                + d2 * d2 * ab * (a * a - ab + b * b) / (n * n * n)
                + 6.0 * d2 * (a * a * later.m2 + b * b * self.m2) / (n * n)
                + 4.0 * d * (a * later.m3 - b * self.m3) / n,
        }
    }
}

impl Moments {
    pub(super) fn of(value: f64) -> Self {
        Self { n: 1.0, mean: value, ..Self::default() }
    }

    pub(super) fn words(self) -> [u64; 5] {
        [self.n, self.mean, self.m2, self.m3, self.m4].map(f64::to_bits)
    }

    pub(super) fn from_words(words: [u64; 5]) -> Self {
        let [n, mean, m2, m3, m4] = words.map(f64::from_bits);
        Self { n, mean, m2, m3, m4 }
    }

    /// `g1 = sqrt(n) m3 / m2^1.5`, from three values on.
    pub(super) fn skew(&self) -> Option<f64> {
        (self.n >= 3.0 && self.m2 > 0.0).then(|| self.n.sqrt() * self.m3 / self.m2.powf(1.5))
    }

    /// `g2 = n m4 / m2² - 3`, from four values on.
    pub(super) fn kurtosis(&self) -> Option<f64> {
        (self.n >= 4.0 && self.m2 > 0.0).then(|| self.n * self.m4 / (self.m2 * self.m2) - 3.0)
    }
}

/// A value and the number of its row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// In an order that is that of the values.
    pub(super) rank: i64,
    pub(super) row: u64,
}

/// The least and the greatest value, each at the first row that has it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extremes {
    pub(super) least: Option<Place>,
    pub(super) greatest: Option<Place>,
}

impl Partial for Extremes {
    fn merge(self, later: Self) -> Self {
        let pick = |a: Option<Place>, b: Option<Place>, better: fn(i64, i64) -> bool| match (a, b) {
            (Some(a), Some(b)) => Some(if better(b.rank, a.rank) { b } else { a }),
            (a, b) => a.or(b),
        };
        Self {
            least: pick(self.least, later.least, |b, a| b < a),
            greatest: pick(self.greatest, later.greatest, |b, a| b > a),
        }
    }
}

impl Extremes {
    pub(super) const fn of(rank: i64, row: u64) -> Self {
        let place = Some(Place { rank, row });
        Self { least: place, greatest: place }
    }
}

/// Two values of each row: means, squared differences and their product. Of a time, x is the seconds
/// since `origin`: seconds since 1970 would leave a double no more than a quarter of a microsecond.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pairs {
    n: f64,
    /// Microseconds since 1970, a whole number; 0 where x is no time.
    origin: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Partial for Pairs {
    fn merge(self, later: Self) -> Self {
        if self.n == 0.0 {
            return later;
        }
        if later.n == 0.0 {
            return self;
        }
        let n = self.n + later.n;
        let since = (later.origin - self.origin) / 1e6;
        let (dx, dy) = (since + later.x - self.x, later.y - self.y);
        let (part, weight) = (later.n / n, self.n * later.n / n);
        Self {
            n,
            origin: self.origin,
            x: self.x + dx * part,
            y: self.y + dy * part,
            xx: self.xx + later.xx + dx * dx * weight,
            yy: self.yy + later.yy + dy * dy * weight,
            xy: self.xy + later.xy + dx * dy * weight,
        }
    }
}

impl Pairs {
    pub(super) const fn of(x: f64, y: f64) -> Self {
        Self { n: 1.0, origin: 0.0, x, y, xx: 0.0, yy: 0.0, xy: 0.0 }
    }

    /// A value at a time.
    #[expect(clippy::cast_precision_loss, reason = "to a microsecond until 2255")]
    pub(super) const fn at(micros: i64, y: f64) -> Self {
        Self { origin: micros as f64, ..Self::of(0.0, y) }
    }

    pub(super) fn words(self) -> [u64; 7] {
        [self.n, self.origin, self.x, self.y, self.xx, self.yy, self.xy].map(f64::to_bits)
    }

    pub(super) fn from_words(words: [u64; 7]) -> Self {
        let [n, origin, x, y, xx, yy, xy] = words.map(f64::from_bits);
        Self { n, origin, x, y, xx, yy, xy }
    }

    /// Covariance with divisor `n - 1`.
    pub(super) fn covariance(&self) -> Option<f64> {
        (self.n > 1.0).then(|| self.xy / (self.n - 1.0))
    }

    /// Pearson's correlation.
    pub(super) fn correlation(&self) -> Option<f64> {
        (self.xx > 0.0 && self.yy > 0.0).then(|| self.xy / (self.xx.sqrt() * self.yy.sqrt()))
    }

    /// Slope of the least-squares line of y over x.
    pub(super) fn slope(&self) -> Option<f64> {
        (self.xx > 0.0).then(|| self.xy / self.xx)
    }
}
