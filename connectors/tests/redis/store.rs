//! Keys of one test, looked at with a plain client, and sinks that write them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use serde_json::Value;
use swiftwater_config::{NodeConfig, Role};
use swiftwater_connectors::catalog::RedisOptions;
use swiftwater_engine::metrics::{Metrics, SinkMetrics};
use swiftwater_engine::{
    Batch, Clock, Error, ErrorKind, ExactlyOnce, NodeContext, Readings, Result, Sink, SinkContext,
    SinkOptions, Stream, Timestamp,
};

use crate::server;

pub(crate) fn url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| server::shared("SWIFTWATER_TEST_REDIS", "redis.sh"))
}

/// A plain client, and a prefix of its own for each test.
pub(crate) struct Store {
    pub(crate) connection: Mutex<redis::Connection>,
    pub(crate) prefix: String,
}

impl Store {
    pub(crate) fn new(test: &str) -> Self {
        Self::at(url(), test)
    }

    pub(crate) fn at(url: &str, test: &str) -> Self {
        let connection = redis::Client::open(url).unwrap().get_connection().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        Self { connection: Mutex::new(connection), prefix: format!("{test}-{now}") }
    }

    /// A command; `$p` is the prefix.
    pub(crate) fn ask<T: redis::FromRedisValue>(&self, command: &str) -> T {
        let mut built = redis::Cmd::new();
        for word in command.split(' ') {
            built.arg(word.replace("$p", &self.prefix));
        }
        built.query(&mut self.connection.lock().unwrap()).unwrap()
    }

    /// Breaks all other connections to this one's database.
    pub(crate) fn break_others(&self, database: u8) {
        let list: String = self.ask("CLIENT LIST");
        let own: i64 = self.ask("CLIENT ID");
        for client in list.lines().filter(|line| line.contains(&format!(" db={database} "))) {
            let id = client.split(' ').next().unwrap().trim_start_matches("id=").to_owned();
            if id != own.to_string() {
                // It may have gone by itself in the meantime.
                self.ask::<i64>(&format!("CLIENT KILL ID {id}"));
            }
        }
    }

    pub(crate) fn hash(&self, key: &str) -> BTreeMap<String, String> {
        self.ask(&format!("HGETALL $p:{key}"))
    }

    pub(crate) fn options(&self, key: &str, mut options: Value) -> Value {
        options["url"] = url().into();
        options["key"] = format!("{}:{key}", self.prefix).into();
        options
    }
}

pub(crate) fn rows(columns: Value, rows: Value) -> RecordBatch {
    let schema = swiftwater_engine::schema::from_config(columns.as_object().unwrap()).unwrap();
    swiftwater_engine::testing::rows::batch(&schema, &rows)
}

pub(crate) fn try_open(
    options: &Value,
    records: &RecordBatch,
    stream: Stream,
    exactly_once: Option<ExactlyOnce>,
) -> Result<Box<dyn Sink>> {
    let node = NodeConfig::new(Role::Sink, "node", "redis", options.clone());
    let topology = options["key"].as_str().unwrap().to_owned();
    let options: RedisOptions = serde_json::from_value(options.clone()).unwrap();
    let inputs = [records.schema()];
    let cx = NodeContext { topology: "t", node: &node, inputs: &inputs, streams: &[stream] };
    let mut sink = (options.plan(&cx)?.make)()?;
    sink.open(SinkContext {
        shared: Arc::default(),
        exactly_once,
        topology,
        node: "node".into(),
        buffer_bytes: 64 << 20,
        retry_budget: Duration::from_secs(60),
        clock: Clock::system(),
        metrics: SinkMetrics::new(&Metrics::new("t").unwrap(), "node"),
    })?;
    Ok(sink)
}

pub(crate) fn open(options: &Value, records: &RecordBatch) -> Box<dyn Sink> {
    try_open(options, records, Stream::append(), None).unwrap()
}

/// Writes as the engine does; returns the errors of rows that were set aside.
pub(crate) fn write(sink: &mut dyn Sink, sequence: &mut u64, records: &RecordBatch) -> Vec<Error> {
    let mut tries = 0;
    loop {
        let batch = Batch::new(records.clone(), Readings::polled_at(Timestamp(0)));
        match sink.write(*sequence + 1, &batch) {
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

pub(crate) fn until_done<T>(mut call: impl FnMut() -> Result<T>) -> T {
    for _ in 0..200 {
        match call() {
            Ok(done) => return done,
            Err(error) => assert_eq!(error.kind, ErrorKind::Unavailable, "{error}"),
        }
    }
    panic!("it never worked");
}

pub(crate) fn map(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}
