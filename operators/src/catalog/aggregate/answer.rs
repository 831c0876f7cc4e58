//! Features read from what is kept of a key's rows.

use std::cmp::Ordering;
use std::sync::Arc;

use super::bag::{Counts, Sorted};
use super::call::Function;
use super::heavy::HeavySpec;
use super::held::Known;
use super::lane::{Bag, Lane};
use super::layout::Feature;
use super::partial::Place;
use super::shape::{Cells, Row, Shape};
use super::texts::Texts;
use super::tile_answer::Asking;

/// A feature's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Null,
    /// A sum that does not fit 64 bits; given as null and counted.
    TooLarge,
    Integer(i64),
    Float(f64),
    /// A cell of an argument.
    Cell(u64),
    Cells(Vec<u64>),
    Text(Arc<str>),
    Texts(Vec<Arc<str>>),
    Bytes(Vec<u8>),
    Map(Vec<(Arc<str>, Self)>),
}

impl Answer {
    /// Whether a sum in it did not fit.
    pub(super) fn breaks_rule(&self) -> bool {
        match self {
            Self::TooLarge => true,
            Self::Map(entries) => entries.iter().any(|(_, value)| value.breaks_rule()),
            _ => false,
        }
    }
}

/// Makes a double an answer. What is no finite number is null.
pub(super) fn float(value: Option<f64>) -> Answer {
    value.filter(|v| v.is_finite()).map_or(Answer::Null, Answer::Float)
}

pub(super) fn cell(value: Option<u64>) -> Answer {
    value.map_or(Answer::Null, Answer::Cell)
}

/// Where features of one row are read.
pub(super) struct Reading<'a> {
    pub(super) shape: &'a Shape,
    pub(super) lane: &'a Lane,
    pub(super) texts: &'a Texts,
    /// The row that the features are for.
    pub(super) row: Row<'a>,
    /// What the tracks know, by the numbers in `Asked`.
    pub(super) known: &'a [Option<Known>],
}

impl Reading<'_> {
    /// The value of a feature; `asked` is the number of what its track knows.
    pub(super) fn answer(&self, feature: &Feature, asked: Option<usize>) -> Answer {
        use Function as F;
        let argument = feature.arguments.first().copied();
        if let Some(spec) = &feature.heavy {
            return self.of_sketch(feature, spec);
        }
        let known = asked.and_then(|asked| self.known.get(asked).copied().flatten());
        match (feature.function, known) {
            (F::Count, None) | (F::SinceLast, _) => self.of_rows(feature),
            (function, Some(known)) => self.of_track(function, known, argument),
            (function, None) => {
                let Some(argument) = argument else { return Answer::Null };
                match feature.bag.and_then(|bag| self.lane.bag(bag)) {
                    Some(Bag::Counts(counts)) => self.of_counts(function, counts, argument),
                    Some(Bag::Sorted(sorted)) => self.of_sorted(function, sorted, argument),
                    None => self.of_ends(function, argument, feature.window),
                }
            }
        }
    }

    /// What a sketch of the rows in the window says.
    fn of_sketch(&self, feature: &Feature, spec: &HeavySpec) -> Answer {
        let mut known = spec.empty();
        for row in self.lane.window(feature.window) {
            self.lane.with_row(row, |row| spec.add(&mut known, row, self.texts));
        }
        let arguments = &self.shape.arguments;
        Asking { arguments, row: self.row }.of_heavy(feature, &known)
    }

    fn cells(&self, argument: usize) -> Cells {
        self.shape.arguments.get(argument).copied().unwrap_or(Cells::Integer)
    }

    fn of_rows(&self, feature: &Feature) -> Answer {
        let rows = self.lane.window(feature.window);
        match feature.function {
            Function::SinceLast => {
                // The row itself is the last where it is in its own window.
                let before = rows.end.saturating_sub(u64::from(self.shape.include_current));
                let last = before.checked_sub(1).filter(|last| rows.contains(last));
                let time = last.and_then(|last| self.lane.time(last));
                #[expect(clippy::cast_precision_loss, reason = "to a microsecond for 285 years")]
                float(time.map(|time| (self.row.time - time) as f64 / 1e6))
            }
            _ => Answer::Integer(i64::try_from(rows.end - rows.start).unwrap_or(i64::MAX)),
        }
    }

    fn of_track(&self, function: Function, known: Known, argument: Option<usize>) -> Answer {
        let value = |place: Option<Place>| {
            cell(place.zip(argument).and_then(|(place, a)| self.lane.cell(a, place.row)))
        };
        match (function, known) {
            (Function::Min | Function::ArgMin, Known::Extremes(all)) => value(all.least),
            (Function::Max | Function::ArgMax, Known::Extremes(all)) => value(all.greatest),
            _ => of_known(function, known, self.row.time, || {
                let argument = argument?;
                Some(self.cells(argument).number(self.row.cell(argument)?))
            }),
        }
    }

    fn of_counts(&self, function: Function, counts: &Counts, argument: usize) -> Answer {
        match function {
            Function::Distinct => count(counts.distinct() as u64),
            Function::Entropy => float(counts.entropy()),
            #[expect(clippy::cast_precision_loss, reason = "a ratio of counts")]
            Function::DistinctRatio => {
                let rows = counts.rows();
                float((rows > 0).then(|| counts.distinct() as f64 / rows as f64))
            }
            _ => {
                let cells = self.cells(argument);
                let text = |cell: u64| self.texts.get(u32::try_from(cell).ok()?);
                let order = |a: u64, b: u64| match cells {
                    Cells::Text => text(a).cmp(&text(b)),
                    cells => cells.rank(a).cmp(&cells.rank(b)),
                };
                // Of those that are there most often, the least.
                let best = counts.each().min_by(|(a, n), (b, m)| match m.cmp(n) {
                    Ordering::Equal => order(*a, *b),
                    other => other,
                });
                cell(best.map(|(value, _)| value))
            }
        }
    }

    fn of_sorted(&self, function: Function, sorted: &Sorted, argument: usize) -> Answer {
        let (ranks, cells) = (sorted.ranks(), self.cells(argument));
        let value = |rank: &i64| cells.number(cells.of_rank(*rank));
        match function {
            Function::Quantile(q) => float(quantile(ranks.len(), q, |at| ranks.get(at).map(value))),
            Function::TopK(k) => {
                Answer::Cells(ranks.iter().rev().take(k).map(|r| cells.of_rank(*r)).collect())
            }
            Function::BottomK(k) => {
                Answer::Cells(ranks.iter().take(k).map(|r| cells.of_rank(*r)).collect())
            }
            _ => {
                let Some(current) = self.row.cell(argument) else { return Answer::Null };
                let median = quantile(ranks.len(), 0.5, |at| ranks.get(at).map(value));
                float(median.and_then(|median| {
                    let mut away: Vec<f64> =
                        ranks.iter().map(|r| (value(r) - median).abs()).collect();
                    away.sort_unstable_by(f64::total_cmp);
                    let mad = quantile(away.len(), 0.5, |at| away.get(at).copied())?;
                    (mad > 0.0).then(|| 0.6745 * (cells.number(current) - median) / mad)
                }))
            }
        }
    }

    fn of_ends(&self, function: Function, argument: usize, window: usize) -> Answer {
        let rows = self.lane.window(window);
        let value = |row: u64| self.lane.cell(argument, row);
        match function {
            Function::First => cell(rows.into_iter().find_map(value)),
            Function::Last => cell(rows.into_iter().rev().find_map(value)),
            Function::FirstK(k) => Answer::Cells(rows.filter_map(value).take(k).collect()),
            Function::LastK(k) => Answer::Cells(rows.rev().filter_map(value).take(k).collect()),
            _ => Answer::Null,
        }
    }
}

pub(super) fn count(n: u64) -> Answer {
    Answer::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

/// Quantile `q` of values in their order, linear between neighbours (type 7 of Hyndman and Fan, as
/// numpy's default).
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in a list"
)]
pub(super) fn quantile(count: usize, q: f64, value: impl Fn(usize) -> Option<f64>) -> Option<f64> {
    let place = q * count.checked_sub(1)? as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let low = value(below)?;
    match value(below + 1).filter(|_| part > 0.0) {
        Some(high) => Some(low + (high - low) * part),
        None => Some(low),
    }
}

/// What a partial aggregate says as of `now`; `current` is the row's own value.
#[expect(clippy::cast_precision_loss, reason = "a mean is a double")]
pub(super) fn of_known(
    function: Function,
    known: Known,
    now: i64,
    current: impl Fn() -> Option<f64>,
) -> Answer {
    use Function as F;
    match (function, known) {
        (F::Count, Known::Integers(all)) => count(all.n),
        (F::Count, Known::Floats(all)) => count(all.n),
        (F::Sum, Known::Integers(all)) if all.n > 0 => {
            i64::try_from(all.sum).map_or(Answer::TooLarge, Answer::Integer)
        }
        (F::Sum, Known::Floats(all)) if all.n > 0 => float(Some(all.sum())),
        (F::Mean, Known::Integers(all)) if all.n > 0 => float(Some(all.sum as f64 / all.n as f64)),
        (F::Mean, Known::Floats(all)) if all.n > 0 => float(Some(all.sum() / all.n as f64)),
        (F::Variance(ddof), Known::Spread(all)) => float(all.variance(ddof)),
        (F::Deviation(ddof), Known::Spread(all)) => float(all.variance(ddof).map(f64::sqrt)),
        (F::ZScore, Known::Spread(all)) => {
            let deviation = all.variance(1.0).map(f64::sqrt).filter(|sd| *sd > 0.0);
            float(deviation.zip(current()).map(|(sd, value)| (value - all.mean) / sd))
        }
        (F::Skew, Known::Moments(all)) => float(all.skew()),
        (F::Kurtosis, Known::Moments(all)) => float(all.kurtosis()),
        (F::Correlation, Known::Pairs(all)) => float(all.correlation()),
        (F::Covariance, Known::Pairs(all)) => float(all.covariance()),
        (F::Slope, Known::Pairs(all)) => float(all.slope()),
        (F::DecayedCount(_), Known::Decayed(all)) => {
            float(Some(all.at(now).map_or(0.0, |(weight, _)| weight)))
        }
        (F::DecayedSum(_), Known::Decayed(all)) => float(all.at(now).map(|(_, sum)| sum)),
        (F::DecayedMean(_), Known::Decayed(all)) => float(all.mean()),
        (F::Ewma(_), Known::Smoothed(all)) => float(all.mean()),
        (F::EwVar(_), Known::Smoothed(all)) => float(all.variance()),
        (F::Drawdown, Known::Fall(all)) => float(all.deepest()),
        _ => Answer::Null,
    }
}
