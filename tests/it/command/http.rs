//! The HTTP interface: what it says, and to whom.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::{call_in, call_on};
use crate::support::{Launch, Swiftwater, get, wait_for};

const TOPOLOGY: &str = "name: watched
sources:
  bids: {generate: {preset: bids, rate: 200}}
operators:
  serious: {input: bids, filter: \"price >= 1000\"}
sinks:
  out: {input: serious, blackhole: {}}
";

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn json(running: &Swiftwater, path: &str) -> Value {
    match running.get(path) {
        Some((200, text)) => serde_json::from_str(&text).expect("JSON"),
        other => panic!("{path} answered {other:?}"),
    }
}

#[test]
fn every_page_answers() {
    let mut running = Launch::new(TOPOLOGY).start();
    running.wait_ready();
    let ready = json(&running, "/readyz");
    assert_eq!(ready["nodes"]["bids"]["state"], "running", "{ready}");
    assert_eq!(running.get("/livez").map(|(status, _)| status), Some(200));
    let version = json(&running, "/version");
    assert_eq!(version["topology"], "watched");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let config = json(&running, "/config");
    assert_eq!(config["sources"]["bids"]["generate"]["rate"], 200, "{config}");
    let index = running.get("/").expect("an answer").1;
    for path in ["/metrics", "/topology", "/config", "/readyz", "/livez", "/version"] {
        assert!(index.contains(path), "{index}");
    }
    assert_eq!(running.get("/nothing").map(|(status, _)| status), Some(404));
    assert_eq!(running.drain(Duration::from_secs(60)), 143);
}

#[test]
fn the_topology_page_shows_live_rates() {
    let running = Launch::new(TOPOLOGY).start();
    let page = wait_for("rates", Duration::from_secs(60), || {
        let page: Value = serde_json::from_str(&running.get("/topology")?.1).ok()?;
        let rate = page["live"]["nodes"][0]["rows_out_per_second"].as_f64()?;
        (rate > 0.0 && page["live"]["nodes"][2]["ingest_to_ack_seconds"]["p99"].is_f64())
            .then_some(page)
    });
    assert_eq!(page["graph"]["nodes"][1]["inputs"][0], "bids", "{page}");
    assert_eq!(page["live"]["nodes"][2]["node"], "out", "{page}");
    assert_eq!(page["live"]["edges"][0]["edge"], "serious->out", "{page}");
    assert_eq!(page["states"]["out"], "running", "{page}");
}

#[test]
fn the_topology_page_shows_watermarks_and_state() {
    let directory = tempfile::tempdir().unwrap();
    let topology = format!(
        r#"
name: state_page
checkpoint: {{interval: 100ms, store: "file://{}"}}
sources:
  bids: {{generate: {{preset: bids, rate: 1000}}, event_time: {{column: date_time}}}}
operators:
  counts: {{input: bids, window: {{tumbling: {{size: 1h}}, key: [bidder], aggregate: {{bids: count(*)}}}}}}
sinks:
  out: {{input: counts, blackhole: {{}}}}
"#,
        directory.path().display()
    );
    let running = Launch::new(topology).start();
    let node = wait_for("state", Duration::from_secs(60), || {
        let page: Value = serde_json::from_str(&running.get("/topology")?.1).ok()?;
        let node = page["live"]["nodes"][1].clone();
        (node["state_bytes"].as_u64()? > 0).then_some(node)
    });
    assert!(node["watermark_lag_seconds"].is_f64(), "{node}");
    assert_eq!(node["late_rows"], 0, "{node}");
}

#[test]
fn a_token_guards_everything_but_the_probes() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let mut running =
        Launch::new(TOPOLOGY).option("--http-token-file").option(token.to_str().unwrap()).start();
    running.wait_ready();
    let status = |path: &str, token| get(running.http(), path, token).map(|(status, _)| status);
    for path in ["/", "/metrics", "/topology", "/config", "/version"] {
        assert_eq!(status(path, None), Some(401), "{path}");
        assert_eq!(status(path, Some("0123456789abcdef0123456789abcdeX")), Some(401), "{path}");
        assert_eq!(status(path, Some(TOKEN)), Some(200), "{path}");
    }
    assert_eq!(status("/livez", None), Some(200));
    let (_, open) = get(running.http(), "/readyz", None).unwrap();
    let (_, full) = get(running.http(), "/readyz", Some(TOKEN)).unwrap();
    assert!(open.contains("\"ready\":true") && !open.contains("bids"), "{open}");
    assert!(full.contains("bids"), "{full}");
}

#[test]
fn an_address_that_others_reach_is_refused_without_a_token() {
    let called = call_on(TOPOLOGY, &["run", "--http", "0.0.0.0:0", "t.yaml"]);
    assert_eq!(called.code, 2, "{}", called.stderr);
    assert!(called.stderr.contains("--http-token-file"), "{}", called.stderr);
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("t.yaml"), TOPOLOGY).unwrap();
    fs::write(directory.path().join("token"), "short").unwrap();
    let arguments = ["run", "--http", "0.0.0.0:0", "--http-token-file", "token", "t.yaml"];
    let called = call_in(directory.path(), &arguments);
    assert_eq!(called.code, 2, "{}", called.stderr);
    assert!(
        called.stderr.contains("SW4105") && !called.stderr.contains("short"),
        "{}",
        called.stderr
    );
}

#[test]
fn secrets_are_not_shown() {
    let topology = TOPOLOGY.replace(
        "blackhole: {}",
        "http: {url: \"http://127.0.0.1:9/\", auth: {bearer: \"${SECRET_OF_A_TEST}\"}}, format: json",
    );
    let running = Launch::new(topology).env("SECRET_OF_A_TEST", "hunter2hunter2").start();
    let page = wait_for("the configuration", Duration::from_secs(60), || {
        running.get("/config").filter(|(status, _)| *status == 200)
    });
    assert!(page.1.contains("SECRET_OF_A_TEST") && !page.1.contains("hunter2"), "{}", page.1);
    assert!(!running.log().contains("hunter2"), "{}", running.log());
}
