//! The `postgres` sink: rows into a table of PostgreSQL.

mod features;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::Schema;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::{Duration, Secret};
use swiftwater_engine::stream::OP_COLUMN;
use swiftwater_engine::{Changes, Error, NodeContext, Result, Sink, SinkOptions, SinkPlan};

use crate::postgres::{
    Column, PostgresSink, Server, ServerOptions, Settings, SslMode, TableName, Wanted, ddl,
};
use crate::unused_fields;

pub use features::PostgresFeatures;

/// Writes rows into a table of PostgreSQL by binary COPY.
///
/// Columns go by their names: each column of the input is one of the table. With a `key`, a row
/// replaces the table's row of the same key; the last row of a key wins. Rows of an upsert stream,
/// such as that of a running aggregate, need the `key` of the stream, and a `delete` takes the
/// key's row out of the table. Without a `key`, every row is inserted.
///
/// With `features`, the table holds the newest features of each entity: the key is the entity, and a row
/// with an older event time never replaces what is there, whichever comes first.
///
/// A batch is one transaction, and is acknowledged when PostgreSQL has committed it. A row that the
/// table refuses (a number out of range, a null where none may be, a text too long, a broken
/// constraint) is set aside alone, as `on_error` says. When the connection breaks, it is made again,
/// for as long as `retry: {budget: …}` of the topology allows. What was under way may then be
/// written again: a table with a `key` comes out the same.
///
/// With `guarantee: exactly_once`, rows wait in a table `swiftwater_staging_…` beside the target until
/// their epoch is committed, and then go into the target in one transaction, together with the
/// epoch's number in `swiftwater_epochs`: readers see whole epochs, each once, whatever is killed. The
/// user needs the right to make tables there and to end its own sessions.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresSinkOptions {
    /// Address such as `postgres://user:password@host:5432/database`, best from a secret file.
    /// `user`, `password` and `database` replace those in it.
    #[serde(default)]
    pub url: Option<Secret>,
    /// Host name, or the directory of a Unix socket.
    #[serde(default)]
    pub host: Option<String>,
    /// Port; 5432 without it.
    #[serde(default)]
    pub port: Option<u16>,
    /// User name.
    #[serde(default)]
    pub user: Option<String>,
    /// Password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Database; the one named like the user without it.
    #[serde(default)]
    pub database: Option<String>,
    /// Encryption: `disable`, `require` or `verify_full`. Without it `verify_full`, or `disable` for
    /// a server on this machine.
    #[serde(default)]
    pub sslmode: Option<SslMode>,
    /// PEM file of the certificate authorities to trust; those of the system without it.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The table, `features` or `schema.features`.
    pub table: String,
    /// Columns that identify a row. The table needs a primary key or a unique index of exactly
    /// these.
    #[serde(default)]
    pub key: Vec<String>,
    /// Writes rows as features of entities, in the place of `key`.
    #[serde(default)]
    pub features: Option<PostgresFeatures>,
    /// Columns that are written beside those of the key and the event time of `features`; all of
    /// them without it.
    #[serde(default)]
    pub values: Vec<String>,
    /// Makes the table from the columns that are written where it does not exist.
    #[serde(default)]
    pub create: bool,
    /// How long a connection or a statement may take.
    #[serde(default = "a_minute")]
    pub timeout: Duration,
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

fn wrong(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::config("SW2202", message).with_hint(hint)
}

impl PostgresSinkOptions {
    fn server(&self) -> Result<(Server, Vec<String>)> {
        Server::check(&ServerOptions {
            url: self.url.as_ref(),
            host: self.host.as_deref(),
            port: self.port,
            user: self.user.as_deref(),
            password: self.password.as_ref(),
            database: self.database.as_deref(),
            sslmode: self.sslmode,
            ca_file: self.ca_file.as_ref(),
            timeout: self.timeout.0,
        })
    }

    /// The key, held against the columns and against that of an upsert stream.
    fn check_key(&self, schema: &Schema, changes: &Changes) -> Result<()> {
        for (place, name) in self.key.iter().enumerate() {
            if schema.field_with_name(name).is_err() {
                let there: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
                return Err(wrong(
                    format!("find rows by the column `{name}`"),
                    format!("the input has {}", there.join(", ")),
                ));
            }
            if self.key.iter().skip(place + 1).any(|other| other == name) {
                return Err(wrong(format!("use `{name}` twice in `key`"), "name each column once"));
            }
        }
        if let Changes::Upsert { key } = changes {
            let same = key.len() == self.key.len() && key.iter().all(|k| self.key.contains(k));
            if !same {
                let key = key.join(", ");
                return Err(wrong(
                    format!(
                        "write rows that replace each other by [{key}] with `key: [{}]`",
                        self.key.join(", ")
                    ),
                    format!("set `key: [{key}]`"),
                ));
            }
        }
        Ok(())
    }
}

impl PostgresSinkOptions {
    /// Places of the columns that are written, in the input's order.
    fn places(&self, schema: &Schema, op: Option<usize>) -> Result<Vec<usize>> {
        if let Some(name) = self.values.iter().find(|name| schema.index_of(name).is_err()) {
            return Err(wrong(
                format!("write the column `{name}`"),
                "name columns of the input in `values`",
            ));
        }
        let named = |name: &String| self.values.contains(name) || self.key.contains(name);
        let all = schema.fields().iter().enumerate().filter(|(place, _)| Some(*place) != op);
        let written = all.filter(|(_, field)| self.values.is_empty() || named(field.name()));
        Ok(written.map(|(place, _)| place).collect())
    }
}

impl SinkOptions for PostgresSinkOptions {
    const KIND: &'static str = "postgres";
    const EXAMPLE: &'static str = "\
name: bids_to_postgres
sources:
  bids: {generate: {preset: bids, rate: 1000}}
sinks:
  table:
    input: bids
    postgres:
      host: localhost
      user: \"${PGUSER:-swiftwater}\"
      password: \"${PGPASSWORD:-}\"
      database: features
      table: bids
      create: true
    on_error: {dead_letter: refused}
  refused: {stdout: {}}
";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SinkPlan> {
        unused_fields::refuse_schema(cx.node, "a sink writes the columns of its input")?;
        unused_fields::refuse_format(cx.node)?;
        if self.table.trim().is_empty() {
            return Err(wrong("write to a table without a name", "give `table: features`"));
        }
        let input = cx.input()?;
        let changes = cx.stream(0).changes;
        let (server, warnings) = self.server()?;
        let upsert = matches!(changes, Changes::Upsert { .. });
        let op = input.index_of(OP_COLUMN).ok().filter(|_| upsert);
        let (view, kept) = self.view(cx)?.unzip();
        let (key, newest, places) = match view {
            Some(view) => (view.entity, Some(view.event_time), view.places),
            None => {
                self.check_key(&input, &changes)?;
                (self.key.clone(), None, self.places(&input, op)?)
            }
        };
        let keyed = !key.is_empty();
        let wanted = Wanted {
            name: TableName::parse(&self.table),
            schema: Arc::new(input.project(&places)?),
            places,
            key,
            newest,
            create: self.create,
        };
        if self.create {
            ddl(&wanted)?;
        }
        let op = op.map(Column::op);
        let settings = Arc::new(Settings { server, wanted, op, view: kept });
        let make = move || Ok(Box::new(PostgresSink::new(Arc::clone(&settings))) as Box<dyn Sink>);
        Ok(SinkPlan {
            warnings,
            exactly_once: true,
            takes_upserts: keyed,
            ..SinkPlan::new(Arc::new(make))
        })
    }
}
