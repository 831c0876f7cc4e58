//! Results of windows on their way out.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use swiftwater_engine::{Batch, Output, Readings, Result, Span, Timestamp};

use super::shape::Window;
use super::sliced::SlicedPlan;
use crate::aggregate::KeyIndex;

/// What results are made with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Results {
    readings: Readings,
    now: Timestamp,
}

impl Results {
    /// Results of rows with these readings, the latest ones.
    pub(crate) fn new(readings: Option<Readings>, now: Timestamp) -> Self {
        let latest = |span: Span| Span::at(span.newest);
        let readings = readings.map_or_else(
            || Readings::polled_at(now),
            |r| Readings {
                appended: r.appended.map(latest),
                polled: latest(r.polled),
                event: r.event.map(latest),
            },
        );
        Self { readings, now }
    }

    /// The readings of the rows.
    pub(crate) const fn readings(self) -> Readings {
        self.readings
    }

    /// Gives rows of a window in the order of their keys; `operations` are in the order of the
    /// keys' numbers.
    pub(super) fn emit(
        self,
        plan: &SlicedPlan,
        window: Window,
        (index, calls): (&KeyIndex, &[ArrayRef]),
        operations: Option<Vec<&'static str>>,
        out: &mut Output,
    ) -> Result<()> {
        let order = index.sorted();
        let keys = index.columns(&plan.key, &order)?;
        let operations = operations.map(|of| {
            order.iter().filter_map(|key| of.get(*key as usize).copied()).collect::<Vec<_>>()
        });
        let order = UInt32Array::from(order);
        let calls: Vec<ArrayRef> =
            calls.iter().map(|call| Ok(take(call, &order, None)?)).collect::<Result<_>>()?;
        let outcomes = plan.aggregates.outcomes(&keys, &calls, self.now)?;
        let rows = order.values().len();
        let bounds = (vec![window.start; rows], vec![window.end; rows]);
        let columns = keys.into_iter().chain(outcomes).collect();
        for records in plan.layout.batches(columns, Some(bounds), operations)? {
            out.emit(Batch::new(records, self.readings));
        }
        Ok(())
    }
}
