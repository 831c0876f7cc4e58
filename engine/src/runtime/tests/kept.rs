//! Topologies with state, stopped at any moment and started again: what sinks show is what an
//! uninterrupted run would have shown, once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use swiftwater_config::{Guarantee, Role};

use super::kinds::{World, schema, values, world};
use super::{node, topology};
use crate::error::{Error, Result};
use crate::kind::{NodeContext, OperatorOptions, OperatorPlan, SinkOptions, SinkPlan};
use crate::metrics::Metrics;
use crate::plan::Plan;
use crate::registry::Registry;
use crate::runtime::{Outcome, Running};
use crate::sink::{ExactlyOnce, Staged};
use crate::state::{Merge, TableDelta, TableSpec};
use crate::stream::Stream;
use crate::{
    Batch, Epoch, Operator, Output, Sequence, Sink, SinkContext, SourceOptions, SourcePlan,
};

const KEYS: i64 = 10;

/// Numbers, read again from any position.
#[derive(Deserialize, JsonSchema)]
struct Replay {
    count: i64,
}

impl SourceOptions for Replay {
    const KIND: &'static str = "replay";
    const EXAMPLE: &'static str = "";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SourcePlan> {
        let plan = super::kinds::Count { count: self.count, batch: 7 }.plan(cx)?;
        Ok(SourcePlan { replayable: true, ..plan })
    }
}

/// Replaces each number by a hash over all numbers of its key so far: one that is lost, doubled or
/// out of order changes every later one.
#[derive(Deserialize, JsonSchema)]
struct Chain {}

#[derive(Default)]
struct Chained {
    hashes: BTreeMap<i64, i64>,
    changed: BTreeMap<i64, i64>,
}

fn next(hash: i64, n: i64) -> i64 {
    hash.rotate_left(7).wrapping_mul(0x5851_f42d_4c95_7f2d) ^ n
}

fn table() -> TableSpec {
    let column = |name: &str| Field::new(name, DataType::Int64, false);
    TableSpec {
        name: "hashes",
        version: 1,
        schema: Arc::new(Schema::new(vec![column("key"), column("hash")])),
        partition: 1,
        key: 1,
        expiry: None,
        merge: Merge::Latest,
    }
}

impl Operator for Chained {
    fn process(&mut self, _input: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let mut given = Vec::new();
        for n in values(&batch) {
            let hash = self.hashes.entry(n % KEYS).or_default();
            *hash = next(*hash, n);
            self.changed.insert(n % KEYS, *hash);
            given.push(*hash);
        }
        let column: ArrayRef = Arc::new(Int64Array::from(given));
        out.emit(batch.with_records(RecordBatch::try_new(schema(), vec![column])?));
        Ok(())
    }

    fn tables(&self) -> Vec<TableSpec> {
        vec![table()]
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        let changed = std::mem::take(&mut self.changed);
        let (keys, hashes): (Vec<i64>, Vec<i64>) = changed.into_iter().unzip();
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from(keys)), Arc::new(Int64Array::from(hashes))];
        Ok(vec![TableDelta::of("hashes", RecordBatch::try_new(table().schema, columns)?)])
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        use arrow::array::AsArray;
        use arrow::datatypes::Int64Type;
        let column = |i: usize| delta.rows.column(i).as_primitive::<Int64Type>().values().to_vec();
        self.hashes.extend(column(0).into_iter().zip(column(1)));
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.hashes.len() * 16
    }
}

/// The key of a number, so that numbers of one key meet.
struct Keyed;

impl Operator for Keyed {
    fn process(&mut self, _input: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let numbers = values(&batch);
        let keys = Int64Array::from_iter_values(numbers.iter().map(|n| n % KEYS));
        let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(numbers)), Arc::new(keys)];
        out.emit(batch.with_records(RecordBatch::try_new(keyed_schema(), columns)?));
        Ok(())
    }
}

fn keyed_schema() -> Arc<Schema> {
    let column = |name: &str| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(vec![column("n"), column("key")]))
}

#[derive(Deserialize, JsonSchema)]
struct Key {}

impl OperatorOptions for Key {
    const KIND: &'static str = "key";
    const EXAMPLE: &'static str = "";

    fn plan(self, _cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let make = |_| Ok(Box::new(Keyed) as Box<dyn Operator>);
        Ok(OperatorPlan::stateless(keyed_schema(), Arc::new(make)))
    }
}

impl OperatorOptions for Chain {
    const KIND: &'static str = "chain";
    const EXAMPLE: &'static str = "";

    fn plan(self, _cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let make = |_| Ok(Box::new(Chained::default()) as Box<dyn Operator>);
        let key = vec!["key".to_owned()];
        Ok(OperatorPlan::keyed(schema(), Stream::append(), key, Arc::new(make)))
    }
}

/// Shows rows when their epoch is finalised.
#[derive(Deserialize, JsonSchema)]
struct Show {}

struct Showing {
    node: String,
    world: Arc<World>,
    last: Sequence,
    rows: Vec<i64>,
}

impl Showing {
    fn staged(&self, epoch: Epoch) -> String {
        format!("{}.staged.{epoch}", self.node)
    }
}

impl Sink for Showing {
    fn open(&mut self, cx: SinkContext) -> Result<()> {
        self.node = cx.node;
        let committed = cx.exactly_once.and_then(|ExactlyOnce { committed }| committed);
        if let Some((epoch, Some(staged))) = committed {
            self.finalise(epoch, &staged)?;
        }
        let mut durable = self.world.durable.lock().unwrap();
        durable.retain(|name, _| !name.starts_with(&format!("{}.staged.", self.node)));
        Ok(())
    }

    fn write(&mut self, sequence: Sequence, batch: &Batch) -> Result<()> {
        self.last = sequence;
        self.rows.extend(values(batch));
        Ok(())
    }

    fn acknowledged(&mut self, _wait: Duration) -> Result<Sequence> {
        Ok(self.last)
    }

    fn stage(&mut self, epoch: Epoch) -> Result<Staged> {
        let rows = std::mem::take(&mut self.rows);
        let count = rows.len();
        self.world.durable.lock().unwrap().insert(self.staged(epoch), rows);
        Ok(json!({"rows": count}))
    }

    fn finalise(&mut self, epoch: Epoch, staged: &Staged) -> Result<()> {
        let mut durable = self.world.durable.lock().unwrap();
        if let Some(rows) = durable.remove(&self.staged(epoch)) {
            if staged["rows"] != json!(rows.len()) {
                return Err(Error::bug("stage other rows than are finalised"));
            }
            durable.entry(self.node.clone()).or_default().extend(rows);
        }
        Ok(())
    }
}

impl SinkOptions for Show {
    const KIND: &'static str = "show";
    const EXAMPLE: &'static str = "";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SinkPlan> {
        let world = world(cx.topology);
        let make = move || {
            let world = Arc::clone(&world);
            let sink = Showing { node: String::new(), world, last: 0, rows: Vec::new() };
            Ok(Box::new(sink) as Box<dyn Sink>)
        };
        Ok(SinkPlan { exactly_once: true, ..SinkPlan::new(Arc::new(make)) })
    }
}

fn start(name: &str, count: i64, parallelism: usize, store: &std::path::Path) -> Running {
    let mut chain = node(Role::Operator, "chain", "chain", json!({}), &["keyed"]);
    chain.parallelism = Some(parallelism);
    let nodes = vec![
        node(Role::Source, "numbers", "replay", json!({"count": count}), &[]),
        node(Role::Operator, "keyed", "key", json!({}), &["numbers"]),
        chain,
        node(Role::Sink, "one", "show", json!({}), &["chain"]),
        node(Role::Sink, "two", "show", json!({}), &["chain"]),
    ];
    let mut config = topology(name, nodes);
    config.guarantee = Guarantee::ExactlyOnce;
    config.checkpoint.store = Some(format!("file://{}", store.display()));
    let mut registry = Registry::new();
    registry.source::<Replay>().operator::<Chain>().operator::<Key>().sink::<Show>();
    let plan = Plan::new(config, &registry).unwrap();
    Running::start(&plan, &Metrics::new(name).unwrap()).unwrap()
}

fn expected(count: i64) -> Vec<i64> {
    let mut hashes = BTreeMap::<i64, i64>::new();
    let mut given: Vec<i64> = (0..count)
        .map(|n| {
            let hash = hashes.entry(n % KEYS).or_default();
            *hash = next(*hash, n);
            *hash
        })
        .collect();
    given.sort_unstable();
    given
}

#[test]
fn what_is_stopped_at_any_moment_goes_on_as_if_nothing_had_happened() {
    const COUNT: i64 = 50_000;
    let store = tempfile::tempdir().unwrap();
    let world = world("kept");
    let (mut crashes, mut pause) = (0_u64, Duration::from_millis(2));
    let outcome = loop {
        let running = start("kept", COUNT, 1 + crashes as usize % 4, store.path());
        // Each stop comes a little later than the one before, wherever that is.
        std::thread::sleep(pause);
        pause = pause * 6 / 5;
        if !running.is_finished() {
            running.abort();
        }
        match running.wait() {
            Ok(outcome) => break outcome,
            Err(_) => crashes += 1,
        }
        assert!(crashes < 2000, "it never comes to its end");
    };
    assert!(crashes > 3, "only {crashes} stops before the end");
    assert_eq!(outcome, Outcome::Finished);
    let durable = world.durable.lock().unwrap();
    for sink in ["one", "two"] {
        let mut rows = durable[sink].clone();
        rows.sort_unstable();
        assert!(rows == expected(COUNT), "{sink} shows other rows after {crashes} stops");
    }
    let files = std::fs::read_dir(store.path().join("kept/state")).unwrap().count();
    assert!(files < 40, "{files} files of state were left behind");
}

#[test]
fn a_drain_keeps_the_state_for_the_next_start() {
    let store = tempfile::tempdir().unwrap();
    let world = world("drained");
    world.hold.store(true, std::sync::atomic::Ordering::Release);
    for _ in 0..3 {
        let running = start("drained", 20_000, 2, store.path());
        running.drain();
        assert_eq!(running.wait().unwrap(), Outcome::Drained);
        world.hold.store(false, std::sync::atomic::Ordering::Release);
    }
    let running = start("drained", 20_000, 3, store.path());
    assert_eq!(running.wait().unwrap(), Outcome::Finished);
    let mut rows = world.durable.lock().unwrap()["one"].clone();
    rows.sort_unstable();
    assert!(rows == expected(20_000));
}

fn wait_commit(running: &Running) {
    let started = std::time::Instant::now();
    while running.committed() == 0 {
        assert!(!running.is_finished() && started.elapsed().as_secs() < 60, "no epoch is kept");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_process_stops_once_another_has_taken_over() {
    let store = tempfile::tempdir().unwrap();
    let first = start("taken_over", i64::MAX, 2, store.path());
    wait_commit(&first);
    let second = start("taken_over", i64::MAX, 2, store.path());
    let told = first.wait().unwrap_err();
    assert_eq!(told.code, "SW4310", "{told}");
    wait_commit(&second);
    second.abort();
    second.wait().unwrap_err();
}

#[test]
fn a_process_that_was_frozen_for_long_finds_newer_commits() {
    let store = tempfile::tempdir().unwrap();
    let running = start("frozen", i64::MAX, 2, store.path());
    wait_commit(&running);
    // Its own epoch was committed by another and cleared away since.
    let newer = store.path().join("frozen/commits/000000999999");
    std::fs::write(&newer, "epochs/of-another.json").unwrap();
    let told = running.wait().unwrap_err();
    assert_eq!(told.code, "SW4310", "{told}");
    let commits = std::fs::read_dir(newer.parent().unwrap()).unwrap();
    let newest = commits.map(|c| c.unwrap().path()).max();
    assert_eq!(newest, Some(newer), "what it committed in vain is gone");
}

#[test]
fn lost_and_damaged_state_is_refused() {
    let store = tempfile::tempdir().unwrap();
    let running = start("damaged", 5_000, 1, store.path());
    assert_eq!(running.wait().unwrap(), Outcome::Finished);
    let state = store.path().join("damaged/state");
    let file = std::fs::read_dir(state).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&file, damaged).unwrap();
    let told = start("damaged", 5_000, 1, store.path()).wait().unwrap_err().to_string();
    assert!(told.contains("SW4323") && told.contains("checksum"), "{told}");
    std::fs::remove_file(&file).unwrap();
    let told = start("damaged", 5_000, 1, store.path()).wait().unwrap_err().to_string();
    assert!(told.contains("SW4323") && told.contains("not there"), "{told}");
    std::fs::write(&file, whole).unwrap();
    assert_eq!(start("damaged", 5_000, 1, store.path()).wait().unwrap(), Outcome::Finished);
}
