//! The options of `join`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use swiftwater_config::Duration;
use swiftwater_engine::{Error, Result};

/// Joins the rows of two streams that have the same key and meet in time.
///
/// The node has two inputs, `inputs: [left, right]`, both with event time. `on` names the columns
/// that must be equal: `on: [auction]` where both sides have the name, `on: {auction: id}` (left:
/// right) where they differ. A null equals nothing. Rows meet by exactly one of:
///
/// - `within: {before: 5s, after: 10s}`: the right row's time is at most 5 s before and 10 s after
///   the left row's. A pair comes out as soon as its second row is there.
/// - `as_of: {}`: each left row gets the newest right row up to its own time: the version that
///   held then. The right side is a history of versions by key, such as prices or profiles.
/// - `window: {tumbling: {size: 10s}}`: both rows are in the same window. Pairs come out when the
///   window closes, with the columns `window_start`, `window_end` and `window_time`.
///
/// `type` says what becomes of rows that meet none: `inner` leaves them out, `left`, `right` and
/// `full` give them with nulls in the place of the other side, once no row can come that they would
/// meet. `where` is a further condition on both rows, over the columns of the result.
///
/// The result has the columns of the left side, then those of the right; an `on` column that has
/// the same name on both sides comes once. Other names that both sides have must be told apart by
/// `prefix` or `suffix`.
///
/// The event time of the result is the left row's (with `type: right` the right row's), so that its
/// watermark stays behind by `after` (`before`). With `within` and `time: joined_at` it is a column
/// of that name with the later of the two times, and the watermark of an inner join stays behind by
/// nothing. A `full` join with `within` has event time only with `time`. With `window` it is
/// `window_time`.
///
/// Rows at or before the watermark are late: what they would have met may be gone. A late right row
/// of an as-of join still counts for left rows to come, unless a newer one makes it needless. State
/// is dropped as the watermark passes; each side is held for as long as `before`, `after`, `max_age`
/// or the window say, an as-of join without `max_age` holds the newest right row of each key for
/// ever. A stream that is ahead of the other waits, so that the memory a join takes follows event
/// time and not how fast the streams are read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinOptions {
    /// Which rows come out that meet none of the other side.
    #[serde(default, rename = "type")]
    pub join: JoinType,
    /// Columns that must be equal: a list of names, or a map of left and right names.
    pub on: On,
    /// Rows meet whose times are close.
    #[serde(default)]
    pub within: Option<Within>,
    /// Each left row meets the newest right row up to its own time.
    #[serde(default)]
    pub as_of: Option<AsOf>,
    /// Rows meet that are in the same window.
    #[serde(default)]
    pub window: Option<JoinWindow>,
    /// A further SQL condition on both rows, over the columns of the result.
    #[serde(default, rename = "where")]
    pub condition: Option<String>,
    /// With `within`: name of a column with the later time of both rows, which becomes the event
    /// time of the result.
    #[serde(default)]
    pub time: Option<String>,
    /// What stands before names that both sides have.
    #[serde(default)]
    pub prefix: SideNames,
    /// What stands behind names that both sides have.
    #[serde(default)]
    pub suffix: SideNames,
}

/// Which rows come out that meet none of the other side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinType {
    /// None.
    #[default]
    Inner,
    /// Those of the left side.
    Left,
    /// Those of the right side.
    Right,
    /// Those of both sides.
    Full,
}

impl JoinType {
    /// Its name in a topology file.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Inner => "inner",
            Self::Left => "left",
            Self::Right => "right",
            Self::Full => "full",
        }
    }

    /// Whether rows of side 0 (left) or 1 (right) come out that meet none.
    pub(super) const fn keeps(self, side: usize) -> bool {
        match self {
            Self::Inner => false,
            Self::Left => side == 0,
            Self::Right => side == 1,
            Self::Full => true,
        }
    }
}

/// Columns that must be equal.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum On {
    /// Names that both sides have.
    Same(Vec<String>),
    /// Right names by left names.
    Named(
        /// Right names by left names.
        #[schemars(with = "std::collections::BTreeMap<String, String>")]
        Map<String, Value>,
    ),
}

impl On {
    /// Names of the left and of the right side.
    pub(super) fn names(&self) -> Result<(Vec<String>, Vec<String>)> {
        let (left, right): (Vec<String>, Vec<String>) = match self {
            Self::Same(names) => (names.clone(), names.clone()),
            Self::Named(map) => {
                let pair = |(left, right): (&String, &Value)| {
                    let hint = "write on: {auction: id}, the left column before the right";
                    let right = right.as_str().map(str::to_owned);
                    let right = right
                        .ok_or_else(|| mistake(format!("compare `{left}` with no name"), hint));
                    Ok((left.clone(), right?))
                };
                map.iter().map(pair).collect::<Result<Vec<_>>>()?.into_iter().unzip()
            }
        };
        if left.is_empty() {
            return Err(mistake("join on no column", "write on: [auction]"));
        }
        Ok((left, right))
    }
}

/// How far apart the times of two rows may be.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// The right row is at most this much older than the left row; 0s without it.
    #[serde(default)]
    pub before: Option<Duration>,
    /// The right row is at most this much newer than the left row; 0s without it.
    #[serde(default)]
    pub after: Option<Duration>,
}

/// How left rows find the right row that held at their time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AsOf {
    /// A right row counts only for left rows that are at most this much newer. Without it the newest
    /// right row of each key is kept for ever.
    #[serde(default)]
    pub max_age: Option<Duration>,
    /// When left rows are answered.
    #[serde(default)]
    pub wait: Wait,
}

/// When left rows are answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// When the watermark of both sides has passed them: the answer does not depend on which stream
    /// was read faster. Rows come out in the order of event time.
    #[default]
    Watermark,
    /// When they come, from what has come of the right side by then.
    Arrival,
}

/// The windows of a join.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinWindow {
    /// Windows of one size, one behind the other, aligned to 1970-01-01T00:00:00Z.
    pub tumbling: TumblingJoin,
}

/// Windows of one size.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TumblingJoin {
    /// Size of a window.
    pub size: Duration,
}

/// Texts for the names of the two sides.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SideNames {
    /// For the left side.
    #[serde(default)]
    pub left: Option<String>,
    /// For the right side.
    #[serde(default)]
    pub right: Option<String>,
}

/// How rows meet; times in microseconds.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Within { before: i64, after: i64 },
    AsOf { max_age: Option<i64>, wait: Wait },
    Window { size: i64 },
}

/// Options that do not fit together.
pub(super) fn mistake(message: impl Into<String>, hint: &str) -> Error {
    Error::config("SW0322", message).with_hint(hint)
}
