//! The model that judges how useful synthetic rows are: gradient-boosted trees over binned columns
//! (Friedman 2001; second-order splits as in `XGBoost`; categories are split in the order of their
//! gradients, Fisher 1958). It is small and deterministic, takes numbers, categories and missing
//! values as they are, and needs no tuning, which is what a comparison of two training sets needs.

use super::table::{Table, Values};

/// Bins of a column; 0 is for missing values. A set of bins is a word.
const BINS: usize = 64;
const ROUNDS: usize = 60;
const DEPTH: usize = 3;
const RATE: f64 = 0.2;
/// Keeps leaves of few rows small.
const RIDGE: f64 = 1.0;
const LEAST_ROWS: u32 = 10;

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// A number.
    Squares,
    /// The log-odds of 1 against 0.
    Logistic,
}

/// How values of a column become bins.
enum Bins {
    /// Upper ends of the bins, by the quantiles of the training rows.
    Numbers(Vec<f64>),
    /// By number of the category; rare ones share the last bin.
    Categories(Vec<u8>),
}

const LAST: u8 = 63;

impl Bins {
    fn new(values: &Values) -> Self {
        match values {
            Values::Numbers(values) => {
                let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
                sorted.sort_unstable_by(f64::total_cmp);
                let at = |n: usize| sorted.get(n * sorted.len() / (BINS - 1)).copied();
                let mut ends: Vec<f64> = (1..BINS - 1).filter_map(at).collect();
                ends.dedup();
                Self::Numbers(ends)
            }
            Values::Categories(codes) => {
                let counts = super::shapes::counts(codes);
                let mut order: Vec<usize> = (1..counts.len()).collect();
                order.sort_by_key(|n| std::cmp::Reverse(counts.get(*n).copied()));
                let mut bins = vec![LAST; counts.len().max(1)];
                if let Some(missing) = bins.first_mut() {
                    *missing = 0;
                }
                for (bin, code) in (1..LAST).zip(order) {
                    bins.get_mut(code).into_iter().for_each(|b| *b = bin);
                }
                Self::Categories(bins)
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "at most 62 ends")]
    fn of(&self, values: &Values) -> Vec<u8> {
        match (self, values) {
            (Self::Numbers(ends), Values::Numbers(values)) => {
                let bin = |v: &f64| {
                    if v.is_nan() { 0 } else { ends.partition_point(|end| end < v) as u8 + 1 }
                };
                values.iter().map(bin).collect()
            }
            (Self::Categories(bins), Values::Categories(codes)) => {
                codes.iter().map(|c| bins.get(*c as usize).copied().unwrap_or(LAST)).collect()
            }
            _ => vec![0; values.len()],
        }
    }
}

/// How the columns of a training set become bins, without the column that is predicted.
pub(super) struct Binning {
    columns: Vec<Option<Bins>>,
}

/// Binned rows.
pub(super) struct Features {
    columns: Vec<Vec<u8>>,
    categories: Vec<bool>,
    rows: usize,
}

impl Binning {
    pub(super) fn new(training: &Table, target: Option<usize>) -> Self {
        let columns = training.columns.iter().enumerate();
        let bins = |(n, values): (usize, &Values)| (Some(n) != target).then(|| Bins::new(values));
        Self { columns: columns.map(bins).collect() }
    }

    pub(super) fn of(&self, table: &Table) -> Features {
        let used = || self.columns.iter().zip(&table.columns);
        let columns = used().filter_map(|(bins, values)| Some(bins.as_ref()?.of(values)));
        let category =
            |(bins, _): (&Option<Bins>, _)| bins.as_ref().map(|b| matches!(b, Bins::Categories(_)));
        Features {
            columns: columns.collect(),
            categories: used().filter_map(category).collect(),
            rows: table.rows,
        }
    }
}

enum Node {
    Leaf(f64),
    /// Rows whose bin is in the set go left, to the next node; others to the node `right`.
    Split {
        feature: usize,
        left: u64,
        right: usize,
    },
}

/// A fitted model.
pub(super) struct Model {
    base: f64,
    loss: Loss,
    trees: Vec<Vec<Node>>,
}

/// Sums of a bin: gradients, curvatures, rows.
#[derive(Debug, Clone, Copy, Default)]
struct Sums(f64, f64, u32);

impl Sums {
    const fn add(&mut self, other: Self) {
        self.0 += other.0;
        self.1 += other.1;
        self.2 += other.2;
    }

    fn less(self, other: Self) -> Self {
        Self(self.0 - other.0, self.1 - other.1, self.2 - other.2)
    }

    fn gain(self) -> f64 {
        self.0 * self.0 / (self.1 + RIDGE)
    }

    fn leaf(self) -> f64 {
        -RATE * self.0 / (self.1 + RIDGE)
    }
}

fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

impl Model {
    /// Fits `target` (0 and 1 for [`Loss::Logistic`]).
    pub(super) fn fit(features: &Features, target: &[f64], loss: Loss) -> Self {
        let mean = target.iter().sum::<f64>() / (target.len().max(1) as f64);
        let base = match loss {
            Loss::Squares => mean,
            Loss::Logistic => {
                let share = mean.clamp(1e-6, 1.0 - 1e-6);
                (share / (1.0 - share)).ln()
            }
        };
        let mut model = Self { base, loss, trees: Vec::with_capacity(ROUNDS) };
        let mut scores = vec![base; features.rows];
        for _ in 0..ROUNDS {
            let slope = |(score, y): (&f64, &f64)| match loss {
                Loss::Squares => Sums(score - y, 1.0, 1),
                Loss::Logistic => {
                    let p = sigmoid(*score);
                    Sums(p - y, (p * (1.0 - p)).max(1e-9), 1)
                }
            };
            let slopes: Vec<Sums> = scores.iter().zip(target).map(slope).collect();
            let mut tree = Vec::new();
            grow(&mut tree, features, &slopes, (0..slopes.len()).collect(), DEPTH);
            for (row, score) in scores.iter_mut().enumerate() {
                *score += answer(&tree, features, row);
            }
            model.trees.push(tree);
        }
        model
    }

    /// Predicted numbers, or chances of 1.
    pub(super) fn predict(&self, features: &Features) -> Vec<f64> {
        let score = |row: usize| {
            self.trees.iter().fold(self.base, |sum, tree| sum + answer(tree, features, row))
        };
        let scores = (0..features.rows).map(score);
        match self.loss {
            Loss::Squares => scores.collect(),
            Loss::Logistic => scores.map(sigmoid).collect(),
        }
    }
}

fn bin(features: &Features, feature: usize, row: usize) -> usize {
    let column = features.columns.get(feature).map_or(&[][..], Vec::as_slice);
    column.get(row).map_or(0, |bin| usize::from(*bin))
}

fn answer(tree: &[Node], features: &Features, row: usize) -> f64 {
    let mut at = 0;
    loop {
        match tree.get(at) {
            Some(Node::Split { feature, left, right }) => {
                at = if left >> bin(features, *feature, row) & 1 == 1 { at + 1 } else { *right };
            }
            Some(Node::Leaf(value)) => return *value,
            None => return 0.0,
        }
    }
}

fn grow(
    tree: &mut Vec<Node>,
    features: &Features,
    slopes: &[Sums],
    rows: Vec<usize>,
    depth: usize,
) {
    let mut all = Sums::default();
    rows.iter().filter_map(|row| slopes.get(*row)).for_each(|s| all.add(*s));
    let split = (depth > 0).then(|| best(features, slopes, &rows, all)).flatten();
    let Some((feature, left)) = split else {
        tree.push(Node::Leaf(all.leaf()));
        return;
    };
    let (to_left, to_right): (Vec<usize>, Vec<usize>) =
        rows.into_iter().partition(|row| left >> bin(features, feature, *row) & 1 == 1);
    let place = tree.len();
    tree.push(Node::Split { feature, left, right: 0 });
    grow(tree, features, slopes, to_left, depth - 1);
    let after = tree.len();
    if let Some(Node::Split { right, .. }) = tree.get_mut(place) {
        *right = after;
    }
    grow(tree, features, slopes, to_right, depth - 1);
}

/// The feature and the set of bins on the left that gain most; the first of equals.
fn best(features: &Features, slopes: &[Sums], rows: &[usize], all: Sums) -> Option<(usize, u64)> {
    let mut found = None;
    let mut most = all.gain() + 1e-6;
    for (feature, (column, category)) in
        features.columns.iter().zip(&features.categories).enumerate()
    {
        let sums = by_bin(column, slopes, rows);
        let mut order: Vec<usize> = (0..BINS).filter(|b| filled(&sums, *b)).collect();
        if *category {
            let pull = |b: &usize| sums.get(*b).map_or(0.0, |s| s.0 / (s.1 + RIDGE));
            order.sort_by(|a, b| pull(a).total_cmp(&pull(b)));
        }
        let (mut left, mut set) = (Sums::default(), 0_u64);
        for at in order {
            sums.get(at).into_iter().for_each(|s| left.add(*s));
            set |= 1 << at;
            let right = all.less(left);
            let gain = left.gain() + right.gain();
            if left.2 >= LEAST_ROWS && right.2 >= LEAST_ROWS && gain > most {
                most = gain;
                found = Some((feature, set));
            }
        }
    }
    found
}

fn filled(sums: &[Sums; BINS], bin: usize) -> bool {
    sums.get(bin).is_some_and(|s| s.2 > 0)
}

#[expect(clippy::indexing_slicing, reason = "bins are below 64; this loop takes most of the time")]
fn by_bin(column: &[u8], slopes: &[Sums], rows: &[usize]) -> [Sums; BINS] {
    let mut sums = [Sums::default(); BINS];
    for row in rows {
        sums[usize::from(column[*row] & LAST)].add(slopes[*row]);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::super::ranking::auc;
    use super::*;

    /// An exclusive or of a number and a category, which no linear model learns.
    fn table(rows: u32) -> Table {
        let number = |n: u32| f64::from(n.wrapping_mul(2_654_435_761) >> 8 & 0xFF);
        let category = |n: u32| n % 5 + 1;
        let target = |n: u32| {
            let both = (number(n) > 100.0) != (category(n) == 2 || category(n) == 4);
            f64::from(both)
        };
        let columns = vec![
            Values::Numbers((0..rows).map(number).collect()),
            Values::Categories((0..rows).map(category).collect()),
            Values::Numbers((0..rows).map(target).collect()),
        ];
        Table { columns, rows: rows as usize }
    }

    #[test]
    fn trees_learn_an_exclusive_or() {
        let (training, test) = table(4000).split(0.25, 1, "split");
        let binning = Binning::new(&training, Some(2));
        let Values::Numbers(target) = &training.columns[2] else { panic!("numbers") };
        let Values::Numbers(truth) = &test.columns[2] else { panic!("numbers") };
        for loss in [Loss::Logistic, Loss::Squares] {
            let model = Model::fit(&binning.of(&training), target, loss);
            let scores = model.predict(&binning.of(&test));
            let of = |class: f64| -> Vec<f64> {
                scores.iter().zip(truth).filter(|(_, y)| **y == class).map(|(s, _)| *s).collect()
            };
            let auc = auc(&of(1.0), &of(0.0)).unwrap();
            assert!(auc > 0.98, "{auc}");
        }
    }
}
