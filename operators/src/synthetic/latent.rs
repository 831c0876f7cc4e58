//! Draws from a Gaussian copula: normal scores one after the other, those with a condition first.
//! One condition is met exactly; several that are intervals are met one after the other, so that an
//! earlier one does not know how likely it makes the later ones.
#![expect(
    clippy::indexing_slicing,
    reason = "lists that are as long as the columns and their cells"
)]

use swiftwater_engine::random::{Stream, mix, unit};

use super::copula::{Matrix, cholesky};
use super::drawer::Drawer;
use super::normal::{distribution, inverse};

/// The bins of a column laid along the unit interval.
#[derive(Debug, Clone)]
struct Line {
    column: usize,
    /// The end of each draw, and its bin and place there.
    ends: Vec<f64>,
    draws: Vec<(u16, u32)>,
    /// Intervals that the conditions leave, of the line without them; empty for the whole.
    left: Vec<(f64, f64)>,
    nulls: f64,
}

/// Draws scores.
#[derive(Debug, Clone)]
pub(crate) struct Latent {
    /// In the order in which they are drawn.
    lines: Vec<Line>,
    lower: Matrix,
    /// The part of the model's rows that meets the conditions, column by column.
    pub(crate) share: f64,
}

impl Line {
    /// `whole` draws without conditions, `drawer` with them.
    fn new(column: usize, whole: &Drawer, drawer: &Drawer) -> Result<Self, String> {
        let all: f64 = whole.bins.iter().map(|bin| bin.weight).sum();
        let (mut ends, mut draws, mut left) = (Vec::new(), Vec::new(), Vec::new());
        let restricted = drawer.weights() != whole.weights();
        let (mut below, mut kept) = (0.0, 0.0);
        for (number, (bin, allowed)) in whole.bins.iter().zip(&drawer.bins).enumerate() {
            if !restricted {
                for (at, weight) in bin.weights.iter().enumerate() {
                    below += weight;
                    ends.push(below / all);
                    draws.push((number as u16, at as u32));
                }
                continue;
            }
            // Draws that are left lie where their cell lies, side by side.
            for (cell, weight) in bin.cells.iter().zip(&bin.weights) {
                let here = allowed.cells.iter().zip(&allowed.weights).enumerate();
                let here: Vec<(usize, f64)> =
                    here.filter(|(_, (c, _))| *c == cell).map(|(at, (_, w))| (at, *w)).collect();
                let sum: f64 = here.iter().map(|(_, w)| w).sum();
                let scale = if sum > *weight { weight / sum } else { 1.0 };
                let mut end = below;
                for (at, part) in here {
                    end += part * scale;
                    ends.push((end / all).min(1.0));
                    draws.push((number as u16, at as u32));
                }
                if sum > 0.0 {
                    left.push((below / all, (end / all).min(1.0)));
                    kept += sum;
                }
                below += weight;
            }
        }
        if restricted && kept <= 0.0 && drawer.nulls <= 0.0 {
            return Err("no row of the model is so".to_owned());
        }
        let (value, null) = if restricted { (kept, drawer.nulls) } else { (all, drawer.nulls) };
        let nulls = if value + null > 0.0 { null / (value + null) } else { 1.0 };
        Ok(Self { column, ends, draws, left: merged(left), nulls })
    }

    fn is_restricted(&self) -> bool {
        !self.left.is_empty()
    }

    /// A score given its mean and deviation, and the place on the line where it lies.
    fn score(&self, mean: f64, deviation: f64, word: u64) -> (f64, f64) {
        let u = unit(word);
        if !self.is_restricted() {
            let e = inverse(u.clamp(1e-16, 1.0 - 1e-16));
            return (e, distribution(deviation.mul_add(e, mean)));
        }
        // Each interval as probabilities of the score.
        let of = |p: f64| distribution((inverse(p) - mean) / deviation);
        let parts: Vec<(f64, f64)> = self.left.iter().map(|(a, b)| (of(*a), of(*b))).collect();
        let total: f64 = parts.iter().map(|(a, b)| (b - a).max(0.0)).sum();
        let mut rest = u * total;
        for ((from, to), (a, b)) in self.left.iter().zip(&parts) {
            let width = (b - a).max(0.0);
            if rest < width {
                let e = inverse((a + rest).clamp(1e-300, 1.0 - 1e-16));
                let place = distribution(deviation.mul_add(e, mean));
                return (e, place.clamp(*from, *to));
            }
            rest -= width;
        }
        // So far out that no interval has a probability: the one nearest to the mean.
        let mid = |(a, b): &&(f64, f64)| (distribution(mean) - (a + b) / 2.0).abs();
        let near = self.left.iter().min_by(|x, y| mid(x).total_cmp(&mid(y)));
        let place = near.map_or(0.5, |(a, b)| (a + b) / 2.0);
        ((inverse(place) - mean) / deviation, place)
    }
}

/// Intervals that touch become one.
fn merged(left: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let mut all: Vec<(f64, f64)> = Vec::new();
    for (from, to) in left {
        match all.last_mut() {
            Some(last) if from <= last.1 => last.1 = to,
            _ => all.push((from, to)),
        }
    }
    all
}

impl Latent {
    /// Over columns that are no keys; `whole` without conditions.
    pub(crate) fn new(
        whole: &[Option<Drawer>],
        drawers: &[Option<Drawer>],
        correlations: &Matrix,
    ) -> Result<Self, String> {
        let mut lines = Vec::new();
        let mut share = 1.0;
        for (column, pair) in whole.iter().zip(drawers).enumerate() {
            if let (Some(whole), Some(drawer)) = pair {
                let line = Line::new(column, whole, drawer)?;
                share *= drawer.weights().iter().sum::<f64>() / drawer.total;
                lines.push(line);
            }
        }
        let mut order: Vec<usize> = (0..lines.len()).collect();
        order.sort_by_key(|at| !lines[*at].is_restricted());
        let lower = cholesky(correlations, &order);
        let lines = order.iter().map(|at| lines[*at].clone()).collect();
        Ok(Self { lines, lower, share })
    }

    /// The values of each column.
    pub(crate) fn draw(
        &self,
        drawers: &[Option<Drawer>],
        streams: &[(Stream, Stream)],
        rows: &[u64],
    ) -> Vec<Vec<f64>> {
        let mut values: Vec<Vec<f64>> = vec![Vec::new(); drawers.len()];
        let mut scores = vec![0.0; self.lines.len()];
        for row in rows {
            for (at, line) in self.lines.iter().enumerate() {
                let (of_score, of_value) = streams[line.column];
                let lower = &self.lower[at];
                let mean: f64 = lower.iter().zip(&scores).take(at).map(|(l, e)| l * e).sum();
                let (score, place) = line.score(mean, lower[at], of_score.at(*row));
                scores[at] = score;
                let word = of_value.at(*row);
                let null = line.draws.is_empty() || unit(mix(word ^ 1)) < line.nulls;
                let value = if null {
                    f64::NAN
                } else {
                    let slot = line.ends.partition_point(|end| *end <= place);
                    let (bin, draw) = line.draws[slot.min(line.draws.len() - 1)];
                    let bin =
                        drawers[line.column].as_ref().and_then(|d| d.bins.get(usize::from(bin)));
                    bin.map_or(f64::NAN, |bin| bin.item(draw as usize, word))
                };
                values[line.column].push(value);
            }
        }
        values
    }
}
