//! The bounds of `outlier`: the formulas of feature-engine.

use super::{Action, Method, Tail};
use crate::learned::{Answer, Known, Statistic, Transform, Value};

/// MAD of the standard normal distribution.
const NORMAL_MAD: f64 = 0.67449;

/// Bounds by a method, and what is done with values beyond.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    method: Method,
    action: Action,
    tail: Tail,
    fold: f64,
}

impl Bounds {
    /// `None` where the fold does not fit.
    pub(super) fn plan(
        method: Method,
        action: Action,
        tail: Tail,
        fold: Option<f64>,
    ) -> Option<Self> {
        let usual = match method {
            Method::Gaussian => 3.0,
            Method::Iqr => 1.5,
            Method::Mad => 3.29,
            Method::Quantiles => 0.05,
        };
        let most = if method == Method::Quantiles { 0.5 } else { f64::INFINITY };
        let fold = fold.unwrap_or(usual);
        (fold > 0.0 && fold < most).then_some(Self { method, action, tail, fold })
    }

    pub(super) fn statistic(self) -> Statistic {
        let quantiles =
            |shares: &[f64], spread| Statistic::Quantiles { shares: shares.into(), spread };
        match self.method {
            Method::Gaussian => Statistic::Moments,
            Method::Iqr => quantiles(&[0.25, 0.75], false),
            Method::Mad => quantiles(&[0.5], true),
            Method::Quantiles => quantiles(&[self.fold, 1.0 - self.fold], false),
        }
    }

    /// The bounds by what is known, if there are any.
    fn bounds(self, known: Known<'_>) -> Option<(f64, f64)> {
        let (low, high, width) = if self.method == Method::Gaussian {
            let (mean, variance) = known.fit.moments()?;
            (mean, mean, variance.sqrt())
        } else {
            let [low, high] = match (self.method, known.fit.table(known.spec)?) {
                (Method::Mad, [middle, spread]) => {
                    let width = spread / NORMAL_MAD;
                    return (width > 0.0)
                        .then(|| (middle - self.fold * width, middle + self.fold * width));
                }
                (_, [low, high]) => [*low, *high],
                _ => return None,
            };
            (low, high, high - low)
        };
        let margin = if self.method == Method::Quantiles { 0.0 } else { self.fold * width };
        (width > 0.0).then_some((low - margin, high + margin))
    }
}

impl Transform for Bounds {
    fn one<'a>(&'a self, known: Known<'a>, value: Value<'a>) -> Answer<'a> {
        let Value::Number(x) = value else { return Answer::Null };
        let bounds = self.bounds(known).map(|(low, high)| match self.tail {
            Tail::Both => (low, high),
            Tail::Left => (low, f64::INFINITY),
            Tail::Right => (f64::NEG_INFINITY, high),
        });
        match (self.action, bounds) {
            (Action::Flag, None) => Answer::Null,
            (Action::Flag, Some((low, high))) => Answer::Flag(x < low || x > high),
            (Action::Winsorize, None) => Answer::Number(x),
            (Action::Winsorize, Some((low, high))) => Answer::Number(x.max(low).min(high)),
        }
    }
}
