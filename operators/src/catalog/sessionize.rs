//! `sessionize`: rows of a key that follow one another closely share a session.

mod sessions;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Duration;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result, SpillRoom,
    Stream, TableDelta, TableSpec, Timestamp,
};

use self::sessions::{Bounds, Sessions};
use crate::keyed::{EventTime, KeyColumns, Waiting, WatermarkClock, micros, spill_tables};

/// Tells which rows of a key belong to one session.
///
/// `sessionize: {key: [user], gap: 30m}` adds to each row `session_id`, the same for rows of a user
/// that are less than 30 minutes apart, and `session_position`, which is 1 for the first of them.
/// With `max_len: 4h` a session ends 4 hours after it began at the latest. The id is a hash of key
/// and first time, so that a replay gives the same.
///
/// `emit: sessions` gives one row for each session once it is over, with the key's columns,
/// `session_id`, `session_start` and `session_last` (times of its first and last row), `session_rows`
/// and `session_close`, the moment before which a further row would have belonged to it: the event
/// time of these rows. For other aggregates of a session there is `window: {session: …}`.
///
/// Rows wait until the watermark has passed them and come out in the order of event time, rows of
/// the same time in the order in which they came. Rows that come later are late.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionizeOptions {
    /// Columns whose values tell the sequences of rows apart.
    pub key: Vec<String>,
    /// A row that is as long after the one before, or longer, begins a session.
    pub gap: Duration,
    /// How long a session may be.
    #[serde(default)]
    pub max_len: Option<Duration>,
    /// What leaves.
    #[serde(default)]
    pub emit: Emit,
}

/// What leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Emit {
    /// Each row with its session.
    #[default]
    Rows,
    /// One row for each session.
    Sessions,
}

impl OperatorOptions for SessionizeOptions {
    const KIND: &'static str = "sessionize";
    const EXAMPLE: &'static str = r#"name: sessionize_example
sources:
  clicks:
    kafka: {brokers: "localhost:9092", topic: clicks}
    format: json
    schema: {user: int64, page: utf8, at: timestamp_ms}
    event_time: {column: at, out_of_orderness: 2s}
operators:
  visits: {input: clicks, sessionize: {key: [user], gap: 30m, max_len: 4h}}
sinks:
  out: {input: visits, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let keys = KeyColumns::find(&self.key, "key", &input)?;
        let bounds =
            Bounds { gap: micros(self.gap), longest: self.max_len.map_or(i64::MAX, micros) };
        if self.key.is_empty() || bounds.gap == 0 || bounds.longest == 0 {
            return Err(Error::config("SW0321", "tell sessions apart without a `key` or a time")
                .with_hint("write sessionize: {key: [user], gap: 30m}"));
        }
        let time = EventTime::of_input(cx, 0)?;
        let emit = self.emit;
        let schema = output(&input, &keys, emit)?;
        let stream = match emit {
            Emit::Rows => cx.stream(0),
            Emit::Sessions => Stream::at("session_close"),
        };
        let (rows, output) = (Arc::clone(&input), Arc::clone(&schema));
        let make = Arc::new(move |_| {
            Ok(Box::new(Sessionize {
                time: time.clone(),
                clock: WatermarkClock::default(),
                waiting: Waiting::new(&keys, &rows),
                sessions: Sessions::new(&keys, bounds)?,
                output: Arc::clone(&output),
                emit,
            }) as Box<dyn Operator>)
        });
        let plan = OperatorPlan::keyed(schema, stream, self.key, make);
        Ok(OperatorPlan { splittable: true, ..plan }.with_late_port(input))
    }
}

/// The columns of what leaves.
fn output(input: &SchemaRef, keys: &KeyColumns, emit: Emit) -> Result<SchemaRef> {
    let id = Field::new("session_id", DataType::Utf8, false);
    let of = match emit {
        Emit::Rows => input.fields().to_vec(),
        Emit::Sessions => keys.fields.clone(),
    };
    let time =
        |name: &str| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), false);
    let added = match emit {
        Emit::Rows => vec![id, Field::new("session_position", DataType::Int64, false)],
        Emit::Sessions => vec![
            id,
            time("session_start"),
            time("session_last"),
            Field::new("session_rows", DataType::Int64, false),
            time("session_close"),
        ],
    };
    if let Some(twice) = added.iter().find(|new| of.iter().any(|f| f.name() == new.name())) {
        return Err(Error::config("SW0307", format!("add a second column `{}`", twice.name()))
            .with_hint("rename the column in a `select` before"));
    }
    Ok(Arc::new(Schema::new([of, added.into_iter().map(Arc::new).collect()].concat())))
}

struct Sessionize {
    time: EventTime,
    clock: WatermarkClock,
    waiting: Waiting,
    sessions: Sessions,
    output: SchemaRef,
    emit: Emit,
}

impl Sessionize {
    /// Makes rows and sessions of what was restored.
    fn settle(&mut self) -> Result<()> {
        if self.waiting.table.is_restoring() {
            let mut index = self.sessions.empty_index()?;
            for row in self.waiting.table.settle(&mut index)? {
                self.waiting.agenda.push(row.mark.time, row.id, ());
            }
        }
        self.sessions.settle()
    }

    fn send(&self, columns: Vec<ArrayRef>, out: &mut Output) -> Result<()> {
        let records = RecordBatch::try_new(Arc::clone(&self.output), columns)?;
        out.emit(Batch::new(records, self.clock.readings(out.now())));
        Ok(())
    }
}

impl Operator for Sessionize {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.saw(batch.readings);
        let rows = self.time.of(batch, out)?;
        self.waiting.push(&rows.on_time(|_, time| self.clock.has_passed(time), out)?)
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.advance(watermark);
        while let Some((rows, times)) = self.waiting.take(watermark.0)? {
            let added = self.sessions.pass(&rows, &times)?;
            if self.emit == Emit::Rows {
                self.send([rows.columns(), &added].concat(), out)?;
            }
        }
        self.sessions.close(watermark.0);
        let over = self.sessions.take_over()?;
        match (self.emit, over) {
            (Emit::Sessions, Some(columns)) => self.send(columns, out),
            _ => Ok(()),
        }
    }

    fn tables(&self) -> Vec<TableSpec> {
        vec![self.waiting.table.spec(), self.sessions.spec()]
    }

    fn layout(&self) -> String {
        self.sessions.meaning()
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.settle()?;
        Ok(self.waiting.table.seal()?.into_iter().chain(self.sessions.seal()?).collect())
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        if self.waiting.table.name() == delta.table {
            self.waiting.table.restore(delta)
        } else {
            self.sessions.restore(delta)
        }
    }

    fn state_bytes(&self) -> usize {
        self.waiting.bytes() + self.sessions.bytes()
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.state_bytes();
        spill_tables([self.waiting.table_mut()], (held, target), room)
    }

    fn spilled_bytes(&self) -> usize {
        self.waiting.disk_bytes()
    }
}

#[cfg(test)]
mod tests;
