//! Counts of coded rows: of cells, of pairs of bins, and of products of normal scores. They are
//! whole numbers until they decay, so that the order of rows does not matter; they merge by sums.
#![expect(clippy::indexing_slicing, reason = "kernels over tables whose sizes are made here")]

use super::coder::{Coded, Coder, NULL, REST};
use super::numbers;
use super::wire::{Reader, Writer};

/// Counts of one column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Marginal {
    /// By category or cell.
    pub(crate) counts: Vec<f64>,
    pub(crate) rest: f64,
    pub(crate) nulls: f64,
    /// Bounds of what was seen.
    pub(crate) least: f64,
    pub(crate) most: f64,
    pub(crate) decimals: u8,
}

impl Default for Marginal {
    fn default() -> Self {
        let (least, most) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { counts: Vec::new(), rest: 0.0, nulls: 0.0, least, most, decimals: 0 }
    }
}

/// What is counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tally {
    pub(crate) rows: u64,
    pub(crate) weight: f64,
    pub(crate) columns: Vec<Marginal>,
    /// One table after the other, in the order of [`pairs`].
    pub(crate) pairs: Vec<f64>,
    /// Sums of each pair of columns: rows, x, y, xx, yy, xy. Empty without scores.
    pub(crate) moments: Vec<f64>,
}

/// Sums that a pair has.
pub(crate) const SUMS: usize = 6;
/// Normal scores are whole multiples of its inverse, so that sums of products are exact.
pub(crate) const UNIT: f64 = 1024.0;

/// The pairs of columns of these widths, each with the place of its table; a column without width
/// has none.
pub(crate) fn pairs(widths: &[usize]) -> Vec<(usize, usize, usize)> {
    let mut all = Vec::new();
    let mut at = 0;
    for (i, wide) in widths.iter().enumerate() {
        for (j, other) in widths.iter().enumerate().skip(i + 1) {
            if wide * other > 0 {
                all.push((i, j, at));
                at += wide * other;
            }
        }
    }
    all
}

/// The normal score of each cell or category of a column, in whole multiples; the last is that of
/// categories that are not kept.
pub(crate) type Scores = Vec<i32>;

impl Tally {
    pub(crate) fn new(coders: &[Coder], scored: bool) -> Self {
        let widths: Vec<usize> = coders.iter().map(Coder::width).collect();
        let pairs = pairs(&widths);
        let size = pairs.last().map_or(0, |(i, j, at)| at + widths[*i] * widths[*j]);
        let columns = coders
            .iter()
            .map(|coder| Marginal { counts: vec![0.0; coder.fine()], ..Marginal::default() })
            .collect();
        let moments = vec![0.0; if scored { pairs.len() * SUMS } else { 0 }];
        Self { rows: 0, weight: 0.0, columns, pairs: vec![0.0; size], moments }
    }

    /// Counts rows.
    pub(crate) fn add(&mut self, coders: &[Coder], coded: &[Coded], rows: usize) {
        self.rows += rows as u64;
        self.weight += rows as f64;
        for ((marginal, coder), coded) in self.columns.iter_mut().zip(coders).zip(coded) {
            marginal.counts.resize(coder.fine(), 0.0);
            marginal.add(coded);
        }
        let widths: Vec<usize> = coders.iter().map(Coder::width).collect();
        for (i, j, at) in pairs(&widths) {
            let wide = widths[j];
            let table = &mut self.pairs[at..at + widths[i] * wide];
            for (a, b) in coded[i].bins.iter().zip(&coded[j].bins) {
                table[usize::from(*a) * wide + usize::from(*b)] += 1.0;
            }
        }
    }

    /// Counts products of scores.
    pub(crate) fn add_scores(&mut self, coders: &[Coder], coded: &[Coded], scores: &[Scores]) {
        const MISSING: i32 = i32::MIN;
        let score = |of: &Scores, fine: u32| match fine {
            NULL => MISSING,
            fine => of.get(fine as usize).or(of.last()).copied().unwrap_or(0),
        };
        let of: Vec<Vec<i32>> = coded
            .iter()
            .zip(scores)
            .map(|(coded, scores)| coded.fine.iter().map(|fine| score(scores, *fine)).collect())
            .collect();
        let widths: Vec<usize> = coders.iter().map(Coder::width).collect();
        for (pair, (i, j, _)) in pairs(&widths).into_iter().enumerate() {
            let mut sums = [0_i64; SUMS];
            for (x, y) in of[i].iter().zip(&of[j]) {
                if *x != MISSING && *y != MISSING {
                    let (x, y) = (i64::from(*x), i64::from(*y));
                    let of = [1, x, y, x * x, y * y, x * y];
                    sums.iter_mut().zip(of).for_each(|(sum, value)| *sum += value);
                }
            }
            let held = &mut self.moments[pair * SUMS..(pair + 1) * SUMS];
            held.iter_mut().zip(sums).for_each(|(held, sum)| *held += sum as f64);
        }
    }

    /// Weighs everything by `factor` and adds what `other` holds.
    pub(crate) fn merge(&mut self, factor: f64, other: &Self) {
        self.rows += other.rows;
        self.weight = self.weight.mul_add(factor, other.weight);
        for (held, new) in self.columns.iter_mut().zip(&other.columns) {
            held.counts.resize(new.counts.len().max(held.counts.len()), 0.0);
            join(&mut held.counts, factor, &new.counts);
            held.rest = held.rest * factor + new.rest;
            held.nulls = held.nulls * factor + new.nulls;
            held.least = held.least.min(new.least);
            held.most = held.most.max(new.most);
            held.decimals = held.decimals.max(new.decimals);
        }
        join(&mut self.pairs, factor, &other.pairs);
        join(&mut self.moments, factor, &other.moments);
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        let fine: usize = self.columns.iter().map(|c| c.counts.len()).sum();
        (fine + self.pairs.len() + self.moments.len()) * size_of::<f64>()
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.word(self.rows);
        to.number(self.weight);
        to.word(self.columns.len() as u64);
        for column in &self.columns {
            to.numbers(&column.counts);
            for number in [column.rest, column.nulls, column.least, column.most] {
                to.number(number);
            }
            to.word(u64::from(column.decimals));
        }
        to.numbers(&self.pairs);
        to.numbers(&self.moments);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (rows, weight) = (from.word()?, from.number()?);
        let mut columns = Vec::new();
        for _ in 0..from.count()? {
            columns.push(Marginal {
                counts: from.numbers()?,
                rest: from.number()?,
                nulls: from.number()?,
                least: from.number()?,
                most: from.number()?,
                decimals: u8::try_from(from.word()?).ok()?,
            });
        }
        Some(Self { rows, weight, columns, pairs: from.numbers()?, moments: from.numbers()? })
    }
}

fn join(held: &mut [f64], factor: f64, new: &[f64]) {
    if factor != 1.0 {
        held.iter_mut().for_each(|held| *held *= factor);
    }
    held.iter_mut().zip(new).for_each(|(held, new)| *held += new);
}

impl Marginal {
    fn add(&mut self, coded: &Coded) {
        for fine in &coded.fine {
            match *fine {
                NULL => self.nulls += 1.0,
                REST => self.rest += 1.0,
                fine => self.counts[fine as usize] += 1.0,
            }
        }
        for number in coded.numbers.iter().filter(|n| !n.is_nan()) {
            self.least = self.least.min(*number);
            self.most = self.most.max(*number);
            if self.decimals != numbers::MANY {
                self.decimals = numbers::decimals(*number, self.decimals);
            }
        }
    }
}
