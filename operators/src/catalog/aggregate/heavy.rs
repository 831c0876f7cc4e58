//! What is known of a stretch of rows and has no fixed size: values in order, values and how often
//! each is there, sketches, and shares by category.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::categories::{Categories, Share};
use super::partial::{Floats, Integers};
use super::shape::{Cells, Row};
use super::texts::Texts;
use crate::sketch::{DdSketch, Hll};

/// A value: the rank of a number, or a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Rank(i64),
    Text(Arc<str>),
}

/// An argument and how its cells are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) argument: usize,
    pub(super) cells: Cells,
}

impl Source {
    pub(super) fn value(self, row: Row<'_>, texts: &Texts) -> Option<Value> {
        let cell = row.cell(self.argument)?;
        match self.cells {
            Cells::Text => texts.shared(cell).map(Value::Text),
            cells => Some(Value::Rank(cells.rank(cell))),
        }
    }

    pub(super) fn number(self, row: Row<'_>) -> Option<f64> {
        row.cell(self.argument).map(|cell| self.cells.number(cell))
    }
}

/// What is kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum HeavySpec {
    /// The first so many values.
    First(Source, usize),
    /// The last so many values.
    Last(Source, usize),
    /// The greatest so many values.
    Top(Source, usize),
    /// The least so many values.
    Bottom(Source, usize),
    /// The first value where the second is greatest, or least.
    At {
        of: Source,
        by: Source,
        greatest: bool,
    },
    /// Each value and how often it is there.
    Counts(Source),
    Distinct(Source),
    Quantiles(Source),
    /// How many values lie between edges.
    Histogram(Source, Arc<[f64]>),
    /// Rows, or values, by category.
    Categories {
        of: Option<Source>,
        by: Source,
        most: usize,
    },
}

/// What is known.
#[derive(Debug, Clone)]
pub(super) enum Heavy {
    /// In the order of time, or of size.
    Items(Vec<Value>),
    At(Option<(i64, Option<Value>)>),
    Counts(BTreeMap<Value, u64>),
    Distinct(Hll),
    Quantiles(DdSketch),
    Histogram(Vec<u64>),
    Categories(Categories),
}

impl HeavySpec {
    /// What is known of no row.
    pub(super) fn empty(&self) -> Heavy {
        match self {
            Self::First(..) | Self::Last(..) | Self::Top(..) | Self::Bottom(..) => {
                Heavy::Items(Vec::new())
            }
            Self::At { .. } => Heavy::At(None),
            Self::Counts(_) => Heavy::Counts(BTreeMap::new()),
            Self::Distinct(_) => Heavy::Distinct(Hll::default()),
            Self::Quantiles(_) => Heavy::Quantiles(DdSketch::default()),
            Self::Histogram(_, edges) => Heavy::Histogram(vec![0; edges.len() + 1]),
            Self::Categories { .. } => Heavy::Categories(Categories::default()),
        }
    }

    /// Adds a row.
    pub(super) fn add(&self, known: &mut Heavy, row: Row<'_>, texts: &Texts) {
        match (self, known) {
            (
                Self::First(of, _) | Self::Last(of, _) | Self::Top(of, _) | Self::Bottom(of, _),
                Heavy::Items(items),
            ) => items_add(self, items, of.value(row, texts)),
            (Self::At { of, by, greatest }, Heavy::At(held)) => {
                let Some(rank) = row.cell(by.argument).map(|cell| by.cells.rank(cell)) else {
                    return;
                };
                if held.as_ref().is_none_or(|(best, _)| better(rank, *best, *greatest)) {
                    *held = Some((rank, of.value(row, texts)));
                }
            }
            (Self::Counts(of), Heavy::Counts(counts)) => {
                if let Some(value) = of.value(row, texts) {
                    *counts.entry(value).or_insert(0) += 1;
                }
            }
            (Self::Distinct(of), Heavy::Distinct(hll)) => match (row.cell(of.argument), of.cells) {
                (Some(cell), Cells::Integer) => hll.add_integer(cell.cast_signed()),
                (Some(cell), Cells::Float) => hll.add_float(f64::from_bits(cell)),
                (Some(cell), Cells::Text) => {
                    if let Some(text) = texts.shared(cell) {
                        hll.add_text(&text);
                    }
                }
                (None, _) => {}
            },
            (Self::Quantiles(of), Heavy::Quantiles(sketch)) => {
                of.number(row).into_iter().for_each(|value| sketch.add(value));
            }
            (Self::Histogram(of, edges), Heavy::Histogram(counts)) => {
                let place = of.number(row).map(|v| edges.partition_point(|edge| *edge <= v));
                if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
                    *count += 1;
                }
            }
            (Self::Categories { of, by, most }, Heavy::Categories(all)) => {
                let share = match of {
                    None => Some(Share { integers: Integers::of(0), ..Share::default() }),
                    Some(of) => row.cell(of.argument).map(|cell| share(*of, cell)),
                };
                let name = row.cell(by.argument).and_then(|cell| texts.shared(cell));
                if let (Some(name), Some(share)) = (name, share) {
                    all.add(&name, share, *most);
                }
            }
            _ => {}
        }
    }

    /// Joins with what is known of later rows.
    pub(super) fn merge(&self, known: &mut Heavy, later: &Heavy) {
        match (self, known, later) {
            (spec, Heavy::Items(items), Heavy::Items(later)) => {
                later.iter().for_each(|item| items_add(spec, items, Some(item.clone())));
            }
            (Self::At { greatest, .. }, Heavy::At(held), Heavy::At(Some((rank, value))))
                if held.as_ref().is_none_or(|(best, _)| better(*rank, *best, *greatest)) =>
            {
                *held = Some((*rank, value.clone()));
            }
            (_, Heavy::Counts(counts), Heavy::Counts(later)) => {
                for (value, times) in later {
                    *counts.entry(value.clone()).or_insert(0) += times;
                }
            }
            (_, Heavy::Distinct(hll), Heavy::Distinct(later)) => hll.merge(later),
            (_, Heavy::Quantiles(sketch), Heavy::Quantiles(later)) => sketch.merge(later),
            (_, Heavy::Histogram(counts), Heavy::Histogram(later)) => {
                counts.iter_mut().zip(later).for_each(|(count, more)| *count += more);
            }
            (Self::Categories { most, .. }, Heavy::Categories(all), Heavy::Categories(later)) => {
                all.merge(later, *most);
            }
            _ => {}
        }
    }
}

const fn better(rank: i64, best: i64, greatest: bool) -> bool {
    if greatest { rank > best } else { rank < best }
}

fn share(of: Source, cell: u64) -> Share {
    match of.cells {
        Cells::Float => Share { floats: Floats::of(f64::from_bits(cell)), ..Share::default() },
        _ => Share { integers: Integers::of(cell.cast_signed()), ..Share::default() },
    }
}

fn items_add(spec: &HeavySpec, items: &mut Vec<Value>, value: Option<Value>) {
    let Some(value) = value else { return };
    match spec {
        HeavySpec::First(_, most) if items.len() < *most => items.push(value),
        HeavySpec::Last(_, most) => {
            if items.len() == *most {
                items.remove(0);
            }
            items.push(value);
        }
        HeavySpec::Top(_, most) | HeavySpec::Bottom(_, most) => {
            let at = items.partition_point(|held| *held <= value);
            items.insert(at, value);
            if items.len() > *most {
                match spec {
                    HeavySpec::Top(..) => drop(items.remove(0)),
                    _ => items.truncate(*most),
                }
            }
        }
        _ => {}
    }
}

impl Heavy {
    /// Bytes of memory beyond its own size, about.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Items(items) => items.capacity() * size_of::<Value>(),
            Self::At(_) => 0,
            Self::Counts(counts) => counts.len() * 40,
            Self::Distinct(hll) => hll.bytes(),
            Self::Quantiles(sketch) => sketch.bytes(),
            Self::Histogram(counts) => counts.capacity() * 8,
            Self::Categories(all) => all.bytes(),
        }
    }
}
