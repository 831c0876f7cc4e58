//! Series of a `release_private` node beside those that every operator has.

use std::sync::{Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{GaugeVec, Opts};
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::{Error, Result};

use crate::privacy::accounting::{Nano, as_rho, epsilon};

/// The series of one node, kept while the topology goes on from its last commit.
#[derive(Default)]
pub(super) struct PrivacyMetrics(Mutex<Option<Series>>);

/// Handles of the series.
#[derive(Clone)]
pub(super) struct Series {
    rho: GaugeVec,
    epsilon: GaugeVec,
}

fn bug(error: prometheus::Error) -> Error {
    Error::bug("register the metrics of a private release").with_source(error)
}

impl PrivacyMetrics {
    /// The series, filed with the topology's by whoever comes first.
    ///
    /// # Errors
    /// `Bug` where another family has one of the names.
    pub(super) fn open(&self, node: &NodeMetrics, dataset: &str) -> Result<Series> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let series = match known.take() {
            Some(series) => series,
            None => Series::new(node.node(), dataset)?,
        };
        let registry = node.all().registry();
        let families: [Box<dyn Collector>; 2] =
            [Box::new(series.rho.clone()), Box::new(series.epsilon.clone())];
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
    fn new(node: &str, dataset: &str) -> Result<Self> {
        let gauge = |name: &str, help: &str| {
            let opts = Opts::new(name, help).const_label("node", node);
            GaugeVec::new(opts.const_label("dataset", dataset), &["part"]).map_err(bug)
        };
        Ok(Self {
            rho: gauge("swiftwater_privacy_rho", "Privacy budget as rho: spent and remaining.")?,
            epsilon: gauge(
                "swiftwater_privacy_epsilon",
                "Privacy as epsilon at the delta of the node: spent so far, and the whole budget.",
            )?,
        })
    }

    pub(super) fn set(&self, spent: Nano, budget: Nano, delta: f64) {
        let set = |gauge: &GaugeVec, part: &str, value| gauge.with_label_values(&[part]).set(value);
        set(&self.rho, "spent", as_rho(spent));
        set(&self.rho, "remaining", as_rho(budget.saturating_sub(spent)));
        set(&self.epsilon, "spent", epsilon(as_rho(spent), delta));
        set(&self.epsilon, "budget", epsilon(as_rho(budget), delta));
    }
}
