//! Features read from what tiles, or sketches of a window's rows, know.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer::{Answer, cell, count, float, of_known, quantile};
use super::bag::entropy;
use super::call::Function;
use super::categories::Share;
use super::heavy::{Heavy, Value};
use super::held::Known;
use super::layout::Feature;
use super::shape::{Cells, Row};
use super::tile_lane::Told;

/// Where features of one row are read.
pub(super) struct Asking<'a> {
    pub(super) arguments: &'a [Cells],
    /// The row that the features are for.
    pub(super) row: Row<'a>,
}

impl Asking<'_> {
    /// The value of a feature.
    pub(super) fn answer(&self, feature: &Feature, told: Option<&Told>) -> Answer {
        match told {
            None => Answer::Null,
            Some(Told::Heavy(heavy)) => self.of_heavy(feature, heavy),
            Some(Told::Known(Known::Cell(held))) => cell(*held),
            Some(Told::Known(Known::Newest(held))) =>
            {
                #[expect(clippy::cast_precision_loss, reason = "to a microsecond for 285 years")]
                float(held.map(|newest| (self.row.time - newest) as f64 / 1e6))
            }
            Some(Told::Known(known)) => {
                of_known(feature.function, *known, self.row.time, || self.current(feature))
            }
        }
    }

    fn cells(&self, feature: &Feature) -> Cells {
        let first = feature.arguments.first().and_then(|first| self.arguments.get(*first));
        first.copied().unwrap_or(Cells::Integer)
    }

    /// The row's own value.
    fn current(&self, feature: &Feature) -> Option<f64> {
        let own = self.row.cell(*feature.arguments.first()?)?;
        Some(self.cells(feature).number(own))
    }

    /// What a partial aggregate without a fixed size says.
    pub(super) fn of_heavy(&self, feature: &Feature, heavy: &Heavy) -> Answer {
        use Function as F;
        let cells = self.cells(feature);
        match (feature.function, heavy) {
            (F::First | F::Last, Heavy::Items(items)) => {
                items.first().map_or(Answer::Null, |value| one(value, cells))
            }
            (F::FirstK(_) | F::BottomK(_), Heavy::Items(items)) => list(items.iter(), cells),
            (F::LastK(_) | F::TopK(_), Heavy::Items(items)) => list(items.iter().rev(), cells),
            (F::ArgMin | F::ArgMax, Heavy::At(Some((_, Some(value))))) => one(value, cells),
            (function, Heavy::Counts(counts)) => self.of_counts(function, counts, feature),
            (F::ApproxDistinct, Heavy::Distinct(hll)) => count(hll.estimate()),
            (F::HllSketch, Heavy::Distinct(hll)) => Answer::Bytes(hll.to_bytes()),
            (F::ApproxQuantile(q), Heavy::Quantiles(sketch)) => float(sketch.quantile(q)),
            (F::Histogram, Heavy::Histogram(counts)) => Answer::Cells(counts.clone()),
            (function, Heavy::Categories(all)) => {
                let each = all.sorted().into_iter();
                Answer::Map(each.map(|(name, share)| (name, of_share(function, share))).collect())
            }
            _ => Answer::Null,
        }
    }

    fn of_counts(
        &self,
        function: Function,
        counts: &BTreeMap<Value, u64>,
        feature: &Feature,
    ) -> Answer {
        use Function as F;
        let cells = self.cells(feature);
        let rows: u64 = counts.values().sum();
        match function {
            F::Distinct => count(counts.len() as u64),
            #[expect(clippy::cast_precision_loss, reason = "a ratio of counts")]
            F::DistinctRatio => float((rows > 0).then(|| counts.len() as f64 / rows as f64)),
            F::Entropy => float(entropy(counts.values().copied().collect())),
            F::Mode => {
                // Of those that are there most often, the least, which comes first.
                let best = counts.iter().rev().max_by_key(|(_, times)| **times);
                best.map_or(Answer::Null, |(value, _)| one(value, cells))
            }
            F::Quantile(q) => {
                let values = expanded(counts, cells);
                float(quantile(values.len(), q, |at| values.get(at).copied()))
            }
            F::RobustZ => {
                let mut values = expanded(counts, cells);
                let median = quantile(values.len(), 0.5, |at| values.get(at).copied());
                float(median.zip(self.current(feature)).and_then(|(median, own)| {
                    values.iter_mut().for_each(|value| *value = (*value - median).abs());
                    values.sort_unstable_by(f64::total_cmp);
                    let mad = quantile(values.len(), 0.5, |at| values.get(at).copied())?;
                    (mad > 0.0).then(|| 0.6745 * (own - median) / mad)
                }))
            }
            _ => Answer::Null,
        }
    }
}

/// All values in their order.
fn expanded(counts: &BTreeMap<Value, u64>, cells: Cells) -> Vec<f64> {
    let each = counts.iter().filter_map(|(value, times)| match value {
        Value::Rank(rank) => {
            let times = usize::try_from(*times).unwrap_or(usize::MAX);
            Some(std::iter::repeat_n(cells.number(cells.of_rank(*rank)), times))
        }
        Value::Text(_) => None,
    });
    each.flatten().collect()
}

fn one(value: &Value, cells: Cells) -> Answer {
    match value {
        Value::Rank(rank) => Answer::Cell(cells.of_rank(*rank)),
        Value::Text(text) => Answer::Text(Arc::clone(text)),
    }
}

fn list<'v>(values: impl Iterator<Item = &'v Value>, cells: Cells) -> Answer {
    if cells == Cells::Text {
        let text = |value: &Value| match value {
            Value::Text(text) => Some(Arc::clone(text)),
            Value::Rank(_) => None,
        };
        return Answer::Texts(values.filter_map(text).collect());
    }
    let rank = |value: &Value| match value {
        Value::Rank(rank) => Some(cells.of_rank(*rank)),
        Value::Text(_) => None,
    };
    Answer::Cells(values.filter_map(rank).collect())
}

fn of_share(function: Function, share: Share) -> Answer {
    let (integers, floats) = (share.integers, share.floats);
    let known = if floats.n > 0 { Known::Floats(floats) } else { Known::Integers(integers) };
    let function = match function {
        Function::CountBy => Function::Count,
        Function::SumBy => Function::Sum,
        _ => Function::Mean,
    };
    of_known(function, known, 0, || None)
}
