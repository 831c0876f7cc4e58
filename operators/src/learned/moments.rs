//! Weighted mean and variance (D. West, 1979), and the range of values.

/// Weight, mean and weighted sum of squared differences from the mean.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Moments {
    pub(crate) n: f64,
    pub(crate) mean: f64,
    pub(crate) m2: f64,
}

impl Moments {
    pub(crate) fn add(&mut self, value: f64, weight: f64) {
        self.n += weight;
        let difference = value - self.mean;
        self.mean += difference * (weight / self.n);
        self.m2 += weight * difference * (value - self.mean);
    }

    pub(super) fn rescale(&mut self, by: f64) {
        self.n *= by;
        self.m2 *= by;
    }

    /// Mean and variance with divisor n, once there is a value.
    pub(crate) fn read(&self) -> Option<(f64, f64)> {
        (self.n > 0.0).then(|| (self.mean, self.m2 / self.n))
    }
}

/// The least and the greatest value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

impl Default for Range {
    fn default() -> Self {
        Self { least: f64::INFINITY, greatest: f64::NEG_INFINITY }
    }
}

impl Range {
    pub(crate) const fn add(&mut self, value: f64) -> bool {
        let wider = value < self.least || value > self.greatest;
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
        wider
    }

    /// Both ends, once there is a value.
    pub(crate) fn read(&self) -> Option<(f64, f64)> {
        (self.least <= self.greatest).then_some((self.least, self.greatest))
    }
}
