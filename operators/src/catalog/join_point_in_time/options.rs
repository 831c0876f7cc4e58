//! The options of `join_point_in_time`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use swiftwater_config::Duration;
use swiftwater_engine::{Error, Result};

/// Adds to each request (a label, a query, an order) the features of its key as they were known at
/// its time, so that a training set holds nothing that came later.
///
/// The first of `inputs` is the requests, the others are feature rows; all have event time, and each
/// of the others stands once in `features`. A request gets, of each feature input, the newest row of
/// its key before its own time; `include_current: true` takes in a row of the very same time. Of rows
/// of the same time, the one that became available last counts, then the one that came last. Every
/// request comes out, with nulls where there is no feature row; a null in a key equals nothing.
///
/// `ttl` says how old a feature row may be: it counts for requests up to that much after it, exactly
/// that much included. It must be given; `ttl: unlimited` holds the newest row of each key for ever.
///
/// `available_at` names a second clock, the time at which a feature row could be read: a row counts
/// only for requests at or after both its event time and that time. Without it, a row that was
/// computed late, or corrected afterwards, counts as if it had been there from its event time on, and
/// training sees what serving did not. A row whose `available_at` is null is set aside.
///
/// Requests wait until the watermark of all inputs has passed them, and come out in the order of
/// event time: the answer does not depend on which stream was read faster. A request at or before
/// the watermark is late. A late feature row still counts for requests to come, unless a newer one
/// hides it. Late rows go to the port `late` in the columns of the result.
///
/// A feature input may be a stream whose rows replace each other, if its key is the join's: each row
/// is the newest version from its time on, a `delete` takes the features away from then on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinPointInTimeOptions {
    /// Columns of the requests that name the entity.
    pub key: Vec<String>,
    /// What is added, for each input but the first.
    pub features: Vec<FeatureInput>,
}

/// One input of features.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureInput {
    /// Which of `inputs`.
    pub input: String,
    /// Columns that are compared with the node's `key`, in its order; without it those of the same
    /// names.
    #[serde(default)]
    pub key: Vec<String>,
    /// Columns that are added: a list, or a map of new names and columns. Without it all but the key,
    /// the event time and `available_at`.
    #[serde(default)]
    pub columns: Option<FeatureColumns>,
    /// What stands before the names of a list.
    #[serde(default)]
    pub prefix: Option<String>,
    /// How old a row may be: a duration, or `unlimited`.
    pub ttl: Ttl,
    /// The timestamp column that says since when a row could be read.
    #[serde(default)]
    pub available_at: Option<String>,
    /// Whether a row of the request's very time counts.
    #[serde(default)]
    pub include_current: bool,
}

/// Columns that are added.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FeatureColumns {
    /// Under their own names.
    Same(Vec<String>),
    /// Columns by their new names.
    Named(
        /// Columns by their new names.
        #[schemars(with = "std::collections::BTreeMap<String, String>")]
        Map<String, Value>,
    ),
}

/// How old a row may be.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Ttl {
    /// So much older than the request at most.
    Age(Duration),
    /// Any age.
    Word(Unlimited),
}

/// No limit.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unlimited {
    /// No limit.
    Unlimited,
}

impl FeatureInput {
    /// New names with the columns they are taken from; `rest` where none are named.
    pub(super) fn taken(
        &self,
        rest: impl FnOnce() -> Vec<String>,
    ) -> Result<Vec<(String, String)>> {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let same = |names: Vec<String>| -> Vec<(String, String)> {
            names.into_iter().map(|name| (format!("{prefix}{name}"), name)).collect()
        };
        let taken = match &self.columns {
            None => same(rest()),
            Some(FeatureColumns::Same(names)) => same(names.clone()),
            Some(FeatureColumns::Named(_)) if self.prefix.is_some() => {
                let hint = "`columns` as a map gives the whole names: remove `prefix`";
                return Err(mistake("use `prefix` with names that are given", hint));
            }
            Some(FeatureColumns::Named(map)) => {
                let pair = |(name, column): (&String, &Value)| {
                    let hint = "write columns: {driver_rating: rating}";
                    let column = column.as_str().map(|column| (name.clone(), column.to_owned()));
                    column.ok_or_else(|| mistake(format!("take `{name}` from no column"), hint))
                };
                map.iter().map(pair).collect::<Result<Vec<_>>>()?
            }
        };
        if taken.is_empty() {
            let message = format!("add no column of `{}`", self.input);
            return Err(mistake(message, "name some: columns: [rating]"));
        }
        Ok(taken)
    }
}

/// Options that do not fit together.
pub(super) fn mistake(message: impl Into<String>, hint: &str) -> Error {
    Error::config("SW0371", message).with_hint(hint)
}
