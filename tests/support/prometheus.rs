//! A real Prometheus that scrapes what a test runs, and promtool.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::http::{encoded, get};
use super::process::free_address;
use super::wait_until;

/// Path of a tool of `scripts/tool.sh`.
fn tool(name: &str) -> PathBuf {
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/tool.sh"))
        .arg(name)
        .output()
        .expect("bash runs scripts/tool.sh");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

/// What `promtool check metrics` says against the text of a scrape; empty is good.
pub(crate) fn complaints(metrics: &str) -> String {
    let mut child = Command::new(tool("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(metrics.as_bytes()).expect("promtool reads");
    drop(input);
    let output = child.wait_with_output().expect("promtool ends");
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// A Prometheus that runs until it is dropped.
pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Prometheus {
    /// Scrapes `targets` each second as job `swiftwater`, showing the token in `token_file`, and
    /// evaluates `rules`.
    pub(crate) fn start(targets: &[SocketAddr], token_file: &Path, rules: &Path) -> Self {
        let directory = TempDir::with_prefix("swiftwater-prometheus-").expect("a directory");
        let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
        let configuration = serde_json::json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [rules],
            "scrape_configs": [{
                "job_name": "swiftwater",
                "authorization": {"credentials_file": token_file},
                "static_configs": [{"targets": targets}],
            }],
        });
        let path = directory.path().join("prometheus.yml");
        // JSON is YAML.
        fs::write(&path, configuration.to_string()).expect("the configuration is written");
        let address = free_address();
        let child = Command::new(tool("prometheus"))
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .spawn()
            .expect("prometheus starts");
        let prometheus = Self { child, address, _directory: directory };
        wait_until("Prometheus to be ready", Duration::from_secs(60), || {
            matches!(get(address, "/-/ready", None), Some((200, _)))
        });
        prometheus
    }

    /// The series that a query gives now; fails where Prometheus refuses the query.
    pub(crate) fn query(&self, query: &str) -> Vec<Value> {
        let data = self.api(&format!("/api/v1/query?query={}", encoded(query)));
        data["result"].as_array().expect("a vector").clone()
    }

    /// Name and health of every alert rule.
    pub(crate) fn rules(&self) -> Vec<(String, String)> {
        let data = self.api("/api/v1/rules");
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        let groups = data["groups"].as_array().expect("groups");
        groups
            .iter()
            .flat_map(|group| group["rules"].as_array().expect("rules"))
            .map(|rule| (text(&rule["name"]), text(&rule["health"])))
            .collect()
    }

    fn api(&self, path: &str) -> Value {
        let (status, body) = get(self.address, path, None).expect("Prometheus answers");
        assert_eq!(status, 200, "{path}: {body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        answer["data"].clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
