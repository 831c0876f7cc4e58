//! `window`: aggregates by key over windows of time.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use swiftwater_config::Duration;
use swiftwater_engine::kind::MakeOperator;
use swiftwater_engine::{Error, NodeContext, OperatorOptions, OperatorPlan, Result, Stream};

use crate::aggregate::{Aggregates, KeyColumns};
use crate::window::session::{self, SessionPlan, SessionWindows};
use crate::window::{EventTimes, Layout, Shape, SlicedPlan, SlicedWindows, layout, snapshot};

/// Aggregates by key over windows of time: a row for each key and window, once the window is over.
///
/// A window `[start, end)` is over when the watermark reaches the millisecond before its end. Its
/// rows have the columns of `key`, those of `aggregate` in their order, `window_start`,
/// `window_end` and `window_time`, a millisecond before the end, which is the event time of the
/// rows that come out. They leave in the order of window end and key.
///
/// A row all of whose windows are gone is late: it goes where the node's `late` says, or is
/// counted and dropped. With `allowed_lateness` windows stay for a while, and a row that comes in
/// that time gives the result of its key again; then the rows that come out replace each other by
/// key, `window_start` and `window_end`, as their column `_op` says (`insert`, `update`, or `delete`
/// for a session that became longer or part of another one).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowOptions {
    /// Windows of one size, one after the other.
    #[serde(default)]
    pub tumbling: Option<Tumbling>,
    /// Windows of one size that overlap.
    #[serde(default)]
    pub hopping: Option<Hopping>,
    /// Windows that last as long as rows of the key come.
    #[serde(default)]
    pub session: Option<Session>,
    /// Windows that begin together and grow step by step.
    #[serde(default)]
    pub cumulative: Option<Cumulative>,
    /// Columns by which rows are told apart; without them a window has one row.
    #[serde(default)]
    pub key: Vec<String>,
    /// Expressions over aggregates by the name of their column: `{bids: "count(*)", top:
    /// "max(price)"}`. All aggregates of DataFusion can be used, with DISTINCT and FILTER (WHERE
    /// …), and computed with: `sum(price) / count(*)`.
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub aggregate: Map<String, Value>,
    /// How long after its end a window still takes rows; each of them gives a correction.
    #[serde(default)]
    pub allowed_lateness: Option<Duration>,
    /// Results before the end of a window: every so much time by the clock, the rows of keys that
    /// changed. Rows that come out then replace each other, as with `allowed_lateness`.
    #[serde(default)]
    pub early: Option<Early>,
    /// What windows follow: `event` time, or the clock of the machine (`processing`).
    #[serde(default)]
    pub time: Time,
}

/// Results before the end of a window.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Early {
    /// Time from one such result to the next.
    pub every: Duration,
}

/// What windows follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Time {
    /// The event time of the rows, and watermarks.
    #[default]
    Event,
    /// The clock at which a row is processed. Results differ from run to run.
    Processing,
}

/// Windows of one size, one after the other.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tumbling {
    /// Length of a window.
    pub size: Duration,
    /// How far windows begin after multiples of `size` since 1970-01-01T00:00:00Z.
    #[serde(default)]
    pub offset: Option<Duration>,
}

/// Windows of one size that overlap.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hopping {
    /// Length of a window.
    pub size: Duration,
    /// Time from the beginning of a window to that of the next; at most `size`.
    pub slide: Duration,
    /// How far windows begin after multiples of `slide` since 1970-01-01T00:00:00Z.
    #[serde(default)]
    pub offset: Option<Duration>,
}

/// Windows that last as long as rows of the key come.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Rows of a key less than this apart are in the same window, which ends this long after the
    /// last of them.
    pub gap: Duration,
}

/// Windows that begin together and grow step by step.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cumulative {
    /// Length of the longest window, after which they begin anew.
    pub size: Duration,
    /// How much longer each window is than the one before; `size` is a multiple of it.
    pub step: Duration,
}

impl OperatorOptions for WindowOptions {
    const KIND: &'static str = "window";
    const EXAMPLE: &'static str = r#"name: window_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
    event_time: {column: date_time}
operators:
  per_bidder:
    input: bids
    window:
      tumbling: {size: 1s}
      key: [bidder]
      aggregate:
        bids: "count(*)"
        top: "max(price)"
        serious: "count(*) FILTER (WHERE price > 1000)"
sinks:
  out: {input: per_bidder, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let extent = self.extent()?;
        let key = KeyColumns::plan(&self.key, &input)?;
        if self.key.is_empty() && cx.node.parallelism.is_some_and(|tasks| tasks > 1) {
            let message = "run windows without `key` on several tasks";
            return Err(Error::config("SW0340", message)
                .with_hint("leave out `parallelism`: all rows meet in one window"));
        }
        let times = match self.time {
            Time::Event => Some(EventTimes::plan(cx.event_time(0)?, &input)?),
            Time::Processing => None,
        };
        let lateness = self.lateness()?;
        let aggregates = Aggregates::plan(&self.aggregate, &input, &key)?;
        let early = self.early(&extent)?;
        let upserts = lateness > 0 || early.is_some();
        let layout = Layout::plan(key.fields(), aggregates.fields(), true, upserts)?;
        let stream = self.stream(upserts);
        let (schema, warnings) = (Arc::clone(layout.schema()), aggregates.warnings().to_vec());
        let make: MakeOperator = match extent {
            Extent::Sliced(shape) => {
                let table = snapshot::table(&key, &aggregates, early.is_some());
                let planned =
                    SlicedPlan { shape, aggregates, key, times, lateness, early, layout, table };
                let planned = Arc::new(planned);
                Arc::new(move |_| Ok(Box::new(SlicedWindows::new(Arc::clone(&planned))) as _))
            }
            Extent::Session(gap) => {
                let table = session::table(&key, &aggregates);
                let planned =
                    Arc::new(SessionPlan { gap, aggregates, key, times, lateness, layout, table });
                Arc::new(move |_| Ok(Box::new(SessionWindows::new(Arc::clone(&planned))?) as _))
            }
        };
        let plan = OperatorPlan::keyed(schema, stream, self.key, make).with_late_port(input);
        Ok(OperatorPlan { warnings, ..plan })
    }
}

/// What decides how long a window is.
enum Extent {
    /// The calendar.
    Sliced(Shape),
    /// The rows: a gap between them, in milliseconds.
    Session(i64),
}

/// A span of time as whole milliseconds, at least one.
fn millis(option: &str, span: Duration) -> Result<i64> {
    let nanos = span.0.as_nanos();
    let whole = nanos.is_multiple_of(1_000_000) && nanos > 0;
    let millis = i64::try_from(nanos / 1_000_000).ok().filter(|m| whole && *m < 1 << 50);
    millis.ok_or_else(|| {
        Error::config("SW0340", format!("take `{span}` for `{option}`"))
            .with_hint("windows are made of whole milliseconds, at least one")
    })
}

impl WindowOptions {
    fn extent(&self) -> Result<Extent> {
        let wrong = |message: String, hint: &str| Error::config("SW0340", message).with_hint(hint);
        let shift = |offset: Option<Duration>, unit: i64| match offset {
            Some(span) if !span.0.is_zero() => millis("offset", span).map(|offset| offset % unit),
            _ => Ok(0),
        };
        let shape = match (self.tumbling, self.hopping, self.cumulative, self.session) {
            (Some(tumbling), None, None, None) => {
                let size = millis("size", tumbling.size)?;
                Ok(Shape::Hopping { size, slide: size, offset: shift(tumbling.offset, size)? })
            }
            (None, Some(hopping), None, None) => {
                let (size, slide) =
                    (millis("size", hopping.size)?, millis("slide", hopping.slide)?);
                if slide > size {
                    let message =
                        format!("slide by `{}`, more than `{}`", hopping.slide, hopping.size);
                    let hint = "rows between windows would be lost; `filter` drops rows";
                    return Err(wrong(message, hint));
                }
                Ok(Shape::Hopping { size, slide, offset: shift(hopping.offset, slide)? })
            }
            (None, None, Some(cumulative), None) => {
                let size = millis("size", cumulative.size)?;
                let step = millis("step", cumulative.step)?;
                if size % step != 0 {
                    let message = format!(
                        "reach a `size` of `{}` in steps of `{}`",
                        cumulative.size, cumulative.step
                    );
                    return Err(wrong(message, "`size` is a multiple of `step`"));
                }
                Ok(Shape::Cumulative { size, step })
            }
            (None, None, None, Some(session)) => {
                return Ok(Extent::Session(millis("gap", session.gap)?));
            }
            (None, None, None, None) => Err(wrong(
                "open windows: their shape is missing".to_owned(),
                "write one of tumbling, hopping, session, cumulative",
            )),
            _ => Err(wrong("open windows of several shapes".to_owned(), "one node has one shape")),
        };
        shape.map(Extent::Sliced)
    }

    fn lateness(&self) -> Result<i64> {
        let Some(span) = self.allowed_lateness.filter(|span| !span.0.is_zero()) else {
            return Ok(0);
        };
        if self.time == Time::Processing {
            let error = Error::config("SW0340", "allow lateness in processing time");
            return Err(error.with_hint("by the clock no row is late; leave it out"));
        }
        millis("allowed_lateness", span)
    }

    /// Time between early results in microseconds.
    fn early(&self, extent: &Extent) -> Result<Option<i64>> {
        let Some(Early { every }) = self.early else {
            return Ok(None);
        };
        if let Extent::Session(_) = extent {
            let error = Error::config("SW0340", "give sessions before they are over");
            return Err(error.with_hint("their end is not known; a `group` gives running results"));
        }
        Ok(Some(millis("every", every)?.saturating_mul(1000)))
    }

    /// What comes out beyond its columns.
    fn stream(&self, upserts: bool) -> Stream {
        let stream = match self.time {
            Time::Event => Stream::at(layout::WINDOW_TIME),
            // Watermarks of the input say nothing about the clock.
            Time::Processing => Stream::append(),
        };
        if !upserts {
            return stream;
        }
        let bounds = [layout::WINDOW_START, layout::WINDOW_END].map(str::to_owned);
        stream.upserting(self.key.iter().cloned().chain(bounds).collect())
    }
}

#[cfg(test)]
#[path = "window/tests.rs"]
mod tests;
