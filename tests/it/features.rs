//! Feature views: their mistakes, and the registry that keeps what is live as it is.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Broker, Launch, Record, Topic, oracle, python, shared_server, swiftwater};

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

#[test]
fn the_registry_may_be_in_an_object_store() {
    let registry = Registry::new();
    let url = format!("file://{}", registry.0.path().display());
    let (code, text) = registry.take(TOPOLOGY, &["--registry", &url]);
    assert_eq!(code, Some(0), "{text}");
    let changed = TOPOLOGY.replace("window: 1h", "window: 2h");
    assert_eq!(registry.take(&changed, &["--registry", &url, "--check"]).0, Some(2));
    let json = fs::read_to_string(registry.path("feature_views/registry.json")).unwrap();
    assert!(json.contains("\"card_v1\""), "{json}");
    fs::write(registry.path("broken.json"), "{}").unwrap();
    let (code, text) = registry.take(TOPOLOGY, &["--registry", "broken.json"]);
    assert!(code == Some(2) && text.contains("SW4117"), "{text}");
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

const LIMIT: Duration = Duration::from_secs(90);
const PAYMENTS: i64 = 400;
/// Seconds since 1970 of the last of them.
const NEWEST: f64 = 1_795_431_989.0;

/// Payments of 20 cards, out of order by up to 3 s, and one that lets the watermark pass all others.
fn payments() -> impl Iterator<Item = Record> {
    let row = |n: i64| {
        let at = 1_795_428_000_000 + n * 10_000 - (n * 7 % 4) * 1_000;
        json!({"card": format!("card {}", n % 20), "amount": n as f64 / 4.0, "country": "CH", "paid_at": at})
    };
    let last = json!({"card": "last", "amount": 1, "country": "CH", "paid_at": 1_795_428_000_000_i64 + 90_000_000});
    (0..PAYMENTS).map(row).chain([last]).map(|row| Record::new(row.to_string()))
}

/// Runs a topology until a sink has the features of all payments.
fn run(text: String, redis: &str, directory: &Path, freshness: Option<f64>) {
    run_to("online", text, &[("REDIS_URL", redis)], directory, freshness);
}

fn run_to(
    sink: &str,
    text: String,
    variables: &[(&str, &str)],
    directory: &Path,
    freshness: Option<f64>,
) {
    let store = format!("file://{}", directory.join("store").display());
    let launch = Launch::new(text).env("BROKERS", Broker::shared().bootstrap()).env("STORE", store);
    let launch = variables.iter().fold(launch, |launch, (name, value)| launch.env(name, *value));
    let mut running = launch.start_in(directory);
    running.wait_ready();
    running.wait_metrics("features of all payments", LIMIT, |samples| {
        let labels = [("node", sink), ("direction", "in")];
        let seen = samples.total("swiftwater_feature_newest_event_seconds", &[("sink", sink)]);
        samples.total("swiftwater_rows_total", &labels) >= PAYMENTS as f64 && seen >= NEWEST
    });
    let samples = running.metrics();
    let target = samples.sum("swiftwater_feature_freshness_target_seconds", &[("sink", sink)]);
    assert_eq!(target, freshness);
    assert_eq!(running.drain(LIMIT), 143, "{}", running.log());
}

#[test]
fn a_redis_that_was_wiped_is_filled_again_with_the_same_bytes() {
    let broker = Broker::shared();
    let redis = shared_server("SWIFTWATER_TEST_REDIS", "redis.sh");
    let paid = Topic::create(broker, "payments", 1);
    let kept = Topic::create(broker, "kept", 4);
    paid.produce(payments());
    let project = kept.name().replace('-', "_");
    let directory = TempDir::new().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/topologies");
    let topology = |file: &str| {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let text = text.replace("topic: payments", &format!("topic: {}", paid.name()));
        let text = text.replace("topic: card_features", &format!("topic: {}", kept.name()));
        let text = text.replace("project: card_features", &format!("project: {project}"));
        text.replace("name: card_features", &format!("name: {project}"))
    };
    run(topology("card_features.yaml"), &redis, directory.path(), Some(5.0));
    let dump =
        |more: &[&str]| oracle("redis_dump.py", &[&[redis.as_str(), &project], more].concat(), "");
    let written = dump(&["wipe"]);
    assert_eq!(written.as_object().unwrap().len(), 20, "{written}");
    assert_eq!(dump(&[]), json!({}));
    run(topology("card_features_rebuild.yaml"), &redis, directory.path(), None);
    assert_eq!(dump(&["wipe"]), written);
}

/// Rows of a query, columns with `|` between them.
fn rows_of(url: &str, sql: &str) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let rows = client.query(&format!("SELECT concat_ws('|', {sql}"), &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    })
}

#[test]
fn one_view_is_in_a_table_and_in_files() {
    let broker = Broker::shared();
    let redis = shared_server("SWIFTWATER_TEST_REDIS", "redis.sh");
    let database = shared_server("SWIFTWATER_TEST_POSTGRES", "postgres.sh");
    let paid = Topic::create(broker, "payments", 1);
    paid.produce(payments());
    let project = paid.name().replace('-', "_");
    let directory = TempDir::new().unwrap();
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("config/topologies/card_features_kept.yaml");
    let text = fs::read_to_string(path).unwrap();
    let text = text.replace("topic: payments", &format!("topic: {}", paid.name()));
    let text = text.replace("table: card_features_v1", &format!("table: {project}"));
    let text = text.replace("name: card_features_kept", &format!("name: {project}"));
    let text = text.replace("interval: 10s", "interval: 1s");
    let training = directory.path().join("training");
    let training = training.to_str().unwrap();
    let variables = [("REDIS_URL", &*redis), ("DATABASE_URL", &*database), ("TRAINING", training)];
    run_to("table", text, &variables, directory.path(), Some(5.0));

    let columns = "card, payments_1h, payments_24h, spent_1h, spent_24h, highest_24h";
    let table = rows_of(&database, &format!("{columns}) FROM {project} ORDER BY card"));
    assert_eq!(table.len(), 20);
    assert!(table.iter().all(|row| row.contains("|20|")), "{table:?}");
    let newest = "QUALIFY row_number() OVER (PARTITION BY card ORDER BY paid_at DESC) = 1";
    let files = format!("read_parquet('{training}/**/*.parquet', hive_partitioning = true)");
    let query = |sql: &str| {
        let script =
            format!("import duckdb, json\nprint(json.dumps(duckdb.sql(\"{sql}\").fetchall()))");
        let output = std::process::Command::new(python()).args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let rows = query(&format!("SELECT {columns} FROM {files} {newest} ORDER BY card"));
    let text = |value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.trim_end_matches(".0").to_owned()
    };
    let rows = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row.as_array().unwrap().iter().map(text).collect::<Vec<_>>().join("|"));
    assert_eq!(rows.collect::<Vec<_>>(), table);
    let counted = query(&format!(
        "SELECT count(*), count(DISTINCT (card, paid_at)), count(created_at), min(day)::text FROM {files}"
    ));
    assert_eq!(counted, json!([[PAYMENTS, PAYMENTS, PAYMENTS, "2026-11-23"]]));
}
