//! Kinds: what a node can be. A kind is a typed options struct, whose doc comments are its manual,
//! that plans itself against the schemas of its inputs.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use swiftwater_config::NodeConfig;

use crate::error::Result;
use crate::operator::Operator;
use crate::sink::Sink;
use crate::source::Source;

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
}

/// A planned operator.
#[derive(Clone)]
pub struct OperatorPlan {
    /// Named outputs with their columns; the first is the main one and is named `out`.
    pub ports: Vec<(String, SchemaRef)>,
    /// Columns of each input by which rows must meet on one task; `None` where any task will do.
    pub key: Option<Vec<String>>,
    /// Whether the engine may cut a batch into slices and call again, without changing the result.
    pub splittable: bool,
    /// What `check` should warn about.
    pub warnings: Vec<String>,
    /// Makes the instances.
    pub make: MakeOperator,
}

impl OperatorPlan {
    /// A stateless operator with one output.
    #[must_use]
    pub fn stateless(schema: SchemaRef, make: MakeOperator) -> Self {
        Self {
            ports: vec![("out".into(), schema)],
            key: None,
            splittable: true,
            warnings: Vec::new(),
            make,
        }
    }
}

/// A planned sink.
#[derive(Clone)]
pub struct SinkPlan {
    /// What `check` should warn about.
    pub warnings: Vec<String>,
    /// Makes the sink.
    pub make: MakeSink,
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
