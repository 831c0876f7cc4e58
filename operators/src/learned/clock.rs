//! Weights that halve with event time. Rather than making all older weights smaller, each newer row
//! weighs more (G. Cormode and others, "Forward decay", 2009): only what a row touches changes.

/// Weights of rows, relative to one at the landmark.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Clock {
    /// The time at which a row weighs 1, in microseconds.
    pub(crate) landmark: i64,
    /// The time of the newest row.
    pub(crate) last: i64,
    pub(crate) started: bool,
}

/// Halvings after which the landmark moves on.
const MOST: i64 = 512;

impl Clock {
    /// What a row of `time` weighs, and by what all earlier weights are to be multiplied first.
    /// Times do not fall.
    pub(crate) fn weight(&mut self, time: i64, half_life: Option<i64>) -> (f64, Option<f64>) {
        let Some(half_life) = half_life else {
            self.last = time;
            return (1.0, None);
        };
        if !self.started {
            *self = Self { landmark: time, last: time, started: true };
            return (1.0, None);
        }
        self.last = time;
        let moved = time.saturating_sub(self.landmark) / half_life / MOST * MOST;
        let rescale = (moved > 0).then(|| {
            self.landmark = self.landmark.saturating_add(moved.saturating_mul(half_life));
            (-float(moved)).exp2()
        });
        (self.at(time, half_life), rescale)
    }

    fn at(&self, time: i64, half_life: i64) -> f64 {
        (float(time.saturating_sub(self.landmark)) / float(half_life)).exp2()
    }

    /// The weight of the newest row, by which weights are divided to be read.
    pub(crate) fn unit(&self, half_life: Option<i64>) -> f64 {
        half_life.filter(|_| self.started).map_or(1.0, |h| self.at(self.last, h))
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of 285 years are exact")]
const fn float(value: i64) -> f64 {
    value as f64
}
