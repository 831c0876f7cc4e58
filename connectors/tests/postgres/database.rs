//! A schema of its own for each test, looked at with a plain client, and sinks that write to it.

use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde_json::{Value, json};
use swiftwater_config::{NodeConfig, Role};
use swiftwater_connectors::catalog::PostgresSinkOptions;
use swiftwater_engine::{ExactlyOnce, NodeContext, Result, Sink, SinkOptions, SinkPlan, Stream};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::server;
use crate::sink::{open_planned, rows};

/// The server's address.
pub(crate) fn url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| server::shared("SWIFTWATER_TEST_POSTGRES", "postgres.sh"))
}

/// A schema of one test.
pub(crate) struct Database {
    runtime: Runtime,
    client: Client,
    pub(crate) schema: String,
}

impl Database {
    pub(crate) fn new(test: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let (client, connection) = runtime
            .block_on(url().parse::<tokio_postgres::Config>().unwrap().connect(NoTls))
            .unwrap();
        runtime.spawn(connection);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let database = Self { runtime, client, schema: format!("{test}_{now}") };
        database.run(&format!("CREATE SCHEMA {}", database.schema));
        database
    }

    /// Runs statements; `$s` is the schema.
    pub(crate) fn run(&self, sql: &str) {
        let sql = sql.replace("$s", &self.schema);
        self.runtime.block_on(self.client.batch_execute(&sql)).unwrap();
    }

    /// Rows as text, columns with `|` between them; `~` for null.
    pub(crate) fn query(&self, sql: &str) -> Vec<String> {
        let sql = sql.replace("$s", &self.schema);
        let rows = self.runtime.block_on(self.client.simple_query(&sql)).unwrap();
        let text = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => {
                let cells = (0..row.len()).map(|i| row.get(i).unwrap_or("~"));
                Some(cells.collect::<Vec<_>>().join("|"))
            }
            _ => None,
        };
        rows.iter().filter_map(text).collect()
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.query(sql)[0].parse().unwrap()
    }

    /// Options of a sink that writes to `table` of the schema.
    pub(crate) fn options(&self, table: &str, mut options: Value) -> Value {
        options["url"] = url().into();
        options["table"] = format!("{}.{table}", self.schema).into();
        options
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.run("DROP SCHEMA $s CASCADE");
        }
    }
}

pub(crate) fn plan(options: &Value, schema: &SchemaRef, stream: Stream) -> Result<SinkPlan> {
    let node = NodeConfig::new(Role::Sink, "node", "postgres", options.clone());
    let options: PostgresSinkOptions = serde_json::from_value(options.clone()).unwrap();
    let inputs = [Arc::clone(schema)];
    options.plan(&NodeContext { topology: "t", node: &node, inputs: &inputs, streams: &[stream] })
}

pub(crate) fn try_open(
    options: &Value,
    schema: &SchemaRef,
    stream: Stream,
    exactly_once: Option<ExactlyOnce>,
) -> Result<Box<dyn Sink>> {
    let plan = plan(options, schema, stream)?;
    open_planned(&plan, options["table"].as_str().unwrap(), exactly_once)
}

pub(crate) fn open(options: &Value, schema: &SchemaRef) -> Box<dyn Sink> {
    try_open(options, schema, Stream::append(), None).unwrap()
}

pub(crate) fn numbers(range: std::ops::Range<i64>) -> RecordBatch {
    let all: Vec<Value> = range.map(|n| json!({"n": n, "text": format!("row {n}")})).collect();
    rows(json!({"n": "int64!", "text": "utf8"}), all.into())
}
