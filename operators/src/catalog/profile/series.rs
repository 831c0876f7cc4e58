//! The series of a `profile` node beside those that every operator has.

use prometheus::core::Collector;
use prometheus::{GaugeVec, Opts};

use super::account::Figures;
use crate::series::Families;

/// The handle of the series.
#[derive(Clone)]
pub(super) struct Series(GaugeVec);

impl Families for Series {
    fn of_node(node: &str) -> prometheus::Result<Self> {
        let opts = Opts::new("swiftwater_profile", "Statistics of the last window by column.");
        Ok(Self(GaugeVec::new(opts.const_label("node", node), &["column", "statistic"])?))
    }

    fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![Box::new(self.0.clone())]
    }
}

impl Series {
    /// Tells the figures of a column; `names` are those of its doubles.
    #[expect(clippy::cast_precision_loss, reason = "gauges are doubles")]
    pub(super) fn set(&self, column: &str, names: &[String], figures: &Figures) {
        let set = |name: &str, value: f64| self.0.with_label_values(&[column, name]).set(value);
        set("rows", figures.rows as f64);
        set("distinct", figures.distinct as f64);
        for (name, value) in names.iter().zip(&figures.doubles) {
            // No value is NaN: the last one would look like that of this window.
            set(name, value.unwrap_or(f64::NAN));
        }
    }
}
