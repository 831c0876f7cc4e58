//! The quality score of `SDMetrics` 0.32.0: the mean of the column shapes and of the column pair
//! trends, each a mean of its scores.

use serde::Serialize;

use super::design::{Design, Field};
use super::pairs::{Contingency, Edges, PairScore, Side, correlation};
use super::shapes::{ColumnScore, Shape};
use super::table::{Table, Values};

/// From which dependence of the real columns on a pair counts. 0 counts every pair.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Thresholds {
    /// Above this absolute correlation, for two columns of numbers or times.
    pub correlation: f64,
    /// Above this value of Cramer's V, for other pairs.
    pub association: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { correlation: 0.5, association: 0.3 }
    }
}

/// How alike two tables are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// The mean of `column_shapes` and `column_pair_trends`, or the one of them that there is.
    pub score: Option<f64>,
    /// Mean of the columns' scores.
    pub column_shapes: Option<f64>,
    /// Mean of the scores of the pairs that count.
    pub column_pair_trends: Option<f64>,
    /// Mean of the scores of all pairs, whether they count or not.
    pub all_pair_trends: Option<f64>,
    /// By column.
    pub columns: Vec<ColumnScore>,
    /// By pair of columns.
    pub pairs: Vec<PairScore>,
}

/// The mean of what there is.
pub(super) fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u32);
    values.flatten().filter(|v| v.is_finite()).for_each(|v| {
        sum += v;
        count += 1;
    });
    (count > 0).then(|| sum / f64::from(count))
}

/// What is known of a pair of real columns.
enum RealPair {
    Correlation(Option<f64>),
    Contingency { own: Option<Contingency>, real_edges: Option<Contingency>, v: Option<f64> },
}

/// The real side, prepared for being compared with several tables.
pub struct Reference<'a> {
    design: &'a Design,
    real: &'a Table,
    thresholds: Thresholds,
    shapes: Vec<Shape>,
    /// By column of numbers, the edges of its cells.
    edges: Vec<Option<Edges>>,
    pairs: Vec<(usize, usize, RealPair)>,
}

impl<'a> Reference<'a> {
    /// Prepares the real rows.
    #[must_use]
    pub fn new(design: &'a Design, real: &'a Table, thresholds: Thresholds) -> Self {
        let columns = || design.fields.iter().zip(&real.columns);
        let shapes = columns().map(|(field, values)| Shape::new(values, field)).collect();
        let edges = columns().map(|(field, values)| match values {
            Values::Numbers(values) => Edges::new(values, field.single),
            Values::Categories(_) => None,
        });
        let edges = edges.collect();
        let sides = sides(design, real);
        let count = sides.len();
        let places = (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j)));
        let pairs =
            places.filter_map(|(i, j)| Some((i, j, real_pair(sides.get(i)?, sides.get(j)?))));
        let pairs = pairs.collect();
        let mut reference = Self { design, real, thresholds, shapes, edges, pairs };
        reference.cut_at_real_edges(&sides);
        reference
    }

    fn cut_at_real_edges(&mut self, sides: &[Side<'_>]) {
        let edges = &self.edges;
        for (i, j, pair) in &mut self.pairs {
            if let RealPair::Contingency { real_edges, .. } = pair {
                *real_edges = at_real_edges(edges, (*i, sides.get(*i)), (*j, sides.get(*j)));
            }
        }
    }

    /// Compares a table with the real rows.
    #[must_use]
    pub fn score(&self, synthetic: &Table) -> Quality {
        let both = self.real.columns.iter().zip(&synthetic.columns);
        let columns = self.shapes.iter().zip(both).zip(&self.design.fields);
        let columns: Vec<ColumnScore> =
            columns.map(|((shape, (r, s)), field)| shape.score(r, s, field)).collect();
        let sides = sides(self.design, synthetic);
        let pairs: Vec<PairScore> =
            self.pairs.iter().filter_map(|p| self.pair(p, &sides)).collect();
        let column_shapes = mean(columns.iter().map(|c| c.score));
        let column_pair_trends = mean(pairs.iter().filter(|p| p.counts).map(|p| p.score));
        Quality {
            score: mean([column_shapes, column_pair_trends].into_iter()),
            column_shapes,
            column_pair_trends,
            all_pair_trends: mean(pairs.iter().map(|p| p.score)),
            columns,
            pairs,
        }
    }

    fn pair(
        &self,
        (i, j, real): &(usize, usize, RealPair),
        sides: &[Side<'_>],
    ) -> Option<PairScore> {
        let name = |n: usize| self.design.fields.get(n).map(|f: &Field| f.name.clone());
        let (a, b) = (sides.get(*i)?, sides.get(*j)?);
        let above = |value: Option<f64>, threshold: f64| {
            threshold <= 0.0 || value.is_some_and(|v| v.abs() > threshold)
        };
        let pair = |metric, score, counts| PairScore {
            first: name(*i).unwrap_or_default(),
            second: name(*j).unwrap_or_default(),
            metric,
            score,
            counts,
            real: None,
            synthetic: None,
            score_at_real_edges: None,
        };
        match (real, a, b) {
            (
                RealPair::Correlation(real),
                Side::Continuous { values: x, .. },
                Side::Continuous { values: y, .. },
            ) => {
                let synthetic = correlation(x, y);
                let score = real.zip(synthetic).map(|(r, s)| 1.0 - (r - s).abs() / 2.0);
                let counts = above(*real, self.thresholds.correlation);
                Some(PairScore {
                    real: *real,
                    synthetic,
                    ..pair("CorrelationSimilarity", score, counts)
                })
            }
            (RealPair::Contingency { own, real_edges, v }, a, b) => {
                let other = a.codes().zip(b.codes()).map(|(a, b)| Contingency::new(a, b));
                let score = own.as_ref().zip(other.as_ref()).and_then(|(r, s)| r.similarity(s));
                let counts = above(*v, self.thresholds.association);
                let other_cut = at_real_edges(&self.edges, (*i, Some(a)), (*j, Some(b)));
                Some(PairScore {
                    real: *v,
                    synthetic: other.as_ref().and_then(Contingency::cramers_v),
                    score_at_real_edges: real_edges
                        .as_ref()
                        .zip(other_cut)
                        .and_then(|(r, s)| r.similarity(&s)),
                    ..pair("ContingencySimilarity", score, counts)
                })
            }
            _ => None,
        }
    }
}

fn sides<'a>(design: &Design, table: &'a Table) -> Vec<Side<'a>> {
    let columns = design.fields.iter().zip(&table.columns);
    columns.map(|(field, values)| Side::new(values, field.single)).collect()
}

fn real_pair(a: &Side<'_>, b: &Side<'_>) -> RealPair {
    if let (Side::Continuous { values: x, .. }, Side::Continuous { values: y, .. }) = (a, b) {
        return RealPair::Correlation(correlation(x, y));
    }
    let own = a.codes().zip(b.codes()).map(|(a, b)| Contingency::new(a, b));
    let v = own.as_ref().and_then(Contingency::cramers_v);
    RealPair::Contingency { own, real_edges: None, v }
}

/// The table of counts of a number beside a category, cut at the edges of the real numbers; `None`
/// for two categories.
fn at_real_edges(
    edges: &[Option<Edges>],
    (i, a): (usize, Option<&Side<'_>>),
    (j, b): (usize, Option<&Side<'_>>),
) -> Option<Contingency> {
    let edges = |n: usize| edges.get(n).copied().flatten().map(Edges::endless);
    match (a?, b?) {
        (Side::Continuous { values, .. }, Side::Discrete(codes)) => {
            Some(Contingency::new(&edges(i)?.cells(values), codes))
        }
        (Side::Discrete(codes), Side::Continuous { values, .. }) => {
            Some(Contingency::new(codes, &edges(j)?.cells(values)))
        }
        _ => None,
    }
}
