//! The writing half of an open sink.
//!
//! Rows are sorted by partition and handed over in runs, which costs librdkafka half of what single
//! calls do: it keeps the records of a partition together in memory, and takes its locks once a run.

use std::ops::Range;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::buffer::NullBuffer;
use rdkafka::error::RDKafkaErrorCode as Code;
use serde::Deserialize;
use swiftwater_engine::{Error, Result, Sequence};

use super::context::Note;
use super::delivery::{Deliveries, Verdict, rejected, verdict};
use super::envelope::Envelopes;
use super::ffi::{Delivered, Outbox, Producer, Single};
use super::keys::{Keys, all_null, payload};
use super::sink::Design;
use super::{faults, murmur2};
use crate::codec::{Encoder, Payloads};

/// Rows that are sorted and handed over at once.
const RUN: usize = 4096;
/// How long a full queue is waited for before it is tried again.
pub(super) const FULL: Duration = Duration::from_millis(1);

/// What an open sink has.
pub(super) struct Writer {
    pub(super) node: String,
    pub(super) brokers: String,
    pub(super) producer: Producer,
    pub(super) partitions: i32,
    pub(super) encoder: Box<dyn Encoder>,
    pub(super) key_encoder: Option<Box<dyn Encoder>>,
    pub(super) deliveries: Deliveries,
    pub(super) payloads: Payloads,
    /// One for each partition, and one for records that the partitioner places.
    pub(super) outboxes: Vec<Outbox<'static>>,
}

/// One batch, encoded.
struct Encoded<'a> {
    sequence: Sequence,
    payloads: &'a Payloads,
    keys: &'a Keys,
    nulls: Option<NullBuffer>,
}

impl<'a> Encoded<'a> {
    fn payload(&self, row: usize) -> Option<&'a [u8]> {
        if self.nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            return None;
        }
        payload(self.payloads, row)
    }
}

/// What the producer says of one record.
fn delivered(deliveries: &mut Deliveries, again: &mut Vec<Again>, topic: &str, d: &Delivered<'_>) {
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
struct Again {
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
}

impl Writer {
    /// Why nothing can be written any more.
    pub(super) fn failure(&self, topic: &str) -> Option<Error> {
        let client = self.producer.client();
        let failure = self.deliveries.failure(topic, &self.brokers);
        // A producer that broke down purges its queue: what broke it is the reason.
        if let Some((code, reason)) = client.fatal_error() {
            return Some(faults::broken(topic, code, &reason));
        }
        failure.or_else(|| client.context().faults().take_fatal())
    }

    /// Serves what the producer has to say, waiting at most `wait` for the first of it.
    pub(super) fn serve(&mut self, topic: &str, wait: Duration) {
        let mut again = Vec::new();
        let deliveries = &mut self.deliveries;
        let mut served =
            self.producer.serve(wait, |d| delivered(deliveries, &mut again, topic, &d));
        while served {
            served = self
                .producer
                .serve(Duration::ZERO, |d| delivered(deliveries, &mut again, topic, &d));
        }
        for record in again {
            let headers: Vec<(&[u8], Option<&[u8]>)> =
                record.headers.iter().map(|(n, v)| (n.as_slice(), v.as_deref())).collect();
            let single = Single {
                partition: Some(record.partition),
                payload: record.payload.as_deref(),
                key: record.key.as_deref(),
                timestamp: record.timestamp,
                headers: &headers,
            };
            // Its place in the queue has only just become free.
            if let Err(code) = self.producer.produce_single(&single, record.opaque) {
                self.deliveries.fail(code);
            }
        }
    }

    /// Waits a moment for room in the producer's queue.
    fn wait_for_room(&mut self, topic: &str) -> Result<()> {
        self.serve(topic, FULL);
        self.failure(topic).map_or(Ok(()), Err)
    }

    /// New numbers of partitions come with the producer's statistics.
    pub(super) fn take_notes(&mut self, topic: &str) {
        for note in self.producer.client().context().take_notes() {
            if let Note::Statistics(json) = note
                && let Some(partitions) = partitions(&json, topic)
                && partitions > self.partitions
            {
                tracing::info!(node = self.node.as_str(), topic, partitions, "topic has grown");
                self.partitions = partitions;
            }
        }
    }

    /// The partition of a row; `None` leaves it to librdkafka's partitioner.
    fn partition(&self, design: &Design, asked: Option<i32>, key: Option<&[u8]>) -> Option<i32> {
        asked.or_else(|| {
            let key = key.filter(|_| design.producing.partitioner.is_murmur2())?;
            let count = u32::try_from(self.partitions).ok()?;
            i32::try_from(murmur2::partition(key, count)).ok()
        })
    }

    fn refuse(
        &mut self,
        topic: &str,
        sequence: Sequence,
        code: Code,
        record: (Option<&[u8]>, Option<&[u8]>),
    ) {
        match verdict(code) {
            Verdict::Rejected(number) => {
                let told = rejected(number, topic, code, record.0, record.1);
                self.deliveries.reject(sequence, told);
            }
            Verdict::Again | Verdict::Failed => self.deliveries.fail(code),
        }
    }

    /// Hands over rows that have nothing but payload and key, sorted by partition.
    fn send_plain(
        &mut self,
        design: &Design,
        batch: &Encoded<'_>,
        envelopes: &Envelopes<'_>,
        rows: Range<usize>,
    ) -> Result<()> {
        let topic = design.topic.as_str();
        let places = usize::try_from(self.partitions).unwrap_or(0);
        let kept = std::mem::take(&mut self.outboxes);
        let mut outboxes: Vec<Outbox<'_>> = kept.into_iter().map(Outbox::recycle).collect();
        outboxes.resize_with(places + 1, Outbox::new);
        let opaque = usize::try_from(batch.sequence).unwrap_or(usize::MAX);
        for row in rows {
            let (value, key) = (batch.payload(row), batch.keys.get(row));
            let asked = envelopes.partition(row);
            let place = match self.partition(design, asked, key) {
                None => places,
                Some(number) => match usize::try_from(number) {
                    Ok(number) if number < places => number,
                    _ => {
                        self.refuse(topic, batch.sequence, Code::UnknownPartition, (value, key));
                        continue;
                    }
                },
            };
            if let Some(outbox) = outboxes.get_mut(place) {
                outbox.push(value, key, opaque);
            }
        }
        for (place, outbox) in outboxes.iter_mut().enumerate() {
            let partition = if place < places { i32::try_from(place).ok() } else { None };
            while !outbox.is_empty() {
                let mut refused = Vec::new();
                self.producer.produce(partition, outbox, |r| refused.push(r));
                for r in refused {
                    self.refuse(topic, batch.sequence, r.code, (r.payload, r.key));
                }
                if !outbox.is_empty() {
                    self.wait_for_room(topic)?;
                }
            }
        }
        self.outboxes = outboxes.into_iter().map(Outbox::recycle).collect();
        Ok(())
    }

    /// Hands over rows with headers or timestamps, one by one.
    fn send_rich(
        &mut self,
        design: &Design,
        batch: &Encoded<'_>,
        envelopes: &Envelopes<'_>,
        rows: Range<usize>,
    ) -> Result<()> {
        let topic = design.topic.as_str();
        let opaque = usize::try_from(batch.sequence).unwrap_or(usize::MAX);
        let mut headers = Vec::new();
        for row in rows {
            let (value, key) = (batch.payload(row), batch.keys.get(row));
            headers.clear();
            envelopes.headers(row, &mut headers);
            let partition = self.partition(design, envelopes.partition(row), key);
            if partition.is_some_and(|p| !(0..self.partitions).contains(&p)) {
                self.refuse(topic, batch.sequence, Code::UnknownPartition, (value, key));
                continue;
            }
            let timestamp = envelopes.timestamp(row);
            let single = Single { partition, payload: value, key, timestamp, headers: &headers };
            loop {
                match self.producer.produce_single(&single, opaque) {
                    Ok(()) => break,
                    Err(Code::QueueFull) => self.wait_for_room(topic)?,
                    Err(code) => {
                        self.refuse(topic, batch.sequence, code, (value, key));
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn write(
        &mut self,
        design: &Design,
        sequence: Sequence,
        records: &RecordBatch,
    ) -> Result<()> {
        let mut payloads = std::mem::take(&mut self.payloads);
        payloads.clear();
        self.encoder.encode(&records.project(&design.payload)?, &mut payloads)?;
        let envelope = &design.envelope;
        let keys = Keys::of(&envelope.key, self.key_encoder.as_mut(), records)?;
        let envelopes = Envelopes::of(envelope, records)?;
        let count = payloads.ends.len();
        if count != records.num_rows() && !envelope.is_plain() {
            // One payload for many rows, as `arrow_ipc` makes it.
            return Err(Error::config(
                "SW2130",
                "give one record with many rows a key, partition, timestamp or header",
            )
            .with_hint("a format that packs rows into one record takes none of them"));
        }
        self.deliveries.begin(sequence, count);
        let nulls = design.tombstones.as_ref().and_then(|columns| all_null(records, columns));
        let batch = Encoded { sequence, payloads: &payloads, keys: &keys, nulls };
        for from in (0..count).step_by(RUN) {
            let rows = from..count.min(from + RUN);
            if envelope.is_rich() {
                self.send_rich(design, &batch, &envelopes, rows)?;
            } else {
                self.send_plain(design, &batch, &envelopes, rows)?;
            }
        }
        self.payloads = payloads;
        Ok(())
    }
}

/// The number of partitions of `topic` in the producer's statistics.
fn partitions(statistics: &[u8], topic: &str) -> Option<i32> {
    use std::collections::HashMap;
    #[derive(Deserialize)]
    struct Statistics {
        topics: HashMap<String, Topic>,
    }
    #[derive(Deserialize)]
    struct Topic {
        partitions: HashMap<String, serde::de::IgnoredAny>,
    }
    let statistics: Statistics = serde_json::from_slice(statistics).ok()?;
    let known = statistics.topics.get(topic)?.partitions.keys();
    // -1 holds what is not placed yet.
    i32::try_from(known.filter(|number| *number != "-1").count()).ok()
}
