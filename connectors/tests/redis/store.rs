//! Keys of one test, looked at with a plain client, and sinks that write them.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use serde_json::Value;
use swiftwater_config::{NodeConfig, Role};
use swiftwater_connectors::catalog::RedisOptions;
use swiftwater_engine::{ExactlyOnce, NodeContext, Result, Sink, SinkOptions, Stream};

use crate::server;
use crate::sink::open_planned;

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
        Self { connection: Mutex::new(connection), prefix: format!("{test}_{now}") }
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

pub(crate) fn try_open(
    options: &Value,
    records: &RecordBatch,
    stream: Stream,
    exactly_once: Option<ExactlyOnce>,
) -> Result<Box<dyn Sink>> {
    let node = NodeConfig::new(Role::Sink, "node", "redis", options.clone());
    // Tests run at the same time in one Redis: each is a topology of its own.
    let own = options["key"].as_str().or_else(|| options["features"]["project"].as_str());
    let topology = own.unwrap().to_owned();
    let options: RedisOptions = serde_json::from_value(options.clone()).unwrap();
    let inputs = [records.schema()];
    let cx = NodeContext { topology: "t", node: &node, inputs: &inputs, streams: &[stream] };
    open_planned(&options.plan(&cx)?, &topology, exactly_once)
}

pub(crate) fn open(options: &Value, records: &RecordBatch) -> Box<dyn Sink> {
    try_open(options, records, Stream::append(), None).unwrap()
}

pub(crate) fn map(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}
