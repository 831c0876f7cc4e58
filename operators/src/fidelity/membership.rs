//! Whether it can be guessed from the synthetic rows which rows were learned from.
//!
//! The guess is the distance of a row to the closest synthetic row. With canaries, outliers of which
//! a random half was planted among the rows that were learned from, it is an audit in one run as
//! Steinke, Nasr and Jagielski (2023) have it; with training rows and a holdout it is plain
//! membership inference. Either is an alarm: that one attack fails does not mean that all do.

use serde::Serialize;

use super::closeness::Record;
use super::ranking::{auc, auc_error, quantile};
use super::table::Table;

/// What the attack found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Membership {
    /// The area under the ROC curve of the attack; 0.5 where it finds nothing.
    pub auc: Option<f64>,
    /// Its standard error where there is nothing to find.
    pub standard_error: Option<f64>,
    /// Share of the members that are closer to a synthetic row than 99 of 100 others. 0.01 is
    /// chance; the few that are found matter more than the mean.
    pub found_at_one_percent: Option<f64>,
    /// Share of the members that stand among the synthetic rows as they are.
    pub published: Option<f64>,
    /// Rows: members, others, synthetic ones.
    pub rows: [usize; 3],
    /// Whether the area is more than three standard errors above 0.5.
    pub alarm: bool,
}

const STANDARD_ERRORS: f64 = 3.0;

/// Attacks `synthetic`: `members` were among the rows that it was learned from, `others` were not.
/// The tables are compared whole.
#[must_use]
pub fn membership(members: &Table, others: &Table, synthetic: &Table) -> Membership {
    let record = Record::new(synthetic);
    let near = |table: &Table| -> Vec<f64> { record.closest(table).iter().map(|d| -d).collect() };
    let (inside, mut outside) = (near(members), near(others));
    let area = auc(&inside, &outside).filter(|_| synthetic.rows > 0);
    let error = area.map(|_| auc_error(members.rows, others.rows));
    outside.sort_unstable_by(f64::total_cmp);
    let share = |is: &dyn Fn(f64) -> bool| {
        area.map(|_| inside.iter().filter(|v| is(**v)).count() as f64 / inside.len() as f64)
    };
    let bound = quantile(&outside, 0.99);
    Membership {
        auc: area,
        standard_error: error,
        found_at_one_percent: bound.and_then(|bound| share(&|v| v > bound)),
        published: share(&|v| v == 0.0),
        rows: [members.rows, others.rows, synthetic.rows],
        alarm: area.zip(error).is_some_and(|(a, e)| a - 0.5 > STANDARD_ERRORS * e),
    }
}

#[cfg(test)]
mod tests {
    use swiftwater_engine::random::{Stream, unit};

    use super::*;
    use crate::fidelity::table::Values;

    fn rows(count: u64, salt: u64, shift: f64) -> Table {
        let column = |draw| {
            let stream = Stream::new(salt, "x", draw);
            Values::Numbers((0..count).map(|row| unit(stream.at(row)) + shift).collect())
        };
        Table { columns: vec![column(0), column(1)], rows: count as usize }
    }

    #[test]
    fn canaries_that_were_learned_by_heart_are_found() {
        let (planted, others) = (rows(100, 1, 3.0), rows(100, 2, 3.0));
        let quiet = membership(&planted, &others, &rows(1000, 3, 0.0));
        assert!(!quiet.alarm && quiet.published == Some(0.0), "{quiet:?}");
        let mut leaky = rows(1000, 3, 0.0);
        leaky.append(&planted.sample(60, 4, "leak"));
        let leaky = membership(&planted, &others, &leaky);
        assert!(leaky.alarm && leaky.published == Some(0.6), "{leaky:?}");
        assert!(leaky.found_at_one_percent.unwrap() >= 0.6);
    }
}
