//! Sources that take every partition, as state and exactly-once need it.

use std::collections::BTreeMap;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};
use swiftwater_engine::{ErrorKind, Position, SourcePlan};

use crate::driver::{LIMIT, Reader, options, plan_source};
use crate::support::{Broker, Record, Topic, unique};

fn plan(topic: &Topic, more: Value) -> SourcePlan {
    let mut all = json!({"topic": topic.name(), "group": unique("group")});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    plan_source(options(Broker::shared(), all)).unwrap()
}

/// Appends `n` to `partition`, for each pair.
fn produce(topic: &Topic, records: impl IntoIterator<Item = (i32, i64)>) {
    let record = |(partition, n)| Record::new(format!("{{\"n\":{n}}}")).partition(partition);
    topic.produce(records.into_iter().map(record));
}

fn position(topic: &Topic, offsets: &[(i32, i64)]) -> Position {
    let named =
        |(partition, offset): &(i32, i64)| (format!("{}/{partition}", topic.name()), *offset);
    Position(offsets.iter().map(named).collect())
}

#[test]
fn instances_share_all_partitions_and_resume_exactly() {
    let topic = Topic::create(Broker::shared(), "all", 3);
    produce(&topic, (0..300).map(|n| ((n % 3) as i32, n)));
    let plan = plan(&topic, json!({}));
    // Partition 1 is not named: it is as new as the topic is known, and read from its beginning.
    let resume = position(&topic, &[(0, 40), (2, 99)]);
    let mut first = Reader::open_all(&plan, (0, 2), Some(resume.clone())).unwrap();
    let mut second = Reader::open_all(&plan, (1, 2), Some(resume.clone())).unwrap();
    assert_eq!(first.position(), resume, "known before anything is read");
    assert_eq!(second.position(), position(&topic, &[(1, 0)]));
    let expected: Vec<i64> = (40..100).map(|i| i * 3).chain([299]).collect();
    assert_eq!(first.read(61).numbers(), expected);
    assert_eq!(second.read(100).numbers(), (0..100).map(|i| i * 3 + 1).collect::<Vec<_>>());
    assert_eq!(first.position(), position(&topic, &[(0, 100), (2, 100)]));
    first.close();
    second.close();
}

#[test]
fn without_a_snapshot_the_groups_offsets_count_and_then_the_options() {
    let topic = Topic::create(Broker::shared(), "offsets", 2);
    produce(&topic, (0..200).map(|n| ((n % 2) as i32, n)));
    let plan = plan(&topic, json!({"start": {"offsets": {"0": 90, "1": 90}}}));
    let mut reader = Reader::open_all(&plan, (0, 1), None).unwrap();
    reader.read(20);
    reader.committer().commit(&position(&topic, &[(0, 95)]), true).unwrap();
    reader.close();
    let mut reader = Reader::open_all(&plan, (0, 1), None).unwrap();
    assert_eq!(reader.position(), position(&topic, &[(0, 95), (1, 90)]));
    assert_eq!(reader.read(15).numbers().len(), 15);
    // The snapshot counts even where the group is further.
    reader.commit(true);
    reader.close();
    let reader =
        Reader::open_all(&plan, (0, 1), Some(position(&topic, &[(0, 7), (1, 8)]))).unwrap();
    assert_eq!(reader.position(), position(&topic, &[(0, 7), (1, 8)]));
}

#[test]
fn records_that_a_snapshot_needs_and_that_are_gone_stop_the_topology() {
    let topic = Topic::create(Broker::shared(), "gone", 1);
    produce(&topic, (0..10).map(|n| (0, n)));
    let plan = plan(&topic, json!({"start": "latest"}));
    let mut reader = Reader::open_all(&plan, (0, 1), Some(position(&topic, &[(0, 99)]))).unwrap();
    let error = reader.fail();
    assert_eq!((error.code, error.kind), ("SW2116", ErrorKind::State), "{error}");
    assert!(error.to_string().contains("offset 99"), "{error}");
    assert!(error.hint.unwrap().contains("snapshot"));

    let fewer = position(&topic, &[(0, 3), (1, 3)]);
    let Err(error) = Reader::open_all(&plan, (0, 1), Some(fewer)) else {
        panic!("partition 1 is no more");
    };
    assert_eq!((error.code, error.kind), ("SW2116", ErrorKind::State), "{error}");
}

#[test]
fn partitions_that_come_later_are_read_from_their_beginning() {
    let topic = Topic::create(Broker::shared(), "grows", 1);
    let often = json!({"topic.metadata.refresh.interval.ms": "200"});
    let plan = plan(&topic, json!({"start": "latest", "properties": often}));
    let mut reader = Reader::open_all(&plan, (0, 1), None).unwrap();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", Broker::shared().bootstrap());
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let grown = NewPartitions::new(topic.name(), 3);
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(admin.create_partitions([&grown], &AdminOptions::new()))
        .unwrap();
    produce(&topic, [(0, 1), (2, 2), (1, 3)]);
    assert_eq!(reader.read(3).numbers(), [1, 2, 3]);
    assert_eq!(reader.position(), position(&topic, &[(0, 1), (1, 1), (2, 1)]));
    // A snapshot of before knows the first only; the others are new to it, whatever `start` says.
    reader.close();
    let mut reader = Reader::open_all(&plan, (0, 1), Some(position(&topic, &[(0, 0)]))).unwrap();
    assert_eq!(reader.read(3).numbers(), [1, 2, 3]);
}

#[test]
fn a_bounded_source_is_read_to_its_end_again_after_a_return_to_a_snapshot() {
    let topic = Topic::create(Broker::shared(), "bounded", 2);
    produce(&topic, (0..100).map(|n| ((n % 2) as i32, n)));
    let plan = plan(&topic, json!({"until": "latest"}));
    let mut reader = Reader::open_all(&plan, (0, 1), None).unwrap();
    assert_eq!(reader.read_to_end().numbers(), (0..100).collect::<Vec<_>>());
    reader.close();
    let resume = Some(position(&topic, &[(0, 45), (1, 50)]));
    let mut reader = Reader::open_all(&plan, (0, 1), resume).unwrap();
    assert_eq!(reader.read_to_end().numbers(), [90, 92, 94, 96, 98]);
}

/// Both ways of reading know when there is nothing more to read.
fn caught_up_and_back(open: impl Fn(&SourcePlan) -> Reader) {
    let topic = Topic::create(Broker::shared(), "reading", 2);
    produce(&topic, (0..5000).map(|n| (0, n)));
    let mut reader = open(&plan(&topic, json!({})));
    let label = |partition: i32| format!("{}/{partition}", topic.name());
    let state = |zero, one| BTreeMap::from([(label(0), zero), (label(1), one)]);
    reader.until("the empty partition", |r| r.reading().get(&label(1)) == Some(&true));
    reader.until("both", |r| r.reading() == state(true, true));
    assert_eq!(reader.rows.len(), 5000, "not before all was handed over");
    // More than one batch, so that some of it waits behind what was handed over.
    produce(&topic, (0..5000).map(|n| (1, n)));
    reader.until("more to read", |r| r.reading() == state(true, false));
    assert!(reader.rows.len() < 10_000);
    reader.until("both again", |r| r.reading() == state(true, true));
    assert_eq!(reader.rows.len(), 10_000);

    // The marker of a transaction is no record, and an open transaction is more to read.
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", Broker::shared().bootstrap())
        .set("transactional.id", unique("writer"))
        .create()
        .unwrap();
    producer.init_transactions(LIMIT).unwrap();
    producer.begin_transaction().unwrap();
    producer
        .send(BaseRecord::<str, _>::to(topic.name()).partition(0).payload("{\"n\":1}"))
        .unwrap();
    producer.flush(LIMIT).unwrap();
    reader.until("the open transaction", |r| r.reading() == state(false, true));
    producer.commit_transaction(LIMIT).unwrap();
    reader.until("its end", |r| r.reading() == state(true, true));
    assert_eq!(reader.rows.len(), 10_001);
    producer.begin_transaction().unwrap();
    producer
        .send(BaseRecord::<str, _>::to(topic.name()).partition(1).payload("{\"n\":2}"))
        .unwrap();
    producer.flush(LIMIT).unwrap();
    reader.until("the next", |r| r.reading() == state(true, false));
    producer.abort_transaction(LIMIT).unwrap();
    reader.until("its abortion", |r| r.reading() == state(true, true));
    assert_eq!(reader.rows.len(), 10_001);
}

#[test]
fn a_source_of_all_partitions_knows_when_it_is_caught_up() {
    caught_up_and_back(|plan| Reader::open_all(plan, (0, 1), None).unwrap());
}

#[test]
fn a_member_knows_when_it_is_caught_up() {
    caught_up_and_back(|plan| Reader::open(plan).unwrap());
}

#[test]
fn an_instance_without_partitions_waits_for_nothing() {
    let topic = Topic::create(Broker::shared(), "few", 1);
    let plan = plan(&topic, json!({}));
    let reader = Reader::open_all(&plan, (1, 2), None).unwrap();
    assert!(reader.reading().values().all(|caught_up| *caught_up));
    assert_eq!(reader.position(), Position::default());
}
