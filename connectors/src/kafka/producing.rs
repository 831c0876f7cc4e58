//! librdkafka's settings for a producer.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use swiftwater_engine::SinkContext;

/// Memory that librdkafka takes for a record beside its payload, with a short key.
pub(super) const RECORD_OVERHEAD: usize = 256;
/// More records or bytes than these in flight only add latency.
const RECORDS_AT_MOST: usize = 100_000;
const BYTES_AT_MOST: usize = 64 << 20;
/// The largest batch of records that is sent as one, unless the topic's limit is lower.
pub(super) const BATCH_BYTES: usize = 1_000_000;

/// Which partition a record goes to that names none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Partitioner {
    /// By the key's hash, as Java's producer does; without a key, one after the other for a while
    /// each (the default).
    #[default]
    Murmur2Random,
    /// By the key's CRC32 hash, as librdkafka does by itself; without a key as above.
    ConsistentRandom,
    /// By the key's FNV-1a hash, as Sarama does; without a key as above.
    Fnv1aRandom,
    /// Any, whatever the key.
    Random,
}

impl Partitioner {
    /// Whether the partition of a key is that of [`super::murmur2`].
    pub(super) fn is_murmur2(self) -> bool {
        self == Self::Murmur2Random
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Murmur2Random => "murmur2_random",
            Self::ConsistentRandom => "consistent_random",
            Self::Fnv1aRandom => "fnv1a_random",
            Self::Random => "random",
        }
    }
}

/// How batches of records are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    None,
    /// Small, slow.
    Gzip,
    /// Fast.
    Snappy,
    /// Fast (the default): with the broker's share it costs less time than none.
    #[default]
    Lz4,
    /// Smallest.
    Zstd,
}

impl Compression {
    const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Settings of every producer.
pub(super) fn shared(linger: Duration) -> Vec<(&'static str, String)> {
    vec![
        ("enable.idempotence", "true".to_owned()),
        ("acks", "all".to_owned()),
        ("linger.ms", (linger.as_secs_f64() * 1000.0).to_string()),
        ("batch.num.messages", "100000".to_owned()),
        ("retry.backoff.ms", "50".to_owned()),
        ("statistics.interval.ms", "10000".to_owned()),
        ("topic.metadata.refresh.interval.ms", "60000".to_owned()),
        ("enable.metrics.push", "false".to_owned()),
    ]
}

/// The settings that decide how records are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Producing {
    pub(crate) partitioner: Partitioner,
    pub(crate) compression: Compression,
    pub(crate) compression_level: Option<i32>,
    pub(crate) linger: Duration,
}

impl Producing {
    /// Settings that do not depend on where the sink runs.
    pub(crate) fn common(&self) -> Vec<(&'static str, String)> {
        let mut all = shared(self.linger);
        all.extend(self.of_topic());
        all
    }

    /// Settings that a topic can have for itself.
    pub(super) fn of_topic(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("partitioner", self.partitioner.name().to_owned()),
            ("compression.type", self.compression.name().to_owned()),
        ];
        if let Some(level) = self.compression_level {
            all.push(("compression.level", level.to_string()));
        }
        all
    }

    /// All settings; `largest` is the topic's limit of a record, where it is known.
    pub(super) fn of_sink(
        &self,
        cx: &SinkContext,
        largest: Option<usize>,
    ) -> Vec<(&'static str, String)> {
        let mut all = self.common();
        let half = cx.buffer_bytes / 2;
        let bytes = half.clamp(1 << 20, BYTES_AT_MOST);
        let records = (half / RECORD_OVERHEAD).clamp(1000, RECORDS_AT_MOST);
        let timeout = cx.retry_budget.as_millis().clamp(1000, 2_147_483_647);
        all.push(("client.id", format!("swiftwater-{}-{}", cx.topology, cx.node)));
        all.push(("queue.buffering.max.kbytes", (bytes / 1024).to_string()));
        all.push(("queue.buffering.max.messages", records.to_string()));
        all.push(("message.timeout.ms", timeout.to_string()));
        all.push(("batch.size", largest.unwrap_or(BATCH_BYTES).min(BATCH_BYTES).to_string()));
        if let Some(largest) = largest {
            // librdkafka's own limits of this setting.
            all.push(("message.max.bytes", largest.clamp(1000, 1_000_000_000).to_string()));
        }
        all
    }
}
