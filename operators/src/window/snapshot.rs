//! The state of sliced windows as a table: a row for each key and slice, the newest wins. A row
//! expires when the last window of its slice takes no more rows; the expiry of the table is the
//! watermark up to which windows were given, and tells a restored instance just that.

use std::collections::btree_map::Entry;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use swiftwater_engine::{Error, Merge, Result, TableDelta, TableSpec, Timestamp};

use super::sliced::SlicedWindows;
use super::times::stored_times;
use crate::aggregate::{Aggregates, Groups, KeyColumns};

/// Name of the table.
pub(crate) const TABLE: &str = "slices";

/// The table of these keys and aggregates; `marked` where results are given early.
pub(crate) fn table(key: &KeyColumns, aggregates: &Aggregates, marked: bool) -> TableSpec {
    let keys = key.fields().len();
    let own = ["$slice", "$expires"].map(|name| Arc::new(Field::new(name, DataType::Int64, false)));
    let mark = marked.then(|| Arc::new(Field::new("$mark", DataType::Int8, false)));
    let states = aggregates.state_fields().into_iter().chain(mark);
    let fields: Vec<FieldRef> = key.fields().iter().cloned().chain(own).chain(states).collect();
    TableSpec {
        name: TABLE,
        version: 1,
        schema: Arc::new(Schema::new(fields)),
        partition: keys,
        key: keys + 1,
        expiry: Some(keys + 1),
        merge: Merge::Latest,
    }
}

/// What changed since the last snapshot.
pub(super) fn seal(operator: &mut SlicedWindows) -> Result<Vec<TableDelta>> {
    let plan = Arc::clone(&operator.plan);
    let mut parts = Vec::new();
    for (slice, groups) in &mut operator.slices {
        let Some(changed) = groups.seal(&plan.aggregates, &plan.key)? else {
            continue;
        };
        let expires = plan.shape.last_end(*slice) - 1 + plan.lateness;
        let own = [*slice, expires]
            .map(|time| Arc::new(Int64Array::from(vec![time; changed.rows])) as ArrayRef);
        let columns = changed.keys.into_iter().chain(own).chain(changed.states).collect();
        parts.push(RecordBatch::try_new(Arc::clone(&plan.table.schema), columns)?);
    }
    operator.cold.sealed();
    let moved = operator.passed != operator.sealed;
    operator.sealed = operator.passed;
    if parts.is_empty() && !moved {
        return Ok(Vec::new());
    }
    let rows = match parts.as_slice() {
        [one] => one.clone(),
        parts => concat_batches(&plan.table.schema, parts)?,
    };
    let expired_below = operator.passed.map(|passed| passed.saturating_add(1));
    Ok(vec![TableDelta { expired_below, ..TableDelta::of(TABLE, rows) }])
}

/// Takes back what was sealed.
pub(super) fn restore(operator: &mut SlicedWindows, delta: &TableDelta) -> Result<()> {
    let plan = Arc::clone(&operator.plan);
    if delta.table != TABLE || delta.rows.num_columns() != plan.table.schema.fields().len() {
        let message = format!(
            "restore windows from the table `{}` of {} columns",
            delta.table,
            delta.rows.num_columns()
        );
        return Err(Error::state("SW3311", message)
            .with_hint("the aggregates were others; give the node another name to start anew"));
    }
    add_rows(operator, &delta.rows)?;
    if let Some(below) = delta.expired_below {
        operator.passed = operator.passed.max(Some(below - 1));
        operator.sealed = operator.passed;
    }
    if plan.early.is_some() {
        // What changed before the crash is given as soon as the clock is known.
        operator.early_at.get_or_insert(Timestamp(0));
    }
    // What was given, and what is gone, before the snapshot.
    let gone: Vec<i64> = operator.slices.keys().copied().collect();
    for slice in gone {
        if operator.is_gone(plan.shape.last_end(slice)) {
            operator.slices.remove(&slice);
        }
    }
    let (shape, lateness, passed) = (plan.shape, plan.lateness, operator.passed);
    let is_gone = |end: i64| passed.is_some_and(|passed| end - 1 + lateness <= passed);
    operator.cold.forget(|slice| is_gone(shape.last_end(slice)));
    let awaited = std::mem::take(&mut operator.pending);
    operator.pending = awaited.into_iter().filter(|w| !operator.has_fired(*w)).collect();
    Ok(())
}

fn add_rows(operator: &mut SlicedWindows, rows: &RecordBatch) -> Result<()> {
    if rows.num_rows() == 0 {
        return Ok(());
    }
    let plan = Arc::clone(&operator.plan);
    let stored = plan.key.leading();
    let number = plan.key.fields().len();
    let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
    let mut slices = stored_times(rows.column(number))?;
    if !slices.is_sorted() {
        let mut order: Vec<(i64, u32)> = slices.iter().copied().zip(0..).collect();
        order.sort();
        slices = order.iter().map(|(slice, _)| *slice).collect();
        let order = UInt32Array::from_iter_values(order.iter().map(|(_, row)| *row));
        for column in &mut columns {
            *column = take(column, &order, None)?;
        }
    }
    let (key_columns, rest) = columns.split_at_checked(number).unwrap_or_default();
    let states = rest.get(2..).unwrap_or_default();
    let keys = stored.keys(key_columns)?;
    let mut from = 0;
    for run in slices.chunk_by(|a, b| a == b) {
        let range: Range<usize> = from..from + run.len();
        from = range.end;
        let Some(slice) = run.first().copied() else {
            continue;
        };
        operator.warm(slice..slice + 1)?;
        if let Entry::Vacant(place) = operator.slices.entry(slice) {
            place.insert(Groups::new(&plan.aggregates, &keys, plan.early.is_some())?);
            operator.await_windows(slice);
        }
        if let Some(groups) = operator.slices.get_mut(&slice) {
            groups.restore(&keys, range, states)?;
        }
    }
    Ok(())
}
