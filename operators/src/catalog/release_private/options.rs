//! The options of `release_private`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Duration;

/// Publishes the counts of each window with differential privacy: from all that is ever published
/// nobody learns whether one event, or one person, was in the data, but for `epsilon` and `delta`.
///
/// For each window and each of the `tables` there comes a row for every combination of the public
/// `domain`, also where nothing was counted: `window_start`, `window_end`, `window_time`, `table`, the
/// columns of the domain (null where the table does not have them; a bin of numbers as `[0, 1000)`),
/// `count` with its noise (it may be negative), `sigma`, the standard deviation of the noise, and
/// `rho`, what the window cost.
///
/// What is protected is the `unit`: with `event` each row, with `entity` all rows of one value of
/// `entity`, of which at most `max_contributions` count in a window, chosen by a hash. Neighbouring
/// data lack one unit. Noise is a discrete Gaussian, drawn exactly in whole numbers from the operating
/// system's generator. Costs are counted in zero-concentrated differential privacy (rho) with the tight
/// conversion to (epsilon, delta). With `event`, windows compose in parallel, and the budget serves
/// all of them; with `entity` their costs add up, and `releases` says how many windows it must pay for.
/// Different series of one ledger always add up.
///
/// The `ledger` is a file that holds what was spent and every release. A release is paid for first and
/// published from the file: a crash publishes the very same numbers again, or pays a second time for
/// others; with `releases: 2` a budget for events has room for one such crash in a window. Where the
/// budget does not suffice, the topology stops and nothing is published. Nodes that work on the same
/// data share its ledger, over restarts and other names of the topology too; do not delete it or bring
/// back an older copy.
///
/// Windows follow one another without gaps from the first one (or `from`) until the watermark. Rows of
/// windows that have closed, or before `from`, are late. Not protected: rows on the ports `late` and
/// `errors`, the node's metrics of rows, logs and snapshots, and whatever else the topology does with
/// its input.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleasePrivateOptions {
    /// Name of the data that is protected, as the ledger has it.
    pub dataset: String,
    /// File of the ledger, on a disk that outlives the process. `memory` forgets it with the
    /// process, for trials.
    pub ledger: String,
    /// What is protected.
    pub unit: Unit,
    /// For `unit: entity`: the column that tells entities apart.
    #[serde(default)]
    pub entity: Option<String>,
    /// For `unit: entity`: most rows of an entity that count in a window.
    #[serde(default)]
    pub max_contributions: Option<u32>,
    /// What may be spent on the data in all.
    pub budget: Budget,
    /// Into how many equal parts the budget is divided, each of which pays for one window.
    #[serde(default = "one")]
    pub releases: u32,
    /// Size of the tumbling windows.
    pub window: Duration,
    /// Start of the first window, such as `2026-01-01T00:00:00Z`. Without it the first row says, and
    /// its time is not protected.
    #[serde(default)]
    pub from: Option<String>,
    /// The public values of columns, given without looking at the data.
    pub domain: BTreeMap<String, Domain>,
    /// What is counted: names of tables with their columns of the domain; `[]` counts all rows.
    pub tables: BTreeMap<String, Vec<String>>,
    /// What happens to a row with a value outside of its domain, or without one.
    #[serde(default)]
    pub outside: Outside,
    /// Name under which the ledger keeps this node's releases; the node's name without it. Changed
    /// tables or noise need another one.
    #[serde(default)]
    pub series: Option<String>,
    /// Whether counts below 0 become 0, which costs nothing and makes sums of many cells too high.
    #[serde(default)]
    pub clamp: bool,
}

const fn one() -> u32 {
    1
}

/// What is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// One row.
    Event,
    /// All rows of one entity.
    Entity,
}

/// A privacy budget.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// How much more likely any outcome may be made by one unit, as a logarithm: 1 is strong, above
    /// 8 means little.
    pub epsilon: f64,
    /// The chance that `epsilon` does not hold; far below one over the number of units.
    pub delta: f64,
}

/// The public values of a column: either `values` or `edges`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// The values, as text.
    #[serde(default)]
    pub values: Option<Vec<String>>,
    /// Ascending edges of bins of numbers. Numbers beyond the ends count in the first and the last
    /// bin.
    #[serde(default)]
    pub edges: Option<Vec<f64>>,
}

/// What happens to a row with a value outside of its domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outside {
    /// It is a bad record (`SW3261`): `on_error` of the node says where it goes, unprotected.
    #[default]
    DeadLetter,
    /// It counts as `__other__`.
    Other,
    /// It is left out.
    Drop,
}
