//! A schema of its own for each test, looked at with a plain client, and sinks that write to it.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde_json::{Value, json};
use swiftwater_config::{NodeConfig, Role};
use swiftwater_connectors::catalog::PostgresSinkOptions;
use swiftwater_engine::metrics::{Metrics, SinkMetrics};
use swiftwater_engine::{
    Batch, Clock, Error, ErrorKind, ExactlyOnce, NodeContext, Readings, Result, Sink, SinkContext,
    SinkOptions, SinkPlan, Stream, Timestamp,
};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::server;

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
    let mut sink = (plan(options, schema, stream)?.make)()?;
    sink.open(SinkContext {
        shared: Arc::default(),
        exactly_once,
        // Tests run at the same time in one database: each has a topology of its own.
        topology: options["table"].as_str().unwrap().to_owned(),
        node: "node".into(),
        buffer_bytes: 64 << 20,
        retry_budget: Duration::from_secs(60),
        clock: Clock::system(),
        metrics: SinkMetrics::new(&Metrics::new("t").unwrap(), "node"),
    })?;
    Ok(sink)
}

pub(crate) fn open(options: &Value, schema: &SchemaRef) -> Box<dyn Sink> {
    try_open(options, schema, Stream::append(), None).unwrap()
}

pub(crate) fn batch(records: RecordBatch) -> Batch {
    Batch::new(records, Readings::polled_at(Timestamp(0)))
}

/// Rows from JSON, with the columns of a topology file's `schema`.
pub(crate) fn rows(columns: Value, rows: Value) -> RecordBatch {
    let schema = swiftwater_engine::schema::from_config(columns.as_object().unwrap()).unwrap();
    swiftwater_engine::testing::rows::batch(&schema, &rows)
}

/// Writes as the engine does: what is unavailable is tried again, a bad row is found by halving.
/// Returns the errors of rows that were set aside.
pub(crate) fn write(sink: &mut dyn Sink, sequence: &mut u64, records: &RecordBatch) -> Vec<Error> {
    let mut tries = 0;
    loop {
        match sink.write(*sequence + 1, &batch(records.clone())) {
            Ok(()) => {
                *sequence += 1;
                assert_eq!(sink.acknowledged(Duration::ZERO).unwrap(), *sequence);
                return Vec::new();
            }
            Err(error) if error.kind == ErrorKind::Data => {
                let rows = records.num_rows();
                if rows == 1 {
                    return vec![error];
                }
                let mut errors = write(sink, sequence, &records.slice(0, rows / 2));
                errors.extend(write(sink, sequence, &records.slice(rows / 2, rows - rows / 2)));
                return errors;
            }
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
                tries += 1;
                assert!(tries < 200, "{error}");
            }
        }
    }
}

/// Calls as the engine does until it works.
pub(crate) fn until_done<T>(mut call: impl FnMut() -> Result<T>) -> T {
    for _ in 0..200 {
        match call() {
            Ok(done) => return done,
            Err(error) => assert_eq!(error.kind, ErrorKind::Unavailable, "{error}"),
        }
    }
    panic!("it never worked");
}

pub(crate) fn numbers(range: std::ops::Range<i64>) -> RecordBatch {
    let all: Vec<Value> = range.map(|n| json!({"n": n, "text": format!("row {n}")})).collect();
    rows(json!({"n": "int64!", "text": "utf8"}), all.into())
}
