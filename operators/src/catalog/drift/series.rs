//! Series of a `drift` node beside those that every operator has.

use prometheus::core::Collector;
use prometheus::{GaugeVec, IntCounterVec, Opts};

use super::Found;
use crate::series::Families;

/// Handles of the series.
#[derive(Clone)]
pub(super) struct Series {
    values: GaugeVec,
    windows: IntCounterVec,
}

impl Families for Series {
    fn of_node(node: &str) -> prometheus::Result<Self> {
        let labels = ["column", "metric"];
        let opts = |name: &str, help: &str| Opts::new(name, help).const_label("node", node);
        let values = opts("swiftwater_drift", "Distance of the last window from the reference.");
        let windows = opts("swiftwater_drift_windows_total", "Windows that drifted.");
        Ok(Self {
            values: GaugeVec::new(values, &labels)?,
            windows: IntCounterVec::new(windows, &labels)?,
        })
    }

    fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![Box::new(self.values.clone()), Box::new(self.windows.clone())]
    }
}

impl Series {
    pub(super) fn set(&self, found: &Found<'_>) {
        let labels = [found.column, found.metric.name()];
        // No value is NaN: the last one would look like that of this window.
        self.values.with_label_values(&labels).set(found.value.unwrap_or(f64::NAN));
        self.windows.with_label_values(&labels).inc_by(u64::from(found.drifted()));
    }
}
