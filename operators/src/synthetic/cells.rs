//! Numbers in cells: fine ones that hold about the same share of a reference each, so that counts of
//! them are the column's distribution to a fraction of a percent, and bins of cells for tables of
//! pairs. Cells stay as they are once they are frozen, which makes counts mergeable.

/// About how many cells a column has.
const FINE: usize = 512;
/// Cells beyond the reference on each side, each twice as wide as the one before.
const GUARDS: i32 = 12;

/// Cells `(edge before, edge]`; the first and the last have no end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cells {
    /// Upper edges of all cells but the last.
    pub(crate) edges: Vec<f64>,
    /// Bin of each cell.
    pub(crate) bins: Vec<u16>,
}

impl Cells {
    /// Cells for the numbers of a reference, and at most `most` bins of them.
    pub(crate) fn freeze(mut reference: Vec<f64>, most: usize) -> Self {
        reference.retain(|v| v.is_finite());
        reference.sort_unstable_by(f64::total_cmp);
        let runs = runs(&reference);
        let (coarse, mut fine) = if runs.len() <= most {
            let each = atoms(runs.iter().map(|(value, _)| *value));
            (runs.iter().map(|(value, _)| *value).collect(), each)
        } else {
            let coarse = coarse(&reference, &runs, most);
            let least = (reference.len() / FINE).max(2);
            let often = runs.iter().filter(|(_, times)| *times >= least).map(|(value, _)| *value);
            let mut fine = atoms(often);
            fine.extend(quantiles(&reference, FINE));
            fine.extend(&coarse);
            (coarse, fine)
        };
        let (Some(first), Some(last)) = (reference.first().copied(), reference.last().copied())
        else {
            return Self { edges: Vec::new(), bins: vec![0] };
        };
        let span = if last > first { last - first } else { first.abs().max(1.0) };
        for guard in 0..GUARDS {
            let away = span * 2_f64.powi(guard - 4);
            fine.extend([first.next_down() - away, last + away]);
        }
        fine.extend([first.next_down(), last]);
        fine.retain(|edge| edge.is_finite());
        fine.sort_unstable_by(f64::total_cmp);
        fine.dedup();
        Self::with(fine, coarse)
    }

    /// Bins end at the edges `coarse`; what is above the last of them is in the last bin.
    fn with(edges: Vec<f64>, mut coarse: Vec<f64>) -> Self {
        coarse.sort_unstable_by(f64::total_cmp);
        coarse.dedup();
        coarse.pop();
        let bin = |edge: &f64| coarse.partition_point(|c| c < edge) as u16;
        let last = coarse.len() as u16;
        let bins = edges.iter().map(bin).chain([last]).collect();
        Self { edges, bins }
    }

    /// How many bins there are.
    pub(crate) fn bin_count(&self) -> usize {
        self.bins.last().map_or(1, |last| usize::from(*last) + 1)
    }

    /// The cell of a number.
    #[inline]
    pub(crate) fn cell(&self, value: f64) -> usize {
        self.edges.partition_point(|edge| *edge < value)
    }
}

/// Values with how often each comes.
fn runs(sorted: &[f64]) -> Vec<(f64, usize)> {
    sorted
        .chunk_by(|a, b| a == b)
        .filter_map(|run| run.first().map(|value| (*value, run.len())))
        .collect()
}

/// Edges that make a cell of its own for each value.
fn atoms(values: impl Iterator<Item = f64>) -> Vec<f64> {
    values.flat_map(|value| [value.next_down(), value]).collect()
}

fn quantiles(sorted: &[f64], parts: usize) -> impl Iterator<Item = f64> {
    (1..=parts).filter_map(move |part| {
        let rank = (part * sorted.len()).div_ceil(parts);
        sorted.get(rank.saturating_sub(1)).copied()
    })
}

/// Upper edges of at most `most` bins: values that alone would fill a bin have one, the others
/// share the rest.
fn coarse(sorted: &[f64], runs: &[(f64, usize)], most: usize) -> Vec<f64> {
    let full = sorted.len() / most.max(1);
    let mut heavy: Vec<&(f64, usize)> = runs.iter().filter(|(_, times)| *times > full).collect();
    heavy.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.total_cmp(&b.0)));
    heavy.truncate(most / 4);
    let is_heavy = |value: f64| heavy.iter().any(|(v, _)| *v == value);
    let light: Vec<f64> = sorted.iter().copied().filter(|v| !is_heavy(*v)).collect();
    let mut edges = atoms(heavy.iter().map(|(value, _)| *value));
    let left = most.saturating_sub(edges.len() + 1).max(1);
    edges.extend(quantiles(&light, left));
    edges.extend(sorted.last());
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_a_bin_each() {
        let cells = Cells::freeze(vec![3.0, 1.0, 1.0, 7.0], 32);
        assert_eq!(cells.bin_count(), 3);
        let bin = |x: f64| cells.bins[cells.cell(x)];
        assert_eq!([1.0, 3.0, 7.0].map(bin), [0, 1, 2]);
        // What was never seen goes to a neighbour.
        assert_eq!([-5.0, 2.0, 9e9].map(bin), [0, 1, 2]);
    }

    #[test]
    fn cells_hold_like_shares_and_bins_are_made_of_cells() {
        let values: Vec<f64> = (0..100_000).map(|i| (f64::from(i) / 1000.0).exp()).collect();
        let cells = Cells::freeze(values.clone(), 32);
        assert!((30..=32).contains(&cells.bin_count()), "{}", cells.bin_count());
        let mut counts = vec![0; cells.edges.len() + 1];
        let mut bins = vec![0; cells.bin_count()];
        for value in &values {
            let cell = cells.cell(*value);
            counts[cell] += 1;
            bins[usize::from(cells.bins[cell])] += 1;
            assert!(cell == 0 || cells.edges[cell - 1] < *value);
            assert!(cell == cells.edges.len() || *value <= cells.edges[cell]);
        }
        assert!(*counts.iter().max().unwrap() <= 200);
        assert!(*bins.iter().min().unwrap() > 2000, "{bins:?}");
        assert!(cells.bins.is_sorted());
    }

    #[test]
    fn a_value_that_comes_often_has_a_cell_and_a_bin() {
        let values: Vec<f64> =
            (0..10_000).map(|i| if i % 2 == 0 { 0.0 } else { f64::from(i) - 5000.5 }).collect();
        let cells = Cells::freeze(values, 16);
        let zero = cells.cell(0.0);
        assert_ne!(cells.cell(0.0_f64.next_up()), zero);
        assert_ne!(cells.cell(0.0_f64.next_down()), zero);
        assert_ne!(cells.bins[cells.cell(-1.5)], cells.bins[zero]);
        assert!(cells.bin_count() <= 16);
    }

    #[test]
    fn without_a_number_there_is_one_cell() {
        let cells = Cells::freeze(vec![f64::NAN], 32);
        assert_eq!((cells.cell(5.0), cells.bin_count()), (0, 1));
    }
}
