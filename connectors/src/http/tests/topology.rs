//! Whole topologies into an endpoint.

use std::collections::BTreeMap;

use swiftwater_config::{Kinds, ProcessEnvironment, Role};
use swiftwater_engine::{Outcome, Plan, Registry, Running};

use super::server::{Seen, Server, status};
use super::*;

fn run(text: &str, server: &Server) -> (Result<Outcome, Error>, Arc<Metrics>) {
    let mut registry = Registry::new();
    crate::register(&mut registry);
    let mut kinds = Kinds::default();
    for manual in registry.manuals() {
        let section = match manual.role {
            Role::Source => &mut kinds.sources,
            Role::Operator => &mut kinds.operators,
            Role::Sink => &mut kinds.sinks,
        };
        section.insert(manual.kind.to_owned(), manual.schema.clone());
    }
    let environment = ProcessEnvironment::new().with_override("WEBHOOK", server.url());
    let loaded = swiftwater_config::parse(text, &kinds, &environment).unwrap();
    let plan = Plan::new(loaded.topology, &registry).unwrap();
    let metrics = Metrics::new(&plan.config.name).unwrap();
    (Running::start(&plan, &metrics).unwrap().wait(), metrics)
}

const FLAKY: &str = r#"
name: flaky
checkpoint: {interval: 20ms}
retry: {initial: 1ms, max: 5ms}
sources:
  numbers: {generate: {columns: {n: {sequence: {}}}, count: 5000}}
sinks:
  hook:
    input: numbers
    http: {url: "${WEBHOOK}", auth: {bearer: "t0p-s3cret"}, batch: {rows: 50}}
    on_error: {dead_letter: refused}
  refused: {blackhole: {}}
"#;

#[test]
fn a_flaky_and_picky_endpoint_gets_every_row_once_and_in_order() {
    let server = Server::start(|n, request: &Seen| {
        let poison = request.rows().iter().any(|n| n % 1000 == 77);
        status(if n % 7 == 3 {
            503
        } else if poison {
            422
        } else {
            200
        })
    });
    let (outcome, metrics) = run(FLAKY, &server);
    assert!(matches!(outcome, Ok(Outcome::Finished)), "{outcome:?}");
    let good: Vec<_> = (0..5000).filter(|n| n % 1000 != 77).collect();
    assert_eq!(server.delivered(), good);
    let text = metrics.text().unwrap();
    let letters =
        "swiftwater_dead_letters_total{code=\"SW2051\",node=\"hook\",topology=\"flaky\"} 5";
    assert!(text.contains(letters), "{text}");
}

#[test]
fn an_endpoint_that_stays_away_stops_the_topology_when_the_budget_is_spent() {
    let server = Server::start(|_, _| status(503));
    let text = FLAKY.replace("max: 5ms", "max: 5ms, budget: 50ms");
    let (outcome, _) = run(&text, &server);
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("503 Service Unavailable") && error.contains("retry.budget"), "{error}");
    assert!(!error.contains("t0p-s3cret"), "{error}");
    assert!(server.delivered().is_empty());
}

#[test]
fn the_example_runs_once_its_endpoint_is_there() {
    use swiftwater_engine::SinkOptions;
    let server = Server::start(|_, _| status(204));
    let (outcome, _) =
        run(&crate::catalog::HttpOptions::EXAMPLE.replace("rate: 20, ", ""), &server);
    assert!(matches!(outcome, Ok(Outcome::Finished)), "{outcome:?}");
    let mut rows = BTreeMap::new();
    for request in server.seen() {
        let bids: Vec<Value> = serde_json::from_str(&request.body).unwrap();
        *rows.entry(bids.len() <= 100).or_insert(0) += bids.len();
    }
    assert_eq!(rows, BTreeMap::from([(true, 200)]));
}
