//! The topology as data: nodes, their common fields and the topology's own settings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::feature_view::FeatureViews;
use crate::units::{ByteSize, Duration};

/// What a node does in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Reads an external system.
    Source,
    /// Turns batches into batches.
    Operator,
    /// Writes an external system.
    Sink,
}

impl Role {
    /// The section of a topology file that holds nodes of this role.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Source => "sources",
            Self::Operator => "operators",
            Self::Sink => "sinks",
        }
    }
}

/// A reference to a node's output: `per_bidder`, or `split.high` for a named port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRef {
    /// The node's name.
    pub node: String,
    /// The port's name; `None` is the node's main output.
    pub port: Option<String>,
}

impl PortRef {
    /// Reads `node` or `node.port`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.split_once('.') {
            Some((node, port)) => Self { node: node.into(), port: Some(port.into()) },
            None => Self { node: text.into(), port: None },
        }
    }
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.port {
            Some(port) => write!(f, "{}.{port}", self.node),
            None => f.write_str(&self.node),
        }
    }
}

/// What happens to a record that cannot be decoded, evaluated or written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// Stop the topology and name the record (the default).
    #[default]
    Fail,
    /// Drop the record and count it in `swiftwater_dropped_rows_total`.
    Drop,
    /// Send the record with its reason to this sink.
    DeadLetter(String),
}

/// The format of messages: its name and its options. `Debug` leaves the options out, because they
/// may hold secrets.
#[derive(Clone, PartialEq)]
pub struct FormatConfig {
    /// Name of the format, such as `json`.
    pub name: String,
    /// Its options as written; an empty object where only the name was given.
    pub options: Value,
}

/// Which column holds the event time, and how far the stream may be out of order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventTimeConfig {
    /// Name of a timestamp column.
    pub column: String,
    /// How much older than the newest row a row may be before it counts as late.
    #[serde(default)]
    pub out_of_orderness: Option<Duration>,
    /// After how long without rows a partition no longer holds back the watermark.
    #[serde(default)]
    pub idle_after: Option<Duration>,
}

/// What a crash may do to results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Guarantee {
    /// Nothing is lost; after a crash some results may be written again (the default).
    #[default]
    AtLeastOnce,
    /// Nothing is lost and nothing is seen twice.
    ExactlyOnce,
}

/// How often an epoch ends and where snapshots live.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointConfig {
    /// Time between two barriers.
    #[serde(default = "CheckpointConfig::default_interval")]
    pub interval: Duration,
    /// URL of the object store that holds snapshots (`file:///…`, `s3://…`), or a directory of this
    /// machine (`/var/lib/swiftwater`, `./state`), with one directory for each topology; a directory
    /// of this machine's user where it is left out.
    #[serde(default)]
    pub store: Option<String>,
    /// Local directory for the part of state that is beyond its share of `memory`, or `off`: then the
    /// topology stops where state is beyond it. Its files have no names and are gone with the
    /// process. Left out, it is `~/.local/state/swiftwater-spill`, or where that cannot be written
    /// the temporary directory of the system.
    #[serde(default)]
    pub spill: Option<String>,
}

impl CheckpointConfig {
    fn default_interval() -> Duration {
        Duration::from_secs(1)
    }

    /// The URL of the object store that holds snapshots: the given one, or a directory of this
    /// machine's user (`$XDG_STATE_HOME/swiftwater`, else `~/.local/state/swiftwater`).
    #[must_use]
    pub fn store_url(&self) -> String {
        self.store.clone().unwrap_or_else(|| format!("file://{}/swiftwater", state_home()))
    }

    /// Directories for the part of state that is beyond its share of `memory`: the first that can
    /// be written is used. `None` where that is off.
    #[must_use]
    pub fn spill_directories(&self) -> Option<Vec<PathBuf>> {
        match self.spill.as_deref() {
            Some("off") => None,
            Some(named) => Some(vec![named.into()]),
            None => {
                let beside = format!("{}/swiftwater-spill", state_home());
                Some(vec![beside.into(), std::env::temp_dir().join("swiftwater-spill")])
            }
        }
    }
}

/// Where programs of this machine's user keep state.
fn state_home() -> String {
    let set = |name| std::env::var(name).ok().filter(|v: &String| v.starts_with('/'));
    set("XDG_STATE_HOME")
        .or_else(|| Some(format!("{}/.local/state", set("HOME")?)))
        .unwrap_or_else(|| "/var/lib".to_owned())
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self { interval: Self::default_interval(), store: None, spill: None }
    }
}

/// How long an unavailable system is tried again before the topology stops.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryConfig {
    /// Pause before the first retry; it doubles with each further one.
    pub initial: Duration,
    /// Longest pause between two tries.
    pub max: Duration,
    /// Time after which the topology stops with exit code 1.
    pub budget: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(100),
            max: Duration::from_secs(10),
            budget: Duration::from_secs(1800),
        }
    }
}

/// One node: its common fields, and its kind with the kind's own options. `Debug` leaves the options
/// out, because they may hold secrets.
#[derive(Clone, PartialEq)]
pub struct NodeConfig {
    /// Unique name within the topology.
    pub name: String,
    /// Source, operator or sink.
    pub role: Role,
    /// Name of the kind, such as `kafka`.
    pub kind: String,
    /// The kind's options, interpolated, checked against the kind's schema.
    pub options: Value,
    /// Where its rows come from; empty for a source and for a sink that only takes dead letters.
    pub inputs: Vec<PortRef>,
    /// Message format, for kinds that carry messages.
    pub format: Option<FormatConfig>,
    /// Declared columns: name → type, where a type is a string such as `int64`, `timestamp_ms`,
    /// `decimal(10,2)`, `list<utf8>`, a trailing `!` forbids nulls, a nested map is a struct;
    /// [`crate::column_type::columns`] reads them.
    pub schema: Option<serde_json::Map<String, Value>>,
    /// Event time of a source.
    pub event_time: Option<EventTimeConfig>,
    /// Sink that takes late rows.
    pub late: Option<String>,
    /// What happens to a bad record.
    pub on_error: OnError,
    /// Number of tasks the node runs on; `None` means as many as its input (1 for a source).
    pub parallelism: Option<usize>,
    /// Columns that decide which task takes a row when `parallelism` is above 1.
    pub partition_by: Vec<String>,
    /// JSON pointer of the node in its file, such as `/operators/serious`.
    pub pointer: String,
}

impl fmt::Debug for FormatConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormatConfig").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for NodeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeConfig")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("kind", &self.kind)
            .field("inputs", &self.inputs)
            .field("format", &self.format)
            .field("on_error", &self.on_error)
            .finish_non_exhaustive()
    }
}

impl NodeConfig {
    /// A node with its kind's options and nothing else.
    #[must_use]
    pub fn new(role: Role, name: &str, kind: &str, options: Value) -> Self {
        Self {
            name: name.to_owned(),
            role,
            kind: kind.to_owned(),
            options,
            inputs: Vec::new(),
            format: None,
            schema: None,
            event_time: None,
            late: None,
            on_error: OnError::Fail,
            parallelism: None,
            partition_by: Vec::new(),
            pointer: format!("/{}/{name}", role.section()),
        }
    }
}

/// A whole topology file.
#[derive(Debug, Clone, PartialEq)]
pub struct TopologyConfig {
    /// Name of the topology; label of every metric, default consumer group.
    pub name: String,
    /// What a crash may do to results.
    pub guarantee: Guarantee,
    /// Epochs and snapshots.
    pub checkpoint: CheckpointConfig,
    /// One budget for prefetch, edges, state and sinks.
    pub memory: ByteSize,
    /// How long a drain after SIGTERM may take.
    pub drain_timeout: Duration,
    /// Retry of unavailable systems.
    pub retry: RetryConfig,
    /// Features that the topology delivers.
    pub feature_views: FeatureViews,
    /// All nodes in file order: sources, operators, sinks.
    pub nodes: Vec<NodeConfig>,
    /// Tests that `swiftwater test` runs.
    pub tests: Vec<TestConfig>,
}

/// One row of a test: column → value as written.
pub type TestRow = serde_json::Map<String, Value>;

/// A test inside a topology file.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestConfig {
    /// What the test shows.
    pub name: String,
    /// Rows for each source; `at` is the row's event time as a duration since the test's start.
    pub input: BTreeMap<String, Vec<TestRow>>,
    /// Steps after the input was read, one after the other.
    #[serde(default)]
    pub then: Vec<TestStep>,
    /// What each sink must have received.
    pub expect: BTreeMap<String, Expectation>,
}

/// One step of a test.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestStep {
    /// Time passes on the clock, without rows: timers fire, and sources that are silent for their
    /// `idle_after` become idle.
    Advance(Duration),
    /// This source is idle from here on: it holds back no watermark until its next row.
    Idle(String),
    /// The process is killed after a snapshot and another one goes on from it.
    CrashAndRestore,
    /// More rows, as in the field `input` of the test.
    Input(BTreeMap<String, Vec<TestRow>>),
    /// Every source ends: windows close, whatever they wait for.
    End,
}

/// What a sink must have received; every given field must hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expectation {
    /// Exactly these rows in this order; columns that are not named are not compared.
    pub rows: Option<Vec<TestRow>>,
    /// At least these rows, in any order.
    pub contains: Option<Vec<TestRow>>,
    /// This many rows.
    pub count: Option<usize>,
}
