//! Kinds for tests: a counting source, a sieve and a collecting sink that note what became durable
//! and what was committed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::kind::{
    NodeContext, OperatorOptions, OperatorPlan, SinkOptions, SinkPlan, SourceOptions, SourcePlan,
};
use crate::source::{Commit, Polled, Position, Source, SourceContext};
use crate::{Barrier, Batch, Operator, Output, Readings, Sequence, Sink, SinkContext, Timestamp};

/// What one test's sources and sinks leave behind, by the test's name.
#[derive(Default)]
pub(super) struct World {
    /// Every committed position, in order.
    pub(super) committed: Mutex<Vec<i64>>,
    /// Rows by sink that are durable.
    pub(super) durable: Mutex<BTreeMap<String, Vec<i64>>>,
    /// Violations seen while it ran.
    pub(super) violations: Mutex<Vec<String>>,
    pub(super) hold: AtomicBool,
}

pub(super) fn world(name: &str) -> Arc<World> {
    static WORLDS: OnceLock<Mutex<BTreeMap<String, Arc<World>>>> = OnceLock::new();
    let mut worlds = WORLDS.get_or_init(Mutex::default).lock().unwrap();
    Arc::clone(worlds.entry(name.to_owned()).or_default())
}

pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

pub(super) fn values(batch: &Batch) -> Vec<i64> {
    batch.records.column(0).as_primitive::<Int64Type>().values().to_vec()
}

/// Counts from 0 to `count`.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Count {
    pub(super) count: i64,
    pub(super) batch: i64,
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
        if let Some(at) = cx.resume.as_ref().and_then(|p| p.0.get("0")) {
            self.next = *at;
        }
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
        Ok(Polled::Rows { batch, rejected: Vec::new(), bytes: 8, splits: Vec::new() })
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
        Ok(SourcePlan { bounded: true, ..SourcePlan::new(schema(), Arc::new(make)) })
    }
}

/// Keeps multiples of `of`, and fails on the value `bad`.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Multiples {
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
pub(super) struct Collect {
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
    pub(super) durable: Sequence,
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
        Ok(SinkPlan::new(Arc::new(make)))
    }
}
