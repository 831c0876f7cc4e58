//! Kinds: what a node can be. A kind is a typed options struct, whose doc comments are its manual,
//! that plans itself against the schemas of its inputs.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use swiftwater_config::NodeConfig;

use crate::commit::{CommitPoint, Shared};
use crate::error::Result;
use crate::operator::Operator;
use crate::sink::Sink;
use crate::source::Source;
use crate::stream::Stream;

/// What a kind knows while it plans a node. Planning does no I/O, except that a source may ask a
/// schema registry for columns that the file does not declare.
#[derive(Debug, Clone)]
pub struct NodeContext<'a> {
    /// Name of the topology.
    pub topology: &'a str,
    /// The node with its common fields.
    pub node: &'a NodeConfig,
    /// Columns of each input, in the order of `inputs`; empty for a source. A sink that takes dead
    /// letters of other nodes without an input of its own sees [`crate::dead_letter::schema`].
    pub inputs: &'a [SchemaRef],
    /// What each input is beyond its columns, in the same order.
    pub streams: &'a [Stream],
}

impl NodeContext<'_> {
    /// The columns of the only input.
    ///
    /// # Errors
    /// `Config` where the node has no input or more than one.
    pub fn input(&self) -> Result<SchemaRef> {
        match self.inputs {
            [one] => Ok(Arc::clone(one)),
            other => Err(crate::Error::config(
                "SW0203",
                format!("`{}` takes one input, not {}", self.node.kind, other.len()),
            )
            .with_hint("put a `union` before it to take several")),
        }
    }
}

impl NodeContext<'_> {
    /// What input number `input` is beyond its columns.
    #[must_use]
    pub fn stream(&self, input: usize) -> Stream {
        self.streams.get(input).cloned().unwrap_or_default()
    }

    /// The event-time column of input number `input`.
    ///
    /// # Errors
    /// `Config` (`SW0330`) where it has none.
    pub fn event_time(&self, input: usize) -> Result<String> {
        self.stream(input).event_time.ok_or_else(|| {
            let of = self.node.inputs.get(input).map_or_else(String::new, |i| format!(" of `{i}`"));
            let message = format!("`{}` needs the event time{of}", self.node.kind);
            crate::Error::config("SW0330", message).with_hint(
                "name the column at the source, `event_time: {column: date_time}`, and keep it on the way",
            )
        })
    }
}

/// Makes instance number `n` of a source.
pub type MakeSource = Arc<dyn Fn(usize) -> Result<Box<dyn Source>> + Send + Sync>;
/// Makes instance number `n` of an operator.
pub type MakeOperator = Arc<dyn Fn(usize) -> Result<Box<dyn Operator>> + Send + Sync>;
/// Makes a sink.
pub type MakeSink = Arc<dyn Fn() -> Result<Box<dyn Sink>> + Send + Sync>;

/// A planned source.
#[derive(Clone)]
pub struct SourcePlan {
    /// Columns of its rows.
    pub schema: SchemaRef,
    /// Whether it comes to an end by itself.
    pub bounded: bool,
    /// What `check` should warn about.
    pub warnings: Vec<String>,
    /// Makes the instances.
    pub make: MakeSource,
    /// Whether it reads the same records again from a [`crate::Position`] that it is given.
    pub replayable: bool,
    /// How its external system commits epochs, where it can.
    pub commit_point: Option<CommitPointPlan>,
}

impl SourcePlan {
    /// A source that does not come to an end by itself and cannot be read again.
    #[must_use]
    pub fn new(schema: SchemaRef, make: MakeSource) -> Self {
        Self {
            schema,
            bounded: false,
            warnings: Vec::new(),
            make,
            replayable: false,
            commit_point: None,
        }
    }
}

/// A planned operator.
#[derive(Clone)]
pub struct OperatorPlan {
    /// Named outputs with their columns; the first is the main one and is named `out`.
    pub ports: Vec<(String, SchemaRef)>,
    /// Columns of each input by which rows must meet on one task; `None` where any task will do.
    pub key: Option<Vec<String>>,
    /// The columns of each input in the place of `key`, where inputs name them differently. Columns
    /// of the same place have the same type.
    pub input_keys: Vec<Vec<String>>,
    /// Whether the engine may cut a batch into slices and call again, without changing the result.
    pub splittable: bool,
    /// What `check` should warn about.
    pub warnings: Vec<String>,
    /// Makes the instances.
    pub make: MakeOperator,
    /// What the main output is beyond its columns; `None` where it is as the first input. Ports
    /// besides the main one are as the first input.
    pub stream: Option<Stream>,
    /// Whether it keeps tables.
    pub stateful: bool,
    /// Whether it takes rows that replace earlier ones.
    pub takes_upserts: bool,
}

impl OperatorPlan {
    /// A stateless operator with one output.
    #[must_use]
    pub fn stateless(schema: SchemaRef, make: MakeOperator) -> Self {
        Self {
            ports: vec![("out".into(), schema)],
            key: None,
            input_keys: Vec::new(),
            splittable: true,
            warnings: Vec::new(),
            make,
            stream: None,
            stateful: false,
            takes_upserts: false,
        }
    }

    /// An operator that keeps state for each `key`, with one output.
    #[must_use]
    pub fn keyed(schema: SchemaRef, stream: Stream, key: Vec<String>, make: MakeOperator) -> Self {
        Self {
            key: Some(key),
            stream: Some(stream),
            stateful: true,
            splittable: false,
            ..Self::stateless(schema, make)
        }
    }

    /// The same with a port `late` for rows that came too late, in the columns of the input.
    #[must_use]
    pub fn with_late_port(mut self, schema: SchemaRef) -> Self {
        self.ports.push((LATE_PORT.to_owned(), schema));
        self
    }
}

/// Name of the port of rows that came too late.
pub const LATE_PORT: &str = "late";

/// A planned sink.
#[derive(Clone)]
pub struct SinkPlan {
    /// What `check` should warn about.
    pub warnings: Vec<String>,
    /// Makes the sink.
    pub make: MakeSink,
    /// Whether it stages and finalises epochs, as `exactly_once` needs it.
    pub exactly_once: bool,
    /// Whether it takes rows that replace earlier ones.
    pub takes_upserts: bool,
    /// How its external system commits epochs, where it can.
    pub commit_point: Option<CommitPointPlan>,
    /// Where the topology is `exactly_once`, `check` warns of a `checkpoint.interval` shorter than
    /// this, with the reason.
    pub least_interval: Option<(std::time::Duration, String)>,
}

impl SinkPlan {
    /// A sink for rows that stand for themselves, which may write some again after a crash.
    #[must_use]
    pub const fn new(make: MakeSink) -> Self {
        Self {
            warnings: Vec::new(),
            make,
            exactly_once: false,
            takes_upserts: false,
            commit_point: None,
            least_interval: None,
        }
    }
}

/// Makes the commit point of a run; the things it shares with sinks are in [`Shared`].
pub type MakeCommitPoint =
    Arc<dyn Fn(&CommitContext) -> Result<Arc<dyn CommitPoint>> + Send + Sync>;

/// What a commit point is given when it is made.
#[derive(Clone)]
pub struct CommitContext {
    /// Name of the topology.
    pub topology: String,
    /// What the nodes of this run share.
    pub shared: Arc<Shared>,
    /// How long an unavailable system may be tried.
    pub retry_budget: std::time::Duration,
}

/// A system in which epochs can be committed.
#[derive(Clone)]
pub struct CommitPointPlan {
    /// What tells two systems apart, such as the bootstrap addresses: one topology commits in one.
    pub system: String,
    /// Makes it.
    pub make: MakeCommitPoint,
}

/// Options of a source kind. Derive `Deserialize` with `deny_unknown_fields`, and `JsonSchema`.
pub trait SourceOptions: DeserializeOwned + JsonSchema + 'static {
    /// Name of the kind.
    const KIND: &'static str;
    /// A complete topology file in YAML that uses the kind and passes `check`.
    const EXAMPLE: &'static str;

    /// Checks the options and prepares the node.
    ///
    /// # Errors
    /// `Config`, naming the option and the cure.
    fn plan(self, cx: &NodeContext<'_>) -> Result<SourcePlan>;
}

/// Options of an operator kind. Derive `Deserialize` with `deny_unknown_fields`, and `JsonSchema`.
pub trait OperatorOptions: DeserializeOwned + JsonSchema + 'static {
    /// Name of the kind.
    const KIND: &'static str;
    /// A complete topology file in YAML that uses the kind and passes `check`.
    const EXAMPLE: &'static str;

    /// Checks the options against the input's columns and prepares the node.
    ///
    /// # Errors
    /// `Config`, naming the option and the cure.
    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan>;
}

/// Options of a sink kind. Derive `Deserialize` with `deny_unknown_fields`, and `JsonSchema`.
pub trait SinkOptions: DeserializeOwned + JsonSchema + 'static {
    /// Name of the kind.
    const KIND: &'static str;
    /// A complete topology file in YAML that uses the kind and passes `check`.
    const EXAMPLE: &'static str;

    /// Checks the options against the input's columns and prepares the node.
    ///
    /// # Errors
    /// `Config`, naming the option and the cure.
    fn plan(self, cx: &NodeContext<'_>) -> Result<SinkPlan>;
}
