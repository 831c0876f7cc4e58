//! Feature views: their mistakes, and the registry that keeps what is live as it is.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::swiftwater;

const TOPOLOGY: &str = r#"name: cards
sources:
  payments:
    generate:
      columns: {card: {sequence: {}}, amount: {uniform: {min: 1, max: 9}}, at: {timestamp: {}}}
      count: 10
    event_time: {column: at}
feature_views:
  card_v1:
    from: payments
    entity: [card]
    owner: fraud team
    features:
      amount: {type: int64, aggregation: last(amount), window: 1h, description: "<b> & more"}
sinks:
  out: {input: payments, blackhole: {}}
"#;

struct Registry(TempDir);

impl Registry {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Registers a topology; the exit code and everything that was said.
    fn take(&self, topology: &str, options: &[&str]) -> (Option<i32>, String) {
        fs::write(self.0.path().join("t.yaml"), topology).unwrap();
        let output = swiftwater(self.0.path(), &[&["features", "t.yaml"], options].concat());
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("features.json")).unwrap()).unwrap()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn the_registry_says_what_a_view_is() {
    let registry = Registry::new();
    let (code, text) = registry.take(TOPOLOGY, &["--html", "page.html"]);
    assert_eq!(code, Some(0), "{text}");
    let json = registry.json();
    let view = &json["views"][0];
    assert_eq!(view["family"], "card");
    assert_eq!(view["version"], 1);
    assert_eq!(view["project"], "cards");
    assert_eq!(view["entity"][0]["type"], "int64");
    assert_eq!(view["event_time"]["name"], "at");
    assert_eq!(view["upstream"][0]["kind"], "generate");
    assert_eq!(view["features"][0]["aggregation"], "last(amount)");
    let page = fs::read_to_string(registry.path("page.html")).unwrap();
    assert!(page.contains("&lt;b&gt; &amp; more") && page.contains("fraud team"), "{page}");
    assert!(!page.contains("http"), "the page needs nothing from elsewhere");
}

#[test]
fn a_live_version_is_left_as_it_is() {
    let registry = Registry::new();
    assert_eq!(registry.take(TOPOLOGY, &[]).0, Some(0));
    let before = registry.json();
    for (from, to, told) in [
        ("window: 1h", "window: 2h", "the window of `amount` was `1h` and is `2h`"),
        ("last(amount)", "max(amount)", "the aggregation"),
        ("entity: [card]", "entity: [amount]", "`entity` was [card int64]"),
        ("      amount: {", "      card: {", "the feature `amount` is gone"),
        ("name: cards", "name: other", "`topology`"),
    ] {
        let changed = TOPOLOGY.replacen(from, to, 1);
        assert_ne!(changed, TOPOLOGY);
        let (code, text) = registry.take(&changed, &[]);
        assert_eq!(code, Some(2), "{to}: {text}");
        for part in ["SW4116", told, "`card_v2`"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(registry.json(), before);
    }
}

#[test]
fn what_readers_can_bear_may_change_and_a_new_version_stands_beside() {
    let registry = Registry::new();
    assert_eq!(registry.take(TOPOLOGY, &[]).0, Some(0));
    let wider = TOPOLOGY
        .replace("fraud team", "risk team")
        .replace("sinks:\n", "      card: {description: itself}\nsinks:\n");
    let (code, text) = registry.take(&wider, &["--check"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("the feature `card` is new") && text.contains("owner"), "{text}");
    assert_eq!(registry.json()["views"][0]["owner"], "fraud team", "--check writes nothing");
    assert_eq!(registry.take(&wider, &[]).0, Some(0));
    assert_eq!(registry.json()["views"][0]["owner"], "risk team");
    let second = TOPOLOGY.replace("card_v1", "card_v2").replace("window: 1h", "window: 2h");
    let (code, text) = registry.take(&second, &[]);
    assert!(code == Some(0) && text.contains("card_v2: new"), "{text}");
    let names: Vec<Value> =
        registry.json()["views"].as_array().unwrap().iter().map(|v| v["name"].clone()).collect();
    assert_eq!(names, ["card_v1", "card_v2"]);
}

fn check(directory: &Path, topology: &str) -> String {
    fs::write(directory.join("t.yaml"), topology).unwrap();
    let output = swiftwater(directory, &["check", "t.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn mistakes_of_views_are_told_at_their_place() {
    let directory = TempDir::new().unwrap();
    for (from, to, parts) in [
        ("card_v1:", "card:", &["9:3", "SW0215", "card_features_v1"][..]),
        ("from: payments", "from: paymints", &["10:", "SW0216", "payments"]),
        ("from: payments", "from: payments.late", &["10:", "SW0216", "out"]),
        ("entity: [card]", "entity: [crad]", &["11:", "SW0217", "card, amount, at"]),
        ("      amount: {type", "      amuont: {type", &["14:", "SW0217"]),
        ("type: int64", "type: utf8", &["14:", "SW0218", "`amount` is int64, not utf8"]),
        ("type: int64", "type: int65", &["14:", "SW0120", "int65"]),
        ("owner: fraud", "event_time: card\n    owner: fraud", &["12:", "SW0218", "timestamp"]),
        ("    event_time: {column: at}\n", "", &["SW0218", "no event time"]),
        ("owner: fraud", "onwer: fraud", &["12:", "SW0107", "owner"]),
    ] {
        let changed = TOPOLOGY.replacen(from, to, 1);
        assert_ne!(changed, TOPOLOGY);
        let text = check(directory.path(), &changed);
        for part in parts {
            assert!(text.contains(part), "{to}: {part} is missing in\n{text}");
        }
    }
}
