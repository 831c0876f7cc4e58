//! The watermark of one source instance: for each split the newest event time less the
//! out-of-orderness and a millisecond; for the instance the lowest of its splits, those left out that
//! have nothing more to read and have been silent for `idle_after`.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch, max};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use swiftwater_config::EventTimeConfig;

use super::chain::rejected_row;
use crate::batch::Batch;
use crate::clock::Timestamp;
use crate::dead_letter::Rejected;
use crate::error::{Error, Result};
use crate::source::{Reading, Split};

/// Silence after which a split that has nothing more to read no longer holds the watermark back.
const IDLE_AFTER: Duration = Duration::from_secs(30);
/// Event times have millisecond watermarks: a row at exactly the watermark's time is late.
const MILLISECOND: i64 = 1000;

/// What a source tells downstream after rows, or after silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// The watermark rose.
    Watermark(Timestamp),
    /// Every split is idle.
    Idle,
}

#[derive(Debug)]
struct SplitTime {
    watermark: Option<Timestamp>,
    /// When it last had rows, or more to read than was read.
    active_at: Timestamp,
    idle: bool,
}

/// Event time of one source instance.
pub(crate) struct Watermarks {
    column: String,
    out_of_orderness: i64,
    idle_after: Duration,
    splits: BTreeMap<Split, SplitTime>,
    told: Option<Timestamp>,
    idle: bool,
}

/// Rows without an event time, set aside from those with one.
pub(crate) struct Timed {
    pub(crate) batch: Batch,
    pub(crate) rejected: Vec<Rejected>,
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Watermarks {
    /// The tracker of a source that declares its event time.
    pub(crate) fn new(config: &EventTimeConfig) -> Self {
        Self {
            column: config.column.clone(),
            out_of_orderness: config.out_of_orderness.map_or(0, |d| micros(d.0)),
            idle_after: config.idle_after.map_or(IDLE_AFTER, |d| d.0),
            splits: BTreeMap::new(),
            told: None,
            idle: false,
        }
    }

    /// Goes on from the watermarks of a snapshot.
    pub(super) fn restore(&mut self, splits: &BTreeMap<String, i64>, now: Timestamp) {
        for (split, watermark) in splits {
            let time =
                SplitTime { watermark: Some(Timestamp(*watermark)), active_at: now, idle: false };
            self.splits.insert(Split::from(split.as_str()), time);
        }
    }

    /// The watermark of each split that has one, for a snapshot: microseconds.
    pub(super) fn of_splits(&self) -> BTreeMap<String, i64> {
        let known = self.splits.iter().filter_map(|(s, t)| Some((s.to_string(), t.watermark?.0)));
        known.collect()
    }

    /// Takes note of rows: `splits` are runs of rows, or empty where there is one split only. Rows
    /// without an event time are set aside.
    pub(crate) fn observe(
        &mut self,
        batch: Batch,
        splits: &[(Split, usize)],
        now: Timestamp,
    ) -> Result<Timed> {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let column = batch
            .records
            .column_by_name(&self.column)
            .ok_or_else(|| Error::bug(format!("find the event time `{}`", self.column)))?;
        // A cast to the same type shares the values.
        let times = cast(column, &micros)?;
        let whole = [(Split::from(""), batch.rows())];
        let mut from = 0;
        for (split, rows) in if splits.is_empty() { whole.as_slice() } else { splits } {
            let run = times.slice(from, *rows);
            from += rows;
            if let Some(newest) = max(run.as_primitive::<TimestampMicrosecondType>()) {
                self.raise(split, newest, now);
            }
        }
        if times.null_count() == 0 {
            return Ok(Timed { batch, rejected: Vec::new() });
        }
        set_aside_null_times(&batch, &times.is_null_mask(), &self.column)
    }

    fn raise(&mut self, split: &Split, newest: i64, now: Timestamp) {
        let watermark = newest.saturating_sub(self.out_of_orderness).saturating_sub(MILLISECOND);
        let time = self.splits.entry(Split::clone(split)).or_insert(SplitTime {
            watermark: None,
            active_at: now,
            idle: false,
        });
        time.watermark = time.watermark.max(Some(Timestamp(watermark)));
        time.active_at = now;
        time.idle = false;
    }

    /// What to tell downstream now; `reading` are the splits there are, empty for a source of one.
    pub(crate) fn due(&mut self, reading: &[Reading], now: Timestamp) -> Option<Told> {
        if !reading.is_empty() {
            self.splits.retain(|split, _| reading.iter().any(|r| r.split == *split));
        }
        for Reading { split, caught_up } in reading {
            let time = self.splits.entry(Split::clone(split)).or_insert(SplitTime {
                watermark: None,
                active_at: now,
                idle: false,
            });
            if !caught_up {
                time.active_at = now;
            }
        }
        for time in self.splits.values_mut() {
            let silent = now.0.saturating_sub(time.active_at.0);
            time.idle = silent >= micros(self.idle_after);
        }
        let mut active = self.splits.values().filter(|t| !t.idle).peekable();
        if active.peek().is_none() {
            let newly = !self.splits.is_empty() && !std::mem::replace(&mut self.idle, true);
            return newly.then_some(Told::Idle);
        }
        self.idle = false;
        let lowest = active.map(|t| t.watermark).min()??;
        if Some(lowest) <= self.told {
            return None;
        }
        self.told = Some(lowest);
        Some(Told::Watermark(lowest))
    }
}

trait NullMask {
    fn is_null_mask(&self) -> BooleanArray;
}

impl NullMask for arrow::array::ArrayRef {
    fn is_null_mask(&self) -> BooleanArray {
        let present = self.nulls().map(|n| BooleanArray::new(n.inner().clone(), None));
        present.unwrap_or_else(|| BooleanArray::from(vec![true; self.len()]))
    }
}

/// Sets aside the rows whose event time is null: `present` says which have one.
fn set_aside_null_times(batch: &Batch, present: &BooleanArray, column: &str) -> Result<Timed> {
    let error =
        Error::data("SW3301", format!("place a row in time: its event time `{column}` is null"));
    let missing = (0..batch.rows()).filter(|row| !present.value(*row));
    let rejected = missing
        .map(|row| rejected_row(&batch.with_records(batch.records.slice(row, 1)), &error))
        .collect();
    let kept: RecordBatch = filter_record_batch(&batch.records, present)?;
    Ok(Timed { batch: batch.with_records(kept), rejected })
}
