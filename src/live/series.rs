//! Sums over the series of a metric family by one of its labels.

use std::collections::BTreeMap;

use prometheus::proto::{Metric, MetricFamily};

/// All families at one moment.
pub(super) struct Series(Vec<MetricFamily>);

impl Series {
    /// What a registry holds now.
    pub(super) fn of(registry: &prometheus::Registry) -> Self {
        Self(registry.gather())
    }

    /// The series of `family` summed by the values of `label`.
    pub(super) fn sums(&self, family: &str, label: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for metric in self.metrics(family) {
            let labels = metric.get_label();
            if let Some(pair) = labels.iter().find(|l| l.name() == label) {
                *sums.entry(pair.value().to_owned()).or_insert(0.0) += value(metric);
            }
        }
        sums
    }

    /// The value of the only series of `family`.
    pub(super) fn single(&self, family: &str) -> Option<f64> {
        self.metrics(family).next().map(value)
    }

    fn metrics(&self, family: &str) -> impl Iterator<Item = &Metric> {
        let found = self.0.iter().filter(move |f| f.name() == family);
        found.flat_map(|f| f.get_metric())
    }
}

/// Counter or gauge: the one that is not there reads 0.
fn value(metric: &Metric) -> f64 {
    metric.get_gauge().get_value() + metric.get_counter().get_value()
}
