//! How far two samples are apart: measures of drift over numbers.

/// What an empty cell counts as in the population stability index, so that it stays finite.
const EMPTY: f64 = 1e-4;

/// The reference sample of one column, frozen.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    sorted: Vec<f64>,
    /// Inner edges of the cells: the deciles of the reference, each once.
    edges: Vec<f64>,
    deviation: f64,
}

#[expect(clippy::cast_precision_loss, reason = "numbers of rows")]
const fn float(count: usize) -> f64 {
    count as f64
}

fn at(sorted: &[f64], place: usize) -> f64 {
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// The quantile by linear interpolation, as `numpy.quantile` has it.
fn quantile(sorted: &[f64], tenths: usize) -> f64 {
    let steps = (sorted.len() - 1) * tenths;
    let (below, part) = (steps / 10, float(steps % 10) / 10.0);
    let (low, high) = (at(sorted, below), at(sorted, (below + 1).min(sorted.len() - 1)));
    low + (high - low) * part
}

impl Reference {
    /// Freezes a sample of finite numbers; `None` where it is empty.
    pub(super) fn new(mut sample: Vec<f64>) -> Option<Self> {
        if sample.is_empty() {
            return None;
        }
        sample.sort_unstable_by(f64::total_cmp);
        let mut edges: Vec<f64> = (1..10).map(|tenths| quantile(&sample, tenths)).collect();
        edges.dedup();
        let count = float(sample.len());
        let mean = sample.iter().sum::<f64>() / count;
        let squares: f64 = sample.iter().map(|v| (v - mean) * (v - mean)).sum();
        Some(Self { sorted: sample, edges, deviation: (squares / count).sqrt() })
    }

    /// The share of a sorted sample in each cell `(edge before, edge]`.
    fn shares(&self, sorted: &[f64]) -> Vec<f64> {
        let mut before = 0;
        let mut shares = Vec::with_capacity(self.edges.len() + 1);
        let ends = self.edges.iter().map(|edge| sorted.partition_point(|v| v <= edge));
        for end in ends.chain([sorted.len()]) {
            shares.push(float(end - before) / float(sorted.len()));
            before = end;
        }
        shares
    }

    /// The population stability index over the deciles of the reference.
    pub(super) fn psi(&self, sorted: &[f64]) -> f64 {
        let filled = |share: f64| if share == 0.0 { EMPTY } else { share };
        let cells = self.shares(&self.sorted).into_iter().zip(self.shares(sorted));
        cells.map(|(r, c)| (filled(r), filled(c))).map(|(r, c)| (r - c) * (r / c).ln()).sum()
    }

    /// The Jensen-Shannon distance (natural logarithm) over the deciles of the reference, as
    /// `scipy.spatial.distance.jensenshannon`.
    pub(super) fn jensen_shannon(&self, sorted: &[f64]) -> f64 {
        let term = |p: f64, m: f64| if p > 0.0 { p * (p / m).ln() } else { 0.0 };
        let cells = self.shares(&self.sorted).into_iter().zip(self.shares(sorted));
        let sum: f64 = cells
            .map(|(p, q)| {
                let middle = f64::midpoint(p, q);
                term(p, middle) + term(q, middle)
            })
            .sum();
        (sum / 2.0).max(0.0).sqrt()
    }

    /// Calls `step` between each two neighbouring values of both samples with the distance of the
    /// values and of the distribution functions there.
    fn walk(&self, sorted: &[f64], mut step: impl FnMut(f64, f64)) {
        let (mut i, mut j) = (0, 0);
        while i < self.sorted.len() || j < sorted.len() {
            let here = match (self.sorted.get(i), sorted.get(j)) {
                (Some(a), Some(b)) => a.min(*b),
                (Some(a), None) => *a,
                (None, b) => b.copied().unwrap_or(f64::NAN),
            };
            while self.sorted.get(i).is_some_and(|v| *v <= here) {
                i += 1;
            }
            while sorted.get(j).is_some_and(|v| *v <= here) {
                j += 1;
            }
            let next = match (self.sorted.get(i), sorted.get(j)) {
                (Some(a), Some(b)) => a.min(*b),
                (Some(v), None) | (None, Some(v)) => *v,
                (None, None) => here,
            };
            let apart = float(i) / float(self.sorted.len()) - float(j) / float(sorted.len());
            step(next - here, apart.abs());
        }
    }

    /// The statistic of Kolmogorov and Smirnov of two samples.
    pub(super) fn ks(&self, sorted: &[f64]) -> f64 {
        let mut most = 0.0_f64;
        self.walk(sorted, |_, apart| most = most.max(apart));
        most
    }

    /// Wasserstein's distance in standard deviations (ddof 0) of the reference; none where that is 0.
    pub(super) fn wasserstein(&self, sorted: &[f64]) -> Option<f64> {
        let mut sum = 0.0;
        self.walk(sorted, |width, apart| sum += width * apart);
        (self.deviation > 0.0).then(|| sum / self.deviation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-10, "{found}, not {expected}");
    }

    /// Goldens of numpy 2.4.6 and scipy 1.17.1: `numpy.quantile`, `ks_2samp`, `jensenshannon`,
    /// `wasserstein_distance`.
    #[test]
    fn golden_values() {
        let reference = (0..60).map(|i| f64::from(i * 37 % 101) / 4.0).collect();
        let reference = Reference::new(reference).unwrap();
        for (shift, [psi, ks, js, wasserstein]) in [
            (
                0.0,
                [
                    0.460_059_786_260_255_2,
                    0.272_222_222_222_222_2,
                    0.233_791_259_521_552_39,
                    0.639_186_257_820_587_8,
                ],
            ),
            (40.0, [8.283_089_355_027_482, 1.0, 0.724_980_914_933_534_2, 6.128_272_101_742_541]),
        ] {
            let current = (0..45).map(|i| f64::from(i * 53 % 97) / 3.0 + 2.0 + shift);
            let mut current: Vec<f64> = current.collect();
            current.sort_unstable_by(f64::total_cmp);
            close(reference.psi(&current), psi);
            close(reference.ks(&current), ks);
            close(reference.jensen_shannon(&current), js);
            close(reference.wasserstein(&current).unwrap(), wasserstein);
        }
    }

    #[test]
    fn a_sample_does_not_drift_from_itself() {
        let sample: Vec<f64> = (0..100).map(|i| f64::from(i * 7 % 31)).collect();
        let reference = Reference::new(sample.clone()).unwrap();
        let mut sorted = sample;
        sorted.sort_unstable_by(f64::total_cmp);
        close(reference.psi(&sorted), 0.0);
        close(reference.ks(&sorted), 0.0);
        close(reference.jensen_shannon(&sorted), 0.0);
        close(reference.wasserstein(&sorted).unwrap(), 0.0);
        assert!(Reference::new(vec![]).is_none());
        assert_eq!(Reference::new(vec![2.0, 2.0]).unwrap().wasserstein(&[1.0]), None);
    }
}
