//! The formulas of `encode`.

use arrow::datatypes::DataType;

use super::{EncodedColumn, Method};
use crate::learned::{Answer, Known, Statistic, Transform, Value};

/// A method with all it needs.
#[derive(Debug, Clone)]
pub(super) enum Encoding {
    Count { unknown: f64 },
    Share { unknown: f64 },
    Ordinal { unknown: i64 },
    Target { smoothing: f64, prior: Option<f64>, unknown: Option<f64> },
    Evidence { fill: Option<f64>, unknown: Option<f64> },
    Rare { kept: Kept, other: String },
}

/// Which categories are not rare.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kept {
    Top(usize),
    Count(f64),
    Share(f64),
}

impl Encoding {
    pub(super) fn plan(of: &EncodedColumn) -> Result<Self, &'static str> {
        let only = |given: bool, method: Method, why| {
            if given && of.method != method { Err(why) } else { Ok(()) }
        };
        only(of.smoothing.is_some(), Method::Target, "`smoothing` is given")?;
        only(of.prior.is_some(), Method::Target, "`prior` is given")?;
        only(of.fill.is_some(), Method::WeightOfEvidence, "`fill` is given")?;
        let kept = [of.top.is_some(), of.min_count.is_some(), of.min_share.is_some()];
        let kept_by = kept.into_iter().filter(|given| *given).count();
        only(kept_by > 0 || of.other.is_some(), Method::Rare, "options of `rare` are given")?;
        if of.smoothing.is_some_and(|s| s < 0.0) || of.fill.is_some_and(|fill| fill <= 0.0) {
            return Err("`smoothing` is negative, or `fill` is not above 0");
        }
        Ok(match of.method {
            Method::Count => Self::Count { unknown: of.unknown.unwrap_or(0.0) },
            Method::Share => Self::Share { unknown: of.unknown.unwrap_or(0.0) },
            Method::Ordinal => {
                let unknown = of.unknown.unwrap_or(-1.0);
                if unknown.fract() != 0.0 || unknown.abs() > 1e15 {
                    return Err("`unknown` is no whole number");
                }
                #[expect(clippy::cast_possible_truncation, reason = "whole")]
                Self::Ordinal { unknown: unknown as i64 }
            }
            Method::Target => {
                let smoothing = of.smoothing.unwrap_or(0.0);
                Self::Target { smoothing, prior: of.prior, unknown: of.unknown }
            }
            Method::WeightOfEvidence => Self::Evidence { fill: of.fill, unknown: of.unknown },
            Method::Rare => {
                let kept = match (kept_by, of.top, of.min_count, of.min_share) {
                    (1, Some(top), _, _) if top > 0 => Kept::Top(top),
                    (1, _, Some(count), _) => Kept::Count(count),
                    (1, _, _, Some(share)) => Kept::Share(share),
                    _ => return Err("it needs one of `top`, `min_count` and `min_share`"),
                };
                if of.unknown.is_some() {
                    return Err("`unknown` is given");
                }
                Self::Rare { kept, other: of.other.clone().unwrap_or_else(|| "other".into()) }
            }
        })
    }

    pub(super) const fn is_supervised(&self) -> bool {
        matches!(self, Self::Target { .. } | Self::Evidence { .. })
    }

    pub(super) const fn statistic(&self, room: usize) -> Statistic {
        let most = if let Self::Rare { kept: Kept::Top(top), .. } = self { *top } else { 0 };
        let nulls = !matches!(self, Self::Rare { .. });
        Statistic::Categories { room, most, nulls, labels: self.is_supervised() }
    }

    pub(super) const fn data_type(&self) -> DataType {
        match self {
            Self::Ordinal { .. } => DataType::Int64,
            Self::Rare { .. } => DataType::Utf8,
            _ => DataType::Float64,
        }
    }

    fn answer<'a>(&'a self, known: Known<'a>, name: Option<&'a str>) -> Option<Answer<'a>> {
        let (categories, unit) = known.fit.categories(known.spec)?;
        let of = categories.get(name).map(|c| (c.n / unit, c.sum / unit, c.order));
        let all = (categories.all().n / unit, categories.all().sum / unit);
        Some(match self {
            Self::Count { unknown } => Answer::Number(of.map_or(*unknown, |(n, ..)| n)),
            Self::Share { unknown } => Answer::Number(of.map_or(*unknown, |(n, ..)| n / all.0)),
            Self::Ordinal { unknown } => {
                Answer::Integer(of.map_or(*unknown, |(.., order)| order.into()))
            }
            Self::Target { smoothing, prior, unknown } => {
                if of.is_none()
                    && let Some(unknown) = unknown
                {
                    return Some(Answer::Number(*unknown));
                }
                let prior = prior.or_else(|| (all.0 > 0.0).then(|| all.1 / all.0))?;
                let (n, sum, _) = of.unwrap_or_default();
                let weight = n + smoothing;
                let smoothed = (sum + smoothing * prior) / weight;
                Answer::Number(if weight > 0.0 { smoothed } else { prior })
            }
            Self::Evidence { fill, unknown } => {
                let Some((n, positive, _)) = of else { return unknown.map(Answer::Number) };
                let share = |part: f64, whole: f64| {
                    let share = if whole > 0.0 { part / whole } else { 0.0 };
                    if share > 0.0 { Some(share) } else { *fill }
                };
                let negative = share(n - positive, all.0 - all.1)?;
                Answer::Number((share(positive, all.1)? / negative).ln())
            }
            Self::Rare { kept, other } => {
                let name = name?;
                let is_kept = match kept {
                    Kept::Top(_) => categories.is_top(Some(name)),
                    Kept::Count(least) => of.is_some_and(|(n, ..)| n >= *least),
                    Kept::Share(least) => of.is_some_and(|(n, ..)| n / all.0 >= *least),
                };
                Answer::Text(if is_kept { name } else { other })
            }
        })
    }
}

impl Transform for Encoding {
    fn one<'a>(&'a self, known: Known<'a>, value: Value<'a>) -> Answer<'a> {
        let name = if let Value::Text(name) = value { Some(name) } else { None };
        self.answer(known, name).unwrap_or(Answer::Null)
    }
}
