//! Rows that come after the watermark: each is either in the results or at the port for late rows,
//! only those are late that may be, and the results are those of batch SQL without them.

use std::collections::BTreeSet;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use proptest::prelude::*;
use serde_json::json;

use crate::answer::{self, assert_same, followed, rows};
use crate::batch::Tables;
use crate::course::{Course, Leg, course};
use crate::made::{Made, Row, made, settings};
use crate::topology::{Shown, Topology};
use crate::windowing::{Shape, ms, tumbling};

/// How far back rows may be, of which `out_of_orderness` allows less.
const DISORDER: i64 = 6_000;

#[derive(Debug, Clone)]
struct Case {
    made: Made,
    other: Made,
    course: Course,
    shape: Shape,
    allowed: i64,
    lateness: i64,
    after: i64,
}

fn case() -> impl Strategy<Value = Case> {
    let feeds = (made(250, 0, DISORDER), made(150, 0, DISORDER));
    let times = (0..2_000_i64, 1..3_000_i64, 0..2_000_i64);
    (feeds, course(1..=2_usize), tumbling(), times).prop_map(
        |((made, other), course, shape, (allowed, lateness, after))| Case {
            made,
            other,
            course,
            shape,
            allowed,
            lateness,
            after,
        },
    )
}

/// Values of the column `id` or the like; rows of the other side have none.
fn ids(batches: &[RecordBatch], column: &str) -> BTreeSet<i64> {
    let mut ids = BTreeSet::new();
    for batch in batches {
        let values = batch.column_by_name(column).unwrap().as_primitive::<Int64Type>();
        for id in values.iter().flatten() {
            assert!(ids.insert(id), "{column} {id} is late twice");
        }
    }
    ids
}

impl Case {
    /// The rows that may be late: those for which `deadline` is at or before the watermark of the
    /// batches before theirs. Watermarks of partitions are no newer than that of all rows.
    fn may_be_late(&self, made: &Made, deadline: impl Fn(i64) -> i64) -> BTreeSet<i64> {
        let mut newest = None;
        let mut late = BTreeSet::new();
        for batch in &made.0 {
            if let Some(newest) = newest {
                let watermark: i64 = newest - self.allowed - 1;
                late.extend(batch.iter().filter(|r| deadline(r.at) <= watermark).map(|r| r.id));
            }
            newest = newest.max(batch.iter().map(|r| r.at).max());
        }
        late
    }

    fn topology(&self) -> Topology {
        let feeds = [
            ("a", self.made.feed(self.course.partitions)),
            ("b", self.other.feed(self.course.partitions)),
        ];
        let mut topology = Topology::new(feeds).out_of_orderness(self.allowed);
        let mut add = |name: &str, node| {
            topology.many(name, node);
            topology.show(&format!("{name}_out"), name);
            topology.show(&format!("{name}_late"), &format!("{name}.late"));
        };
        let (shape, bounds) = self.shape.option();
        let aggregate =
            json!({"n": "count(*)", "ids": "array_agg(id ORDER BY id)", "sy": "sum(y)"});
        let window = json!({shape: bounds, "key": ["k"], "aggregate": aggregate});
        let mut patient = window.clone();
        patient["allowed_lateness"] = json!(ms(self.lateness));
        add("strict", json!({"input": "a", "window": window}));
        add("patient", json!({"input": "a", "window": patient}));
        let lag = json!({"key": ["k"], "columns": {"pid": "id"}, "order": "event_time"});
        add("lag", json!({"input": "a", "lag": lag}));
        let join = json!({"type": "left", "on": ["k"], "within": {"after": ms(self.after)},
            "prefix": {"right": "r_"}});
        add("join", json!({"inputs": ["a", "b"], "join": join}));
        topology
    }

    /// The rows at a node's port for late rows, which may be so by their `deadline`.
    fn late(&self, shown: &Shown, name: &str, deadline: impl Fn(i64) -> i64) -> BTreeSet<i64> {
        let late = ids(&shown.world.shown(&format!("{name}_late")), "id");
        let may = self.may_be_late(&self.made, deadline);
        let early: Vec<_> = late.difference(&may).collect();
        assert!(early.is_empty(), "{name}: rows {early:?} were not late");
        late
    }

    fn check(&self) {
        let shown = self.topology().run(&self.course);
        let Shape::Tumbling { size, offset } = self.shape else { panic!("{:?}", self.shape) };
        let end = |at: i64| at - (at - offset).rem_euclid(size) + size;

        let late = self.late(&shown, "strict", |at| end(at) - 1);
        let columns = ["k", "window_start", "window_end", "n", "ids", "sy"];
        let found = rows(&shown.world.shown("strict_out"), &columns);
        assert_same("windows", found, self.windows(&late, &columns), 0);
        let late = self.late(&shown, "patient", |at| end(at) - 1 + self.lateness);
        let found = shown.world.shown("patient_out");
        let found = followed(&found, &["k", "window_start", "window_end"], &columns);
        assert_same("patient windows", found, self.windows(&late, &columns), 0);

        let late = self.late(&shown, "lag", |at| at);
        let tables = Tables::new([("a", self.made.table_of(|r| !late.contains(&r.id)))]);
        // Of rows of one time the one that came first is before the other, and partitions come in
        // any order.
        let columns: &[&str] = if self.course.partitions == 1 { &["id", "pid"] } else { &["id"] };
        let text = "SELECT id, lag(id) OVER (PARTITION BY k ORDER BY t, id) AS pid FROM a";
        let found = rows(&shown.world.shown("lag_out"), columns);
        assert_same("lag", found, rows(&tables.query(text), columns), 0);
        self.check_join(&shown);
    }

    fn windows(&self, late: &BTreeSet<i64>, columns: &[&str]) -> Vec<answer::Row> {
        let tables = Tables::new([
            ("a", self.made.table_of(|r| !late.contains(&r.id))),
            ("w", self.shape.table(self.made.times())),
        ]);
        let text = "SELECT k, s AS window_start, e AS window_end, count(*) AS n, \
                    array_agg(id ORDER BY id) AS ids, sum(y) AS sy \
                    FROM a JOIN w ON t >= s AND t < e GROUP BY k, s, e";
        rows(&tables.query(text), columns)
    }

    fn check_join(&self, shown: &Shown) {
        let gone = shown.world.shown("join_late");
        let (left, right) = (ids(&gone, "id"), ids(&gone, "r_id"));
        for (late, made) in [(&left, &self.made), (&right, &self.other)] {
            // The watermark of a join is that of the slower side.
            let may = self.may_be_late(made, |at| at);
            assert!(late.is_subset(&may), "rows of a join that were not late");
        }
        let tables = Tables::new([
            ("a", self.made.table_of(|r| !left.contains(&r.id))),
            ("b", self.other.table_of(|r| !right.contains(&r.id))),
        ]);
        let text = format!(
            "SELECT a.id AS id, b.id AS r_id FROM a LEFT JOIN b ON a.k = b.k AND b.t >= a.t \
             AND b.t <= a.t + {}",
            self.after
        );
        let columns = ["id", "r_id"];
        let found = rows(&shown.world.shown("join_out"), &columns);
        assert_same("join", found, rows(&tables.query(&text), &columns), 0);
    }
}

proptest! {
    #![proptest_config(settings(50))]

    #[test]
    fn rows_are_late_or_counted(case in case()) {
        case.check();
    }
}

/// The property says little where nothing is late, so this case has rows that must be: those after a
/// restart that are behind the watermark it began with.
#[test]
fn what_is_far_behind_is_late() {
    let row = |id: i64, at: i64| Row { id, k: Some(1), name: None, x: None, y: None, at };
    let batches = (0..20).map(|n| vec![row(2 * n, n * 1_000), row(2 * n + 1, n * 1_000 - 5_000)]);
    let leg = Leg { tasks: 2, sources: 1, epoch_at: 500, stop_at: 500, drain: false };
    let case = Case {
        made: Made(batches.collect()),
        other: Made(Vec::new()),
        course: Course { legs: vec![leg.clone(), leg], partitions: 1 },
        shape: Shape::Tumbling { size: 1_000, offset: 0 },
        allowed: 0,
        lateness: 100,
        after: 0,
    };
    case.check();
    let shown = case.topology().run(&case.course);
    let late = ids(&shown.world.shown("strict_late"), "id");
    // The watermark was 8.999 s, and these windows end at 6, 7 and 8 s.
    assert!([21, 23, 25].iter().all(|id| late.contains(id)), "{late:?}");
    assert!(late.iter().all(|id| id % 2 == 1), "{late:?}");
}
