//! The rows of one key that are held, and partial aggregates of stretches of them.

use super::partial::{Extremes, Floats, Integers, Moments, Pairs, Partial, Spread};
use super::ring::Ring;
use super::shape::{Cells, Row, Shape, Track};
use super::weighted::{Decayed, Fall, Smoothed};
use crate::catalog::aggregate::blocks::Blocks;

/// Rows by number, in the order of event time.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) times: Ring<i64>,
    present: Ring<u64>,
    columns: Vec<Ring<u64>>,
}

impl Held {
    pub(super) fn new(shape: &Shape) -> Self {
        let columns = vec![Ring::default(); shape.arguments.len()];
        Self { times: Ring::default(), present: Ring::default(), columns }
    }

    /// Reads a row.
    pub(super) fn touch(&self, first: u64, row: u64) -> u64 {
        let first = self.times.get(row).map_or(first, i64::cast_unsigned);
        let cells = self.columns.iter().filter_map(|column| column.get(row));
        cells.fold(first, |all, cell| all ^ cell)
    }

    /// Adds row `number`.
    pub(super) fn push(&mut self, number: u64, row: Row<'_>) {
        self.times.push(number, row.time);
        self.present.push(number, row.present);
        for (column, cell) in self.columns.iter_mut().zip(row.cells) {
            column.push(number, *cell);
        }
    }

    /// The value of an argument in a row.
    pub(super) fn cell(&self, argument: usize, row: u64) -> Option<u64> {
        let present = self.present.get(row)? >> argument & 1 == 1;
        if present { self.columns.get(argument)?.get(row) } else { None }
    }

    /// Calls with a whole row.
    pub(super) fn with_row(&self, row: u64, call: impl FnOnce(Row<'_>)) {
        let cells: Vec<u64> =
            self.columns.iter().map(|column| column.get(row).unwrap_or(0)).collect();
        if let (Some(time), Some(present)) = (self.times.get(row), self.present.get(row)) {
            call(Row { time, cells: &cells, present });
        }
    }

    pub(super) fn forget_below(&mut self, row: u64) {
        self.times.forget_below(row);
        self.present.forget_below(row);
        self.columns.iter_mut().for_each(|column| column.forget_below(row));
    }

    pub(super) fn bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(|c| c.bytes() + size_of::<Ring<u64>>()).sum();
        self.times.bytes() + self.present.bytes() + columns
    }

    fn cells(&self, argument: usize, from: u64, to: u64) -> &[u64] {
        self.columns.get(argument).map_or(&[], |column| column.slice(from, to))
    }

    /// Joins the values of an argument in the rows `from..to`.
    fn fold<P: Partial>(
        &self,
        argument: usize,
        (from, to): (u64, u64),
        of: impl Fn(u64, u64) -> P,
    ) -> P {
        let cells = self.cells(argument, from, to);
        let mut all = P::default();
        for ((row, cell), present) in (from..).zip(cells).zip(self.present.slice(from, to)) {
            if present >> argument & 1 == 1 {
                all = all.merge(of(*cell, row));
            }
        }
        all
    }

    fn pairs(&self, x: Axis, y: (usize, Cells), (from, to): (u64, u64)) -> Pairs {
        let mut all = Pairs::default();
        for row in from..to {
            let Some(y) = self.number(y, row) else { continue };
            let pair = match x {
                Axis::Seconds => self.times.get(row).map(|micros| Pairs::at(micros, y)),
                Axis::Values(argument, cells) => {
                    self.number((argument, cells), row).map(|x| Pairs::of(x, y))
                }
            };
            if let Some(pair) = pair {
                all = all.merge(pair);
            }
        }
        all
    }

    fn number(&self, (argument, cells): (usize, Cells), row: u64) -> Option<f64> {
        self.cell(argument, row).map(|cell| cells.number(cell))
    }
}

/// What is laid along an axis.
#[derive(Debug, Clone, Copy)]
enum Axis {
    Seconds,
    Values(usize, Cells),
}

/// Blocks of one track.
#[derive(Debug, Clone)]
pub(super) enum Tracked {
    Integers(usize, Blocks<Integers>),
    Floats(usize, Blocks<Floats>),
    Spread(usize, Cells, Blocks<Spread>),
    Moments(usize, Cells, Blocks<Moments>),
    Extremes(usize, Cells, Blocks<Extremes>),
    Pairs(PairedAxes, Blocks<Pairs>),
    Decayed(usize, Cells, f64, Blocks<Decayed>),
    Smoothed(usize, Cells, f64, Blocks<Smoothed>),
    Fall(usize, Cells, Blocks<Fall>),
}

/// The axis of a track, and the values above it.
#[derive(Debug, Clone, Copy)]
pub(super) struct PairedAxes(Axis, (usize, Cells));

/// What is known of a window by one track.
#[derive(Debug, Clone, Copy)]
pub(super) enum Known {
    Integers(Integers),
    Floats(Floats),
    Spread(Spread),
    Moments(Moments),
    Extremes(Extremes),
    Pairs(Pairs),
    Decayed(Decayed),
    Smoothed(Smoothed),
    Fall(Fall),
    /// Time of the newest row.
    Newest(Option<i64>),
    Cell(Option<u64>),
}

impl Tracked {
    pub(super) fn new(track: Track, shape: &Shape) -> Self {
        let cells = |a: usize| shape.arguments.get(a).copied().unwrap_or(Cells::Integer);
        let values = |a: usize| (a, cells(a));
        let over = |axis, a: usize| Self::Pairs(PairedAxes(axis, values(a)), Blocks::default());
        match track {
            Track::Sum(a) if cells(a) == Cells::Float => Self::Floats(a, Blocks::default()),
            Track::Sum(a) => Self::Integers(a, Blocks::default()),
            Track::Spread(a) => Self::Spread(a, cells(a), Blocks::default()),
            Track::Moments(a) => Self::Moments(a, cells(a), Blocks::default()),
            Track::Extremes(a) => Self::Extremes(a, cells(a), Blocks::default()),
            Track::Pairs(a, b) => over(Axis::Values(a, cells(a)), b),
            Track::Trend(a) => over(Axis::Seconds, a),
            Track::Decayed(a, h) => Self::Decayed(a, cells(a), h, Blocks::default()),
            Track::Smoothed(a, alpha) => Self::Smoothed(a, cells(a), alpha, Blocks::default()),
            Track::Fall(a) => Self::Fall(a, cells(a), Blocks::default()),
        }
    }

    /// The row before `next` is new; rows from `from` on are held.
    pub(super) fn grow(&mut self, held: &Held, from: u64, next: u64) {
        match self {
            Self::Integers(a, blocks) => blocks.grow(from, next, integers(held, *a)),
            Self::Floats(a, blocks) => blocks.grow(from, next, floats(held, *a)),
            Self::Spread(a, cells, blocks) => blocks.grow(from, next, spread(held, *a, *cells)),
            Self::Moments(a, cells, blocks) => blocks.grow(from, next, moments(held, *a, *cells)),
            Self::Extremes(a, cells, blocks) => blocks.grow(from, next, extremes(held, *a, *cells)),
            Self::Pairs(axes, blocks) => blocks.grow(from, next, pairs(held, *axes)),
            Self::Decayed(a, cells, half_life, blocks) => {
                blocks.grow(from, next, decayed(held, *a, *cells, *half_life));
            }
            Self::Smoothed(a, cells, alpha, blocks) => {
                blocks.grow(from, next, smoothed(held, *a, *cells, *alpha));
            }
            Self::Fall(a, cells, blocks) => blocks.grow(from, next, fall(held, *a, *cells)),
        }
    }

    /// What is known of the rows `from..to`.
    pub(super) fn over(&self, held: &Held, from: u64, to: u64) -> Known {
        match self {
            Self::Integers(a, blocks) => Known::Integers(blocks.over(from, to, integers(held, *a))),
            Self::Floats(a, blocks) => Known::Floats(blocks.over(from, to, floats(held, *a))),
            Self::Spread(a, cells, blocks) => {
                Known::Spread(blocks.over(from, to, spread(held, *a, *cells)))
            }
            Self::Moments(a, cells, blocks) => {
                Known::Moments(blocks.over(from, to, moments(held, *a, *cells)))
            }
            Self::Extremes(a, cells, blocks) => {
                Known::Extremes(blocks.over(from, to, extremes(held, *a, *cells)))
            }
            Self::Pairs(axes, blocks) => Known::Pairs(blocks.over(from, to, pairs(held, *axes))),
            Self::Decayed(a, cells, half_life, blocks) => {
                Known::Decayed(blocks.over(from, to, decayed(held, *a, *cells, *half_life)))
            }
            Self::Smoothed(a, cells, alpha, blocks) => {
                Known::Smoothed(blocks.over(from, to, smoothed(held, *a, *cells, *alpha)))
            }
            Self::Fall(a, cells, blocks) => {
                Known::Fall(blocks.over(from, to, fall(held, *a, *cells)))
            }
        }
    }

    pub(super) fn forget_below(&mut self, row: u64) {
        match self {
            Self::Integers(_, blocks) => blocks.forget_below(row),
            Self::Floats(_, blocks) => blocks.forget_below(row),
            Self::Spread(_, _, blocks) => blocks.forget_below(row),
            Self::Moments(_, _, blocks) => blocks.forget_below(row),
            Self::Extremes(_, _, blocks) => blocks.forget_below(row),
            Self::Pairs(_, blocks) => blocks.forget_below(row),
            Self::Decayed(_, _, _, blocks) => blocks.forget_below(row),
            Self::Smoothed(_, _, _, blocks) => blocks.forget_below(row),
            Self::Fall(_, _, blocks) => blocks.forget_below(row),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Integers(_, blocks) => blocks.bytes(),
                Self::Floats(_, blocks) => blocks.bytes(),
                Self::Spread(_, _, blocks) => blocks.bytes(),
                Self::Moments(_, _, blocks) => blocks.bytes(),
                Self::Extremes(_, _, blocks) => blocks.bytes(),
                Self::Pairs(_, blocks) => blocks.bytes(),
                Self::Decayed(_, _, _, blocks) => blocks.bytes(),
                Self::Smoothed(_, _, _, blocks) => blocks.bytes(),
                Self::Fall(_, _, blocks) => blocks.bytes(),
            }
    }
}

fn integers(held: &Held, a: usize) -> impl Fn(u64, u64) -> Integers {
    move |from, to| held.fold(a, (from, to), |cell, _| Integers::of(cell.cast_signed()))
}

fn floats(held: &Held, a: usize) -> impl Fn(u64, u64) -> Floats {
    move |from, to| held.fold(a, (from, to), |cell, _| Floats::of(f64::from_bits(cell)))
}

fn spread(held: &Held, a: usize, cells: Cells) -> impl Fn(u64, u64) -> Spread {
    move |from, to| held.fold(a, (from, to), |cell, _| Spread::of(cells.number(cell)))
}

fn moments(held: &Held, a: usize, cells: Cells) -> impl Fn(u64, u64) -> Moments {
    move |from, to| held.fold(a, (from, to), |cell, _| Moments::of(cells.number(cell)))
}

fn extremes(held: &Held, a: usize, cells: Cells) -> impl Fn(u64, u64) -> Extremes {
    move |from, to| held.fold(a, (from, to), |cell, row| Extremes::of(cells.rank(cell), row))
}

fn decayed(held: &Held, a: usize, cells: Cells, half_life: f64) -> impl Fn(u64, u64) -> Decayed {
    let time = |row| held.times.get(row).unwrap_or(0);
    move |from, to| {
        held.fold(a, (from, to), |cell, row| Decayed::of(cells.number(cell), time(row), half_life))
    }
}

fn smoothed(held: &Held, a: usize, cells: Cells, alpha: f64) -> impl Fn(u64, u64) -> Smoothed {
    move |from, to| held.fold(a, (from, to), |cell, _| Smoothed::of(cells.number(cell), alpha))
}

fn fall(held: &Held, a: usize, cells: Cells) -> impl Fn(u64, u64) -> Fall {
    move |from, to| held.fold(a, (from, to), |cell, _| Fall::of(cells.number(cell)))
}

fn pairs(held: &Held, axes: PairedAxes) -> impl Fn(u64, u64) -> Pairs {
    move |from, to| held.pairs(axes.0, axes.1, (from, to))
}
