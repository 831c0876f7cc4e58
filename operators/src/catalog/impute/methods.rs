//! What `impute` fills in.

use crate::learned::{Answer, Known, Statistic, Transform, Value};

/// A method with all it needs.
#[derive(Debug, Clone)]
pub(super) enum Filling {
    Constant(String),
    Mean,
    Median,
    MostFrequent,
    /// Not older than so many microseconds.
    Last {
        max_age: Option<i64>,
    },
}

impl Filling {
    /// Whether it computes with values.
    pub(super) const fn is_numeric(&self) -> bool {
        matches!(self, Self::Mean | Self::Median)
    }

    pub(super) fn statistic(&self, room: usize) -> Statistic {
        match self {
            Self::Constant(_) => Statistic::None,
            Self::Mean => Statistic::Moments,
            Self::Median => Statistic::Quantiles { shares: [0.5].into(), spread: false },
            Self::MostFrequent => {
                Statistic::Categories { room, most: 1, nulls: false, labels: false }
            }
            Self::Last { .. } => Statistic::Last,
        }
    }

    fn filled<'a>(&'a self, known: Known<'a>) -> Option<Answer<'a>> {
        Some(match self {
            Self::Constant(text) => Answer::Text(text),
            Self::Mean => Answer::Number(known.fit.moments()?.0),
            Self::Median => Answer::Number(*known.fit.table(known.spec)?.first()?),
            Self::MostFrequent => {
                Answer::Text(known.fit.categories(known.spec)?.0.most_frequent()?)
            }
            Self::Last { max_age } => {
                let (text, time) = known.fit.last()?;
                let age = known.time.saturating_sub(time);
                Answer::Text(max_age.is_none_or(|most| age <= most).then_some(text)?)
            }
        })
    }
}

impl Transform for Filling {
    fn one<'a>(&'a self, known: Known<'a>, value: Value<'a>) -> Answer<'a> {
        // A value that is there stays as it is.
        if value == Value::Null { self.filled(known).unwrap_or(Answer::Null) } else { Answer::Null }
    }
}

/// Whether a value is missing.
#[derive(Debug)]
pub(super) struct Missing;

impl Transform for Missing {
    fn one<'a>(&'a self, _known: Known<'a>, value: Value<'a>) -> Answer<'a> {
        Answer::Flag(value == Value::Null)
    }
}
