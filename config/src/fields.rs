//! The fields that every topology and every node may have, apart from the nodes and their kinds.
//! Their documentation is the manual and goes into the JSON Schema.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::Value;

use crate::feature_view::FeatureViews;
use crate::topology::{
    CheckpointConfig, EventTimeConfig, Guarantee, OnError, RetryConfig, Role, TestConfig,
};
use crate::units::{ByteSize, Duration};

/// A topology: a directed graph of sources, operators and sinks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopologyFields {
    /// Name of the topology: a label of every metric and the default consumer group. Lowercase
    /// letters, digits, `_` and `-`, with a letter first.
    pub(crate) name: String,
    /// What a crash may do to results.
    #[serde(default)]
    pub(crate) guarantee: Guarantee,
    /// How often an epoch ends and where snapshots live.
    #[serde(default)]
    pub(crate) checkpoint: CheckpointConfig,
    /// One budget for prefetch, edges, state and sinks.
    #[serde(default = "default_memory")]
    pub(crate) memory: ByteSize,
    /// How long a drain after SIGTERM may take.
    #[serde(default = "default_drain_timeout")]
    pub(crate) drain_timeout: Duration,
    /// How long an unavailable system is tried again before the topology stops.
    #[serde(default)]
    pub(crate) retry: RetryConfig,
    /// Features that the topology delivers, by the name of their view, for the registry
    /// (`swiftwater features`) and for sinks.
    #[serde(default)]
    pub(crate) feature_views: FeatureViews,
    /// Tests that `swiftwater test` runs.
    #[serde(default)]
    pub(crate) tests: Vec<TestConfig>,
}

fn default_memory() -> ByteSize {
    ByteSize(1 << 30)
}

fn default_drain_timeout() -> Duration {
    Duration::from_secs(30)
}

/// The common fields of nodes. Only its schema is used: `format` and `schema` have a grammar of
/// their own.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
struct NodeFields {
    /// The node whose rows come in, `name` or `name.port`; a list of them where the kind takes
    /// several.
    input: Option<OneOrMany>,
    /// The same as `input`.
    inputs: Option<OneOrMany>,
    /// Which column holds the event time.
    event_time: Option<EventTimeConfig>,
    /// The node that takes late rows; without it they are counted and dropped.
    late: Option<String>,
    /// What happens to a record that cannot be decoded, evaluated or written: `fail` (stop the
    /// topology, the default), `drop` (count it), or `{dead_letter: name of a sink}`.
    on_error: Option<OnError>,
    /// Number of tasks the node runs on; without it as many as its input, and 1 for a source.
    #[schemars(range(min = 1, max = 1024))]
    parallelism: Option<u32>,
    /// Columns that decide which task takes a row when `parallelism` is above 1.
    partition_by: Option<Vec<String>>,
}

/// One name or several.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only the schema is used")]
enum OneOrMany {
    /// One name.
    One(String),
    /// Several names.
    Many(#[schemars(length(min = 1))] Vec<String>),
}

/// The common fields that mean something for a role.
pub(crate) const fn of_role(role: Role) -> &'static [&'static str] {
    match role {
        Role::Source => &["format", "schema", "event_time", "on_error", "parallelism"],
        Role::Operator => &["input", "inputs", "late", "on_error", "parallelism", "partition_by"],
        Role::Sink => &["input", "inputs", "format", "on_error", "parallelism"],
    }
}

/// Whether `name` is a common field of some role.
pub(crate) fn is_common(name: &str) -> bool {
    [Role::Source, Role::Operator, Role::Sink].into_iter().any(|r| of_role(r).contains(&name))
}

/// The schema of the topology's own fields.
pub(crate) fn topology_fields() -> Value {
    schema_of::<TopologyFields>()
}

/// The schema of the common fields of nodes.
pub(crate) fn node_fields() -> Value {
    schema_of::<NodeFields>()
}

fn schema_of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}
