//! Sessions on their way out: those that are over, and corrections of those that were given.

use std::sync::Arc;

use swiftwater_engine::stream::{DELETE, INSERT, UPDATE};
use swiftwater_engine::{Batch, Output, Result};

use super::book::{Before, Changes, Id};
use super::operator::SessionWindows;
use crate::window::results::Results;

/// A row on its way out.
struct Row {
    bounds: Before,
    operation: &'static str,
}

/// Gives sessions that are over.
pub(super) fn give(operator: &mut SessionWindows, over: Vec<Id>, out: &mut Output) -> Result<()> {
    let rows = over.into_iter().filter_map(|id| {
        let session = operator.book.get(id)?;
        let bounds = Before { id, key: session.key, start: session.start, end: session.end };
        Some(Row { bounds, operation: INSERT })
    });
    let rows = rows.collect();
    emit(operator, rows, out)
}

/// Takes back sessions that were given and that a batch makes longer or joins with others, with
/// the values they were given with. Returns them.
pub(super) fn retract(
    operator: &mut SessionWindows,
    changes: &Changes,
    out: &mut Output,
) -> Result<Vec<Before>> {
    let moved = changes.moved.iter().filter(|before| {
        let now = operator.book.get(before.id);
        now.is_none_or(|now| (now.start, now.end) != (before.start, before.end))
    });
    let moved: Vec<Before> = moved.copied().collect();
    let rows = moved.iter().map(|bounds| Row { bounds: *bounds, operation: DELETE }).collect();
    emit(operator, rows, out)?;
    Ok(moved)
}

/// Gives the sessions of a batch's rows that were given, or would have been.
pub(super) fn correct(
    operator: &mut SessionWindows,
    sessions: &[Id],
    retracted: &[Before],
    changes: &Changes,
    out: &mut Output,
) -> Result<()> {
    let Some(passed) = operator.passed.filter(|_| operator.plan.lateness > 0) else {
        return Ok(());
    };
    let over = |id: &Id| operator.book.get(*id).is_some_and(|s| s.end - 1 <= passed);
    let mut ids: Vec<Id> = sessions.iter().copied().filter(over).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = ids.into_iter().filter_map(|id| {
        let session = operator.book.get(id)?;
        let bounds = Before { id, key: session.key, start: session.start, end: session.end };
        let anew = changes.fresh().contains(&id) || retracted.iter().any(|r| r.id == id);
        Some(Row { bounds, operation: if anew { INSERT } else { UPDATE } })
    });
    let rows = rows.collect();
    emit(operator, rows, out)
}

/// Gives rows in the order of window end and key, with the values that their sessions have now.
fn emit(operator: &mut SessionWindows, mut rows: Vec<Row>, out: &mut Output) -> Result<()> {
    let plan = Arc::clone(&operator.plan);
    let Some(index) = operator.keys.as_ref().filter(|_| !rows.is_empty()) else {
        return Ok(());
    };
    rows.sort_unstable_by(|a, b| {
        let (a, b) = (&a.bounds, &b.bounds);
        let ends = a.end.cmp(&b.end);
        ends.then_with(|| index.compare(a.key, b.key)).then_with(|| a.start.cmp(&b.start))
    });
    let ids: Vec<Id> = rows.iter().map(|row| row.bounds.id).collect();
    let numbers: Vec<u32> = rows.iter().map(|row| row.bounds.key).collect();
    let keys = index.columns(&plan.key, &numbers)?;
    let calls = operator.accumulated.results_of(&plan.aggregates, &ids)?;
    let outcomes = plan.aggregates.outcomes(&keys, &calls, out.now())?;
    let bounds = rows.iter().map(|row| (row.bounds.start, row.bounds.end)).unzip();
    let operations = rows.iter().map(|row| row.operation).collect();
    let columns = keys.into_iter().chain(outcomes).collect();
    let readings = Results::new(operator.readings, out.now()).readings();
    for records in plan.layout.batches(columns, Some(bounds), Some(operations))? {
        out.emit(Batch::new(records, readings));
    }
    Ok(())
}
