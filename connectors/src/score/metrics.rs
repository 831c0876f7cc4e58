//! Series of a `score` node beside those that every operator has.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts};
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::{Error, Result};

/// From a model in the same machine to one that takes its time.
const SECONDS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// From rounding to another opinion.
const DIFFERENCES: [f64; 9] = [1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.5, 1.0];

/// The series of one node, shared by its instances.
#[derive(Default)]
pub(crate) struct ScoreMetrics(Mutex<Option<Series>>);

/// Handles of the series.
#[derive(Clone)]
pub(crate) struct Series {
    rows: IntCounterVec,
    shadow: IntCounterVec,
    seconds: Histogram,
    difference: Histogram,
}

fn bug(error: prometheus::Error) -> Error {
    Error::bug("register the metrics of a score").with_source(error)
}

impl ScoreMetrics {
    /// The series, filed with the topology's by whoever comes first.
    ///
    /// # Errors
    /// `Bug` where another family has one of the names.
    pub(super) fn open(&self, node: &NodeMetrics) -> Result<Series> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let series = match known.take() {
            Some(series) => series,
            None => Series::new(node.node())?,
        };
        let registry = node.all().registry();
        let families: [Box<dyn Collector>; 4] = [
            Box::new(series.rows.clone()),
            Box::new(series.shadow.clone()),
            Box::new(series.seconds.clone()),
            Box::new(series.difference.clone()),
        ];
        for family in families {
            match registry.register(family) {
                // Another instance has filed it.
                Ok(()) | Err(prometheus::Error::AlreadyReg) => {}
                Err(error) => return Err(bug(error)),
            }
        }
        Ok(known.insert(series).clone())
    }
}

impl Series {
    fn new(node: &str) -> Result<Self> {
        let counters = |name: &str, help: &str, label: &str| {
            let of = Opts::new(name, help).const_label("node", node);
            IntCounterVec::new(of, &[label]).map_err(bug)
        };
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            let of = HistogramOpts::new(name, help).const_label("node", node);
            Histogram::with_opts(of.buckets(buckets.to_vec())).map_err(bug)
        };
        Ok(Self {
            rows: counters(
                "swiftwater_score_rows_total",
                "Rows of a score: scored, canary (of those, by the canary), unsendable (null, NaN or infinity in an input) and failed.",
                "outcome",
            )?,
            shadow: counters(
                "swiftwater_score_shadow_rows_total",
                "Rows that the shadow model was asked for: equal, different, failed, and skipped (it was too slow).",
                "outcome",
            )?,
            seconds: histogram(
                "swiftwater_score_seconds",
                "Time until all rows of a batch were scored, retries included.",
                &SECONDS,
            )?,
            difference: histogram(
                "swiftwater_score_shadow_difference",
                "How far outputs of the shadow are from the model's, where both are numbers.",
                &DIFFERENCES,
            )?,
        })
    }

    pub(super) fn count(&self, outcome: &str, rows: usize) {
        self.rows.with_label_values(&[outcome]).inc_by(rows as u64);
    }

    pub(super) fn shadow(&self, outcome: &str, rows: usize) {
        self.shadow.with_label_values(&[outcome]).inc_by(rows as u64);
    }

    pub(super) fn took(&self, time: Duration) {
        self.seconds.observe(time.as_secs_f64());
    }

    pub(super) fn differs_by(&self, difference: f64) {
        self.difference.observe(difference);
    }
}
