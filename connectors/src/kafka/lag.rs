//! From librdkafka's statistics to the source's metrics: lag, backlog, and partitions that stand
//! still although they have something to read and nothing holds them back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use swiftwater_engine::metrics::SourceMetrics;

use super::assignment::{Assignment, Partition};

/// A partition that stands still for so long is told.
const STALLED_AFTER: Duration = Duration::from_secs(60);
/// Weight of the newest interval in the rate of reading.
const NEWEST: f64 = 0.3;

#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    topics: HashMap<String, Topic>,
}

#[derive(Deserialize)]
struct Topic {
    #[serde(default)]
    partitions: HashMap<String, Fetched>,
}

/// What librdkafka knows of a partition.
#[derive(Deserialize)]
struct Fetched {
    fetch_state: String,
    /// The application's position; unlike ours it moves over markers of transactions.
    app_offset: i64,
    /// End of the log at which the client last arrived.
    eof_offset: i64,
    hi_offset: i64,
    ls_offset: i64,
    /// Messages that were fetched and wait to be taken.
    #[serde(default)]
    fetchq_cnt: i64,
}

/// Seconds of backlog of all instances of a node: the slowest counts.
#[derive(Default)]
pub(crate) struct Backlog(Mutex<HashMap<usize, f64>>);

impl Backlog {
    fn report(&self, instance: usize, seconds: f64) -> f64 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(instance, seconds);
        all.values().copied().fold(0.0, f64::max)
    }
}

/// How long a partition has stood where it stands.
struct Watch {
    next: i64,
    since: Instant,
    emptied: u64,
    stalled: bool,
    /// The client had fetched everything before the end already the last time.
    passed: bool,
    /// The client had fetched everything there is already the last time.
    drained: bool,
}

/// Follows the partitions of one instance.
pub(super) struct Lag {
    node: String,
    instance: usize,
    read_committed: bool,
    metrics: Arc<SourceMetrics>,
    backlog: Arc<Backlog>,
    watches: HashMap<String, Watch>,
    rate: f64,
    last: Instant,
}

impl Lag {
    pub(super) fn new(
        node: &str,
        instance: usize,
        read_committed: bool,
        metrics: Arc<SourceMetrics>,
        backlog: Arc<Backlog>,
    ) -> Self {
        Self {
            node: node.to_owned(),
            instance,
            read_committed,
            metrics,
            backlog,
            watches: HashMap::new(),
            rate: 0.0,
            last: Instant::now(),
        }
    }

    /// Forgets a partition that went.
    pub(super) fn forget(&mut self, label: &str) {
        self.watches.remove(label);
        self.metrics.forget(label);
    }

    /// Takes new statistics into account.
    pub(super) fn update(&mut self, statistics: &[u8], assignment: &Assignment) {
        self.update_at(statistics, assignment, Instant::now());
    }

    fn update_at(&mut self, statistics: &[u8], assignment: &Assignment, now: Instant) {
        let Ok(statistics) = serde_json::from_slice::<Statistics>(statistics) else {
            tracing::debug!(node = self.node.as_str(), "statistics that are not understood");
            return;
        };
        let owned: Vec<Arc<Partition>> = assignment.lock().values().map(Arc::clone).collect();
        let (mut lag, mut read) = (0, 0);
        for partition in owned {
            let topic = statistics.topics.get(partition.topic.as_ref());
            let number = partition.number.to_string();
            let Some(fetched) = topic.and_then(|t| t.partitions.get(&number)) else {
                continue;
            };
            let (behind, moved) = self.follow(&partition, fetched, assignment.times_emptied(), now);
            lag += behind;
            read += moved;
        }
        self.show_backlog(lag, read, now);
    }

    /// Returns the partition's lag and how many offsets were read since the last time.
    fn follow(
        &mut self,
        p: &Partition,
        fetched: &Fetched,
        emptied: u64,
        now: Instant,
    ) -> (i64, i64) {
        let next = p.next();
        let log_end = if self.read_committed { fetched.ls_offset } else { fetched.hi_offset };
        // Before the first answer to a fetch the end is not known.
        let behind = (log_end.min(p.end) - next.max(fetched.app_offset)).max(0);
        if log_end >= 0 {
            self.metrics.lag(&p.label, behind);
        }
        let fresh =
            Watch { next, since: now, emptied, stalled: false, passed: false, drained: false };
        let watch = self.watches.entry(p.label.to_string()).or_insert(fresh);
        let moved = (next - watch.next).max(0);
        // A rebalance makes the client fetch again what it held: once is not enough to believe it.
        let passed = fetched.eof_offset >= p.end && fetched.fetch_state == "active" && moved == 0;
        p.set_passed(passed && watch.passed);
        watch.passed = passed;
        let drained = fetched.eof_offset >= log_end.max(0)
            && fetched.fetchq_cnt == 0
            && fetched.fetch_state == "active"
            && moved == 0;
        if drained && watch.drained {
            p.drained_to(fetched.eof_offset);
        }
        watch.drained = drained;
        // No lag, a step forward or a reader that never ran dry: not the partition's fault.
        if behind == 0 || next != watch.next || emptied == watch.emptied {
            (watch.next, watch.since) = (next, now);
        }
        watch.emptied = emptied;
        let stalled = now.duration_since(watch.since) >= STALLED_AFTER;
        if stalled && !watch.stalled {
            tracing::warn!(
                node = self.node.as_str(),
                partition = p.label.as_ref(),
                offset = next,
                lag = behind,
                "partition stands still"
            );
        }
        watch.stalled = stalled;
        self.metrics.stalled(&p.label, stalled);
        (behind, moved)
    }

    #[expect(clippy::cast_precision_loss, reason = "a metric")]
    fn show_backlog(&mut self, lag: i64, read: i64, now: Instant) {
        let elapsed = now.duration_since(self.last).as_secs_f64().max(1e-3);
        self.last = now;
        if read > 0 {
            let newest = read as f64 / elapsed;
            self.rate =
                if self.rate > 0.0 { self.rate * (1.0 - NEWEST) + newest * NEWEST } else { newest };
        }
        // Where nothing was ever read, one row a second is a rate as good as any.
        let seconds = if lag == 0 { 0.0 } else { lag as f64 / self.rate.max(1.0) };
        self.metrics.backlog_seconds(self.backlog.report(self.instance, seconds));
    }
}

#[cfg(test)]
mod tests {
    use swiftwater_engine::metrics::Metrics;

    use super::*;

    /// One partition, and what is said of it second by second.
    struct Scene {
        lag: Lag,
        metrics: Arc<Metrics>,
        assignment: Assignment,
        partition: Arc<Partition>,
        start: Instant,
    }

    impl Scene {
        fn new() -> Self {
            let metrics = Metrics::new("t").unwrap();
            let source = SourceMetrics::new(&metrics, "bids");
            let assignment = Assignment::default();
            let partition = Arc::new(Partition::new("bids".into(), 0, 0, -1, i64::MAX));
            assignment.lock().insert(partition.label.to_string(), Arc::clone(&partition));
            let lag = Lag::new("bids", 0, true, source, Arc::default());
            Self { lag, metrics, assignment, partition, start: Instant::now() }
        }

        /// Statistics of a log that ends at 100; the reader found its queue empty or was held back.
        fn at(&mut self, second: u64, ran_dry: bool) -> (i64, bool) {
            if ran_dry {
                self.assignment.emptied();
            }
            let fetched = serde_json::json!({
                "fetch_state": "active", "app_offset": self.partition.next(), "eof_offset": -1001,
                "hi_offset": 100, "ls_offset": 100, "fetchq_cnt": 0,
            });
            let topics = serde_json::json!({"topics": {"bids": {"partitions": {"0": fetched}}}});
            let now = self.start + Duration::from_secs(second);
            self.lag.update_at(topics.to_string().as_bytes(), &self.assignment, now);
            let text = self.metrics.text().unwrap();
            let value = |name: &str| {
                let line = text.lines().find(|line| line.starts_with(name)).unwrap();
                line.rsplit(' ').next().unwrap().parse::<i64>().unwrap()
            };
            let stalled = value("swiftwater_partition_stalled{");
            (value("swiftwater_source_lag_records{"), stalled == 1)
        }
    }

    #[test]
    fn a_partition_that_stands_still_for_a_minute_is_told_until_it_moves() {
        let mut scene = Scene::new();
        assert_eq!(scene.at(0, true), (100, false));
        assert_eq!(scene.at(59, true), (100, false));
        assert_eq!(scene.at(60, true), (100, true));
        assert_eq!(scene.at(200, true), (100, true));
        scene.partition.hand_over(9);
        assert_eq!(scene.at(201, true), (90, false));
        assert_eq!(scene.at(260, true), (90, false));
        assert_eq!(scene.at(261, true), (90, true));
    }

    #[test]
    fn a_reader_that_is_held_back_and_a_partition_without_lag_do_not_stand_still() {
        let mut held_back = Scene::new();
        for minute in 0..5 {
            assert_eq!(held_back.at(minute * 60, false), (100, false));
        }
        let mut idle = Scene::new();
        idle.partition.hand_over(99);
        for minute in 0..5 {
            assert_eq!(idle.at(minute * 60, true), (0, false));
        }
    }
}
