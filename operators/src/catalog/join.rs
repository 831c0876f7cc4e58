//! `join`: rows of two streams that belong together.

mod as_of;
mod condition;
mod interval;
mod options;
mod output;
mod side;
mod windowed;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use swiftwater_engine::{
    Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Result, Stream,
};

pub use self::options::JoinOptions;

use self::condition::Condition;
use self::options::{JoinType, JoinWindow, Kind, SideNames, mistake};
use self::output::{Columns, Extra};
use crate::expression::Predicate;
use crate::keyed::{EventTime, KeyColumns, micros};

/// What every kind of join knows about its two inputs.
#[derive(Clone)]
struct Plan {
    join: JoinType,
    rows: [SchemaRef; 2],
    keys: [KeyColumns; 2],
    times: [EventTime; 2],
    columns: Arc<Columns>,
    condition: Option<Condition>,
}

impl OperatorOptions for JoinOptions {
    const KIND: &'static str = "join";
    const EXAMPLE: &'static str = r#"name: join_example
sources:
  bids:
    kafka: {brokers: "localhost:9092", topic: bids}
    format: json
    schema: {auction: int64, bidder: int64, price: int64, date_time: timestamp_ms}
    event_time: {column: date_time}
  payments:
    kafka: {brokers: "localhost:9092", topic: payments}
    format: json
    schema: {auction: int64, amount: int64, paid_at: timestamp_ms}
    event_time: {column: paid_at}
operators:
  paid:
    inputs: [bids, payments]
    join: {type: left, on: [auction], within: {after: 10s}, where: "amount >= price"}
sinks:
  out: {input: paid, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let [left, right] = cx.inputs else {
            let message = format!("join {} inputs", cx.inputs.len());
            return Err(Error::config("SW0204", message).with_hint("write inputs: [left, right]"));
        };
        let kind = self.kind()?;
        let keys = self.keys(left, right)?;
        let times = [EventTime::of_input(cx, 0)?, EventTime::of_input(cx, 1)?];
        let extra = self.extra(&kind)?;
        let rows = [Arc::clone(left), Arc::clone(right)];
        let columns = Columns::plan(&self, (&rows, &keys, &times), extra)?;
        let condition = self.condition(&columns)?;
        let warnings = condition.iter().flat_map(|c| c.warnings().to_vec()).collect();
        let stream = Stream { event_time: columns.event_time(self.join), ..Stream::append() };
        let input_keys: Vec<Vec<String>> = keys.iter().map(names).collect();
        let schema = Arc::clone(columns.schema());
        let late = Arc::clone(columns.late_schema());
        let columns = Arc::new(columns);
        let plan = Plan { join: self.join, rows, keys, times, columns, condition };
        let make = Arc::new(move |_| plan.make(&kind));
        let key = input_keys.first().cloned().unwrap_or_default();
        let plan = OperatorPlan::keyed(schema, stream, key, make);
        Ok(OperatorPlan { input_keys, warnings, splittable: true, ..plan }.with_late_port(late))
    }
}

fn names(keys: &KeyColumns) -> Vec<String> {
    keys.fields.iter().map(|f| f.name().clone()).collect()
}

impl Plan {
    fn make(&self, kind: &Kind) -> Result<Box<dyn Operator>> {
        Ok(match *kind {
            Kind::Within { before, after } => {
                Box::new(interval::IntervalJoin::new(self, before, after)?)
            }
            Kind::AsOf { max_age, wait } => Box::new(as_of::AsOfJoin::new(self, max_age, wait)?),
            Kind::Window { size } => Box::new(windowed::WindowJoin::new(self, size)?),
        })
    }
}

impl JoinOptions {
    fn kind(&self) -> Result<Kind> {
        let hint = "write one of within: {after: 10s}, as_of: {}, window: {tumbling: {size: 10s}}";
        match (&self.within, &self.as_of, &self.window) {
            (Some(within), None, None) => {
                let part = |d: Option<swiftwater_config::Duration>| d.map_or(0, micros);
                Ok(Kind::Within { before: part(within.before), after: part(within.after) })
            }
            (None, Some(as_of), None) => {
                if !matches!(self.join, JoinType::Inner | JoinType::Left) {
                    let message = format!("make an as-of join of type {}", self.join.name());
                    return Err(mistake(message, "`as_of` goes with `type: inner` or `left`"));
                }
                Ok(Kind::AsOf { max_age: as_of.max_age.map(micros), wait: as_of.wait })
            }
            (None, None, Some(JoinWindow { tumbling })) => {
                let size = micros(tumbling.size);
                if size < 1000 || size % 1000 != 0 {
                    let message = "join in windows of less than a millisecond, or parts of one";
                    return Err(mistake(message, "write size: 10s"));
                }
                Ok(Kind::Window { size })
            }
            (None, None, None) => Err(mistake("know which rows meet", hint)),
            _ => Err(mistake("join in two ways at once", hint)),
        }
    }

    fn keys(&self, left: &SchemaRef, right: &SchemaRef) -> Result<[KeyColumns; 2]> {
        let (left_names, right_names) = self.on.names()?;
        let keys = [
            KeyColumns::find(&left_names, "on", left)?,
            KeyColumns::find(&right_names, "on", right)?,
        ];
        let [l, r] = &keys;
        let differs = l.fields.iter().zip(&r.fields).find(|(l, r)| l.data_type() != r.data_type());
        if let Some((l, r)) = differs {
            let name = |f: &arrow::datatypes::Field| {
                format!("`{}` ({})", f.name(), swiftwater_engine::schema::name(f.data_type()))
            };
            let message = format!("compare {} with {}", name(l), name(r));
            return Err(mistake(message, "cast one of them in a `select` before"));
        }
        Ok(keys)
    }

    fn extra(&self, kind: &Kind) -> Result<Extra> {
        match (&self.time, kind) {
            (Some(name), Kind::Within { .. }) => Ok(Extra::Later(name.clone())),
            (None, Kind::Window { .. }) => Ok(Extra::Window),
            (None, _) => Ok(Extra::None),
            (Some(_), _) => {
                Err(mistake("add the column of `time`", "only joins with `within` have one"))
            }
        }
    }

    fn condition(&self, columns: &Columns) -> Result<Option<Condition>> {
        let Some(text) = &self.condition else { return Ok(None) };
        let predicate = Predicate::plan(text, columns.schema())?;
        Ok(Some(Condition::new(predicate)))
    }

    /// The name of a column of both sides, as the options change it.
    fn renamed(&self, side: usize, name: &str) -> String {
        let of = |names: &SideNames| if side == 0 { &names.left } else { &names.right }.clone();
        let (prefix, suffix) = (of(&self.prefix), of(&self.suffix));
        format!("{}{name}{}", prefix.unwrap_or_default(), suffix.unwrap_or_default())
    }
}

/// Two columns of the output have one name.
fn duplicate(name: &str) -> Error {
    Error::config("SW0307", format!("give two columns of the result the name `{name}`")).with_hint(
        "rename the columns that both sides have: prefix: {right: payment_}, or suffix: {left: _1}",
    )
}

#[cfg(test)]
mod tests;
