//! Where reading starts and ends, and what rows are made of.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

use crate::driver::{Reader, options, plan_source, plan_source_of};
use crate::support::{Broker, Record, Topic, unique};

/// Records of old times would be deleted under the test.
const FOREVER: [(&str, &str); 1] = [("retention.ms", "-1")];

/// A topic of two partitions with the numbers from 0 to `count`, evens in partition 0.
fn topic_of(count: i64) -> Topic {
    let topic = Topic::create_with(Broker::shared(), "start", 2, &FOREVER);
    fill(&topic, 0, count);
    topic
}

fn fill(topic: &Topic, from: i64, to: i64) {
    let record = |n: i64| {
        let mut record =
            Record::new(format!("{{\"n\":{n}}}")).partition(i32::try_from(n % 2).unwrap());
        record.timestamp = Some(1_700_000_000_000 + n * 1000);
        record
    };
    topic.produce((from..to).map(record));
}

fn reader(topic: &Topic, more: Value) -> Reader {
    let mut all = json!({"topic": topic.name(), "group": unique("group")});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Reader::start(options(Broker::shared(), all))
}

#[test]
fn a_new_group_starts_where_it_is_told() {
    let topic = topic_of(100);
    assert_eq!(reader(&topic, json!({})).read(100).numbers(), (0..100).collect::<Vec<_>>());

    let from = json!({"start": {"timestamp": 1_700_000_000_000_i64 + 40_000}});
    assert_eq!(reader(&topic, from).read(60).numbers(), (40..100).collect::<Vec<_>>());

    let from = json!({"start": {"offsets": {"0": 45}}});
    let mut expected: Vec<i64> = (0..100).filter(|n| n % 2 == 1 || *n >= 90).collect();
    expected.sort_unstable();
    assert_eq!(reader(&topic, from).read(55).numbers(), expected);

    let mut latest = reader(&topic, json!({"start": "latest"}));
    latest.until("partitions", |r| r.position().0.len() == 2);
    fill(&topic, 100, 110);
    assert_eq!(latest.read(10).numbers(), (100..110).collect::<Vec<_>>());
}

#[test]
fn a_group_goes_on_where_it_committed() {
    let topic = topic_of(100);
    let group = unique("group");
    let start = json!({"topic": topic.name(), "group": group, "start": "earliest"});
    let mut first = Reader::start(options(Broker::shared(), start.clone()));
    first.read(100).commit(true);
    assert_eq!(topic.committed(&group), [Some(50), Some(50)]);
    first.close();
    fill(&topic, 100, 120);
    let mut second = Reader::start(options(Broker::shared(), start));
    assert_eq!(second.read(20).numbers(), (100..120).collect::<Vec<_>>());
}

#[test]
fn the_start_at_the_latest_record_is_kept_over_a_restart() {
    let topic = topic_of(10);
    let group = unique("group");
    let start = json!({"topic": topic.name(), "group": group, "start": "latest"});
    let mut first = Reader::start(options(Broker::shared(), start.clone()));
    first.until("partitions", |r| r.position().0.len() == 2).commit(true);
    first.close();
    fill(&topic, 10, 20);
    let mut second = Reader::start(options(Broker::shared(), start));
    assert_eq!(second.read(10).numbers(), (10..20).collect::<Vec<_>>(), "not lost in between");
}

#[test]
fn a_bounded_source_ends_at_what_is_there() {
    let topic = Topic::create_with(Broker::shared(), "bounded", 4, &FOREVER);
    // Partitions 2 and 3 stay empty.
    fill(&topic, 0, 1000);
    let group = unique("group");
    let until = json!({"topic": topic.name(), "group": group, "until": "latest"});
    let plan = plan_source(options(Broker::shared(), until.clone())).unwrap();
    assert!(plan.bounded);
    let mut first = Reader::open(&plan).unwrap();
    fill(&topic, 1000, 1100);
    first.read_to_end();
    assert_eq!(first.numbers(), (0..1000).collect::<Vec<_>>(), "and not what came later");
    first.commit(true);
    assert_eq!(topic.committed(&group), [Some(500), Some(500), Some(0), Some(0)]);
    first.close();

    let mut rest = Reader::start(options(Broker::shared(), until.clone()));
    rest.read_to_end().commit(true);
    assert_eq!(rest.numbers(), (1000..1100).collect::<Vec<_>>());
    rest.close();
    let mut nothing = Reader::start(options(Broker::shared(), until));
    assert!(nothing.read_to_end().rows.is_empty());
}

#[test]
fn a_bounded_source_ends_at_offsets_and_times() {
    let topic = topic_of(100);
    let until = json!({"until": {"offsets": {"0": 10, "1": 0}}});
    let expected: Vec<i64> = (0..20).filter(|n| n % 2 == 0).collect();
    assert_eq!(reader(&topic, until).read_to_end().numbers(), expected);

    let until = json!({
        "start": {"timestamp": "2023-11-14T22:13:30Z"},
        "until": {"timestamp": 1_700_000_020_000_i64},
    });
    assert_eq!(reader(&topic, until).read_to_end().numbers(), (10..20).collect::<Vec<_>>());

    let group = unique("group");
    let until = json!({"topic": topic.name(), "group": group, "until": {"offsets": {"0": 1}}});
    let plan = plan_source(options(Broker::shared(), until)).unwrap();
    let error = Reader::open(&plan).err().unwrap();
    assert_eq!(error.code, "SW2105", "{error}");
    assert!(error.to_string().contains("/1`"), "{error}");
}

#[test]
fn markers_of_transactions_at_the_end_do_not_keep_a_bounded_source_waiting() {
    let topic = Topic::create(Broker::shared(), "markers", 1);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", Broker::shared().bootstrap())
        .set("transactional.id", unique("tx"))
        .create()
        .unwrap();
    let wait = Duration::from_secs(20);
    producer.init_transactions(wait).unwrap();
    let send = |n: i64| {
        let payload = format!("{{\"n\":{n}}}");
        producer.send(BaseRecord::<(), str>::to(topic.name()).payload(&payload)).unwrap();
    };
    producer.begin_transaction().unwrap();
    (0..10).for_each(send);
    producer.commit_transaction(wait).unwrap();
    producer.begin_transaction().unwrap();
    (10..20).for_each(send);
    producer.flush(wait).unwrap();
    producer.abort_transaction(wait).unwrap();

    let group = unique("group");
    let until = json!({"topic": topic.name(), "group": group, "until": "latest"});
    let mut committed = Reader::start(options(Broker::shared(), until));
    committed.read_to_end().commit(true);
    assert_eq!(committed.numbers(), (0..10).collect::<Vec<_>>());
    assert_eq!(topic.committed(&group), [Some(22)], "ten, a marker, ten more and a marker");
    let all = json!({"until": "latest", "isolation": "read_uncommitted"});
    assert_eq!(reader(&topic, all).read_to_end().numbers(), (0..20).collect::<Vec<_>>());
}

#[test]
fn several_topics_and_a_pattern() {
    let prefix = unique("many");
    let topics =
        [Topic::create(Broker::shared(), &prefix, 1), Topic::create(Broker::shared(), &prefix, 1)];
    topics[0].produce([Record::new("{\"n\":1}")]);
    topics[1].produce([Record::new("{\"n\":2}")]);
    let names = json!([topics[0].name(), topics[1].name()]);
    let both = json!({"topics": names, "group": unique("group")});
    assert_eq!(Reader::start(options(Broker::shared(), both)).read(2).numbers(), [1, 2]);
    for more in [json!({}), json!({"until": "latest"})] {
        let mut all = json!({"pattern": format!("{prefix}.*"), "group": unique("group")});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(Reader::start(options(Broker::shared(), all)).read(2).numbers(), [1, 2]);
    }
}

#[test]
fn a_record_becomes_columns_with_all_it_has() {
    let topic = Topic::create_with(Broker::shared(), "columns", 1, &FOREVER);
    let mut first = Record::new("{\"n\":1}").key("k");
    first.timestamp = Some(1_700_000_000_123);
    first.headers = vec![("a".into(), Some(b"x".to_vec())), ("b".into(), None)];
    topic.produce([first, Record::new("{\"n\":2}")]);
    let columns = json!({
        "topic": topic.name(), "group": unique("group"),
        "metadata": {"key": "key", "topic": "topic", "partition": "partition",
                     "offset": "offset", "timestamp": "time", "headers": "headers"},
    });
    let mut reader = Reader::start(options(Broker::shared(), columns));
    let rows = reader.read(2).rows.clone();
    let expected = json!({
        "n": 1, "key": "k", "topic": topic.name(), "partition": 0, "offset": 0,
        "time": "2023-11-14T22:13:20.123", "headers": {"a": "x"},
    });
    assert_eq!(rows[0], expected);
    assert_eq!((&rows[1]["key"], &rows[1]["headers"]), (&Value::Null, &json!({})));
    let readings = reader.batches[0];
    assert_eq!(readings.appended.unwrap().oldest.0, 1_700_000_000_123_000);
}

#[test]
fn bytes_that_are_not_text_are_columns_or_bad_records() {
    let topic = Topic::create(Broker::shared(), "bytes", 1);
    let bad = Record::new("{\"n\":1}").key(vec![0xff]);
    topic.produce([bad, Record::new("{\"n\":2}").key("fine")]);
    let text = json!({"metadata": {"key": "key"}});
    let mut reader_of_text = reader(&topic, text);
    reader_of_text.read(1);
    let told = &reader_of_text.rejected[0];
    assert_eq!((told.code, told.origin.as_ref().unwrap().offset), ("SW2121", 0));
    let bytes = json!({"metadata": {"key": "key", "bytes_as": "binary"}});
    assert_eq!(reader(&topic, bytes).read(2).rows[0]["key"], "ff");
}

#[test]
fn tombstones_are_rows_nothing_or_bad_records() {
    let topic = Topic::create(Broker::shared(), "tombstones", 1);
    let mut tombstone = Record::new("").key("gone");
    tombstone.payload = None;
    topic.produce([Record::new("{\"n\":1}"), tombstone, Record::new("{\"n\":3}")]);
    let key = json!({"metadata": {"key": "key"}});
    let mut as_rows = reader(&topic, key);
    assert_eq!(as_rows.read(3).rows[1], json!({"key": "gone"}));

    let mut skipped = reader(&topic, json!({"tombstones": "skip"}));
    assert_eq!(skipped.read(2).numbers(), [1, 3]);
    let dropped = skipped.series("swiftwater_dropped_rows_total");
    assert!(dropped[0].0.contains("reason=\"tombstone\""), "{dropped:?}");

    let mut rejected = reader(&topic, json!({"tombstones": "reject"}));
    rejected.read(2);
    assert_eq!(rejected.rejected[0].code, "SW2120");
    assert_eq!(rejected.rejected[0].key.as_deref(), Some(&b"gone"[..]));

    let strict = json!({"topic": topic.name(), "group": unique("group")});
    let plan = plan_source_of(options(Broker::shared(), strict), json!({"n": "int64!"})).unwrap();
    let mut strict = Reader::open(&plan).unwrap();
    strict.read(2);
    assert_eq!(strict.rejected[0].code, "SW3105");
}

#[test]
fn a_bad_payload_is_told_with_its_bytes_and_place() {
    let topic = Topic::create(Broker::shared(), "bad", 1);
    topic.produce([
        Record::new("{\"n\":1}"),
        Record::new("{n}").key("k"),
        Record::new("{\"n\":3}"),
    ]);
    let mut reader = reader(&topic, json!({}));
    assert_eq!(reader.read(2).numbers(), [1, 3]);
    let told = &reader.rejected[0];
    assert_eq!(told.payload.as_deref(), Some(&b"{n}"[..]));
    assert_eq!(told.key.as_deref(), Some(&b"k"[..]));
    let origin = told.origin.as_ref().unwrap();
    assert_eq!((origin.topic.as_ref(), origin.partition, origin.offset), (topic.name(), 0, 1));
}

#[test]
fn lag_is_what_is_left_to_read() {
    let topic = topic_of(100);
    let mut reader = reader(&topic, json!({}));
    reader.read(100).until("a lag of 0 in both partitions", |r| {
        let lag = r.series("swiftwater_source_lag_records");
        lag.len() == 2 && lag.iter().all(|(_, records)| *records == 0.0)
    });
}
