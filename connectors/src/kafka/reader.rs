//! The reading half of an open source: takes what the client has fetched, in batches, as soon as it
//! is there, and makes rows of it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode as Code;
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::{Error, Polled, Result, SourceContext};

use super::assignment::{Assignment, Owned, Partition, label};
use super::context::{Consumer, Split};
use super::ends::Ends;
use super::everything::GONE;
use super::faults;
use super::ffi::{self, DataQueue, Message, Messages};
use super::member::Desk;
use super::rows::Rows;
use super::source::{Design, Subscription};
use super::topics::Directory;

/// How often it is looked how far the partitions are from their ends, while rows come.
const COMPARE: Duration = Duration::from_millis(50);

/// Handle of a topic, and number of a partition.
type Place = (usize, i32);

/// What an open source has.
pub(super) struct Reader {
    /// The messages of the last take, and which of them are to become rows, of which partitions.
    /// They go first: a client waits without end for messages that are held.
    pub(super) messages: Messages,
    pub(super) taken: Vec<(usize, Arc<Partition>)>,
    pub(super) cx: SourceContext,
    pub(super) brokers: String,
    pub(super) consumer: Arc<Consumer>,
    pub(super) queue: Arc<DataQueue>,
    pub(super) assignment: Arc<Assignment>,
    pub(super) desk: Arc<Desk>,
    pub(super) thread: Option<JoinHandle<()>>,
    pub(super) rows: Rows,
    pub(super) dropped: Arc<NodeMetrics>,
    /// The partition of the last message, which mostly is that of the next too.
    pub(super) last: Option<(Place, Option<Arc<Partition>>)>,
    /// State of the assignment that `last` belongs to.
    pub(super) changes: u64,
    /// When the partitions were last compared with their logs.
    pub(super) compared: Instant,
}

impl Reader {
    /// Checks the topics, and asks the group for partitions of them.
    pub(super) fn subscribe(&self, design: &Design) -> Result<()> {
        let (consumer, brokers) = (&self.consumer, self.brokers.as_str());
        let directory = Directory { consumer, brokers, serves: false };
        let is_embedded = design.connection.is_embedded();
        let mut names = match &design.subscription {
            Subscription::Topics(topics) => topics.clone(),
            // Of a bounded source the topics are those of the start, like the ends.
            Subscription::Pattern(pattern) if design.ends.is_some() => {
                directory.matching(pattern)?
            }
            Subscription::Pattern(pattern) => {
                directory.ask(None)?;
                vec![pattern.as_str().to_owned()]
            }
        };
        names.sort();
        names.dedup();
        if !names.iter().any(|name| name.starts_with('^')) {
            let splits = directory.splits(&names, is_embedded)?;
            if let Some(ends) = &design.ends {
                ends.resolve(consumer, &splits)?;
            }
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(|e| faults::failed("subscribe to topics", &e))
    }

    /// Takes what the client has fetched and says whose it is, in one step (see [`Assignment`]).
    fn take(&mut self) {
        let assignment = Arc::clone(&self.assignment);
        let owned = assignment.lock();
        if assignment.changes() != self.changes {
            self.last = None;
            self.changes = assignment.changes();
        }
        let passed: Vec<Arc<Partition>> =
            owned.values().filter(|p| p.is_passed()).map(Arc::clone).collect();
        let mut messages = std::mem::take(&mut self.messages);
        self.queue.take(&mut messages, self.cx.batch_rows);
        if messages.is_empty() {
            assignment.emptied();
            passed.iter().for_each(|p| p.finish());
        }
        for (index, message) in messages.iter().enumerate() {
            if let Some((code, reason)) = message.error() {
                self.told(message, code, &reason, &owned);
            } else if let Some(partition) = self.partition(message, &owned)
                && partition.take(message.offset())
            {
                self.taken.push((index, partition));
            }
        }
        self.messages = messages;
    }

    /// The partition of a message; `None` where it is no longer ours.
    fn partition(&mut self, message: Message<'_>, owned: &Owned) -> Option<Arc<Partition>> {
        let place = (message.topic_handle(), message.partition());
        match &self.last {
            Some((last, partition)) if *last == place => partition.as_ref().map(Arc::clone),
            _ => {
                let found = owned.get(&label(&message.topic(), message.partition()));
                self.last = Some((place, found.map(Arc::clone)));
                found.map(Arc::clone)
            }
        }
    }

    /// An error of one partition; what stops the topology is told at the next call, after the rows
    /// that came with it.
    fn told(&self, message: Message<'_>, code: Code, reason: &str, owned: &Owned) {
        let (topic, number) = (message.topic(), message.partition());
        let place = label(&topic, number);
        match code {
            Code::AutoOffsetReset | Code::OffsetOutOfRange => {
                let at = owned.get(&place).map(|p| p.next());
                self.desk.fail(self.out_of_range(&topic, number, at));
            }
            Code::TopicAuthorizationFailed => {
                self.desk.fail(faults::denied(&format!("read the topic `{topic}`")));
            }
            Code::PartitionEOF => {}
            _ => {
                let node = self.cx.node.as_str();
                tracing::warn!(node, partition = place, reason, "fetch");
            }
        }
    }

    fn out_of_range(&self, topic: &str, partition: i32, at: Option<i64>) -> Error {
        let range = self.consumer.fetch_watermarks(topic, partition, Duration::from_secs(5));
        let holds = match range {
            Ok((low, high)) => format!("it holds {low} to {high}"),
            Err(_) => "its range is unknown".into(),
        };
        let at = at.map_or_else(|| "?".into(), |offset| offset.to_string());
        Error::state("SW2116", format!("read `{topic}/{partition}` on from offset {at}: {holds}"))
            .with_hint(if self.cx.resume.is_some() {
                GONE
            } else {
                "records were deleted before they were read, or the topic was made anew: set the \
                 group's offsets with kafka-consumer-groups --reset-offsets, or use a new `group`"
            })
    }

    /// Compares the partitions with their logs, as far as the client knows them by itself.
    fn compare(&mut self) {
        self.compared = Instant::now();
        for partition in self.assignment.lock().values() {
            let (position, high) =
                ffi::standing(&self.consumer, &partition.topic, partition.number);
            partition.compare(position, high);
        }
    }

    /// Rows, if there are any within `wait`.
    pub(super) fn poll(&mut self, wait: Duration) -> Result<Polled> {
        let polled = self.poll_rows(wait)?;
        if matches!(polled, Polled::Empty) || self.compared.elapsed() >= COMPARE {
            self.compare();
        }
        Ok(polled)
    }

    fn poll_rows(&mut self, wait: Duration) -> Result<Polled> {
        if self.taken.is_empty() {
            self.take();
        }
        if self.taken.is_empty() && !wait.is_zero() {
            let started = Instant::now();
            self.queue.wait(wait);
            self.cx.metrics.waited(started.elapsed());
            self.take();
        }
        if self.taken.is_empty() {
            self.messages.clear();
            return Ok(Polled::Empty);
        }
        let made = self.rows.make(&self.messages, &self.taken, self.cx.clock.now());
        let made = match made {
            Ok(made) => made,
            // The same messages are tried again, and until then they do not count as handed over.
            Err(error) => {
                self.each_taken(Partition::take_back);
                return Err(error);
            }
        };
        self.each_taken(Partition::hand_over);
        self.taken.clear();
        self.messages.clear();
        if made.skipped > 0 {
            self.dropped.dropped("tombstone", made.skipped);
        }
        Ok(Polled::Rows {
            batch: made.batch,
            rejected: made.rejected,
            bytes: made.bytes,
            splits: made.splits,
        })
    }

    fn each_taken(&self, each: impl Fn(&Partition, i64)) {
        for (index, partition) in &self.taken {
            if let Some(message) = self.messages.get(*index) {
                each(partition, message.offset());
            }
        }
    }

    /// Whether a bounded source has come to its end.
    pub(super) fn is_ended(&self, ends: &Ends) -> bool {
        let finished: Vec<Split> = {
            let owned = self.assignment.lock();
            owned.values().filter(|p| p.is_finished()).map(|p| p.split()).collect()
        };
        finished.into_iter().for_each(|split| ends.reached(split));
        ends.all_reached()
    }

    fn shut(&mut self) {
        self.desk.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(node = self.cx.node.as_str(), "the group's thread panicked");
        }
    }
}

impl Drop for Reader {
    /// A source that is dropped without having been closed leaves its group all the same.
    fn drop(&mut self) {
        self.shut();
    }
}
