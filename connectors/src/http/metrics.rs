//! Series of an `http` sink beside those that every sink has.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry};
use swiftwater_engine::{Error, Result, SinkContext};

/// From a local service to one that takes its time.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The series of one sink.
pub(super) struct HttpMetrics {
    requests: IntCounterVec,
    seconds: Histogram,
}

impl HttpMetrics {
    /// Files the series of the sink.
    ///
    /// # Errors
    /// `Bug` where another family has one of the names.
    pub(super) fn open(cx: &SinkContext) -> Result<Self> {
        let requests = Opts::new(
            "swiftwater_http_requests_total",
            "Requests by the status of their answer; timeout or unreachable where none came.",
        );
        let seconds = HistogramOpts::new(
            "swiftwater_http_request_seconds",
            "Time from sending a request to the end of its answer.",
        );
        let seconds = seconds.const_label("sink", &cx.node).buckets(SECONDS.to_vec());
        let registry = cx.metrics.all().registry();
        let requests = IntCounterVec::new(requests.const_label("sink", &cx.node), &["status"]);
        Ok(Self {
            requests: file(registry, requests.map_err(bug)?)?,
            seconds: file(registry, Histogram::with_opts(seconds).map_err(bug)?)?,
        })
    }

    /// Counts a request that was answered, or was not.
    pub(super) fn sent(&self, status: &str, took: Duration) {
        self.requests.with_label_values(&[status]).inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

fn file<C: Collector + Clone + 'static>(registry: &Registry, series: C) -> Result<C> {
    // A sink that is opened again counts anew; the first time there is nothing to take out.
    registry.unregister(Box::new(series.clone())).ok();
    registry.register(Box::new(series.clone())).map_err(bug)?;
    Ok(series)
}

fn bug(error: prometheus::Error) -> Error {
    Error::bug("register the metrics of an `http` sink").with_source(error)
}
