//! Topics through plain rdkafka, so that what a test sees does not depend on our connectors.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::{Broker, wait_for};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A name no other test and no earlier run has used.
pub(crate) fn unique(prefix: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("the clock is past 1970")
        .as_millis();
    format!("{prefix}-{}-{counter}-{now}", std::process::id())
}

/// One message; `None` leaves a field to Kafka when producing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// Partition; `None` lets the producer choose by key.
    pub(crate) partition: Option<i32>,
    /// Set when read.
    pub(crate) offset: i64,
    /// Milliseconds since 1970.
    pub(crate) timestamp: Option<i64>,
    /// `None` is a null key.
    pub(crate) key: Option<Vec<u8>>,
    /// `None` is a tombstone.
    pub(crate) payload: Option<Vec<u8>>,
    /// Name and value, in order.
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    /// A record with a payload and nothing else.
    pub(crate) fn new(payload: impl Into<Vec<u8>>) -> Self {
        Self { payload: Some(payload.into()), ..Self::default() }
    }

    /// The same record with a key.
    pub(crate) fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same record for one partition.
    pub(crate) fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// The payload as JSON; fails the test where it is not.
    pub(crate) fn json(&self) -> serde_json::Value {
        let payload = self.payload.as_deref().unwrap_or_default();
        serde_json::from_slice(payload)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(payload)))
    }

    fn read(message: &BorrowedMessage<'_>) -> Self {
        let owned =
            |header: Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
        Self {
            partition: Some(message.partition()),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            headers: message
                .headers()
                .map(|headers| headers.iter().map(owned).collect())
                .unwrap_or_default(),
        }
    }
}

/// A topic on a broker.
pub(crate) struct Topic {
    config: ClientConfig,
    name: String,
    partitions: i32,
}

impl Topic {
    /// Creates a topic under a fresh name that starts with `prefix`.
    pub(crate) fn create(broker: &Broker, prefix: &str, partitions: i32) -> Self {
        Self::create_with(broker, prefix, partitions, &[])
    }

    /// Creates a topic with settings such as `("max.message.bytes", "20000000")`.
    pub(crate) fn create_with(
        broker: &Broker,
        prefix: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Self {
        let topic = Self::named(broker, &unique(prefix), partitions);
        let admin: AdminClient<DefaultClientContext> =
            topic.config.create().expect("an admin client");
        let mut new = NewTopic::new(&topic.name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            new = new.set(key, value);
        }
        let results = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime")
            .block_on(admin.create_topics([&new], &AdminOptions::new()))
            .expect("the broker answers");
        for result in results {
            result.unwrap_or_else(|(name, code)| panic!("failed to create {name}: {code}"));
        }
        topic
    }

    /// A topic that somebody else creates or has created.
    pub(crate) fn named(broker: &Broker, name: &str, partitions: i32) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", broker.bootstrap())
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("fetch.message.max.bytes", "50000000")
            .set("message.max.bytes", "50000000");
        Self { config, name: name.to_owned(), partitions }
    }

    /// The topic's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Writes records in order and returns when the broker has acknowledged each.
    pub(crate) fn produce(&self, records: impl IntoIterator<Item = Record>) {
        let mut config = self.config.clone();
        config
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("queue.buffering.max.messages", "500000");
        let producer: BaseProducer = config.create().expect("a producer");
        for record in records {
            self.send(&producer, &record);
        }
        producer.flush(TIMEOUT).expect("every record is acknowledged");
    }

    fn send(&self, producer: &BaseProducer, record: &Record) {
        let mut message = BaseRecord::<[u8], [u8]>::to(&self.name);
        message.key = record.key.as_deref();
        message.payload = record.payload.as_deref();
        message.partition = record.partition;
        message.timestamp = record.timestamp;
        if !record.headers.is_empty() {
            let add = |all: OwnedHeaders, (key, value): &(String, Option<Vec<u8>>)| {
                all.insert(Header { key, value: value.as_ref() })
            };
            let all = OwnedHeaders::new_with_capacity(record.headers.len());
            message.headers = Some(record.headers.iter().fold(all, add));
        }
        let deadline = Instant::now() + TIMEOUT;
        while let Err((error, back)) = producer.send(message) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            assert_eq!(error, full, "failed to produce to {}", self.name);
            assert!(Instant::now() < deadline, "the producer's queue stays full");
            producer.poll(Duration::from_millis(10));
            message = back;
        }
    }

    /// Offset after the last record of each partition.
    pub(crate) fn ends(&self) -> Vec<i64> {
        let consumer = self.consumer("ends");
        (0..self.partitions)
            .map(|partition| {
                consumer
                    .fetch_watermarks(&self.name, partition, TIMEOUT)
                    .expect("the broker knows the topic")
                    .1
            })
            .collect()
    }

    /// Reads what was committed to the topic before the call, partition by partition in order.
    pub(crate) fn read_all(&self) -> Vec<Record> {
        let mut all = Vec::new();
        self.visit(|message| all.push(Record::read(message)));
        all.sort_by_key(|record| (record.partition, record.offset));
        all
    }

    /// Shows `each` what was committed to the topic before the call, without keeping it.
    pub(crate) fn visit(&self, mut each: impl FnMut(&BorrowedMessage<'_>)) {
        let consumer = self.consumer("reader");
        let ends = self.ends();
        let mut assignment = TopicPartitionList::new();
        for partition in 0..self.partitions {
            assignment
                .add_partition_offset(&self.name, partition, Offset::Beginning)
                .expect("a valid offset");
        }
        consumer.assign(&assignment).expect("an assignment");
        let mut open: BTreeSet<i32> =
            (0..self.partitions).filter(|&partition| ends[partition as usize] > 0).collect();
        while !open.is_empty() {
            match consumer.poll(TIMEOUT) {
                None => panic!("nothing came from {} for {TIMEOUT:?}", self.name),
                Some(Ok(message)) => {
                    let end = ends[message.partition() as usize];
                    if message.offset() < end {
                        each(&message);
                    }
                    if message.offset() + 1 >= end {
                        open.remove(&message.partition());
                    }
                }
                // The end of a partition may be a transaction's marker, which is not a record.
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                }
                Some(Err(KafkaError::MessageConsumption(
                    RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure,
                ))) => {}
                Some(Err(error)) => panic!("failed to read {}: {error}", self.name),
            }
        }
    }

    /// Reads the whole topic once at least `count` records are there; fails after `limit`.
    pub(crate) fn read(&self, count: usize, limit: Duration) -> Vec<Record> {
        let what = format!("{count} records in {}", self.name);
        wait_for(&what, limit, || Some(self.read_all()).filter(|all| all.len() >= count))
    }

    /// Offsets a group has committed, by partition.
    pub(crate) fn committed(&self, group: &str) -> Vec<Option<i64>> {
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_range(&self.name, 0, self.partitions - 1);
        // After a restart of the broker the group's coordinator takes a while to be found.
        let consumer = self.consumer(group);
        let committed = wait_for("the coordinator to answer", TIMEOUT, || {
            consumer.committed_offsets(wanted.clone(), TIMEOUT).ok()
        });
        let offset =
            |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element
                .offset()
            {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
        committed.elements().into_iter().map(offset).collect()
    }

    fn consumer(&self, group: &str) -> BaseConsumer {
        let mut config = self.config.clone();
        config.set("group.id", group).set("enable.partition.eof", "true");
        config.create().expect("a consumer")
    }
}
