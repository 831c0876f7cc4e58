//! Joins against nested loops.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::Timestamp;
use swiftwater_engine::testing::{Harness, rows};

use super::options::Wait;
use super::*;
use crate::keyed::fleet::{self, Row, Told};

fn two(options: Value) -> Harness {
    let left = rows::columns(&json!({"auction": "int64", "price": "int64", "at": "timestamp_ms"}));
    let right = rows::columns(&json!({"id": "int64", "seller": "utf8", "since": "timestamp_ms"}));
    let planned = Harness::plan::<JoinOptions>(options, &[left, right]);
    planned.map_err(|e| e.to_string()).unwrap()
}

fn mark(harness: &mut Harness, ms: i64) {
    harness.watermark(Timestamp(ms * 1000)).unwrap();
}

#[test]
fn rows_meet_whose_times_are_close() {
    let mut join = two(json!({
        "on": {"auction": "id"}, "within": {"before": "5ms", "after": "10ms"}, "type": "left",
    }));
    let names: Vec<_> =
        join.planned().ports[0].1.fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["auction", "price", "at", "id", "seller", "since"]);
    assert_eq!(join.planned().input_keys, [["auction"], ["id"]]);
    join.push_to(
        0,
        &json!([{"auction": 1, "price": 7, "at": 100}, {"auction": 2, "price": 8, "at": 100}]),
    );
    join.push_to(
        1,
        &json!([
            {"id": 1, "seller": "a", "since": 94}, {"id": 1, "seller": "b", "since": 95},
            {"id": 1, "seller": "c", "since": 110}, {"id": 1, "seller": "d", "since": 111},
        ]),
    );
    join.expect(&json!([{"price": 7, "seller": "b"}, {"price": 7, "seller": "c"}]));
    mark(&mut join, 109);
    join.expect(&json!([]));
    mark(&mut join, 110);
    join.expect(&json!([{"price": 8, "seller": null, "id": null}]));
    join.push_to(0, &json!([{"auction": 1, "price": 9, "at": 110}]));
    rows::assert_rows(&join.take_late(), &json!([{"auction": 1, "price": 9, "seller": null}]));
}

#[test]
fn a_left_row_gets_the_version_of_its_time() {
    let mut join = two(json!({"on": {"auction": "id"}, "as_of": {}, "type": "left"}));
    join.push_to(
        1,
        &json!([
            {"id": 1, "seller": "b", "since": 20}, {"id": 1, "seller": "a", "since": 10},
            {"id": 1, "seller": "a2", "since": 10}, {"id": 1, "seller": "c", "since": 40},
        ]),
    );
    join.push_to(
        0,
        &json!([
            {"auction": 1, "price": 4, "at": 40}, {"auction": 1, "price": 1, "at": 9},
            {"auction": 1, "price": 2, "at": 19}, {"auction": 1, "price": 3, "at": 39},
        ]),
    );
    join.expect(&json!([]));
    mark(&mut join, 39);
    join.expect(&json!([
        {"price": 1, "seller": null}, {"price": 2, "seller": "a2"}, {"price": 3, "seller": "b"},
    ]));
    // Needless beside `b`, which is newer and still old enough; and one that still counts.
    join.push_to(
        1,
        &json!([{"id": 1, "seller": "x", "since": 15}, {"id": 1, "seller": "y", "since": 30}]),
    );
    rows::assert_rows(&join.take_late(), &json!([{"seller": "x", "price": null}]));
    join.push_to(0, &json!([{"auction": 1, "price": 5, "at": 41}]));
    join.end().unwrap();
    join.expect(&json!([{"price": 4, "seller": "c"}, {"price": 5, "seller": "c"}]));
}

#[test]
fn rows_of_a_window_meet_when_it_closes() {
    let mut join = two(json!({
        "on": {"auction": "id"}, "window": {"tumbling": {"size": "10ms"}}, "type": "full",
    }));
    join.push_to(
        0,
        &json!([{"auction": 1, "price": 1, "at": 19}, {"auction": 1, "price": 2, "at": 20}]),
    );
    join.push_to(
        1,
        &json!([{"id": 1, "seller": "a", "since": 10}, {"id": 2, "seller": "b", "since": 12}]),
    );
    mark(&mut join, 18);
    join.expect(&json!([]));
    mark(&mut join, 19);
    join.expect(&json!([
        {"price": 1, "seller": "a", "window_start": "1970-01-01T00:00:00.010",
         "window_end": "1970-01-01T00:00:00.020", "window_time": "1970-01-01T00:00:00.019"},
        {"price": null, "seller": "b", "window_time": "1970-01-01T00:00:00.019"},
    ]));
    join.end().unwrap();
    join.expect(&json!([{"price": 2, "seller": null, "window_end": "1970-01-01T00:00:00.030"}]));
    assert_eq!(join.planned().stream, Some(Stream::at("window_time")));
}

#[test]
fn a_pair_that_cannot_be_evaluated_is_set_aside_alone() {
    let options =
        json!({"on": {"auction": "id"}, "within": {"after": "10ms"}, "where": "100 / price > 3"});
    let mut join = two(options);
    join.push_to(1, &json!([{"id": 1, "seller": "a", "since": 100}]));
    join.push_to(
        0,
        &json!([
            {"auction": 1, "price": 10, "at": 100}, {"auction": 1, "price": 0, "at": 100},
            {"auction": 1, "price": 20, "at": 100}, {"auction": 1, "price": 90, "at": 100},
        ]),
    );
    join.expect(&json!([{"price": 10}, {"price": 20}]));
    let rejected = join.take_rejected();
    assert_eq!(rejected.iter().map(|r| r.code).collect::<Vec<_>>(), ["SW3201"]);
}

#[test]
fn mistakes_are_named() {
    let left = rows::columns(&json!({"a": "int64", "p": "int64", "at": "timestamp_ms"}));
    let right = rows::columns(&json!({"a": "int64", "p": "utf8", "since": "timestamp_ms"}));
    let timeless = rows::columns(&json!({"a": "int64"}));
    let both = [Arc::clone(&left), Arc::clone(&right)];
    let (within, prefix) = (json!({"after": "1s"}), json!({"right": "r_"}));
    for (options, code) in [
        (json!({"on": ["a"], "within": within}), "SW0307"),
        (json!({"on": [], "within": within}), "SW0322"),
        (json!({"on": {"a": 1}, "within": within}), "SW0322"),
        (json!({"on": ["b"], "within": within}), "SW0301"),
        (json!({"on": ["a", "a"], "within": within}), "SW0320"),
        (json!({"on": ["p"], "within": within}), "SW0322"),
        (json!({"on": ["a"], "prefix": prefix}), "SW0322"),
        (json!({"on": ["a"], "prefix": prefix, "within": within, "as_of": {}}), "SW0322"),
        (json!({"on": ["a"], "prefix": prefix, "type": "full", "as_of": {}}), "SW0322"),
        (json!({"on": ["a"], "prefix": prefix, "as_of": {}, "time": "t"}), "SW0322"),
        (json!({"on": ["a"], "prefix": prefix, "within": within, "time": "at"}), "SW0307"),
        (json!({"on": ["a"], "prefix": prefix, "window": {"tumbling": {"size": "0s"}}}), "SW0322"),
        (json!({"on": ["a"], "prefix": prefix, "within": within, "where": "r_q = 1"}), "SW0301"),
        (json!({"on": ["a"], "prefix": prefix, "within": within, "where": "p + 1"}), "SW0303"),
    ] {
        let error = Harness::plan::<JoinOptions>(options.clone(), &both).err();
        assert_eq!(error.map(|e| e.code), Some(code), "{options}");
    }
    let options = json!({"on": ["a"], "within": {"after": "1s"}});
    let error = |inputs: &[SchemaRef]| Harness::plan::<JoinOptions>(options.clone(), inputs).err();
    assert_eq!(error(&[Arc::clone(&left), timeless]).map(|e| e.code), Some("SW0330"));
    assert_eq!(error(&[left]).map(|e| e.code), Some("SW0204"));
}

#[test]
fn state_and_deltas_follow_event_time() {
    let mut join =
        two(json!({"on": {"auction": "id"}, "within": {"after": "100ms"}, "type": "left"}));
    for step in 0..400 {
        let rows: Vec<_> = (0..50)
            .map(|i| json!({"auction": step * 50 + i, "price": i, "at": step * 10}))
            .collect();
        join.push_to(0, &json!(rows));
        let first = json!([{"id": step * 50, "seller": "s", "since": step * 10}]);
        join.push_to(1, &first);
        mark(&mut join, step * 10);
        let deltas = join.seal().unwrap();
        let changed: usize = deltas.iter().map(|d| d.rows.num_rows()).sum();
        // The right row is done with at once, its match is remembered.
        assert_eq!(changed, 50 + 1, "step {step}");
        assert!(join.state_bytes() < 400_000, "{} bytes", join.state_bytes());
    }
    assert_eq!(join.take_rows(0).len(), 400 + (400 - 10) * 49);
}

const TYPES: [JoinType; 4] = [JoinType::Inner, JoinType::Left, JoinType::Right, JoinType::Full];

/// What came: rows on time of both sides, with the watermark before each, and the late ones.
#[derive(Default)]
struct Came {
    rows: [Vec<Row>; 2],
    late: Vec<i64>,
}

fn came(told: &[Told], is_late: impl Fn(usize, i64, i64) -> bool) -> Came {
    let (mut came, mut watermark) = (Came::default(), i64::MIN);
    for told in told {
        match told {
            Told::Watermark(w) => watermark = *w,
            Told::Row(side, row) if is_late(*side, row.t, watermark) => came.late.push(row.v),
            Told::Row(side, row) => came.rows[*side].push(*row),
        }
    }
    came.late.sort_unstable();
    came
}

type Joined = Vec<(Option<i64>, Option<i64>)>;

/// Every row of the left with every row of the right.
fn nested_loop(came: &Came, join: JoinType, meets: impl Fn(&Row, &Row) -> bool) -> Joined {
    let (mut joined, mut met) = (Vec::new(), [BTreeSet::new(), BTreeSet::new()]);
    for l in &came.rows[0] {
        for r in &came.rows[1] {
            if l.k.is_some() && l.k == r.k && meets(l, r) {
                joined.push((Some(l.v), Some(r.v)));
                met[0].insert(l.v);
                met[1].insert(r.v);
            }
        }
    }
    if join.keeps(0) {
        let alone = came.rows[0].iter().filter(|row| !met[0].contains(&row.v));
        joined.extend(alone.map(|row| (Some(row.v), None)));
    }
    if join.keeps(1) {
        let alone = came.rows[1].iter().filter(|row| !met[1].contains(&row.v));
        joined.extend(alone.map(|row| (None, Some(row.v))));
    }
    joined.sort_unstable();
    joined
}

fn joined(given: &fleet::Given) -> Joined {
    let left = fleet::numbers(&given.rows, "v");
    let mut pairs: Joined = left.into_iter().zip(fleet::numbers(&given.rows, "r_v")).collect();
    pairs.sort_unstable();
    pairs
}

fn late(given: &fleet::Given) -> Vec<i64> {
    let sides = [fleet::numbers(&given.late, "v"), fleet::numbers(&given.late, "r_v")];
    let mut late: Vec<i64> = sides.into_iter().flatten().flatten().collect();
    late.sort_unstable();
    late
}

fn run(mut options: Value, join: JoinType, script: &fleet::Script) -> fleet::Given {
    options["on"] = json!(["k"]);
    options["prefix"] = json!({"right": "r_"});
    options["type"] = json!(join.name());
    let inputs = [fleet::script_columns(), fleet::script_columns()];
    fleet::run::<JoinOptions>(options, &inputs, script.instances, &script.steps)
}

/// A condition in SQL and here.
const CONDITION: &str = "(v + r_v) % 3 <> 0";

fn holds(l: &Row, r: &Row) -> bool {
    (l.v + r.v) % 3 != 0
}

proptest! {
    #[test]
    fn an_interval_join_is_a_nested_loop(
        script in fleet::script(2), join in prop::sample::select(TYPES.to_vec()),
        before in 0i64..20, after in 0i64..20, condition: bool, time: bool,
    ) {
        let mut options = json!({"within": {"before": format!("{before}ms"), "after": format!("{after}ms")}});
        if condition { options["where"] = json!(CONDITION); }
        if time { options["time"] = json!("joined_at"); }
        let given = run(options, join, &script);
        let came = came(&script.told, |_, t, watermark| t <= watermark);
        let expected = nested_loop(&came, join, |l, r| {
            (l.t - before..=l.t + after).contains(&r.t) && (!condition || holds(l, r))
        });
        prop_assert_eq!(joined(&given), expected);
        prop_assert_eq!(late(&given), came.late);
        prop_assert_eq!(given.behind, 0, "rows below the watermark that was told");
    }

    #[test]
    fn a_window_join_is_a_nested_loop(
        script in fleet::script(2), join in prop::sample::select(TYPES.to_vec()),
        size in 1i64..30, condition: bool,
    ) {
        let mut options = json!({"window": {"tumbling": {"size": format!("{size}ms")}}});
        if condition { options["where"] = json!(CONDITION); }
        let given = run(options, join, &script);
        let window = |t: i64| t.div_euclid(size);
        let came = came(&script.told, |_, t, watermark| (window(t) + 1) * size - 1 <= watermark);
        let expected = nested_loop(&came, join, |l, r| {
            window(l.t) == window(r.t) && (!condition || holds(l, r))
        });
        prop_assert_eq!(joined(&given), expected);
        prop_assert_eq!(late(&given), came.late);
        prop_assert_eq!(given.behind, 0, "rows below the watermark that was told");
    }

    #[test]
    fn an_as_of_join_looks_through_all_versions(
        script in fleet::script(2), left: bool, wait: bool,
        max_age in prop::option::of(0i64..40), condition: bool,
    ) {
        let wait = if wait { Wait::Watermark } else { Wait::Arrival };
        let mut as_of = json!({"wait": if wait == Wait::Watermark { "watermark" } else { "arrival" }});
        if let Some(age) = max_age { as_of["max_age"] = json!(format!("{age}ms")); }
        let mut options = json!({"as_of": as_of});
        if condition { options["where"] = json!(CONDITION); }
        let join = if left { JoinType::Left } else { JoinType::Inner };
        let given = run(options, join, &script);
        let (expected, expected_late) = as_of_oracle(&script.told, join, wait, max_age, condition);
        prop_assert_eq!(joined(&given), expected);
        prop_assert_eq!(late(&given), expected_late);
        prop_assert_eq!(given.behind, 0, "rows below the watermark that was told");
    }
}

fn as_of_oracle(
    told: &[Told],
    join: JoinType,
    wait: Wait,
    max_age: Option<i64>,
    condition: bool,
) -> (Joined, Vec<i64>) {
    let (mut versions, mut waiting): (Vec<Row>, Vec<Row>) = (Vec::new(), Vec::new());
    let (mut joined, mut late, mut watermark) = (Vec::new(), Vec::new(), i64::MIN);
    let mut answer = |l: &Row, versions: &[Row]| {
        let fits = |r: &&Row| l.k.is_some() && r.k == l.k && r.t <= l.t;
        let newest = versions.iter().filter(fits).max_by_key(|r| (r.t, r.v));
        let newest = newest.filter(|r| max_age.is_none_or(|age| l.t - r.t <= age));
        match newest.filter(|r| !condition || holds(l, r)) {
            Some(r) => joined.push((Some(l.v), Some(r.v))),
            None if join == JoinType::Left => joined.push((Some(l.v), None)),
            None => {}
        }
    };
    for told in told.iter().chain([&Told::Watermark(i64::MAX)]) {
        match told {
            Told::Watermark(w) => {
                watermark = *w;
                waiting.iter().filter(|l| l.t <= *w).for_each(|l| answer(l, &versions));
                waiting.retain(|l| l.t > *w);
            }
            Told::Row(0, l) if l.t <= watermark => late.push(l.v),
            Told::Row(0, l) if wait == Wait::Arrival => answer(l, &versions),
            Told::Row(0, l) => waiting.push(*l),
            Told::Row(_, r) => {
                let newer = |o: &Row| o.k == r.k && r.t < o.t && o.t <= watermark;
                let too_old = max_age.is_some_and(|age| r.t + age <= watermark);
                if r.k.is_some() && r.t <= watermark && (too_old || versions.iter().any(newer)) {
                    late.push(r.v);
                }
                versions.push(*r);
            }
        }
    }
    joined.sort_unstable();
    late.sort_unstable();
    (joined, late)
}
