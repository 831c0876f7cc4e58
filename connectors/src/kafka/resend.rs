//! What a producer says of its records, and those that are sent once more because another record of
//! their Kafka batch was refused.

use rdkafka::error::RDKafkaErrorCode as Code;
use swiftwater_engine::Sequence;

use super::delivery::{Deliveries, Verdict, rejected, verdict};
use super::ffi::{Delivered, Producer, Single};

/// What the producer says of one record.
pub(super) fn delivered(
    deliveries: &mut Deliveries,
    again: &mut Vec<Again>,
    topic: &str,
    d: &Delivered<'_>,
) {
    let sequence = d.opaque as Sequence;
    let Some(code) = d.error else {
        deliveries.done(sequence);
        return;
    };
    match verdict(code) {
        Verdict::Rejected(number) => {
            deliveries.reject(
                sequence,
                rejected(number, topic, code, d.record.payload(), d.record.key()),
            );
        }
        Verdict::Again => again.push(Again::of(d)),
        Verdict::Failed => deliveries.fail(code),
    }
}

/// A record that is sent once more.
pub(super) struct Again {
    opaque: usize,
    partition: i32,
    timestamp: Option<i64>,
    payload: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Again {
    fn of(d: &Delivered<'_>) -> Self {
        let mut headers = Vec::new();
        d.record.headers(|name, value| headers.push((name.to_vec(), value.map(<[u8]>::to_vec))));
        Self {
            opaque: d.opaque,
            partition: d.record.partition(),
            timestamp: d.record.timestamp(),
            payload: d.record.payload().map(<[u8]>::to_vec),
            key: d.record.key().map(<[u8]>::to_vec),
            headers,
        }
    }

    /// Hands the record over once more.
    pub(super) fn send(&self, producer: &Producer) -> Result<(), Code> {
        let headers: Vec<(&[u8], Option<&[u8]>)> =
            self.headers.iter().map(|(n, v)| (n.as_slice(), v.as_deref())).collect();
        let single = Single {
            partition: Some(self.partition),
            payload: self.payload.as_deref(),
            key: self.key.as_deref(),
            timestamp: self.timestamp,
            headers: &headers,
        };
        producer.produce_single(&single, self.opaque)
    }
}
