//! The columns of a join's result, and batches of it from pairs of row numbers.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, RecordBatch, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{cast, filter_record_batch, is_not_null};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use swiftwater_engine::{Batch, Output, Readings, Result};

use super::options::{JoinOptions, JoinType};
use super::{Plan, duplicate};
use crate::keyed::{EventTime, KeyColumns, NO_ROW, RowId, RowTable};

/// Columns of the result that neither side has.
#[derive(Debug, Clone)]
pub(super) enum Extra {
    None,
    /// The later time of both rows, under this name.
    Later(String),
    /// `window_start`, `window_end` and `window_time`.
    Window,
}

/// Where a column of the result comes from.
#[derive(Debug, Clone, Copy)]
enum From {
    Side(usize, usize),
    /// An `on` column that both sides have: left and right number.
    Either(usize, usize),
    /// Microseconds to add to the time that belongs to the pair.
    Time(i64),
}

/// The columns of a join's result.
#[derive(Debug)]
pub(super) struct Columns {
    schema: SchemaRef,
    /// The same columns, all of which may be null: those of late rows.
    late: SchemaRef,
    from: Vec<From>,
    /// Names of the event times of both sides in the result, and of the extra one.
    times: [String; 2],
    extra: Option<String>,
}

/// Rows that belong together, [`crate::keyed::NO_ROW`] for a side without one, and a time that the
/// extra columns are made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    pub(super) rows: [RowId; 2],
    pub(super) time: i64,
}

/// A column for event times of two sides: of finer units than the coarser of them.
fn time_type(rows: &[SchemaRef; 2], times: &[EventTime; 2]) -> DataType {
    let [left, right] = [0, 1].map(|side| match (rows.get(side), times.get(side)) {
        (Some(rows), Some(time)) => rows.field(time.column()).data_type().clone(),
        _ => DataType::Null,
    });
    let milliseconds = matches!(left, DataType::Timestamp(TimeUnit::Millisecond, _));
    if left == right && milliseconds {
        left
    } else {
        DataType::Timestamp(TimeUnit::Microsecond, None)
    }
}

type Sides<'a> = (&'a [SchemaRef; 2], &'a [KeyColumns; 2], &'a [EventTime; 2]);

impl Columns {
    pub(super) fn plan(options: &JoinOptions, sides: Sides<'_>, extra: Extra) -> Result<Self> {
        let (rows, [left_keys, right_keys], times) = sides;
        let [left, right] = rows;
        let shared = |name: &str| {
            let [l, r] = [(left, left_keys), (right, right_keys)].map(|(schema, keys)| {
                schema.index_of(name).ok().filter(|c| keys.numbers.contains(c))
            });
            let (l, r) = l.zip(r)?;
            let place = |keys: &KeyColumns, c: usize| keys.numbers.iter().position(|k| *k == c);
            (place(left_keys, l) == place(right_keys, r)).then_some((l, r))
        };
        let mut plan = Self {
            schema: Arc::new(Schema::empty()),
            late: Arc::new(Schema::empty()),
            from: Vec::new(),
            times: [String::new(), String::new()],
            extra: None,
        };
        let mut fields = Vec::new();
        for (side, schema) in rows.iter().enumerate() {
            for (number, field) in schema.fields().iter().enumerate() {
                let name = field.name();
                let other = if side == 0 { right } else { left };
                let (from, named) = match shared(name) {
                    Some(_) if side == 1 => continue,
                    Some((l, r)) => (From::Either(l, r), name.clone()),
                    None if other.column_with_name(name).is_some() => {
                        (From::Side(side, number), options.renamed(side, name))
                    }
                    None => (From::Side(side, number), name.clone()),
                };
                plan.note_time(side, number, times, &named);
                let nullable = field.is_nullable() || plan.may_be_missing(options.join, from);
                fields.push(Field::new(named, field.data_type().clone(), nullable));
                plan.from.push(from);
            }
        }
        plan.add_extra(extra, &time_type(rows, times), &mut fields);
        refuse_duplicates(&fields)?;
        plan.schema = Arc::new(Schema::new(fields));
        plan.late = late_schema(&plan.schema);
        let [left_time, right_time] = &mut plan.times;
        // A right time that is an `on` column stands under the left one's name.
        if right_time.is_empty() {
            right_time.clone_from(left_time);
        }
        Ok(plan)
    }

    fn note_time(&mut self, side: usize, number: usize, times: &[EventTime; 2], named: &str) {
        let is_time = times.get(side).is_some_and(|t| t.column() == number);
        if let Some(time) = self.times.get_mut(side).filter(|_| is_time) {
            named.clone_into(time);
        }
    }

    fn may_be_missing(&self, join: JoinType, from: From) -> bool {
        match from {
            From::Side(side, _) => join.keeps(1 - side),
            // A row without a match still has its own.
            From::Either(..) => join != JoinType::Inner,
            From::Time(_) => false,
        }
    }

    fn add_extra(&mut self, extra: Extra, of: &DataType, fields: &mut Vec<Field>) {
        let mut add = |name: &str, add: i64| {
            fields.push(Field::new(name, of.clone(), false));
            self.from.push(From::Time(add));
        };
        match extra {
            Extra::None => {}
            Extra::Later(name) => {
                add(&name, 0);
                self.extra = Some(name);
            }
            Extra::Window => {
                // The time of a pair is its `window_end`; the size is told by `window_size`.
                add("window_start", START);
                add("window_end", 0);
                add("window_time", -1000);
                self.extra = Some("window_time".to_owned());
            }
        }
    }

    /// The columns of the result.
    pub(super) const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Name of the event time of the result.
    pub(super) fn event_time(&self, join: JoinType) -> Option<String> {
        let [left, right] = &self.times;
        match (&self.extra, join) {
            (Some(extra), _) => Some(extra.clone()),
            (None, JoinType::Inner | JoinType::Left) => Some(left.clone()),
            (None, JoinType::Right) => Some(right.clone()),
            (None, JoinType::Full) => None,
        }
    }

    /// Whether the event time is that of the pair, not of a side.
    pub(super) const fn has_own_time(&self) -> bool {
        self.extra.is_some()
    }

    /// The columns of late rows.
    pub(super) const fn late_schema(&self) -> &SchemaRef {
        &self.late
    }

    /// Late rows of one side in the columns of the result; the other side's are null.
    pub(super) fn late(&self, side: usize, rows: &Batch) -> Result<Batch> {
        let column = |(from, field): (&From, &Arc<Field>)| match *from {
            From::Side(of, column) if of == side => Arc::clone(rows.records.column(column)),
            From::Either(left, right) => {
                Arc::clone(rows.records.column(if side == 0 { left } else { right }))
            }
            _ => new_null_array(field.data_type(), rows.rows()),
        };
        let columns = self.from.iter().zip(self.late.fields()).map(column).collect();
        Ok(rows.with_records(RecordBatch::try_new(Arc::clone(&self.late), columns)?))
    }

    /// The result for some pairs. `window` is the size of windows, where there are some.
    pub(super) fn batch(
        &self,
        tables: [&RowTable; 2],
        pairs: &[Pair],
        window: i64,
    ) -> Result<RecordBatch> {
        let ids = |side: usize| -> Vec<RowId> {
            pairs.iter().filter_map(|p| p.rows.get(side).copied()).collect()
        };
        let [left, right] = tables;
        let (left_places, right_places) = (left.places(&ids(0))?, right.places(&ids(1))?);
        let side = |side: usize, column: usize| match side {
            0 => left.column(column, &left_places),
            _ => right.column(column, &right_places),
        };
        let column = |(from, field): (&From, &Arc<Field>)| -> Result<ArrayRef> {
            match *from {
                From::Side(of, column) => side(of, column),
                From::Either(l, r) => {
                    let left = side(0, l)?;
                    if left.null_count() == 0 {
                        return Ok(left);
                    }
                    Ok(zip(&is_not_null(&left)?, &left, &side(1, r)?)?)
                }
                From::Time(add) => {
                    let add = if add == START { -window } else { add };
                    let time = |pair: &Pair| pair.time.saturating_add(add);
                    let times = TimestampMicrosecondArray::from_iter_values(pairs.iter().map(time));
                    Ok(cast(&times, field.data_type())?)
                }
            }
        };
        let columns = self.from.iter().zip(self.schema.fields()).map(column);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns.collect::<Result<_>>()?)?)
    }
}

fn late_schema(schema: &SchemaRef) -> SchemaRef {
    let nullable = |f: &Arc<Field>| f.as_ref().clone().with_nullable(true);
    Arc::new(Schema::new(schema.fields().iter().map(nullable).collect::<Vec<_>>()))
}

/// Gives pairs as rows of the result, those for which the condition holds; tells which. A row alone
/// is given in any case.
pub(super) fn emit_pairs(
    plan: &Plan,
    tables: [&RowTable; 2],
    (pairs, window): (&[Pair], i64),
    readings: Readings,
    out: &mut Output,
) -> Result<Vec<bool>> {
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let batch = Batch::new(plan.columns.batch(tables, pairs, window)?, readings);
    let Some(condition) = &plan.condition else {
        out.emit(batch);
        return Ok(vec![true; pairs.len()]);
    };
    let mut holds = condition.holds(&batch, out)?;
    for (holds, pair) in holds.iter_mut().zip(pairs) {
        *holds |= pair.rows.contains(&NO_ROW);
    }
    let kept = filter_record_batch(&batch.records, &BooleanArray::from(holds.clone()))?;
    out.emit(batch.with_records(kept));
    Ok(holds)
}

/// Stands for the size of the window, taken off.
const START: i64 = i64::MIN;

fn refuse_duplicates(fields: &[Field]) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    let again = fields.iter().find(|f| !seen.insert(f.name().as_str()));
    again.map_or(Ok(()), |field| Err(duplicate(field.name())))
}
