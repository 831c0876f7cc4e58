//! The source that hands out generated rows.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use swiftwater_engine::batch::Span;
use swiftwater_engine::{
    Batch, Clock, Error, Polled, Position, Reading, Readings, Result, Source, SourceContext, Split,
    Timestamp,
};

use super::column::{Generated, Rows};
use super::lanes::Lanes;
use super::pace::Pace;
use super::timeline::{Slots, Timeline};
use crate::event_time::EventTime;

/// Name in a position of the time at which the first instance opened, in microseconds since 1970.
const OPENED: &str = "opened";

/// What all instances of a node share.
pub(crate) struct Design {
    /// The columns in order.
    pub columns: Vec<Generated>,
    /// Their schema.
    pub schema: SchemaRef,
    /// Rows of all instances together; without end if absent.
    pub count: Option<u64>,
    /// Events per second of all instances together; as fast as they are taken if absent.
    pub rate: Option<f64>,
    /// Event time of row 0; when the first instance opened if absent.
    pub start: Option<Timestamp>,
    /// Events in one second of event time.
    pub event_rate: f64,
    /// Which events are rows.
    pub slots: Slots,
    /// The event-time column.
    pub event_time: Option<EventTime>,
    /// When the first instance opened: row 0 is due then.
    pub opened: OnceLock<Timestamp>,
}

/// One instance of the source.
pub(crate) struct Generator {
    design: Arc<Design>,
    open: Option<Open>,
}

struct Open {
    lanes: Lanes,
    opened: Timestamp,
    split: Split,
    batch_rows: usize,
    clock: Clock,
    timeline: Timeline,
    pace: Option<Pace>,
    cx: SourceContext,
}

impl Generator {
    /// An instance that begins with its first row.
    pub(crate) const fn new(design: Arc<Design>) -> Self {
        Self { design, open: None }
    }

    fn rows(&self, rows: Rows, time: Timeline) -> Result<RecordBatch> {
        let columns = self.design.columns.iter().map(|c| c.values(rows, time));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.design.schema), columns)?)
    }
}

/// Waits until `rows` may be handed over, at most `wait`; how many of them are due then.
fn due(open: &mut Open, rows: Rows, wait: Duration) -> usize {
    let Some(pace) = &mut open.pace else {
        return rows.count;
    };
    let at = pace.next(rows.first);
    let early = |now: Timestamp| u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(0);
    let now = open.clock.now();
    if early(now) > 0 {
        let time = Duration::from_micros(early(now)).min(wait);
        std::thread::sleep(time);
        open.cx.metrics.waited(time);
    }
    let now = open.clock.now();
    if early(now) > 0 {
        return 0;
    }
    open.cx.metrics.backlog_seconds(now.seconds_since(pace.due(rows.first)).max(0.0));
    pace.ready(rows.first, now).min(rows.count)
}

impl Source for Generator {
    fn open(&mut self, cx: SourceContext) -> Result<()> {
        // A run that goes on keeps the times of the first one.
        let resumed = cx.resume.as_ref().and_then(|p| p.0.get(OPENED)).copied().map(Timestamp);
        let opened = *self.design.opened.get_or_init(|| resumed.unwrap_or_else(|| cx.clock.now()));
        let (instance, instances) = (cx.instance as u64, cx.instances.max(1) as u64);
        self.open = Some(Open {
            lanes: Lanes::of(instance, instances, cx.resume.as_ref()),
            opened,
            split: Split::from(format!("{instance}/{instances}")),
            batch_rows: cx.batch_rows.max(1),
            clock: cx.clock.clone(),
            timeline: Timeline {
                start: self.design.start.unwrap_or(opened).0,
                rate: self.design.event_rate,
                slots: self.design.slots,
            },
            pace: self.design.rate.map(|rate| Pace::new(opened, rate, self.design.slots)),
            cx,
        });
        Ok(())
    }

    fn poll(&mut self, wait: Duration) -> Result<Polled> {
        let open = self.open.as_mut().ok_or_else(|| Error::bug("poll a generator before open"))?;
        let mut rows = open.lanes.next_rows(open.batch_rows);
        if let Some(count) = self.design.count {
            let left = usize::try_from(count.saturating_sub(rows.first)).unwrap_or(usize::MAX);
            rows.count = rows.count.min(left);
        }
        if rows.count == 0 {
            return Ok(Polled::End);
        }
        rows.count = due(open, rows, wait);
        if rows.count == 0 {
            return Ok(Polled::Empty);
        }
        let (timeline, now) = (open.timeline, open.clock.now());
        // A row counts as appended when it was due, so that being late is part of the latency.
        let last = rows.first + rows.count as u64 - 1;
        let appended =
            open.pace.map(|pace| Span { oldest: pace.due(rows.first), newest: pace.due(last) });
        let records = self.rows(rows, timeline)?;
        let event = self.design.event_time.and_then(|e| e.span(&records));
        let readings = Readings { appended, polled: Span::at(now), event };
        let batch = Batch::new(records, readings);
        let bytes = batch.bytes();
        let open = self.open.as_mut().ok_or_else(|| Error::bug("lose a generator in a poll"))?;
        open.lanes.handed_over(rows);
        let splits = vec![(Split::clone(&open.split), rows.count)];
        Ok(Polled::Rows { batch, rejected: Vec::new(), bytes, splits })
    }

    fn position(&self) -> Position {
        let Some(open) = &self.open else {
            return Position::default();
        };
        let mut position = open.lanes.position();
        position.0.insert(OPENED.to_owned(), open.opened.0);
        position
    }

    fn reading(&self) -> Vec<Reading> {
        // Rows that are not due yet are still to come: the instance is never done before its end.
        let split = self.open.as_ref().map(|open| Split::clone(&open.split));
        split.map(|split| Reading { split, caught_up: false }).into_iter().collect()
    }
}
