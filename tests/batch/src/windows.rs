//! `window` and `group`: all shapes and most aggregates.

use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Map, Value, json};

use crate::answer::{assert_same, followed, rows};
use crate::batch::Tables;
use crate::course::{Course, course};
use crate::made::{BEGINNINGS, DISORDER, Made, made, settings};
use crate::topology::Topology;
use crate::windowing::{Shape, cumulative, hopping, ms, sessions, tumbling};

/// Aggregates whose results do not depend on the order of the rows.
const EXACT: [&str; 27] = [
    "count(*)",
    "count(x)",
    "sum(x)",
    "min(x)",
    "max(x)",
    "avg(x)",
    "sum(y)",
    "avg(y)",
    "max(y) - min(y)",
    "min(name)",
    "max(name)",
    "min(at)",
    "max(at)",
    "count(DISTINCT x)",
    "count(DISTINCT name)",
    "sum(DISTINCT x)",
    "sum(x) FILTER (WHERE y > 0)",
    "count(*) FILTER (WHERE name IS NULL)",
    "avg(y) FILTER (WHERE x % 2 = 0)",
    "first_value(x ORDER BY at, id)",
    "last_value(name ORDER BY at, id)",
    "first_value(y ORDER BY y DESC NULLS LAST, id)",
    "array_agg(id ORDER BY id)",
    "median(x)",
    "bool_and(x > -10)",
    "bit_xor(x)",
    "sum(x) / count(*)",
];

/// Aggregates that compute with floats in the order of the rows, or of parts of them.
const LOOSE: [&str; 6] =
    ["var(y)", "var_pop(x)", "stddev(y)", "stddev_pop(x)", "covar_samp(x, y)", "corr(x, y)"];

#[derive(Debug, Clone)]
struct Case {
    made: Made,
    course: Course,
    key: Vec<&'static str>,
    exact: Vec<&'static str>,
    loose: Vec<&'static str>,
    shapes: [Shape; 3],
    gap: i64,
}

fn case() -> impl Strategy<Value = Case> {
    let rows = proptest::sample::select(&BEGINNINGS).prop_flat_map(|at| made(250, at, DISORDER));
    let key = proptest::sample::select(vec![vec!["k"], vec!["k", "name"], vec!["name"], vec![]]);
    let exact = subsequence(EXACT.to_vec(), 1..=7);
    let loose = subsequence(LOOSE.to_vec(), 0..=2);
    let shapes = [tumbling().boxed(), hopping().boxed(), cumulative().boxed()];
    (rows, course(1..=2_usize), key, exact, loose, shapes, 100..4_000_i64).prop_map(
        |(made, course, key, exact, loose, shapes, gap)| Case {
            made,
            course,
            key,
            exact,
            loose,
            shapes,
            gap,
        },
    )
}

const WINDOW: [&str; 3] = ["window_start", "window_end", "window_time"];

impl Case {
    /// Aggregates with the names of their columns, the loose ones last.
    fn aggregates(&self) -> Vec<(String, &'static str)> {
        let all = self.exact.iter().chain(&self.loose).enumerate();
        all.map(|(n, call)| (format!("a{n}"), *call)).collect()
    }

    fn node(&self, kind: &str, more: &[(&str, Value)]) -> Value {
        let calls = self.aggregates().into_iter().map(|(name, call)| (name, json!(call)));
        let mut options = json!({"key": self.key, "aggregate": calls.collect::<Map<_, _>>()});
        for (name, option) in more {
            options[name] = option.clone();
        }
        json!({"input": "a", kind: options})
    }

    /// Columns of a result, those of the window before the aggregates.
    fn columns<'a>(&'a self, names: &'a [(String, &str)], window: &[&'a str]) -> Vec<&'a str> {
        let calls = names.iter().map(|(name, _)| name.as_str());
        self.key.iter().copied().chain(window.iter().copied()).chain(calls).collect()
    }

    /// SELECT over rows that are in `from`, with the bounds of the window.
    fn select(&self, from: &str, bounds: Option<(&str, &str)>, group: &[&str]) -> String {
        let mut items: Vec<String> = self.key.iter().map(|k| (*k).to_owned()).collect();
        items.extend(self.aggregates().iter().map(|(name, call)| format!("{call} AS {name}")));
        if let Some((start, end)) = bounds {
            items.push(format!("{start} AS window_start, {end} AS window_end"));
            items.push(format!("{end} - 1 AS window_time"));
        }
        let group: Vec<&str> = self.key.iter().chain(group).copied().collect();
        let group = match group.as_slice() {
            // Without rows there is no group, which GROUP BY nothing would make.
            [] => "HAVING count(*) > 0".to_owned(),
            group => format!("GROUP BY {}", group.join(", ")),
        };
        format!("SELECT {} FROM {from} {group}", items.join(", "))
    }

    fn topology(&self) -> Topology {
        let mut topology = Topology::new([("a", self.made.feed(self.course.partitions))]);
        for (number, shape) in self.shapes.iter().enumerate() {
            let name = format!("shape_{number}");
            self.add(&mut topology, &name, self.node("window", &[shape.option()]));
        }
        let gap = ("session", json!({"gap": ms(self.gap)}));
        self.add(&mut topology, "session", self.node("window", std::slice::from_ref(&gap)));
        // Windows that correct themselves come to the same in the end.
        let (late, early) = (json!("3s"), json!({"every": "5ms"}));
        let corrected =
            [self.shapes[1].option(), ("allowed_lateness", late.clone()), ("early", early)];
        self.add(&mut topology, "corrected", self.node("window", &corrected));
        let corrected = [gap, ("allowed_lateness", late)];
        self.add(&mut topology, "corrected_session", self.node("window", &corrected));
        self.add(&mut topology, "group", self.node("group", &[]));
        topology
    }

    fn add(&self, topology: &mut Topology, name: &str, node: Value) {
        match self.key.as_slice() {
            [] => topology.one(name, node),
            _ => topology.many(name, node),
        };
        topology.show(&format!("{name}_out"), name);
    }

    fn check(&self) {
        let times = self.made.times();
        let [tumbling, hopping, cumulative] = self.shapes.map(|shape| shape.table(times));
        let tables = Tables::new([
            ("a", self.made.table()),
            ("shape_0", tumbling),
            ("shape_1", hopping),
            ("shape_2", cumulative),
        ]);
        let shown = self.topology().run(&self.course);
        let names = self.aggregates();
        let columns = self.columns(&names, &WINDOW);
        let key: Vec<&str> = [self.key.as_slice(), &WINDOW[..2]].concat();
        let same = |what: &str, followed_by: Option<&[&str]>, columns: &[&str], text: &str| {
            let given = shown.world.shown(&format!("{what}_out"));
            let found = match followed_by {
                None => rows(&given, columns),
                Some(key) => followed(&given, key, columns),
            };
            let expected = rows(&tables.query(text), columns);
            assert_same(what, found, expected, self.loose.len());
        };
        let shaped = |name: &str| {
            let from = format!("a JOIN {name} ON a.t >= s AND a.t < e");
            self.select(&from, Some(("s", "e")), &["s", "e"])
        };
        for name in ["shape_0", "shape_1", "shape_2"] {
            same(name, None, &columns, &shaped(name));
        }
        same("corrected", Some(&key), &columns, &shaped("shape_1"));
        let end = format!("max(t) + {}", self.gap);
        let from = sessions("a", &self.key, self.gap);
        let sessions = self.select(&from, Some(("min(t)", &end)), &["session"]);
        same("session", None, &columns, &sessions);
        same("corrected_session", Some(&key), &columns, &sessions);
        let columns = self.columns(&names, &[]);
        same("group", Some(&self.key), &columns, &self.select("a", None, &[]));
    }
}

proptest! {
    #![proptest_config(settings(60))]

    #[test]
    fn windows_equal_batch_sql(case in case()) {
        case.check();
    }
}
