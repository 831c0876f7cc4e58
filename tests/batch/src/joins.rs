//! `join`: within a time, by windows and as of a time, of every type, with further conditions.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::answer::{assert_same, rows};
use crate::batch::Tables;
use crate::course::{Course, course};
use crate::made::{BEGINNINGS, DISORDER, Made, made, settings};
use crate::topology::Topology;
use crate::windowing::ms;

const TYPES: [&str; 4] = ["inner", "left", "right", "full"];
/// Conditions as the node has them and as batch SQL has them.
const CONDITIONS: [(&str, &str); 4] = [
    ("x >= r_x", "a.x >= b.x"),
    ("y > 0 OR r_name = 'apple'", "a.y > 0 OR b.name = 'apple'"),
    ("r_id % 2 = 0", "b.id % 2 = 0"),
    ("name IS NULL", "a.name IS NULL"),
];

#[derive(Debug, Clone)]
struct Case {
    left: Made,
    right: Made,
    course: Course,
    before: i64,
    after: i64,
    size: i64,
    max_age: Option<i64>,
    condition: Option<(&'static str, &'static str)>,
    two_keys: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let sides = select(&BEGINNINGS)
        .prop_flat_map(|at| (made(120, at, DISORDER), made(120, at + 300, DISORDER)));
    let span = || prop_oneof![1 => Just(0_i64), 4 => 1..3_000_i64];
    let condition = proptest::option::of(select(&CONDITIONS));
    let max_age = proptest::option::of(1..4_000_i64);
    // The order in which versions of one time come counts, so they come from one partition.
    let flags = (condition, proptest::bool::weighted(0.25));
    (sides, course(Just(1_usize)), span(), span(), 300..5_000_i64, max_age, flags).prop_map(
        |((left, right), course, before, after, size, max_age, (condition, two_keys))| Case {
            left,
            right,
            course,
            before,
            after,
            size,
            max_age,
            condition,
            two_keys,
        },
    )
}

const RESULT: [&str; 8] = ["k", "id", "x", "at", "r_id", "r_x", "r_y", "r_at"];
const SELECT: &str =
    "a.id AS id, a.x AS x, a.t AS at, b.id AS r_id, b.x AS r_x, b.y AS r_y, b.t AS r_at";

impl Case {
    fn node(&self, kind: &str, how: &str, option: Value) -> Value {
        let mut join = json!({"type": kind, "on": self.on(), "prefix": {"right": "r_"}});
        join[how] = option;
        if let Some((condition, _)) = self.condition {
            join["where"] = json!(condition.replace("r_name", self.right_name()));
        }
        json!({"inputs": ["a", "b"], "join": join})
    }

    fn on(&self) -> Value {
        if self.two_keys { json!(["k", "name"]) } else { json!(["k"]) }
    }

    /// With `name` in the key it comes once.
    fn right_name(&self) -> &'static str {
        if self.two_keys { "name" } else { "r_name" }
    }

    fn equal(&self) -> String {
        let names = if self.two_keys { "a.k = b.k AND a.name = b.name" } else { "a.k = b.k" };
        match self.condition {
            None => names.to_owned(),
            Some((_, condition)) => format!("{names} AND ({condition})"),
        }
    }

    fn topology(&self) -> Topology {
        let feeds = [("a", self.left.feed(1)), ("b", self.right.feed(1))];
        let mut topology = Topology::new(feeds);
        for kind in TYPES {
            let within = json!({"before": ms(self.before), "after": ms(self.after)});
            let window = json!({"tumbling": {"size": ms(self.size)}});
            for (how, option) in [("within", within), ("window", window)] {
                let name = format!("{how}_{kind}");
                topology
                    .many(&name, self.node(kind, how, option))
                    .show(&format!("{name}_out"), &name);
            }
        }
        for kind in ["inner", "left"] {
            let option = self.max_age.map_or_else(|| json!({}), |age| json!({"max_age": ms(age)}));
            let name = format!("as_of_{kind}");
            topology
                .many(&name, self.node(kind, "as_of", option))
                .show(&format!("{name}_out"), &name);
        }
        topology
    }

    fn within(&self, kind: &str) -> String {
        let (equal, before, after) = (self.equal(), self.before, self.after);
        format!(
            "SELECT coalesce(a.k, b.k) AS k, {SELECT} FROM a {kind} JOIN b ON {equal} \
             AND b.t >= a.t - {before} AND b.t <= a.t + {after}"
        )
    }

    fn windows(&self, kind: &str) -> String {
        let (equal, size) = (self.equal(), self.size);
        // Times are negative too.
        let of = |t: &str| format!("{t} - (({t} % {size}) + {size}) % {size}");
        let (left, right) = (of("a.t"), of("b.t"));
        format!(
            "SELECT coalesce(a.k, b.k) AS k, {SELECT}, coalesce({left}, {right}) AS window_start, \
             coalesce({left}, {right}) + {size} AS window_end, \
             coalesce({left}, {right}) + {size} - 1 AS window_time \
             FROM a {kind} JOIN b ON {equal} AND {left} = {right}"
        )
    }

    /// The newest version up to the time of the row; then the condition says whether it counts.
    fn as_of(&self, kind: &str) -> String {
        let names = if self.two_keys { "a.k = b.k AND a.name = b.name" } else { "a.k = b.k" };
        let age = self.max_age.map_or_else(String::new, |age| format!("AND b.t >= a.t - {age}"));
        let condition = self.condition.map_or("true", |(_, condition)| condition);
        format!(
            "WITH versions AS (SELECT a.id AS left_id, b.id AS right_id, row_number() OVER \
             (PARTITION BY a.id ORDER BY b.t DESC, b.id DESC) AS place FROM a JOIN b ON {names} \
             AND b.t <= a.t {age}), \
             held AS (SELECT left_id, right_id FROM versions JOIN a ON a.id = left_id \
             JOIN b ON b.id = right_id WHERE place = 1 AND ({condition})) \
             SELECT a.k AS k, {SELECT} FROM a {kind} JOIN held ON a.id = left_id \
             {kind} JOIN b ON b.id = right_id"
        )
    }

    fn check(&self) {
        let tables = Tables::new([("a", self.left.table()), ("b", self.right.table())]);
        let shown = self.topology().run(&self.course);
        let same = |name: &str, columns: &[&str], text: &str| {
            let found = rows(&shown.world.shown(&format!("{name}_out")), columns);
            assert_same(name, found, rows(&tables.query(text), columns), 0);
        };
        let windowed = [RESULT.as_slice(), &["window_start", "window_end", "window_time"]].concat();
        for kind in TYPES {
            same(&format!("within_{kind}"), &RESULT, &self.within(kind));
            same(&format!("window_{kind}"), &windowed, &self.windows(kind));
        }
        for kind in ["inner", "left"] {
            same(&format!("as_of_{kind}"), &RESULT, &self.as_of(kind));
        }
    }
}

proptest! {
    #![proptest_config(settings(45))]

    #[test]
    fn joins_equal_batch_sql(case in case()) {
        case.check();
    }
}
