//! Series of a `lookup` node beside those that every operator has.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts};
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::{Error, Result};

/// From a store in the same machine to one that takes its time.
const SECONDS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// The series of one node, shared by its instances.
#[derive(Default)]
pub(crate) struct LookupMetrics(Mutex<Option<Series>>);

/// Handles of the series.
#[derive(Clone)]
pub(super) struct Series {
    rows: IntCounterVec,
    seconds: Histogram,
}

fn bug(error: prometheus::Error) -> Error {
    Error::bug("register the metrics of a lookup").with_source(error)
}

impl LookupMetrics {
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
        for family in
            [Box::new(series.rows.clone()) as Box<dyn Collector>, Box::new(series.seconds.clone())]
        {
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
        let rows = Opts::new(
            "swiftwater_lookup_rows_total",
            "Rows of a lookup: found, missing, and cached (of both, those answered from the cache); error counts failed calls.",
        );
        let seconds = HistogramOpts::new(
            "swiftwater_lookup_seconds",
            "Time of a call for the keys of one batch that were not in the cache.",
        );
        let seconds = seconds.const_label("node", node).buckets(SECONDS.to_vec());
        Ok(Self {
            rows: IntCounterVec::new(rows.const_label("node", node), &["outcome"]).map_err(bug)?,
            seconds: Histogram::with_opts(seconds).map_err(bug)?,
        })
    }

    pub(super) fn count(&self, outcome: &str, rows: usize) {
        self.rows.with_label_values(&[outcome]).inc_by(rows as u64);
    }

    pub(super) fn took(&self, time: Duration) {
        self.seconds.observe(time.as_secs_f64());
    }
}
