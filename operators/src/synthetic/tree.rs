//! The tree of strongest dependence (C. Chow and C. Liu, "Approximating discrete probability
//! distributions with dependence trees", 1968): a greatest spanning tree over mutual information.
#![expect(clippy::indexing_slicing, reason = "kernels over tables whose sizes are made here")]

use super::tally::pairs;

/// A table of pairs of bins, row by row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table<'a> {
    pub(crate) weights: &'a [f64],
    pub(crate) wide: usize,
}

impl Table<'_> {
    /// Sums of rows and of columns.
    fn margins(self) -> (Vec<f64>, Vec<f64>) {
        let mut columns = vec![0.0; self.wide];
        let mut rows = Vec::with_capacity(self.weights.len() / self.wide.max(1));
        for row in self.weights.chunks_exact(self.wide) {
            rows.push(row.iter().sum());
            columns.iter_mut().zip(row).for_each(|(sum, weight)| *sum += weight);
        }
        (rows, columns)
    }

    /// Mutual information in nats, less what chance alone gives tables of this size: (r - 1)(c - 1)
    /// / 2n of the rows and columns in use (G. Miller, "Note on the bias of information estimates",
    /// 1955); and the standard deviation of that, for 2n times it is distributed as chi-square.
    pub(crate) fn information(self) -> (f64, f64) {
        let (rows, columns) = self.margins();
        let total: f64 = rows.iter().sum();
        if total <= 0.0 {
            return (0.0, 0.0);
        }
        let mut sum = 0.0;
        for (row, weights) in rows.iter().zip(self.weights.chunks_exact(self.wide)) {
            for (column, weight) in columns.iter().zip(weights) {
                if *weight > 0.0 {
                    sum += weight * (weight * total / (row * column)).ln();
                }
            }
        }
        let used = |all: &[f64]| all.iter().filter(|w| **w > 0.0).count().max(1) as f64 - 1.0;
        let free = used(&rows) * used(&columns);
        (sum / total - free / (2.0 * total), (2.0 * free).sqrt() / (2.0 * total))
    }
}

/// Standard deviations from which on dependence is taken for one.
const SURE: f64 = 4.0;

/// An edge of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Branch {
    pub(crate) parent: usize,
    pub(crate) child: usize,
}

/// The edges of the tree over columns of these widths; columns that depend on none have none. Each
/// edge comes after that of its parent.
pub(crate) fn chow_liu(widths: &[usize], tables: &[f64]) -> Vec<Branch> {
    let mut edges: Vec<(f64, usize, usize)> = pairs(widths)
        .into_iter()
        .map(|(i, j, at)| {
            let weights = &tables[at..at + widths[i] * widths[j]];
            let (information, chance) = Table { weights, wide: widths[j] }.information();
            (information, i, j, information > SURE * chance)
        })
        .filter_map(|(information, i, j, sure)| sure.then_some((information, i, j)))
        .collect();
    edges.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut groups: Vec<usize> = (0..widths.len()).collect();
    let mut neighbours = vec![Vec::new(); widths.len()];
    for (_, i, j) in edges {
        let (keep, gone) = (groups[i], groups[j]);
        if keep != gone {
            groups.iter_mut().filter(|g| **g == gone).for_each(|g| *g = keep);
            neighbours[i].push(j);
            neighbours[j].push(i);
        }
    }
    let mut seen = vec![false; widths.len()];
    let mut branches = Vec::new();
    for root in 0..widths.len() {
        let mut waiting = vec![root];
        while let Some(parent) = waiting.pop() {
            if std::mem::replace(&mut seen[parent], true) {
                continue;
            }
            for child in neighbours[parent].iter().copied().filter(|c| !seen[*c]) {
                branches.push(Branch { parent, child });
                waiting.push(child);
            }
        }
    }
    branches
}

/// The table of a pair with `parent` in its rows.
pub(crate) fn table(widths: &[usize], tables: &[f64], branch: Branch) -> Vec<Vec<f64>> {
    let Branch { parent, child } = branch;
    let (i, j) = (parent.min(child), parent.max(child));
    let at = pairs(widths).into_iter().find(|(a, b, _)| (*a, *b) == (i, j)).map_or(0, |p| p.2);
    let weights = &tables[at..at + widths[i] * widths[j]];
    let cell = |p: usize, c: usize| {
        let (row, column) = if parent == i { (p, c) } else { (c, p) };
        weights[row * widths[j] + column]
    };
    (0..widths[parent]).map(|p| (0..widths[child]).map(|c| cell(p, c)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn information_is_that_of_the_table() {
        // Two columns that are the same: ln 2, less 1 / 2n.
        let same = Table { weights: &[50.0, 0.0, 0.0, 50.0], wide: 2 };
        assert!((same.information().0 - (2_f64.ln() - 0.005)).abs() < 1e-12);
        let apart = Table { weights: &[25.0, 25.0, 25.0, 25.0], wide: 2 };
        assert!(apart.information().0 < 0.0);
        // sklearn.metrics.mutual_info_score of [[30, 10], [20, 40]] is 0.08630462173553426.
        let some = Table { weights: &[30.0, 10.0, 20.0, 40.0], wide: 2 };
        assert!((some.information().0 + 0.005 - 0.086_304_621_735_534_26).abs() < 1e-12);
    }

    #[test]
    fn the_tree_follows_the_chain_that_made_the_rows() {
        // a -> b -> c, and d alone: each follows the one before in nine of ten rows.
        let widths = [2, 2, 2, 2];
        let mut tables = vec![0.0; 24];
        let same = |p: f64| [p, 1.0 - p, 1.0 - p, p].map(|w| w * 5000.0);
        let of = |pair: (usize, usize)| match pair {
            (0, 1) | (1, 2) => same(0.9),
            (0, 2) => same(0.82),
            _ => same(0.5),
        };
        for (i, j, at) in pairs(&widths) {
            tables[at..at + 4].copy_from_slice(&of((i, j)));
        }
        let tree = chow_liu(&widths, &tables);
        assert_eq!(tree, [Branch { parent: 0, child: 1 }, Branch { parent: 1, child: 2 }]);
        let table = table(&widths, &tables, Branch { parent: 1, child: 0 });
        assert!((table[1][0] - 500.0).abs() < 1e-6 && table[1][1] == 4500.0);
    }
}
