//! What `check` says of the options.

use serde_json::json;
use swiftwater_config::{FormatConfig, NodeConfig, Role};
use swiftwater_engine::{NodeContext, SinkOptions, SinkPlan};

use super::*;
use crate::catalog::HttpOptions;

fn plan(options: Value, format: Option<&str>) -> Result<SinkPlan, Error> {
    let mut node = NodeConfig::new(Role::Sink, "hook", HttpOptions::KIND, options.clone());
    node.format = format.map(|name| FormatConfig { name: name.into(), options: Value::Null });
    let options: HttpOptions = serde_json::from_value(options).unwrap();
    options.plan(&NodeContext { topology: "test", node: &node, inputs: &[schema()], streams: &[] })
}

fn message(mut options: Value) -> String {
    let all = options.as_object_mut().unwrap();
    all.entry("url").or_insert_with(|| "https://example.com/".into());
    plan(options, None).err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn options_that_cannot_work_are_refused_with_a_cure() {
    for (options, expected) in [
        (json!({"url": "example.com/bids"}), "read `url`: relative URL without a base"),
        (json!({"url": "ftp://example.com/"}), "send requests to a `ftp:` address"),
        (json!({"url": "https://ann:t0p@example.com/"}), "take credentials from `url`"),
        (json!({"url": "https://example.com/#top"}), "send the part of `url` after `#`"),
        (json!({"concurrency": 0}), "keep `concurrency: 0` requests"),
        (json!({"concurrency": 257}), "it is 1 to 256"),
        (json!({"timeout": "0s"}), "`timeout: 0s`"),
        (json!({"batch": {"rows": 0}}), "`batch: {rows: 0}`"),
        (json!({"batch": {"bytes": "0B"}}), "`batch: {bytes: 0}`"),
        (json!({"body": "object", "batch": {}}), "use `batch` with `body: object`"),
        (json!({"headers": {"a b": "x"}}), "send the header `a b`"),
        (json!({"headers": {"Host": "x"}}), "set the header `Host`"),
        (json!({"headers": {"X-Key": "t0p\nsecret"}}), "the value of the header `X-Key`"),
        (
            json!({"headers": {"authorization": "x"}, "auth": {"bearer": "y"}}),
            "use both `auth` and the header `Authorization`",
        ),
        (json!({"auth": {"basic": {"username": "a:b", "password": "y"}}}), "user name `a:b`"),
        (json!({"idempotency_header": "a b"}), "`idempotency_header: a b`"),
        (json!({"headers": {"k": "v"}, "idempotency_header": "K"}), "sets it already"),
    ] {
        let message = message(options);
        assert!(message.contains(expected), "`{message}` lacks `{expected}`");
        assert!(message.contains("[SW2054]") && message.contains("hint: "), "{message}");
        assert!(!message.contains("t0p"), "{message}");
    }
}

#[test]
fn only_json_is_sent() {
    let options = || json!({"url": "https://example.com/"});
    assert!(plan(options(), Some("json")).is_ok());
    let error = plan(options(), Some("csv")).err().unwrap().to_string();
    assert!(error.contains("`csv`") && error.contains("format: json"), "{error}");
}

#[test]
fn what_looks_dangerous_or_useless_is_warned_about() {
    let warnings = |options| plan(options, None).unwrap().warnings.join("; ");
    let auth = json!({"bearer": "x"});
    let unencrypted = warnings(json!({"url": "http://example.com/", "auth": auth}));
    assert!(unencrypted.contains("unencrypted"), "{unencrypted}");
    assert_eq!(warnings(json!({"url": "http://127.0.0.1:1/", "auth": auth})), "");
    assert_eq!(warnings(json!({"url": "https://example.com/", "auth": auth})), "");
    let useless = warnings(json!({"url": "http://localhost/", "ca_file": "ca.pem"}));
    assert!(useless.contains("`ca_file` has no effect"), "{useless}");
}

#[test]
fn a_file_of_authorities_must_hold_certificates() {
    let context = || SinkContext {
        shared: Arc::default(),
        exactly_once: None,
        topology: "test".into(),
        node: "hook".into(),
        buffer_bytes: 1,
        retry_budget: DEADLINE,
        clock: Clock::system(),
        metrics: SinkMetrics::new(&Metrics::new("test").unwrap(), "hook"),
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "no certificate").unwrap();
    for path in [file.path().to_str().unwrap(), "/nowhere/ca.pem"] {
        let options = json!({"url": "https://example.com/", "ca_file": path});
        let mut sink = (plan(options, None).unwrap().make)().unwrap();
        let error = sink.open(context()).unwrap_err();
        assert_eq!((error.kind, error.code), (swiftwater_engine::ErrorKind::Config, "SW2055"));
        assert!(error.to_string().contains(path), "{error}");
    }
}
