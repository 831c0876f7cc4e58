//! What is wrong is told as what it is.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::topic_partition_list::Offset;
use serde_json::json;
use swiftwater_engine::ErrorKind;

use crate::driver::{LIMIT, Reader, Writer, numbers, options, plan_source};
use crate::support::{Broker, Record, Topic, unique, wait_until};

fn fill(topic: &Topic, from: i64, to: i64) {
    topic.produce((from..to).map(|n| Record::new(format!("{{\"n\":{n}}}")).partition(0)));
}

fn delete_before(topic: &Topic, offset: i64) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", Broker::shared().bootstrap())
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic.name(), 0, Offset::Offset(offset)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(admin.delete_records(&list, &AdminOptions::new())).unwrap();
}

#[test]
fn an_unknown_topic_is_the_files_fault() {
    let broker = Broker::shared();
    let all = json!({"topic": "no-such-topic", "group": unique("group")});
    let error = Reader::open(&plan_source(options(broker, all)).unwrap()).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::Config, "SW2112"));
    assert!(error.to_string().contains("`no-such-topic`"), "{error}");

    let all = json!({"pattern": "no-such-.*", "group": unique("group"), "until": "latest"});
    let error = Reader::open(&plan_source(options(broker, all)).unwrap()).err().unwrap();
    assert_eq!(error.code, "SW2112");

    let all = json!({"topic": "no-such-topic"});
    let error = Writer::open(options(broker, all), &numbers(0, 1)).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::Config, "SW2112"));
    assert!(error.to_string().contains("create:"), "{error}");
}

#[test]
fn a_broker_that_is_away_is_waited_for() {
    let away = json!({"brokers": "127.0.0.1:9", "topic": "t", "group": "g"});
    let error = Reader::open(&plan_source(away).unwrap()).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "SW2110"));
    assert!(error.to_string().contains("127.0.0.1:9"), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    let nowhere = json!({"brokers": "no.such.host.invalid:9092", "topic": "t"});
    let error = Writer::open(nowhere, &numbers(0, 1)).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "SW2110"), "{error}");
    assert!(error.to_string().contains("no.such.host.invalid"), "{error}");
}

#[test]
fn records_that_are_gone_stop_the_topology() {
    let topic = Topic::create(Broker::shared(), "gone", 1);
    fill(&topic, 0, 100);
    let group = unique("group");
    let all = options(Broker::shared(), json!({"topic": topic.name(), "group": group}));
    let mut reader = Reader::start(all.clone());
    reader.until("ten rows", |r| r.rows.len() >= 10);
    let mut position = reader.position();
    position.0.values_mut().for_each(|next| *next = 10);
    reader.committer().commit(&position, true).unwrap();
    reader.close();
    delete_before(&topic, 40);
    let error = Reader::start(all).fail();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2116"), "{error}");
    let text = error.to_string();
    assert!(text.contains("offset 10") && text.contains("40 to 100"), "{text}");
    assert!(text.contains("--reset-offsets"), "{text}");
}

#[test]
fn a_partition_whose_records_are_all_gone_is_at_its_end() {
    let topic = Topic::create(Broker::shared(), "emptied", 1);
    fill(&topic, 0, 50);
    delete_before(&topic, 50);
    let all = json!({"topic": topic.name(), "group": unique("group"), "until": "latest"});
    let mut reader = Reader::start(options(Broker::shared(), all));
    assert!(reader.read_to_end().rows.is_empty());
}

#[test]
fn a_broker_that_comes_back_is_read_on() {
    let broker = Broker::start(&[]);
    let topic = Topic::create(&broker, "back", 1);
    fill(&topic, 0, 1000);
    let all = json!({"topic": topic.name(), "group": unique("group")});
    let mut reader = Reader::start(options(&broker, all));
    reader.read(1000).commit(true);
    broker.kill();
    reader.poll().unwrap();
    broker.start_again();
    fill(&topic, 1000, 2000);
    reader.read(2000);
    assert_eq!(reader.numbers(), (0..2000).collect::<Vec<_>>());
    // A commit may meet a coordinator that is still loading.
    wait_until("the commit", LIMIT, || {
        reader.poll().unwrap();
        reader.committer().commit(&reader.position(), true).is_ok()
    });
}

#[test]
fn what_a_dead_broker_did_not_acknowledge_stops_the_topology_in_time() {
    let broker = Broker::start(&[]);
    let topic = Topic::create(&broker, "dead", 1);
    let all = options(&broker, json!({"topic": topic.name()}));
    let budget = Duration::from_secs(3);
    let mut writer = Writer::open_with(all, &numbers(0, 1), budget, 16 << 20).unwrap();
    writer.write(&numbers(0, 10)).unwrap();
    writer.flush().unwrap();
    broker.kill();
    writer.write(&numbers(10, 20)).unwrap();
    let error = writer.flush().map(|w| w.rejected.clone()).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2132"), "{error}");
    assert!(error.to_string().contains(topic.name()), "{error}");
}

#[test]
fn a_broker_that_comes_back_gets_everything_once_and_in_order() {
    let broker = Broker::start(&[]);
    let topic = Topic::create(&broker, "again", 1);
    let all = options(&broker, json!({"topic": topic.name()}));
    let mut writer = Writer::open(all, &numbers(0, 1)).unwrap();
    for from in 0..50 {
        if from == 25 {
            broker.kill();
        }
        writer.write(&numbers(from * 100, from * 100 + 100)).unwrap();
    }
    broker.start_again();
    writer.flush().unwrap();
    let read: Vec<i64> =
        topic.read_all().iter().map(|record| record.json()["n"].as_i64().unwrap()).collect();
    assert_eq!(read, (0..5000).collect::<Vec<_>>());
}
