//! The state of sessions as a table: a row for each key and start, the newest wins. A session that
//! starts earlier than it did, or became part of another, is deleted where it was. A row expires
//! when its session takes no more rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use swiftwater_engine::{Error, Merge, Result, TableDelta, TableSpec};

use super::operator::SessionWindows;
use crate::aggregate::{Aggregates, Group, KeyColumns, StateRows};
use crate::window::times::stored_times;

/// Name of the table.
const TABLE: &str = "sessions";

/// The table of these keys and aggregates.
pub(crate) fn table(key: &KeyColumns, aggregates: &Aggregates) -> TableSpec {
    let keys = key.fields().len();
    let own = ["$start", "$end", "$expires"];
    let own = own.map(|name| Arc::new(Field::new(name, DataType::Int64, false)));
    let fields: Vec<FieldRef> =
        key.fields().iter().cloned().chain(own).chain(aggregates.state_fields()).collect();
    TableSpec {
        name: TABLE,
        version: 1,
        schema: Arc::new(Schema::new(fields)),
        partition: keys,
        key: keys + 1,
        expiry: Some(keys + 2),
        merge: Merge::Latest,
    }
}

/// What changed since the last snapshot.
pub(super) fn seal(operator: &mut SessionWindows) -> Result<Vec<TableDelta>> {
    let plan = Arc::clone(&operator.plan);
    let changed = operator.accumulated.seal(&plan.aggregates)?;
    let gone = std::mem::take(&mut operator.book.deleted);
    let moved = operator.passed != operator.sealed;
    if changed.is_none() && gone.is_empty() && !moved {
        return Ok(Vec::new());
    }
    operator.sealed = operator.passed;
    let rows = match changed {
        Some(changed) => rows(operator, changed)?,
        None => RecordBatch::new_empty(Arc::clone(&plan.table.schema)),
    };
    let deleted = if gone.is_empty() { None } else { Some(deleted(operator, &gone)?) };
    operator.forget_keys();
    let expired_below = operator.passed.map(|passed| passed.saturating_add(1));
    Ok(vec![TableDelta { table: TABLE, rows, deleted, expired_below }])
}

fn key_columns(operator: &SessionWindows, numbers: &[Group]) -> Result<Vec<ArrayRef>> {
    let index = operator.keys.as_ref();
    let index = index.ok_or_else(|| Error::bug("seal sessions without keys"))?;
    index.columns(&operator.plan.key, numbers)
}

fn rows(operator: &mut SessionWindows, changed: StateRows) -> Result<RecordBatch> {
    let StateRows { groups, columns: states } = changed;
    let plan = Arc::clone(&operator.plan);
    let (mut keys, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for id in &groups {
        let session = operator.book.get_mut(*id);
        let session = session.ok_or_else(|| Error::bug("seal a session that is gone"))?;
        session.stored = true;
        keys.push(session.key);
        starts.push(session.start);
        ends.push(session.end);
    }
    let expires: Vec<i64> = ends.iter().map(|end| end - 1 + plan.lateness).collect();
    let own = [starts, ends, expires].map(|times| Arc::new(Int64Array::from(times)) as ArrayRef);
    let columns = key_columns(operator, &keys)?.into_iter().chain(own).chain(states).collect();
    Ok(RecordBatch::try_new(Arc::clone(&plan.table.schema), columns)?)
}

fn deleted(operator: &SessionWindows, gone: &[(Group, i64)]) -> Result<RecordBatch> {
    let (keys, starts): (Vec<Group>, Vec<i64>) = gone.iter().copied().unzip();
    let mut columns = key_columns(operator, &keys)?;
    columns.push(Arc::new(Int64Array::from(starts)));
    let table = &operator.plan.table;
    let fields: Vec<FieldRef> = table.schema.fields().iter().take(table.key).cloned().collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// Takes back what was sealed.
pub(super) fn restore(operator: &mut SessionWindows, delta: &TableDelta) -> Result<()> {
    let plan = Arc::clone(&operator.plan);
    if delta.table != TABLE || delta.rows.num_columns() != plan.table.schema.fields().len() {
        let columns = delta.rows.num_columns();
        let message =
            format!("restore sessions from the table `{}` of {columns} columns", delta.table);
        return Err(Error::state("SW3311", message)
            .with_hint("the node was another; give it another name to start anew"));
    }
    if let Some(below) = delta.expired_below {
        operator.passed = operator.passed.max(Some(below - 1));
        operator.sealed = operator.passed;
    }
    if let Some(deleted) = &delta.deleted {
        let numbers = numbers(operator, deleted)?;
        let starts = stored_times(deleted.column(plan.key.fields().len()))?;
        for (key, start) in numbers.into_iter().zip(starts) {
            if let Some(id) = operator.book.find(key, start) {
                operator.accumulated.forget(&[id]);
                operator.book.close(id);
            }
        }
    }
    add_rows(operator, &delta.rows)?;
    forget_gone(operator);
    Ok(())
}

/// Forgets sessions of earlier parts that were over when this one was sealed.
fn forget_gone(operator: &mut SessionWindows) {
    let Some(passed) = operator.passed else {
        return;
    };
    let lateness = operator.plan.lateness;
    let sessions = operator.book.iter();
    let gone: Vec<Group> = sessions
        .filter(|(_, session)| session.end - 1 + lateness <= passed)
        .map(|(id, _)| id)
        .collect();
    operator.accumulated.forget(&gone);
    gone.into_iter().for_each(|id| operator.book.close(id));
}

/// The numbers of the keys in the first columns.
fn numbers(operator: &mut SessionWindows, rows: &RecordBatch) -> Result<Vec<Group>> {
    let stored = operator.plan.key.leading();
    let keys = stored.keys(&stored.columns(rows))?;
    Ok(operator.number(&keys, rows.num_rows()))
}

fn add_rows(operator: &mut SessionWindows, rows: &RecordBatch) -> Result<()> {
    let first = operator.plan.key.fields().len();
    let times = |column: usize| stored_times(rows.column(first + column));
    let (starts, ends) = (times(0)?, times(1)?);
    let keys = numbers(operator, rows)?;
    let gap = operator.plan.lateness;
    let gone = |end: i64| operator.passed.is_some_and(|passed| end - 1 + gap <= passed);
    let live: Vec<u32> =
        (0..).zip(&ends).filter(|(_, end)| !gone(**end)).map(|(row, _)| row).collect();
    if live.is_empty() {
        return Ok(());
    }
    let mut ids = Vec::with_capacity(live.len());
    for row in &live {
        let row = *row as usize;
        let (Some(key), Some(start), Some(end)) = (keys.get(row), starts.get(row), ends.get(row))
        else {
            continue;
        };
        let id = match operator.book.find(*key, *start) {
            Some(id) => {
                if let Some(session) = operator.book.get_mut(id) {
                    session.end = *end;
                }
                id
            }
            None => {
                let id = operator.book.open(*key, *start, *end);
                operator.book.restored(id);
                operator.queue(id, end - 1);
                id
            }
        };
        ids.push(id);
    }
    let order = UInt32Array::from(live);
    let states = rows.columns().iter().skip(first + 3);
    let states: Vec<ArrayRef> =
        states.map(|state| Ok(take(state, &order, None)?)).collect::<Result<_>>()?;
    operator.accumulated.restore(ids, states)
}
