//! The independent checker: a read-committed reader of the output topic that is there all the time,
//! and the windows computed by hand.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use super::{KEYS, PARTITIONS, STEP, WINDOW};

/// What the reader saw by the end.
#[derive(Debug, Default, Clone)]
pub(super) struct Seen {
    pub(super) rows: u64,
    /// What was wrong, in words; the reader goes on after the first.
    pub(super) faults: Vec<String>,
}

/// Reads the output while it is written.
pub(super) struct Follower {
    rows: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
}

/// Checks one row against those of its key before it: at every moment a prefix without a gap.
fn check(row: &Value, last: &mut BTreeMap<i64, i64>, faults: &mut Vec<String>) {
    let number = |name: &str| row[name].as_i64();
    let (Some(key), Some(seq)) = (number("key"), number("seq")) else {
        faults.push(format!("a strange row: {row}"));
        return;
    };
    let before = last.insert(key, seq).unwrap_or(0);
    if seq != before + 1 {
        faults.push(format!("key {key}: {seq} came after {before}"));
    }
    if number("before").unwrap_or(0) != seq - 1 {
        faults.push(format!("key {key}: the state of {seq} was {}", row["before"]));
    }
}

impl Follower {
    /// Starts to read a topic from its beginning, committed rows only.
    pub(super) fn start(brokers: &str, topic: &str) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "follower")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut partitions = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            partitions.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&partitions).unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let (rows, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, stopped, noted) = (Arc::clone(&rows), Arc::clone(&stop), Arc::clone(&seen));
        let read = move || {
            let mut last = BTreeMap::new();
            let mut here = Seen::default();
            while !stopped.load(Ordering::Acquire) {
                let Some(message) = consumer.poll(Duration::from_millis(100)) else {
                    continue;
                };
                let Ok(message) = message else {
                    continue;
                };
                let row = serde_json::from_slice(message.payload().unwrap_or_default());
                check(&row.unwrap_or(Value::Null), &mut last, &mut here.faults);
                here.rows += 1;
                if here.rows.is_multiple_of(64) || !here.faults.is_empty() {
                    *noted.lock().unwrap() = here.clone();
                }
                count.store(here.rows, Ordering::Release);
            }
            *noted.lock().unwrap() = here;
        };
        let thread = std::thread::Builder::new().name("follower".into()).spawn(read).unwrap();
        Self { rows, stop, seen, thread: Some(thread) }
    }

    /// Waits for `rows` rows and a moment more, in which none may come.
    pub(super) fn wait(mut self, rows: u64, limit: Duration) -> Seen {
        let started = Instant::now();
        while self.rows.load(Ordering::Acquire) < rows && started.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_secs(1));
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        self.seen.lock().unwrap().clone()
    }

    /// The same, and everything must be right.
    pub(super) fn wait_for(self, rows: u64, limit: Duration, log: impl FnOnce() -> String) -> Seen {
        let seen = self.wait(rows, limit);
        let first: Vec<_> = seen.faults.iter().take(5).collect();
        assert!(first.is_empty(), "{} faults, the first: {first:#?}", seen.faults.len());
        assert_eq!(seen.rows, rows, "rows in the topic\n{}", log());
        seen
    }
}

/// A window: key, start, rows and sum of the values.
pub(super) type Window = (u64, u64, u64, u64);

/// Every window that is closed once each key has had `rounds` rows: rows times windows, by hand.
pub(super) fn expected_windows(rounds: u64) -> Vec<Window> {
    // The watermark: newest event less 100 ms and one.
    let watermark = (rounds * STEP).saturating_sub(101);
    let mut windows = Vec::new();
    for key in 0..KEYS {
        let mut start = 0;
        while start + WINDOW <= watermark + 1 {
            let (mut rows, mut total) = (0, 0);
            for seq in 1..=rounds {
                let at = seq * STEP;
                if at >= start && at < start + WINDOW {
                    rows += 1;
                    total += ((seq - 1) * KEYS + key).wrapping_mul(0x9e37_79b9) % 1000;
                }
            }
            windows.push((key, start, rows, total));
            start += WINDOW;
        }
    }
    windows
}

/// The windows in the files that a reader sees.
pub(super) fn read_files(directory: &Path) -> Vec<Window> {
    let mut windows = Vec::new();
    let Ok(entries) = std::fs::read_dir(directory) else {
        return windows;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(['.', '_']));
        if hidden || path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let number = |name: &str| row[name].as_u64().unwrap();
            let start = millis(&row["window_start"]);
            windows.push((number("key"), start, number("rows"), number("total")));
        }
    }
    windows
}

/// The windows in a table of PostgreSQL.
pub(super) fn read_table(url: &str, table: &str) -> Vec<Window> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let query = format!(
        "SELECT key::text, (extract(epoch FROM window_start) * 1000)::bigint::text, rows::text, \
         total::bigint::text FROM {table}"
    );
    let rows = runtime.block_on(async {
        let config: tokio_postgres::Config = url.parse().unwrap();
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let rows = client.query(&query, &[]).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
        rows
    });
    let number = |row: &tokio_postgres::Row, i: usize| row.get::<_, &str>(i).parse().unwrap();
    rows.iter().map(|r| (number(r, 0), number(r, 1), number(r, 2), number(r, 3))).collect()
}

/// A time as milliseconds, however it is written.
fn millis(value: &Value) -> u64 {
    match value {
        Value::Number(number) => number.as_u64().unwrap(),
        other => {
            let text = other.as_str().unwrap();
            let text = if text.ends_with('Z') { text.to_owned() } else { format!("{text}Z") };
            let time = chrono::DateTime::parse_from_rfc3339(&text).unwrap();
            time.timestamp_millis().cast_unsigned()
        }
    }
}
