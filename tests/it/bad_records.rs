//! Poison in the topic: each bad record costs one dead letter, and the stream goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Broker, Launch, Record, Topic};

const LIMIT: Duration = Duration::from_secs(60);

fn topology(broker: &Broker, bids: &Topic, out: &Topic, letters: &Topic) -> String {
    format!(
        r#"
name: poison
checkpoint: {{interval: 100ms}}
sources:
  bids:
    kafka: {{brokers: "{brokers}", topic: {bids}, group: {bids}, start: earliest}}
    format: {{json: {{max_bytes: 1MiB}}}}
    schema: {{id: int64!, price: int64, note: utf8, when: timestamp_ms}}
    on_error: {{dead_letter: letters}}
operators:
  halved:
    input: bids
    select: [id, "1000 / price AS share", note]
    on_error: {{dead_letter: letters}}
sinks:
  out: {{input: halved, kafka: {{brokers: "{brokers}", topic: {out}}}, format: json}}
  letters: {{kafka: {{brokers: "{brokers}", topic: {letters}}}, format: json}}
"#,
        brokers = broker.bootstrap(),
        bids = bids.name(),
        out = out.name(),
        letters = letters.name(),
    )
}

/// Bad payloads with the code of their dead letter and a part of its message.
fn poison() -> Vec<(Option<Vec<u8>>, &'static str, &'static str)> {
    let text = |t: &str| Some(t.as_bytes().to_vec());
    let deep = format!("{{\"id\": 1, \"x\": {}{}}}", "[".repeat(5000), "]".repeat(5000));
    let mut bad_utf8 = br#"{"id": 1, "note": ""#.to_vec();
    bad_utf8.extend([0xff, 0xfe]);
    bad_utf8.extend(br#""}"#);
    let huge = format!("{{\"id\": 1, \"note\": \"{}\"}}", "x".repeat(10_000_000));
    vec![
        (text("{\"id\": 1, "), "SW3101", ""),
        (text("{\"id\": 1} trailing"), "SW3101", ""),
        (text("not json"), "SW3101", ""),
        (text(""), "SW3101", ""),
        (text(r#"{"id": "abc", "price": 1}"#), "SW3102", "`id`"),
        (text(r#"{"id": 1, "price": "abc"}"#), "SW3102", "abc"),
        (text(r#"{"id": 1, "price": 99999999999999999999}"#), "SW3102", "`price`"),
        (text(r#"{"price": 5}"#), "SW3103", "`id`"),
        (text(r#"{"id": null, "price": 5}"#), "SW3103", "`id`"),
        (Some(bad_utf8), "SW3104", ""),
        (None, "SW3105", ""),
        (Some(huge.into_bytes()), "SW3106", ""),
        (Some(deep.into_bytes()), "SW3107", ""),
        (text(r#"{"id": 1, "price": 0}"#), "SW32", ""),
    ]
}

#[test]
fn a_poison_record_costs_one_dead_letter_and_no_downtime() {
    let broker = Broker::shared();
    let large = [("max.message.bytes", "20000000")];
    let bids = Topic::create_with(broker, "poison", 1, &large);
    let out = Topic::create(broker, "poison-out", 1);
    let letters = Topic::create_with(broker, "poison-letters", 1, &large);
    let good = |id: usize| Record::new(format!("{{\"id\": {id}, \"price\": 10, \"note\": \"é\"}}"));
    let poison = poison();
    // A good record before, between and after.
    let mut records = vec![good(0)];
    for (i, (payload, _, _)) in poison.iter().enumerate() {
        let bad = Record {
            payload: payload.clone(),
            key: Some(vec![b'k', i as u8]),
            ..Record::default()
        };
        records.extend([bad, good(i + 1)]);
    }
    bids.produce(records);

    let mut process = Launch::new(topology(broker, &bids, &out, &letters)).start();
    process.wait_ready();
    let rows = out.read(poison.len() + 1, LIMIT);
    let dead = letters.read(poison.len(), LIMIT);
    let metrics = process.metrics();
    assert_eq!(process.drain(LIMIT), 143, "{}", process.log());

    let ids: Vec<_> = rows.iter().map(|r| r.json()["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (0..=poison.len() as u64).collect::<Vec<_>>());
    assert!(rows.iter().all(|r| r.json()["share"] == 100 && r.json()["note"] == "é"));

    assert_eq!(dead.len(), poison.len());
    let by_offset: BTreeMap<i64, Value> =
        dead.iter().map(|r| r.json()).map(|l| (l["offset"].as_i64().unwrap_or(-1), l)).collect();
    for (i, (payload, code, part)) in poison.iter().enumerate() {
        let decoded = code.len() < 6;
        let offset = if decoded { -1 } else { i as i64 * 2 + 1 };
        let letter =
            by_offset.get(&offset).unwrap_or_else(|| panic!("no letter for {code} at {offset}"));
        assert!(letter["code"].as_str().unwrap().starts_with(code), "{code}: {letter}");
        assert!(letter["message"].as_str().unwrap().contains(part), "{part}: {letter}");
        assert_eq!(letter["topology"], "poison");
        assert_eq!(letter["node"], if decoded { "halved" } else { "bids" });
        if !decoded {
            assert_eq!(letter["topic"], bids.name());
            let sent = payload.as_deref().map(String::from_utf8_lossy);
            if letter["encoding"] == "utf8" {
                assert_eq!(letter["payload"].as_str(), sent.as_deref(), "{code}");
            }
        }
    }
    let counted = metrics.total("swiftwater_dead_letters_total", &[]);
    assert_eq!(counted, poison.len() as f64);
    assert_eq!(bids.committed(bids.name()), [Some(poison.len() as i64 * 2 + 1)]);
}

#[test]
fn without_on_error_a_poison_record_stops_the_topology_and_is_named() {
    let broker = Broker::shared();
    let bids = Topic::create(broker, "fatal", 1);
    bids.produce([
        Record::new("{\"id\": 1}"),
        Record::new("{\"id\": \"x\"}"),
        Record::new("{\"id\": 3}"),
    ]);
    let topology = format!(
        r#"
name: fatal
sources:
  bids:
    kafka: {{brokers: "{}", topic: {topic}, group: {topic}, start: earliest}}
    format: json
    schema: {{id: int64!}}
sinks:
  out: {{input: bids, blackhole: {{}}}}
"#,
        broker.bootstrap(),
        topic = bids.name()
    );
    let mut process = Launch::new(topology).start();
    assert_eq!(process.wait(LIMIT).code(), Some(1), "{}", process.log());
    let log = process.log();
    for part in ["bids", "SW3102", "offset 1", "on_error"] {
        assert!(log.contains(part), "`{part}` is missing:\n{log}");
    }
    assert!(bids.committed(bids.name())[0].unwrap_or(0) <= 1, "committed past the bad record");
}

#[test]
fn a_bad_record_that_is_dropped_is_counted() {
    let broker = Broker::shared();
    let bids = Topic::create(broker, "dropped", 1);
    bids.produce(
        (0..100).map(|i| {
            Record::new(if i % 10 == 0 { "{".into() } else { format!("{{\"id\": {i}}}") })
        }),
    );
    let topology = format!(
        r#"
name: dropped
sources:
  bids:
    kafka: {{brokers: "{}", topic: {topic}, group: {topic}, start: earliest, until: latest}}
    format: json
    schema: {{id: int64!}}
    on_error: drop
sinks:
  out: {{input: bids, stdout: {{}}}}
"#,
        broker.bootstrap(),
        topic = bids.name()
    );
    let mut process = Launch::new(topology).start();
    assert_eq!(process.wait(LIMIT).code(), Some(0), "{}", process.log());
    let rows = process.log().lines().filter(|l| l.starts_with("{\"id\":")).count();
    assert_eq!(rows, 90, "{}", process.log());
    assert_eq!(bids.committed(bids.name()), [Some(100)]);
}
