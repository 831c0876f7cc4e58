//! Streaming SQL: a query that runs in a `sql` node and the same in batch.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use crate::answer::{assert_same, followed, rows};
use crate::batch::Tables;
use crate::course::{Course, course};
use crate::made::{BEGINNINGS, DISORDER, Made, made, settings};
use crate::topology::Topology;
use crate::windowing::{Shape, cumulative, hopping, sessions, tumbling};

#[derive(Debug, Clone)]
struct Case {
    left: Made,
    right: Made,
    course: Course,
    shapes: [Shape; 3],
    gap: i64,
    span: i64,
    n: usize,
}

fn case() -> impl Strategy<Value = Case> {
    let sides = select(&BEGINNINGS)
        .prop_flat_map(|at| (made(150, at, DISORDER), made(100, at + 300, DISORDER)));
    let shapes = [tumbling().boxed(), hopping().boxed(), cumulative().boxed()];
    // The order in which rows come counts for ranks, so they come from one partition.
    (sides, course(Just(1_usize)), shapes, 100..4_000_i64, 1..3_000_i64, 1..4_usize).prop_map(
        |((left, right), course, shapes, gap, span, n)| Case {
            left,
            right,
            course,
            shapes,
            gap,
            span,
            n,
        },
    )
}

/// One query in both forms.
struct Query {
    name: String,
    tables: &'static [&'static str],
    streaming: String,
    batch: String,
    columns: Vec<&'static str>,
    /// Where rows replace each other, by what.
    key: Option<Vec<&'static str>>,
    /// Whether all of it can run on several tasks.
    spread: bool,
}

/// A query over one table whose rows stand for themselves.
fn query(
    name: impl Into<String>,
    columns: &[&'static str],
    streaming: String,
    batch: String,
) -> Query {
    let (name, columns) = (name.into(), columns.to_vec());
    Query { name, tables: &["a"], streaming, batch, columns, key: None, spread: true }
}

impl Case {
    /// GROUP BY in windows, with an expression as key, HAVING and expressions over aggregates. Rows
    /// that meet by an expression are computed and counted on one task.
    fn windows(&self) -> Vec<Query> {
        let columns = [
            "k",
            "odd",
            "n",
            "total",
            "first_x",
            "names",
            "window_start",
            "window_end",
            "window_time",
        ];
        let items = "k, ODD AS odd, count(*) AS n, sum(y) + 1 AS total, \
                     first_value(x ORDER BY at, id) AS first_x, count(name) FILTER (WHERE x > 0) AS names";
        let (when, having) = ("y IS NULL OR y < 8", "HAVING count(*) > 1 OR max(x) > 3");
        let mut all = Vec::new();
        for (number, shape) in self.shapes.iter().enumerate() {
            let spread = number < 2;
            let (odd, by) = if spread { ("max(x) % 2 = 1", "k") } else { ("x % 2 = 1", "k, odd") };
            let items = items.replace("ODD", odd);
            let from = shape.function("a");
            let streaming = format!(
                "SELECT {items}, window_start, window_end, window_time FROM {from} WHERE {when} \
                 GROUP BY {by}, window_start, window_end {having}"
            );
            let batch = format!(
                "SELECT {items}, s AS window_start, e AS window_end, e - 1 AS window_time \
                 FROM a JOIN shape_{number} ON t >= s AND t < e WHERE {when} \
                 GROUP BY {by}, s, e {having}"
            );
            let query = query(format!("shape_{number}"), &columns, streaming, batch);
            all.push(Query { spread, ..query });
        }
        let gap = self.gap;
        let streaming = format!(
            "SELECT k, count(*) AS n, avg(y) AS mean, window_start, window_end FROM \
             TABLE(SESSION(TABLE a, DESCRIPTOR(at), INTERVAL '{gap} milliseconds')) \
             GROUP BY k, window_start, window_end"
        );
        let batch = format!(
            "SELECT k, count(*) AS n, avg(y) AS mean, min(t) AS window_start, \
             max(t) + {gap} AS window_end FROM {} GROUP BY k, session",
            sessions("a", &["k"], gap)
        );
        let columns = ["k", "n", "mean", "window_start", "window_end"];
        all.push(query("session", &columns, streaming, batch));
        all
    }

    /// Windows of windows: the highest of each, and aggregates again.
    fn nested(&self) -> Vec<Query> {
        let from = self.shapes[1].function("a");
        let by_key = |from: &str, bounds: &str, group: &str| {
            format!(
                "SELECT k, count(*) AS n, sum(x) AS sx, {bounds} FROM {from} GROUP BY k, {group}"
            )
        };
        let streaming = by_key(&from, "window_start, window_end", "window_start, window_end");
        let joined = "a JOIN shape_1 ON t >= s AND t < e";
        let batch = by_key(joined, "s AS window_start, e AS window_end", "s, e");
        let ranked = |counts: &str| {
            format!(
                "WITH counts AS ({counts}) SELECT k, n, sx, place, window_start, window_end FROM \
                 (SELECT *, RANK() OVER (PARTITION BY window_start, window_end ORDER BY n DESC, \
                 sx NULLS LAST) AS place FROM counts) AS ranked WHERE place <= {}",
                self.n
            )
        };
        let columns = ["k", "n", "sx", "place", "window_start", "window_end"];
        let hottest = query("hottest", &columns, ranked(&streaming), ranked(&batch));
        let again = |counts: &str| {
            format!(
                "SELECT window_end, max(n) AS most, count(*) AS keys, sum(sx) AS sx FROM ({counts}) AS c \
                 GROUP BY window_start, window_end"
            )
        };
        let columns = ["window_end", "most", "keys", "sx"];
        let again = query("again", &columns, again(&streaming), again(&batch));
        [hottest, again].map(|query| Query { spread: false, ..query }).into()
    }

    /// Joins within a time, of windows and of versions.
    fn joins(&self) -> Vec<Query> {
        let span = self.span;
        let items =
            "a.id AS id, b.id AS r_id, a.k AS k, b.k AS r_k, a.x AS x, b.x AS r_x, b.y AS r_y";
        let columns = ["id", "r_id", "k", "r_k", "x", "r_x", "r_y"];
        let mut all = Vec::new();
        for kind in ["INNER", "LEFT", "RIGHT", "FULL"] {
            let text = |left: &str, right: &str, span: &str| {
                format!(
                    "SELECT {items} FROM a {kind} JOIN b ON a.k = b.k AND {left} BETWEEN \
                     {right} - {span} AND {right} AND (a.x > b.x OR b.y > 0)"
                )
            };
            let interval = format!("INTERVAL '{span} milliseconds'");
            let streaming = text("a.at", "b.at", &interval);
            let batch = text("a.t", "b.t", &span.to_string());
            let name = format!("within_{}", kind.to_lowercase());
            all.push(query(name, &columns, streaming, batch));
        }
        let without = |left: &str, right: &str, span: &str| {
            format!(
                "SELECT a.id AS id, a.k AS k FROM a LEFT JOIN b ON a.k = b.k AND {right} BETWEEN {left} \
                 AND {left} + {span} WHERE b.k IS NULL"
            )
        };
        let streaming = without("a.at", "b.at", &format!("INTERVAL '{span} milliseconds'"));
        let batch = without("a.t", "b.t", &span.to_string());
        all.push(query("without", &["id", "k"], streaming, batch));
        all.push(self.window_join());
        let streaming = "SELECT a.id AS id, a.k AS k, b.id AS r_id, b.k AS r_k FROM a LEFT JOIN b \
                         FOR SYSTEM_TIME AS OF a.at ON a.k = b.k";
        let batch = "SELECT id, k, r_id, CASE WHEN r_id IS NOT NULL THEN k END AS r_k FROM \
                     (SELECT a.id AS id, a.k AS k, b.id AS r_id, row_number() OVER (PARTITION BY a.id \
                     ORDER BY b.t DESC NULLS LAST, b.id DESC) AS place \
                     FROM a LEFT JOIN b ON a.k = b.k AND b.t <= a.t) AS r WHERE place = 1";
        all.push(query("version", &["id", "k", "r_id", "r_k"], streaming.into(), batch.into()));
        all.into_iter().map(|query| Query { tables: &["a", "b"], ..query }).collect()
    }

    fn window_join(&self) -> Query {
        let size = self.span;
        let shape = Shape::Tumbling { size, offset: 0 };
        let streaming = format!(
            "SELECT a.id AS id, b.id AS r_id, a.window_start AS since FROM {} AS a LEFT JOIN {} AS b \
             ON a.k = b.k AND a.window_start = b.window_start AND a.window_end = b.window_end",
            shape.function("a"),
            shape.function("b"),
        );
        let of = |t: &str| format!("{t} - (({t} % {size}) + {size}) % {size}");
        let (left, right) = (of("a.t"), of("b.t"));
        let batch = format!(
            "SELECT a.id AS id, b.id AS r_id, {left} AS since FROM a LEFT JOIN b \
             ON a.k = b.k AND {left} = {right}"
        );
        query("window_join", &["id", "r_id", "since"], streaming, batch)
    }

    /// Queries whose rows replace each other.
    fn running(&self) -> Vec<Query> {
        let group = "SELECT k, upper(name) AS loud, count(*) AS n, sum(y) / count(*) AS mean, \
                     max(at) AS newest FROM a WHERE x > -5 GROUP BY k, loud";
        let columns = ["k", "loud", "n", "mean", "newest"];
        let group = Query {
            key: Some(vec!["k", "loud"]),
            spread: false,
            ..query("running", &columns, group.into(), group.into())
        };
        let top = |order: &str| {
            format!(
                "SELECT k, id, x, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY x DESC \
                 NULLS LAST, y NULLS FIRST{order}) AS n FROM a WHERE id % 3 < 2) AS r WHERE n <= {}",
                self.n
            )
        };
        let columns = ["k", "id", "x", "n"];
        let top =
            Query { key: Some(vec!["k", "n"]), ..query("top", &columns, top(""), top(", id")) };
        let newest = |order: &str| {
            format!(
                "SELECT k, name, id, x + 1 AS more FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k, \
                 name ORDER BY at DESC{order}) AS n FROM a) AS r WHERE n = 1"
            )
        };
        let columns = ["k", "name", "id", "more"];
        let newest = Query {
            key: Some(vec!["k", "name"]),
            ..query("newest", &columns, newest(""), newest(", id DESC"))
        };
        let oldest = |order: &str| {
            format!(
                "SELECT k, id FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY at{order}) AS n \
                 FROM a) AS r WHERE n = 1"
            )
        };
        let oldest = Query {
            key: Some(vec!["k"]),
            ..query("oldest", &["k", "id"], oldest(""), oldest(", id"))
        };
        vec![group, top, newest, oldest]
    }

    fn check(&self, queries: &[Query]) {
        let feeds = [("a", self.left.feed(1)), ("b", self.right.feed(1))];
        let mut topology = Topology::new(feeds);
        for query in queries {
            let node = json!({"inputs": query.tables, "sql": query.streaming});
            if query.spread {
                topology.many(&query.name, node);
            } else {
                topology.one(&query.name, node);
            }
            topology.show(&format!("{}_out", query.name), &query.name);
        }
        // A source must be read.
        topology.show("read", "b");
        let shown = topology.run(&self.course);
        let times = self.left.times();
        let [tumbling, hopping, cumulative] = self.shapes.map(|shape| shape.table(times));
        let tables = Tables::new([
            ("a", self.left.table()),
            ("b", self.right.table()),
            ("shape_0", tumbling),
            ("shape_1", hopping),
            ("shape_2", cumulative),
        ]);
        for Query { name, batch, columns, key, .. } in queries {
            let given = shown.world.shown(&format!("{name}_out"));
            let found = match key {
                None => rows(&given, columns),
                Some(key) => followed(&given, key, columns),
            };
            assert_same(name, found, rows(&tables.query(batch), columns), 0);
        }
    }
}

proptest! {
    #![proptest_config(settings(40))]

    #[test]
    fn queries_over_windows_equal_batch_sql(case in case()) {
        case.check(&[case.windows(), case.nested()].into_iter().flatten().collect::<Vec<_>>());
    }

    #[test]
    fn queries_that_join_equal_batch_sql(case in case()) {
        case.check(&case.joins());
    }

    #[test]
    fn queries_that_run_equal_batch_sql(case in case()) {
        case.check(&case.running());
    }
}
