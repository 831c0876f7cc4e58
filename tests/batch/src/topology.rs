//! Topologies under test: made from JSON as a user writes them, run by the engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use swiftwater_config::Environment;
use swiftwater_engine::metrics::Metrics;
use swiftwater_engine::{Outcome, Plan, Registry, Running};

use crate::course::{Course, Leg};
use crate::keep::Keep;
use crate::made::DISORDER;
use crate::replay::Replay;
use crate::world::{self, ALL, Existing, Feed, World};

/// No run of a case takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A topology whose operators are all connected to sinks.
pub(crate) struct Topology {
    feeds: BTreeMap<String, Feed>,
    disorder: i64,
    operators: Map<String, Value>,
    sinks: Map<String, Value>,
    /// Operators that run on several tasks.
    spread: Vec<String>,
}

/// What the sinks of a finished run show.
pub(crate) struct Shown {
    pub(crate) world: Arc<World>,
    _existing: Existing,
}

impl Topology {
    /// A topology with these sources.
    pub(crate) fn new(feeds: impl IntoIterator<Item = (&'static str, Feed)>) -> Self {
        Self {
            feeds: feeds.into_iter().map(|(name, feed)| (name.to_owned(), feed)).collect(),
            disorder: DISORDER,
            operators: Map::new(),
            sinks: Map::new(),
            spread: Vec::new(),
        }
    }

    /// The same with less patience for rows that are behind.
    pub(crate) fn out_of_orderness(self, millis: i64) -> Self {
        Self { disorder: millis, ..self }
    }

    /// Adds an operator that runs on one task.
    pub(crate) fn one(&mut self, name: &str, node: Value) -> &mut Self {
        self.operators.insert(name.to_owned(), node);
        self
    }

    /// Adds an operator that runs on several tasks.
    pub(crate) fn many(&mut self, name: &str, node: Value) -> &mut Self {
        self.spread.push(name.to_owned());
        self.one(name, node)
    }

    /// Shows what a node gives under the name `sink`.
    pub(crate) fn show(&mut self, sink: &str, from: &str) -> &mut Self {
        self.sinks.insert(sink.to_owned(), json!({"input": from, "keep": {}}));
        self
    }

    fn file(&self, name: &str, store: &str, leg: &Leg) -> Value {
        let source = |name: &String| {
            let event_time =
                json!({"column": "at", "out_of_orderness": format!("{}ms", self.disorder)});
            let node = json!({"replay": {}, "event_time": event_time, "parallelism": leg.sources});
            (name.clone(), node)
        };
        let sources: Map<String, Value> = self.feeds.keys().map(source).collect();
        let mut operators = self.operators.clone();
        for (number, spread) in self.spread.iter().enumerate() {
            operators[spread]["parallelism"] = json!((leg.tasks + number) % 4 + 1);
        }
        json!({
            "name": name,
            "guarantee": "exactly_once",
            "checkpoint": {"interval": "5ms", "store": store},
            "sources": sources,
            "operators": operators,
            "sinks": self.sinks,
        })
    }

    /// Runs it over the whole course.
    pub(crate) fn run(&self, course: &Course) -> Shown {
        self.run_and_look(course, |_, _| {})
    }

    /// The same; `look` is called with the leg after each one that was drained.
    pub(crate) fn run_and_look(&self, course: &Course, look: impl Fn(&Leg, &World)) -> Shown {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let name = format!("case_{}", RUNS.fetch_add(1, Ordering::Relaxed));
        let existing = world::create(&name, self.feeds.clone());
        let world = world::of(&name);
        let store = tempfile::tempdir().unwrap();
        let store = format!("file://{}", store.path().display());
        for leg in course.legs.iter().rev().skip(1).rev() {
            world.allow(leg.epoch_at);
            let running = start(&self.file(&name, &store, leg));
            stop(running, leg, &world);
            if leg.drain {
                look(leg, &world);
            }
        }
        let last = course.legs.last().unwrap();
        world.allow(ALL);
        let outcome = start(&self.file(&name, &store, last)).wait();
        assert_eq!(outcome.map_err(|e| e.to_string()), Ok(Outcome::Finished));
        Shown { world, _existing: existing }
    }
}

/// Takes a run through a leg to its stop.
fn stop(running: Running, leg: &Leg, world: &World) {
    until(world, &running, || world.is_waiting());
    // The second epoch from now began after everything was read.
    let epoch = world.epoch() + 2;
    until(world, &running, || world.epoch() >= epoch);
    world.allow(leg.stop_at);
    until(world, &running, || world.is_waiting());
    if leg.drain {
        running.drain();
        assert_eq!(running.wait().map_err(|e| e.to_string()), Ok(Outcome::Drained));
    } else {
        running.abort();
        assert_eq!(running.wait().map_err(|e| e.code), Err("SW4004"));
    }
}

/// Waits for the world to change, as long as the run goes on.
fn until(world: &World, running: &Running, holds: impl Fn() -> bool) {
    let from = Instant::now();
    while !holds() && !running.is_finished() {
        assert!(from.elapsed() < PATIENCE, "nothing happens any more");
        world.pause(Duration::from_millis(10));
    }
}

fn start(file: &Value) -> Running {
    let plan = plan(file);
    let metrics = Metrics::new(&plan.config.name).unwrap();
    Running::start(&plan, &metrics).map_err(|e| e.to_string()).unwrap()
}

fn plan(file: &Value) -> Plan {
    let mut registry = Registry::new();
    swiftwater_operators::register(&mut registry);
    registry.source::<Replay>().sink::<Keep>();
    let text = file.to_string();
    let loaded = swiftwater_config::parse(&text, &registry.kinds(), &NoEnvironment);
    let loaded = loaded.unwrap_or_else(|found| panic!("{found}\n{file:#}"));
    Plan::new(loaded.topology, &registry).unwrap_or_else(|found| panic!("{found}\n{file:#}"))
}

struct NoEnvironment;

impl Environment for NoEnvironment {
    fn var(&self, _name: &str) -> Option<String> {
        None
    }

    fn secret_file(&self, path: &str) -> Result<String, String> {
        Err(format!("a test needs no `{path}`"))
    }
}
