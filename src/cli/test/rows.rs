//! Rows as names and values, in the form that makes equal values equal.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::writer::{JsonArray, WriterBuilder};
use serde_json::{Map, Value};
use swiftwater_engine::plan::{FromPort, Plan, PlannedNode};
use swiftwater_engine::{Error, Result, dead_letter};

/// One row.
pub(super) type Row = Map<String, Value>;

/// The rows of some batches.
pub(super) fn received(batches: &[RecordBatch]) -> Result<Vec<Row>> {
    let bad = |error: ArrowError| {
        Error::data("SW4206", "show the rows that a sink received").with_source(error)
    };
    let builder = WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, JsonArray>(Vec::new());
    writer.write_batches(&batches.iter().collect::<Vec<_>>()).map_err(bad)?;
    writer.finish().map_err(bad)?;
    let text = writer.into_inner();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_slice(&text)
        .map_err(|e| Error::bug("read rows that were just written").with_source(e))
}

/// The columns that flow into a node.
pub(crate) fn input_columns(plan: &Plan, node: &PlannedNode) -> Result<SchemaRef> {
    let missing = || Error::bug(format!("find the columns of `{}`", node.name()));
    let input = node.inputs.first().ok_or_else(missing)?;
    match input.port {
        FromPort::Errors | FromPort::Late => Ok(dead_letter::schema()),
        FromPort::Output(port) => {
            let outputs = plan.nodes.get(input.from).map(|n| n.outputs.as_slice());
            let output = outputs.unwrap_or_default().get(port);
            output.map(|(_, schema)| Arc::clone(schema)).ok_or_else(missing)
        }
    }
}
