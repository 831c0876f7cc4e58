//! How alike single columns are: `KSComplement` and `TVComplement` as `SDMetrics` 0.32.0 defines
//! them, and its diagnostic metrics of a column.

use serde::Serialize;

use super::design::{Field, Kind};
use super::table::Values;

/// How alike a column of both sides is. Where a score cannot be had (no value on one side), it is
/// null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnScore {
    /// Name of the column.
    pub column: String,
    /// What its values are.
    pub kind: Kind,
    /// `KSComplement` or `TVComplement`.
    pub metric: &'static str,
    /// The shape score, 1 where both sides have the same distribution.
    pub score: Option<f64>,
    /// `MissingValueSimilarity`: 1 less the distance of the shares of missing values.
    pub missing_value_similarity: Option<f64>,
    /// `RangeCoverage` or `CategoryCoverage`: how much of the real range or of the real
    /// categories the synthetic values cover.
    pub coverage: Option<f64>,
    /// `BoundaryAdherence` or `CategoryAdherence`: share of the synthetic values that lie inside the
    /// real range or are real categories.
    pub adherence: Option<f64>,
}

/// Digits behind the point that `KSComplement` compares.
const DECIMALS: f64 = 1e14;

/// The numbers that are there, rounded as `KSComplement` does and sorted.
pub(super) fn sorted(values: &[f64], field: &Field) -> Vec<f64> {
    let round = |v: f64| match (field.kind, field.single) {
        (Kind::Time, _) => v,
        #[expect(clippy::cast_possible_truncation, reason = "the column was of that precision")]
        (_, true) => f64::from((v as f32 * DECIMALS as f32).round_ties_even() / DECIMALS as f32),
        (_, false) => (v * DECIMALS).round_ties_even() / DECIMALS,
    };
    // A number too large to be scaled has no digits behind the point.
    let round = |v: f64| if round(v).is_finite() { round(v) } else { v };
    let mut values: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).map(round).collect();
    // -0 and 0 are one value.
    values.iter_mut().for_each(|v| *v += 0.0);
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// 1 less the greatest distance of the two distribution functions of sorted values.
pub(super) fn ks_complement(real: &[f64], synthetic: &[f64]) -> Option<f64> {
    if real.is_empty() || synthetic.is_empty() {
        return None;
    }
    let (n, m) = (real.len() as f64, synthetic.len() as f64);
    let (mut r, mut s, mut widest) = (0, 0, 0.0_f64);
    while let (Some(a), Some(b)) = (real.get(r), synthetic.get(s)) {
        let value = a.min(*b);
        let equal = |values: &[f64], from: usize| {
            values.get(from..).unwrap_or_default().iter().take_while(|v| **v <= value).count()
        };
        r += equal(real, r);
        s += equal(synthetic, s);
        widest = widest.max((r as f64 / n - s as f64 / m).abs());
    }
    Some(1.0 - widest)
}

/// How often each category comes; missing values are left out, and the place 0 is theirs.
pub(super) fn counts(codes: &[u32]) -> Vec<u64> {
    let mut counts = Vec::new();
    for code in codes.iter().map(|c| *c as usize).filter(|c| *c > 0) {
        if counts.len() <= code {
            counts.resize(code + 1, 0);
        }
        if let Some(count) = counts.get_mut(code) {
            *count += 1;
        }
    }
    counts
}

/// 1 less half the sum of the distances of the shares; a category that only the synthetic side has
/// counts as a millionth of a real row, as in `SDMetrics`.
pub(super) fn tv_complement(real: &[u64], synthetic: &[u64]) -> Option<f64> {
    const REGULAR: f64 = 1e-6;
    let at = |counts: &[u64], n: usize| counts.get(n).copied().unwrap_or(0) as f64;
    let places = 0..real.len().max(synthetic.len());
    let count = |n: usize| match (at(real, n), at(synthetic, n)) {
        (0.0, s) if s > 0.0 => (REGULAR, s),
        both => both,
    };
    let (n, m) = places.clone().map(count).fold((0.0, 0.0), |(n, m), (r, s)| (n + r, m + s));
    if real.iter().all(|c| *c == 0) || m == 0.0 {
        return None;
    }
    let distance: f64 = places.map(count).map(|(r, s)| (s / m - r / n).abs()).sum();
    Some(1.0 - 0.5 * distance)
}

/// The real side of a column.
pub(super) enum Shape {
    /// Sorted.
    Numbers(Vec<f64>),
    /// By category.
    Categories(Vec<u64>),
}

impl Shape {
    pub(super) fn new(values: &Values, field: &Field) -> Self {
        match values {
            Values::Numbers(values) => Self::Numbers(sorted(values, field)),
            Values::Categories(codes) => Self::Categories(counts(codes)),
        }
    }

    /// The scores of a column.
    pub(super) fn score(&self, real: &Values, synthetic: &Values, field: &Field) -> ColumnScore {
        let other = Self::new(synthetic, field);
        let (metric, score, coverage, adherence) = match (self, &other) {
            (Self::Numbers(r), Self::Numbers(s)) => {
                ("KSComplement", ks_complement(r, s), range_coverage(r, s), inside(r, s))
            }
            (Self::Categories(r), Self::Categories(s)) => {
                let (coverage, adherence) = category_cover(r, s);
                ("TVComplement", tv_complement(r, s), coverage, adherence)
            }
            _ => ("none", None, None, None),
        };
        let share = |v: &Values| (!v.is_empty()).then(|| v.missing() as f64 / v.len() as f64);
        let missing = share(real).zip(share(synthetic));
        ColumnScore {
            column: field.name.clone(),
            kind: field.kind,
            metric,
            score,
            missing_value_similarity: missing.map(|(r, s)| 1.0 - (r - s).abs()),
            coverage,
            adherence,
        }
    }
}

fn range_coverage(real: &[f64], synthetic: &[f64]) -> Option<f64> {
    let ((low, high), (from, to)) =
        ((real.first()?, real.last()?), (synthetic.first()?, synthetic.last()?));
    let range = high - low;
    if range <= 0.0 {
        return None;
    }
    let lost = ((from - low) / range).max(0.0) + ((high - to) / range).max(0.0);
    Some((1.0 - lost).max(0.0))
}

fn inside(real: &[f64], synthetic: &[f64]) -> Option<f64> {
    let (low, high) = (real.first()?, real.last()?);
    let inside = synthetic.iter().filter(|v| (low..=high).contains(v)).count();
    (!synthetic.is_empty()).then(|| inside as f64 / synthetic.len() as f64)
}

fn category_cover(real: &[u64], synthetic: &[u64]) -> (Option<f64>, Option<f64>) {
    let has = |counts: &[u64], n: usize| counts.get(n).is_some_and(|c| *c > 0);
    let known = (0..real.len()).filter(|n| has(real, *n)).count() as f64;
    let covered = (0..real.len()).filter(|n| has(real, *n) && has(synthetic, *n)).count() as f64;
    let all: u64 = synthetic.iter().sum();
    let good = synthetic.iter().enumerate().filter(|(n, _)| has(real, *n));
    let good: u64 = good.map(|(_, count)| *count).sum();
    let share = |part: f64, of: f64| (of > 0.0).then(|| part / of);
    (share(covered, known), share(good as f64, all as f64))
}

#[cfg(test)]
#[path = "shapes_tests.rs"]
mod tests;
