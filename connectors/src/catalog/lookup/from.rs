//! Where a lookup finds its rows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use swiftwater_config::{Duration, NodeConfig, Role, Secret};
use swiftwater_engine::{Error, NodeContext, Result, SourceOptions, schema as columns};

use crate::catalog::{FilesSourceOptions, SslMode};
use crate::files::format::FileFormat;
use crate::lookup::{
    Asking, Backend, Columns, FileTable, HttpTable, MakeBackend, Objects, PostgresTable,
    RedisTable, Table, http_client,
};
use crate::postgres::{Server as PostgresServer, ServerOptions as PostgresServerOptions};
use crate::redis::{Layout, Server as RedisServer, ServerOptions as RedisServerOptions, Template};

/// Where rows are looked up.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LookupFrom {
    /// Rows that stand here, each with the columns of the key and those that are added.
    Rows(
        #[schemars(
            description = "Rows that stand here, each with the columns of the key and those that are added."
        )]
        LookupRows,
    ),
    /// Files, held in memory.
    File(LookupFile),
    /// A query of PostgreSQL.
    Postgres(LookupPostgres),
    /// Keys of Redis.
    Redis(LookupRedis),
    /// An HTTP service that answers with JSON.
    Http(LookupHttp),
}

/// Rows that stand in the topology.
pub type LookupRows = Vec<Map<String, Value>>;

/// A table from files, held in memory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupFile {
    /// A file, a directory or a pattern, on disk or in an object store, as of the `files` source.
    pub path: String,
    /// The makings of the files, where the extension does not tell.
    #[serde(default)]
    pub format: Option<FileFormat>,
    /// Columns of the files that are compared with the node's `key`, in its order; without it those
    /// of the same names.
    #[serde(default)]
    pub key: Vec<String>,
    /// How often the files are read anew; never without it. Move files in whole.
    #[serde(default)]
    pub refresh: Option<Duration>,
}

/// A query of PostgreSQL.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupPostgres {
    /// Address such as `postgres://user:password@host:5432/database`.
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
    /// The query, with an array parameter for each column of the key. Its columns are named like those
    /// of `key` and `add`: `SELECT id AS bidder, name FROM people WHERE id = ANY($1)`.
    pub query: String,
    /// How long a connection or the query may take.
    #[serde(default = "ten_seconds")]
    pub timeout: Duration,
}

/// Keys of Redis.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupRedis {
    /// Address such as `redis://localhost:6379/0`, or `rediss://…` for TLS.
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
    /// Key of a row, with columns of the node's `key` in braces: `user:{bidder}`.
    pub key: String,
    /// What is there: `hash`, with fields named like the columns of `add`; `json`, a string that holds
    /// an object of them; `string`, the value of the only one.
    #[serde(default)]
    pub layout: Layout,
    /// How long an answer may take.
    #[serde(default = "ten_seconds")]
    pub timeout: Duration,
}

/// An HTTP service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupHttp {
    /// Address of a row, with columns of the node's `key` in braces: `https://host/users/{bidder}`. It
    /// is asked by GET and answers with an object of the columns of `add`, or with 404. With `batch`, the
    /// address of all rows, without columns.
    pub url: String,
    /// Asks for so many rows at once: by POST of an array of objects with the columns of the key,
    /// answered by an array of objects with the columns of the key and of `add`.
    #[serde(default)]
    pub batch: Option<usize>,
    /// Headers of every request.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// PEM file of certificate authorities to trust beside those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How long an answer may take.
    #[serde(default = "ten_seconds")]
    pub timeout: Duration,
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn wrong(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::config("SW2231", message).with_hint(hint)
}

type Planned = (MakeBackend, Vec<String>);

impl LookupFrom {
    /// Checks the options; with what `check` should warn about.
    ///
    /// # Errors
    /// `Config`, naming the option.
    pub(super) fn plan(self, columns: &Columns, cx: &NodeContext<'_>) -> Result<Planned> {
        match self {
            Self::Rows(rows) => Ok((inline(&rows, columns)?, Vec::new())),
            Self::File(file) => Ok((file.plan(columns, cx)?, Vec::new())),
            Self::Postgres(postgres) => postgres.plan(columns),
            Self::Redis(redis) => redis.plan(columns),
            Self::Http(http) => Ok((http.plan(columns)?, Vec::new())),
        }
    }
}

fn inline(rows: &LookupRows, columns: &Columns) -> Result<MakeBackend> {
    let known = columns.all();
    for row in rows {
        if let Some(stray) = row.keys().find(|name| known.field_with_name(name).is_err()) {
            return Err(wrong(
                format!("read the column `{stray}` of a row in `rows`"),
                "rows have the columns of `key` and `add`",
            ));
        }
    }
    let mut objects = Objects::new(known, "`rows`".to_owned())?;
    let texts: Vec<String> =
        rows.iter().map(|row| Value::Object(row.clone()).to_string()).collect();
    let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    let decoded = objects.decode(&texts).map_err(|error| {
        wrong(error.message, "write the values of `rows` as the types of `key` and `add`")
    })?;
    let columns = columns.clone();
    Ok(Arc::new(move || -> Result<Box<dyn Backend>> {
        Ok(Box::new(Table::new(&columns, &decoded)?))
    }))
}

impl LookupFile {
    fn plan(self, columns: &Columns, cx: &NodeContext<'_>) -> Result<MakeBackend> {
        let names = if self.key.is_empty() {
            columns.key.fields().iter().map(|f| f.name().clone()).collect()
        } else {
            self.key.clone()
        };
        if names.len() != columns.key.fields().len() {
            return Err(wrong(
                format!(
                    "compare {} columns with [{}]",
                    columns.key.fields().len(),
                    names.join(", ")
                ),
                "`file: {key: [..]}` names one column for each of the node's `key`",
            ));
        }
        if self.refresh.is_some_and(|refresh| refresh.0.is_zero()) {
            return Err(wrong(
                "read files anew with `refresh: 0s`",
                "give it some time, such as `60s`",
            ));
        }
        let key = columns.key.fields().iter().zip(names);
        let key = key.map(|(field, name)| (name, Value::from(columns::name(field.data_type()))));
        let added = columns.declared.iter().map(|(name, of)| (name.clone(), nullable(of)));
        let declared: Map<String, Value> = key.chain(added).collect();
        let mut node = NodeConfig::new(Role::Source, &cx.node.name, "files", Value::Null);
        node.schema = Some(declared);
        let mut options = Map::from_iter([("path".to_owned(), Value::from(self.path))]);
        if let Some(format) = self.format {
            options.insert("format".into(), format.name().into());
        }
        let options: FilesSourceOptions = serde_json::from_value(Value::Object(options))
            .map_err(|e| Error::bug("read the files of a lookup").with_source(e))?;
        let source = NodeContext { topology: cx.topology, node: &node, inputs: &[], streams: &[] };
        let plan = Arc::new(options.plan(&source)?);
        let (columns, refresh) = (columns.clone(), self.refresh.map(|refresh| refresh.0));
        Ok(Arc::new(move || -> Result<Box<dyn Backend>> {
            Ok(Box::new(FileTable::new(Arc::clone(&plan), columns.clone(), refresh)))
        }))
    }
}

impl LookupPostgres {
    fn plan(self, columns: &Columns) -> Result<Planned> {
        let (server, warnings) = PostgresServer::check(&PostgresServerOptions {
            url: self.url.as_ref(),
            host: self.host.as_deref(),
            port: self.port,
            user: self.user.as_deref(),
            password: self.password.as_ref(),
            database: self.database.as_deref(),
            sslmode: self.sslmode,
            ca_file: self.ca_file.as_ref(),
            timeout: self.timeout.0,
        })?;
        if !self.query.contains("$1") {
            return Err(wrong(
                "look rows up with a query that does not ask for keys",
                "compare the key with an array: `WHERE id = ANY($1)`",
            ));
        }
        let columns = columns.clone();
        let make: MakeBackend = Arc::new(move || -> Result<Box<dyn Backend>> {
            let table = PostgresTable::new(server.clone(), &self.query, columns.clone())?;
            Ok(Box::new(table))
        });
        Ok((make, warnings))
    }
}

/// A declared type without its `!`: a file may lack the column.
fn nullable(declared: &Value) -> Value {
    match declared.as_str() {
        Some(text) => text.trim_end_matches('!').into(),
        None => declared.clone(),
    }
}

/// A key or an address of columns of the node's key.
fn template(text: &str, columns: &Columns) -> Result<Template> {
    let template = Template::parse(text)?;
    template.places(&columns.key)?;
    Ok(template)
}

impl LookupRedis {
    fn plan(self, columns: &Columns) -> Result<Planned> {
        let (server, warnings) = RedisServer::check(&RedisServerOptions {
            url: &self.url,
            username: self.username.as_deref(),
            password: self.password.as_ref(),
            ca_file: self.ca_file.as_deref(),
            timeout: self.timeout.0,
        })?;
        let key = template(&self.key, columns)?;
        if self.layout == Layout::String && columns.added.fields().len() != 1 {
            return Err(wrong(
                "read several columns from one string",
                "add one column, or use `layout: json`",
            ));
        }
        let nested = columns.added.fields().iter().find(|f| f.data_type().is_nested());
        if let Some(field) = nested.filter(|_| self.layout != Layout::Json) {
            let message = format!("read `{}`, a nested value, from a text of Redis", field.name());
            return Err(wrong(message, "use `layout: json`"));
        }
        let (columns, layout) = (columns.clone(), self.layout);
        let make: MakeBackend = Arc::new(move || -> Result<Box<dyn Backend>> {
            let table = RedisTable::new(server.clone(), key.clone(), layout, columns.clone())?;
            Ok(Box::new(table))
        });
        Ok((make, warnings))
    }
}

impl LookupHttp {
    fn plan(self, columns: &Columns) -> Result<MakeBackend> {
        let asking = match self.batch {
            None => Asking::Each(template(&self.url, columns)?),
            Some(0) => return Err(wrong("ask for `batch: 0` rows at once", "give 1 or more")),
            Some(size) => Asking::Many(self.url.clone(), size),
        };
        let sample = match &asking {
            Asking::Each(template) => template.key(|_| Some(b"1")).unwrap_or_default(),
            Asking::Many(url, _) => url.clone().into_bytes(),
        };
        let example = "give a whole address, such as `https://example.com/users/{bidder}`";
        let sample = String::from_utf8_lossy(&sample).into_owned();
        let url =
            url::Url::parse(&sample).map_err(|e| wrong(format!("read `url`: {e}"), example))?;
        let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https"));
        let host = host.ok_or_else(|| wrong("send requests to this `url`", example))?.to_owned();
        if self.timeout.0.is_zero() {
            return Err(wrong(
                "wait for answers with `timeout: 0s`",
                "give it some time, such as `10s`",
            ));
        }
        let columns = columns.clone();
        Ok(Arc::new(move || -> Result<Box<dyn Backend>> {
            let client = http_client(&self.headers, self.ca_file.as_deref(), self.timeout.0)?;
            let table = HttpTable::new(client, asking.clone(), host.clone(), columns.clone())?;
            Ok(Box::new(table))
        }))
    }
}
