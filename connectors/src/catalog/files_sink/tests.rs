//! Files that a sink writes: whole or not there, rolled in time, acknowledged when they are there,
//! and the same rows when they are read again.

use std::fs;
use std::path::Path;
use std::time::Duration as Wait;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow::compute::concat_batches;
use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_config::{NodeConfig, Role};
use swiftwater_engine::{Barrier, Batch, Clock, Polled, Readings, Sink, Timestamp};

use super::*;
use crate::catalog::FilesSourceOptions;
use crate::oracle::oracle;
use crate::test_node::{node, open_sink, open_source, plan_source};

pub(super) const FLUSH: Barrier = Barrier { epoch: 1, flush: true };

pub(super) fn batch(records: RecordBatch) -> Batch {
    Batch::new(records, Readings::polled_at(Timestamp(0)))
}

pub(super) fn numbers(range: std::ops::Range<i64>) -> RecordBatch {
    use arrow::datatypes::{DataType, Field, Schema};
    let schema = Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("text", DataType::Utf8, true),
    ]);
    let n: ArrayRef = Arc::new(Int64Array::from_iter_values(range.clone()));
    let text: ArrayRef =
        Arc::new(StringArray::from_iter_values(range.map(|i| format!("row number {i}"))));
    RecordBatch::try_new(Arc::new(schema), vec![n, text]).unwrap()
}

pub(super) fn sink_node(directory: &Path, mut options: Value, format: &str) -> NodeConfig {
    options["path"] = directory.to_str().unwrap().into();
    node(Role::Sink, "files", options, format)
}

pub(super) fn open(
    directory: &Path,
    options: Value,
    format: &str,
    schema: SchemaRef,
    clock: &Clock,
) -> Box<dyn Sink> {
    let node = sink_node(directory, options, format);
    open_sink::<FilesSinkOptions>(&node, schema, 64 << 20, clock).unwrap()
}

/// Paths of all files under a directory, hidden ones too, in order.
pub(super) fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                found.push(path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

pub(super) fn is_visible(path: &str) -> bool {
    !path.rsplit('/').next().unwrap().starts_with('.')
}

/// All rows of a directory through the source; nothing may be rejected.
pub(super) fn read(
    directory: &Path,
    format: &str,
    schema: Option<&SchemaRef>,
    batch_rows: usize,
) -> RecordBatch {
    let mut node = node(Role::Source, "files", json!({"path": directory}), format);
    node.schema = schema.map(|schema| {
        let column = |f: &Arc<arrow::datatypes::Field>| {
            (f.name().clone(), Value::from(swiftwater_engine::schema::name(f.data_type())))
        };
        schema.fields().iter().map(column).collect()
    });
    let plan = plan_source::<FilesSourceOptions>(&node).unwrap();
    let mut source = open_source(&plan, (0, 1), batch_rows, &Clock::system()).unwrap();
    let mut all = Vec::new();
    loop {
        match source.poll(Wait::ZERO).unwrap() {
            Polled::Rows { batch, rejected, .. } => {
                assert_eq!(rejected, []);
                assert!(batch.rows() <= batch_rows);
                all.push(batch.records);
            }
            Polled::End => break,
            other => panic!("{other:?}"),
        }
    }
    concat_batches(&plan.schema, &all).unwrap()
}

fn nullable<T: std::fmt::Debug>(
    value: impl Strategy<Value = T> + 'static,
    rows: usize,
) -> impl Strategy<Value = Vec<Option<T>>> {
    prop::collection::vec(prop::option::weighted(0.8, value), rows)
}

/// Batches of one schema.
fn batches() -> impl Strategy<Value = Vec<RecordBatch>> {
    let one = (1_usize..40).prop_flat_map(|rows| {
        (
            nullable(any::<i64>(), rows),
            nullable((-1e300_f64..1e300).prop_map(|f| if f == 0.0 { 0.5 } else { f }), rows),
            nullable("[a-zéü,\"';\n\r{}%= ]{0,12}", rows),
            nullable(any::<bool>(), rows),
            nullable(-62_000_000_000_000_i64..250_000_000_000_000, rows),
        )
            .prop_map(|(n, f, s, b, t)| {
                let columns: [(&str, ArrayRef); 5] = [
                    ("n", Arc::new(Int64Array::from(n))),
                    ("f", Arc::new(Float64Array::from(f))),
                    ("s,1", Arc::new(StringArray::from(s))),
                    ("b", Arc::new(BooleanArray::from(b))),
                    ("t", Arc::new(TimestampMillisecondArray::from(t))),
                ];
                let fields = columns.iter().map(|(name, c)| {
                    arrow::datatypes::Field::new(*name, c.data_type().clone(), true)
                });
                let schema = Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()));
                RecordBatch::try_new(schema, columns.map(|(_, c)| c).to_vec()).unwrap()
            })
    });
    prop::collection::vec(one, 1..8)
}

fn makings() -> impl Strategy<Value = (&'static str, Option<&'static str>)> {
    prop::sample::select(vec![
        ("json", None),
        ("json", Some("zstd")),
        ("csv", None),
        ("csv", Some("gzip")),
        ("parquet", None),
        ("parquet", Some("snappy")),
        ("parquet", Some("lz4")),
        ("parquet", Some("gzip")),
        ("arrow_ipc", None),
        ("arrow_ipc", Some("zstd")),
        ("arrow_ipc", Some("lz4")),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_come_back_as_they_were_written(
        batches in batches(),
        (format, compression) in makings(),
        flush_after in 0_usize..8,
        batch_rows in 1_usize..60,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let schema = batches[0].schema();
        let options = match compression {
            Some(c) => json!({"compression": c}),
            None => json!({}),
        };
        let mut sink = open(dir.path(), options, format, Arc::clone(&schema), &Clock::system());
        for (i, records) in batches.iter().enumerate() {
            let sequence = i as u64 + 1;
            sink.write(sequence, &batch(records.clone())).unwrap();
            if i == flush_after {
                sink.barrier(FLUSH).unwrap();
                prop_assert_eq!(sink.acknowledged(Wait::from_secs(1)).unwrap(), sequence);
            }
        }
        sink.barrier(FLUSH).unwrap();
        prop_assert_eq!(sink.acknowledged(Wait::from_secs(1)).unwrap(), batches.len() as u64);
        let all = concat_batches(&schema, &batches).unwrap();
        let declared = ["json", "csv"].contains(&format).then_some(&schema);
        prop_assert_eq!(read(dir.path(), format, declared, batch_rows), all);
    }
}

#[test]
fn a_file_is_rolled_by_time_without_rows_and_only_then_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp(0));
    let options = json!({"roll": {"every": "10s"}});
    let mut sink = open(dir.path(), options, "json", numbers(0..1).schema(), &clock);
    sink.write(1, &batch(numbers(0..3))).unwrap();
    clock.advance_to(Timestamp(4_000_000));
    sink.write(2, &batch(numbers(3..5))).unwrap();
    clock.advance_to(Timestamp(9_999_999));
    assert_eq!(sink.acknowledged(Wait::ZERO).unwrap(), 0);
    assert!(files(dir.path()).iter().all(|f| !is_visible(f)));
    clock.advance_to(Timestamp(10_000_000));
    assert_eq!(sink.acknowledged(Wait::from_secs(1)).unwrap(), 2);
    let written = files(dir.path());
    assert_eq!(written.len(), 1);
    assert_eq!(fs::read_to_string(dir.path().join(&written[0])).unwrap().lines().count(), 5);
    sink.write(3, &batch(numbers(5..6))).unwrap();
    sink.barrier(Barrier { epoch: 2, flush: false }).unwrap();
    assert_eq!(sink.acknowledged(Wait::ZERO).unwrap(), 2, "a barrier alone rolls nothing");
    sink.barrier(FLUSH).unwrap();
    assert_eq!(sink.acknowledged(Wait::from_secs(1)).unwrap(), 3);
    assert_eq!(files(dir.path()).len(), 2);
}

#[test]
fn a_file_is_rolled_by_size_and_names_sort_in_the_order_of_rows() {
    for (format, compression) in
        [("json", "none"), ("csv", "zstd"), ("parquet", "none"), ("arrow_ipc", "none")]
    {
        let dir = tempfile::tempdir().unwrap();
        let options = json!({"roll": {"bytes": "20KiB"}, "compression": compression});
        let schema = numbers(0..1).schema();
        let mut sink = open(dir.path(), options, format, Arc::clone(&schema), &Clock::system());
        let mut sequence = 0;
        for from in (0..40_000).step_by(200) {
            sequence += 1;
            sink.write(sequence, &batch(numbers(from..from + 200))).unwrap();
        }
        sink.barrier(FLUSH).unwrap();
        assert_eq!(sink.acknowledged(Wait::from_secs(1)).unwrap(), sequence);
        let written = files(dir.path());
        assert!(written.len() > 2 && written.len() < 120, "{format}: {}", written.len());
        for file in written.iter().rev().skip(1) {
            let size = fs::metadata(dir.path().join(file)).unwrap().len();
            // Besides the roll size one batch fits, and what the compressor or the footer adds.
            assert!((10_000..60_000).contains(&size), "{format} {size}");
        }
        let rows = read(dir.path(), format, Some(&schema), 1000);
        assert_eq!(rows, numbers(0..40_000), "{format}");
    }
}

#[test]
fn rows_are_spread_over_directories_and_each_is_acknowledged_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp(0));
    let of_day = |day: &str, range: std::ops::Range<i64>| {
        let rows = numbers(range);
        let days: ArrayRef = Arc::new(StringArray::from(vec![day; rows.num_rows()]));
        let mut columns = rows.columns().to_vec();
        columns.insert(1, days);
        let names = ["n", "day", "text"].into_iter().zip(columns).map(|(n, c)| (n, c, true));
        RecordBatch::try_from_iter_with_nullable(names).unwrap()
    };
    let options = json!({"partition_by": ["day"], "roll": {"every": "10s"}});
    let schema = of_day("x", 0..1).schema();
    let mut sink = open(dir.path(), options, "parquet", Arc::clone(&schema), &clock);
    sink.write(1, &batch(of_day("mon/day", 0..10))).unwrap();
    clock.advance_to(Timestamp(5_000_000));
    let both = [of_day("tue", 10..20), of_day("mon/day", 20..25)];
    sink.write(2, &batch(concat_batches(&schema, &both).unwrap())).unwrap();
    clock.advance_to(Timestamp(10_000_000));
    assert_eq!(sink.acknowledged(Wait::from_secs(1)).unwrap(), 1, "tuesday is still open");
    assert_eq!(read(&dir.path().join("day=mon%2Fday"), "parquet", None, 100).num_rows(), 15);
    clock.advance_to(Timestamp(15_000_000));
    assert_eq!(sink.acknowledged(Wait::from_secs(1)).unwrap(), 2);
    assert_eq!(read(&dir.path().join("day=tue"), "parquet", None, 100), numbers(10..20));
}

#[test]
fn options_that_make_no_sense_are_told() {
    let schema = numbers(0..1).schema();
    let told = |options: Value, format: &str| {
        let node = node(Role::Sink, "files", options, format);
        open_sink::<FilesSinkOptions>(&node, Arc::clone(&schema), 1, &Clock::system())
            .err()
            .unwrap_or_else(|| panic!("{node:?}"))
    };
    for (options, format, code) in [
        (json!({"path": "x", "compression": "snappy"}), "json", "SW2013"),
        (json!({"path": "x", "row_group_rows": 10}), "json", "SW2013"),
        (json!({"path": "x", "row_group_rows": 0}), "parquet", "SW2013"),
        (json!({"path": "x", "header": true}), "parquet", "SW2013"),
        (json!({"path": "x", "roll": {"bytes": "0B"}}), "json", "SW2013"),
        (json!({"path": "x", "format": "csv"}), "json", "SW2013"),
        (json!({"path": "x"}), "avro", "SW2013"),
        (json!({"path": "x/*.json"}), "json", "SW2011"),
        (json!({"path": "x", "partition_by": ["day"]}), "json", "SW2026"),
        (json!({"path": "x", "values": ["day"]}), "json", "SW2013"),
        (json!({"path": "x", "features": {"view": "v_v1"}}), "json", "SW2013"),
        (json!({"path": "x", "features": {"view": "v_v1", "entity": ["n"]}}), "json", "SW2013"),
        (json!({"path": "x", "store": {"region": "eu"}}), "json", "SW2010"),
        (json!({"path": "ftp://x"}), "json", "SW2010"),
    ] {
        let error = told(options.clone(), format);
        assert_eq!(error.code, code, "{options} {format}: {error}");
        assert!(error.hint.is_some(), "{error}");
    }
}

#[test]
fn duckdb_and_pandas_read_features_with_both_clocks() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp(1_795_428_930_123_456));
    let at: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![
        Some(1_795_428_930_001),
        Some(1_795_392_000_000),
        None,
        Some(1_795_391_999_999),
    ]));
    let n: ArrayRef = Arc::new(Int64Array::from_iter_values(0..4));
    let amount: ArrayRef =
        Arc::new(Float64Array::from(vec![Some(0.5), None, Some(-1.0), Some(2.0)]));
    let columns = [("n", n, false), ("at", at, true), ("amount", amount, true)];
    let records = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let options = json!({"partition_by": ["day(at)"], "created_column": "created_at"});
    let mut sink = open(directory.path(), options, "parquet", records.schema(), &clock);
    sink.write(1, &batch(records.slice(0, 2))).unwrap();
    clock.advance_to(Timestamp(1_795_428_931_123_456));
    sink.write(2, &batch(records.slice(2, 2))).unwrap();
    sink.barrier(FLUSH).unwrap();
    while sink.acknowledged(Wait::from_secs(1)).unwrap() < 2 {}
    let row = |n: i64, at: Option<&str>, amount: Option<f64>, created: &str, day: Option<&str>| json!({"n": n, "at": at, "amount": amount, "created_at": created, "day": day});
    let (first, second) = ("2026-11-23T10:15:30.123456", "2026-11-23T10:15:31.123456");
    let expected = json!([
        row(0, Some("2026-11-23T10:15:30.001000"), Some(0.5), first, Some("2026-11-23")),
        row(1, Some("2026-11-23T00:00:00"), None, first, Some("2026-11-23")),
        row(2, None, Some(-1.0), second, None),
        row(3, Some("2026-11-22T23:59:59.999000"), Some(2.0), second, Some("2026-11-22")),
    ]);
    let read = oracle("parquet_read.py", &[directory.path().to_str().unwrap()], "");
    assert_eq!(read["duckdb"], expected);
    assert_eq!(read["pandas"], expected);
}
