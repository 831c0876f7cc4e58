//! Series of nodes that fit models or sample from them.

use std::sync::{Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{Gauge, IntGauge, Opts};
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::{Error, Result};

use super::model::Model;

/// The series of one node, kept while the topology goes on from its last commit.
#[derive(Default)]
pub(crate) struct ModelMetrics(Mutex<Option<Series>>);

/// Handles of the series.
#[derive(Clone)]
pub(crate) struct Series {
    version: IntGauge,
    quality: Gauge,
}

fn bug(error: prometheus::Error) -> Error {
    Error::bug("register the metrics of a model").with_source(error)
}

impl ModelMetrics {
    /// The series, filed with the topology's by whoever comes first.
    ///
    /// # Errors
    /// `Bug` where another family has one of the names.
    pub(crate) fn open(&self, node: &NodeMetrics) -> Result<Series> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let series = match known.take() {
            Some(series) => series,
            None => Series::new(node.node())?,
        };
        let registry = node.all().registry();
        let families: [Box<dyn Collector>; 2] =
            [Box::new(series.version.clone()), Box::new(series.quality.clone())];
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
        let opts = |name: &str, help: &str| Opts::new(name, help).const_label("node", node);
        let version = opts("swiftwater_model_version", "Version of the model in use.");
        let quality =
            opts("swiftwater_model_quality", "Its quality, as a part of what can be reached.");
        Ok(Self {
            version: IntGauge::with_opts(version).map_err(bug)?,
            quality: Gauge::with_opts(quality).map_err(bug)?,
        })
    }

    pub(crate) fn set(&self, model: &Model) {
        self.version.set(model.version);
        self.quality.set(model.fitted.quality.reached());
    }
}
