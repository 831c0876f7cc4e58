//! Dead letters: records set aside with the reason, the place they came from and their bytes.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use swiftwater_config::SecretValues;

use crate::clock::Timestamp;
use crate::error::Result;

/// Where a record came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Topic, or the file's path.
    pub topic: Arc<str>,
    /// Partition; 0 for a file.
    pub partition: i32,
    /// Offset, or the record's number in the file.
    pub offset: i64,
    /// When it was appended.
    pub timestamp: Option<Timestamp>,
}

/// A record that could not be decoded, evaluated or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Stable code of the reason, such as `SW3101`.
    pub code: &'static str,
    /// The reason, quoting the value.
    pub message: String,
    /// The record's key, where it had one.
    pub key: Option<Bytes>,
    /// The record's bytes as read; for a row that was already decoded, the row as JSON.
    pub payload: Option<Bytes>,
    /// Where it came from.
    pub origin: Option<Origin>,
    /// How often it was tried.
    pub attempts: u32,
}

/// Columns of the `errors` port.
///
/// `key` and `payload` are text where the bytes are UTF-8 and base64 otherwise; `encoding` says
/// which of the two the payload is (`utf8` or `base64`).
#[must_use]
pub fn schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let time = |name: &str, nullable| {
        Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, None), nullable)
    };
    Arc::new(Schema::new(vec![
        time("time", false),
        text("topology", false),
        text("node", false),
        text("code", false),
        text("message", false),
        Field::new("attempts", DataType::UInt32, false),
        Field::new("epoch", DataType::UInt64, false),
        text("trace_id", false),
        text("topic", true),
        Field::new("partition", DataType::Int32, true),
        Field::new("offset", DataType::Int64, true),
        time("timestamp", true),
        text("key", true),
        text("payload", true),
        text("encoding", true),
    ]))
}

/// What every dead letter of a task has in common.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Name of the topology.
    pub topology: &'a str,
    /// Name of the node that rejected.
    pub node: &'a str,
    /// The epoch under way.
    pub epoch: u64,
    /// Trace id of this process's run.
    pub trace_id: &'a str,
    /// The time of rejection.
    pub now: Timestamp,
    /// What no message may show. Keys and payloads are data and stay as they are.
    pub secrets: &'a SecretValues,
}

fn as_text(bytes: &Bytes) -> (String, &'static str) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), "utf8"),
        Err(_) => (STANDARD.encode(bytes), "base64"),
    }
}

/// Rows of the `errors` port, one for each rejected record.
///
/// # Errors
/// None in practice: the columns are built to the schema.
pub fn batch(rejected: &[Rejected], cx: Context<'_>) -> Result<RecordBatch> {
    let same = |value: &str| Arc::new(StringArray::from(vec![value; rejected.len()])) as ArrayRef;
    let text = |of: &dyn Fn(&Rejected) -> Option<String>| {
        Arc::new(rejected.iter().map(of).collect::<StringArray>()) as ArrayRef
    };
    let origin = |r: &Rejected| r.origin.clone();
    let millis = |of: &dyn Fn(&Rejected) -> Option<Timestamp>| {
        let values = rejected.iter().map(|r| of(r).map(|t| t.0 / 1000));
        Arc::new(values.collect::<TimestampMillisecondArray>()) as ArrayRef
    };
    let columns: Vec<ArrayRef> = vec![
        millis(&|_| Some(cx.now)),
        same(cx.topology),
        same(cx.node),
        text(&|r| Some(r.code.to_owned())),
        text(&|r| Some(cx.secrets.scrub(&r.message))),
        Arc::new(rejected.iter().map(|r| Some(r.attempts)).collect::<UInt32Array>()),
        Arc::new(UInt64Array::from(vec![cx.epoch; rejected.len()])),
        same(cx.trace_id),
        text(&|r| origin(r).map(|o| o.topic.to_string())),
        Arc::new(rejected.iter().map(|r| origin(r).map(|o| o.partition)).collect::<Int32Array>()),
        Arc::new(rejected.iter().map(|r| origin(r).map(|o| o.offset)).collect::<Int64Array>()),
        millis(&|r| origin(r).and_then(|o| o.timestamp)),
        text(&|r| r.key.as_ref().map(|k| as_text(k).0)),
        text(&|r| r.payload.as_ref().map(|p| as_text(p).0)),
        text(&|r| r.payload.as_ref().map(|p| as_text(p).1.to_owned())),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

/// Rows as JSON lines: the payload of a dead letter whose record was decoded already. Values that
/// have no JSON form are left out.
#[must_use]
pub fn row_as_json(records: &RecordBatch) -> Bytes {
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    let written = writer.write(records).and_then(|()| writer.finish());
    let mut text = writer.into_inner();
    if written.is_err() {
        text = b"{}".to_vec();
    }
    Bytes::from(text.trim_ascii_end().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;

    #[test]
    fn bytes_that_are_not_text_arrive_as_base64() {
        let letter = Rejected {
            code: "SW3101",
            message: "not JSON".into(),
            key: Some(Bytes::from_static(b"k")),
            payload: Some(Bytes::from_static(b"\xff\x00")),
            origin: Some(Origin { topic: "bids".into(), partition: 2, offset: 7, timestamp: None }),
            attempts: 1,
        };
        let cx = Context {
            topology: "t",
            node: "n",
            epoch: 3,
            trace_id: "x",
            now: Timestamp(5_000),
            secrets: &SecretValues::default(),
        };
        let rows = batch(&[letter], cx).unwrap();
        let column =
            |name: &str| rows.column_by_name(name).unwrap().as_string::<i32>().value(0).to_owned();
        assert_eq!(
            (column("key"), column("payload"), column("encoding")),
            ("k".into(), "/wA=".into(), "base64".into())
        );
    }
}
