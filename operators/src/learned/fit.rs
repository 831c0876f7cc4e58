//! What is learned of one column (of the rows of one key).

use std::sync::Arc;

use swiftwater_engine::Result;

use super::categories::{Categories, Counts};
use super::clock::Clock;
use super::moments::{Moments, Range};
use super::options::mistake;
use super::sketch::Sketch;
use super::transform::Value;

/// What a transformation needs to know.
#[derive(Debug, Clone)]
pub(crate) enum Statistic {
    /// Nothing.
    None,
    /// Mean and variance.
    Moments,
    /// Least and greatest value.
    Range,
    /// Values at these shares, and the median distance from the middle one.
    Quantiles { shares: Arc<[f64]>, spread: bool },
    /// Counts of at most `room` categories; the `most` most frequent ones; null as one of them.
    Categories { room: usize, most: usize, nulls: bool, labels: bool },
    /// The last value.
    Last,
}

/// A statistic and how fast it forgets.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) statistic: Statistic,
    pub(crate) half_life: Option<i64>,
}

/// What was learned.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fit {
    pub(super) clock: Clock,
    pub(super) learned: Learned,
}

#[derive(Debug, Clone, Default)]
pub(super) enum Learned {
    #[default]
    Nothing,
    Moments(Moments),
    Range(Range),
    Sketch(Box<Sketch>),
    /// Quantiles that were read from a file.
    Table(Vec<f64>),
    Categories(Box<Categories>),
    Last(Arc<str>, i64),
}

impl Learned {
    pub(super) fn new(statistic: &Statistic) -> Self {
        match statistic {
            Statistic::None | Statistic::Last => Self::Nothing,
            Statistic::Moments => Self::Moments(Moments::default()),
            Statistic::Range => Self::Range(Range::default()),
            Statistic::Quantiles { .. } => Self::Sketch(Box::default()),
            Statistic::Categories { most, .. } => {
                Self::Categories(Box::new(Categories::new(*most)))
            }
        }
    }
}

/// What became of a lesson.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lesson {
    /// Nothing is known that was not before.
    Skipped,
    Learned,
    /// A new category for which there is no room.
    NoRoom,
}

impl Fit {
    pub(super) fn new(spec: &Spec) -> Self {
        Self { clock: Clock::default(), learned: Learned::new(&spec.statistic) }
    }

    /// Learns from a row of `time`.
    pub(super) fn learn(
        &mut self,
        spec: &Spec,
        value: Value<'_>,
        (label, time): (f64, i64),
    ) -> Lesson {
        let skipped = match (&spec.statistic, value) {
            (Statistic::None, _) => true,
            (Statistic::Categories { nulls, .. }, Value::Null) => !nulls,
            (_, Value::Null) => true,
            _ => false,
        };
        if skipped {
            return Lesson::Skipped;
        }
        if let Statistic::Last = spec.statistic {
            if let Value::Text(text) = value {
                let held = match &self.learned {
                    Learned::Last(held, _) if &**held == text => Arc::clone(held),
                    _ => text.into(),
                };
                self.learned = Learned::Last(held, time);
            }
            return Lesson::Learned;
        }
        let (weight, rescale) = self.clock.weight(time, spec.half_life);
        if let Some(by) = rescale {
            self.rescale(by);
        }
        match (&mut self.learned, value) {
            (Learned::Moments(moments), Value::Number(x)) => moments.add(x, weight),
            (Learned::Range(range), Value::Number(x)) => {
                return if range.add(x) { Lesson::Learned } else { Lesson::Skipped };
            }
            (Learned::Sketch(sketch), Value::Number(x)) => sketch.add(x, weight),
            (Learned::Categories(categories), value) => {
                let Statistic::Categories { room, .. } = spec.statistic else {
                    return Lesson::Skipped;
                };
                let name = if let Value::Text(name) = value { Some(name) } else { None };
                if !categories.add(name, (weight, label), room) {
                    return Lesson::NoRoom;
                }
            }
            _ => return Lesson::Skipped,
        }
        Lesson::Learned
    }

    fn rescale(&mut self, by: f64) {
        match &mut self.learned {
            Learned::Moments(moments) => moments.rescale(by),
            Learned::Sketch(sketch) => sketch.rescale(by),
            Learned::Categories(categories) => categories.rescale(by),
            _ => {}
        }
    }

    /// Mean and variance.
    pub(crate) fn moments(&self) -> Option<(f64, f64)> {
        if let Learned::Moments(moments) = &self.learned { moments.read() } else { None }
    }

    /// Least and greatest value.
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        if let Learned::Range(range) = &self.learned { range.read() } else { None }
    }

    /// Values at the shares of the statistic, then the median distance where it is asked for.
    pub(crate) fn table(&self, spec: &Spec) -> Option<&[f64]> {
        match (&self.learned, &spec.statistic) {
            (Learned::Table(table), _) => Some(table),
            (Learned::Sketch(sketch), Statistic::Quantiles { shares, spread }) => {
                sketch.read(shares, *spread, self.clock.unit(spec.half_life))
            }
            _ => None,
        }
    }

    /// Categories, and the weight that stands for one row.
    pub(crate) fn categories(&self, spec: &Spec) -> Option<(&Categories, f64)> {
        let Learned::Categories(categories) = &self.learned else { return None };
        Some((categories, self.clock.unit(spec.half_life)))
    }

    /// The last value and its time.
    pub(crate) fn last(&self) -> Option<(&str, i64)> {
        if let Learned::Last(text, time) = &self.learned { Some((text, *time)) } else { None }
    }

    /// The numbers from which another process transforms as this one does.
    pub(super) fn parameters(&self, spec: &Spec, mut tell: impl FnMut(Option<&str>, &str, f64)) {
        match &self.learned {
            Learned::Nothing => {}
            Learned::Moments(moments) => {
                if let Some((mean, variance)) = moments.read() {
                    tell(None, "count", moments.n / self.clock.unit(spec.half_life));
                    tell(None, "mean", mean);
                    tell(None, "variance", variance);
                }
            }
            Learned::Range(range) => {
                if let Some((least, greatest)) = range.read() {
                    tell(None, "min", least);
                    tell(None, "max", greatest);
                }
            }
            Learned::Sketch(_) | Learned::Table(_) => {
                let Statistic::Quantiles { shares, spread } = &spec.statistic else { return };
                let Some(table) = self.table(spec) else { return };
                for (share, value) in shares.iter().zip(table) {
                    tell(None, &quantile_name(*share), *value);
                }
                if *spread && let Some(distance) = table.get(shares.len()) {
                    tell(None, "mad", *distance);
                }
            }
            Learned::Categories(categories) => {
                let unit = self.clock.unit(spec.half_life);
                let labels = matches!(spec.statistic, Statistic::Categories { labels: true, .. });
                let all = categories.all();
                if all.n > 0.0 {
                    tell(None, "total_count", all.n / unit);
                    if labels {
                        tell(None, "total_sum", all.sum / unit);
                    }
                }
                for (name, counts) in categories.iter() {
                    tell(name, "count", counts.n / unit);
                    if labels {
                        tell(name, "sum", counts.sum / unit);
                    }
                    tell(name, "order", counts.order.into());
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "exact until the year 2255")]
            Learned::Last(text, time) => tell(Some(text), "last", *time as f64),
        }
    }

    /// What the rows of a file say.
    pub(super) fn of_parameters(spec: &Spec, rows: &[Parameter]) -> Result<Self> {
        let mut fit = Self::new(spec);
        let find = |name: &str| {
            rows.iter().find(|r| r.statistic == name).map(|r| r.value).ok_or_else(|| {
                mistake(&format!("serve a column whose parameters lack `{name}`"), PARAMETERS)
            })
        };
        fit.learned = match &spec.statistic {
            Statistic::None => Learned::Nothing,
            Statistic::Moments => {
                Learned::Moments(Moments { n: 1.0, mean: find("mean")?, m2: find("variance")? })
            }
            Statistic::Range => {
                Learned::Range(Range { least: find("min")?, greatest: find("max")? })
            }
            Statistic::Quantiles { shares, spread } => {
                let values = shares.iter().map(|share| find(&quantile_name(*share)));
                let mut table = values.collect::<Result<Vec<f64>>>()?;
                if *spread {
                    table.push(find("mad")?);
                }
                Learned::Table(table)
            }
            Statistic::Categories { most, .. } => {
                let mut categories = Categories::new(*most);
                let of = |name: &str| find(name).unwrap_or(0.0);
                let all = Counts { n: find("total_count")?, sum: of("total_sum"), order: 0 };
                for row in rows {
                    if row.statistic.starts_with("total_") {
                        continue;
                    }
                    let name = row.category.as_deref();
                    let mut counts = categories.get(name).unwrap_or_default();
                    match row.statistic.as_str() {
                        "count" => counts.n = row.value,
                        "sum" => counts.sum = row.value,
                        #[expect(
                            clippy::cast_possible_truncation,
                            clippy::cast_sign_loss,
                            reason = "a whole number"
                        )]
                        "order" => counts.order = row.value as u32,
                        _ => continue,
                    }
                    categories.restore(name, counts);
                }
                categories.restore_all(all);
                categories.settle();
                Learned::Categories(Box::new(categories))
            }
            Statistic::Last => {
                let last = rows.iter().rev().find(|r| r.statistic == "last");
                #[expect(clippy::cast_possible_truncation, reason = "whole microseconds")]
                let found = last.and_then(|r| Some((r.category.as_deref()?, r.value as i64)));
                found.map_or(Learned::Nothing, |(text, time)| Learned::Last(text.into(), time))
            }
        };
        Ok(fit)
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.learned {
                Learned::Sketch(sketch) => sketch.bytes(),
                Learned::Categories(categories) => categories.bytes(),
                Learned::Last(text, _) => text.len(),
                _ => 0,
            }
    }
}

/// A row of a file of parameters, its column and key left out.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub(super) category: Option<String>,
    pub(super) statistic: String,
    pub(super) value: f64,
}

pub(super) const PARAMETERS: &str =
    "give the rows of the port `parameters` of a node with the same columns and methods";

fn quantile_name(share: f64) -> String {
    format!("q{share}")
}
