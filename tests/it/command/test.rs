//! `swiftwater test`: passes, fails with a difference, and needs no external system.

use super::call_on;

const TOPOLOGY: &str = "name: tested
sources:
  bids:
    generate: {preset: bids, only: [bidder, price, date_time]}
    event_time: {column: date_time}
operators:
  serious: {input: bids, filter: \"price >= 1000\"}
sinks:
  features: {input: serious, blackhole: {}}
tests:
  - name: cheap bids are left out
    input: {bids: [{at: 0s, bidder: 1, price: 2000}, {at: 14s, bidder: 2, price: 10}]}
    expect:
      features: {rows: [{bidder: 1, price: 2000, date_time: 0s}], count: 1}
";

#[test]
fn a_test_that_holds_passes() {
    let called = call_on(TOPOLOGY, &["test", "t.yaml"]);
    assert_eq!(called.code, 0, "{}", called.stdout);
    assert_eq!(called.stdout, "t.yaml\n  ok   cheap bids are left out\n1 passed, 0 failed\n");
}

#[test]
fn a_test_that_fails_shows_the_difference() {
    let wrong =
        TOPOLOGY.replace("bidder: 1, price: 2000, date_time", "bidder: 3, price: 2000, date_time");
    let called = call_on(&wrong, &["test", "t.yaml"]);
    assert_eq!(called.code, 1, "{}", called.stdout);
    let expected = "t.yaml
  FAIL cheap bids are left out
       sink `features`: the rows differ (- expected, + received)
         - {bidder: 3, price: 2000, date_time: \"1970-01-01T00:00:00\"}
         + {bidder: 1, price: 2000, date_time: \"1970-01-01T00:00:00\"}
0 passed, 1 failed
";
    assert_eq!(called.stdout, expected);
}

#[test]
fn a_breach_that_is_only_counted_is_told() {
    let rule =
        "assert: {rules: [{name: dear, column: price, range: {min: 1000}}], on_breach: count}";
    let counted = TOPOLOGY
        .replace("filter: \"price >= 1000\"", rule)
        .replace("{rows: [{bidder: 1, price: 2000, date_time: 0s}], count: 1}", "{count: 2}");
    let called = call_on(&counted, &["test", "t.yaml"]);
    let expected = "t.yaml
  ok   cheap bids are left out
       1 row broke the rule `dear` of `serious`
1 passed, 0 failed
";
    assert_eq!((called.code, called.stdout.as_str()), (0, expected));
}

#[test]
fn a_mistake_in_the_test_itself_is_told() {
    for (from, to, parts) in [
        ("{at: 14s, bidder: 2", "{at: 14s, bider: 2", ["bider", "bidder"]),
        ("expect:\n      features", "expect:\n      feetures", ["feetures", "features"]),
        ("price: 10}", "price: cheap}", ["cheap", "price"]),
    ] {
        let wrong = TOPOLOGY.replace(from, to);
        assert_ne!(wrong, TOPOLOGY, "{from}");
        let called = call_on(&wrong, &["test", "t.yaml"]);
        assert!(called.code != 0, "{to}");
        for part in parts {
            assert!(called.stdout.contains(part), "{part} is missing for {to}:\n{}", called.stdout);
        }
    }
}

#[test]
fn a_file_that_cannot_start_is_bad_configuration() {
    let called = call_on(&TOPOLOGY.replace("filter", "fliter"), &["test", "t.yaml"]);
    assert_eq!(called.code, 2, "{}", called.stdout);
}
