//! Whether synthetic rows can stand in for real ones: train on synthetic, test on real, and whether
//! a model can tell the two apart.

use serde::Serialize;

use super::boosting::{Binning, Features, Loss, Model};
use super::design::Design;
use super::quality::mean;
use super::ranking::auc;
use super::table::{Table, Values};

/// More classes than this are not predicted one against the rest.
const MOST_CLASSES: usize = 20;
/// At most this many rows of a side are trained on and tested with.
const MOST_ROWS: usize = 50_000;

/// How well a target is predicted from the other columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Utility {
    /// The column that is predicted.
    pub target: String,
    /// `auc` (area under the ROC curve; the mean over classes, each against the rest) or `r2`.
    pub metric: &'static str,
    /// The model, in words.
    pub model: &'static str,
    /// Trained on real rows, tested on other real rows.
    pub real_on_real: Option<f64>,
    /// Trained on synthetic rows, tested on the same real rows.
    pub synthetic_on_real: Option<f64>,
    /// Trained on real rows, tested on synthetic ones.
    pub real_on_synthetic: Option<f64>,
    /// `synthetic_on_real` / `real_on_real`; of an area, of what lies above 0.5. Null where the real
    /// rows do not predict either.
    pub ratio: Option<f64>,
    /// `real_on_real` - `synthetic_on_real`.
    pub drop: Option<f64>,
    /// Rows: real ones trained on, synthetic ones trained on, real ones tested with.
    pub rows: [usize; 3],
}

/// How well synthetic rows are told from real ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Detection {
    /// The area under the ROC curve on rows that were not trained on; 0.5 where nothing tells them
    /// apart, 1 where each row gives itself away.
    pub auc: Option<f64>,
    /// The model, in words.
    pub model: &'static str,
    /// Rows of each side.
    pub rows: usize,
}

const MODEL: &str = "60 gradient-boosted trees of depth 3";

/// What of the target is predicted.
enum Goal {
    Number,
    /// The values, as a number or the number of a category.
    Classes(Vec<f64>),
}

fn as_numbers(values: &Values) -> Vec<f64> {
    match values {
        Values::Numbers(values) => values.clone(),
        Values::Categories(codes) => {
            codes.iter().map(|c| if *c == 0 { f64::NAN } else { f64::from(*c) }).collect()
        }
    }
}

impl Goal {
    /// `None` where the column has one value, or too many categories.
    fn new(values: &Values) -> Option<Self> {
        let mut found = as_numbers(values);
        found.retain(|v| !v.is_nan());
        found.sort_unstable_by(f64::total_cmp);
        found.dedup();
        match (values, found.len()) {
            (_, 0 | 1) => None,
            (_, 2) => Some(Self::Classes(found)),
            (Values::Numbers(_), _) => Some(Self::Number),
            (Values::Categories(_), classes) => {
                (classes <= MOST_CLASSES).then_some(Self::Classes(found))
            }
        }
    }

    fn score(&self, training: &Side, test: &Side) -> Option<f64> {
        match self {
            Self::Number => {
                let model = Model::fit(&training.features, &training.target, Loss::Squares);
                r_squared(&model.predict(&test.features), &test.target)
            }
            Self::Classes(classes) => {
                // Of two classes the second is enough.
                let last = classes.len().checked_sub(1)?;
                let tried = if last == 1 { classes.get(1..)? } else { classes.as_slice() };
                mean(tried.iter().map(|class| one_against_rest(*class, training, test)))
            }
        }
    }
}

fn one_against_rest(class: f64, training: &Side, test: &Side) -> Option<f64> {
    let target: Vec<f64> = training.target.iter().map(|y| f64::from(*y == class)).collect();
    let scores = Model::fit(&training.features, &target, Loss::Logistic).predict(&test.features);
    let (mut positive, mut negative) = (Vec::new(), Vec::new());
    for (score, y) in scores.into_iter().zip(&test.target) {
        if *y == class { &mut positive } else { &mut negative }.push(score);
    }
    auc(&positive, &negative)
}

fn r_squared(predicted: &[f64], truth: &[f64]) -> Option<f64> {
    let centre = truth.iter().sum::<f64>() / (truth.len().max(1) as f64);
    let all: f64 = truth.iter().map(|y| (y - centre).powi(2)).sum();
    let left: f64 = predicted.iter().zip(truth).map(|(p, y)| (y - p).powi(2)).sum();
    (all > 0.0).then(|| 1.0 - left / all)
}

/// Rows that are trained on or tested with.
struct Side {
    features: Features,
    target: Vec<f64>,
}

impl Side {
    fn new(binning: &Binning, table: &Table, target: usize) -> Self {
        let target = table.columns.get(target).map(as_numbers).unwrap_or_default();
        Self { features: binning.of(table), target }
    }
}

/// The rows whose target is known, at most so many.
fn usable(table: &Table, target: usize, seed: u64) -> Table {
    let values = table.columns.get(target).map(as_numbers).unwrap_or_default();
    let rows: Vec<usize> =
        (0_usize..).zip(values).filter(|(_, v)| !v.is_nan()).map(|(r, _)| r).collect();
    let usable = if rows.len() == table.rows { table.clone() } else { table.take(&rows) };
    usable.sample(MOST_ROWS, seed, "utility")
}

/// Trains on synthetic rows and tests on the real rows `test`, of which nobody has seen any, beside
/// the same with the real rows `training`. `None` where the target cannot be predicted: it is
/// constant, has more than 20 categories, or there are no rows.
#[must_use]
pub fn utility(
    design: &Design,
    target: usize,
    [training, synthetic, test]: [&Table; 3],
    seed: u64,
) -> Option<Utility> {
    let [training, synthetic, test] =
        [training, synthetic, test].map(|table| usable(table, target, seed));
    if [&training, &synthetic, &test].iter().any(|table| table.rows == 0) {
        return None;
    }
    let goal = Goal::new(training.columns.get(target)?)?;
    // Each training set bins by itself: nothing of the other one may leak.
    let by_real = Binning::new(&training, Some(target));
    let by_synthetic = Binning::new(&synthetic, Some(target));
    let side = |binning, table| Side::new(binning, table, target);
    let real = side(&by_real, &training);
    let real_on_real = goal.score(&real, &side(&by_real, &test));
    let real_on_synthetic = goal.score(&real, &side(&by_real, &synthetic));
    let synthetic_on_real =
        goal.score(&side(&by_synthetic, &synthetic), &side(&by_synthetic, &test));
    let (metric, chance) = match goal {
        Goal::Number => ("r2", 0.0),
        Goal::Classes(_) => ("auc", 0.5),
    };
    let both = real_on_real.zip(synthetic_on_real);
    Some(Utility {
        target: design.fields.get(target)?.name.clone(),
        metric,
        model: MODEL,
        real_on_real,
        synthetic_on_real,
        real_on_synthetic,
        ratio: both.filter(|(r, _)| *r - chance > 0.02).map(|(r, s)| (s - chance) / (r - chance)),
        drop: both.map(|(r, s)| r - s),
        rows: [training.rows, synthetic.rows, test.rows],
    })
}

/// Trains a model to tell synthetic rows from real ones on half of both, and tests it on the other
/// half.
#[must_use]
pub fn detection(real: &Table, synthetic: &Table, seed: u64) -> Detection {
    let rows = real.rows.min(synthetic.rows).min(MOST_ROWS);
    let half = |table: &Table, what| table.sample(rows, seed, what).split(0.5, seed, what);
    let (real_training, real_test) = half(real, "detection real");
    let (synthetic_training, synthetic_test) = half(synthetic, "detection synthetic");
    let training = real_training.chain(&synthetic_training);
    let target: Vec<f64> =
        (0..training.rows).map(|row| f64::from(row >= real_training.rows)).collect();
    let binning = Binning::new(&training, None);
    let model = Model::fit(&binning.of(&training), &target, Loss::Logistic);
    let of = |table| model.predict(&binning.of(table));
    Detection { auc: auc(&of(&synthetic_test), &of(&real_test)), model: MODEL, rows }
}
