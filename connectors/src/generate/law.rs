//! Laws of real numbers: how a value follows from random words.

use super::choice::AliasTable;
use super::random::unit;
use super::words::Words;

/// A distribution of real numbers.
pub(super) enum Law {
    Normal {
        mean: f64,
        sd: f64,
    },
    /// By the median, the exponential of the mean of the logarithm.
    Lognormal {
        median: f64,
        sigma: f64,
    },
    Exponential {
        mean: f64,
    },
    Pareto {
        least: f64,
        shape: f64,
    },
    /// Bins by their edges, evenly filled.
    Histogram {
        edges: Vec<f64>,
        bins: AliasTable,
    },
    /// Values at evenly spaced shares of the rows, from the least to the greatest.
    Empirical {
        quantiles: Vec<f64>,
    },
    Mixture {
        parts: Vec<Self>,
        shares: AliasTable,
    },
}

/// A number in (0, 1].
fn positive(word: u64) -> f64 {
    1.0 - unit(word)
}

impl Law {
    /// A value, from the next words of a row.
    pub(super) fn sample(&self, words: &mut Words) -> f64 {
        match self {
            Self::Normal { mean, sd } => mean + sd * normal(words),
            Self::Lognormal { median, sigma } => median * (sigma * normal(words)).exp(),
            Self::Exponential { mean } => -mean * positive(words.word()).ln(),
            Self::Pareto { least, shape } => least * positive(words.word()).powf(-1.0 / shape),
            Self::Histogram { edges, bins } => {
                let bin = bins.pick(words.word()) as usize;
                match edges.get(bin..bin + 2) {
                    Some([low, high]) => low + unit(words.word()) * (high - low),
                    _ => f64::NAN,
                }
            }
            Self::Empirical { quantiles } => between(quantiles, unit(words.word())),
            Self::Mixture { parts, shares } => {
                let part = parts.get(shares.pick(words.word()) as usize);
                part.map_or(f64::NAN, |part| part.sample(words))
            }
        }
    }

    /// The least and the greatest value, where there are such.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        match self {
            Self::Histogram { edges: marks, .. } | Self::Empirical { quantiles: marks } => {
                marks.first().copied().zip(marks.last().copied())
            }
            Self::Mixture { parts, .. } => {
                let ranges = parts.iter().map(Self::range).collect::<Option<Vec<_>>>()?;
                ranges.into_iter().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
            }
            _ => None,
        }
    }
}

/// A standard normal number (Box and Muller, "A note on the generation of random normal deviates",
/// 1958).
fn normal(words: &mut Words) -> f64 {
    let (u, v) = (positive(words.word()), unit(words.word()));
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// The value at a share of the rows, on straight lines between the given ones.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in a list that a file holds"
)]
fn between(quantiles: &[f64], share: f64) -> f64 {
    let place = share * (quantiles.len() - 1) as f64;
    match quantiles.get(place as usize..place as usize + 2) {
        Some([low, high]) => low + place.fract() * (high - low),
        _ => quantiles.last().copied().unwrap_or(f64::NAN),
    }
}
