//! Whole topologies on kinds of their own: what is committed, what arrives, what a failure does.

mod deaf;
mod kept;
mod kinds;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use swiftwater_config::{
    ByteSize, CheckpointConfig, Guarantee, NodeConfig, OnError, PortRef, RetryConfig, Role,
    TopologyConfig,
};

use self::kinds::{Collect, Count, Multiples, World, world};
use super::{Outcome, Running};
use crate::error::Result;
use crate::metrics::Metrics;
use crate::plan::Plan;
use crate::registry::Registry;

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
            spill: None,
        },
        memory: ByteSize(256 << 20),
        drain_timeout: swiftwater_config::Duration::from_secs(20),
        retry: RetryConfig {
            initial: swiftwater_config::Duration::from_millis(1),
            max: swiftwater_config::Duration::from_millis(2),
            budget: swiftwater_config::Duration::from_secs(20),
        },
        feature_views: std::collections::BTreeMap::new(),
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
