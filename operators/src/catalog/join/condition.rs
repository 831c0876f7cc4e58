//! The `where` of a join: a condition on pairs of rows.

use swiftwater_engine::{Batch, ErrorKind, Output, Result};

use crate::expression::{Predicate, Taken};
use crate::keyed::set_aside;

/// A condition over the columns of the result.
#[derive(Clone)]
pub(super) struct Condition(Predicate);

impl Condition {
    pub(super) const fn new(predicate: Predicate) -> Self {
        Self(predicate)
    }

    pub(super) fn warnings(&self) -> &[String] {
        self.0.expression().warnings()
    }

    /// For which pairs it holds. A pair that cannot be evaluated is set aside alone; it does not
    /// hold for it.
    pub(super) fn holds(&self, pairs: &Batch, out: &mut Output) -> Result<Vec<bool>> {
        let rows = pairs.rows();
        match self.0.take(&pairs.records, out.now()) {
            Ok(Taken::All) => Ok(vec![true; rows]),
            Ok(Taken::None) => Ok(vec![false; rows]),
            Ok(Taken::Some(mask)) => Ok(mask.values().iter().collect()),
            Err(error) if error.kind != ErrorKind::Data => Err(error),
            Err(error) if rows <= 1 => {
                set_aside(pairs, 0, &error, out);
                Ok(vec![false; rows])
            }
            Err(_) => {
                let half = |from, rows| pairs.with_records(pairs.records.slice(from, rows));
                let mut holds = self.holds(&half(0, rows / 2), out)?;
                holds.extend(self.holds(&half(rows / 2, rows - rows / 2), out)?);
                Ok(holds)
            }
        }
    }
}
