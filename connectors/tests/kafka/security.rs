//! Logins, certificates and permissions on a broker that asks for them.

use serde_json::{Value, json};
use swiftwater_engine::{ErrorKind, Result};

use crate::driver::{Reader, Writer, numbers, plan_source};
use crate::support::{Broker, Topic, unique};

fn login(user: &str, password: &str) -> Value {
    json!({"username": user, "password": password})
}

fn read(broker: &Broker, topic: &Topic, listener: &str, security: Value) -> Result<usize> {
    let options = json!({
        "brokers": broker.listener(listener), "topic": topic.name(), "until": "latest",
        "group": unique("group"), "security": security,
    });
    let mut reader = Reader::open(&plan_source(options)?)?;
    while !reader.ended {
        reader.poll()?;
    }
    Ok(reader.rows.len())
}

#[test]
fn users_and_certificates_are_let_in_and_strangers_are_told() {
    let broker = Broker::start(&["--secure"]);
    let topic = Topic::create(&broker, "guarded", 1);
    topic.produce([crate::support::Record::new("{\"n\":1}")]);
    let path = |name: &str| broker.file(name).to_str().unwrap().to_owned();
    let tls = json!({"ca": path("ca.pem")});
    let admin = login("admin", "admin-secret");

    let scram = json!({"tls": tls, "sasl": {"scram_sha_256": admin}});
    assert_eq!(read(&broker, &topic, "SASL_SSL", scram).unwrap(), 1);
    let plain = json!({"tls": tls, "sasl": {"plain": admin}});
    assert_eq!(read(&broker, &topic, "SASL_SSL", plain).unwrap(), 1);
    let open = json!({"sasl": {"scram_sha_512": admin}});
    assert_eq!(read(&broker, &topic, "SASL_PLAINTEXT", open).unwrap(), 1);
    let mutual = json!({"tls": {"ca": path("ca.pem"), "certificate": path("client.pem"), "key": path("client.key")}});
    assert_eq!(read(&broker, &topic, "SSL", mutual).unwrap(), 1);

    let wrong = json!({"tls": tls, "sasl": {"scram_sha_256": login("admin", "hush-hush")}});
    let error = read(&broker, &topic, "SASL_SSL", wrong).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Config, "SW2111"), "{error}");
    assert!(!error.to_string().contains("hush-hush"), "{error}");
    let stranger = json!({"tls": {}, "sasl": {"scram_sha_256": admin}});
    let error = read(&broker, &topic, "SASL_SSL", stranger).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Config, "SW2111"), "{error}");

    let alice = json!({"tls": tls, "sasl": {"scram_sha_256": login("alice", "alice-secret")}});
    let error = read(&broker, &topic, "SASL_SSL", alice.clone()).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Config, "SW2113"), "{error}");
    let allow = |operation: &str| {
        let rule =
            ["AclCommand", "--add", "--allow-principal", "User:alice", "--operation", operation];
        broker.tool(&[&rule[..], &["--topic", topic.name()]].concat());
    };
    allow("Describe");
    let options = json!({
        "brokers": broker.listener("SASL_SSL"), "topic": topic.name(), "security": alice,
    });
    let rows = numbers(0, 1);
    let mut writer = Writer::open(options, &rows).unwrap();
    let error = writer.write(&rows).and_then(|()| writer.flush().map(|_| ())).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Config, "SW2113"), "{error}");
}
