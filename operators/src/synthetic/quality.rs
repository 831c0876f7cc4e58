//! How well rows fit a pane, over bins: total variation of columns and of pairs.
#![expect(clippy::indexing_slicing, reason = "tables whose sizes the widths say")]

use super::model::Quality;
use super::tally::{Tally, pairs};

/// Sums by bin of each column, from the tables of its pairs or, for one that has none, from `alone`.
fn shares(all: &[f64]) -> Vec<f64> {
    let total: f64 = all.iter().sum();
    all.iter().map(|w| if total > 0.0 { w / total } else { 0.0 }).collect()
}

/// 1 - half the sum of differences.
fn agreement(real: &[f64], made: &[f64]) -> f64 {
    1.0 - 0.5 * real.iter().zip(made).map(|(a, b)| (a - b).abs()).sum::<f64>()
}

/// The agreement of two samples of `real` with as many rows as there were, on average.
fn best(real: &[f64], rows: (f64, f64)) -> f64 {
    let noise = (2.0 / std::f64::consts::PI * (1.0 / rows.0 + 1.0 / rows.1)).sqrt();
    1.0 - 0.5 * noise * real.iter().map(|p| (p * (1.0 - p)).max(0.0).sqrt()).sum::<f64>()
}

/// Means of what is judged.
#[derive(Debug, Default)]
struct Mean {
    sum: [f64; 3],
    count: f64,
}

impl Mean {
    fn add(&mut self, score: f64, floor: f64, ceiling: f64) {
        let of = [score, floor, ceiling];
        self.sum.iter_mut().zip(of).for_each(|(sum, value)| *sum += value);
        self.count += 1.0;
    }

    fn get(&self) -> Option<[f64; 3]> {
        (self.count > 0.0).then(|| self.sum.map(|sum| sum / self.count))
    }
}

/// Judges rows `made` by a model against those of a pane. Both have the bins `widths`; `bins` are
/// the weights of each column's bins.
pub(crate) fn judge(
    widths: &[usize],
    (real, real_bins): (&Tally, &[Vec<f64>]),
    (made, made_bins): (&Tally, &[Vec<f64>]),
) -> Quality {
    let rows = (real.weight.max(1.0), made.weight.max(1.0));
    let (mut shapes, mut trends) = (Mean::default(), Mean::default());
    let real_bins: Vec<Vec<f64>> = real_bins.iter().map(|bins| shares(bins)).collect();
    for (real, made) in real_bins.iter().zip(made_bins).filter(|(real, _)| !real.is_empty()) {
        let ceiling = best(real, rows);
        shapes.add(agreement(real, &shares(made)), ceiling, ceiling);
    }
    for (i, j, at) in pairs(widths) {
        let range = at..at + widths[i] * widths[j];
        let (real, made) = (shares(&real.pairs[range.clone()]), shares(&made.pairs[range]));
        let apart: Vec<f64> =
            real_bins[i].iter().flat_map(|a| real_bins[j].iter().map(move |b| a * b)).collect();
        trends.add(agreement(&real, &made), agreement(&real, &apart), best(&real, rows));
    }
    let both: Vec<[f64; 3]> = [shapes.get(), trends.get()].into_iter().flatten().collect();
    let mean = |k: usize| both.iter().map(|m| m[k]).sum::<f64>() / both.len().max(1) as f64;
    Quality { score: mean(0), floor: mean(1), ceiling: mean(2) }
}
