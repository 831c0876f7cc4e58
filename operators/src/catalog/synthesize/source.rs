//! `synthesize` as a source.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType};
use swiftwater_engine::batch::Span;
use swiftwater_engine::lanes::{Lanes, Rows};
use swiftwater_engine::{
    Batch, Clock, Error, NodeContext, Polled, Position, Reading, Readings, Result, Source,
    SourceContext, SourceOptions, SourcePlan, Split, Timestamp,
};

use super::options::{SynthesizeSourceOptions, mistake};
use super::schema_of;
use crate::synthetic::artifact;
use crate::synthetic::sampler::Sampler;
use crate::synthetic::wishes::{Asked, Wishes};

const DEFAULT_EVENT_RATE: f64 = 100_000.0;
/// Name in a position of the time at which the first instance opened.
const OPENED: &str = "opened";
/// The least time between two batches of a paced source, in microseconds.
const GATHER: i64 = 1000;

/// What all instances share.
struct Design {
    sampler: Sampler,
    schema: SchemaRef,
    event_time: Option<usize>,
    count: Option<u64>,
    rate: Option<f64>,
    start: Option<Timestamp>,
    event_rate: f64,
    opened: OnceLock<Timestamp>,
}

fn above_zero(name: &str, rate: Option<f64>) -> Result<Option<f64>> {
    match rate {
        Some(rate) if !(rate > 0.0 && rate.is_finite()) => {
            Err(mistake(format!("make rows with `{name}: {rate}`"), "write a number above 0"))
        }
        rate => Ok(rate),
    }
}

fn micros(row: u64, rate: f64) -> i64 {
    (row as f64 * 1e6 / rate) as i64
}

impl SourceOptions for SynthesizeSourceOptions {
    const KIND: &'static str = "synthesize";
    const EXAMPLE: &'static str = include_str!("source_example.yaml");

    fn plan(self, cx: &NodeContext<'_>) -> Result<SourcePlan> {
        if cx.node.format.is_some() || cx.node.schema.is_some() {
            let hint = "leave out `format` and `schema`: the model knows its columns";
            return Err(mistake("make rows in a format of their own", hint));
        }
        let model = artifact::read(&self.model)?;
        let wishes = Wishes::of(Asked {
            conditions: self.conditions,
            order: self.order,
            unique: self.unique,
            foreign: self.foreign,
            observed: self.observed,
        })?;
        let place = if self.model.trim_start().starts_with('{') { "{…}" } else { &self.model };
        let sampler =
            Sampler::new(&model, &wishes, self.seed).map_err(|why| artifact::unfit(place, &why))?;
        let schema = schema_of(&sampler)?;
        let rate = above_zero("rate", self.rate)?;
        let event_rate = above_zero("event_rate", self.event_rate)?;
        let start = self.start.as_deref().map(parse_time).transpose()?;
        let event_time = cx.node.event_time.as_ref().map(|config| {
            let found = schema.index_of(&config.column).ok();
            let is_time =
                |n: &usize| matches!(schema.field(*n).data_type(), DataType::Timestamp(..));
            found.filter(is_time).ok_or_else(|| {
                let message = format!("read the event time from `{}`", config.column);
                Error::config("SW2006", message).with_hint("name a time of the model")
            })
        });
        let design = Arc::new(Design {
            event_time: event_time.transpose()?,
            sampler,
            schema: Arc::clone(&schema),
            count: self.count,
            rate,
            start,
            event_rate: event_rate.or(rate).unwrap_or(DEFAULT_EVENT_RATE),
            opened: OnceLock::new(),
        });
        let warnings = design.sampler.warning(&model).into_iter().collect();
        let bounded = design.count.is_some();
        let make = Arc::new(move |_| {
            Ok(Box::new(Made { design: Arc::clone(&design), open: None }) as Box<dyn Source>)
        });
        Ok(SourcePlan { bounded, warnings, replayable: true, ..SourcePlan::new(schema, make) })
    }
}

fn parse_time(text: &str) -> Result<Timestamp> {
    let array: ArrayRef = Arc::new(arrow::array::StringArray::from(vec![text]));
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    let options = arrow::compute::CastOptions { safe: false, ..Default::default() };
    let found = arrow::compute::cast_with_options(&array, &utc, &options).map_err(|e| {
        mistake(format!("read the time `start: {text}`"), "write it like 2026-01-01T00:00:00Z")
            .with_source(e)
    })?;
    Ok(Timestamp(found.as_primitive::<TimestampMicrosecondType>().value(0)))
}

/// One instance.
struct Made {
    design: Arc<Design>,
    open: Option<Open>,
}

struct Open {
    lanes: Lanes,
    opened: Timestamp,
    split: Split,
    clock: Clock,
    handed_over: i64,
    cx: SourceContext,
}

impl Open {
    /// Waits until a row is due, at most `wait`; how many are due then.
    fn due(&mut self, rows: Rows, rate: f64, wait: Duration) -> usize {
        let due = |row: u64| self.opened.0.saturating_add(micros(row, rate));
        let at = due(rows.first).max(self.handed_over.saturating_add(GATHER));
        let early = u64::try_from(at.saturating_sub(self.clock.now().0)).unwrap_or(0);
        if early > 0 {
            let time = Duration::from_micros(early).min(wait);
            std::thread::sleep(time);
            self.cx.metrics.waited(time);
        }
        let now = self.clock.now();
        if now.0 < at {
            return 0;
        }
        self.cx.metrics.backlog_seconds(now.seconds_since(Timestamp(due(rows.first))).max(0.0));
        self.handed_over = now.0;
        let late = now.0.saturating_sub(due(rows.first)).max(0);
        let ready = (late as f64 * rate / 1e6) as usize;
        ready.saturating_add(1).min(rows.count)
    }
}

impl Design {
    fn rows(&self, rows: Rows, opened: Timestamp) -> Result<(RecordBatch, Option<Span>)> {
        let start = self.start.unwrap_or(opened).0;
        let numbers: Vec<u64> = rows.iter().collect();
        let times: Vec<i64> =
            numbers.iter().map(|row| start.saturating_add(micros(*row, self.event_rate))).collect();
        let made = self.sampler.rows(&numbers, &times)?;
        let mut columns = made.columns().to_vec();
        columns.push(Arc::new(Int64Array::from_value(self.sampler.version, numbers.len())));
        let made = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let span = match self.event_time {
            None => None,
            Some(column) => {
                let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
                let times = cast(made.column(column), &micros)?;
                let times = times.as_primitive::<TimestampMicrosecondType>();
                min(times).zip(max(times)).map(|(oldest, newest)| Span {
                    oldest: Timestamp(oldest),
                    newest: Timestamp(newest),
                })
            }
        };
        Ok((made, span))
    }
}

impl Source for Made {
    fn open(&mut self, cx: SourceContext) -> Result<()> {
        // A run that goes on keeps the times of the first one.
        let resumed = cx.resume.as_ref().and_then(|p| p.0.get(OPENED)).copied().map(Timestamp);
        let opened = *self.design.opened.get_or_init(|| resumed.unwrap_or_else(|| cx.clock.now()));
        let (instance, instances) = (cx.instance as u64, cx.instances.max(1) as u64);
        self.open = Some(Open {
            lanes: Lanes::of(instance, instances, cx.resume.as_ref()),
            opened,
            split: Split::from(format!("{instance}/{instances}")),
            clock: cx.clock.clone(),
            handed_over: i64::MIN,
            cx,
        });
        Ok(())
    }

    fn poll(&mut self, wait: Duration) -> Result<Polled> {
        let design = &self.design;
        let open = self.open.as_mut().ok_or_else(|| Error::bug("poll a source before open"))?;
        let mut rows = open.lanes.next_rows(open.cx.batch_rows.max(1));
        if let Some(count) = design.count {
            let left = usize::try_from(count.saturating_sub(rows.first)).unwrap_or(usize::MAX);
            rows.count = rows.count.min(left);
        }
        if rows.count == 0 {
            return Ok(Polled::End);
        }
        let mut appended = None;
        if let Some(rate) = design.rate {
            rows.count = open.due(rows, rate, wait);
            if rows.count == 0 {
                return Ok(Polled::Empty);
            }
            // A row counts as appended when it was due, so that being late is part of the latency.
            let due = |row: u64| Timestamp(open.opened.0.saturating_add(micros(row, rate)));
            let last = rows.first + rows.count as u64 - 1;
            appended = Some(Span { oldest: due(rows.first), newest: due(last) });
        }
        let (records, event) = design.rows(rows, open.opened)?;
        open.lanes.handed_over(rows);
        let readings = Readings { appended, polled: Span::at(open.clock.now()), event };
        let batch = Batch::new(records, readings);
        let bytes = batch.bytes();
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
