//! Nodes and contexts for tests: a kind planned from its YAML options, opened on a clock that the
//! test drives.

use std::time::Duration;

use arrow::datatypes::SchemaRef;
use serde_json::Value;
use swiftwater_config::{FormatConfig, NodeConfig, OnError, Role};
use swiftwater_engine::metrics::{Metrics, SinkMetrics, SourceMetrics};
use swiftwater_engine::{
    Clock, ExactlyOnce, NodeContext, Position, Result, Sink, SinkContext, SinkOptions, Source,
    SourceContext, SourceOptions, SourcePlan,
};

/// A node of a kind with options and, where not null, a format.
pub(crate) fn node(role: Role, kind: &str, options: Value, format: &str) -> NodeConfig {
    NodeConfig {
        name: "node".into(),
        role,
        kind: kind.into(),
        options,
        inputs: Vec::new(),
        format: (!format.is_empty())
            .then(|| FormatConfig { name: format.into(), options: Value::Null }),
        schema: None,
        event_time: None,
        late: None,
        on_error: OnError::Fail,
        parallelism: None,
        partition_by: Vec::new(),
        pointer: "/node".into(),
    }
}

/// Plans a source node.
pub(crate) fn plan_source<O: SourceOptions>(node: &NodeConfig) -> Result<SourcePlan> {
    let options: O = serde_json::from_value(node.options.clone()).unwrap();
    options.plan(&NodeContext { topology: "test", node, inputs: &[], streams: &[] })
}

/// Opens instance `instance` of `instances`.
pub(crate) fn open_source(
    plan: &SourcePlan,
    (instance, instances): (usize, usize),
    batch_rows: usize,
    clock: &Clock,
) -> Result<Box<dyn Source>> {
    open_source_at(plan, (instance, instances), None, batch_rows, clock)
}

/// Opens instance `instance` of `instances`, to go on from `resume`.
pub(crate) fn open_source_at(
    plan: &SourcePlan,
    (instance, instances): (usize, usize),
    resume: Option<Position>,
    batch_rows: usize,
    clock: &Clock,
) -> Result<Box<dyn Source>> {
    let mut source = (plan.make)(instance)?;
    source.open(SourceContext {
        resume,
        takes_all: false,
        shared: std::sync::Arc::default(),
        topology: "test".into(),
        node: "node".into(),
        instance,
        instances,
        prefetch_bytes: 64 << 20,
        batch_rows,
        clock: clock.clone(),
        metrics: SourceMetrics::new(&Metrics::new("test").unwrap(), "node"),
    })?;
    Ok(source)
}

/// Plans and opens a sink with one input.
pub(crate) fn open_sink<O: SinkOptions>(
    node: &NodeConfig,
    schema: SchemaRef,
    buffer_bytes: usize,
    clock: &Clock,
) -> Result<Box<dyn Sink>> {
    try_open_sink::<O>(node, schema, buffer_bytes, clock, None)
}

/// The same where the topology may be exactly-once.
pub(crate) fn try_open_sink<O: SinkOptions>(
    node: &NodeConfig,
    schema: SchemaRef,
    buffer_bytes: usize,
    clock: &Clock,
    exactly_once: Option<ExactlyOnce>,
) -> Result<Box<dyn Sink>> {
    let options: O = serde_json::from_value(node.options.clone()).unwrap();
    let plan =
        options.plan(&NodeContext { topology: "test", node, inputs: &[schema], streams: &[] })?;
    let mut sink = (plan.make)()?;
    sink.open(SinkContext {
        shared: std::sync::Arc::default(),
        exactly_once,
        topology: "test".into(),
        node: "node".into(),
        buffer_bytes,
        retry_budget: Duration::from_secs(60),
        clock: clock.clone(),
        metrics: SinkMetrics::new(&Metrics::new("test").unwrap(), "node"),
    })?;
    Ok(sink)
}
