//! The independent checker: a read-committed reader of the output topics that is there all the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use super::oracle::Event;
use super::setting::Setting;
use super::{KEYS, PARTITIONS};

/// Once everything is committed, no row comes later than this.
const QUIET: Duration = Duration::from_secs(2);

/// What was wrong.
#[derive(Debug, Default, Clone)]
pub(super) struct Faults {
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) disordered: u64,
    /// Values that are not those of the oracle.
    pub(super) wrong: u64,
    /// The first of them, in words.
    pub(super) first: Vec<String>,
}

impl Faults {
    pub(super) const fn count(&self) -> u64 {
        self.lost + self.doubled + self.disordered + self.wrong
    }

    pub(super) const fn are_none(&self) -> bool {
        self.count() == 0
    }

    fn told(&mut self, fault: String) {
        if self.first.len() < 5 {
            self.first.push(fault);
        }
    }

    pub(super) fn lose(&mut self, count: u64, fault: String) {
        self.lost += count;
        self.told(fault);
    }

    pub(super) fn double(&mut self, fault: String) {
        self.doubled += 1;
        self.told(fault);
    }

    pub(super) fn mistake(&mut self, fault: String) {
        self.wrong += 1;
        self.told(fault);
    }
}

/// What has come of one key.
#[derive(Debug, Default)]
struct Key {
    /// Highest number of a row.
    last: i64,
    /// Numbers below it that have not come.
    missing: BTreeSet<i64>,
    /// Rows and fingerprint that the chain told last.
    chain: (i64, i64),
    /// How often each event came out of the join, by its number.
    pairs: Vec<u8>,
}

/// Everything that was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) rows: u64,
    pub(super) chains: u64,
    pub(super) pairs: u64,
    pub(super) faults: Faults,
    keys: BTreeMap<u64, Key>,
}

impl Seen {
    fn row(&mut self, row: &Value) -> Option<()> {
        let (key, seq) = (row["key"].as_u64()?, row["seq"].as_i64()?);
        let event = Event::new(key, seq);
        let before = row["before"].as_i64();
        if before.unwrap_or(0) != seq - 1 || row["value"].as_i64() != Some(event.value) {
            self.faults.mistake(format!("key {key}: row {seq} is {row}"));
        }
        let state = self.keys.entry(key).or_default();
        if seq > state.last {
            if seq > state.last + 1 {
                let gap = format!("key {key}: {seq} came after {}", state.last);
                self.faults.lose((seq - state.last - 1).unsigned_abs(), gap);
            }
            state.missing.extend(state.last + 1..seq);
            state.last = seq;
        } else if state.missing.remove(&seq) {
            self.faults.lost -= 1;
            self.faults.disordered += 1;
        } else {
            self.faults.double(format!("key {key}: {seq} came again after {}", state.last));
        }
        self.rows += 1;
        Some(())
    }

    fn chain(&mut self, row: &Value) -> Option<()> {
        let (key, rows) = (row["key"].as_u64()?, row["rows"].as_i64()?);
        let state = self.keys.entry(key).or_default();
        let (from, before) = state.chain;
        if rows <= from {
            self.faults.double(format!("key {key}: its chain went from {from} rows to {rows}"));
        }
        let marks = (from + 1..=rows).map(|seq| Event::new(key, seq).mark());
        let expected = before + marks.sum::<i64>();
        if row["total"].as_i64() != Some(expected) {
            self.faults.mistake(format!("key {key}: its chain is {row}, and not {expected}"));
        }
        if rows > from {
            state.chain = (rows, expected);
        }
        self.chains += 1;
        Some(())
    }

    fn pair(&mut self, row: &Value) -> Option<()> {
        let (key, seq) = (row["key"].as_u64()?, row["seq"].as_i64()?);
        let expected = Event::new(key, seq).joined().map(|answer| answer.score);
        if row["score"].as_i64() != expected {
            self.faults.mistake(format!("key {key}: joined {row}, and not {expected:?}"));
        }
        let pairs = &mut self.keys.entry(key).or_default().pairs;
        let at = usize::try_from(seq).ok()?;
        if pairs.len() <= at {
            pairs.resize(at + 1, 0);
        }
        pairs[at] = pairs[at].saturating_add(1);
        if pairs[at] > 1 {
            self.faults.double(format!("key {key}: {seq} was joined again"));
        }
        self.pairs += 1;
        Some(())
    }

    /// What should have come once each key has had `rounds` rows, and has not.
    fn count_lost(&mut self, rounds: i64) {
        for key in 0..KEYS {
            let state = self.keys.entry(key).or_default();
            if state.last < rounds {
                let lost =
                    format!("key {key}: {rounds} rows, the last that came is {}", state.last);
                self.faults.lose((rounds - state.last).unsigned_abs(), lost);
            }
            if state.chain.0 < rounds {
                let lost = format!("key {key}: its chain ends after {} rows", state.chain.0);
                self.faults.lose(1, lost);
            }
            for seq in 1..=rounds {
                let told = usize::try_from(seq).ok().and_then(|at| state.pairs.get(at));
                if Event::new(key, seq).is_told(rounds) && told.is_none_or(|times| *times == 0) {
                    self.faults.lose(1, format!("key {key}: {seq} never came out of the join"));
                }
            }
        }
    }
}

/// Reads the output while it is written.
pub(super) struct Follower {
    rows: Arc<AtomicU64>,
    faults: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Follower {
    /// Starts to read from the beginning, committed rows only.
    pub(super) fn start(setting: &Setting) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &setting.brokers)
            .set("group.id", "follower")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .create()
            .unwrap();
        let topics = [&setting.rows, &setting.chains, &setting.pairs].map(|t| t.name().to_owned());
        let mut partitions = TopicPartitionList::new();
        for (topic, partition) in topics.iter().flat_map(|t| (0..PARTITIONS).map(move |p| (t, p))) {
            partitions.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&partitions).unwrap();
        let (rows, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, stopped) = (Arc::clone(&rows), Arc::clone(&stop));
        let faults = Arc::new(AtomicU64::new(0));
        let found = Arc::clone(&faults);
        let read = move || {
            let mut seen = Seen::default();
            loop {
                let is_last = stopped.load(Ordering::Acquire);
                match consumer.poll(if is_last { QUIET } else { Duration::from_millis(100) }) {
                    None if is_last => return seen,
                    None => {}
                    // A broker that restarts is an error that passes.
                    Some(Err(error)) => eprintln!("the reader of the output: {error}"),
                    Some(Ok(message)) => {
                        let row = serde_json::from_slice(message.payload().unwrap_or_default());
                        let row = row.unwrap_or(Value::Null);
                        let known = match topics.iter().position(|t| t == message.topic()) {
                            Some(0) => seen.row(&row),
                            Some(1) => seen.chain(&row),
                            _ => seen.pair(&row),
                        };
                        if known.is_none() {
                            seen.faults.mistake(format!("a strange row: {row}"));
                        }
                        count.store(seen.rows, Ordering::Release);
                        found.store(seen.faults.count(), Ordering::Release);
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("follower".into()).spawn(read).unwrap();
        Self { rows, faults, stop, thread }
    }

    /// Events that were seen so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Acquire)
    }

    /// What was wrong so far.
    pub(super) fn faults(&self) -> u64 {
        self.faults.load(Ordering::Acquire)
    }

    /// Reads what is left once everything is committed, and looks for what should be there.
    pub(super) fn end(self, rounds: i64) -> Seen {
        self.stop.store(true, Ordering::Release);
        let mut seen = self.thread.join().unwrap();
        seen.count_lost(rounds);
        seen
    }
}
