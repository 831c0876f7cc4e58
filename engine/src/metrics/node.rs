//! Handles that a task, an edge or a connector feeds, with their labels already bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus::{Counter, Gauge, IntCounter, IntGauge};

use super::{Metrics, WeightedHistogram};
use crate::batch::{Batch, Readings};
use crate::clock::Timestamp;

/// What the thread of a node was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Working.
    Busy,
    /// Waiting for a full edge or for a slow outside system.
    Backpressured,
    /// Waiting for rows.
    Idle,
}

/// Series that every node has.
pub struct NodeMetrics {
    all: Arc<Metrics>,
    node: String,
    seconds: [Counter; 3],
    rows: [IntCounter; 2],
    batches: [IntCounter; 2],
    bytes: [IntCounter; 2],
    watermark_lag: Gauge,
}

impl NodeMetrics {
    /// Binds the labels of `node`.
    #[must_use]
    pub fn new(all: &Arc<Metrics>, node: &str) -> Arc<Self> {
        let seconds = ["busy", "backpressured", "idle"];
        let directions = ["in", "out"];
        Arc::new(Self {
            all: Arc::clone(all),
            node: node.to_owned(),
            seconds: seconds.map(|s| all.operator_seconds.with_label_values(&[node, s])),
            rows: directions.map(|d| all.rows.with_label_values(&[node, d])),
            batches: directions.map(|d| all.batches.with_label_values(&[node, d])),
            bytes: directions.map(|d| all.bytes.with_label_values(&[node, d])),
            watermark_lag: all.watermark_lag.with_label_values(&[node]),
        })
    }

    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// All families, for series of the kind's own.
    #[must_use]
    pub const fn all(&self) -> &Arc<Metrics> {
        &self.all
    }

    /// Adds time to one state.
    pub fn spent(&self, state: State, time: Duration) {
        let [busy, backpressured, idle] = &self.seconds;
        let counter = match state {
            State::Busy => busy,
            State::Backpressured => backpressured,
            State::Idle => idle,
        };
        counter.inc_by(time.as_secs_f64());
    }

    /// Seconds spent busy, backpressured and idle so far.
    #[must_use]
    pub fn seconds(&self) -> [f64; 3] {
        self.seconds.each_ref().map(Counter::get)
    }

    /// Counts rows that came in.
    pub fn received(&self, rows: usize, bytes: usize) {
        let [rows_in, _] = &self.rows;
        rows_in.inc_by(rows as u64);
        self.batches[0].inc();
        self.bytes[0].inc_by(bytes as u64);
    }

    /// Counts rows that went out.
    pub fn sent(&self, batch: &Batch) {
        let [_, rows_out] = &self.rows;
        rows_out.inc_by(batch.rows() as u64);
        self.batches[1].inc();
        self.bytes[1].inc_by(batch.bytes() as u64);
    }

    /// Rows in and out so far.
    #[must_use]
    pub fn rows(&self) -> [u64; 2] {
        self.rows.each_ref().map(IntCounter::get)
    }

    /// Says how far the node's watermark is behind `now`.
    pub fn watermark(&self, watermark: Timestamp, now: Timestamp) {
        self.watermark_lag.set(now.seconds_since(watermark));
    }

    /// Counts rows dropped on purpose.
    pub fn dropped(&self, reason: &str, rows: usize) {
        self.all.dropped_rows.with_label_values(&[self.node.as_str(), reason]).inc_by(rows as u64);
    }

    /// Counts rows that broke a rule of an `assert` node.
    pub fn breached(&self, rule: &str, rows: usize) {
        self.all.rule_breaches.with_label_values(&[self.node.as_str(), rule]).inc_by(rows as u64);
    }

    /// Counts rows older than the watermark.
    pub fn late(&self, rows: usize) {
        self.all.late_rows.with_label_values(&[self.node.as_str()]).inc_by(rows as u64);
    }

    /// Counts one record set aside.
    pub fn dead_letter(&self, code: &str) {
        self.all.dead_letters.with_label_values(&[self.node.as_str(), code]).inc();
    }

    /// Counts one further try of an unavailable system.
    pub fn retried(&self) {
        self.all.retries.with_label_values(&[self.node.as_str()]).inc();
    }
}

/// Series that a source feeds itself.
pub struct SourceMetrics {
    all: Arc<Metrics>,
    node: String,
    backlog: Gauge,
    waited_micros: AtomicU64,
}

impl SourceMetrics {
    /// Binds the labels of `node`.
    #[must_use]
    pub fn new(all: &Arc<Metrics>, node: &str) -> Arc<Self> {
        let backlog = all.backlog_seconds.with_label_values(&[node]);
        Arc::new(Self {
            all: Arc::clone(all),
            node: node.to_owned(),
            backlog,
            waited_micros: AtomicU64::new(0),
        })
    }

    /// Records between the read position and the end of one partition (`topic/0`).
    pub fn lag(&self, partition: &str, records: i64) {
        self.all.lag_records.with_label_values(&[self.node.as_str(), partition]).set(records);
    }

    /// Lag divided by the rate of reading.
    pub fn backlog_seconds(&self, seconds: f64) {
        self.backlog.set(seconds);
    }

    /// Whether a partition has lag and makes no progress.
    pub fn stalled(&self, partition: &str, stalled: bool) {
        let series = self.all.stalled.with_label_values(&[self.node.as_str(), partition]);
        series.set(i64::from(stalled));
    }

    /// Forgets the series of a partition that was taken away.
    pub fn forget(&self, partition: &str) {
        let labels = [self.node.as_str(), partition];
        // Removing a series that was never made is not an error worth telling.
        self.all.lag_records.remove_label_values(&labels).ok();
        self.all.stalled.remove_label_values(&labels).ok();
    }

    /// Time that a call of `Source::poll` spent waiting for the first row: it counts as idle, the
    /// rest of the call as busy.
    pub fn waited(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.waited_micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) fn take_waited(&self) -> Duration {
        Duration::from_micros(self.waited_micros.swap(0, Ordering::Relaxed))
    }

    /// Counts an assignment (`assigned`), a revocation (`revoked`) or a loss (`lost`).
    pub fn rebalanced(&self, event: &str) {
        self.all.rebalances.with_label_values(&[self.node.as_str(), event]).inc();
    }

    /// All families, for series of the kind's own.
    #[must_use]
    pub const fn all(&self) -> &Arc<Metrics> {
        &self.all
    }
}

/// Series that every sink has.
pub struct SinkMetrics {
    all: Arc<Metrics>,
    /// Kafka append to acknowledgement.
    pub e2e_latency: Arc<WeightedHistogram>,
    /// Source read to acknowledgement.
    pub ingest_to_ack: Arc<WeightedHistogram>,
    /// Event time to acknowledgement.
    pub event_lag: Arc<WeightedHistogram>,
    unacknowledged: IntGauge,
}

impl SinkMetrics {
    /// Binds the labels of `sink`.
    #[must_use]
    pub fn new(all: &Arc<Metrics>, sink: &str) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::clone(all),
            e2e_latency: all.e2e_latency.with(sink),
            ingest_to_ack: all.ingest_to_ack.with(sink),
            event_lag: all.event_lag.with(sink),
            unacknowledged: all.unacknowledged_rows.with_label_values(&[sink]),
        })
    }

    /// Records the latencies of rows that became durable at `now`.
    pub fn acknowledged(&self, readings: &Readings, rows: usize, now: Timestamp) {
        let rows = rows as u64;
        let record = |histogram: &WeightedHistogram, span: crate::batch::Span| {
            histogram.observe_between(
                now.seconds_since(span.newest),
                now.seconds_since(span.oldest),
                rows,
            );
        };
        record(&self.ingest_to_ack, readings.polled);
        if let Some(appended) = readings.appended {
            record(&self.e2e_latency, appended);
        }
        if let Some(event) = readings.event {
            record(&self.event_lag, event);
        }
    }

    /// Rows taken and not durable yet.
    pub fn unacknowledged(&self, rows: usize) {
        self.unacknowledged.set(i64::try_from(rows).unwrap_or(i64::MAX));
    }

    /// All families, for series of the kind's own.
    #[must_use]
    pub const fn all(&self) -> &Arc<Metrics> {
        &self.all
    }
}

/// Series of one edge.
pub struct EdgeMetrics {
    /// Rows waiting.
    pub rows: IntGauge,
    /// Bytes waiting.
    pub bytes: IntGauge,
    /// Most rows that may wait.
    pub capacity: IntGauge,
    /// Seconds senders were parked.
    pub blocked: Counter,
    /// The same of all edges of the sending node: seconds it was backpressured.
    pub backpressured: Counter,
    /// Seconds batches waited.
    pub wait: Arc<WeightedHistogram>,
}

impl EdgeMetrics {
    /// Counts a slice of the time a sender is parked. It is counted while it passes, because an
    /// outage may park a sender for hours.
    pub fn parked(&self, slice: Duration) {
        self.blocked.inc_by(slice.as_secs_f64());
        self.backpressured.inc_by(slice.as_secs_f64());
    }

    /// Binds the label of the edge, such as `bids->serious`, and that of the node that sends, `bids`.
    #[must_use]
    pub fn new(all: &Arc<Metrics>, from: &str, edge: &str) -> Self {
        Self {
            backpressured: all.operator_seconds.with_label_values(&[from, "backpressured"]),
            rows: all.edge_rows.with_label_values(&[edge]),
            bytes: all.edge_bytes.with_label_values(&[edge]),
            capacity: all.edge_capacity.with_label_values(&[edge]),
            blocked: all.edge_blocked.with_label_values(&[edge]),
            wait: all.edge_wait.with(edge),
        }
    }
}
