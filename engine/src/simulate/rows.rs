//! Rows of a test as batches of a source.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use serde_json::{Map, Value};
use swiftwater_config::Duration;
use swiftwater_config::topology::TestRow;

use super::{START, source};
use crate::batch::Span;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::plan::{NodeId, Plan, PlannedNode};

/// The field of a test row that says when it happens.
const AT: &str = "at";

/// Rows that enter together.
pub(super) struct Entry {
    pub(super) source: NodeId,
    pub(super) at: Timestamp,
    pub(super) event: Option<Span>,
    pub(super) records: RecordBatch,
}

/// The rows of all sources in the order in which they enter, those of one source and time as one
/// batch. Rows before the first `at` enter at `now`.
pub(super) fn entries(
    plan: &Plan,
    input: &BTreeMap<String, Vec<TestRow>>,
    now: Timestamp,
) -> Result<Vec<Entry>> {
    let mut rows: Vec<(Timestamp, NodeId, TestRow)> = Vec::new();
    for (name, given) in input {
        let (id, node) = source(plan, name)?;
        let mut at = now;
        for (number, row) in given.iter().enumerate() {
            let (time, row) = prepare(node, row, at).map_err(|e| at_row(e, name, number + 1))?;
            at = time;
            rows.push((time, id, row));
        }
    }
    rows.sort_by_key(|(at, _, _)| *at);
    let runs = rows.chunk_by(|(at, one, _), (then, next, _)| one == next && at == then);
    runs.map(|run| entry(plan, run)).collect()
}

fn entry(plan: &Plan, run: &[(Timestamp, NodeId, TestRow)]) -> Result<Entry> {
    let node = run.first().and_then(|(_, id, _)| Some((*id, plan.nodes.get(*id)?)));
    let (id, node) = node.ok_or_else(|| Error::bug("find the source of a test row"))?;
    let rows: Vec<&TestRow> = run.iter().map(|(_, _, row)| row).collect();
    let records = decode(node, &rows).map_err(|e| e.at_node(node.name()))?;
    Ok(Entry {
        source: id,
        at: run.last().map_or(START, |(at, _, _)| *at),
        event: event_span(node, &records),
        records,
    })
}

fn at_row(error: Error, source: &str, number: usize) -> Error {
    Error { message: format!("{} (row {number} of `{source}`)", error.message), ..error }
}

fn columns(node: &PlannedNode) -> Result<&SchemaRef> {
    match node.outputs.first() {
        Some((_, schema)) => Ok(schema),
        None => Err(Error::bug("find the columns of a source")),
    }
}

/// Takes `at` out of a row and puts it into the event-time column, and writes values the way the
/// decoder reads them.
fn prepare(node: &PlannedNode, row: &TestRow, before: Timestamp) -> Result<(Timestamp, TestRow)> {
    let schema = columns(node)?;
    let mut prepared = Map::new();
    for (name, value) in row.iter().filter(|(name, _)| *name != AT) {
        let field = find(schema, name)?;
        prepared.insert(name.clone(), readable(field, value)?);
    }
    let at = match row.get(AT) {
        None => before,
        Some(value) => after_start(value)?,
    };
    if let Some(event_time) = &node.config.event_time {
        let field = schema.field_with_name(&event_time.column)?;
        prepared.entry(event_time.column.clone()).or_insert_with(|| in_unit(field, at));
    }
    for field in schema.fields().iter().filter(|f| !f.is_nullable()) {
        let value = prepared.entry(field.name().clone()).or_insert_with(|| nothing(field));
        if value.is_null() {
            let message = format!("set the column `{}` to null: it takes none", field.name());
            return Err(Error::config("SW4202", message));
        }
    }
    Ok((at, prepared))
}

/// A time as a column of timestamps holds it.
fn in_unit(field: &Field, Timestamp(micros): Timestamp) -> Value {
    Value::from(match field.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => micros / 1_000_000,
        DataType::Timestamp(TimeUnit::Millisecond, _) => micros / 1_000,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => micros.saturating_mul(1_000),
        _ => micros,
    })
}

/// The value of a column that a test leaves out although it takes no nulls: 0, false or empty.
fn nothing(field: &Field) -> Value {
    match field.data_type() {
        DataType::Boolean => false.into(),
        DataType::List(_) | DataType::LargeList(_) => Value::Array(Vec::new()),
        DataType::Struct(fields) => {
            let required = fields.iter().filter(|f| !f.is_nullable());
            required.map(|f| (f.name().clone(), nothing(f))).collect()
        }
        DataType::Utf8 | DataType::Binary => "".into(),
        _ => 0.into(),
    }
}

/// `at` as a time: a duration since the start of the test.
fn after_start(value: &Value) -> Result<Timestamp> {
    let text = value.as_str().unwrap_or_default();
    let since = text.parse::<Duration>().map_err(|reason| {
        Error::config("SW4203", format!("read `at: {value}`: {reason}"))
            .with_hint("write the time since the start of the test, such as `at: 14s`")
    })?;
    let micros = i64::try_from(since.0.as_micros()).unwrap_or(i64::MAX);
    Ok(Timestamp(START.0.saturating_add(micros)))
}

/// A value the way the decoder reads it: a time as text since the start becomes a time, bytes
/// written as text become hexadecimal.
fn readable(field: &Field, value: &Value) -> Result<Value> {
    match (field.data_type(), value) {
        (DataType::Timestamp(..), Value::String(text)) if text.parse::<Duration>().is_ok() => {
            after_start(value).map(|at| in_unit(field, at))
        }
        (DataType::Binary, Value::String(text)) => {
            let digits: String = text.bytes().map(|b| format!("{b:02x}")).collect();
            Ok(digits.into())
        }
        _ => Ok(value.clone()),
    }
}

fn decode(node: &PlannedNode, rows: &[&TestRow]) -> Result<RecordBatch> {
    read(columns(node)?, rows)
}

/// Reads rows whose values are prepared.
fn read(schema: &SchemaRef, rows: &[&TestRow]) -> Result<RecordBatch> {
    let bad =
        |error: ArrowError| Error::config("SW4202", "read the rows of a test").with_source(error);
    let builder = ReaderBuilder::new(Arc::clone(schema)).with_batch_size(rows.len().max(1));
    let mut decoder = builder.build_decoder().map_err(bad)?;
    decoder.serialize(rows).map_err(bad)?;
    let records = decoder.flush().map_err(bad)?;
    Ok(records.unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(schema))))
}

/// One row as a test writes it, as a batch of the columns it names, in their types in `schema`.
///
/// # Errors
/// `Config` (`SW4202`) for an unknown column and for a value that is none of its column.
pub fn expected(schema: &SchemaRef, row: &TestRow) -> Result<RecordBatch> {
    let mut fields = Vec::new();
    let mut prepared = Map::new();
    for (name, value) in row {
        let field = find(schema, name)?;
        fields.push(field.clone().with_nullable(true));
        prepared.insert(name.clone(), readable(field, value)?);
    }
    read(&Arc::new(Schema::new(fields)), &[&prepared])
}

fn find<'a>(schema: &'a SchemaRef, name: &str) -> Result<&'a Field> {
    schema.field_with_name(name).map_err(|_| {
        let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        Error::config("SW4202", format!("find the unknown column `{name}`"))
            .with_hint(format!("columns: {}", names.join(", ")))
    })
}

fn event_span(node: &PlannedNode, records: &RecordBatch) -> Option<Span> {
    let column = &node.config.event_time.as_ref()?.column;
    let times: ArrayRef =
        cast(records.column_by_name(column)?, &DataType::Timestamp(TimeUnit::Microsecond, None))
            .ok()?;
    if times.is_empty() {
        return None;
    }
    let times = times.as_primitive::<TimestampMicrosecondType>();
    Some(Span { oldest: Timestamp(min(times)?), newest: Timestamp(max(times)?) })
}
