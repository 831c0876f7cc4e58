//! Queries as users write them.

use serde_json::{Value, json};
use swiftwater_engine::testing::{Harness, rows};

use super::*;

fn columns() -> Value {
    json!({
        "auction": "int64", "price": "int64", "channel": "utf8", "tags": "list<utf8>",
        "sizes": "list<int64>", "item": {"name": "utf8", "w": "int64"},
    })
}

fn bids() -> Value {
    json!([
        {"auction": 1, "price": 100, "channel": "g", "tags": ["x", "y"], "sizes": [1, 2, 3], "item": {"name": "lamp", "w": 4}},
        {"auction": 2, "price": 2000, "channel": "a", "tags": [], "sizes": null, "item": null},
        {"auction": 3, "price": null, "channel": null, "tags": null, "sizes": [9], "item": {"name": "bed", "w": null}},
    ])
}

#[test]
fn queries_answer() {
    for (query, expected) in [
        ("SELECT * FROM input WHERE price > 500", json!([{"auction": 2, "price": 2000}])),
        ("SELECT auction FROM in0", json!([{"auction": 1}, {"auction": 2}, {"auction": 3}])),
        ("select b.auction as id from in0 as b where b.price < 500;", json!([{"id": 1}])),
        ("SELECT in0.item.name FROM in0 WHERE item.w = 4", json!([{"name": "lamp"}])),
        (
            "SELECT price * 2 AS a, price * 2 + 1 AS b FROM input WHERE channel = 'g'",
            json!([{"a": 200, "b": 201}]),
        ),
        ("SELECT 1 AS one FROM input WHERE false", json!([])),
        ("SELECT 1 AS one FROM input", json!([{"one": 1}, {"one": 1}, {"one": 1}])),
        (
            "SELECT * EXCEPT (tags, sizes, item) FROM input WHERE auction = 3",
            json!([{"auction": 3, "price": null, "channel": null}]),
        ),
        (
            "SELECT auction FROM input WHERE price > 1 AND price > 1 AND true",
            json!([{"auction": 1}, {"auction": 2}]),
        ),
        (
            "SELECT auction, unnest(tags) AS tag FROM input",
            json!([{"auction": 1, "tag": "x"}, {"auction": 1, "tag": "y"}]),
        ),
        (
            "SELECT auction, unnest(sizes) AS n FROM input WHERE auction <> 1",
            json!([{"auction": 3, "n": 9}]),
        ),
        (
            "SELECT auction, unnest_outer(tags) AS tag FROM input WHERE auction > 1",
            json!([{"auction": 2, "tag": null}, {"auction": 3, "tag": null}]),
        ),
        (
            "SELECT unnest(tags) AS t, unnest(sizes) AS n FROM input WHERE auction = 1",
            json!([{"t": "x", "n": 1}, {"t": "y", "n": 2}, {"t": null, "n": 3}]),
        ),
        (
            "SELECT auction, unnest(sizes) * 10 AS n FROM input WHERE auction = 1",
            json!([{"auction": 1, "n": 10}, {"auction": 1, "n": 20}, {"auction": 1, "n": 30}]),
        ),
    ] {
        let mut sql = Harness::new::<SqlOptions>(json!(query), &columns());
        sql.push(&bids());
        let found = sql.take_rows(0);
        rows::assert_rows(&found, &expected);
        let wanted = expected[0].as_object().map(|row| row.keys().collect::<Vec<_>>());
        if let (Some(wanted), false) = (wanted, query.contains("SELECT *")) {
            assert_eq!(found[0].as_object().unwrap().keys().collect::<Vec<_>>(), wanted);
        }
    }
}

#[test]
fn what_a_stream_cannot_do_is_refused_with_the_operator_that_does() {
    for (query, code, what, instead) in [
        ("SELECT DISTINCT auction FROM input", "SW0354", "DISTINCT", "`deduplicate`"),
        ("SELECT auction FROM input ORDER BY auction", "SW0351", "sort", "ROW_NUMBER"),
        ("SELECT auction FROM input LIMIT 3", "SW0351", "cut", "ROW_NUMBER"),
        ("SELECT auction FROM input, other", "SW0303", "`other`", "`inputs`"),
        ("SELECT (SELECT 1) AS x FROM input", "SW0305", "a subquery", "`join`"),
        ("WITH x AS (SELECT 1 AS a) SELECT * FROM x", "SW0358", "without FROM", "FROM"),
        ("SELECT 1 AS a FROM input UNION SELECT 2 AS a FROM input", "SW0305", "UNION", "`union`"),
        ("SELECT row_number() OVER () AS n FROM input", "SW0305", "OVER", "`top`"),
        ("SELECT * FROM unnest(tags)", "SW0305", "UNNEST as a table", "SELECT list"),
        ("SELECT 1 AS a", "SW0305", "without FROM", "FROM input"),
        ("INSERT INTO x VALUES (1)", "SW0305", "no SELECT", "FROM input"),
    ] {
        let schema = rows::columns(&columns());
        let error = Harness::plan::<SqlOptions>(json!(query), &[schema]).err().unwrap();
        assert_eq!(error.code, code, "{query}: {error}");
        let text = error.to_string();
        assert!(text.contains(what) && text.contains(instead), "{query}: {text}");
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    for (query, code, part) in [
        ("SELECT prise FROM input", "SW0301", "at column 8; did you mean `price`?"),
        ("SELECT auction\nFROM input\nWHERE prise > 1", "SW0301", "line 3, column 7"),
        ("SELECT auction FROM bidz", "SW0303", "unknown table `bidz`"),
        ("SELECT price + 1 FROM input", "SW0307", "price + 1 AS name"),
        ("SELECT auction FROM input WHERE price", "SW0303", "price"),
        ("SELECT auction FROM input WHERE channel ~ '['", "SW0306", "`[`"),
        ("SELECT FROM WHERE", "SW0304", "read"),
    ] {
        let schema = rows::columns(&columns());
        let error = Harness::plan::<SqlOptions>(json!(query), &[schema]).err().unwrap();
        assert_eq!(error.code, code, "{query}: {error}");
        let text = error.to_string().replace("\n  hint: ", "; ");
        assert!(
            text.contains(part) || text.replace(" [SW0301]", "").contains(part),
            "{query}: {text}"
        );
    }
}

#[test]
fn a_row_that_cannot_be_evaluated_is_set_aside_alone() {
    let query = "SELECT auction, 1000 / price AS share FROM input WHERE 5 / price < 100";
    let mut sql = Harness::new::<SqlOptions>(json!(query), &columns());
    sql.push(&json!([{"auction": 1, "price": 10}, {"auction": 2, "price": 0}]));
    sql.expect(&json!([{"auction": 1, "share": 100}]));
    assert!(sql.take_rejected()[0].message.contains("the WHERE clause"));
}
