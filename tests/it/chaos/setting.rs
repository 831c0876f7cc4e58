//! The topology under test, with all that it reads and writes: a keyed chain, windows and a join,
//! from Kafka to Kafka, PostgreSQL and files.

use std::path::PathBuf;

use super::LIMIT;
use super::PARTITIONS;
use super::oracle::{AFTER, BEFORE, WINDOW};
use crate::support::{Broker, Launch, Swiftwater, Topic, shared_server, wait_until};

/// What one run of the topology reads and writes.
pub(super) struct Setting {
    pub(super) name: String,
    /// Bootstrap address that the process is given.
    pub(super) brokers: String,
    pub(super) events: Topic,
    pub(super) answers: Topic,
    /// Every event with the number of the one before it.
    pub(super) rows: Topic,
    /// Running fingerprints of each key's rows in their order.
    pub(super) chains: Topic,
    /// Events with their answers.
    pub(super) pairs: Topic,
    pub(super) directory: tempfile::TempDir,
    pub(super) state: PathBuf,
    pub(super) files: PathBuf,
    /// URL of a PostgreSQL that windows go to as well.
    pub(super) postgres: Option<String>,
    pub(super) retry_budget: &'static str,
    pub(super) transaction_timeout: &'static str,
}

impl Setting {
    pub(super) fn new(broker: &Broker) -> Self {
        let create = |name: &str| Topic::create(broker, name, PARTITIONS);
        let events = create("events");
        let directory = tempfile::tempdir().unwrap();
        Self {
            name: events.name().replace(['-', '.'], "_"),
            brokers: broker.bootstrap().to_owned(),
            events,
            answers: create("answers"),
            rows: create("rows"),
            chains: create("chains"),
            pairs: create("pairs"),
            state: directory.path().join("state"),
            files: directory.path().join("windows"),
            directory,
            postgres: None,
            retry_budget: "30m",
            transaction_timeout: "1m",
        }
    }

    /// Writes the windows to PostgreSQL too.
    pub(super) fn with_table(self) -> Self {
        let postgres = shared_server("SWIFTWATER_TEST_POSTGRES", "postgres.sh");
        Self { postgres: Some(postgres), ..self }
    }

    fn source(&self, topic: &Topic) -> String {
        format!(
            "kafka: {{brokers: \"{}\", topic: {}, start: earliest}}",
            self.brokers,
            topic.name()
        )
    }

    fn sink(&self, input: &str, topic: &Topic) -> String {
        format!(
            "{{input: {input}, kafka: {{brokers: \"{}\", topic: {}, key: [key], \
             transaction_timeout: {}}}, format: json}}",
            self.brokers,
            topic.name(),
            self.transaction_timeout
        )
    }

    fn table(&self) -> String {
        let Some(url) = &self.postgres else {
            return String::new();
        };
        format!(
            "  table: {{input: per_key, postgres: {{url: \"{url}\", table: {}, create: true, \
             key: [key, window_start]}}}}\n",
            self.name
        )
    }

    fn topology(&self) -> String {
        format!(
            r#"
name: {name}
guarantee: exactly_once
checkpoint: {{interval: 100ms, store: "file://{state}"}}
memory: 512MiB
retry: {{initial: 50ms, max: 500ms, budget: {budget}}}
sources:
  events:
    {events}
    format: json
    schema: {{key: int64!, seq: int64!, value: int64!, at: timestamp_ms!}}
    event_time: {{column: at, out_of_orderness: 100ms}}
  answers:
    {answers}
    format: json
    schema: {{key: int64!, seq: int64!, score: int64!, replied: timestamp_ms!}}
    event_time: {{column: replied, out_of_orderness: 1s}}
operators:
  chained: {{input: events, parallelism: 2, lag: {{key: [key], columns: {{before: seq}}}}}}
  marked: {{input: chained, select: [key, "(coalesce(before, 0) * 31 + seq * 7 + value) % 1000003 AS mark"]}}
  chain: {{input: marked, parallelism: 2, group: {{key: [key], aggregate: {{rows: "count(*)", total: "sum(mark)"}}}}}}
  per_key:
    input: events
    parallelism: 2
    window: {{tumbling: {{size: {WINDOW}ms}}, key: [key], aggregate: {{rows: "count(*)", total: "sum(value)"}}}}
  answered:
    inputs: [events, answers]
    parallelism: 2
    join: {{type: left, on: [key, seq], within: {{before: {BEFORE}ms, after: {AFTER}ms}}}}
sinks:
  rows: {rows}
  chains: {chains}
  pairs: {pairs}
  windows: {{input: per_key, files: {{path: "{files}"}}, format: json}}
{table}"#,
            name = self.name,
            state = self.state.display(),
            budget = self.retry_budget,
            events = self.source(&self.events),
            answers = self.source(&self.answers),
            rows = self.sink("chained", &self.rows),
            chains = self.sink("chain", &self.chains),
            pairs = self.sink("answered", &self.pairs),
            files = self.files.display(),
            table = self.table(),
        )
    }

    fn launch(&self) -> Launch {
        Launch::new(self.topology()).env("RUST_BACKTRACE", "0")
    }

    pub(super) fn start(&self) -> Swiftwater {
        self.launch().start_in(self.directory.path())
    }

    /// Starts a process that is to die, or to leave out steps, at named places.
    pub(super) fn start_with(&self, failpoints: &str) -> Swiftwater {
        let launch = self.launch().env("SWIFTWATER_FAILPOINT", failpoints);
        launch.start_in(self.directory.path())
    }

    /// The topology's directory in the store of snapshots.
    pub(super) fn snapshots(&self) -> PathBuf {
        self.state.join(&self.name)
    }

    fn is_all_read(&self) -> bool {
        let all = |topic: &Topic| {
            let committed = topic.committed(&self.name);
            topic.ends().into_iter().zip(committed).all(|(end, c)| c.unwrap_or(0) >= end)
        };
        all(&self.events) && all(&self.answers)
    }

    /// Waits until everything that is in the topics is committed; `false` where the process ended
    /// before.
    pub(super) fn wait_all_read(&self, process: &mut Swiftwater) -> bool {
        let mut alive = true;
        wait_until("everything to be committed", LIMIT, || {
            alive = process.status().is_none();
            !alive || self.is_all_read()
        });
        alive
    }
}
