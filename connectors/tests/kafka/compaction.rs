//! Gaps that compaction leaves, at the end of what a bounded source reads.

use serde_json::json;

use crate::driver::{LIMIT, Reader, options};
use crate::support::{Broker, Record, Topic, unique, wait_until};

/// A segment is closed by a record that is more than a second of its time younger than the first.
const SETTINGS: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("segment.ms", "1000"),
    ("min.cleanable.dirty.ratio", "0.0"),
    ("min.compaction.lag.ms", "0"),
];

fn fill(topic: &Topic, keys: i64, first: i64, second: i64) {
    topic.produce((0..keys).map(|key| {
        let record = Record::new(format!("{{\"n\":{}}}", first + key)).key(key.to_string());
        Record { timestamp: Some(1_700_000_000_000 + second * 1000), ..record }
    }));
}

#[test]
fn a_gap_before_the_end_does_not_keep_a_bounded_source_waiting() {
    let broker = Broker::start(&["--set", "log.cleaner.backoff.ms=100"]);
    let topic = Topic::create_with(&broker, "compacted", 1, &SETTINGS);
    // Offsets 0 to 9, the same keys again at 10 to 19, and one more record that closes the segment.
    fill(&topic, 10, 0, 0);
    fill(&topic, 10, 100, 10);
    fill(&topic, 1, 200, 20);
    wait_until("the first ten records to be compacted away", LIMIT, || {
        topic.read_all().first().is_some_and(|record| record.offset >= 10)
    });
    let read_until = |until: serde_json::Value| {
        let group = unique("group");
        let all = json!({"topic": topic.name(), "group": group, "until": until});
        let mut reader = Reader::start(options(&broker, all));
        reader.read_to_end().commit(true);
        let committed = topic.committed(&group);
        let numbers = reader.numbers();
        reader.close();
        (numbers, committed)
    };
    // Nothing lies before the end, or only before the gap.
    for end in [5, 10] {
        let (numbers, committed) = read_until(json!({"offsets": {"0": end}}));
        assert!(numbers.is_empty(), "{numbers:?} before offset {end}");
        assert_eq!(committed, [Some(end)]);
    }
    let (numbers, committed) = read_until(json!({"timestamp": 1_700_000_005_000_i64}));
    assert!(numbers.is_empty(), "{numbers:?}");
    assert!(committed[0].is_some_and(|offset| offset >= 10), "{committed:?}");
    let (numbers, committed) = read_until(json!("latest"));
    assert_eq!(numbers.last(), Some(&200));
    assert!(numbers.iter().all(|n| *n >= 100), "{numbers:?}");
    assert_eq!(committed, [Some(21)]);
}
