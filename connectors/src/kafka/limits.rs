//! What the client alone can do: the raw limits that benchmarks hold the source against.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use arrow::json::ReaderBuilder;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::Consumer as _;
use rdkafka::{Offset, TopicPartitionList};
use swiftwater_engine::{Error, Result};

use super::context::{Consumer, Context};
use super::ffi::{DataQueue, Messages};

const BATCH: usize = 8192;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Seconds to read a topic from its beginning to where it ends now, on one thread, the start of the
/// client taken off; and the rows.
///
/// With `decode` every batch is also decoded by `arrow-json` to these columns: what a plain loop
/// around both libraries does.
///
/// # Errors
/// `Unavailable` where the broker or the topic is not there; `Data` for a payload that
/// `arrow-json` does not take.
pub fn read(brokers: &str, topic: &str, decode: Option<&SchemaRef>) -> Result<(f64, u64)> {
    let failed = |error: rdkafka::error::KafkaError| {
        Error::unavailable("SW2199", format!("read the topic `{topic}`")).with_source(error)
    };
    let consumer: Consumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "swiftwater-limits")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "10")
        .set("queued.min.messages", "1000000")
        .create_with_context(Context::new("limits", None))
        .map_err(failed)?;
    let consumer = Arc::new(consumer);
    let queue = DataQueue::new(Arc::clone(&consumer));
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).map_err(failed)?;
    let mut left: BTreeMap<i32, i64> = BTreeMap::new();
    let mut assignment = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|t| t.partitions()) {
        let (low, high) =
            consumer.fetch_watermarks(topic, partition.id(), TIMEOUT).map_err(failed)?;
        left.insert(partition.id(), high - low);
        assignment
            .add_partition_offset(topic, partition.id(), Offset::Beginning)
            .map_err(failed)?;
        queue.forward(topic, partition.id());
    }
    let wanted: i64 = left.values().sum();
    let mut decoder = decode.map(|schema| ReaderBuilder::new(Arc::clone(schema)).build_decoder());
    let mut decoder = decoder.take().transpose()?;
    consumer.assign(&assignment).map_err(failed)?;
    let mut messages = Messages::default();
    let (mut rows, mut started) = (0_u64, None);
    while i64::try_from(rows).unwrap_or(i64::MAX) < wanted {
        // Served so that errors of the client are seen; it brings no messages.
        drop(consumer.poll(Duration::ZERO));
        queue.take(&mut messages, BATCH);
        if messages.is_empty() {
            queue.wait(Duration::from_millis(20));
            continue;
        }
        started.get_or_insert_with(Instant::now);
        for message in messages.iter() {
            rows += 1;
            if let (Some(decoder), Some(payload)) = (&mut decoder, message.payload()) {
                decoder.decode(payload)?;
            }
        }
        if let Some(decoder) = &mut decoder {
            drop(decoder.flush()?);
        }
    }
    Ok((started.map_or(0.0, |s| s.elapsed().as_secs_f64()), rows))
}
