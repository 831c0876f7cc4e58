//! The `redis` sink: rows by their keys in Redis.

mod features;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::Schema;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::{Duration, Secret};
use swiftwater_engine::stream::OP_COLUMN;
use swiftwater_engine::{Changes, Error, NodeContext, Result, Sink, SinkOptions, SinkPlan};

use crate::codec::{self, CodecContext};
use crate::redis::{Layout, RedisSink, Rows, Server, ServerOptions, Settings, Template, Written};
use crate::unused_fields;

pub use features::FeatureOptions;

/// Writes rows to Redis, each under its key; a later row of a key replaces the earlier one.
///
/// `hash` (without a `layout`) sets a field for each column, `json` writes the row as a JSON object,
/// `string` the value of one column. Of a hash, only the fields of the sink's own columns are
/// touched: several sinks may share it. A null takes its field (or with `string` its key) away, and so
/// does the `delete` of an upsert stream. Values are text, in the forms of the message format `json`.
///
/// With `features`, a row is the features of an entity: all its fields and its event time are compared
/// and set in one step inside Redis, so that a row with an older event time never replaces a newer one,
/// whatever the order of arrival and however many writers there are. Of rows of the same event time
/// the later one counts. A `delete` takes the view's fields away unless something newer is there. With
/// `layout: feast`, the SDK of Feast reads them: a null is a value without content, timestamps
/// are whole seconds.
///
/// Batches are sent in a pipeline, and are acknowledged when Redis has answered. A row whose key
/// holds something of another type, or has a null in it, is set aside as `on_error` says. When the
/// connection breaks, it is made again; rows written twice come out the same.
///
/// With `guarantee: exactly_once`, rows wait in Redis under `sw:{topology:sink}:…` until their epoch is
/// committed; a script then writes them and notes the epoch, so that an earlier epoch never comes
/// after a later one. Up to 20000 rows of an epoch appear in one step. Redis should persist what it
/// holds (`appendonly yes`) and evict nothing (`maxmemory-policy noeviction`); what it loses in a crash
/// is noticed at the next epoch or start. One server is written to, not a cluster.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisOptions {
    /// Address such as `redis://localhost:6379/0`, `rediss://…` for TLS, or `redis+unix:///path`.
    pub url: Secret,
    /// User name, where it is not in `url`.
    #[serde(default)]
    pub username: Option<String>,
    /// Password, where it is not in `url`.
    #[serde(default)]
    pub password: Option<Secret>,
    /// PEM file of the certificate authority to trust instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Key of a row, with columns in braces: `features:{bidder}`. `{{` and `}}` stand for braces
    /// themselves. Required without `features`.
    #[serde(default)]
    pub key: Option<String>,
    /// What a row becomes: `hash` (without it), `json` or `string`.
    #[serde(default)]
    pub layout: Option<Layout>,
    /// Writes rows as features of entities, in the place of `key` and `layout`.
    #[serde(default)]
    pub features: Option<FeatureOptions>,
    /// Columns that are written; without it all but those of the key. `string` takes one.
    #[serde(default)]
    pub values: Vec<String>,
    /// How long a key lives after it was last written; for ever without it.
    #[serde(default)]
    pub ttl: Option<Duration>,
    /// How long an answer may take.
    #[serde(default = "ten_seconds")]
    pub timeout: Duration,
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn wrong(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::config("SW2212", message).with_hint(hint)
}

impl RedisOptions {
    /// The columns that are written, with their places.
    fn written(
        &self,
        schema: &Schema,
        key: &Template,
        op: Option<usize>,
    ) -> Result<Vec<(String, usize)>> {
        let all = schema.fields().iter().enumerate();
        let names: Vec<(String, usize)> = if self.values.is_empty() {
            all.filter(|(place, field)| Some(*place) != op && !key.columns.contains(field.name()))
                .map(|(place, field)| (field.name().clone(), place))
                .collect()
        } else {
            let place = |name: &String| {
                schema.index_of(name).map(|place| (name.clone(), place)).map_err(|_| {
                    wrong(
                        format!("write the column `{name}`"),
                        "name columns of the input in `values`",
                    )
                })
            };
            self.values.iter().map(place).collect::<Result<_>>()?
        };
        if names.is_empty() {
            return Err(wrong(
                "write rows that are nothing but their key",
                "name columns in `values`",
            ));
        }
        if self.layout == Some(Layout::String) && names.len() != 1 {
            let names: Vec<String> = names.into_iter().map(|(name, _)| name).collect();
            return Err(wrong(
                format!("write {} as one string", names.join(", ")),
                "name one column in `values`, or use `layout: hash`",
            ));
        }
        Ok(names)
    }

    fn server(&self) -> Result<(Server, Vec<String>)> {
        Server::check(&ServerOptions {
            url: &self.url,
            username: self.username.as_deref(),
            password: self.password.as_ref(),
            ca_file: self.ca_file.as_deref(),
            timeout: self.timeout.0,
        })
    }

    /// Rows by a template, with what makes the JSON of a row.
    fn rows(
        &self,
        input: &Schema,
        cx: &NodeContext<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<(Rows, Option<codec::MakeEncoder>)> {
        let Some(template) = &self.key else {
            return Err(wrong(
                "write rows without keys",
                "give `key`, such as `key: \"bid:{bidder}\"`, or `features`",
            ));
        };
        let key = Template::parse(template)?;
        check_key(&key, &cx.stream(0).changes)?;
        if key.columns.len() > 1 && template.contains("}{") {
            warnings.push(
                "columns of the key stand side by side: `1` and `23` make the key of `12` and `3`"
                    .into(),
            );
        }
        let op = op_place(input, cx);
        let values = self.written(input, &key, op)?;
        let places: Vec<usize> = values.iter().map(|(_, place)| *place).collect();
        let node = CodecContext { topic: None, node: &cx.node.name };
        let layout = self.layout.unwrap_or_default();
        let encoder = match layout {
            Layout::Json => Some(codec::encoder(None, Arc::new(input.project(&places)?), &node)?),
            Layout::Hash | Layout::String => None,
        };
        let key_places = key.places(input)?;
        let ttl = self.ttl.map(|ttl| ttl.0);
        Ok((Rows { layout, key, key_places, values, op, ttl }, encoder))
    }
}

/// Place of the column that says what a row of an upsert stream does.
fn op_place(schema: &Schema, cx: &NodeContext<'_>) -> Option<usize> {
    schema.index_of(OP_COLUMN).ok().filter(|_| cx.stream(0).is_upsert())
}

/// The key must tell rows of an upsert stream apart as the stream does.
fn check_key(key: &Template, changes: &Changes) -> Result<()> {
    let Changes::Upsert { key: of_stream } = changes else { return Ok(()) };
    let same = of_stream.len() == key.columns.len()
        && of_stream.iter().all(|column| key.columns.contains(column));
    if same {
        return Ok(());
    }
    let columns: Vec<String> = of_stream.iter().map(|column| format!("{{{column}}}")).collect();
    Err(wrong(
        format!(
            "write rows that replace each other by [{}] under a key of [{}]",
            of_stream.join(", "),
            key.columns.join(", ")
        ),
        format!("make the key of these columns, such as `{}`", columns.join(":")),
    ))
}

impl SinkOptions for RedisOptions {
    const KIND: &'static str = "redis";
    const EXAMPLE: &'static str = "\
name: features_to_redis
sources:
  bids: {generate: {preset: bids, rate: 1000}}
sinks:
  latest:
    input: bids
    redis:
      url: \"${REDIS:-redis://localhost:6379/0}\"
      key: \"bid:{bidder}\"
      values: [auction, price, date_time]
      ttl: 1h
";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SinkPlan> {
        unused_fields::refuse_schema(cx.node, "a sink writes the columns of its input")?;
        unused_fields::refuse_format(cx.node)?;
        let input = cx.input()?;
        let (server, mut warnings) = self.server()?;
        if self.ttl.is_some_and(|ttl| ttl.0.as_millis() == 0) {
            return Err(wrong("let keys live for `ttl: 0s`", "give 1ms or more, or leave it out"));
        }
        let (written, encoder) = match &self.features {
            Some(features) => {
                if self.key.is_some() || self.layout.is_some() {
                    return Err(wrong(
                        "use `features` beside `key` or `layout`",
                        "`features` makes keys of its own, and has a `layout` of its own",
                    ));
                }
                (Written::Features(features.rows(&self, cx)?), None)
            }
            None => {
                let (rows, encoder) = self.rows(&input, cx, &mut warnings)?;
                (Written::Rows(rows), encoder)
            }
        };
        let settings = Arc::new(Settings { server, written, encoder });
        let make = move || Ok(Box::new(RedisSink::new(Arc::clone(&settings))?) as Box<dyn Sink>);
        Ok(SinkPlan {
            warnings,
            exactly_once: true,
            takes_upserts: true,
            ..SinkPlan::new(Arc::new(make))
        })
    }
}
