//! What records are made of, and where they go.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::json;

use crate::driver::{LIMIT, Reader, Writer, column_n, numbers, options};
use crate::support::{Broker, Topic, unique, wait_until};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

fn write(topic: &Topic, more: serde_json::Value, records: &RecordBatch) -> Writer {
    let mut all = json!({"topic": topic.name()});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut writer = Writer::open(options(Broker::shared(), all), records).unwrap();
    writer.write(records).unwrap();
    writer.flush().unwrap();
    writer
}

#[test]
fn keys_go_where_javas_producer_sends_them() {
    let (ours, theirs) =
        (Topic::create(Broker::shared(), "ours", 7), Topic::create(Broker::shared(), "theirs", 7));
    let values: Vec<i64> = (0..500).map(|n| n * n - 40).collect();
    let records = batch(vec![("n", Arc::new(Int64Array::from(values.clone())))]);
    write(&ours, json!({"key": ["n"]}), &records).close();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", Broker::shared().bootstrap())
        .set("partitioner", "murmur2_random")
        .create()
        .unwrap();
    for value in &values {
        let key = value.to_string();
        producer.send(BaseRecord::<str, ()>::to(theirs.name()).key(&key)).unwrap();
    }
    producer.flush(LIMIT).unwrap();
    let places = |topic: &Topic| -> BTreeMap<Vec<u8>, i32> {
        let all = topic.read_all();
        all.into_iter().map(|r| (r.key.unwrap(), r.partition.unwrap())).collect()
    };
    assert_eq!(places(&ours), places(&theirs));
    // Partitions that `kafka-clients` 4.1 chose for these keys among 7.
    let java: [(&str, i32); 3] = [("-40", 5), ("-39", 0), ("24", 3)];
    let found = places(&ours);
    for (key, _) in java {
        assert!(found.contains_key(key.as_bytes()), "{key}");
    }
}

#[test]
fn records_have_headers_times_partitions_and_null_values() {
    let topic = Topic::create_with(Broker::shared(), "rich", 3, &[("retention.ms", "-1")]);
    let records = batch(vec![
        ("n", Arc::new(Int64Array::from(vec![Some(1), Some(2), None]))),
        ("k", Arc::new(StringArray::from(vec![Some("a"), None, Some("c")]))),
        ("p", Arc::new(Int32Array::from(vec![Some(2), Some(1), Some(0)]))),
        (
            "t",
            Arc::new(TimestampMillisecondArray::from(vec![Some(1_700_000_000_000), None, Some(5)])),
        ),
        ("h", Arc::new(StringArray::from(vec![Some("x"), None, Some("z")]))),
    ]);
    let all = json!({
        "key": ["k"], "partition": "p", "timestamp": "t", "tombstones": true,
        "headers": {"from": {"column": "h"}, "by": {"value": "us"}},
        "except": ["k", "p", "t", "h"],
    });
    write(&topic, all, &records).close();
    let read = topic.read_all();
    let by = ("by".to_owned(), Some(b"us".to_vec()));
    let at = |partition: i32| read.iter().find(|r| r.partition == Some(partition)).unwrap();
    assert_eq!(at(2).key.as_deref(), Some(&b"a"[..]));
    assert_eq!(at(2).payload.as_deref(), Some(&b"{\"n\":1}"[..]));
    assert_eq!(at(2).timestamp, Some(1_700_000_000_000));
    assert_eq!(at(2).headers, [by.clone(), ("from".into(), Some(b"x".to_vec()))]);
    assert_eq!((&at(1).key, &at(1).headers), (&None, &vec![by, ("from".into(), None)]));
    assert!(at(1).timestamp.unwrap() > 1_700_000_000_000);
    assert_eq!((&at(0).payload, at(0).key.as_deref()), (&None, Some(&b"c"[..])));
}

#[test]
fn a_partition_that_does_not_exist_is_a_bad_row() {
    let topic = Topic::create(Broker::shared(), "nowhere", 2);
    let records = batch(vec![("p", Arc::new(Int64Array::from(vec![0, 1, 2, -1, 1 << 40])))]);
    let writer = write(&topic, json!({"partition": "p"}), &records);
    let codes: Vec<&str> = writer.rejected.iter().map(|r| r.code).collect();
    assert_eq!(codes, ["SW2133"; 3]);
    assert_eq!(topic.ends(), [1, 1]);
}

#[test]
fn a_record_too_large_is_set_aside_and_the_others_are_written() {
    let limit = [("max.message.bytes", "20000")];
    let topic = Topic::create_with(Broker::shared(), "large", 1, &limit);
    // Well above the limit; just below it, but above with the frame; and small ones.
    let sizes = [10, 50_000, 10, 19_980, 10];
    let texts: Vec<String> = sizes.iter().map(|size| "x".repeat(*size)).collect();
    let records = batch(vec![("s", Arc::new(StringArray::from(texts)))]);
    let writer = write(&topic, json!({"compression": "none"}), &records);
    let told: Vec<(&str, usize)> =
        writer.rejected.iter().map(|r| (r.code, r.payload.as_ref().unwrap().len())).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|(code, size)| *code == "SW2131" && *size > 19_000));
    assert_eq!(topic.read_all().len(), 3);
}

#[test]
fn a_limit_above_the_clients_own_is_used() {
    let limit = [("max.message.bytes", "8000000")];
    let topic = Topic::create_with(Broker::shared(), "larger", 1, &limit);
    let records = batch(vec![("s", Arc::new(StringArray::from(vec!["y".repeat(5_000_000)])))]);
    let writer = write(&topic, json!({}), &records);
    assert!(writer.rejected.is_empty());
    assert_eq!(topic.ends(), [1]);
}

#[test]
fn a_topic_is_made_where_the_options_say_so() {
    let name = unique("made");
    let all = json!({"topic": name, "create": {"partitions": 3}});
    let mut writer = Writer::open(options(Broker::shared(), all.clone()), &numbers(0, 1)).unwrap();
    writer.write(&numbers(0, 10)).unwrap();
    writer.flush().unwrap();
    let topic = Topic::named(Broker::shared(), &name, 3);
    assert_eq!(topic.ends().iter().sum::<i64>(), 10);
    // Another one finds it.
    Writer::open(options(Broker::shared(), all), &numbers(0, 1)).unwrap();
}

#[test]
fn partitions_that_are_added_get_their_share_and_nothing_is_lost() {
    let topic = Topic::create(Broker::shared(), "growing", 1);
    let refresh = json!({"topic.metadata.refresh.interval.ms": "100"});
    let all = json!({"topic": topic.name(), "key": ["n"], "properties": refresh});
    let mut writer = Writer::open(options(Broker::shared(), all), &numbers(0, 1)).unwrap();
    let mut written = 0;
    let mut write = |rows: i64| {
        writer.write(&numbers(written, written + rows)).unwrap();
        writer.flush().unwrap();
        written += rows;
        written
    };
    write(100);
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", Broker::shared().bootstrap())
        .create()
        .unwrap();
    let grown = NewPartitions::new(topic.name(), 3);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let asked = runtime.block_on(admin.create_partitions([&grown], &AdminOptions::new())).unwrap();
    asked.into_iter().for_each(|made| assert!(made.is_ok(), "{made:?}"));
    let topic = Topic::named(Broker::shared(), topic.name(), 3);
    wait_until("records in the new partitions", LIMIT, || {
        write(100);
        topic.ends().iter().all(|end| *end > 0)
    });
    let written = write(100);
    let mut all: Vec<i64> =
        topic.read_all().iter().map(|record| record.json()["n"].as_i64().unwrap()).collect();
    all.sort_unstable();
    assert_eq!(all, (0..written).collect::<Vec<_>>());
}

#[test]
fn a_small_buffer_makes_the_writer_wait_and_loses_nothing() {
    let topic = Topic::create(Broker::shared(), "small", 4);
    let all = options(Broker::shared(), json!({"topic": topic.name(), "key": ["n"]}));
    let mut writer = Writer::open_with(all, &numbers(0, 1), LIMIT, 1 << 16).unwrap();
    for from in 0..20 {
        writer.write(&numbers(from * 5000, from * 5000 + 5000)).unwrap();
    }
    writer.flush().unwrap();
    assert_eq!(topic.ends().iter().sum::<i64>(), 100_000);
}

#[test]
fn what_a_sink_writes_a_source_reads() {
    let topic = Topic::create(Broker::shared(), "round", 2);
    let records = numbers(0, 1000);
    write(&topic, json!({"key": ["n"]}), &records).close();
    let all = json!({"topic": topic.name(), "group": unique("group"), "until": "latest"});
    let mut reader = Reader::start(options(Broker::shared(), all));
    assert_eq!(reader.read_to_end().numbers(), column_n(&records));
}
