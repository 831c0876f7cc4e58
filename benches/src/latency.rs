//! Latency at a steady rate: what our histogram says beside what a consumer outside sees.
//!
//! Both begin when the broker appends a row to the input (the topic's timestamps are the broker's).
//! The consumer outside reads the whole output, as the histogram counts all of it, and notes of one
//! row in sixteen no more than its number and the time: it must not take the processors from what
//! it observes. When each row was appended is looked up afterwards.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::process::{Failure, Process, quantile};

/// Partitions of the topics.
const PARTITIONS: u64 = 4;
/// Of so many rows in a partition of the input one is noted.
const NOTED: u64 = 16;
/// Longest wait for an answer of the broker.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a row of the output begins with.
const START: &[u8] = b"{\"auction\":";

/// Quantiles in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    /// Append to acknowledgement by the process's own histogram: p50, p99.
    pub(crate) reported: (f64, f64),
    /// Append of the input to arrival at a consumer of the output: p50, p99.
    pub(crate) observed: (f64, f64),
    /// Rows the consumer took into account.
    pub(crate) rows: usize,
    /// Rows per second that were sent.
    pub(crate) rate: f64,
}

/// A row of the input, seen in the output.
struct Seen {
    /// Its partition and offset in the input.
    partition: usize,
    offset: usize,
    /// Microseconds since 1970.
    arrived: i64,
}

fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(0)
}

/// Sends bids at `rate` rows per second for `warm_up` and then `time`, and compares the two views
/// of the latency of the second part. Every bid passes the filter.
///
/// # Errors
/// Where Kafka or the process fails.
pub(crate) fn measure(
    brokers: &str,
    name: &str,
    rate: f64,
    (warm_up, time): (Duration, Duration),
) -> Result<Latency, Failure> {
    let (input, output) = (format!("in-{name}"), format!("out-{name}"));
    create(brokers, &[&input, &output])?;
    let mut process = Process::start(&topology(brokers, &input, &output))?;
    process.wait_ready()?;
    let mut sender = Sender::new(brokers, &input)?;
    let consumer = consumer(brokers, &output)?;
    let (stop, stopped) = sync_channel::<()>(1);
    let watch = move || observe(&consumer, &stopped);
    let observer = std::thread::Builder::new().name("observer".into()).spawn(watch)?;
    sender.send(rate, warm_up)?;
    let (from, before) = (now_micros(), process.metrics()?);
    let sent = sender.send(rate, time)?;
    // What is in flight arrives; an idle second more does not matter.
    std::thread::sleep(Duration::from_secs(1));
    stop.send(())?;
    let seen = observer.join().map_err(|_| "the observer panicked")?;
    let after = process.metrics()?;
    process.stop()?;
    let appended = append_times(brokers, &input)?;
    let mut latencies: Vec<f64> = seen
        .iter()
        .filter_map(|row| {
            Some((row.arrived, *appended.get(row.partition)?.get(row.offset)? * 1000))
        })
        .filter(|(_, appended)| *appended >= from)
        .map(|(arrived, appended)| (arrived - appended) as f64 / 1e3)
        .collect();
    latencies.sort_by(f64::total_cmp);
    let at = |q: f64| {
        let index = (latencies.len() as f64 * q) as usize;
        latencies.get(index).copied().unwrap_or(f64::NAN)
    };
    let reported = |q| {
        let seconds = quantile(&after, &before, "swiftwater_e2e_latency_seconds", q);
        seconds.map_or(f64::NAN, |s| s * 1e3)
    };
    Ok(Latency {
        reported: (reported(0.5), reported(0.99)),
        observed: (at(0.5), at(0.99)),
        rows: latencies.len(),
        rate: sent,
    })
}

/// Topics whose records carry the time at which the broker appended them.
fn create(brokers: &str, names: &[&str]) -> Result<(), Failure> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    let topic = |name| {
        NewTopic::new(name, PARTITIONS as i32, TopicReplication::Fixed(1))
            .set("message.timestamp.type", "LogAppendTime")
    };
    let topics: Vec<NewTopic<'_>> = names.iter().map(|name| topic(name)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for made in runtime.block_on(admin.create_topics(&topics, &AdminOptions::new()))? {
        made.map_err(|(name, code)| format!("create {name}: {code}"))?;
    }
    Ok(())
}

fn topology(brokers: &str, input: &str, output: &str) -> String {
    format!(
        r#"
name: latency
sources:
  bids:
    kafka: {{brokers: "{brokers}", topic: {input}, group: "{input}-latency", start: earliest}}
    format: json
    schema: {{auction: int64, bidder: int64, price: int64, channel: utf8, date_time: int64}}
operators:
  serious: {{input: bids, filter: "price >= 100"}}
  short: {{input: serious, select: [auction, bidder, price, channel, date_time]}}
sinks:
  out: {{input: short, kafka: {{brokers: "{brokers}", topic: {output}}}, format: json}}
"#
    )
}

/// Sends numbered bids of about 230 bytes, number n to partition n modulo their count, so that the
/// number tells the offset.
struct Sender {
    producer: BaseProducer,
    topic: String,
    sent: u64,
    extra: String,
    payload: String,
}

impl Sender {
    fn new(brokers: &str, topic: &str) -> Result<Self, Failure> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("enable.idempotence", "true")
            .set("delivery.report.only.error", "true")
            .set("linger.ms", "1")
            .set("queue.buffering.max.messages", "1000000")
            .create()?;
        let extra = "x".repeat(110);
        Ok(Self { producer, topic: topic.to_owned(), sent: 0, extra, payload: String::new() })
    }

    /// Sends an even stream: at each half of a millisecond what is due by then. Returns the rate
    /// that came of it.
    fn send(&mut self, rate: f64, time: Duration) -> Result<f64, Failure> {
        let (started, first) = (Instant::now(), self.sent);
        while started.elapsed() < time {
            let due = first + (started.elapsed().as_secs_f64() * rate) as u64;
            while self.sent < due {
                self.bid()?;
            }
            self.producer.poll(Duration::ZERO);
            std::thread::sleep(Duration::from_micros(500));
        }
        let rate = (self.sent - first) as f64 / started.elapsed().as_secs_f64();
        self.producer.flush(PATIENCE)?;
        Ok(rate)
    }

    fn bid(&mut self) -> Result<(), Failure> {
        use std::fmt::Write as _;
        let n = self.sent;
        self.payload.clear();
        write!(
            self.payload,
            "{{\"auction\":{n},\"bidder\":{},\"price\":{},\"channel\":\"channel-{}\",\"date_time\":{},\"extra\":\"{}\"}}",
            n % 10_007,
            100 + n % 9_000,
            n % 10_000,
            1_790_000_000_000 + n,
            self.extra
        )?;
        let record = BaseRecord::<(), str>::to(&self.topic);
        let mut next = Some(record.payload(&self.payload).partition((n % PARTITIONS) as i32));
        while let Some(record) = next.take() {
            if let Err((error, back)) = self.producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(error.into());
                }
                self.producer.poll(Duration::from_millis(1));
                next = Some(back);
            }
        }
        self.sent += 1;
        Ok(())
    }
}

/// A consumer of all partitions, from their beginning.
fn consumer(brokers: &str, topic: &str) -> Result<BaseConsumer, Failure> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "latency-observer")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS as i32 {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    Ok(consumer)
}

/// The rows that are noted as they come by.
fn observe(consumer: &BaseConsumer, stopped: &Receiver<()>) -> Vec<Seen> {
    let mut seen = Vec::new();
    while stopped.try_recv().is_err() {
        while let Some(Ok(message)) = consumer.poll(Duration::from_millis(10)) {
            let Some(n) = message.payload().and_then(number) else { continue };
            let (partition, offset) = ((n % PARTITIONS) as usize, n / PARTITIONS);
            if offset % NOTED == 0 {
                seen.push(Seen { partition, offset: offset as usize, arrived: now_micros() });
            }
        }
    }
    seen
}

/// The number that the row begins with; nothing else of it is read.
fn number(row: &[u8]) -> Option<u64> {
    let digits = row.strip_prefix(START)?.iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |n, digit| n * 10 + u64::from(digit - b'0')))
}

/// When each record of each partition was appended, in milliseconds since 1970.
fn append_times(brokers: &str, topic: &str) -> Result<Vec<Vec<i64>>, Failure> {
    let consumer = consumer(brokers, topic)?;
    let mut left = 0;
    for partition in 0..PARTITIONS as i32 {
        left += consumer.fetch_watermarks(topic, partition, PATIENCE)?.1;
    }
    let mut times = vec![Vec::new(); PARTITIONS as usize];
    while left > 0 {
        let message = consumer.poll(PATIENCE).ok_or("the input topic does not answer")??;
        let time = message.timestamp().to_millis().ok_or("a record without a timestamp")?;
        times.get_mut(message.partition() as usize).ok_or("a fifth partition")?.push(time);
        left -= 1;
    }
    Ok(times)
}
