//! How the values of each column are spread on both sides, small enough to be drawn.

use serde::Serialize;

use super::design::{Design, Field, Kind};
use super::ranking::quantile;
use super::shapes::counts;
use super::table::{Table, Values};

/// Cells of a column of numbers.
const CELLS: usize = 24;
/// Categories that are shown; the others are summed up.
const SHOWN: usize = 12;

/// The spread of a column. Shares are of the values that are there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// Name of the column.
    pub column: String,
    /// What its values are.
    pub kind: Kind,
    /// Categories, most frequent first, and perhaps `others`. Empty for numbers.
    pub labels: Vec<String>,
    /// Edges of the cells of numbers, of equal width from the 0.5th to the 99.5th percentile of both
    /// sides; what lies beyond is in the first and last cell. Empty for categories.
    pub edges: Vec<f64>,
    /// Real shares, by label or cell.
    pub real: Vec<f64>,
    /// Synthetic shares.
    pub synthetic: Vec<f64>,
    /// Shares of missing values, real and synthetic.
    pub missing: [f64; 2],
}

/// The spread of every column.
#[must_use]
pub fn profiles(design: &Design, real: &Table, synthetic: &Table) -> Vec<Profile> {
    let columns = design.fields.iter().zip(real.columns.iter().zip(&synthetic.columns));
    columns.map(|(field, (r, s))| profile(field, r, s)).collect()
}

fn profile(field: &Field, real: &Values, synthetic: &Values) -> Profile {
    let missing = |v: &Values| v.missing() as f64 / v.len().max(1) as f64;
    let mut profile = Profile {
        column: field.name.clone(),
        kind: field.kind,
        labels: Vec::new(),
        edges: Vec::new(),
        real: Vec::new(),
        synthetic: Vec::new(),
        missing: [missing(real), missing(synthetic)],
    };
    match (real, synthetic) {
        (Values::Numbers(r), Values::Numbers(s)) => profile.numbers(r, s),
        (Values::Categories(r), Values::Categories(s)) => profile.categories(field, r, s),
        _ => {}
    }
    profile
}

impl Profile {
    fn numbers(&mut self, real: &[f64], synthetic: &[f64]) {
        let both = real.iter().chain(synthetic).copied();
        let mut both: Vec<f64> = both.filter(|v| v.is_finite()).collect();
        both.sort_unstable_by(f64::total_cmp);
        let ends = quantile(&both, 0.005).zip(quantile(&both, 0.995));
        let Some((low, high)) = ends else {
            return;
        };
        let (low, high) = if low < high { (low, high) } else { (low - 0.5, high + 0.5) };
        let width = (high - low) / CELLS as f64;
        self.edges = (0..=CELLS).map(|n| low + width * n as f64).collect();
        self.real = shares(real, low, width);
        self.synthetic = shares(synthetic, low, width);
    }

    fn categories(&mut self, field: &Field, real: &[u32], synthetic: &[u32]) {
        let (real, synthetic) = (counts(real), counts(synthetic));
        let at = |counts: &[u64], n: usize| counts.get(n).copied().unwrap_or(0);
        let mut order: Vec<usize> = (1..real.len().max(synthetic.len())).collect();
        order.sort_by_key(|n| std::cmp::Reverse((at(&real, *n), at(&synthetic, *n))));
        let rest = order.split_off(order.len().min(SHOWN));
        let label = |n: &usize| {
            let text = u32::try_from(*n).ok().and_then(|n| field.category(n));
            text.unwrap_or_default().to_owned()
        };
        self.labels = order.iter().map(label).collect();
        let all = |counts: &[u64]| counts.iter().sum::<u64>().max(1) as f64;
        let shares = |counts: &[u64]| -> Vec<f64> {
            let mut shown: Vec<u64> = order.iter().map(|n| at(counts, *n)).collect();
            if !rest.is_empty() {
                shown.push(rest.iter().map(|n| at(counts, *n)).sum());
            }
            shown.into_iter().map(|count| count as f64 / all(counts)).collect()
        };
        (self.real, self.synthetic) = (shares(&real), shares(&synthetic));
        if !rest.is_empty() {
            self.labels.push(format!("{} others", rest.len()));
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cell below 24")]
fn shares(values: &[f64], low: f64, width: f64) -> Vec<f64> {
    let mut counts = vec![0_u32; CELLS];
    let mut all = 0_u32;
    for value in values.iter().filter(|v| !v.is_nan()) {
        let cell = (((value - low) / width).max(0.0) as usize).min(CELLS - 1);
        counts.get_mut(cell).into_iter().for_each(|count| *count += 1);
        all += 1;
    }
    counts.into_iter().map(|count| f64::from(count) / f64::from(all.max(1))).collect()
}
