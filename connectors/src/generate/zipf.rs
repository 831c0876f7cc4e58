//! Zipf-distributed whole numbers: few popular keys and a long tail.

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::Result;

use super::column::{Column, Rows, Timeline, array, bad_option};
use super::random::{Stream, unit};

/// Whole numbers from 1 to `values`; the k-th comes with a likelihood of k^-`exponent`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ZipfOptions {
    /// How many different values there are.
    pub values: u64,
    /// How steep the distribution is; 0 is uniform, 1 the classic.
    #[serde(default = "ZipfOptions::default_exponent")]
    pub exponent: f64,
}

impl ZipfOptions {
    const fn default_exponent() -> f64 {
        1.0
    }

    #[expect(clippy::cast_precision_loss, reason = "values are below 2^53")]
    pub(super) fn build(self, name: &str, stream: Stream) -> Result<Zipf> {
        let Self { values, exponent } = self;
        if values == 0 || values >= 1 << 53 || !(0.0..=100.0).contains(&exponent) {
            return Err(bad_option(
                name,
                format!("no distribution in `zipf: {{values: {values}, exponent: {exponent}}}`"),
                "give from 1 to 2^53 values and an exponent from 0 to 100",
            ));
        }
        Ok(Zipf::new(values as f64, exponent, stream))
    }
}

/// The column, by rejection-inversion (Hörmann and Derflinger, "Rejection-inversion to generate
/// variates from monotone discrete distributions", 1996): no table, so any number of values.
pub(super) struct Zipf {
    values: f64,
    exponent: f64,
    /// Integral of the hat from 1/2 to 3/2, less the first value's likelihood.
    low: f64,
    /// Integral of the hat up to `values` + 1/2.
    high: f64,
    /// Numbers this close above their inverse are taken without looking.
    sure: f64,
    stream: Stream,
}

impl Zipf {
    fn new(values: f64, exponent: f64, stream: Stream) -> Self {
        let mut zipf = Self { values, exponent, low: 0.0, high: 0.0, sure: 0.0, stream };
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.high = zipf.integral(values + 0.5);
        zipf.sure = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.likelihood(2.0));
        zipf
    }

    fn likelihood(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// The integral of x^-exponent from 1, also where the exponent is (nearly) 1.
    fn integral(&self, x: f64) -> f64 {
        let log = x.ln();
        expm1_over((1.0 - self.exponent) * log) * log
    }

    fn inverse(&self, area: f64) -> f64 {
        let t = (area * (1.0 - self.exponent)).max(-1.0);
        (ln1p_over(t) * area).exp()
    }

    #[expect(clippy::cast_possible_truncation, reason = "clamped to 1..=values, below 2^53")]
    fn sample(&self, row: u64) -> i64 {
        let words = self.stream.of_row(row);
        let mut k = 1.0;
        // Fewer than one draw in four is rejected, so the bound is never reached in practice.
        for attempt in 0..64 {
            let area = self.high + unit(words.at(attempt)) * (self.low - self.high);
            let x = self.inverse(area);
            k = (x + 0.5).floor().clamp(1.0, self.values);
            if k - x <= self.sure || area >= self.integral(k + 0.5) - self.likelihood(k) {
                break;
            }
        }
        k as i64
    }
}

/// (e^x - 1) / x, exact where x is near 0.
fn expm1_over(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x * 0.5 * (1.0 + x / 3.0) }
}

/// ln(1 + x) / x, exact where x is near 0.
fn ln1p_over(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x * (0.5 - x / 3.0) }
}

impl Column for Zipf {
    fn data_type(&self) -> DataType {
        DataType::Int64
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        array(Int64Array::from_iter_values(rows.iter().map(|row| self.sample(row))))
    }

    #[expect(clippy::cast_possible_truncation, reason = "below 2^53")]
    fn extremes(&self) -> Option<ArrayRef> {
        Some(array(Int64Array::from(vec![1, self.values as i64])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chi-square of 200 000 samples against k^-exponent, over the values expected 100 times.
    fn chi_square(values: u32, exponent: f64) -> (f64, usize) {
        let zipf = Zipf::new(f64::from(values), exponent, Stream::new(3, "z", 0));
        let mut counts = vec![0_u32; values as usize + 1];
        for row in 0..200_000 {
            counts[usize::try_from(zipf.sample(row)).unwrap()] += 1;
        }
        assert_eq!(counts[0], 0);
        let weight = |k: u32| f64::from(k).powf(-exponent);
        let total: f64 = (1..=values).map(weight).sum();
        let cells: Vec<f64> = (1..=values)
            .map(|k| (weight(k) / total * 200_000.0, f64::from(counts[k as usize])))
            .filter(|(expected, _)| *expected >= 100.0)
            .map(|(expected, seen)| (seen - expected).powi(2) / expected)
            .collect();
        (cells.iter().sum(), cells.len())
    }

    #[test]
    fn values_come_as_often_as_the_law_says() {
        for (values, exponent) in [(10, 0.0), (50, 0.8), (100, 1.0), (1000, 1.2), (5, 3.0)] {
            let (chi, cells) = chi_square(values, exponent);
            // Mean n and deviation sqrt(2n): four deviations above is passed once in 10 000.
            let n = f64::from(u32::try_from(cells).unwrap());
            assert!(chi < n + 4.0 * (2.0 * n).sqrt() + 4.0, "{values} {exponent}: {chi} of {n}");
        }
    }

    #[test]
    fn one_value_and_very_many_are_in_range() {
        let one = Zipf::new(1.0, 1.0, Stream::new(3, "z", 0));
        let many = Zipf::new(1e15, 0.5, Stream::new(3, "z", 0));
        for row in 0..1000 {
            assert_eq!(one.sample(row), 1);
            assert!((1..=1_000_000_000_000_000).contains(&many.sample(row)));
        }
    }
}
