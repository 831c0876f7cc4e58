//! A sink that takes rows and does not answer when it is asked what is durable.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use swiftwater_config::{Role, TopologyConfig};

use super::kinds::Count;
use super::{Outcome, Plan, Registry, Running, node, topology};
use crate::error::{Error, Result};
use crate::kind::{NodeContext, SinkOptions, SinkPlan};
use crate::metrics::Metrics;
use crate::{Batch, Sequence, Sink, SinkContext};

/// Is deaf to every `every`-th question.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
struct Deaf {
    every: u64,
}

struct Listening {
    every: u64,
    questions: u64,
    taken: Sequence,
}

impl Sink for Listening {
    fn open(&mut self, _cx: SinkContext) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, sequence: Sequence, _batch: &Batch) -> Result<()> {
        self.taken = sequence;
        Ok(())
    }

    fn acknowledged(&mut self, _wait: Duration) -> Result<Sequence> {
        self.questions += 1;
        if self.questions.is_multiple_of(self.every) {
            let error = Error::unavailable("SW2998", "hear from the test's sink");
            return Err(error.with_hint("speak up"));
        }
        Ok(self.taken)
    }
}

impl SinkOptions for Deaf {
    const KIND: &'static str = "deaf";
    const EXAMPLE: &'static str = "";

    fn plan(self, _cx: &NodeContext<'_>) -> Result<SinkPlan> {
        let make = move || {
            let sink = Listening { every: self.every, questions: 0, taken: 0 };
            Ok(Box::new(sink) as Box<dyn Sink>)
        };
        Ok(SinkPlan::new(std::sync::Arc::new(make)))
    }
}

/// A topology with the sink, and a retry budget of 20 ms.
fn with_sink(name: &str, every: u64, count: i64) -> TopologyConfig {
    // Batches so large that the edge cannot make one of several.
    let nodes = vec![
        node(Role::Source, "numbers", "count", json!({"count": count, "batch": 8192}), &[]),
        node(Role::Sink, "out", "deaf", json!({"every": every}), &["numbers"]),
    ];
    let mut config = topology(name, nodes);
    config.retry.budget = swiftwater_config::Duration::from_millis(20);
    config
}

/// What became of it, and how often the sink was asked again.
fn run(config: TopologyConfig) -> (Result<Outcome>, f64) {
    let mut registry = Registry::new();
    registry.source::<Count>().sink::<Deaf>();
    let metrics = Metrics::new(&config.name).unwrap();
    let plan = Plan::new(config, &registry).unwrap();
    let outcome = Running::start(&plan, &metrics).unwrap().wait();
    let text = metrics.text().unwrap();
    let retries = text.lines().find(|line| {
        line.starts_with("swiftwater_retries_total{") && line.contains("node=\"out\"")
    });
    (outcome, retries.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0.0))
}

#[test]
fn rows_that_are_taken_and_never_acknowledged_spend_the_budget() {
    // Writes and barriers succeed all the while.
    let (outcome, _) = run(with_sink("deaf", 1, i64::MAX));
    let error = outcome.unwrap_err();
    assert_eq!((error.code, error.node.as_deref()), ("SW2998", Some("out")));
    let hint = error.hint.unwrap();
    assert!(hint.contains("speak up") && hint.contains("`retry.budget`"), "{hint}");
}

#[test]
fn acknowledgements_make_the_budget_whole_again() {
    let (outcome, retries) = run(with_sink("hard_of_hearing", 2, 8192 * 200));
    assert_eq!(outcome.unwrap(), Outcome::Finished);
    // Each pauses for at least 1 ms: together they last longer than the budget.
    assert!(retries >= 50.0, "{retries}");
}
