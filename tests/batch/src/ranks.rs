//! `deduplicate`, `top`, `lag` and `group`: what is left in the end, and of running aggregates also
//! what is left on the way.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use crate::answer::{assert_same, followed, rows};
use crate::batch::Tables;
use crate::course::{Course, course};
use crate::made::{BEGINNINGS, DISORDER, Made, made, settings};
use crate::topology::Topology;
use crate::windowing::{Shape, ms, tumbling};

/// Orders of a `top`, as batch SQL has them too. Nulls come last unless they say otherwise.
const ORDERS: [(&str, &str); 5] = [
    ("x desc", "x DESC NULLS LAST"),
    ("x", "x ASC NULLS LAST"),
    ("name desc nulls first, y", "name DESC NULLS FIRST, y ASC NULLS LAST"),
    ("x + id % 3 desc, name", "x + id % 3 DESC NULLS LAST, name ASC NULLS LAST"),
    ("at desc", "at DESC NULLS LAST"),
];

#[derive(Debug, Clone)]
struct Case {
    made: Made,
    course: Course,
    shape: Shape,
    n: usize,
    by: (&'static str, &'static str),
    offset: usize,
    ttl: i64,
}

fn case() -> impl Strategy<Value = Case> {
    let rows = select(&BEGINNINGS).prop_flat_map(|at| made(250, at, DISORDER));
    // The order in which rows come counts, so they come from one partition.
    (rows, course(Just(1_usize)), tumbling(), 1..6_usize, select(&ORDERS), 1..4_usize, 1..4_000_i64)
        .prop_map(|(made, course, shape, n, by, offset, ttl)| Case {
            made,
            course,
            shape,
            n,
            by,
            offset,
            ttl,
        })
}

const ALL: [&str; 6] = ["id", "k", "name", "x", "y", "at"];
const GROUP: &str = "SELECT k, count(*) AS n, sum(y) AS total, max(name) AS most, \
                     count(DISTINCT x) AS xs, last_value(x ORDER BY at, id) AS newest FROM a";
const GROUPED: [&str; 6] = ["k", "n", "total", "most", "xs", "newest"];

impl Case {
    fn topology(&self) -> Topology {
        let mut topology = Topology::new([("a", self.made.feed(1))]);
        let mut add = |name: &str, node| {
            topology.many(name, node).show(&format!("{name}_out"), name);
        };
        let (n, by) = (self.n, self.by.0);
        add("first", json!({"input": "a", "deduplicate": {"key": ["k", "name"]}}));
        add("last", json!({"input": "a", "deduplicate": {"key": ["k", "name"], "keep": "last"}}));
        add(
            "best",
            json!({"input": "a", "top": {"key": ["k"], "by": by, "n": n, "rank": "place"}}),
        );
        let lag = json!({"key": ["k"], "columns": {"px": "x", "pat": "at"}, "offset": self.offset,
            "order": "event_time"});
        let mut short = lag.clone();
        short["ttl"] = json!(ms(self.ttl));
        add("lag", json!({"input": "a", "lag": lag}));
        add("short_lag", json!({"input": "a", "lag": short}));
        add(
            "group",
            json!({"input": "a", "group": {"key": ["k"], "aggregate": {
                "n": "count(*)", "total": "sum(y)", "most": "max(name)", "xs": "count(DISTINCT x)",
                "newest": "last_value(x ORDER BY at, id)",
            }}}),
        );
        let (shape, bounds) = self.shape.option();
        let sums =
            json!({shape: bounds, "key": ["k"], "aggregate": {"n": "count(*)", "sx": "sum(x)"}});
        topology.many("sums", json!({"input": "a", "window": sums}));
        let top = |more: &[(&str, serde_json::Value)]| {
            let mut top = json!({"n": n, "rank": "place", "window": true});
            for (name, option) in more {
                top[name] = option.clone();
            }
            json!({"input": "sums", "top": top})
        };
        let ties = [("by", json!("n desc")), ("ties", json!("include"))];
        topology.many("ties", top(&ties)).show("ties_out", "ties");
        let strict = [("by", json!("n desc, k"))];
        topology.many("strict", top(&strict)).show("strict_out", "strict");
        let keyed = [("by", json!("sx desc, k nulls first")), ("key", json!(["n"]))];
        topology.many("keyed", top(&keyed)).show("keyed_out", "keyed");
        topology
    }

    fn check(&self) {
        let tables =
            Tables::new([("a", self.made.table()), ("w", self.shape.table(self.made.times()))]);
        let prefixes = RefCell::new(0);
        let shown = self.topology().run_and_look(&self.course, |leg, world| {
            // Sources were drained where they stood.
            let batches = self.made.0.len() * leg.stop_at / crate::world::ALL;
            let read: usize = self.made.0.iter().take(batches).map(Vec::len).sum();
            let expected = tables.query(&format!("{GROUP} WHERE id < {read} GROUP BY k"));
            let found = followed(&world.shown("group_out"), &["k"], &GROUPED);
            assert_same("group so far", found, rows(&expected, &GROUPED), 0);
            *prefixes.borrow_mut() += 1;
        });
        let drained = self.course.legs.iter().rev().skip(1).filter(|leg| leg.drain).count();
        assert_eq!(prefixes.into_inner(), drained);
        let given = |name: &str| shown.world.shown(&format!("{name}_out"));
        let ask = |text: &str, columns: &[&str]| rows(&tables.query(text), columns);
        let numbered = |over: &str, condition: &str| {
            format!("SELECT * FROM (SELECT *, {over} AS place FROM a) AS r WHERE {condition}")
        };

        let first = numbered("row_number() OVER (PARTITION BY k, name ORDER BY id)", "place = 1");
        assert_same("first", rows(&given("first"), &ALL), ask(&first, &ALL), 0);
        let last = "row_number() OVER (PARTITION BY k, name ORDER BY at DESC, id DESC)";
        let last = ask(&numbered(last, "place = 1"), &ALL);
        assert_same("last", followed(&given("last"), &["k", "name"], &ALL), last, 0);

        let placed = [ALL.as_slice(), &["place"]].concat();
        let best = format!("row_number() OVER (PARTITION BY k ORDER BY {}, id)", self.by.1);
        let best = ask(&numbered(&best, &format!("place <= {}", self.n)), &placed);
        assert_same("best", followed(&given("best"), &["k", "place"], &placed), best, 0);

        let group = ask(&format!("{GROUP} GROUP BY k"), &GROUPED);
        assert_same("group", followed(&given("group"), &["k"], &GROUPED), group, 0);
        self.check_lags(given, ask);
        self.check_windows(given, ask);
    }

    fn check_lags(
        &self,
        given: impl Fn(&str) -> Vec<arrow::array::RecordBatch>,
        ask: impl Fn(&str, &[&str]) -> Vec<Vec<String>>,
    ) {
        let columns = [ALL.as_slice(), &["px", "pat"]].concat();
        let before = |column: &str| {
            format!("lag({column}, {}) OVER (PARTITION BY k ORDER BY t, id)", self.offset)
        };
        let (x, t, ttl) = (before("x"), before("t"), self.ttl);
        let text = format!("SELECT *, {x} AS px, {t} AS pat FROM a");
        assert_same("lag", rows(&given("lag"), &columns), ask(&text, &columns), 0);
        let short = |value: &str| format!("CASE WHEN t - {t} < {ttl} THEN {value} END");
        let text = format!("SELECT *, {} AS px, {} AS pat FROM a", short(&x), short(&t));
        assert_same("short lag", rows(&given("short_lag"), &columns), ask(&text, &columns), 0);
    }

    fn check_windows(
        &self,
        given: impl Fn(&str) -> Vec<arrow::array::RecordBatch>,
        ask: impl Fn(&str, &[&str]) -> Vec<Vec<String>>,
    ) {
        let columns = ["k", "n", "sx", "window_start", "window_end", "place"];
        for (name, over) in [
            ("ties", "rank() OVER (PARTITION BY s, e ORDER BY n DESC)"),
            ("strict", "row_number() OVER (PARTITION BY s, e ORDER BY n DESC, k NULLS LAST)"),
            (
                "keyed",
                "row_number() OVER (PARTITION BY s, e, n ORDER BY sx DESC NULLS LAST, k NULLS FIRST)",
            ),
        ] {
            let text = format!(
                "WITH sums AS (SELECT k, count(*) AS n, sum(x) AS sx, s, e FROM a JOIN w \
                 ON t >= s AND t < e GROUP BY k, s, e) SELECT *, s AS window_start, e AS window_end \
                 FROM (SELECT *, {over} AS place FROM sums) AS r WHERE place <= {}",
                self.n
            );
            assert_same(name, rows(&given(name), &columns), ask(&text, &columns), 0);
        }
    }
}

proptest! {
    #![proptest_config(settings(45))]

    #[test]
    fn ranks_equal_batch_sql(case in case()) {
        case.check();
    }
}
