//! Dead letters: records set aside with the reason, the place they came from and their bytes.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMillisecondBuilder,
    UInt32Builder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

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
        Field::new(
            name,
            DataType::Timestamp(TimeUnit::Millisecond, None),
            nullable,
        )
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
}

fn text(bytes: &Bytes) -> (String, &'static str) {
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
    let mut times = (
        TimestampMillisecondBuilder::new(),
        TimestampMillisecondBuilder::new(),
    );
    let mut fixed: [StringBuilder; 5] = Default::default();
    let mut open: [StringBuilder; 4] = Default::default();
    let (mut attempts, mut epoch) = (UInt32Builder::new(), UInt64Builder::new());
    let (mut partition, mut offset) = (Int32Builder::new(), Int64Builder::new());
    for r in rejected {
        times.0.append_value(cx.now.0 / 1000);
        let values = [
            cx.topology,
            cx.node,
            r.code,
            r.message.as_str(),
            cx.trace_id,
        ];
        fixed
            .iter_mut()
            .zip(values)
            .for_each(|(b, v)| b.append_value(v));
        attempts.append_value(r.attempts);
        epoch.append_value(cx.epoch);
        let origin = r.origin.as_ref();
        times
            .1
            .append_option(origin.and_then(|o| o.timestamp).map(|t| t.0 / 1000));
        partition.append_option(origin.map(|o| o.partition));
        offset.append_option(origin.map(|o| o.offset));
        let key = r.key.as_ref().map(|k| text(k).0);
        let payload = r.payload.as_ref().map(text);
        let values = [
            origin.map(|o| o.topic.to_string()),
            key,
            payload.as_ref().map(|(p, _)| p.clone()),
            payload.map(|(_, e)| e.to_owned()),
        ];
        open.iter_mut()
            .zip(values)
            .for_each(|(b, v)| b.append_option(v));
    }
    let [topology, node, code, message, trace] =
        fixed.map(|mut b| Arc::new(b.finish()) as ArrayRef);
    let [topic, key, payload, encoding] = open.map(|mut b| Arc::new(b.finish()) as ArrayRef);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(times.0.finish()),
        topology,
        node,
        code,
        message,
        Arc::new(attempts.finish()),
        Arc::new(epoch.finish()),
        trace,
        topic,
        Arc::new(partition.finish()),
        Arc::new(offset.finish()),
        Arc::new(times.1.finish()),
        key,
        payload,
        encoding,
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
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
            origin: Some(Origin {
                topic: "bids".into(),
                partition: 2,
                offset: 7,
                timestamp: None,
            }),
            attempts: 1,
        };
        let cx = Context {
            topology: "t",
            node: "n",
            epoch: 3,
            trace_id: "x",
            now: Timestamp(5_000),
        };
        let rows = batch(&[letter], cx).unwrap();
        let column = |name: &str| {
            rows.column_by_name(name)
                .unwrap()
                .as_string::<i32>()
                .value(0)
                .to_owned()
        };
        assert_eq!(
            (column("key"), column("payload"), column("encoding")),
            ("k".into(), "/wA=".into(), "base64".into())
        );
    }
}
