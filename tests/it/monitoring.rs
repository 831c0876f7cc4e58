//! What an operator of the service looks at: the series, their manual, the dashboard, the alerts and
//! the container's health check, against a running topology and a real Prometheus.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::architecture::source::{ROOT, sources};
use crate::support::{
    Broker, Launch, Prometheus, Record, Swiftwater, Topic, complaints, get, wait_until,
};

fn file(path: &str) -> PathBuf {
    Path::new(ROOT).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap()
}

/// Words of `text` that start with `swiftwater_`.
fn names(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '_')
        .filter(|word| word.len() > "swiftwater_".len() && word.starts_with("swiftwater_"))
        .map(str::to_owned)
        .collect()
}

/// Names of all families, from where the product registers them.
fn registered() -> BTreeSet<String> {
    let product = |path: &str| path.contains("src/") && !path.contains("test");
    let quoted = |text: &str| {
        let name = |part: &str| names(part).into_iter().next().filter(|name| name == part);
        text.split('"').filter_map(name).collect::<Vec<_>>()
    };
    let all: BTreeSet<String> = sources()
        .iter()
        .filter(|source| product(&source.path))
        .flat_map(|source| quoted(&source.text))
        .filter(|name| !name.starts_with("swiftwater_config") && !is_crate(name))
        // A table of the `postgres` sink.
        .filter(|name| name != "swiftwater_epochs")
        .collect();
    assert!(all.len() >= 20, "{all:?}");
    all
}

/// Whether a name is that of one of our crates, as log filters name them.
fn is_crate(name: &str) -> bool {
    file(name.trim_start_matches("swiftwater_")).join("Cargo.toml").exists()
}

/// The family of a series: a histogram has three series.
fn family(name: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

/// The queries of all panels of a dashboard, with its variables filled in.
fn panel_queries(dashboard: &str) -> Vec<(String, String)> {
    let dashboard = text(&format!("docker/grafana/{dashboard}.json"));
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut queries = Vec::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().unwrap_or(&Vec::new()) {
            let query = target["expr"].as_str().unwrap();
            let query = query.replace("$__rate_interval", "15s").replace("$topology", ".*");
            assert!(!query.contains('$'), "{title} uses a variable that is not known: {query}");
            queries.push((title.to_owned(), query));
        }
    }
    assert!(queries.len() > 10);
    queries
}

#[test]
fn every_series_is_documented() {
    let manual: BTreeSet<String> = text("docs/guide/metrics.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next().map(str::to_owned))
        .collect();
    assert_eq!(manual, registered());
}

#[test]
fn dashboard_and_alerts_name_series_that_exist() {
    let known = registered();
    let dashboard = |name| -> String {
        panel_queries(name).into_iter().map(|(_, query)| query + "\n").collect()
    };
    for (where_, text) in [
        ("the dashboard", dashboard("dashboard")),
        ("the dashboard of features", dashboard("features")),
        ("an alert", text("docker/alerts.yml")),
    ] {
        let used = names(&text);
        assert!(used.len() > 5, "{where_} names only {used:?}");
        for name in used {
            assert!(known.contains(family(&name)), "{where_} names {name}, which does not exist");
        }
    }
}

const TOPOLOGY: &str = r#"
name: watched
sources:
  bids:
    kafka: {brokers: "${BROKERS}", topic: "${TOPIC}", group: "${TOPIC}", start: earliest}
    format: json
    schema: {auction: int64, price: int64, date_time: timestamp_ms}
    event_time: {column: date_time}
    on_error: {dead_letter: rejected}
operators:
  expensive: {input: bids, filter: "price >= 50"}
sinks:
  out: {input: expensive, kafka: {brokers: "${BROKERS}", topic: "${OUTPUT}"}, format: json}
  rejected: {kafka: {brokers: "${BROKERS}", topic: "${OUTPUT}"}, format: json}
"#;

/// 100 bids and one record that is none.
fn bids() -> impl Iterator<Item = Record> {
    let bid = |i| format!(r#"{{"auction": 1, "price": {i}, "date_time": 1790000000{i:03}}}"#);
    (0..100).map(move |i| Record::new(bid(i))).chain([Record::new("no bid")])
}

fn watched(token_file: &Path) -> (Swiftwater, Topic) {
    let broker = Broker::shared();
    let topic = Topic::create(broker, "watched", 2);
    let output = Topic::create(broker, "watched-out", 1);
    topic.produce(bids());
    let mut running = Launch::new(TOPOLOGY)
        .env("BROKERS", broker.bootstrap())
        .env("TOPIC", topic.name())
        .env("OUTPUT", output.name())
        .option("--http-token-file")
        .option(token_file.to_str().unwrap())
        .start();
    running.wait_ready();
    // 50 expensive bids and the dead letter.
    output.read(51, Duration::from_secs(30));
    (running, topic)
}

#[test]
fn prometheus_understands_series_dashboard_and_alerts() {
    let token_file = file("docker/demo-token");
    let token = text("docker/demo-token");
    let (running, topic) = watched(&token_file);
    assert_eq!(running.get("/metrics").map(|(status, _)| status), Some(401), "a token is demanded");
    let metrics = || get(running.http(), "/metrics", Some(token.trim())).unwrap().1;
    assert_eq!(complaints(&metrics()), "");

    let prometheus = Prometheus::start(&[running.http()], &token_file, &file("docker/alerts.yml"));
    wait_until("rates in Prometheus", Duration::from_secs(60), || {
        topic.produce(bids());
        let rate = "sum(rate(swiftwater_e2e_latency_seconds_count[15s])) > 0";
        !prometheus.query(rate).is_empty()
    });
    // What this topology has no reason to do leaves its panel empty.
    let quiet = [
        "Retries",
        "Rows dropped, late or against a rule",
        "Partitions that stand still, rebalances",
    ];
    for (title, query) in panel_queries("dashboard") {
        let series = prometheus.query(&query);
        assert!(quiet.contains(&title.as_str()) || !series.is_empty(), "{title} is empty: {query}");
    }
    // This topology has no model: its panels are only understood.
    for (_, query) in panel_queries("features") {
        prometheus.query(&query);
    }
    wait_until("all rules evaluated", Duration::from_secs(30), || {
        prometheus.rules().iter().all(|(_, health)| health != "unknown")
    });
    for (name, health) in prometheus.rules() {
        assert_eq!(health, "ok", "{name}");
    }
}

/// The command of the Dockerfile's health check, for another port.
fn health_check(port: u16) -> bool {
    let dockerfile = text("docker/Dockerfile").replace("\\\n", " ");
    let line = dockerfile.lines().find(|line| line.starts_with("HEALTHCHECK")).unwrap();
    let (_, command) = line.split_once(" CMD ").unwrap();
    let command: Vec<String> = serde_json::from_str(command).unwrap();
    let [shell, arguments @ ..] = command.as_slice() else {
        panic!("the health check has no command")
    };
    let arguments = arguments.iter().map(|a| a.replace("9464", &port.to_string()));
    Command::new(shell).args(arguments).output().unwrap().status.success()
}

#[test]
fn the_health_check_tells_a_live_process_from_a_dead_one() {
    let (mut running, _) = watched(&file("docker/demo-token"));
    let port = running.http().port();
    assert!(health_check(port));
    running.kill();
    assert!(!health_check(port));
}

#[test]
fn the_topologies_of_the_compose_file_pass_check() {
    for entry in fs::read_dir(file("docker/topologies")).unwrap() {
        let path = entry.unwrap().path();
        let output =
            crate::support::swiftwater(Path::new(ROOT), &["check", path.to_str().unwrap()]);
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}
