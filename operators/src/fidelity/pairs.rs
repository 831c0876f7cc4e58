//! How alike the dependence of two columns is on both sides: `CorrelationSimilarity` and
//! `ContingencySimilarity` as the quality report of `SDMetrics` 0.32.0 uses them.

use serde::Serialize;

use super::table::Values;

/// Number of cells that continuous columns are cut into beside a categorical one.
const CELLS: usize = 10;

/// How alike a pair of columns is. Where a score cannot be had (a constant column), it is null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairScore {
    /// Name of the first column.
    pub first: String,
    /// Name of the second column.
    pub second: String,
    /// `CorrelationSimilarity` or `ContingencySimilarity`.
    pub metric: &'static str,
    /// 1 where both sides depend alike. `SDMetrics` gives no score to a pair that does not count.
    pub score: Option<f64>,
    /// Whether the real columns depend enough on each other for the pair to count.
    pub counts: bool,
    /// Correlation by Pearson, or Cramer's V, of the real columns.
    pub real: Option<f64>,
    /// The same of the synthetic columns.
    pub synthetic: Option<f64>,
    /// For a number beside a category: the standalone `ContingencySimilarity`, which cuts both
    /// sides at the edges of the real values. The report of `SDMetrics`, and `score`, cut each
    /// side at its own edges.
    pub score_at_real_edges: Option<f64>,
}

/// A column as pairs need it.
pub(super) enum Side<'a> {
    /// Numbers with their cells, by own edges.
    Continuous { values: &'a [f64], cells: Option<Vec<u32>> },
    /// Categories, 0 for missing ones.
    Discrete(&'a [u32]),
}

/// The 11 edges of 10 cells of equal width, as `numpy.histogram_bin_edges` has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edges([f64; CELLS + 1]);

impl Edges {
    /// `None` where a value is not finite. Without a value, from 0 to 1.
    pub(super) fn new(values: &[f64], single: bool) -> Option<Self> {
        let present = || values.iter().copied().filter(|v| !v.is_nan());
        let low = present().reduce(f64::min).unwrap_or(0.0);
        let high = present().reduce(f64::max).unwrap_or(1.0);
        if !(low.is_finite() && high.is_finite()) {
            return None;
        }
        let (low, high) = if low < high { (low, high) } else { (low - 0.5, high + 0.5) };
        let mut edges = [high; CELLS + 1];
        for (number, edge) in (0_u8..).zip(edges.iter_mut().take(CELLS)) {
            #[expect(clippy::cast_possible_truncation, reason = "the column is of that precision")]
            let single_edge = || {
                let (low, high) = (low as f32, high as f32);
                f64::from(f32::from(number) * ((high - low) / CELLS as f32) + low)
            };
            let double_edge = || f64::from(number) * ((high - low) / CELLS as f64) + low;
            *edge = if single { single_edge() } else { double_edge() };
        }
        Some(Self(edges))
    }

    /// The same, without ends.
    pub(super) fn endless(mut self) -> Self {
        let [first, .., last] = &mut self.0;
        (*first, *last) = (f64::NEG_INFINITY, f64::INFINITY);
        self
    }

    /// `numpy.digitize`: how many edges are not above the value; a missing value is above all.
    pub(super) fn cells(&self, values: &[f64]) -> Vec<u32> {
        let cell = |v: &f64| {
            let edges = if v.is_nan() { CELLS + 1 } else { self.0.partition_point(|e| e <= v) };
            u32::try_from(edges).unwrap_or(0)
        };
        values.iter().map(cell).collect()
    }
}

impl<'a> Side<'a> {
    pub(super) fn new(values: &'a Values, single: bool) -> Self {
        match values {
            Values::Categories(codes) => Self::Discrete(codes),
            Values::Numbers(values) => {
                let cells = Edges::new(values, single).map(|edges| edges.cells(values));
                Self::Continuous { values, cells }
            }
        }
    }

    /// The codes for a table of counts.
    pub(super) fn codes(&self) -> Option<&[u32]> {
        match self {
            Self::Continuous { cells, .. } => cells.as_deref(),
            Self::Discrete(codes) => Some(codes),
        }
    }
}

/// The correlation by Pearson over the rows that have both values; `None` where a column is
/// constant.
pub(super) fn correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    // The whole column decides whether it is constant, as in `SDMetrics`.
    if is_constant(x) || is_constant(y) {
        return None;
    }
    let rows = || x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan());
    let count = rows().count();
    if count < 2 {
        return None;
    }
    let (sx, sy) = rows().fold((0.0, 0.0), |(sx, sy), (x, y)| (sx + x, sy + y));
    let (mx, my) = (sx / count as f64, sy / count as f64);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in rows() {
        let (dx, dy) = (x - mx, y - my);
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    let r = xy / (xx.sqrt() * yy.sqrt());
    (xx > 0.0 && yy > 0.0 && r.is_finite()).then(|| r.clamp(-1.0, 1.0))
}

fn is_constant(values: &[f64]) -> bool {
    let mut present = values.iter().filter(|v| !v.is_nan());
    let Some(first) = present.next() else {
        return false;
    };
    present.all(|v| v == first)
}

/// A table of counts of two discrete columns: the cells that are not empty, in order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Contingency {
    cells: Vec<((u32, u32), u32)>,
    rows: usize,
}

/// Tables of at most this many cells are counted in place.
const DENSE: usize = 1 << 20;

impl Contingency {
    pub(super) fn new(a: &[u32], b: &[u32]) -> Self {
        let width = |codes: &[u32]| codes.iter().max().map_or(0, |c| *c as usize + 1);
        let (rows, columns) = (width(a), width(b));
        let cells = if rows.saturating_mul(columns) <= DENSE {
            Self::dense(a, b, (rows, columns))
        } else {
            Self::sparse(a, b)
        };
        Self { cells, rows: a.len() }
    }

    #[expect(clippy::cast_possible_truncation, reason = "places below 2^20")]
    fn dense(a: &[u32], b: &[u32], (rows, columns): (usize, usize)) -> Vec<((u32, u32), u32)> {
        let mut counts = vec![0_u32; rows * columns];
        for (a, b) in a.iter().zip(b) {
            if let Some(count) = counts.get_mut(*a as usize * columns + *b as usize) {
                *count += 1;
            }
        }
        let full = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
        full.map(|(at, count)| (((at / columns) as u32, (at % columns) as u32), count)).collect()
    }

    fn sparse(a: &[u32], b: &[u32]) -> Vec<((u32, u32), u32)> {
        let mut keys: Vec<(u32, u32)> = a.iter().copied().zip(b.iter().copied()).collect();
        keys.sort_unstable();
        let runs = keys.chunk_by(|one, two| one == two);
        runs.filter_map(|run| Some((*run.first()?, u32::try_from(run.len()).ok()?))).collect()
    }

    /// 1 less half the sum of the distances of the shares of each cell.
    pub(super) fn similarity(&self, other: &Self) -> Option<f64> {
        if self.rows == 0 || other.rows == 0 {
            return None;
        }
        let (mut left, mut right) = (self.cells.iter().peekable(), other.cells.iter().peekable());
        let (n, m) = (self.rows as f64, other.rows as f64);
        let mut distance = 0.0;
        loop {
            let (place, of_left) = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some((l, _)), None) => (*l, true),
                (None, Some((r, _))) => (*r, false),
                (Some((l, _)), Some((r, _))) => (*l.min(r), l <= r),
            };
            let l = if of_left { left.next().map_or(0, |(_, count)| *count) } else { 0 };
            let r = right.next_if(|(at, _)| *at == place).map_or(0, |(_, count)| *count);
            distance += (f64::from(l) / n - f64::from(r) / m).abs();
        }
        Some(1.0 - distance / 2.0)
    }

    /// Cramer's V without correction; `None` where a column has less than two values.
    pub(super) fn cramers_v(&self) -> Option<f64> {
        let size = |of: fn(&(u32, u32)) -> u32| {
            self.cells.iter().map(|(at, _)| of(at) as usize + 1).max().unwrap_or(0)
        };
        let mut by_row = vec![0_u64; size(|at| at.0)];
        let mut by_column = vec![0_u64; size(|at| at.1)];
        let add = |sums: &mut Vec<u64>, at: u32, count: u32| {
            sums.get_mut(at as usize).into_iter().for_each(|sum| *sum += u64::from(count));
        };
        for ((row, column), count) in &self.cells {
            add(&mut by_row, *row, *count);
            add(&mut by_column, *column, *count);
        }
        let used = |sums: &[u64]| sums.iter().filter(|sum| **sum > 0).count();
        let least = used(&by_row).min(used(&by_column));
        if least < 2 {
            return None;
        }
        // chi^2 / n = sum o^2 / (row sum * column sum) - 1; empty cells add nothing.
        let at = |sums: &[u64], n: u32| sums.get(n as usize).copied().unwrap_or(1) as f64;
        let term = |((row, column), count): &((u32, u32), u32)| {
            f64::from(*count).powi(2) / (at(&by_row, *row) * at(&by_column, *column))
        };
        let phi: f64 = self.cells.iter().map(term).sum::<f64>() - 1.0;
        Some((phi.max(0.0) / (least - 1) as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goldens_of_sdmetrics() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let r = correlation(&x, &[2.0, 1.0, 4.0, 3.0, 6.0, 5.0]).unwrap();
        let s = correlation(&x, &[6.0, 5.0, 4.0, 3.0, 2.0, 1.0]).unwrap();
        assert!((1.0 - (r - s).abs() / 2.0 - 0.085_714_285_714).abs() < 1e-11);
        let real = Contingency::new(&[1, 1, 2, 2], &[1, 2, 1, 2]);
        let synthetic = Contingency::new(&[1, 1, 1, 2], &[1, 1, 1, 2]);
        assert_eq!(real.similarity(&synthetic), Some(0.5));
        assert_eq!(correlation(&x, &[1.0; 6]), None);
    }

    #[test]
    fn cramers_v_is_that_of_scipy() {
        // The documented example of scipy.stats.contingency.association.
        let counts = [[100, 150], [203, 322], [420, 700], [320, 210]];
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for (row, of_row) in counts.iter().enumerate() {
            for (column, count) in of_row.iter().enumerate() {
                a.extend(std::iter::repeat_n(row as u32, *count));
                b.extend(std::iter::repeat_n(column as u32, *count));
            }
        }
        let v = Contingency::new(&a, &b).cramers_v().unwrap();
        assert!((v - 0.186_178_130_774_836_78).abs() < 1e-12, "{v}");
        assert_eq!(Contingency::sparse(&a, &b), Contingency::new(&a, &b).cells);
        assert_eq!(Contingency::new(&[1, 1], &[1, 2]).cramers_v(), None);
    }

    #[test]
    fn cells_are_those_of_numpy() {
        let values = [0.0, 0.1, 9.99, 10.0, f64::NAN];
        let edges = Edges::new(&values, false).unwrap();
        assert_eq!(edges.cells(&values), [1, 1, 10, 11, 11]);
        assert_eq!(edges.endless().cells(&[-5.0, 99.0, f64::NAN]), [1, 10, 11]);
        assert_eq!(Edges::new(&[3.0, 3.0], false).unwrap().0[0], 2.5);
        assert_eq!(Edges::new(&[f64::INFINITY], false), None);
    }
}
