//! What may go wrong while files are written: little memory, a crash, a full disk.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration as Wait;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use serde_json::json;
use swiftwater_engine::{Clock, Sink, SinkContext};

use super::tests::{FLUSH, batch, files, is_visible, numbers, open, read, sink_node};
use super::*;

#[test]
fn memory_stays_within_the_limit_and_nothing_is_lost() {
    let text = |i: i64| {
        format!("{:x}", u128::from(i.unsigned_abs()).pow(4).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    };
    let rows = |range: std::ops::Range<i64>| {
        let n: ArrayRef = Arc::new(Int64Array::from_iter_values(range.clone()));
        let s: ArrayRef = Arc::new(StringArray::from_iter_values(range.clone().map(text)));
        let p: ArrayRef = Arc::new(Int64Array::from_iter_values(range.map(|i| i % 20)));
        RecordBatch::try_from_iter([("n", n), ("s", s), ("p", p)]).unwrap()
    };
    let schema = rows(0..1).schema();
    for (format, by) in [("parquet", json!([])), ("json", json!(["p"])), ("parquet", json!(["p"]))]
    {
        let dir = tempfile::tempdir().unwrap();
        let node = sink_node(dir.path(), json!({"partition_by": by}), format);
        let options: FilesSinkOptions = serde_json::from_value(node.options.clone()).unwrap();
        let inputs = [Arc::clone(&schema)];
        let cx = NodeContext { topology: "t", node: &node, inputs: &inputs, streams: &[] };
        let mut sink = FilesSink::new(options.design(&cx).unwrap());
        let limit = 1 << 20;
        let metrics = swiftwater_engine::metrics::Metrics::new("t").unwrap();
        sink.open(SinkContext {
            shared: Arc::default(),
            exactly_once: None,
            topology: "t".into(),
            node: "n".into(),
            buffer_bytes: limit,
            retry_budget: Wait::from_secs(1),
            clock: Clock::system(),
            metrics: swiftwater_engine::metrics::SinkMetrics::new(&metrics, "n"),
        })
        .unwrap();
        let step = 2000;
        let mut sequence = 0;
        for from in (0..200_000).step_by(step) {
            let next = batch(rows(from..from + step as i64));
            sequence += 1;
            sink.write(sequence, &next).unwrap();
            let held = sink.held();
            // Beside the limit one batch in the making, for which encoders take some times its size,
            // and what an encoder needs for itself.
            let files = if by == json!([]) { 1 } else { 20 };
            let most = limit + 4 * next.bytes() + files * (32 << 10);
            assert!(held <= most, "{format} {by}: {held}");
        }
        sink.barrier(FLUSH).unwrap();
        assert_eq!(sink.acknowledged(Wait::from_secs(1)).unwrap(), sequence);
        let n = |rows: RecordBatch| {
            let mut n: Vec<i64> = arrow::array::cast::as_primitive_array::<
                arrow::datatypes::Int64Type,
            >(rows.column(0))
            .values()
            .to_vec();
            n.sort_unstable();
            n
        };
        let left =
            partition::remaining(&schema, &serde_json::from_value::<Vec<String>>(by).unwrap())
                .unwrap();
        let found = n(read(dir.path(), format, Some(&left), 8192));
        assert!(found == (0..200_000).collect::<Vec<i64>>(), "{format}");
    }
}

/// Where the child process of the crash test writes.
const CRASH: &str = "SWIFTWATER_CRASH_DIRECTORY";

#[test]
#[ignore = "the child process of the crash test, which dies"]
fn crash_child() {
    let Ok(directory) = std::env::var(CRASH) else { return };
    let schema = numbers(0..1).schema();
    let options = json!({"roll": {"bytes": "1GiB"}, "compression": "none"});
    let mut sink = open(Path::new(&directory), options, "json", schema, &Clock::system());
    sink.write(1, &batch(numbers(0..10))).unwrap();
    sink.barrier(FLUSH).unwrap();
    assert_eq!(sink.acknowledged(Wait::from_secs(1)).unwrap(), 1);
    // More than is gathered in memory, so that half a file lies on the disk.
    sink.write(2, &batch(numbers(10..100_000))).unwrap();
    std::process::abort();
}

#[test]
fn a_crash_leaves_no_half_file_and_the_next_start_sweeps_what_it_left() {
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "catalog::files_sink::trouble::crash_child"])
        .env(CRASH, dir.path())
        .output()
        .unwrap()
        .status;
    assert!(!status.success());
    let (seen, hidden): (Vec<String>, Vec<String>) =
        files(dir.path()).into_iter().partition(|f| is_visible(f));
    assert_eq!((seen.len(), hidden.len()), (1, 1));
    assert!(fs::metadata(dir.path().join(&hidden[0])).unwrap().len() > 1 << 20);
    let schema = numbers(0..1).schema();
    assert_eq!(read(dir.path(), "json", Some(&schema), 100), numbers(0..10));
    drop(open(dir.path(), json!({}), "json", schema, &Clock::system()));
    assert_eq!(files(dir.path()), seen);
}

#[test]
fn a_sink_that_is_dropped_leaves_what_was_acknowledged_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = open(dir.path(), json!({}), "parquet", numbers(0..1).schema(), &Clock::system());
    sink.write(1, &batch(numbers(0..10))).unwrap();
    drop(sink);
    assert!(files(dir.path()).is_empty());
}

#[test]
fn a_disk_that_fills_up_holds_rows_back_and_loses_none() {
    // A small disk of its own; where the tests may not mount one, `/dev/full` has to do
    // (`local_upload`).
    let dir = tempfile::tempdir().unwrap();
    let mount = |args: &[&str]| Command::new("mount").args(args).output();
    let path = dir.path().to_str().unwrap();
    if !mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs", path]).is_ok_and(|o| o.status.success()) {
        // The harness keeps what `eprintln` writes to itself.
        let name = "a_disk_that_fills_up_holds_rows_back_and_loses_none";
        writeln!(io::stderr(), "test {name} was SKIPPED: no right to mount a file system").unwrap();
        return;
    }
    let schema = numbers(0..1).schema();
    let options = json!({"compression": "none"});
    let mut sink = open(dir.path(), options, "json", Arc::clone(&schema), &Clock::system());
    let ballast = dir.path().join("_ballast");
    fs::write(&ballast, vec![0; 700 << 10]).unwrap();
    let (mut sequence, mut from, mut refused) = (1, 0, 0);
    while from < 20_000 {
        match sink.write(sequence, &batch(numbers(from..from + 500))) {
            Ok(()) => {
                sequence += 1;
                from += 500;
            }
            Err(error) => {
                assert_eq!(
                    (error.kind, error.code),
                    (swiftwater_engine::ErrorKind::Unavailable, "SW2020")
                );
                refused += 1;
                assert!(refused < 3, "space was made: {error}");
                if refused == 2 {
                    fs::remove_file(&ballast).unwrap();
                }
            }
        }
    }
    let flushed = sink.barrier(FLUSH);
    if flushed.is_err() {
        fs::remove_file(&ballast).ok();
    }
    assert_eq!(sink.acknowledged(Wait::from_secs(1)).unwrap(), sequence - 1);
    let rows = read(dir.path(), "json", Some(&schema), 1000);
    assert_eq!(rows, numbers(0..20_000));
    assert!(refused > 0 || flushed.is_err(), "the disk was never full");
    Command::new("umount").arg(path).status().unwrap();
}
