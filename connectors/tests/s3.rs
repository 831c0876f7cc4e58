//! The `files` source and sink on a real S3-compatible server.
//!
//! It is started by `scripts/s3.sh`, or named by `SWIFTWATER_TEST_S3`, and has the bucket `test`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

#[path = "../../tests/support/server.rs"]
mod server;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use serde_json::{Value, json};
use swiftwater_config::{FormatConfig, NodeConfig, OnError, Role};
use swiftwater_connectors::catalog::{FilesSinkOptions, FilesSourceOptions};
use swiftwater_engine::metrics::{Metrics, SinkMetrics, SourceMetrics};
use swiftwater_engine::{
    Barrier, Batch, Clock, ErrorKind, ExactlyOnce, NodeContext, Polled, Readings, Sink,
    SinkContext, SinkOptions, SourceContext, SourceOptions, Timestamp,
};

const FLUSH: Barrier = Barrier { epoch: 1, flush: true };

fn store(endpoint: &str) -> Value {
    json!({
        "endpoint": endpoint, "allow_http": true, "region": "us-east-1",
        "access_key_id": "swiftwater", "secret_access_key": "swiftwater-secret",
    })
}

/// The server's endpoint, and a prefix of its own for each test.
fn endpoint(test: &str) -> (&'static str, String) {
    static ENDPOINT: OnceLock<String> = OnceLock::new();
    let endpoint = ENDPOINT.get_or_init(|| server::shared("SWIFTWATER_TEST_S3", "s3.sh"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    (endpoint, format!("s3://test/{test}-{now}/"))
}

fn node(role: Role, options: Value, format: &str) -> NodeConfig {
    NodeConfig {
        name: "node".into(),
        role,
        kind: "files".into(),
        options,
        inputs: Vec::new(),
        format: Some(FormatConfig { name: format.into(), options: Value::Null }),
        schema: None,
        event_time: None,
        late: None,
        on_error: OnError::Fail,
        parallelism: None,
        partition_by: Vec::new(),
        pointer: String::new(),
    }
}

fn rows(range: std::ops::Range<i64>) -> RecordBatch {
    // Text that does not compress, so that files get large.
    let mixed = |i: i64, k: i64| (i * 31 + k).unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let text = |i: i64| {
        (0..12).map(|k| format!("{:016x}", mixed(i, k).rotate_left(7))).collect::<String>()
    };
    let n: ArrayRef = Arc::new(Int64Array::from_iter_values(range.clone()));
    let s: ArrayRef = Arc::new(StringArray::from_iter_values(range.map(text)));
    RecordBatch::try_from_iter([("n", n), ("s", s)]).unwrap()
}

fn open_sink(node: &NodeConfig, buffer_bytes: usize) -> swiftwater_engine::Result<Box<dyn Sink>> {
    open_as(node, buffer_bytes, None)
}

fn open_as(
    node: &NodeConfig,
    buffer_bytes: usize,
    exactly_once: Option<ExactlyOnce>,
) -> swiftwater_engine::Result<Box<dyn Sink>> {
    let options: FilesSinkOptions = serde_json::from_value(node.options.clone()).unwrap();
    let inputs = [rows(0..1).schema()];
    let plan = options.plan(&NodeContext { topology: "t", node, inputs: &inputs, streams: &[] })?;
    let mut sink = (plan.make)()?;
    sink.open(SinkContext {
        shared: Arc::default(),
        exactly_once,
        topology: "t".into(),
        node: "node".into(),
        buffer_bytes,
        retry_budget: Duration::from_secs(60),
        clock: Clock::system(),
        metrics: SinkMetrics::new(&Metrics::new("t").unwrap(), "node"),
    })?;
    Ok(sink)
}

/// Writes as the engine does: an unavailable store is tried again with the same batch.
fn write(sink: &mut dyn Sink, sequence: u64, records: RecordBatch) {
    let batch = Batch::new(records, Readings::polled_at(Timestamp(0)));
    while let Err(error) = sink.write(sequence, &batch) {
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    }
}

fn finish(sink: &mut dyn Sink, sequence: u64) {
    sink.barrier(FLUSH).unwrap();
    while sink.acknowledged(Duration::from_millis(100)).unwrap() < sequence {}
}

/// The column `n` of everything at `path`, in order.
fn read(path: &str, format: &str, endpoint: &str) -> Option<Vec<i64>> {
    let mut node = node(Role::Source, json!({"path": path, "store": store(endpoint)}), format);
    node.schema = json!({"n": "int64", "s": "utf8"}).as_object().cloned();
    let options: FilesSourceOptions = serde_json::from_value(node.options.clone()).unwrap();
    let plan = options
        .plan(&NodeContext { topology: "t", node: &node, inputs: &[], streams: &[] })
        .unwrap();
    let mut source = (plan.make)(0).unwrap();
    let opened = source.open(SourceContext {
        resume: None,
        takes_all: false,
        shared: Arc::default(),
        topology: "t".into(),
        node: "node".into(),
        instance: 0,
        instances: 1,
        prefetch_bytes: 1 << 20,
        batch_rows: 8192,
        clock: Clock::system(),
        metrics: SourceMetrics::new(&Metrics::new("t").unwrap(), "node"),
    });
    if let Err(error) = opened {
        assert_eq!(error.code, "SW2011", "{error}");
        return None;
    }
    let mut all = Vec::new();
    loop {
        match source.poll(Duration::ZERO).unwrap() {
            Polled::Rows { batch, rejected, .. } => {
                assert_eq!(rejected, []);
                let s = batch.records.column(1).as_string::<i32>();
                assert!(s.null_count() == 0 && s.iter().flatten().all(|t| t.len() == 192));
                all.extend_from_slice(batch.records.column(0).as_primitive::<Int64Type>().values());
            }
            Polled::End => return Some(all),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn files_of_every_format_come_back_and_show_only_when_whole() {
    let (endpoint, prefix) = endpoint("formats");
    for format in ["json", "csv", "parquet", "arrow_ipc"] {
        let path = format!("{prefix}{format}/");
        let options = json!({"path": path, "store": store(endpoint)});
        let mut sink = open_sink(&node(Role::Sink, options, format), 256 << 20).unwrap();
        write(sink.as_mut(), 1, rows(0..1000));
        assert_eq!(sink.acknowledged(Duration::ZERO).unwrap(), 0);
        assert_eq!(read(&path, format, endpoint), None, "visible before the commit");
        finish(sink.as_mut(), 1);
        assert_eq!(read(&path, format, endpoint).unwrap(), (0..1000).collect::<Vec<i64>>());
        let pattern =
            format!("{path}*Z-*.{}", if format == "arrow_ipc" { "arrow" } else { format });
        assert_eq!(read(&pattern, format, endpoint).unwrap().len(), 1000);
    }
}

#[test]
fn a_large_file_goes_up_in_parts_within_little_memory() {
    let (endpoint, prefix) = endpoint("large");
    for format in ["json", "parquet"] {
        let path = format!("{prefix}{format}/");
        let options = json!({
            "path": path, "store": store(endpoint), "compression": "none",
            "roll": {"bytes": "60MiB", "every": "1h"}, "row_group_rows": 20_000,
        });
        let mut options = options;
        if format == "json" {
            options.as_object_mut().unwrap().remove("row_group_rows");
        }
        let mut sink = open_sink(&node(Role::Sink, options, format), 48 << 20).unwrap();
        let mut sequence = 0;
        for from in (0..400_000).step_by(4000) {
            sequence += 1;
            write(sink.as_mut(), sequence, rows(from..from + 4000));
        }
        finish(sink.as_mut(), sequence);
        assert!(
            read(&path, format, endpoint).unwrap() == (0..400_000).collect::<Vec<i64>>(),
            "{format}"
        );
    }
}

#[test]
fn a_sink_that_is_given_up_leaves_nothing_visible() {
    let (endpoint, prefix) = endpoint("dropped");
    let options = json!({"path": prefix, "store": store(endpoint), "compression": "none"});
    let mut sink = open_sink(&node(Role::Sink, options, "json"), 256 << 20).unwrap();
    write(sink.as_mut(), 1, rows(0..60_000));
    write(sink.as_mut(), 2, rows(60_000..120_000));
    drop(sink);
    assert_eq!(read(&prefix, "json", endpoint), None);
}

#[test]
fn a_store_that_is_away_is_unavailable_and_a_wrong_key_too_and_neither_shows_the_secret() {
    let (endpoint, prefix) = endpoint("away");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut wrong = store(endpoint);
    wrong["secret_access_key"] = "not-the-secret".into();
    for store in [store(&format!("http://{nobody}")), wrong] {
        let options = json!({"path": prefix, "store": store});
        let mut sink = open_sink(&node(Role::Sink, options, "json"), 256 << 20).unwrap();
        write(sink.as_mut(), 1, rows(0..10));
        sink.barrier(FLUSH).ok();
        let error = loop {
            match sink.acknowledged(Duration::from_millis(100)) {
                Ok(sequence) => assert_eq!(sequence, 0),
                Err(error) => break error,
            }
        };
        assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "SW2022"));
        assert!(!format!("{error} {error:?}").contains("secret\""), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("not-the-secret"));
    }
}

#[test]
fn an_epoch_appears_when_it_is_finalised_also_by_the_next_process() {
    let (endpoint, prefix) = endpoint("epochs");
    for (format, count) in [("json", 60_000), ("parquet", 1000)] {
        let path = format!("{prefix}{format}/");
        let options = json!({"path": path, "store": store(endpoint), "compression": "none"});
        let node = node(Role::Sink, options, format);
        let open = |committed| open_as(&node, 256 << 20, Some(ExactlyOnce { committed })).unwrap();
        let mut sink = open(None);
        write(sink.as_mut(), 1, rows(0..count));
        assert_eq!(sink.acknowledged(Duration::ZERO).unwrap(), 1);
        let first = sink.stage(1).unwrap();
        drop(sink);
        assert_eq!(read(&path, format, endpoint), None, "visible before the commit");
        let mut sink = open(Some((1, Some(first.clone()))));
        let n = |to| (0..to).collect::<Vec<i64>>();
        assert!(read(&path, format, endpoint).unwrap() == n(count));
        sink.finalise(1, &first).unwrap();
        write(sink.as_mut(), 1, rows(count..count + 10));
        let second = sink.stage(2).unwrap();
        drop(sink);
        // The second epoch was not committed.
        let mut sink = open(Some((1, Some(first))));
        write(sink.as_mut(), 1, rows(count..count + 20));
        let second_again = sink.stage(2).unwrap();
        assert_ne!(second, second_again);
        sink.finalise(2, &second_again).unwrap();
        sink.finalise(2, &second_again).unwrap();
        assert!(read(&path, format, endpoint).unwrap() == n(count + 20), "{format}");
    }
}
