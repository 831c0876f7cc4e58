//! The source that hands out generated rows.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use swiftwater_engine::batch::Span;
use swiftwater_engine::{
    Batch, Clock, Error, Polled, Position, Readings, Result, Source, SourceContext, Timestamp,
};

use super::column::{Generated, Rows, Timeline};
use super::pace::Pace;
use crate::event_time::EventTime;

/// Rows that stay together on one instance: instance k of n takes blocks k, k + n, k + 2n …
const BLOCK: u64 = 8192;

/// What all instances of a node share.
pub(crate) struct Design {
    /// The columns in order.
    pub columns: Vec<Generated>,
    /// Their schema.
    pub schema: SchemaRef,
    /// Rows of all instances together; without end if absent.
    pub count: Option<u64>,
    /// Rows per second of all instances together; as fast as they are taken if absent.
    pub rate: Option<f64>,
    /// Event time of row 0; when the first instance opened if absent.
    pub start: Option<Timestamp>,
    /// Rows in one second of event time.
    pub event_rate: f64,
    /// The event-time column.
    pub event_time: Option<EventTime>,
    /// When the first instance opened: row 0 is due then.
    pub opened: OnceLock<Timestamp>,
}

/// One instance of the source.
pub(crate) struct Generator {
    design: Arc<Design>,
    open: Option<Open>,
    /// Rows of this instance that were handed over.
    emitted: u64,
}

struct Open {
    instance: u64,
    instances: u64,
    batch_rows: usize,
    clock: Clock,
    timeline: Timeline,
    pace: Option<Pace>,
    cx: SourceContext,
}

impl Open {
    /// The rows that follow the first `emitted` of this instance, up to the end of their block.
    fn rows_after(&self, emitted: u64) -> Rows {
        let most = self.batch_rows;
        if self.instances == 1 {
            return Rows { first: emitted, count: most };
        }
        let (block, within) = (emitted / BLOCK, emitted % BLOCK);
        let first = (block * self.instances + self.instance) * BLOCK + within;
        let left = usize::try_from(BLOCK - within).unwrap_or(usize::MAX);
        Rows { first, count: most.min(left) }
    }
}

impl Generator {
    /// An instance that begins with its first row.
    pub(crate) const fn new(design: Arc<Design>) -> Self {
        Self { design, open: None, emitted: 0 }
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
        let opened = *self.design.opened.get_or_init(|| cx.clock.now());
        self.open = Some(Open {
            instance: cx.instance as u64,
            instances: cx.instances.max(1) as u64,
            batch_rows: cx.batch_rows.max(1),
            clock: cx.clock.clone(),
            timeline: Timeline {
                start: self.design.start.unwrap_or(opened).0,
                rate: self.design.event_rate,
            },
            pace: self.design.rate.map(|rate| Pace::new(opened, rate)),
            cx,
        });
        Ok(())
    }

    fn poll(&mut self, wait: Duration) -> Result<Polled> {
        let open = self.open.as_mut().ok_or_else(|| Error::bug("poll a generator before open"))?;
        let mut rows = open.rows_after(self.emitted);
        if let Some(count) = self.design.count {
            let left = usize::try_from(count.saturating_sub(rows.first)).unwrap_or(usize::MAX);
            rows.count = rows.count.min(left);
            if rows.count == 0 {
                return Ok(Polled::End);
            }
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
        self.emitted += rows.count as u64;
        let bytes = batch.bytes();
        Ok(Polled::Rows { batch, rejected: Vec::new(), bytes, splits: Vec::new() })
    }

    fn position(&self) -> Position {
        let split = match &self.open {
            Some(open) => format!("{}/{}", open.instance, open.instances),
            None => "0/1".into(),
        };
        let emitted = i64::try_from(self.emitted).unwrap_or(i64::MAX);
        Position(BTreeMap::from([(split, emitted)]))
    }
}
