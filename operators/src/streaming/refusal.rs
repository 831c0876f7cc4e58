//! Why a query cannot run on a stream, and what to write instead.

use swiftwater_engine::Error;

use crate::expression::fault::quote;

/// What is refused.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    /// An order or a limit of the whole result.
    Order,
    /// A join whose rows would wait for ever.
    UnboundedJoin,
    /// A rank without a bound.
    UnboundedRank,
    /// DISTINCT of the whole result.
    Distinct,
    /// Windows that are not what the query does with them.
    Window,
    /// Rows that replace earlier ones, in a place that takes each row for itself.
    Upserts,
    /// Several tasks for stages of different keys.
    Parallelism,
    /// A column or a clause that has no meaning there.
    Clause,
}

impl Refusal {
    const fn code(self) -> &'static str {
        match self {
            Self::Order => "SW0351",
            Self::UnboundedJoin => "SW0352",
            Self::UnboundedRank => "SW0353",
            Self::Distinct => "SW0354",
            Self::Window => "SW0355",
            Self::Upserts => "SW0356",
            Self::Parallelism => "SW0357",
            Self::Clause => "SW0358",
        }
    }

    /// The error: `what` completes "failed to …".
    pub(super) fn error(self, what: impl std::fmt::Display, hint: &str, text: &str) -> Error {
        Error::config(self.code(), format!("{what} in {}", quote(text))).with_hint(hint)
    }
}
