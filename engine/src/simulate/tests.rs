//! A topology of small kinds on given rows.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use swiftwater_config::{EventTimeConfig, NodeConfig, PortRef, Role, TopologyConfig};

use super::*;
use crate::kind::{
    NodeContext, OperatorOptions, OperatorPlan, SinkOptions, SinkPlan, SourceOptions, SourcePlan,
};
use crate::{Registry, schema};

/// Nothing to set.
#[derive(Deserialize, JsonSchema)]
struct Given {}

impl SourceOptions for Given {
    const KIND: &'static str = "given";
    const EXAMPLE: &'static str = "";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SourcePlan> {
        let schema = schema::from_config(cx.node.schema.as_ref().unwrap())?;
        let make = |_| Err(Error::bug("open a source in a test"));
        Ok(SourcePlan { bounded: true, ..SourcePlan::new(schema, Arc::new(make)) })
    }
}

/// Refuses batches with a negative `n`, counts odd ones as breaches, takes two rows at once, and
/// repeats what it has seen at the end.
#[derive(Deserialize, JsonSchema)]
struct Picky {}

struct PickyOperator(Vec<Batch>);

impl Operator for PickyOperator {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let n = batch.records.column_by_name("n").unwrap().as_primitive::<Int64Type>();
        if n.iter().flatten().any(|n| n < 0) {
            return Err(Error::data("SW3299", "take a negative number"));
        }
        let odd = n.iter().flatten().filter(|n| n % 2 == 1).count();
        out.count_breaches(&"even".into(), odd);
        self.0.push(batch.clone());
        out.emit(batch);
        Ok(())
    }

    fn max_rows(&self) -> usize {
        2
    }

    fn on_end(&mut self, out: &mut Output) -> Result<()> {
        self.0.drain(..).for_each(|batch| out.emit(batch));
        Ok(())
    }
}

impl OperatorOptions for Picky {
    const KIND: &'static str = "picky";
    const EXAMPLE: &'static str = "";

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let make = |_| Ok(Box::new(PickyOperator(Vec::new())) as Box<dyn Operator>);
        Ok(OperatorPlan::stateless(cx.input()?, Arc::new(make)))
    }
}

impl SinkOptions for Given {
    const KIND: &'static str = "given";
    const EXAMPLE: &'static str = "";

    fn plan(self, _: &NodeContext<'_>) -> Result<SinkPlan> {
        let make = || Err(Error::bug("open a sink in a test"));
        Ok(SinkPlan::new(Arc::new(make)))
    }
}

fn node(name: &str, role: Role, kind: &str, input: Option<&str>) -> NodeConfig {
    let inputs = input.into_iter().map(PortRef::parse).collect();
    NodeConfig { inputs, ..NodeConfig::new(role, name, kind, json!({})) }
}

fn plan(on_error: OnError) -> Plan {
    let columns = json!({"n": "int64!", "time": "timestamp_ms", "raw": "binary"});
    let mut numbers = node("numbers", Role::Source, "given", None);
    numbers.schema = columns.as_object().cloned();
    numbers.event_time =
        Some(EventTimeConfig { column: "time".into(), out_of_orderness: None, idle_after: None });
    let mut picky = node("picky", Role::Operator, "picky", Some("numbers"));
    picky.on_error = on_error;
    let config = TopologyConfig {
        name: "simulated".into(),
        guarantee: swiftwater_config::Guarantee::AtLeastOnce,
        checkpoint: swiftwater_config::CheckpointConfig::default(),
        memory: swiftwater_config::ByteSize(1 << 30),
        drain_timeout: swiftwater_config::Duration::from_secs(30),
        retry: swiftwater_config::RetryConfig::default(),
        feature_views: BTreeMap::new(),
        nodes: vec![
            numbers,
            picky,
            node("out", Role::Sink, "given", Some("picky")),
            node("bad", Role::Sink, "given", None),
        ],
        tests: Vec::new(),
    };
    let mut registry = Registry::new();
    registry.source::<Given>().operator::<Picky>().sink::<Given>();
    Plan::new(config, &registry).unwrap()
}

fn test(rows: Value) -> TestConfig {
    let test = json!({"name": "t", "input": {"numbers": rows}, "then": ["end"], "expect": {}});
    serde_json::from_value(test).unwrap()
}

#[test]
fn rows_flow_to_the_end_and_bad_ones_to_their_sink() {
    let plan = plan(OnError::DeadLetter("bad".into()));
    let rows = json!([{"at": "1s"}, {"n": -2}, {"at": "3s", "n": 3, "raw": "ab"}]);
    let received = run(&plan, &test(rows)).unwrap();
    let out = &received.rows["out"];
    let n: Vec<i64> = out
        .iter()
        .flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec())
        .collect();
    assert_eq!(n, [0, 3, 0, 3], "each row once, and again at the end");
    let times = out[0].column(1).as_primitive::<TimestampMillisecondType>();
    assert_eq!(times.value(0), 1000, "`at` fills the event-time column");
    let raw: Vec<_> = out.iter().map(|b| b.column(2).as_binary::<i32>().clone()).collect();
    assert!(raw.iter().any(|r| r.iter().flatten().any(|bytes| bytes == b"ab")));
    let bad = &received.rows["bad"][0];
    assert_eq!(bad.num_rows(), 1);
    assert_eq!(bad.column_by_name("code").unwrap().as_string::<i32>().value(0), "SW3299");
    let payload = bad.column_by_name("payload").unwrap().as_string::<i32>().value(0);
    assert!(payload.contains("-2"), "{payload}");
}

#[test]
fn an_operator_gets_no_more_rows_than_it_takes_and_its_breaches_are_counted() {
    let rows = json!((0..5).map(|n| json!({"n": n})).collect::<Vec<_>>());
    let received = run(&plan(OnError::Fail), &test(rows)).unwrap();
    let out = &received.rows["out"];
    let sizes: Vec<_> = out.iter().take(out.len() / 2).map(RecordBatch::num_rows).collect();
    assert!(sizes.iter().all(|rows| *rows <= 2), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), 5);
    let breaches: Vec<_> = received.breaches.iter().map(|((n, r), c)| (&**n, &**r, *c)).collect();
    assert_eq!(breaches, [("picky", "even", 2)]);
}

#[test]
fn without_a_dead_letter_sink_a_bad_row_stops_the_test() {
    let error = run(&plan(OnError::Fail), &test(json!([{"n": -2}]))).unwrap_err().to_string();
    assert!(error.contains("`picky`") && error.contains("negative"), "{error}");
}

#[test]
fn a_row_that_does_not_fit_is_named() {
    let plan = plan(OnError::Drop);
    for (row, expected) in [
        (json!({"m": 1}), ["the unknown column `m`", "columns: n, time, raw"]),
        (json!({"n": null}), ["`n` to null: it takes none", "row 1 of `numbers`"]),
        (json!({"n": 1, "at": 5}), ["read `at: 5`", "at: 14s"]),
    ] {
        let error = run(&plan, &test(json!([row]))).unwrap_err().to_string();
        assert!(expected.iter().all(|e| error.contains(e)), "{error}");
    }
}
