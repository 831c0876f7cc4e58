//! Series of a `drift` node beside those that every operator has.

use std::sync::{Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{GaugeVec, IntCounterVec, Opts};
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::{Error, Result};

use super::Found;

/// The series of one node, kept while the topology goes on from its last commit.
#[derive(Default)]
pub(super) struct DriftMetrics(Mutex<Option<Series>>);

/// Handles of the series.
#[derive(Clone)]
pub(super) struct Series {
    values: GaugeVec,
    windows: IntCounterVec,
}

fn bug(error: prometheus::Error) -> Error {
    Error::bug("register the metrics of a drift").with_source(error)
}

impl DriftMetrics {
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
        let families: [Box<dyn Collector>; 2] =
            [Box::new(series.values.clone()), Box::new(series.windows.clone())];
        for family in families {
            match registry.register(family) {
                Ok(()) | Err(prometheus::Error::AlreadyReg) => {}
                Err(error) => return Err(bug(error)),
            }
        }
        Ok(known.insert(series).clone())
    }
}

impl Series {
    fn new(node: &str) -> Result<Self> {
        let labels = ["column", "metric"];
        let opts = |name: &str, help: &str| Opts::new(name, help).const_label("node", node);
        let values = opts("swiftwater_drift", "Distance of the last window from the reference.");
        let windows = opts("swiftwater_drift_windows_total", "Windows that drifted.");
        Ok(Self {
            values: GaugeVec::new(values, &labels).map_err(bug)?,
            windows: IntCounterVec::new(windows, &labels).map_err(bug)?,
        })
    }

    pub(super) fn set(&self, found: &Found<'_>) {
        let labels = [found.column, found.metric.name()];
        // No value is NaN: the last one would look like that of this window.
        self.values.with_label_values(&labels).set(found.value.unwrap_or(f64::NAN));
        self.windows.with_label_values(&labels).inc_by(u64::from(found.drifted()));
    }
}
