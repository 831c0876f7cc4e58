//! How fresh the features of a view are: the newest event time in the store, beside what was promised.

use std::time::Duration;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::{cast, max};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use prometheus::{Gauge, Opts};
use swiftwater_engine::metrics::Metrics;
use swiftwater_engine::{Error, Result};

/// The series of one view; its age is `time()` minus the newest event.
pub(crate) struct Freshness {
    newest: Gauge,
    /// Newest event time that is written and not yet seen.
    waiting: Option<f64>,
    seen: Option<f64>,
}

impl Freshness {
    /// Files the series of the sink.
    ///
    /// # Errors
    /// `Bug` where another family has one of the names.
    pub(crate) fn open(
        all: &Metrics,
        (sink, view): (&str, &str),
        target: Option<Duration>,
    ) -> Result<Self> {
        let bug = |e| Error::bug("register the metrics of a feature view").with_source(e);
        let register = |name: &str, help: &str| {
            let options = Opts::new(name, help).const_label("sink", sink).const_label("view", view);
            let gauge = Gauge::with_opts(options).map_err(bug)?;
            // A sink that is opened again takes the place of its former series.
            all.registry().unregister(Box::new(gauge.clone())).ok();
            all.registry().register(Box::new(gauge.clone())).map_err(bug)?;
            Ok::<Gauge, Error>(gauge)
        };
        if let Some(target) = target {
            let help = "How old the newest event time of a feature view should be at most.";
            register("swiftwater_feature_freshness_target_seconds", help)?
                .set(target.as_secs_f64());
        }
        let help = "Newest event time of a feature view that readers see, in seconds since 1970.";
        let newest = register("swiftwater_feature_newest_event_seconds", help)?;
        Ok(Self { newest, waiting: None, seen: None })
    }

    /// A batch with this newest event time is written, unseen as yet.
    pub(crate) fn written(&mut self, newest: Option<f64>) {
        self.waiting = self.waiting.into_iter().chain(newest).reduce(f64::max);
    }

    /// Readers see everything that is written.
    pub(crate) fn seen(&mut self) {
        self.seen = self.seen.into_iter().chain(self.waiting.take()).reduce(f64::max);
        if let Some(seen) = self.seen {
            self.newest.set(seen);
        }
    }
}

/// The newest of timestamps, in seconds since 1970.
///
/// # Errors
/// `Bug` for a column of another type.
pub(crate) fn newest(times: &ArrayRef) -> Result<Option<f64>> {
    let micros = cast(times, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
    let micros = micros.as_primitive_opt::<TimestampMicrosecondType>();
    let micros = micros.ok_or_else(|| Error::bug("read event times of features"))?;
    #[expect(clippy::cast_precision_loss, reason = "to the microsecond for 285 years")]
    let newest = max(micros).map(|micros| micros as f64 / 1e6);
    Ok(newest)
}
