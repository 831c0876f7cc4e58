//! Prometheus families of a kind of operator beside those that every node has.

use std::sync::{Mutex, PoisonError};

use prometheus::core::Collector;
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::{Error, Result};

/// The handles of a kind's families.
pub(crate) trait Families: Clone {
    /// Makes the families of the node `node`.
    ///
    /// # Errors
    /// Where a name or label is none.
    fn of_node(node: &str) -> prometheus::Result<Self>;

    /// The families, to be registered.
    fn collectors(&self) -> Vec<Box<dyn Collector>>;
}

/// The families of one node, kept while the topology goes on from its last commit.
pub(crate) struct NodeSeries<F>(Mutex<Option<F>>);

impl<F> Default for NodeSeries<F> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

fn bug(error: prometheus::Error) -> Error {
    Error::bug("register the metrics of an operator").with_source(error)
}

impl<F: Families> NodeSeries<F> {
    /// The families, filed with the topology's by whoever comes first.
    ///
    /// # Errors
    /// `Bug` where another family has one of the names.
    pub(crate) fn open(&self, node: &NodeMetrics) -> Result<F> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let families = match known.take() {
            Some(families) => families,
            None => F::of_node(node.node()).map_err(bug)?,
        };
        let registry = node.all().registry();
        for family in families.collectors() {
            match registry.register(family) {
                Ok(()) | Err(prometheus::Error::AlreadyReg) => {}
                Err(error) => return Err(bug(error)),
            }
        }
        Ok(known.insert(families).clone())
    }
}
