//! Files that a source reads: in order, record by record, whatever is wrong with some of them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration as Wait;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Int64Type};
use serde_json::{Value, json};
use swiftwater_config::{NodeConfig, Role};
use swiftwater_engine::{Clock, Polled, Rejected, Source, Timestamp};

use super::*;
use crate::test_node::{node, open_source, plan_source};

fn source_node(path: &str, options: Value, schema: Value) -> NodeConfig {
    let mut options = options;
    options["path"] = path.into();
    let mut node = node(Role::Source, "files", options, "");
    node.schema = schema.as_object().cloned();
    node
}

pub(super) fn plan(
    directory: &Path,
    pattern: &str,
    options: Value,
    schema: Value,
) -> Result<SourcePlan> {
    let path = directory.join(pattern);
    plan_source::<FilesSourceOptions>(&source_node(path.to_str().unwrap(), options, schema))
}

pub(super) struct Read {
    pub(super) rows: Vec<RecordBatch>,
    pub(super) rejected: Vec<Rejected>,
    pub(super) ended: bool,
}

/// What there is until the source has nothing more.
pub(super) fn drain(source: &mut dyn Source) -> Read {
    let mut read = Read { rows: Vec::new(), rejected: Vec::new(), ended: false };
    loop {
        match source.poll(Wait::ZERO).unwrap() {
            Polled::Rows { batch, rejected, .. } => {
                read.rows.push(batch.records);
                read.rejected.extend(rejected);
            }
            Polled::Empty => return read,
            Polled::End => {
                read.ended = true;
                return read;
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn numbers(read: &Read) -> Vec<i64> {
    let column = |rows: &RecordBatch| {
        rows.column_by_name("n").unwrap().as_primitive::<Int64Type>().values().to_vec()
    };
    read.rows.iter().flat_map(column).collect()
}

/// File name and record number of what was set aside.
pub(super) fn places(read: &Read) -> Vec<(String, i64, &'static str)> {
    let place = |r: &Rejected| {
        let origin = r.origin.as_ref().unwrap();
        (origin.topic.rsplit('/').next().unwrap().to_owned(), origin.offset, r.code)
    };
    read.rejected.iter().map(place).collect()
}

fn read_all(plan: &SourcePlan, batch_rows: usize) -> Read {
    drain(open_source(plan, (0, 1), batch_rows, &Clock::system()).unwrap().as_mut())
}

fn n() -> Value {
    json!({"n": "int64"})
}

#[test]
fn files_are_read_in_the_order_of_their_names_and_bad_lines_cost_themselves() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("b.json"), "{\"n\":3}\nnot json\n\n{\"n\":\"x\"}\n{\"n\":4}")
        .unwrap();
    fs::write(dir.path().join("a.json"), b"{\"n\":1}\r\n{\"n\":2, \"s\":\"\xff\"}\n\xff\xfe\n")
        .unwrap();
    let plan = plan(dir.path(), "*.json", json!({}), json!({"n": "int64", "s": "utf8"})).unwrap();
    for batch_rows in [1, 2, 100] {
        let read = read_all(&plan, batch_rows);
        assert!(read.ended);
        assert_eq!(numbers(&read), [1, 3, 4]);
        let places: Vec<(String, i64)> =
            places(&read).into_iter().map(|(f, n, _)| (f, n)).collect();
        let expected = [("a.json", 2), ("a.json", 3), ("b.json", 2), ("b.json", 4)];
        assert_eq!(places, expected.map(|(f, n)| (f.to_owned(), n)));
        assert_eq!(read.rejected[2].payload.as_deref(), Some(b"not json".as_slice()));
    }
}

#[test]
fn csv_goes_by_the_header_and_bad_lines_cost_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let text = "extra,n,name\nx,1,\"a, \"\"b\"\"\"\nx,two,b\nx,3\nx,4,\"c\nd\"\ny,,e\nz,6,\"open\n";
    fs::write(dir.path().join("a.csv"), text).unwrap();
    fs::write(dir.path().join("b.csv"), "n\n7\n8\n").unwrap();
    fs::write(dir.path().join("c.csv"), "m\n9\n").unwrap();
    let schema = json!({"name": "utf8", "n": "int64!"});
    let plan = plan(dir.path(), "*.csv", json!({}), schema).unwrap();
    for batch_rows in [1, 3, 100] {
        let read = read_all(&plan, batch_rows);
        assert_eq!(numbers(&read), [1, 4, 7, 8]);
        let names: Vec<Option<String>> = read
            .rows
            .iter()
            .flat_map(|r| {
                r.column(0)
                    .as_string::<i32>()
                    .iter()
                    .map(|s| s.map(str::to_owned))
                    .collect::<Vec<_>>()
            })
            .collect();
        let expected = [Some("a, \"b\""), Some("c\nd"), None, None];
        assert_eq!(names, expected.map(|s| s.map(str::to_owned)));
        let expected = [
            ("a.csv", 3, "SW3102"),
            ("a.csv", 4, "SW3101"),
            ("a.csv", 7, "SW3103"),
            ("a.csv", 8, "SW2016"),
            ("c.csv", 1, "SW2017"),
        ];
        assert_eq!(places(&read), expected.map(|(f, n, c)| (f.to_owned(), n, c)));
    }
}

#[test]
fn a_damaged_file_costs_itself_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.parquet"), "PAR1 but nothing else PAR1").unwrap();
    fs::write(dir.path().join("b.arrow"), b"ARROW1\0\0nonsense").unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&b"{\"n\":1}\n".repeat(100_000)).unwrap();
    let mut cut = gz.finish().unwrap();
    cut.truncate(cut.len() / 2);
    fs::write(dir.path().join("c.json.gz"), cut).unwrap();
    for (pattern, bad) in
        [("*.parquet", "a.parquet"), ("*.arrow", "b.arrow"), ("*.json.gz", "c.json.gz")]
    {
        let plan = plan(dir.path(), pattern, json!({}), n()).unwrap();
        let read = read_all(&plan, 1000);
        assert!(read.ended);
        let places = places(&read);
        assert_eq!(places.len(), 1, "{places:?}");
        assert_eq!((places[0].0.as_str(), places[0].2), (bad, "SW2015"));
    }
}

#[test]
fn columns_that_are_not_declared_come_from_the_first_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.json"), "{\"n\":1,\"x\":{\"y\":[1.5]}}\n{\"n\":2,\"s\":\"t\"}\n")
        .unwrap();
    fs::write(dir.path().join("a.csv"), "n;f\n1;0.5\n").unwrap();
    let json = plan(dir.path(), "a.json", json!({}), Value::Null).unwrap();
    assert_eq!(json.schema.field_with_name("n").unwrap().data_type(), &DataType::Int64);
    assert!(json.schema.field_with_name("x").unwrap().data_type().is_nested());
    assert_eq!(numbers(&read_all(&json, 10)), [1, 2]);
    let path = dir.path().join("a.csv");
    let mut node = source_node(path.to_str().unwrap(), json!({}), Value::Null);
    let options = json!({"delimiter": ";"});
    node.format = Some(swiftwater_config::FormatConfig { name: "csv".into(), options });
    let csv = plan_source::<FilesSourceOptions>(&node).unwrap();
    assert_eq!(csv.schema.field_with_name("f").unwrap().data_type(), &DataType::Float64);
    assert_eq!(numbers(&read_all(&csv, 10)), [1]);
    let told = |pattern: &str| plan(dir.path(), pattern, json!({}), Value::Null).err().unwrap();
    assert_eq!(told("nothing/*.json").code, "SW2019");
    assert_eq!(told("nothing/").code, "SW2013");
    let remote = source_node("s3://bucket/*.json", json!({}), Value::Null);
    assert_eq!(plan_source::<FilesSourceOptions>(&remote).err().unwrap().code, "SW2019");
}

#[test]
fn a_watching_source_reads_each_new_file_once_even_with_an_earlier_name() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp(0));
    let options = json!({"watch": true, "every": "5s"});
    let plan = plan(dir.path(), "*.json", options, n()).unwrap();
    assert!(!plan.bounded);
    let mut source = open_source(&plan, (0, 1), 10, &clock).unwrap();
    assert!(!drain(source.as_mut()).ended);
    fs::write(dir.path().join("m.json"), "{\"n\":1}\n").unwrap();
    assert!(numbers(&drain(source.as_mut())).is_empty(), "it is not time to look yet");
    clock.advance_to(Timestamp(5_000_000));
    assert_eq!(numbers(&drain(source.as_mut())), [1]);
    fs::write(dir.path().join("a.json"), "{\"n\":2}\n").unwrap();
    fs::write(dir.path().join("z.json"), "{\"n\":3}\n").unwrap();
    clock.advance_to(Timestamp(10_000_000));
    assert_eq!(numbers(&drain(source.as_mut())), [2, 3]);
    clock.advance_to(Timestamp(15_000_000));
    assert!(numbers(&drain(source.as_mut())).is_empty());
    assert_eq!(source.position().0.len(), 3);
}

#[test]
fn a_source_without_files_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path(), "*.json", json!({}), n()).unwrap();
    let error = open_source(&plan, (0, 1), 10, &Clock::system()).err().unwrap();
    assert_eq!(error.code, "SW2011");
    assert!(error.to_string().contains("watch: true"));
}

#[test]
fn instances_share_the_files() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..20 {
        fs::write(dir.path().join(format!("{i}.json")), format!("{{\"n\":{i}}}\n")).unwrap();
    }
    let plan = plan(dir.path(), "*.json", json!({}), n()).unwrap();
    let mut all: Vec<i64> = (0..3)
        .flat_map(|i| {
            let mut source = open_source(&plan, (i, 3), 10, &Clock::system()).unwrap();
            numbers(&drain(source.as_mut()))
        })
        .collect();
    all.sort_unstable();
    assert_eq!(all, (0..20).collect::<Vec<i64>>());
}

#[test]
fn every_format_goes_on_from_any_record() {
    use crate::catalog::FilesSinkOptions;
    use crate::test_node::open_sink;
    use swiftwater_engine::{Barrier, Batch, Readings};

    let n: arrow::array::ArrayRef = Arc::new(arrow::array::Int64Array::from_iter_values(0..500));
    let rows = RecordBatch::try_from_iter([("n", n)]).unwrap();
    for format in ["json", "csv", "parquet", "arrow_ipc"] {
        let dir = tempfile::tempdir().unwrap();
        let sink = node(Role::Sink, "files", json!({"path": dir.path()}), format);
        let mut sink =
            open_sink::<FilesSinkOptions>(&sink, rows.schema(), 1 << 20, &Clock::system()).unwrap();
        for (sequence, from) in (1..).zip((0..500).step_by(100)) {
            let part = Batch::new(rows.slice(from, 100), Readings::polled_at(Timestamp(0)));
            sink.write(sequence, &part).unwrap();
        }
        sink.barrier(Barrier { epoch: 1, flush: true }).unwrap();
        assert_eq!(sink.acknowledged(Wait::from_secs(1)).unwrap(), 5);
        let mut node =
            source_node(dir.path().to_str().unwrap(), json!({"format": format}), self::n());
        node.format = None;
        let options: FilesSourceOptions = serde_json::from_value(node.options.clone()).unwrap();
        let cx = NodeContext { topology: "t", node: &node, inputs: &[], streams: &[] };
        let location = Location::parse(&options.path, &StoreOptions::default()).unwrap();
        let chosen = options.format(&cx).unwrap();
        let (schema, shape) = options.shape(chosen, &location, &cx).unwrap();
        let reading = Reading { schema: Arc::clone(&schema), shape, max_record: 1 << 20 };
        let entry = location.list().unwrap().remove(0);
        for skip in [0, 1, 99, 100, 101, 499, 500] {
            let mut reader = reading.open(&entry, skip).unwrap();
            let mut read = Vec::new();
            while let Some(chunk) = reader.next(64).unwrap() {
                read.push(chunk.records);
            }
            let rest = concat_batches(&schema, &read).unwrap();
            let values = rest.column(0).as_primitive::<Int64Type>().values().to_vec();
            let from = i64::try_from(skip).unwrap();
            assert_eq!(values, (from..500).collect::<Vec<i64>>(), "{format} from {skip}");
        }
    }
}

#[test]
fn options_that_make_no_sense_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let told =
        |pattern: &str, options: Value| plan(dir.path(), pattern, options, n()).err().unwrap();
    assert_eq!(told("x", json!({})).code, "SW2013");
    assert_eq!(told("x.json", json!({"header": true})).code, "SW2013");
    assert_eq!(told("x.json", json!({"store": {"allow_http": true}})).code, "SW2010");
}
