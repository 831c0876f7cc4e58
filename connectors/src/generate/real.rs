//! Columns of real numbers by one of several laws, within bounds, rounded.

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::Result;

use super::choice::{AliasTable, is_weighting};
use super::column::{Column, Rows, Timeline, array, bad_option};
use super::law::Law;
use super::random::Stream;
use super::words::Words;

/// What a value is brought to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
pub(crate) struct Limits {
    /// No value is below this: it is drawn again.
    #[serde(default)]
    pub min: Option<f64>,
    /// No value is above this: it is drawn again.
    #[serde(default)]
    pub max: Option<f64>,
    /// Rounds to this many decimals.
    #[serde(default)]
    pub decimals: Option<u8>,
}

/// The normal distribution.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NormalOptions {
    /// Its mean.
    #[serde(default)]
    pub mean: f64,
    /// Its standard deviation, above 0.
    #[serde(default = "one")]
    pub sd: f64,
    /// What values are brought to.
    #[serde(flatten)]
    pub limits: Limits,
}

/// Numbers whose logarithm is normal: amounts and durations.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LognormalOptions {
    /// Half of the values are below it; above 0.
    pub median: f64,
    /// Standard deviation of the natural logarithm, above 0.
    pub sigma: f64,
    /// What values are brought to.
    #[serde(flatten)]
    pub limits: Limits,
}

/// The exponential distribution: waiting times.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExponentialOptions {
    /// Its mean, above 0.
    pub mean: f64,
    /// What values are brought to.
    #[serde(flatten)]
    pub limits: Limits,
}

/// The Pareto distribution: sizes of which a few hold most.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParetoOptions {
    /// The least value, above 0.
    pub least: f64,
    /// How quickly larger values become rare; above 0. There is no mean up to 1.
    pub shape: f64,
    /// What values are brought to.
    #[serde(flatten)]
    pub limits: Limits,
}

/// Bins of numbers, evenly filled.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistogramOptions {
    /// Edges of the bins, in ascending order: one more than weights.
    pub edges: Vec<f64>,
    /// How likely each bin is relative to the others.
    pub weights: Vec<f64>,
    /// What values are brought to.
    #[serde(flatten)]
    pub limits: Limits,
}

/// Numbers distributed as others that were seen.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmpiricalOptions {
    /// Values at evenly spaced shares of the rows, in ascending order, from the least to the
    /// greatest: five are the least, the quartiles and the greatest.
    pub quantiles: Vec<f64>,
    /// What values are brought to.
    #[serde(flatten)]
    pub limits: Limits,
}

/// A part of a mixture: exactly one law.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// How likely the part is relative to the others.
    pub weight: f64,
    /// The law of its values.
    #[serde(flatten)]
    pub law: LawOptions,
}

/// One of the laws.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct LawOptions {
    /// Normal numbers.
    pub normal: Option<NormalOptions>,
    /// Numbers whose logarithm is normal.
    pub lognormal: Option<LognormalOptions>,
    /// Waiting times.
    pub exponential: Option<ExponentialOptions>,
    /// Sizes of which a few hold most.
    pub pareto: Option<ParetoOptions>,
    /// Bins of numbers, evenly filled.
    pub histogram: Option<HistogramOptions>,
    /// Numbers distributed as others that were seen.
    pub empirical: Option<EmpiricalOptions>,
    /// Several laws, each with the share of rows that follow it. Limits belong to the parts.
    pub mixture: Option<Vec<Part>>,
}

const fn one() -> f64 {
    1.0
}

/// Values drawn before one is taken that is out of bounds.
const DRAWS: usize = 256;
/// Values drawn to see whether enough are within bounds.
const TRIED: u64 = 2000;

impl LawOptions {
    /// The columns of the laws that are named.
    pub(super) fn build(self, name: &str, stream: Stream) -> Result<Vec<Real>> {
        let mut all = Vec::new();
        for (law, limits) in self.laws(name)? {
            all.push(Real::new(name, law, limits, stream)?);
        }
        Ok(all)
    }

    fn laws(self, name: &str) -> Result<Vec<(Law, Limits)>> {
        let above = |what: &str, value: f64| {
            if value > 0.0 && value.is_finite() {
                return Ok(value);
            }
            Err(bad_option(name, format!("`{what}: {value}`"), "give a number above 0"))
        };
        let mut all = Vec::new();
        if let Some(o) = self.normal {
            all.push((Law::Normal { mean: o.mean, sd: above("sd", o.sd)? }, o.limits));
        }
        if let Some(o) = self.lognormal {
            let (median, sigma) = (above("median", o.median)?, above("sigma", o.sigma)?);
            all.push((Law::Lognormal { median, sigma }, o.limits));
        }
        if let Some(o) = self.exponential {
            all.push((Law::Exponential { mean: above("mean", o.mean)? }, o.limits));
        }
        if let Some(o) = self.pareto {
            let (least, shape) = (above("least", o.least)?, above("shape", o.shape)?);
            all.push((Law::Pareto { least, shape }, o.limits));
        }
        if let Some(o) = self.histogram {
            ascending(name, "edges", &o.edges)?;
            let bins = weights(name, &o.weights, o.edges.len() - 1)?;
            all.push((Law::Histogram { edges: o.edges, bins }, o.limits));
        }
        if let Some(o) = self.empirical {
            ascending(name, "quantiles", &o.quantiles)?;
            all.push((Law::Empirical { quantiles: o.quantiles }, o.limits));
        }
        if let Some(parts) = self.mixture {
            all.push((mixture(name, parts)?, Limits::default()));
        }
        Ok(all)
    }
}

fn mixture(name: &str, parts: Vec<Part>) -> Result<Law> {
    let each: Vec<f64> = parts.iter().map(|part| part.weight).collect();
    let shares = weights(name, &each, parts.len())?;
    let mut laws = Vec::new();
    for part in parts {
        let mut named = part.law.laws(name)?;
        let (Some((law, limits)), true) = (named.pop(), named.is_empty()) else {
            let hint = "name exactly one law in each part, beside its `weight`";
            return Err(bad_option(name, "a part of `mixture` has no law, or several", hint));
        };
        if limits != Limits::default() {
            let hint = "leave `min`, `max` and `decimals` out of its parts";
            return Err(bad_option(name, "a part of `mixture` has limits", hint));
        }
        laws.push(law);
    }
    Ok(Law::Mixture { parts: laws, shares })
}

fn ascending(name: &str, what: &str, marks: &[f64]) -> Result<()> {
    if marks.len() > 1 && marks.is_sorted() && marks.iter().all(|mark| mark.is_finite()) {
        return Ok(());
    }
    let hint = "give at least two numbers in ascending order";
    Err(bad_option(name, format!("`{what}: {marks:?}`"), hint))
}

fn weights(name: &str, weights: &[f64], count: usize) -> Result<AliasTable> {
    if weights.len() == count && is_weighting(weights) {
        return Ok(AliasTable::new(weights));
    }
    let hint = "give one weight for each, none negative and not all 0";
    Err(bad_option(name, format!("{count} bins or parts with weights {weights:?}"), hint))
}

/// The column.
pub(super) struct Real {
    law: Law,
    min: f64,
    max: f64,
    scale: Option<f64>,
    stream: Stream,
}

impl Real {
    fn new(name: &str, law: Law, limits: Limits, stream: Stream) -> Result<Self> {
        let min = limits.min.unwrap_or(f64::NEG_INFINITY);
        let max = limits.max.unwrap_or(f64::INFINITY);
        let scale = limits.decimals.map(|decimals| 10_f64.powi(i32::from(decimals)));
        let column = Self { law, min, max, scale, stream };
        let within = |row: &u64| {
            let mut words = Words::of_row(stream, *row);
            (min..=max).contains(&column.law.sample(&mut words))
        };
        let taken = (0..TRIED).filter(within).count() as u64;
        if taken * 20 < TRIED {
            let hint =
                "move `min` and `max` to where values are: at least one in 20 must lie there";
            return Err(bad_option(name, format!("hardly any value from {min} to {max}"), hint));
        }
        Ok(column)
    }

    fn value(&self, row: u64) -> f64 {
        let mut words = Words::of_row(self.stream, row);
        let mut value = self.law.sample(&mut words);
        for _ in 1..DRAWS {
            if (self.min..=self.max).contains(&value) {
                break;
            }
            value = self.law.sample(&mut words);
        }
        let value = value.clamp(self.min, self.max);
        self.scale.map_or(value, |scale| (value * scale).round() / scale)
    }
}

impl Column for Real {
    fn data_type(&self) -> DataType {
        DataType::Float64
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        array(Float64Array::from_iter_values(rows.iter().map(|row| self.value(row))))
    }

    fn extremes(&self) -> Option<ArrayRef> {
        let (least, greatest) = self.law.range().unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        let ends = [least.max(self.min), greatest.min(self.max)];
        let ends: Vec<f64> = ends.into_iter().filter(|end| end.is_finite()).collect();
        (!ends.is_empty()).then(|| array(Float64Array::from(ends)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Float64Type;
    use serde_json::{Value, json};

    use super::super::timeline::Slots;
    use super::*;

    fn sorted(options: Value) -> Vec<f64> {
        let options: LawOptions = serde_json::from_value(options).unwrap();
        let column = options.build("x", Stream::new(5, "x", 0)).unwrap().pop().unwrap();
        let time = Timeline { start: 0, rate: 1.0, slots: Slots::ALL };
        let values = column.values(Rows { first: 0, count: 100_000 }, time);
        let mut values = values.as_primitive::<Float64Type>().values().to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values
    }

    /// The greatest distance between the shares of rows up to a value and a law's own.
    fn distance(values: &[f64], law: impl Fn(f64) -> f64) -> f64 {
        let n = values.len() as f64;
        let at = |(i, x): (usize, &f64)| {
            let own = law(*x);
            (own - i as f64 / n).abs().max((own - (i + 1) as f64 / n).abs())
        };
        values.iter().enumerate().map(at).fold(0.0, f64::max)
    }

    /// The normal law's share below `x`, by the series of its density (Marsaglia, "Evaluating the
    /// normal distribution", 2004).
    fn phi(x: f64) -> f64 {
        if x.abs() > 8.0 {
            return f64::from(u8::from(x > 0.0));
        }
        let (mut sum, mut term, mut n) = (x, x, 1.0);
        while term.abs() > 1e-17 {
            n += 2.0;
            term *= x * x / n;
            sum += term;
        }
        0.5 + sum * (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
    }

    /// Kolmogorov's distance of 100 000 rows is above this once in ten thousand.
    const FAR: f64 = 2.23 / 316.0;

    #[test]
    fn values_follow_their_law() {
        let normal = sorted(json!({"normal": {"mean": 10.0, "sd": 2.0}}));
        assert!(distance(&normal, |x| phi((x - 10.0) / 2.0)) < FAR);
        let lognormal = sorted(json!({"lognormal": {"median": 20.0, "sigma": 0.8}}));
        assert!(distance(&lognormal, |x| phi((x / 20.0).ln() / 0.8)) < FAR);
        let exponential = sorted(json!({"exponential": {"mean": 3.0}}));
        assert!(distance(&exponential, |x| 1.0 - (-x / 3.0).exp()) < FAR);
        let pareto = sorted(json!({"pareto": {"least": 2.0, "shape": 1.5}}));
        assert!(distance(&pareto, |x| 1.0 - (2.0 / x).powf(1.5)) < FAR);
        let bins = sorted(json!({"histogram": {"edges": [0, 1, 10], "weights": [3, 1]}}));
        let share = |x: f64| if x < 1.0 { 0.75 * x } else { 0.75 + 0.25 * (x - 1.0) / 9.0 };
        assert!(distance(&bins, share) < FAR);
        let seen = sorted(json!({"empirical": {"quantiles": [0, 1, 10]}}));
        let share = |x: f64| if x < 1.0 { 0.5 * x } else { 0.5 + 0.5 * (x - 1.0) / 9.0 };
        assert!(distance(&seen, share) < FAR);
        let parts = json!([{"weight": 1, "normal": {"mean": -5.0}}, {"weight": 3, "normal": {"mean": 5.0}}]);
        let mixed = sorted(json!({"mixture": parts}));
        assert!(distance(&mixed, |x| 0.25 * phi(x + 5.0) + 0.75 * phi(x - 5.0)) < FAR);
    }

    #[test]
    fn values_stay_within_their_limits_and_keep_their_law_there() {
        let normal = sorted(json!({"normal": {"min": 1.0, "max": 3.0}}));
        assert!(normal.first().unwrap() >= &1.0 && normal.last().unwrap() <= &3.0);
        let share = |x| (phi(x) - phi(1.0)) / (phi(3.0) - phi(1.0));
        assert!(distance(&normal, share) < FAR);
        let rounded = sorted(json!({"exponential": {"mean": 3.0, "decimals": 1}}));
        assert!(rounded.iter().all(|x| (x * 10.0 - (x * 10.0).round()).abs() < 1e-9));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let refused = |options: Value| {
            let options: LawOptions = serde_json::from_value(options).unwrap();
            options.build("x", Stream::new(5, "x", 0)).is_err()
        };
        assert!(refused(json!({"normal": {"sd": 0.0}})));
        assert!(refused(json!({"normal": {"min": 3.0, "max": 2.0}})));
        assert!(refused(json!({"normal": {"min": 9.0}})));
        assert!(refused(json!({"pareto": {"least": -1.0, "shape": 2.0}})));
        assert!(refused(json!({"histogram": {"edges": [0, 1], "weights": [1, 2]}})));
        assert!(refused(json!({"histogram": {"edges": [1, 0], "weights": [1]}})));
        assert!(refused(json!({"histogram": {"edges": [0, 1], "weights": [0]}})));
        assert!(refused(json!({"empirical": {"quantiles": [1]}})));
        assert!(refused(json!({"mixture": []})));
        assert!(refused(json!({"mixture": [{"weight": 1}]})));
        assert!(refused(json!({"mixture": [{"weight": 1, "normal": {"max": 1.0}}]})));
    }
}
