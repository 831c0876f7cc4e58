//! Latency at a steady rate: what our histogram says beside what a consumer outside sees.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::process::{Failure, Process, quantile};

/// Partitions of the topics.
pub(crate) const PARTITIONS: i32 = 4;

/// Quantiles in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    /// Append to acknowledgement by the process's own histogram: p50, p99.
    pub(crate) reported: (f64, f64),
    /// Append of the input to arrival at a consumer of the output: p50, p99.
    pub(crate) observed: (f64, f64),
    /// Rows the consumer saw.
    pub(crate) rows: usize,
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(0)
}

/// Sends bids at `rate` rows per second for `warm_up` and then `time`, and compares the two views
/// of the latency of the second part. Every bid passes the filter; its column `sent` is the
/// timestamp that its record was appended with.
///
/// # Errors
/// Where Kafka or the process fails.
pub(crate) fn measure(
    brokers: &str,
    (input, output): (&str, &str),
    rate: f64,
    (warm_up, time): (Duration, Duration),
) -> Result<Latency, Failure> {
    let mut process = Process::start(&topology(brokers, input, output))?;
    process.wait_ready()?;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "0")
        .set("queue.buffering.max.messages", "1000000")
        .create()?;
    let (stop, stopped) = sync_channel::<()>(1);
    let consumer = consumer(brokers, output)?;
    send(&producer, input, rate, warm_up)?;
    let from = now_ms();
    let before = process.metrics()?;
    let watch = move || observe(&consumer, &stopped, from);
    let observer = std::thread::Builder::new().name("observer".into()).spawn(watch)?;
    send(&producer, input, rate, time)?;
    // What is in flight arrives; an idle second more does not matter.
    std::thread::sleep(Duration::from_secs(1));
    stop.send(())?;
    let mut seen = observer.join().map_err(|_| "the observer panicked")?;
    let after = process.metrics()?;
    process.stop()?;
    seen.sort_by(f64::total_cmp);
    let at = |q: f64| seen.get(((seen.len() as f64) * q) as usize).copied().unwrap_or(f64::NAN);
    let reported = |q| {
        let seconds = quantile(&after, &before, "swiftwater_e2e_latency_seconds", q);
        seconds.map_or(f64::NAN, |s| s * 1e3)
    };
    Ok(Latency {
        reported: (reported(0.5), reported(0.99)),
        observed: (at(0.5), at(0.99)),
        rows: seen.len(),
    })
}

fn topology(brokers: &str, input: &str, output: &str) -> String {
    format!(
        r#"
name: latency
sources:
  bids:
    kafka: {{brokers: "{brokers}", topic: {input}, group: "{input}-latency", start: latest}}
    format: json
    schema: {{auction: int64, bidder: int64, price: int64, sent: int64}}
operators:
  serious: {{input: bids, filter: "price >= 100"}}
  short: {{input: serious, select: [auction, bidder, price, sent]}}
sinks:
  out: {{input: short, kafka: {{brokers: "{brokers}", topic: {output}}}, format: json}}
"#
    )
}

/// Sends an even stream: at each millisecond what is due by then.
fn send(producer: &BaseProducer, topic: &str, rate: f64, time: Duration) -> Result<(), Failure> {
    let extra = "x".repeat(110);
    let started = Instant::now();
    let mut sent = 0_u64;
    while started.elapsed() < time {
        let due = (started.elapsed().as_secs_f64() * rate) as u64;
        while sent < due {
            let now = now_ms();
            let payload = format!(
                "{{\"auction\":{sent},\"bidder\":{},\"price\":{},\"channel\":\"channel-{}\",\"sent\":{now},\"extra\":\"{extra}\"}}",
                sent % 10_007,
                100 + sent % 9_000,
                sent % 1_000,
            );
            let partition = (sent % PARTITIONS as u64) as i32;
            let record = BaseRecord::<(), str>::to(topic)
                .payload(&payload)
                .partition(partition)
                .timestamp(now);
            let mut next = Some(record);
            while let Some(record) = next.take() {
                if let Err((error, back)) = producer.send(record) {
                    if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                        return Err(error.into());
                    }
                    producer.poll(Duration::from_millis(1));
                    next = Some(back);
                }
            }
            sent += 1;
        }
        producer.poll(Duration::ZERO);
        std::thread::sleep(Duration::from_micros(500));
    }
    producer.flush(Duration::from_secs(10))?;
    Ok(())
}

fn consumer(brokers: &str, topic: &str) -> Result<BaseConsumer, Failure> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "latency-observer")
        .set("fetch.wait.max.ms", "5")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset(topic, partition, Offset::End)?;
    }
    consumer.assign(&assignment)?;
    Ok(consumer)
}

/// Milliseconds from append to arrival of every row sent since `from`.
fn observe(consumer: &BaseConsumer, stopped: &Receiver<()>, from: i64) -> Vec<f64> {
    let mut seen = Vec::new();
    while stopped.try_recv().is_err() {
        while let Some(Ok(message)) = consumer.poll(Duration::from_millis(10)) {
            let row =
                serde_json::from_slice::<serde_json::Value>(message.payload().unwrap_or_default());
            let sent = row.ok().and_then(|r| r.get("sent")?.as_i64()).unwrap_or(0);
            if sent >= from {
                seen.push((now_ms() - sent) as f64);
            }
        }
    }
    seen
}
