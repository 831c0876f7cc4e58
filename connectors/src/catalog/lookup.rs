//! The `lookup` operator: columns from elsewhere, by key.

mod from;

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use swiftwater_config::Duration;
use swiftwater_engine::{
    Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Result, schema as columns,
};

use crate::lookup::{CacheLimits, Columns, Lookup, LookupMetrics, OnMiss, Settings};
use crate::unused_fields;

pub use from::{LookupFile, LookupFrom, LookupHttp, LookupPostgres, LookupRedis, LookupRows};

/// Adds columns to rows that are looked up elsewhere by key.
///
/// Rows come from a file (held in memory and read anew every so often), from PostgreSQL, Redis or an
/// HTTP service (asked once for all keys of a batch, behind a cache), or stand in the topology
/// itself. Rows keep their order. A null in the key finds nothing.
///
/// A store that is away is asked again for the time of `retry`; rows wait meanwhile. What is found
/// depends on when it is asked for: after a crash, rows that are read again may find something newer.
/// For answers that depend on the row's own time, read both as streams and `join` them.
///
/// `swiftwater_lookup_rows_total` counts rows found, missing and cached, and failed calls;
/// `swiftwater_lookup_seconds` is the time of calls.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupOptions {
    /// Columns of the input that make the key.
    pub key: Vec<String>,
    /// The columns that are added, with their types as in a `schema`: `{name: utf8, age: int32}`.
    pub add: Map<String, Value>,
    /// Where rows are looked up: `rows`, `file`, `postgres`, `redis` or `http`.
    pub from: LookupFrom,
    /// What becomes of a row for which nothing is found: `keep` it with nulls, `drop` it, `reject` it
    /// as `on_error` says, or `fail`.
    #[serde(default)]
    pub on_miss: OnMiss,
    /// What is remembered of PostgreSQL, Redis and HTTP; tables in memory need no cache.
    #[serde(default)]
    pub cache: LookupCache,
    /// How long a store that is away is asked again before the topology stops.
    #[serde(default = "a_minute")]
    pub retry: Duration,
}

/// What a lookup remembers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LookupCache {
    /// Most keys for each of the node's tasks; 0 remembers nothing.
    pub rows: usize,
    /// How long a row holds.
    pub ttl: Duration,
    /// How long it holds that a key has no row.
    pub missing: Duration,
}

impl Default for LookupCache {
    fn default() -> Self {
        Self { rows: 100_000, ttl: Duration::from_secs(60), missing: Duration::from_secs(5) }
    }
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

fn wrong(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::config("SW2231", message).with_hint(hint)
}

impl LookupOptions {
    /// Columns of the key with their places in the input.
    fn key(&self, input: &Schema) -> Result<(SchemaRef, Vec<usize>)> {
        if self.key.is_empty() {
            return Err(wrong(
                "look rows up without a key",
                "name columns of the input: `key: [bidder]`",
            ));
        }
        let place = |name: &String| {
            input.index_of(name).map_err(|_| {
                let there: Vec<&str> = input.fields().iter().map(|f| f.name().as_str()).collect();
                wrong(
                    format!("look rows up by the column `{name}`"),
                    format!("the input has {}", there.join(", ")),
                )
            })
        };
        let places: Vec<usize> = self.key.iter().map(place).collect::<Result<_>>()?;
        Ok((Arc::new(input.project(&places)?), places))
    }

    /// The added columns; they may be null, whatever was declared.
    fn added(&self, input: &Schema) -> Result<SchemaRef> {
        let declared = columns::from_config(&self.add)?;
        if declared.fields().is_empty() {
            return Err(wrong("add no columns", "declare them: `add: {name: utf8}`"));
        }
        let mut fields: Vec<Field> = Vec::new();
        for field in declared.fields() {
            if input.field_with_name(field.name()).is_ok() {
                return Err(wrong(
                    format!("add the column `{}`, which the input has already", field.name()),
                    "rename or drop one of them with a `select` before",
                ));
            }
            fields.push(field.as_ref().clone().with_nullable(true));
        }
        Ok(Arc::new(Schema::new(fields)))
    }
}

impl OperatorOptions for LookupOptions {
    const KIND: &'static str = "lookup";
    const EXAMPLE: &'static str = "\
name: enriched_bids
sources:
  bids: {generate: {preset: bids, count: 1000}}
operators:
  priced:
    input: bids
    lookup:
      key: [channel]
      add: {cost: float64, owner: utf8}
      from:
        rows:
          - {channel: Google, cost: 0.5, owner: search}
          - {channel: Facebook, cost: 0.25, owner: social}
      on_miss: keep
sinks:
  out: {input: priced, stdout: {}}
";

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        unused_fields::refuse_format(cx.node)?;
        unused_fields::refuse_schema(cx.node, "a lookup declares its columns in `add`")?;
        let input = cx.input()?;
        let (key, places) = self.key(&input)?;
        let columns = Columns { key, added: self.added(&input)?, declared: self.add.clone() };
        let (backend, warnings) = self.from.plan(&columns, cx)?;
        let fields = input.fields().iter().chain(columns.added.fields()).cloned();
        let output = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let cache = CacheLimits {
            rows: self.cache.rows,
            ttl: self.cache.ttl.0,
            missing: self.cache.missing.0,
        };
        let settings = Arc::new(Settings {
            columns,
            places,
            output: Arc::clone(&output),
            on_miss: self.on_miss,
            cache,
            retry: self.retry.0,
            metrics: LookupMetrics::default(),
        });
        let make = Arc::new(move |_| -> Result<Box<dyn Operator>> {
            let lookup = Lookup::new(Arc::clone(&settings), backend()?)?;
            Ok(Box::new(lookup))
        });
        // A row that takes an earlier one back must go the same way as that one.
        let takes_upserts = matches!(self.on_miss, OnMiss::Keep | OnMiss::Fail);
        Ok(OperatorPlan { warnings, takes_upserts, ..OperatorPlan::stateless(output, make) })
    }
}

#[cfg(test)]
#[path = "lookup/tests.rs"]
mod tests;
