//! The servers that the other tests stand on do what those tests take for granted.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::support::{Broker, Record, Topic};

#[test]
fn what_is_produced_is_read_back() {
    let topic = Topic::create(Broker::shared(), "servers", 3);
    let mut sent: Vec<Record> = (0..300)
        .map(|i| Record::new(format!("value {i}")).key(format!("key {i}")).partition(i % 3))
        .collect();
    sent[0].headers = vec![("trace".to_owned(), Some(b"1".to_vec())), ("none".to_owned(), None)];
    sent[1].payload = None;
    sent[2].timestamp = Some(1_700_000_000_000);
    topic.produce(sent.iter().cloned());
    assert_eq!(topic.ends(), [100, 100, 100]);

    let read = topic.read(300, Duration::from_secs(10));
    assert_eq!(read.len(), 300);
    for (i, sent) in sent.iter().enumerate() {
        let back = &read[i % 3 * 100 + i / 3];
        assert_eq!(back.offset, i as i64 / 3);
        assert_eq!((&back.key, &back.payload), (&sent.key, &sent.payload));
        assert_eq!(back.headers, sent.headers);
    }
    assert_eq!(read[200].timestamp, Some(1_700_000_000_000));
    assert_eq!(topic.committed("nobody"), [None, None, None]);
}

#[test]
fn records_outlive_a_killed_and_a_stopped_broker() {
    let broker = Broker::start(&[]);
    let topic = Topic::create(&broker, "kept", 1);
    topic.produce((0..1000).map(|i| Record::new(format!("{{\"i\": {i}}}"))));
    broker.kill();
    broker.start_again();
    topic.produce([Record::new("{\"i\": 1000}")]);
    broker.stop();
    broker.start_again();
    let numbers: Vec<i64> =
        topic.read_all().iter().map(|record| record.json()["i"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (0..=1000).collect::<Vec<i64>>());
}

#[test]
fn a_secure_broker_tells_users_apart() {
    let broker = Broker::start(&["--secure"]);
    let topic = Topic::create(&broker, "guarded", 1);
    let ca = broker.file("ca.pem");
    let ends = |listener: &str, user: &str, password: &str| {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", broker.listener(listener))
            .set("security.protocol", listener)
            .set("sasl.mechanism", "SCRAM-SHA-256")
            .set("sasl.username", user)
            .set("sasl.password", password)
            .set("ssl.ca.location", ca.to_str().unwrap());
        let consumer: BaseConsumer = config.create().unwrap();
        consumer
            .fetch_watermarks(topic.name(), 0, Duration::from_secs(5))
            .map(|(_, end)| end)
            .map_err(|error| error.to_string())
    };
    assert_eq!(ends("SASL_PLAINTEXT", "admin", "admin-secret"), Ok(0));
    assert_eq!(ends("SASL_SSL", "admin", "admin-secret"), Ok(0));
    ends("SASL_SSL", "admin", "wrong").unwrap_err();
    ends("SASL_SSL", "alice", "alice-secret").unwrap_err();
    let rule = ["AclCommand", "--add", "--allow-principal", "User:alice", "--operation", "Read"];
    broker.tool(&[&rule[..], &["--topic", topic.name()]].concat());
    assert_eq!(ends("SASL_SSL", "alice", "alice-secret"), Ok(0));
}
