//! Series of sinks that write a store step by step, beside those that every sink has.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec};
use swiftwater_engine::metrics::Metrics;
use swiftwater_engine::{Error, Result};

/// From a store in the same machine to one that takes its time.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// The series of one sink.
pub(crate) struct StoreMetrics(HistogramVec);

impl StoreMetrics {
    /// Files the series of the sink.
    ///
    /// # Errors
    /// `Bug` where another family has one of the names.
    pub(crate) fn open(all: &Metrics, sink: &str) -> Result<Self> {
        let bug = |e| Error::bug("register the metrics of a store").with_source(e);
        let seconds = HistogramOpts::new(
            "swiftwater_store_seconds",
            "Time that a store took to write a batch, to stage an epoch or to finish one.",
        );
        let seconds = seconds.const_label("sink", sink).buckets(SECONDS.to_vec());
        let seconds = HistogramVec::new(seconds, &["step"]).map_err(bug)?;
        // A sink that is opened again counts anew; the first time there is nothing to take out.
        all.registry().unregister(Box::new(seconds.clone())).ok();
        all.registry().register(Box::new(seconds.clone())).map_err(bug)?;
        Ok(Self(seconds))
    }

    /// A step took so long.
    pub(crate) fn took(&self, step: &str, time: Duration) {
        self.0.with_label_values(&[step]).observe(time.as_secs_f64());
    }
}
