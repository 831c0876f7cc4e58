//! The series of a `fidelity` node beside those that every operator has.

use prometheus::core::Collector;
use prometheus::{GaugeVec, Opts};

use super::Found;
use crate::series::Families;

/// The handle of the series.
#[derive(Clone)]
pub(super) struct Series(GaugeVec);

impl Families for Series {
    fn of_node(node: &str) -> prometheus::Result<Self> {
        let opts = Opts::new("swiftwater_fidelity", "Measures of synthetic rows, last window.");
        let labels = ["measure", "column", "other"];
        Ok(Self(GaugeVec::new(opts.const_label("node", node), &labels)?))
    }

    fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![Box::new(self.0.clone())]
    }
}

impl Series {
    /// Tells the measures of a window, and forgets those of the window before.
    pub(super) fn set(&self, found: &[Found]) {
        self.0.reset();
        for found in found {
            let [column, other] = [&found.column, &found.other].map(|n| n.as_deref().unwrap_or(""));
            let value = found.value.unwrap_or(f64::NAN);
            self.0.with_label_values(&[found.measure, column, other]).set(value);
        }
    }
}
