//! The state of running groups as a table: a row for each key, the newest wins.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema};
use swiftwater_engine::{Error, Merge, Result, TableDelta, TableSpec, Timestamp};

use super::RunningGroups;
use super::roster::Id;
use crate::aggregate::{Aggregates, KeyColumns, StateRows};
use crate::window::times::stored_times;

/// Name of the table.
const TABLE: &str = "groups";

/// The table of these keys and aggregates; rows expire where there is a TTL.
pub(crate) fn table(key: &KeyColumns, aggregates: &Aggregates, ttl: Option<i64>) -> TableSpec {
    let keys = key.fields().len();
    let own = ["$last", "$expires"].map(|name| Arc::new(Field::new(name, DataType::Int64, false)));
    let mark = Arc::new(Field::new("$mark", DataType::Int8, false));
    let own = own.into_iter().chain([mark]);
    let fields: Vec<FieldRef> =
        key.fields().iter().cloned().chain(own).chain(aggregates.state_fields()).collect();
    TableSpec {
        name: TABLE,
        version: 1,
        schema: Arc::new(Schema::new(fields)),
        partition: keys,
        key: keys,
        expiry: ttl.map(|_| keys + 1),
        merge: Merge::Latest,
    }
}

/// What changed since the last snapshot.
pub(super) fn seal(operator: &mut RunningGroups) -> Result<Vec<TableDelta>> {
    let plan = Arc::clone(&operator.plan);
    let changed = operator.accumulated.seal(&plan.aggregates)?;
    if changed.is_none() && operator.passed == operator.sealed {
        return Ok(Vec::new());
    }
    operator.sealed = operator.passed;
    let rows = match changed {
        Some(changed) => rows(operator, changed)?,
        None => RecordBatch::new_empty(Arc::clone(&plan.table.schema)),
    };
    operator.roster.forget_keys();
    let expired_below = operator.passed.map(|passed| passed.saturating_add(1));
    Ok(vec![TableDelta { expired_below, ..TableDelta::of(TABLE, rows) }])
}

fn rows(operator: &RunningGroups, changed: StateRows) -> Result<RecordBatch> {
    let StateRows { groups, columns: states } = changed;
    let plan = &operator.plan;
    let index = operator.roster.keys();
    let index = index.ok_or_else(|| Error::bug("seal groups without keys"))?;
    let keys: Vec<u32> = groups.iter().map(|id| operator.roster.key(*id)).collect();
    let last: Vec<i64> = groups.iter().map(|id| operator.roster.last(*id)).collect();
    let expires = |last: &i64| plan.ttl.map_or(i64::MAX, |ttl| last + ttl);
    let expires: Vec<i64> = last.iter().map(expires).collect();
    let own = [last, expires].map(|times| Arc::new(Int64Array::from(times)) as ArrayRef);
    let marks = operator.marks.column(&groups);
    let keys = index.columns(&plan.key, &keys)?;
    let columns = keys.into_iter().chain(own).chain([marks]).chain(states).collect();
    Ok(RecordBatch::try_new(Arc::clone(&plan.table.schema), columns)?)
}

/// Takes back what was sealed.
pub(super) fn restore(operator: &mut RunningGroups, delta: &TableDelta) -> Result<()> {
    let plan = Arc::clone(&operator.plan);
    if delta.table != TABLE || delta.rows.num_columns() != plan.table.schema.fields().len() {
        let columns = delta.rows.num_columns();
        let message =
            format!("restore groups from the table `{}` of {columns} columns", delta.table);
        return Err(Error::state("SW3311", message)
            .with_hint("the aggregates were others; give the node another name to start anew"));
    }
    if let Some(below) = delta.expired_below {
        operator.passed = operator.passed.max(Some(below - 1));
        operator.sealed = operator.passed;
    }
    forget_gone(operator);
    let first = plan.key.fields().len();
    let rows = live(operator, &delta.rows, first + 1)?;
    if rows.num_rows() == 0 {
        return Ok(());
    }
    let stored = plan.key.leading();
    let keys = stored.keys(&stored.columns(&rows))?;
    let numbers = operator.roster.number(&keys, rows.num_rows());
    let last = stored_times(rows.column(first))?;
    let ids: Vec<Id> = numbers
        .into_iter()
        .zip(last)
        .filter_map(|(key, last)| operator.roster.place(key, last, true, plan.ttl))
        .collect();
    operator.marks.restore(&ids, rows.column(first + 2));
    if operator.marks.changed().next().is_some() {
        operator.give_at.get_or_insert(Timestamp(0));
    }
    let states = rows.columns().iter().skip(first + 3).cloned().collect();
    operator.accumulated.restore(ids, states)
}

/// Forgets keys of earlier parts that had expired when this one was sealed.
fn forget_gone(operator: &mut RunningGroups) {
    let (Some(passed), Some(ttl)) = (operator.passed, operator.plan.ttl) else {
        return;
    };
    let gone = operator.roster.expired(passed, ttl);
    operator.accumulated.forget(&gone);
    for id in gone {
        operator.marks.forget(id);
        operator.roster.close(id);
    }
}

/// The rows that have not expired.
fn live(operator: &RunningGroups, rows: &RecordBatch, expires: usize) -> Result<RecordBatch> {
    let Some(passed) = operator.passed.filter(|_| operator.plan.ttl.is_some()) else {
        return Ok(rows.clone());
    };
    let column = rows.column(expires).as_primitive_opt::<Int64Type>();
    let column = column.ok_or_else(|| Error::state("SW3311", "find when groups expire"))?;
    let live: BooleanArray = column.values().iter().map(|at| Some(*at > passed)).collect();
    Ok(filter_record_batch(rows, &live)?)
}
