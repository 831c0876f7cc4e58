//! The writing half of an open sink.
//!
//! Rows are sorted by partition and handed over in runs, which costs librdkafka half of what single
//! calls do: it keeps the records of a partition together in memory, and takes its locks once a run.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::buffer::NullBuffer;
use rdkafka::error::RDKafkaErrorCode as Code;
use serde::Deserialize;
use swiftwater_engine::{Error, Result, Sequence};

use super::admin::Limits;
use super::context::Note;
use super::delivery::{Deliveries, Verdict, rejected, verdict};
use super::envelope::Envelopes;
use super::ffi::{Outbox, Producer, Single};
use super::keys::{Keys, payload};
use super::producing::RECORD_OVERHEAD;
use super::resend::delivered;
use super::sink::Design;
use super::transaction::Joint;
use super::{faults, mailbox, murmur2};
use crate::codec::{Encoder, Payloads};

/// Rows that are sorted and handed over at once.
const RUN: usize = 4096;
/// More than what Kafka puts around a record that it does not compress.
const FRAME: usize = 256;
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
    /// The place in the transaction that is shared with others, where rows are written exactly once.
    pub(super) joint: Option<Joint>,
    pub(super) limits: Limits,
    /// Batches that are not durable with their bytes, all their bytes, and most there should be:
    /// counted where the producer's own limits are not ours.
    pub(super) held: VecDeque<(Sequence, usize)>,
    pub(super) held_bytes: usize,
    pub(super) hold_at_most: usize,
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

impl Writer {
    /// Why nothing can be written any more.
    pub(super) fn failure(&self, topic: &str) -> Option<Error> {
        if let Some(joint) = &self.joint {
            return joint.transaction.failure();
        }
        let client = self.producer.pipe().client();
        let failure = self.deliveries.failure(topic, &self.brokers);
        // A producer that broke down purges its queue: what broke it is the reason.
        if let Some((code, reason)) = client.fatal_error() {
            return Some(faults::broken(topic, code, &reason));
        }
        failure.or_else(|| client.context().faults().take_fatal())
    }

    /// Serves what the producer has to say, waiting at most `wait` for the first of it.
    pub(super) fn serve(&mut self, topic: &str, wait: Duration) {
        if self.joint.is_some() {
            self.take_mail(topic, wait);
        } else {
            self.serve_own(topic, wait);
        }
        let durable = self.deliveries.durable();
        while let Some((_, bytes)) = self.held.pop_front_if(|(sequence, _)| *sequence <= durable) {
            self.held_bytes -= bytes;
        }
    }

    fn serve_own(&mut self, topic: &str, wait: Duration) {
        let (mut again, deliveries) = (Vec::new(), &mut self.deliveries);
        let pipe = self.producer.pipe();
        let mut served = pipe.serve(wait, |d| delivered(deliveries, &mut again, topic, &d));
        while served {
            served = pipe.serve(Duration::ZERO, |d| delivered(deliveries, &mut again, topic, &d));
        }
        for record in again {
            // Its place in the queue has only just become free.
            if let Err(code) = record.send(&self.producer) {
                self.deliveries.fail(code);
            }
        }
    }

    /// What became of our records in a transaction; one that was refused ends it.
    fn take_mail(&mut self, topic: &str, wait: Duration) {
        let Some(joint) = &self.joint else {
            return;
        };
        let (done, failed) = joint.mailbox.take(wait);
        for (sequence, records) in done {
            self.deliveries.done_many(sequence, records);
        }
        if let Some((code, records)) = failed {
            self.deliveries.fail_many(code, records);
            let told = joint.transaction.failure();
            if let Some(error) = told.or_else(|| self.deliveries.failure(topic, &self.brokers)) {
                joint.transaction.doom(error, code);
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
        if let Some(joint) = &mut self.joint {
            if let Some(json) = joint.statistics() {
                self.grow(&json, topic);
            }
            return;
        }
        for note in self.producer.pipe().client().context().take_notes() {
            if let Note::Statistics(json) = note {
                self.grow(&json, topic);
            }
        }
    }

    fn grow(&mut self, statistics: &[u8], topic: &str) {
        if let Some(partitions) = partitions(statistics, topic).filter(|p| *p > self.partitions) {
            tracing::info!(node = self.node.as_str(), topic, partitions, "topic has grown");
            self.partitions = partitions;
        }
    }

    /// The number that comes back with each record of a batch.
    fn opaque(&self, sequence: Sequence) -> usize {
        match &self.joint {
            Some(joint) => mailbox::opaque(joint.sink, sequence),
            None => usize::try_from(sequence).unwrap_or(usize::MAX),
        }
    }

    /// Why the topic would refuse a record: in a transaction a refusal would end it.
    fn unwritable(&self, value: Option<&[u8]>, key: Option<&[u8]>) -> Option<Code> {
        self.joint.as_ref()?;
        let size = value.map_or(0, <[u8]>::len) + key.map_or(0, <[u8]>::len);
        let framed = size + size / 256 + FRAME;
        if self.limits.largest.is_some_and(|largest| framed > largest) {
            return Some(Code::MessageSizeTooLarge);
        }
        (self.limits.needs_key && key.is_none()).then_some(Code::InvalidRecord)
    }

    /// Begins the transaction where there is none, once what is on its way leaves room for more.
    fn begin(&mut self, topic: &str, sequence: Sequence, bytes: usize) -> Result<()> {
        let Some(joint) = &self.joint else {
            return Ok(());
        };
        joint.transaction.begin()?;
        while self.held_bytes > 0 && self.held_bytes + bytes > self.hold_at_most {
            self.wait_for_room(topic)?;
        }
        self.held.push_back((sequence, bytes));
        self.held_bytes += bytes;
        Ok(())
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
        let opaque = self.opaque(batch.sequence);
        for row in rows {
            let (value, key) = (batch.payload(row), batch.keys.get(row));
            if let Some(code) = self.unwritable(value, key) {
                self.refuse(topic, batch.sequence, code, (value, key));
                continue;
            }
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
        let opaque = self.opaque(batch.sequence);
        let mut headers = Vec::new();
        for row in rows {
            let (value, key) = (batch.payload(row), batch.keys.get(row));
            if let Some(code) = self.unwritable(value, key) {
                self.refuse(topic, batch.sequence, code, (value, key));
                continue;
            }
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
        let bytes = payloads.bytes.len() + count * RECORD_OVERHEAD;
        self.begin(&design.topic, sequence, bytes)?;
        self.deliveries.begin(sequence, count);
        let nulls = design.tombstones.of(records)?;
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
