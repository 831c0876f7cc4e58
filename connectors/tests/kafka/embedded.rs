//! The broker inside the process.

use serde_json::json;

use crate::driver::{Reader, Writer, column_n, numbers, plan_source};
use crate::support::unique;

#[test]
fn nodes_of_one_process_meet_at_the_embedded_broker() {
    let topic = unique("inside");
    let sink = json!({"brokers": "embedded", "topic": topic, "key": ["n"]});
    let source = json!({"brokers": "embedded", "topic": topic, "group": unique("group")});
    let plan = plan_source(source).unwrap();
    assert!(plan.warnings.iter().any(|w| w.contains("trials only")), "{:?}", plan.warnings);
    let mut reader = Reader::open(&plan).unwrap();
    let rows = numbers(0, 500);
    let mut writer = Writer::open(sink, &rows).unwrap();
    writer.write(&rows).unwrap();
    writer.flush().unwrap();
    assert_eq!(reader.read(500).numbers(), column_n(&rows));
    reader.commit(true);
    reader.close();
}
