//! The `generate` source: rows made up by rule, the same for the same seed.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::{Field, Schema};
use chrono::DateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use swiftwater_engine::{Error, NodeContext, Result, SourceOptions, SourcePlan, Timestamp};

use crate::event_time::EventTime;
use crate::generate::bids;
use crate::generate::column::{ColumnOptions, Generated};
use crate::generate::generator::{Design, Generator};
use crate::generate::nexmark::Entity;
use crate::generate::timeline::{Slots, Timeline};
use crate::unused_fields;

/// Makes up rows by rule: a stream to try things with, to test with and to measure with.
///
/// Every value is a function of `seed`, the row's number and the column's name. The same options
/// give the same rows at any `parallelism`, and a new column leaves the others as they were. With
/// `rate` rows are due at fixed times, whatever becomes of the ones before: a topology that cannot
/// follow is late (`swiftwater_backlog_seconds`, and the latency counts from the due time), and
/// event time does not shift. A run that goes on after a stop or a crash goes on at exactly the next
/// row, also with another `parallelism`, with the times of the first run: rows that would have been
/// due meanwhile are late and follow at once.
///
/// Columns are one distribution each, with `type` to convert and `nulls` to leave some out: numbers
/// (`sequence`, `uniform`, `zipf`, `normal`, `lognormal`, `exponential`, `pareto`, `histogram`,
/// `empirical`, `mixture`), values from a list (`choice`, `constant`), text (`pattern`, `fake`,
/// `text`, `uuid`), `timestamp`, the keys of another stream (`parent`), and entities that go from
/// state to state (`states`). What follows from other columns is a `select` after it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GenerateOptions {
    /// Ready columns: `bids` are bids of an auction house as in the Nexmark benchmark (auction,
    /// bidder, price, channel, url, `date_time`, extra; about 230 bytes as JSON). The three
    /// `nexmark_` presets are parts of one sequence of events: sources with the same `seed`, `start`
    /// and `event_rate` fit each other, and `rate`, `event_rate` and `count` then count all events,
    /// of which 2 % are persons, 6 % auctions and 92 % bids.
    /// `payments`, `clicks`, `sensors`, `orders`, `rides`, `logins` and `logs` are streams of their
    /// kind to try things with.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// Columns by name, after those of the preset: `price: {uniform: {min: 1, max: 100}}`.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, ColumnOptions>")]
    pub columns: Map<String, Value>,
    /// Names of the columns to keep, in their order; all of them without it.
    #[serde(default)]
    pub only: Option<Vec<String>>,
    /// Decides all random values.
    #[serde(default)]
    pub seed: u64,
    /// Rows per second over all instances; as fast as they are taken without it.
    #[serde(default)]
    pub rate: Option<f64>,
    /// Ends after this many rows; never without it.
    #[serde(default)]
    pub count: Option<u64>,
    /// Ends before the first row of this event time or later, such as `2026-02-01T00:00:00Z`; it
    /// takes a `start`.
    #[serde(default)]
    pub until: Option<String>,
    /// Event time of row 0, such as `2026-01-01T00:00:00Z`; the time of the start without it.
    #[serde(default)]
    pub start: Option<String>,
    /// Rows in one second of event time; `rate` without it, and 100 000 without both.
    #[serde(default)]
    pub event_rate: Option<f64>,
}

/// A ready set of columns.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Bids of an auction house.
    Bids,
    /// People who register: id, name, `email_address`, `credit_card`, city, state, `date_time`,
    /// extra. The first of 50 events.
    NexmarkPersons,
    /// Auctions that open: id, `item_name`, description, `initial_bid`, reserve, `date_time`,
    /// expires, seller, category, extra. Three of 50 events.
    NexmarkAuctions,
    /// Bids with the columns of `bids`. The other 46 of 50 events.
    NexmarkBids,
    /// Card payments: payment, card, merchant, amount, currency, country, entry, declined, `paid_at`.
    Payments,
    /// What visitors of a shop do: event, visitor, action, page, referrer, device, `dwell_seconds`,
    /// `clicked_at`. Actions are those of 5000 sessions at a time.
    Clicks,
    /// Readings of 500 machines in turn: machine, state, temperature, vibration, pressure, rpm,
    /// `read_at`.
    Sensors,
    /// Orders of a shop: order, customer, product, quantity, price, coupon, name, email, street,
    /// city, `ordered_at`.
    Orders,
    /// Rides through a town: ride, driver, rider, where from and where to, `distance_km`, fare, tip,
    /// passengers, `requested_at`.
    Rides,
    /// Logins: login, username, account, address, country, method, outcome, agent, at.
    Logins,
    /// Log lines of services: level, service, host, trace, path, status, milliseconds, message,
    /// `logged_at`.
    Logs,
}

impl Preset {
    /// What its rows are among the events of an auction house; `None` where they are all events.
    const fn entity(self) -> Option<Entity> {
        match self {
            Self::NexmarkPersons => Some(Entity::Person),
            Self::NexmarkAuctions => Some(Entity::Auction),
            Self::NexmarkBids => Some(Entity::Bid),
            _ => None,
        }
    }

    /// The columns as a file would write them, of presets that are no part of Nexmark.
    const fn written(self) -> Option<&'static str> {
        Some(match self {
            Self::Payments => include_str!("../generate/presets/payments.json"),
            Self::Clicks => include_str!("../generate/presets/clicks.json"),
            Self::Sensors => include_str!("../generate/presets/sensors.json"),
            Self::Orders => include_str!("../generate/presets/orders.json"),
            Self::Rides => include_str!("../generate/presets/rides.json"),
            Self::Logins => include_str!("../generate/presets/logins.json"),
            Self::Logs => include_str!("../generate/presets/logs.json"),
            _ => return None,
        })
    }

    fn columns(self, seed: u64) -> Result<Vec<Generated>> {
        if let Some(written) = self.written() {
            let columns: Map<String, Value> = serde_json::from_str(written)
                .map_err(|e| Error::bug("read the columns of a preset").with_source(e))?;
            return columns.iter().map(|(name, options)| column(name, options, seed)).collect();
        }
        Ok(self.entity().map_or_else(|| bids::columns(seed), |entity| entity.columns(seed)))
    }
}

fn column(name: &str, options: &Value, seed: u64) -> Result<Generated> {
    let options: ColumnOptions = serde_json::from_value(options.clone())
        .map_err(|e| Error::config("SW2003", format!("read the generated column `{name}`: {e}")))?;
    options.build(name, seed)
}

const DEFAULT_EVENT_RATE: f64 = 100_000.0;

impl GenerateOptions {
    fn generated(&self) -> Result<Vec<Generated>> {
        let preset = self.preset.map(|preset| preset.columns(self.seed));
        let mut all = preset.transpose()?.unwrap_or_default();
        for (name, options) in &self.columns {
            all.push(column(name, options, self.seed)?);
        }
        let mut seen = HashSet::new();
        if let Some(twice) = all.iter().find(|c| !seen.insert(c.field.name().clone())) {
            let name = twice.field.name();
            return Err(Error::config("SW2003", format!("generate column `{name}` twice"))
                .with_hint("give the column another name than the preset's"));
        }
        match &self.only {
            None => Ok(all),
            Some(only) => keep(all, only),
        }
    }

    /// How many rows there are, of a stream that ends.
    fn rows(&self, start: Option<Timestamp>, slots: Slots, rate: f64) -> Result<Option<u64>> {
        let count = self.count.map(|events| slots.rows_of(events));
        let Some(until) = time("until", self.until.as_ref())? else {
            return Ok(count);
        };
        let Some(start) = start.filter(|start| *start < until) else {
            let what = "end the rows at a time without one at which they start before it";
            return Err(Error::config("SW2007", what)
                .with_hint("give a `start` earlier than `until`, or a `count`"));
        };
        let rows = Timeline { start: start.0, rate, slots }.rows_before(until.0);
        Ok(Some(count.map_or(rows, |count| count.min(rows))))
    }
}

fn time(name: &str, text: Option<&String>) -> Result<Option<Timestamp>> {
    let Some(text) = text else {
        return Ok(None);
    };
    let time = DateTime::parse_from_rfc3339(text).map_err(|e| {
        Error::config("SW2007", format!("read the time `{name}: {text}`"))
            .with_hint("write it like 2026-01-01T00:00:00Z")
            .with_source(e)
    })?;
    Ok(Some(Timestamp(time.timestamp_micros())))
}

fn keep(mut all: Vec<Generated>, only: &[String]) -> Result<Vec<Generated>> {
    let mut kept = Vec::with_capacity(only.len());
    for name in only {
        let Some(at) = all.iter().position(|c| c.field.name() == name) else {
            let names: Vec<&str> = all.iter().map(|c| c.field.name().as_str()).collect();
            return Err(Error::config("SW2003", format!("keep the column `{name}`"))
                .with_hint(format!("`only` takes each once of {}", names.join(", "))));
        };
        kept.push(all.remove(at));
    }
    Ok(kept)
}

fn rate(name: &str, rate: Option<f64>) -> Result<Option<f64>> {
    match rate {
        Some(rate) if !(rate > 0.0 && rate.is_finite()) => {
            Err(Error::config("SW2007", format!("generate with `{name}: {rate}`"))
                .with_hint("give rows per second above 0, or leave it out"))
        }
        rate => Ok(rate),
    }
}

impl SourceOptions for GenerateOptions {
    const KIND: &'static str = "generate";
    const EXAMPLE: &'static str = "\
name: made_up
sources:
  orders:
    generate:
      rate: 100
      count: 1000
      seed: 42
      columns:
        id: {sequence: {start: 1}}
        customer: {zipf: {values: 500}}
        amount: {uniform: {min: 1.0, max: 250.0, decimals: 2}}
        state: {choice: {values: [paid, open, cancelled], weights: [8, 1.5, 0.5]}}
        ordered_at: {timestamp: {}}
    event_time: {column: ordered_at}
sinks:
  screen: {input: orders, stdout: {}}
";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SourcePlan> {
        unused_fields::refuse_format(cx.node)?;
        unused_fields::refuse_schema(cx.node, "`generate` knows its columns")?;
        let columns = self.generated()?;
        if columns.is_empty() {
            return Err(Error::config("SW2003", "generate rows without columns")
                .with_hint("name a `preset` or some `columns`"));
        }
        let fields: Vec<Field> = columns.iter().map(|c| c.field.clone()).collect();
        let schema = Arc::new(Schema::new(fields));
        let paced = rate("rate", self.rate)?;
        let event_rate = rate("event_rate", self.event_rate)?;
        let entity = self.preset.and_then(Preset::entity);
        let slots = entity.map_or(Slots::ALL, Entity::slots);
        let event_rate = event_rate.or(paced).unwrap_or(DEFAULT_EVENT_RATE);
        let start = time("start", self.start.as_ref())?;
        let count = self.rows(start, slots, event_rate)?;
        let design = Arc::new(Design {
            event_time: EventTime::find(cx.node.event_time.as_ref(), &schema)?,
            columns,
            schema: Arc::clone(&schema),
            count,
            slots,
            rate: paced,
            start,
            event_rate,
            opened: OnceLock::new(),
        });
        Ok(SourcePlan {
            bounded: count.is_some(),
            replayable: true,
            ..SourcePlan::new(
                schema,
                Arc::new(move |_| Ok(Box::new(Generator::new(Arc::clone(&design))))),
            )
        })
    }
}

#[cfg(test)]
#[path = "generate/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "generate/nexmark_tests.rs"]
mod nexmark_tests;
