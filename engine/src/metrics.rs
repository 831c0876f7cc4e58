//! Every series the engine exports. Kinds get the standard ones free: the engine feeds them.
//!
//! Base units, `_total` on counters, histograms that can be aggregated; labels are the topology and
//! the node, and a port, partition or reason where that is the point. Never a key.

mod histogram;
mod node;

pub use histogram::WeightedHistogram;
pub use node::{EdgeMetrics, NodeMetrics, SinkMetrics, SourceMetrics, State};

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use prometheus::core::Collector;
use prometheus::proto::{Metric, MetricFamily};
use prometheus::{
    CounterVec, Gauge, GaugeVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
};
use swiftwater_config::SecretValues;

use crate::error::{Error, Result};

/// All families of one topology, filed with a registry of its own.
pub struct Metrics {
    registry: Registry,
    pub(crate) operator_seconds: CounterVec,
    pub(crate) rows: IntCounterVec,
    pub(crate) batches: IntCounterVec,
    pub(crate) bytes: IntCounterVec,
    pub(crate) edge_rows: IntGaugeVec,
    pub(crate) edge_bytes: IntGaugeVec,
    pub(crate) edge_capacity: IntGaugeVec,
    pub(crate) edge_blocked: CounterVec,
    pub(crate) edge_wait: histogram::HistogramVec,
    pub(crate) e2e_latency: histogram::HistogramVec,
    pub(crate) ingest_to_ack: histogram::HistogramVec,
    pub(crate) event_lag: histogram::HistogramVec,
    pub(crate) watermark_lag: GaugeVec,
    pub(crate) lag_records: IntGaugeVec,
    pub(crate) backlog_seconds: GaugeVec,
    pub(crate) stalled: IntGaugeVec,
    pub(crate) rebalances: IntCounterVec,
    pub(crate) late_rows: IntCounterVec,
    pub(crate) dropped_rows: IntCounterVec,
    pub(crate) rule_breaches: IntCounterVec,
    pub(crate) dead_letters: IntCounterVec,
    pub(crate) retries: IntCounterVec,
    pub(crate) unacknowledged_rows: IntGaugeVec,
    /// Time from a barrier's injection to the commit of its epoch.
    pub epoch_seconds: Arc<WeightedHistogram>,
    /// Time since the newest committed epoch's barrier was injected.
    pub epoch_age_seconds: Gauge,
    /// Times the topology went on from its last commit without a new process.
    pub recoveries: IntCounter,
    /// Bytes of state written for epochs.
    pub epoch_bytes: IntCounter,
    /// Bytes of memory that the state of a node takes.
    pub state_bytes: IntGaugeVec,
    /// Bytes of the local disk that the state of a node takes.
    pub state_spilled_bytes: IntGaugeVec,
    /// Bytes of the budget by part: `budget`, `prefetch`, `edges`, `sinks`, `rss`.
    pub memory_bytes: IntGaugeVec,
    secrets: OnceLock<SecretValues>,
}

/// Labels that name parts of the topology or are numbers: no secret comes into them.
const NAMES: [&str; 6] = ["topology", "node", "sink", "edge", "partition", "le"];

/// Files families with a registry and remembers the first failure.
struct Filing {
    registry: Registry,
    failure: Option<prometheus::Error>,
}

impl Filing {
    fn keep<C: Collector + Clone + 'static>(&mut self, made: prometheus::Result<C>) -> Option<C> {
        let filed = made.and_then(|c| self.registry.register(Box::new(c.clone())).map(|()| c));
        match filed {
            Ok(collector) => Some(collector),
            Err(error) => {
                self.failure.get_or_insert(error);
                None
            }
        }
    }

    fn counters(&mut self, name: &str, help: &str, labels: &[&str]) -> Option<IntCounterVec> {
        self.keep(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn seconds(&mut self, name: &str, help: &str, labels: &[&str]) -> Option<CounterVec> {
        self.keep(CounterVec::new(Opts::new(name, help), labels))
    }

    fn gauges(&mut self, name: &str, help: &str, labels: &[&str]) -> Option<IntGaugeVec> {
        self.keep(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn readings(&mut self, name: &str, help: &str, labels: &[&str]) -> Option<GaugeVec> {
        self.keep(GaugeVec::new(Opts::new(name, help), labels))
    }

    fn histograms(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
    ) -> Option<histogram::HistogramVec> {
        self.keep(histogram::HistogramVec::new(name, help, label))
    }
}

impl Metrics {
    /// Families of one topology; every series carries its name in the label `topology`.
    ///
    /// # Errors
    /// `Bug` where two families collide.
    pub fn new(topology: &str) -> Result<Arc<Self>> {
        let labels = HashMap::from([("topology".to_owned(), topology.to_owned())]);
        let registry = Registry::new_custom(None, Some(labels)).map_err(bug)?;
        let mut filing = Filing { registry: registry.clone(), failure: None };
        match Self::file(&mut filing, registry) {
            Some(metrics) => Ok(Arc::new(metrics)),
            None => Err(filing.failure.map_or_else(|| Error::bug("register metrics"), bug)),
        }
    }

    fn file(f: &mut Filing, registry: Registry) -> Option<Self> {
        Some(Self {
            registry,
            operator_seconds: f.seconds(
                "swiftwater_operator_seconds_total",
                "Thread time of a node by state: busy, backpressured (waiting for a full edge) or idle (waiting for rows).",
                &["node", "state"],
            )?,
            rows: f.counters("swiftwater_rows_total", "Rows by direction: in or out.", &["node", "direction"])?,
            batches: f.counters("swiftwater_batches_total", "Batches by direction: in or out.", &["node", "direction"])?,
            bytes: f.counters("swiftwater_bytes_total", "Bytes by direction; of a source in: payload bytes, else Arrow bytes.", &["node", "direction"])?,
            edge_rows: f.gauges("swiftwater_edge_rows", "Rows waiting in an edge.", &["edge"])?,
            edge_bytes: f.gauges("swiftwater_edge_bytes", "Bytes waiting in an edge.", &["edge"])?,
            edge_capacity: f.gauges("swiftwater_edge_capacity_rows", "Most rows that may wait in an edge.", &["edge"])?,
            edge_blocked: f.seconds("swiftwater_edge_blocked_seconds_total", "Time senders were parked because the edge was full: the back-pressure.", &["edge"])?,
            edge_wait: f.histograms("swiftwater_edge_wait_seconds", "Time batches waited in an edge.", "edge")?,
            e2e_latency: f.histograms("swiftwater_e2e_latency_seconds", "Kafka append to sink acknowledgement, by rows.", "sink")?,
            ingest_to_ack: f.histograms("swiftwater_ingest_to_ack_seconds", "Read by the source to sink acknowledgement, by rows.", "sink")?,
            event_lag: f.histograms("swiftwater_event_lag_seconds", "Event time to sink acknowledgement, by rows.", "sink")?,
            watermark_lag: f.readings("swiftwater_watermark_lag_seconds", "Wall clock minus watermark.", &["node"])?,
            lag_records: f.gauges("swiftwater_source_lag_records", "Records between what was read and the end of the partition.", &["node", "partition"])?,
            backlog_seconds: f.readings("swiftwater_backlog_seconds", "Lag divided by the rate of reading: the scaling signal.", &["node"])?,
            stalled: f.gauges("swiftwater_partition_stalled", "1 where a partition has lag, is not held back and has made no progress for 60 s.", &["node", "partition"])?,
            rebalances: f.counters("swiftwater_rebalances_total", "Assignments and revocations of partitions.", &["node", "event"])?,
            late_rows: f.counters("swiftwater_late_rows_total", "Rows older than the watermark.", &["node"])?,
            dropped_rows: f.counters("swiftwater_dropped_rows_total", "Rows dropped on purpose, by reason.", &["node", "reason"])?,
            rule_breaches: f.counters("swiftwater_rule_breaches_total", "Rows that broke a rule of an assert node, whatever became of them.", &["node", "rule"])?,
            dead_letters: f.counters("swiftwater_dead_letters_total", "Records set aside, by error code.", &["node", "code"])?,
            retries: f.counters("swiftwater_retries_total", "Tries of an unavailable system after the first.", &["node"])?,
            unacknowledged_rows: f.gauges("swiftwater_sink_unacknowledged_rows", "Rows a sink has taken that are not durable yet.", &["sink"])?,
            epoch_seconds: f.keep(Ok(histogram::Single::new("swiftwater_epoch_seconds", "Barrier injected to epoch committed.")))?.0,
            epoch_age_seconds: f.keep(Gauge::new("swiftwater_epoch_age_seconds", "Time since the newest committed epoch's barrier was injected."))?,
            recoveries: f.keep(IntCounter::new("swiftwater_recoveries_total", "Times the topology went on from its last commit within the process, because an epoch was aborted or its outcome unknown."))?,
            epoch_bytes: f.keep(IntCounter::new("swiftwater_epoch_bytes_total", "Bytes of state written for epochs: it follows what changed."))?,
            state_bytes: f.gauges("swiftwater_state_bytes", "Bytes of memory that the state of a node takes, at the last barrier.", &["node"])?,
            state_spilled_bytes: f.gauges("swiftwater_state_spilled_bytes", "Bytes of the local disk that the state of a node takes, at the last barrier.", &["node"])?,
            memory_bytes: f.gauges("swiftwater_memory_bytes", "Memory by part: budget, prefetch, edges and sinks are limits; rss is what the process takes.", &["part"])?,
            secrets: OnceLock::new(),
        })
    }

    /// The registry behind `/metrics`; a kind may file series of its own with it.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The text of `/metrics`.
    ///
    /// # Errors
    /// `Bug` where a family cannot be encoded.
    pub fn text(&self) -> Result<String> {
        let mut families = self.registry.gather();
        if let Some(secrets) = self.secrets.get() {
            let metrics = families.iter_mut().flat_map(MetricFamily::mut_metric);
            metrics.for_each(|metric| scrub(metric, secrets));
        }
        prometheus::TextEncoder::new().encode_to_string(&families).map_err(bug)
    }

    /// Names the values that no text may show which leaves the engine: labels that quote the file
    /// (such as a rule of `assert`), errors, states of nodes, messages of dead letters. To be called
    /// before the topology starts; only the first call counts.
    pub fn hide(&self, secrets: &SecretValues) {
        self.secrets.get_or_init(|| secrets.clone());
    }

    /// The values that no text may show.
    pub(crate) fn secrets(&self) -> SecretValues {
        self.secrets.get().cloned().unwrap_or_default()
    }
}

fn scrub(metric: &mut Metric, secrets: &SecretValues) {
    let mut labels = metric.take_label();
    for label in labels.iter_mut().filter(|label| !NAMES.contains(&label.name())) {
        label.set_value(secrets.scrub(label.value()));
    }
    metric.set_label(labels);
}

fn bug(error: prometheus::Error) -> Error {
    Error::bug("register metrics").with_source(error)
}
