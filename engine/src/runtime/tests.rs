//! Whole topologies on kinds of their own: what is committed, what arrives, what a failure does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use swiftwater_config::{
    ByteSize, CheckpointConfig, Guarantee, NodeConfig, OnError, PortRef, RetryConfig, Role,
    TopologyConfig,
};

use super::{Outcome, Running};
use crate::error::{Error, Result};
use crate::kind::{
    NodeContext, OperatorOptions, OperatorPlan, SinkOptions, SinkPlan, SourceOptions, SourcePlan,
};
use crate::metrics::Metrics;
use crate::plan::Plan;
use crate::registry::Registry;
use crate::source::{Commit, Polled, Position, Source, SourceContext};
use crate::{Barrier, Batch, Operator, Output, Readings, Sequence, Sink, SinkContext, Timestamp};

/// What one test's sources and sinks leave behind, by the test's name.
#[derive(Default)]
struct World {
    /// Every committed position, in order.
    committed: Mutex<Vec<i64>>,
    /// Rows by sink that are durable.
    durable: Mutex<BTreeMap<String, Vec<i64>>>,
    /// Violations seen while it ran.
    violations: Mutex<Vec<String>>,
    hold: AtomicBool,
}

fn world(name: &str) -> Arc<World> {
    static WORLDS: OnceLock<Mutex<BTreeMap<String, Arc<World>>>> = OnceLock::new();
    let mut worlds = WORLDS.get_or_init(Mutex::default).lock().unwrap();
    Arc::clone(worlds.entry(name.to_owned()).or_default())
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

fn values(batch: &Batch) -> Vec<i64> {
    batch.records.column(0).as_primitive::<Int64Type>().values().to_vec()
}

/// Counts from 0 to `count`.
#[derive(Deserialize, JsonSchema)]
struct Count {
    count: i64,
    batch: i64,
}

struct Counting {
    options: (i64, i64),
    next: i64,
    step: i64,
    world: Arc<World>,
}

struct Recorder {
    world: Arc<World>,
    /// Sinks that must hold everything before a committed position.
    sinks: usize,
}

impl Commit for Recorder {
    fn commit(&self, position: &Position, _wait: bool) -> Result<()> {
        let Some(at) = position.0.get("0").copied() else { return Ok(()) };
        let durable = self.world.durable.lock().unwrap();
        let complete = |rows: &Vec<i64>| rows.iter().filter(|n| **n < at).count() as i64 >= at;
        if durable.values().filter(|rows| complete(rows)).count() < self.sinks && at > 0 {
            self.world
                .violations
                .lock()
                .unwrap()
                .push(format!("committed {at} before it was durable"));
        }
        drop(durable);
        self.world.committed.lock().unwrap().push(at);
        Ok(())
    }
}

impl Source for Counting {
    fn open(&mut self, cx: SourceContext) -> Result<()> {
        self.next = cx.instance as i64;
        self.step = cx.instances as i64;
        Ok(())
    }

    fn poll(&mut self, wait: Duration) -> Result<Polled> {
        let (count, batch) = self.options;
        if self.world.hold.load(Ordering::Acquire) {
            std::thread::sleep(wait);
            return Ok(Polled::Empty);
        }
        if self.next >= count {
            return Ok(Polled::End);
        }
        let rows: Vec<i64> =
            (0..batch).map(|i| self.next + i * self.step).filter(|n| *n < count).collect();
        self.next += batch * self.step;
        let records = RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(rows))])?;
        let batch = Batch::new(records, Readings::polled_at(Timestamp(0)));
        Ok(Polled::Rows { batch, rejected: Vec::new(), bytes: 8 })
    }

    fn position(&self) -> Position {
        Position(BTreeMap::from([("0".to_owned(), self.next.min(self.options.0))]))
    }

    fn committer(&self) -> Option<Arc<dyn Commit>> {
        let sinks = if self.step == 1 { 1 } else { 0 };
        Some(Arc::new(Recorder { world: Arc::clone(&self.world), sinks }))
    }
}

impl SourceOptions for Count {
    const KIND: &'static str = "count";
    const EXAMPLE: &'static str = "";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SourcePlan> {
        let (world, options) = (world(cx.topology), (self.count, self.batch));
        let make = move |_| {
            Ok(Box::new(Counting { options, next: 0, step: 1, world: Arc::clone(&world) })
                as Box<dyn Source>)
        };
        Ok(SourcePlan {
            schema: schema(),
            bounded: true,
            warnings: Vec::new(),
            make: Arc::new(make),
        })
    }
}

/// Keeps multiples of `of`, and fails on the value `bad`.
#[derive(Deserialize, JsonSchema)]
struct Multiples {
    of: i64,
    bad: Option<i64>,
}

struct Sieve(i64, Option<i64>);

impl Operator for Sieve {
    fn process(&mut self, _input: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let rows = values(&batch);
        if let Some(bad) = self.1.filter(|b| rows.contains(b)) {
            return Err(Error::data("SW3299", format!("digest {bad}")));
        }
        let kept: Vec<i64> = rows.into_iter().filter(|n| self.0 > 0 && n % self.0 == 0).collect();
        let records = RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(kept))])?;
        out.emit(batch.with_records(records));
        Ok(())
    }
}

impl OperatorOptions for Multiples {
    const KIND: &'static str = "multiples";
    const EXAMPLE: &'static str = "";

    fn plan(self, _cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let make = move |_| Ok(Box::new(Sieve(self.of, self.bad)) as Box<dyn Operator>);
        Ok(OperatorPlan::stateless(schema(), Arc::new(make)))
    }
}

/// Takes rows, makes them durable `lag` calls later, fails every `fail_every`-th write.
#[derive(Deserialize, JsonSchema)]
struct Collect {
    #[serde(default)]
    lag: u64,
    #[serde(default)]
    fail_every: u64,
}

struct Collecting {
    node: String,
    world: Arc<World>,
    options: (u64, u64),
    calls: u64,
    taken: Vec<(Sequence, Vec<i64>)>,
    durable: Sequence,
    flush: bool,
}

impl Sink for Collecting {
    fn open(&mut self, cx: SinkContext) -> Result<()> {
        self.node = cx.node;
        Ok(())
    }

    fn write(&mut self, sequence: Sequence, batch: &Batch) -> Result<()> {
        self.calls += 1;
        if self.options.1 > 0 && self.calls.is_multiple_of(self.options.1) {
            return Err(Error::unavailable("SW2999", "reach the test's sink"));
        }
        let is_count = batch.records.schema().field(0).name() == "n";
        self.taken.push((sequence, if is_count { values(batch) } else { vec![-1; batch.rows()] }));
        Ok(())
    }

    fn acknowledged(&mut self, _wait: Duration) -> Result<Sequence> {
        let behind = if self.flush { 0 } else { self.options.0 };
        let last = self.taken.last().map_or(self.durable, |(s, _)| *s);
        let until = last.saturating_sub(behind).max(self.durable);
        let mut world = self.world.durable.lock().unwrap();
        let rows = world.entry(self.node.clone()).or_default();
        self.taken.retain(|(sequence, taken)| {
            if *sequence <= until {
                rows.extend(taken);
            }
            *sequence > until
        });
        self.durable = until;
        Ok(until)
    }

    fn barrier(&mut self, barrier: Barrier) -> Result<()> {
        self.flush |= barrier.flush;
        Ok(())
    }
}

impl SinkOptions for Collect {
    const KIND: &'static str = "collect";
    const EXAMPLE: &'static str = "";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SinkPlan> {
        let world = world(cx.topology);
        let options = (self.lag, self.fail_every);
        let make = move || {
            let sink = Collecting {
                node: String::new(),
                world: Arc::clone(&world),
                options,
                calls: 0,
                taken: Vec::new(),
                durable: 0,
                flush: false,
            };
            Ok(Box::new(sink) as Box<dyn Sink>)
        };
        Ok(SinkPlan { warnings: Vec::new(), make: Arc::new(make) })
    }
}

fn node(role: Role, name: &str, kind: &str, options: Value, inputs: &[&str]) -> NodeConfig {
    let inputs = inputs.iter().map(|i| PortRef::parse(i)).collect();
    NodeConfig { inputs, ..NodeConfig::new(role, name, kind, options) }
}

fn topology(name: &str, nodes: Vec<NodeConfig>) -> TopologyConfig {
    TopologyConfig {
        name: name.into(),
        guarantee: Guarantee::AtLeastOnce,
        checkpoint: CheckpointConfig {
            interval: swiftwater_config::Duration::from_millis(5),
            store: None,
        },
        memory: ByteSize(256 << 20),
        drain_timeout: swiftwater_config::Duration::from_secs(20),
        retry: RetryConfig {
            initial: swiftwater_config::Duration::from_millis(1),
            max: swiftwater_config::Duration::from_millis(2),
            budget: swiftwater_config::Duration::from_secs(20),
        },
        nodes,
        tests: Vec::new(),
    }
}

fn start(config: TopologyConfig) -> (Running, Arc<Metrics>) {
    let mut registry = Registry::new();
    registry.source::<Count>().operator::<Multiples>().sink::<Collect>();
    let name = config.name.clone();
    let plan = Plan::new(config, &registry).unwrap();
    let metrics = Metrics::new(&name).unwrap();
    (Running::start(&plan, &metrics).unwrap(), metrics)
}

fn run(config: TopologyConfig) -> (Result<Outcome>, Arc<World>, Arc<Metrics>) {
    let world = world(&config.name);
    let (running, metrics) = start(config);
    (running.wait(), world, metrics)
}

fn durable(world: &World, sink: &str) -> Vec<i64> {
    let mut rows = world.durable.lock().unwrap().get(sink).cloned().unwrap_or_default();
    rows.sort_unstable();
    rows
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("waited too long until {what}");
}

#[test]
fn every_row_arrives_and_nothing_is_committed_before_it_is_durable() {
    for (lag, fail_every) in [(0, 0), (3, 0), (0, 3), (7, 2)] {
        let name = format!("commit_{lag}_{fail_every}");
        let nodes = vec![
            node(Role::Source, "numbers", "count", json!({"count": 20_000, "batch": 7}), &[]),
            node(Role::Operator, "all", "multiples", json!({"of": 1}), &["numbers"]),
            node(
                Role::Sink,
                "out",
                "collect",
                json!({"lag": lag, "fail_every": fail_every}),
                &["all"],
            ),
        ];
        let (outcome, world, _) = run(topology(&name, nodes));
        assert_eq!(outcome.unwrap(), Outcome::Finished);
        assert_eq!(durable(&world, "out"), (0..20_000).collect::<Vec<_>>());
        assert_eq!(*world.violations.lock().unwrap(), Vec::<String>::new());
        let committed = world.committed.lock().unwrap();
        assert!(committed.is_sorted() && committed.last() == Some(&20_000), "{committed:?}");
    }
}

#[test]
fn a_filter_that_keeps_nothing_does_not_hold_back_commits() {
    let nodes = vec![
        node(Role::Source, "numbers", "count", json!({"count": i64::MAX, "batch": 1}), &[]),
        node(Role::Operator, "none", "multiples", json!({"of": 0}), &["numbers"]),
        node(Role::Sink, "out", "collect", json!({}), &["none"]),
    ];
    // The rule of the recorder (a sink holds all rows) cannot hold here: only progress is looked at.
    let world = world("drop_all");
    let (running, _) = start(topology("drop_all", nodes));
    wait_until("three epochs are committed", || world.committed.lock().unwrap().len() >= 3);
    running.drain();
    assert_eq!(running.wait().unwrap(), Outcome::Drained);
    assert!(world.committed.lock().unwrap().is_sorted());
}

#[test]
fn a_bad_row_costs_one_dead_letter() {
    let mut bad =
        node(Role::Operator, "even", "multiples", json!({"of": 2, "bad": 4711}), &["numbers"]);
    bad.on_error = OnError::DeadLetter("rejected".into());
    let nodes = vec![
        node(Role::Source, "numbers", "count", json!({"count": 10_000, "batch": 1000}), &[]),
        bad,
        node(Role::Sink, "out", "collect", json!({}), &["even"]),
        node(Role::Sink, "rejected", "collect", json!({"lag": 2}), &[]),
    ];
    let (outcome, world, metrics) = run(topology("dead_letter", nodes));
    assert_eq!(outcome.unwrap(), Outcome::Finished);
    assert_eq!(durable(&world, "out").len(), 5000);
    assert_eq!(durable(&world, "rejected"), [-1]);
    let text = metrics.text().unwrap();
    let expected =
        "swiftwater_dead_letters_total{code=\"SW3299\",node=\"even\",topology=\"dead_letter\"} 1";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn without_on_error_a_bad_row_stops_the_topology_and_is_named() {
    let nodes = vec![
        node(Role::Source, "numbers", "count", json!({"count": 10_000, "batch": 100}), &[]),
        node(Role::Operator, "even", "multiples", json!({"of": 2, "bad": 4711}), &["numbers"]),
        node(Role::Sink, "out", "collect", json!({}), &["even"]),
    ];
    let (outcome, world, _) = run(topology("stop", nodes));
    let message = outcome.unwrap_err().to_string();
    assert!(message.contains("node `even`") && message.contains("{\"n\":4711}"), "{message}");
    assert!(world.committed.lock().unwrap().iter().all(|at| *at <= 4711));
}

#[test]
fn parallel_tasks_exchange_rows_by_hash_and_lose_none() {
    let mut spread = node(Role::Operator, "spread", "multiples", json!({"of": 1}), &["numbers"]);
    spread.parallelism = Some(3);
    spread.partition_by = vec!["n".into()];
    let mut numbers =
        node(Role::Source, "numbers", "count", json!({"count": 30_000, "batch": 11}), &[]);
    numbers.parallelism = Some(2);
    let nodes = vec![
        numbers,
        spread,
        node(Role::Operator, "again", "multiples", json!({"of": 1}), &["spread"]),
        node(Role::Sink, "out", "collect", json!({"lag": 1}), &["again"]),
        node(Role::Sink, "raw", "collect", json!({}), &["numbers"]),
    ];
    let (outcome, world, _) = run(topology("parallel", nodes));
    assert_eq!(outcome.unwrap(), Outcome::Finished);
    let all: Vec<i64> = (0..30_000).collect();
    assert_eq!(durable(&world, "out"), all);
    assert_eq!(durable(&world, "raw"), all);
}

#[test]
fn a_drain_finishes_what_was_read() {
    let nodes = vec![
        node(Role::Source, "numbers", "count", json!({"count": i64::MAX, "batch": 5}), &[]),
        node(Role::Sink, "out", "collect", json!({"lag": 4}), &["numbers"]),
    ];
    let world = world("drain");
    let (running, _) = start(topology("drain", nodes));
    wait_until("rows arrive", || durable(&world, "out").len() > 100);
    running.drain();
    assert_eq!(running.wait().unwrap(), Outcome::Drained);
    let rows = durable(&world, "out");
    assert_eq!(rows, (0..rows.len() as i64).collect::<Vec<_>>());
    assert_eq!(world.committed.lock().unwrap().last(), Some(&(rows.len() as i64)));
}

#[test]
fn an_idle_source_does_not_hold_back_the_end_of_an_epoch() {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("idle_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let world = world(&name);
    world.hold.store(true, Ordering::Release);
    let nodes = vec![
        node(Role::Source, "numbers", "count", json!({"count": 10, "batch": 5}), &[]),
        node(Role::Sink, "out", "collect", json!({}), &["numbers"]),
    ];
    let (running, _) = start(topology(&name, nodes));
    wait_until("empty epochs are committed", || world.committed.lock().unwrap().len() >= 2);
    world.hold.store(false, Ordering::Release);
    assert_eq!(running.wait().unwrap(), Outcome::Finished);
    assert_eq!(durable(&world, "out").len(), 10);
}
