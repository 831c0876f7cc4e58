//! A fit: coders that are frozen, and what is counted with them.
#![expect(clippy::indexing_slicing, reason = "lists that are as long as the specs")]

use std::sync::Arc;

use arrow::array::RecordBatch;
use swiftwater_engine::{Error, Result};

use super::cells::Cells;
use super::coder::{Categories, Coded, Coder, Limits, Role, Spec};
use super::copula;
use super::model::{Column, Dependence, Edge, Fitted, Model, Part, Quality, Values};
use super::normal;
use super::numbers;
use super::quality;
use super::sampler::Sampler;
use super::tally::{Marginal, Scores, Tally, UNIT};
use super::tree;
use super::wire::{Reader, Writer};
use super::wishes::Wishes;

/// How columns are taken to depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Tree,
    Copula,
}

/// What is fitted.
#[derive(Debug, Clone)]
pub(crate) struct Design {
    pub(crate) name: String,
    pub(crate) time: Option<Part>,
    pub(crate) specs: Vec<Spec>,
    pub(crate) limits: Limits,
    pub(crate) shape: Shape,
}

/// Coders, frozen from a reference, and all that was counted with them.
#[derive(Debug, Clone)]
pub(crate) struct Fit {
    design: Arc<Design>,
    coders: Vec<Coder>,
    /// Normal scores of each column's cells, for a copula.
    scores: Vec<Scores>,
}

/// Rows that are made up to judge a model.
const JUDGED: usize = 20_000;

impl Fit {
    /// Freezes the coders.
    pub(crate) fn freeze(
        design: &Arc<Design>,
        reference: &[(RecordBatch, Vec<i64>)],
    ) -> Result<Self> {
        let freeze = |spec: &Spec| Coder::freeze(spec, reference, design.limits);
        let coders = design.specs.iter().map(freeze).collect::<Result<Vec<_>>>()?;
        let mut fit = Self { design: Arc::clone(design), coders, scores: Vec::new() };
        if design.shape == Shape::Copula {
            let mut counted = Tally::new(&fit.coders, false);
            for (rows, times) in reference {
                let coded = fit.code(rows, times)?;
                counted.add(&fit.coders, &coded, rows.num_rows());
            }
            fit.scores = counted.columns.iter().map(scores).collect();
        }
        Ok(fit)
    }

    /// An empty count.
    pub(crate) fn tally(&self) -> Tally {
        Tally::new(&self.coders, !self.scores.is_empty())
    }

    fn code(&mut self, rows: &RecordBatch, times: &[i64]) -> Result<Vec<Coded>> {
        let limits = self.design.limits;
        let coders = self.coders.iter_mut().zip(&self.design.specs);
        coders.map(|(coder, spec)| coder.code(spec, (rows, times), limits)).collect()
    }

    /// Counts rows.
    pub(crate) fn count(
        &mut self,
        tally: &mut Tally,
        rows: &RecordBatch,
        times: &[i64],
    ) -> Result<()> {
        let coded = self.code(rows, times)?;
        tally.add(&self.coders, &coded, rows.num_rows());
        if !self.scores.is_empty() {
            tally.add_scores(&self.coders, &coded, &self.scores);
        }
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        self.coders.iter().map(Coder::width).collect()
    }

    /// The model of what was counted.
    pub(crate) fn model(&self, total: &Tally, version: i64, fitted: Fitted) -> Model {
        let columns = self.design.specs.iter().zip(&self.coders).zip(&total.columns);
        let columns: Vec<Column> = columns
            .map(|((spec, coder), marginal)| Column {
                parts: spec.parts.clone(),
                nulls: marginal.nulls,
                values: values_of(spec, coder, marginal),
            })
            .collect();
        let dependence = if self.design.shape == Shape::Tree {
            let widths = self.widths();
            let edge = |branch: tree::Branch| Edge {
                parent: columns[branch.parent].name(),
                column: columns[branch.child].name(),
                table: tree::table(&widths, &total.pairs, branch),
            };
            Dependence::Tree(tree::chow_liu(&widths, &total.pairs).into_iter().map(edge).collect())
        } else {
            let drawn = self.coders.iter().filter(|c| c.width() > 0).count();
            Dependence::Copula(copula::correlations(drawn, &total.moments))
        };
        let (name, time) = (self.design.name.clone(), self.design.time.clone());
        let fitted = Fitted { rows: total.rows, weight: total.weight, ..fitted };
        Model { name, version, fitted, time, columns, dependence }
    }

    /// How well rows of a model fit those of a pane.
    pub(crate) fn judge(&mut self, model: &Model, pane: &Tally) -> Result<Quality> {
        let sampler = Sampler::new(model, &Wishes::default(), u64::from_le_bytes(*b"quality!"))
            .map_err(|why| Error::bug(format!("judge a model: {why}")))?;
        let mut made = self.tally();
        let chunk = 5_000;
        for from in (0..JUDGED).step_by(chunk) {
            let times = vec![model.fitted.until; chunk];
            let numbers: Vec<u64> = (from as u64..(from + chunk) as u64).collect();
            let rows = sampler.rows(&numbers, &times).map_err(|e| Error::bug(e.message))?;
            self.count(&mut made, &rows, &times)?;
        }
        let bins = |tally: &Tally| -> Vec<Vec<f64>> {
            self.model(tally, 0, Fitted::default()).columns.iter().map(Column::bins).collect()
        };
        let (real_bins, made_bins) = (bins(pane), bins(&made));
        Ok(quality::judge(&self.widths(), (pane, &real_bins), (&made, &made_bins)))
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        let of = |coder: &Coder| match coder {
            Coder::Categories(c) => c.texts.iter().map(|t| 2 * t.len() + 80).sum(),
            Coder::Numbers(cells) => cells.edges.len() * 10,
            Coder::Key => 0,
        };
        self.coders.iter().map(of).sum()
    }

    /// How many categories are known: it grows.
    pub(crate) fn known(&self) -> usize {
        self.coders.iter().map(Coder::fine).sum()
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        for coder in &self.coders {
            match coder {
                Coder::Key => to.word(0),
                Coder::Categories(categories) => {
                    to.word(1);
                    to.word(categories.own as u64);
                    to.word(categories.texts.len() as u64);
                    categories.texts.iter().for_each(|text| to.text(text));
                }
                Coder::Numbers(cells) => {
                    to.word(2);
                    to.numbers(&cells.edges);
                    let bins: Vec<f64> = cells.bins.iter().map(|b| f64::from(*b)).collect();
                    to.numbers(&bins);
                }
            }
        }
        to.word(self.scores.len() as u64);
        for scores in &self.scores {
            to.numbers(&scores.iter().map(|s| f64::from(*s)).collect::<Vec<_>>());
        }
    }

    pub(crate) fn read(design: &Arc<Design>, from: &mut Reader<'_>) -> Option<Self> {
        let mut coders = Vec::new();
        for _ in &design.specs {
            coders.push(match from.word()? {
                0 => Coder::Key,
                1 => {
                    let own = usize::try_from(from.word()?).ok()?;
                    let texts: Option<Vec<String>> =
                        (0..from.count()?).map(|_| from.text()).collect();
                    Coder::Categories(Categories::new(texts?, own))
                }
                _ => {
                    let edges = from.numbers()?;
                    let bins = from.numbers()?.iter().map(|b| *b as u16).collect();
                    Coder::Numbers(Cells { edges, bins })
                }
            });
        }
        let mut scores = Vec::new();
        for _ in 0..from.count()? {
            scores.push(from.numbers()?.iter().map(|s| *s as i32).collect());
        }
        Some(Self { design: Arc::clone(design), coders, scores })
    }
}

/// Normal scores of the middle of each cell's share.
fn scores(of: &Marginal) -> Scores {
    let total: f64 = of.counts.iter().sum::<f64>() + of.rest;
    let mut below = 0.0;
    let score = |weight: &f64| {
        let middle = if total > 0.0 { (below + weight / 2.0) / total } else { 0.5 };
        below += weight;
        (normal::inverse(middle.clamp(1e-6, 1.0 - 1e-6)) * UNIT).round() as i32
    };
    of.counts.iter().chain([&of.rest]).map(score).collect()
}

fn values_of(spec: &Spec, coder: &Coder, marginal: &Marginal) -> Values {
    match coder {
        Coder::Key => Values::Key,
        Coder::Categories(categories) => {
            let mut weights = marginal.counts.clone();
            weights.resize(categories.texts.len(), 0.0);
            let (own, values) = (categories.own, categories.texts.clone());
            Values::Categories { own, values, weights, rest: marginal.rest }
        }
        Coder::Numbers(cells) => {
            let (least, most) = if marginal.least <= marginal.most {
                (marginal.least.next_down(), marginal.most)
            } else {
                (0.0, 0.0)
            };
            // Cells beyond what was seen have no width, and no weight.
            let (mut edges, mut weights) = (vec![least], Vec::new());
            let mut bins = vec![0; cells.bin_count()];
            let uppers = cells.edges.iter().copied().chain([f64::INFINITY]);
            for ((upper, bin), weight) in uppers.zip(&cells.bins).zip(&marginal.counts) {
                let upper = upper.clamp(least, most);
                if edges.last().is_some_and(|last| upper > *last) {
                    edges.push(upper);
                    weights.push(*weight);
                }
                bins[usize::from(*bin)..].fill(weights.len());
            }
            Values::Numbers {
                edges,
                weights,
                bins,
                decimals: (marginal.decimals != numbers::MANY).then_some(marginal.decimals),
                relative: spec.role == Role::Number
                    && spec.parts.iter().any(|p| p.data_type.starts_with("timestamp")),
            }
        }
    }
}
