//! `join_point_in_time` against pandas' `merge_asof` and against a search through all rows.

use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::testing::{Harness, rows};
use swiftwater_engine::{Changes, NodeContext};

use super::*;
use crate::keyed::fleet::{self, Row, Step, Told};

const HOUR: i64 = 3_600_000;

fn two(feature: Value) -> Result<Harness> {
    let requests =
        rows::columns(&json!({"driver": "int64", "ride": "int64", "at": "timestamp_ms"}));
    let features = rows::columns(
        &json!({"driver": "int64", "since": "timestamp_ms", "v": "float64", "known": "timestamp_ms"}),
    );
    let mut options =
        json!({"key": ["driver"], "features": [{"input": "in1", "ttl": "unlimited"}]});
    for (name, value) in feature.as_object().unwrap() {
        options["features"][0][name] = value.clone();
    }
    Harness::plan::<JoinPointInTimeOptions>(options, &[requests, features])
}

/// `pandas.merge_asof` (3.1.1): rows 10:00=1, 11:00=null, 12:00=3; asked 10:00, 12:00, +24 h.
#[test]
fn golden_values_of_merge_asof() {
    for (options, expected) in [
        (json!({"include_current": true}), [Some(1.0), Some(3.0), Some(3.0)]),
        (json!({}), [None, None, Some(3.0)]),
        (json!({"include_current": true, "ttl": "2h"}), [Some(1.0), Some(3.0), None]),
        (json!({"ttl": "2h"}), [None, None, None]),
    ] {
        let mut join = two(options.clone()).unwrap();
        join.push_to(
            1,
            &json!([
                {"driver": 1, "since": 12 * HOUR, "v": 3}, {"driver": 1, "since": 10 * HOUR, "v": 1},
                {"driver": 1, "since": 11 * HOUR, "v": null}, {"driver": 2, "since": 10 * HOUR, "v": 9},
            ]),
        );
        let asked = [10, 12, 36];
        let requests = asked.map(|h| json!({"driver": 1, "ride": h, "at": h * HOUR}));
        join.push(&json!(requests));
        join.expect(&json!([]));
        join.end().unwrap();
        let rows = asked.iter().zip(expected).map(|(h, v)| json!({"ride": h, "v": v}));
        join.expect(&json!(rows.collect::<Vec<_>>()));
        assert!(join.take_late().is_empty(), "{options}");
    }
}

#[test]
fn a_row_counts_from_the_time_at_which_it_could_be_read() {
    let mut join = two(json!({"available_at": "known", "columns": {"rating": "v"}})).unwrap();
    join.push_to(
        1,
        &json!([
            {"driver": 1, "since": 10, "known": 10, "v": 1},
            // Computed for 20, written at 40; corrected at 60; then the first version comes again.
            {"driver": 1, "since": 20, "known": 40, "v": 2}, {"driver": 1, "since": 20, "known": 60, "v": 3},
            {"driver": 1, "since": 20, "known": 50, "v": 4},
        ]),
    );
    join.push(&json!([30, 40, 50, 59, 60].map(|at| json!({"driver": 1, "ride": at, "at": at}))));
    join.push(&json!([{"driver": null, "ride": 61, "at": 61}]));
    join.end().unwrap();
    join.expect(&json!([
        {"ride": 30, "rating": 1}, {"ride": 40, "rating": 2}, {"ride": 50, "rating": 4},
        {"ride": 59, "rating": 4}, {"ride": 60, "rating": 3}, {"ride": 61, "rating": null},
    ]));
    join.push_to(1, &json!([{"driver": 1, "since": 70, "known": null, "v": 5}]));
    assert_eq!(join.take_rejected().iter().map(|r| r.code).collect::<Vec<_>>(), ["SW3303"]);
}

#[test]
fn late_rows_are_given_in_the_columns_of_the_result() {
    let mut join = two(json!({"ttl": "10ms", "columns": ["v"], "prefix": "driver_"})).unwrap();
    join.push_to(1, &json!([{"driver": 1, "since": 30, "v": 1}]));
    join.watermark(Timestamp(50_000)).unwrap();
    join.push(&json!([{"driver": 1, "ride": 7, "at": 50}]));
    join.push_to(
        1,
        &json!([{"driver": 1, "since": 40, "v": 2}, {"driver": 1, "since": 45, "v": 3}]),
    );
    let late = join.take_late();
    rows::assert_rows(
        &late,
        &json!([{"ride": 7, "driver_v": null}, {"driver": 1, "ride": null, "driver_v": 2}]),
    );
    join.push(&json!([{"driver": 1, "ride": 8, "at": 55}, {"driver": 1, "ride": 9, "at": 56}]));
    join.end().unwrap();
    join.expect(&json!([{"ride": 8, "driver_v": 3}, {"ride": 9, "driver_v": null}]));
}

fn upserts(key: &[&str]) -> Result<OperatorPlan> {
    let requests = rows::columns(&json!({"k": "int64", "t": "timestamp_ms"}));
    let features =
        rows::columns(&json!({"k": "int64", "n": "int64", "t": "timestamp_ms", "_op": "utf8"}));
    let inputs = [requests, features];
    let changes = Changes::Upsert { key: key.iter().map(|k| (*k).to_owned()).collect() };
    let streams = [Stream::at("t"), Stream { changes, ..Stream::at("t") }];
    let options =
        json!({"key": ["k"], "features": [{"input": "in1", "ttl": "unlimited", "columns": ["n"]}]});
    let node = swiftwater_engine::testing::node::<JoinPointInTimeOptions>(options.clone(), 2);
    let cx = NodeContext { topology: "test", node: &node, inputs: &inputs, streams: &streams };
    serde_json::from_value::<JoinPointInTimeOptions>(options).unwrap().plan(&cx)
}

#[test]
fn a_deleted_row_is_no_feature_any_more() {
    let inputs = [
        rows::columns(&json!({"k": "int64", "t": "timestamp_ms"})),
        rows::columns(&json!({"k": "int64", "n": "int64", "t": "timestamp_ms", "_op": "utf8"})),
    ];
    let row = |t: i64, n: i64, op: &str| json!({"k": 1, "t": t, "n": n, "_op": op});
    let script = [
        Step::Rows(1, vec![row(10, 1, "insert"), row(20, 2, "update")]),
        Step::Rows(1, vec![row(30, 2, "delete"), row(40, 3, "insert")]),
        Step::Seal,
        Step::Crash(2),
        Step::Rows(0, [15, 25, 35, 45].map(|t| json!({"k": 1, "t": t})).to_vec()),
    ];
    let given = fleet::run_plan(&upserts(&["k"]).unwrap(), &inputs, 1, &script);
    assert_eq!(fleet::numbers(&given.rows, "n"), [Some(1), Some(2), None, Some(3)]);
    assert_eq!(upserts(&["k", "t"]).err().unwrap().code, "SW0210");
}

#[test]
fn mistakes_are_named() {
    for (options, code) in [
        (json!({"ttl": "0s"}), "SW0371"),
        (json!({"input": "in2"}), "SW0371"),
        (json!({"input": "in0"}), "SW0371"),
        (json!({"key": ["v"]}), "SW0371"),
        (json!({"key": ["driver", "v"]}), "SW0371"),
        (json!({"columns": []}), "SW0371"),
        (json!({"columns": {"a": 1}}), "SW0371"),
        (json!({"columns": {"a": "v"}, "prefix": "p"}), "SW0371"),
        (json!({"columns": {"ride": "v"}}), "SW0307"),
        (json!({"columns": ["w"]}), "SW0301"),
        (json!({"available_at": "v"}), "SW0371"),
        (json!({"available_at": "w"}), "SW0301"),
        (json!({"ttl": null}), "SW0110"),
        (json!({"ttl": "ever"}), "SW0110"),
    ] {
        assert_eq!(two(options.clone()).err().map(|e| e.code), Some(code), "{options}");
    }
    assert_eq!(two(json!({})).unwrap().planned().warnings.len(), 1);
}

#[test]
fn versions_that_nothing_asks_for_are_forgotten() {
    let mut join = two(json!({"ttl": "1s", "available_at": "known"})).unwrap();
    for step in 0..300_i64 {
        let features = (0..50)
            .map(|d| json!({"driver": d, "since": step * 10, "known": step * 10 + d, "v": step}));
        join.push_to(1, &json!(features.collect::<Vec<_>>()));
        join.push(&json!([{"driver": step % 50, "ride": step, "at": step * 10}]));
        join.watermark(Timestamp((step * 10 - 5) * 1000)).unwrap();
        join.seal().unwrap();
        assert!(join.state_bytes() < 2_000_000, "{} bytes", join.state_bytes());
    }
    join.end().unwrap();
    assert_eq!(join.take_rows(0).len(), 300);
    assert!(join.state_bytes() < 1_000_000, "{} bytes", join.state_bytes());
}

/// When the row of a script could be read: up to 3 ms before and 30 ms after its time.
fn known(row: &Row) -> i64 {
    row.t + (row.v * 7) % 34 - 3
}

#[derive(Debug, Clone, Copy)]
struct Rules {
    ttl: Option<i64>,
    two_clocks: bool,
    current: bool,
}

/// The feature row for a request: found by looking at all.
fn newest<'a>(request: &Row, features: impl Iterator<Item = &'a Row>, rules: Rules) -> Option<i64> {
    let counts = |f: &&Row| {
        f.k.is_some()
            && f.k == request.k
            && (f.t < request.t || (rules.current && f.t == request.t))
            && (!rules.two_clocks || known(f) <= request.t)
    };
    let order = |f: &&Row| (f.t, if rules.two_clocks { known(f).max(f.t) } else { 0 }, f.v);
    let newest = features.filter(counts).max_by_key(order);
    newest.filter(|f| rules.ttl.is_none_or(|ttl| request.t - f.t <= ttl)).map(|f| f.v)
}

type Answers = Vec<(i64, Option<i64>, Option<i64>)>;

fn oracle(told: &[Told], rules: Rules) -> (Answers, Vec<i64>) {
    let (mut waiting, mut features): (Vec<Row>, [Vec<Row>; 2]) = (Vec::new(), Default::default());
    let (mut answers, mut late, mut watermark) = (Vec::new(), Vec::new(), i64::MIN);
    for told in told.iter().chain([&Told::Watermark(i64::MAX)]) {
        match told {
            Told::Row(0, row) if row.t <= watermark => late.push(row.v),
            Told::Row(0, row) => waiting.push(*row),
            Told::Row(input, row) => features[*input - 1].push(*row),
            Told::Watermark(w) => {
                watermark = *w;
                waiting.sort_by_key(|row| (row.t, row.v));
                let due = waiting.partition_point(|row| row.t <= *w);
                for row in waiting.drain(..due) {
                    let plain = Rules { ttl: None, two_clocks: false, current: false };
                    let first = newest(&row, features[0].iter(), rules);
                    answers.push((row.v, first, newest(&row, features[1].iter(), plain)));
                }
            }
        }
    }
    (answers, late)
}

fn run(script: &fleet::Script, steps: &[Step], rules: Rules) -> (Answers, Vec<i64>) {
    let with_known = json!({"k": "int64", "t": "timestamp_ms", "v": "int64", "a": "timestamp_ms"});
    let inputs = [fleet::script_columns(), rows::columns(&with_known), fleet::script_columns()];
    let mut first =
        json!({"input": "in1", "columns": {"one": "v"}, "include_current": rules.current});
    first["ttl"] = rules.ttl.map_or(json!("unlimited"), |ttl| json!(format!("{ttl}ms")));
    if rules.two_clocks {
        first["available_at"] = json!("a");
    }
    let second = json!({"input": "in2", "columns": {"two": "v"}, "ttl": "unlimited"});
    let options = json!({"key": ["k"], "features": [second, first]});
    let given = fleet::run::<JoinPointInTimeOptions>(options, &inputs, script.instances, steps);
    assert_eq!(given.behind, 0, "rows below the watermark that was told");
    let answer =
        |row: &Value| (row["v"].as_i64().unwrap(), row["one"].as_i64(), row["two"].as_i64());
    let late = given.late.iter().filter_map(|row| row["v"].as_i64()).collect();
    (given.rows.iter().map(answer).collect(), late)
}

/// The script with the second clock of the first features.
fn steps(script: &fleet::Script) -> Vec<Step> {
    let mut steps = script.steps.clone();
    for step in &mut steps {
        let Step::Rows(1, rows) = step else { continue };
        for row in rows {
            let number = |name: &str| row[name].as_i64().unwrap();
            row["a"] = json!(known(&Row { k: None, t: number("t"), v: number("v") }));
        }
    }
    steps
}

fn rules() -> impl Strategy<Value = Rules> {
    (prop::option::of(1i64..40), any::<bool>(), any::<bool>())
        .prop_map(|(ttl, two_clocks, current)| Rules { ttl, two_clocks, current })
}

proptest! {
    #[test]
    fn it_is_what_a_search_through_all_rows_says(script in fleet::script(3), rules in rules()) {
        let (answers, late) = run(&script, &steps(&script), rules);
        let (expected, expected_late) = oracle(&script.told, rules);
        prop_assert_eq!(fleet::comparable(&script, answers), fleet::comparable(&script, expected));
        prop_assert_eq!(fleet::comparable(&script, late), fleet::comparable(&script, expected_late));
    }

    /// Rows at or after the time of a request, and rows that could not be read by then, move nothing.
    #[test]
    fn the_future_changes_nothing(
        script in fleet::script(3), ttl in prop::option::of(1i64..40),
        poison in prop::collection::vec((0i64..4, 0i64..100, any::<bool>(), any::<prop::sample::Index>()), 1..20),
    ) {
        let rules = Rules { ttl, two_clocks: true, current: false };
        let steps = steps(&script);
        let newest_request = script.told.iter().filter_map(|told| match told {
            Told::Row(0, row) => Some(row.t),
            _ => None,
        }).max().unwrap_or(0);
        let mut poisoned = steps.clone();
        for (k, after, backdated, at) in poison {
            let (t, a) = (newest_request + after, newest_request + 1 + after);
            let t = if backdated { t - 50 } else { t };
            let row = json!({"k": k, "t": t, "v": 1_000_000, "a": a});
            poisoned.insert(at.index(poisoned.len() + 1), Step::Rows(1, vec![row]));
        }
        let clean = fleet::comparable(&script, run(&script, &steps, rules).0);
        let found = fleet::comparable(&script, run(&script, &poisoned, rules).0);
        prop_assert_eq!(clean, found);
    }
}
