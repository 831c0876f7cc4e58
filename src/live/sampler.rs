//! Takes a snapshot of the metrics at regular moments and shares it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use swiftwater_engine::memory::resident_bytes;
use swiftwater_engine::metrics::{Metrics, NodeMetrics, SinkMetrics, WeightedHistogram};
use swiftwater_engine::plan::{Plan, Planned};

use super::series::Series;
use super::{EdgeFill, NodeRates, Quantiles, Snapshot};

/// Latencies are those of this many moments: one second alone is empty too often.
const WINDOW: usize = 10;

/// The newest snapshot, for whoever asks.
#[derive(Clone, Default)]
pub(crate) struct Live(Arc<RwLock<Snapshot>>);

impl Live {
    /// The newest snapshot.
    pub(crate) fn get(&self) -> Snapshot {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, snapshot: Snapshot) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}

/// Counts of a latency histogram at earlier moments.
struct Window {
    histogram: Arc<WeightedHistogram>,
    earlier: VecDeque<Vec<u64>>,
}

impl Window {
    fn new(histogram: &Arc<WeightedHistogram>) -> Self {
        Self { histogram: Arc::clone(histogram), earlier: VecDeque::from([histogram.snapshot()]) }
    }

    fn quantiles(&mut self) -> Option<Quantiles> {
        let oldest = self.earlier.front()?;
        let quantiles = Option::zip(
            self.histogram.quantile_since(0.5, oldest),
            self.histogram.quantile_since(0.99, oldest),
        );
        self.earlier.push_back(self.histogram.snapshot());
        if self.earlier.len() > WINDOW {
            self.earlier.pop_front();
        }
        quantiles.map(|(p50, p99)| Quantiles { p50, p99 })
    }
}

/// One node as it was at the last moment.
struct Probe {
    metrics: Arc<NodeMetrics>,
    /// Number of threads that run the node.
    threads: f64,
    e2e: Option<Window>,
    ingest: Option<Window>,
    rows: [u64; 2],
    seconds: [f64; 3],
}

/// Takes the snapshots.
pub(crate) struct Sampler {
    metrics: Arc<Metrics>,
    probes: Vec<Probe>,
    last: Instant,
    live: Live,
}

impl Sampler {
    /// Watches every node of `plan`.
    pub(crate) fn new(plan: &Plan, metrics: &Arc<Metrics>) -> Self {
        let probe = |node: &swiftwater_engine::plan::PlannedNode| {
            let is_sink = matches!(node.planned, Planned::Sink(_));
            let sink = is_sink.then(|| SinkMetrics::new(metrics, node.name()));
            Probe {
                metrics: NodeMetrics::new(metrics, node.name()),
                threads: f64::from(u32::try_from(node.parallelism.max(1)).unwrap_or(u32::MAX)),
                e2e: sink.as_ref().map(|s| Window::new(&s.e2e_latency)),
                ingest: sink.as_ref().map(|s| Window::new(&s.ingest_to_ack)),
                rows: [0; 2],
                seconds: [0.0; 3],
            }
        };
        Self {
            metrics: Arc::clone(metrics),
            probes: plan.nodes.iter().map(probe).collect(),
            last: Instant::now(),
            live: Live::default(),
        }
    }

    /// Where the snapshots can be read.
    pub(crate) fn live(&self) -> Live {
        self.live.clone()
    }

    /// Takes a snapshot of what happened since the last one.
    pub(crate) fn sample(&mut self) -> Snapshot {
        let now = Instant::now();
        let elapsed = now.duration_since(self.last).max(Duration::from_millis(1));
        self.last = now;
        let series = Series::of(self.metrics.registry());
        let by_node = |family: &str| series.sums(family, "node");
        let counts = Counts {
            lag: by_node("swiftwater_source_lag_records"),
            dead_letters: by_node("swiftwater_dead_letters_total"),
            dropped: by_node("swiftwater_dropped_rows_total"),
            retries: by_node("swiftwater_retries_total"),
            late: by_node("swiftwater_late_rows_total"),
            watermark_lag: by_node("swiftwater_watermark_lag_seconds"),
            state: by_node("swiftwater_state_bytes"),
            spilled: by_node("swiftwater_state_spilled_bytes"),
        };
        let rates = |probe: &mut Probe| probe.rates(elapsed.as_secs_f64(), &counts);
        let snapshot = Snapshot {
            nodes: self.probes.iter_mut().map(rates).collect(),
            edges: edges(&series),
            epoch_age_seconds: series.single("swiftwater_epoch_age_seconds").unwrap_or_default(),
            resident_bytes: resident_bytes(),
        };
        self.live.set(snapshot.clone());
        snapshot
    }
}

/// Sums by node.
struct Counts {
    lag: BTreeMap<String, f64>,
    dead_letters: BTreeMap<String, f64>,
    dropped: BTreeMap<String, f64>,
    retries: BTreeMap<String, f64>,
    late: BTreeMap<String, f64>,
    watermark_lag: BTreeMap<String, f64>,
    state: BTreeMap<String, f64>,
    spilled: BTreeMap<String, f64>,
}

impl Probe {
    fn rates(&mut self, elapsed: f64, counts: &Counts) -> NodeRates {
        let node = self.metrics.node();
        let (rows, seconds) = (self.metrics.rows(), self.metrics.seconds());
        let available = elapsed * self.threads;
        let [busy, backpressured, _] =
            spent(&seconds, &self.seconds).map(|s| (s / available).min(1.0));
        let ([rows_in, rows_out], [in_before, out_before]) = (rows, self.rows);
        let count = |of: &BTreeMap<String, f64>| of.get(node).copied().map(whole);
        let rates = NodeRates {
            node: node.to_owned(),
            rows_in,
            rows_out,
            rows_in_per_second: per_second(rows_in, in_before, elapsed),
            rows_out_per_second: per_second(rows_out, out_before, elapsed),
            busy,
            backpressured,
            lag_records: count(&counts.lag),
            e2e_latency_seconds: self.e2e.as_mut().and_then(Window::quantiles),
            ingest_to_ack_seconds: self.ingest.as_mut().and_then(Window::quantiles),
            dead_letters: count(&counts.dead_letters).unwrap_or_default(),
            dropped_rows: count(&counts.dropped).unwrap_or_default(),
            retries: count(&counts.retries).unwrap_or_default(),
            late_rows: count(&counts.late).unwrap_or_default(),
            watermark_lag_seconds: counts.watermark_lag.get(node).copied(),
            state_bytes: count(&counts.state),
            state_spilled_bytes: count(&counts.spilled),
        };
        (self.rows, self.seconds) = (rows, seconds);
        rates
    }
}

fn spent(now: &[f64; 3], before: &[f64; 3]) -> [f64; 3] {
    let mut spent = *now;
    for (spent, before) in spent.iter_mut().zip(before) {
        *spent = (*spent - before).max(0.0);
    }
    spent
}

#[expect(clippy::cast_precision_loss, reason = "rows of one second are far below 2^52")]
fn per_second(now: u64, before: u64, elapsed: f64) -> f64 {
    now.saturating_sub(before) as f64 / elapsed
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count that prometheus keeps as a double"
)]
fn whole(count: f64) -> u64 {
    count.max(0.0) as u64
}

fn edges(series: &Series) -> Vec<EdgeFill> {
    let of = |family: &str| series.sums(family, "edge");
    let (rows, bytes) = (of("swiftwater_edge_rows"), of("swiftwater_edge_bytes"));
    let fill = |(edge, capacity): (String, f64)| EdgeFill {
        rows: rows.get(&edge).copied().map_or(0, whole),
        bytes: bytes.get(&edge).copied().map_or(0, whole),
        capacity_rows: whole(capacity),
        edge,
    };
    of("swiftwater_edge_capacity_rows").into_iter().map(fill).collect()
}
