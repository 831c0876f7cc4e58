//! Streaming queries as users write them.

use serde_json::{Value, json};
use swiftwater_engine::testing::{Harness, node, rows};
use swiftwater_engine::{Changes, NodeContext, OperatorOptions, Stream, Timestamp};

use crate::catalog::SqlOptions;

const TUMBLE: &str = "TABLE(TUMBLE(TABLE in0, DESCRIPTOR(at), INTERVAL '10' SECOND))";

fn bids() -> Value {
    json!({"auction": "int64", "bidder": "int64", "price": "int64", "at": "timestamp_ms"})
}

fn auctions() -> Value {
    json!({"id": "int64", "price": "int64", "opened": "timestamp_ms"})
}

fn second(n: u32) -> String {
    format!("1970-01-01T00:00:{n:02}")
}

fn bid(auction: i64, bidder: i64, price: i64, at: u32) -> Value {
    json!({"auction": auction, "bidder": bidder, "price": price, "at": second(at)})
}

fn auction(id: i64, price: i64, at: u32) -> Value {
    json!({"id": id, "price": price, "opened": second(at)})
}

fn query(text: &str, inputs: usize) -> Harness {
    let schemas = [rows::columns(&bids()), rows::columns(&auctions())];
    let planned = Harness::plan::<SqlOptions>(json!(text), &schemas[..inputs]);
    planned.unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn error(text: &str, inputs: usize) -> swiftwater_engine::Error {
    let schemas = [rows::columns(&bids()), rows::columns(&auctions())];
    let planned = Harness::plan::<SqlOptions>(json!(text), &schemas[..inputs]);
    planned.err().unwrap_or_else(|| panic!("{text} was taken"))
}

#[test]
fn windows_aggregate_and_the_result_is_computed_with() {
    let mut sql = query(
        &format!(
            "SELECT b.auction, count(*) AS bids, sum(price) / count(*) + 1 AS mean, \
             max(price) FILTER (WHERE bidder > 1) AS top, window_end AS until \
             FROM {TUMBLE} AS b WHERE price < 1000 \
             GROUP BY auction, window_start, window_end HAVING count(*) > 1"
        ),
        1,
    );
    sql.push(&json!([bid(1, 1, 10, 1), bid(2, 1, 5, 2), bid(1, 2, 20, 3), bid(1, 2, 5000, 4)]));
    sql.watermark(Timestamp(9_999_000)).unwrap();
    sql.expect(&json!([
        {"auction": 1, "bids": 2, "mean": 16, "top": 20, "until": "1970-01-01T00:00:10"},
    ]));
    sql.push(&json!([bid(7, 1, 1, 5)]));
    assert_eq!(sql.take_late().len(), 1);
    let names: Vec<_> =
        sql.planned().ports[0].1.fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["auction", "bids", "mean", "top", "until"]);
    assert_eq!(sql.planned().key, Some(vec!["auction".to_owned()]));
}

#[test]
fn all_shapes_of_windows_and_computed_keys() {
    for (windows, expected) in [
        (
            "HOP(TABLE in0, DESCRIPTOR(at), INTERVAL '5' SECOND, INTERVAL '10' SECOND)",
            json!([{"odd": 1, "n": 1}, {"odd": 0, "n": 1}, {"odd": 1, "n": 1}, {"odd": 0, "n": 1}]),
        ),
        (
            "SESSION(TABLE in0, DESCRIPTOR(at), INTERVAL '20' SECOND)",
            json!([{"odd": 1, "n": 1}, {"odd": 0, "n": 1}]),
        ),
        (
            "CUMULATE(TABLE in0, DESCRIPTOR(at), INTERVAL '5' SECOND, INTERVAL '10' SECOND)",
            json!([{"odd": 1, "n": 1}, {"odd": 0, "n": 1}, {"odd": 1, "n": 1}]),
        ),
    ] {
        let text = format!(
            "SELECT auction % 2 AS odd, count(*) AS n FROM TABLE({windows}) \
             GROUP BY window_start, window_end, odd"
        );
        let mut sql = query(&text, 1);
        sql.push(&json!([bid(1, 1, 10, 1), bid(2, 1, 10, 6)]));
        sql.end().unwrap();
        let found = sql.take_rows(0);
        assert_eq!(found.len(), expected.as_array().unwrap().len(), "{windows}: {found:?}");
    }
}

#[test]
fn the_hottest_of_each_window_by_nested_queries() {
    let text = "WITH counts AS (SELECT auction, count(*) AS num, window_start, window_end FROM \
                TABLE(TUMBLE(TABLE in0, DESCRIPTOR(at), INTERVAL '10' SECOND)) \
                GROUP BY auction, window_start, window_end) \
                SELECT auction, num FROM (SELECT *, RANK() OVER (PARTITION BY window_start, window_end \
                ORDER BY num DESC) AS place FROM counts) AS ranked WHERE place <= 1";
    let mut sql = query(text, 1);
    assert_eq!(sql.planned().key, Some(Vec::new()), "counts and ranks have different keys");
    sql.push(&json!([bid(1, 1, 1, 1), bid(2, 1, 1, 2), bid(1, 1, 1, 3), bid(3, 1, 1, 3)]));
    let deltas = sql.seal().unwrap();
    sql.crash_and_restore(&deltas, None).unwrap();
    sql.push(&json!([bid(3, 1, 1, 4), bid(5, 1, 1, 12)]));
    sql.watermark(Timestamp(9_999_000)).unwrap();
    sql.expect(&json!([{"auction": 1, "num": 2}, {"auction": 3, "num": 2}]));
    let deltas = sql.seal().unwrap();
    assert!(!deltas.is_empty());
    sql.end().unwrap();
    sql.expect(&json!([{"auction": 5, "num": 1}]));
}

#[test]
fn results_of_windows_are_grouped_again() {
    let text = format!(
        "SELECT window_end, max(n) AS most FROM (SELECT auction, window_start, window_end, \
         count(*) AS n FROM {TUMBLE} GROUP BY auction, window_start, window_end) AS c \
         GROUP BY window_start, window_end"
    );
    let mut sql = query(&text, 1);
    sql.push(&json!([bid(1, 1, 1, 1), bid(1, 1, 1, 2), bid(2, 1, 1, 2), bid(2, 1, 1, 12)]));
    sql.end().unwrap();
    sql.expect(&json!([
        {"window_end": "1970-01-01T00:00:10", "most": 2},
        {"window_end": "1970-01-01T00:00:20", "most": 1},
    ]));
}

#[test]
fn rows_join_within_a_time() {
    let text = "SELECT b.auction, b.price AS offered, a.price AS asked FROM in0 AS b \
                JOIN in1 AS a ON b.auction = a.id AND b.at BETWEEN a.opened AND a.opened + INTERVAL '5' SECOND \
                WHERE b.price > a.price";
    let mut sql = query(text, 2);
    let keys = [vec!["auction".to_owned()], vec!["id".to_owned()]];
    assert_eq!(sql.planned().input_keys, keys);
    sql.push_to(1, &json!([auction(1, 10, 2), auction(2, 10, 2)]));
    sql.push(&json!([bid(1, 1, 9, 3), bid(1, 1, 11, 7), bid(1, 1, 12, 8), bid(2, 1, 13, 1)]));
    sql.end().unwrap();
    sql.expect(&json!([{"auction": 1, "offered": 11, "asked": 10}]));
    // The same, as a list of tables.
    let text = "SELECT b.price AS offered FROM in0 AS b, in1 AS a WHERE b.auction = a.id \
                AND b.at >= a.opened AND a.opened >= b.at - INTERVAL '5' SECOND AND b.price > a.price";
    let mut sql = query(text, 2);
    sql.push_to(1, &json!([auction(1, 10, 2)]));
    sql.push(&json!([bid(1, 1, 9, 3), bid(1, 1, 11, 7), bid(1, 1, 12, 8)]));
    sql.expect(&json!([{"offered": 11}]));
}

#[test]
fn rows_join_by_windows_and_by_versions() {
    let text = format!(
        "SELECT b.bidder, a.id, b.window_start FROM {TUMBLE} AS b JOIN \
         TABLE(TUMBLE(TABLE in1, DESCRIPTOR(opened), INTERVAL '10' SECOND)) AS a \
         ON b.auction = a.id AND b.window_start = a.window_start AND b.window_end = a.window_end"
    );
    let mut sql = query(&text, 2);
    sql.push(&json!([bid(1, 7, 1, 9), bid(1, 8, 1, 11)]));
    sql.push_to(1, &json!([auction(1, 1, 1)]));
    sql.end().unwrap();
    sql.expect(&json!([{"bidder": 7, "id": 1, "window_start": "1970-01-01T00:00:00"}]));
    let text = "SELECT b.bidder, a.price FROM in0 AS b LEFT JOIN in1 FOR SYSTEM_TIME AS OF b.at AS a \
                ON b.auction = a.id";
    let mut sql = query(text, 2);
    sql.push_to(1, &json!([auction(1, 10, 1), auction(1, 20, 5)]));
    sql.push(&json!([bid(1, 7, 1, 4), bid(1, 8, 1, 5), bid(2, 9, 1, 5)]));
    sql.end().unwrap();
    sql.expect(&json!([
        {"bidder": 7, "price": 10}, {"bidder": 8, "price": 20}, {"bidder": 9, "price": null},
    ]));
}

#[test]
fn columns_of_a_missing_side_are_null() {
    let joined = |kind: &str, on: &str, more: &str| {
        let text = format!(
            "SELECT a.k AS ak, b.k AS bk FROM (SELECT auction AS k, at FROM in0) AS a {kind} JOIN \
             (SELECT id AS k, opened FROM in1) AS b {on} \
             AND b.opened BETWEEN a.at AND a.at + INTERVAL '5' SECOND {more}"
        );
        let mut sql = query(&text, 2);
        sql.push(&json!([bid(1, 7, 1, 1), bid(2, 7, 1, 1)]));
        sql.push_to(1, &json!([auction(2, 1, 3), auction(3, 1, 3)]));
        sql.end().unwrap();
        let mut found = sql.take_rows(0);
        found.sort_by_key(|row| (row["ak"].as_i64(), row["bk"].as_i64()));
        json!(found)
    };
    let on = "ON a.k = b.k";
    let [one, both, three] =
        [json!({"ak": 1, "bk": null}), json!({"ak": 2, "bk": 2}), json!({"ak": null, "bk": 3})];
    assert_eq!(joined("INNER", on, ""), json!([both]));
    assert_eq!(joined("LEFT", on, ""), json!([one, both]));
    assert_eq!(joined("RIGHT", on, ""), json!([three, both]));
    assert_eq!(joined("FULL", on, ""), json!([three, one, both]));
    assert_eq!(joined("LEFT", on, "WHERE b.k IS NULL"), json!([one]));
    assert_eq!(joined("FULL", on, "WHERE a.k IS NULL OR b.k IS NULL"), json!([three, one]));
}

#[test]
fn columns_that_are_joined_by_name_are_one() {
    for (kind, expected) in
        [("LEFT", json!([1, 2])), ("RIGHT", json!([2, 3])), ("FULL", json!([1, 2, 3]))]
    {
        let counts = |key: &str, table: &str, time: &str| {
            format!(
                "(SELECT {key} AS k, window_start, window_end, count(*) AS n FROM TABLE(TUMBLE(\
                 TABLE {table}, DESCRIPTOR({time}), INTERVAL '10' SECOND)) \
                 GROUP BY {key}, window_start, window_end)"
            )
        };
        let text = format!(
            "SELECT k, a.n AS an, b.n AS bn FROM {} AS a {kind} JOIN {} AS b \
             USING (k, window_start, window_end)",
            counts("auction", "in0", "at"),
            counts("id", "in1", "opened")
        );
        let mut sql = query(&text, 2);
        sql.push(&json!([bid(1, 7, 1, 1), bid(2, 7, 1, 1)]));
        sql.push_to(1, &json!([auction(2, 1, 1), auction(3, 1, 3)]));
        sql.end().unwrap();
        let mut found: Vec<_> = sql.take_rows(0).iter().map(|row| row["k"].as_i64()).collect();
        found.sort_unstable();
        assert_eq!(json!(found), expected, "{kind}");
    }
}

#[test]
fn the_first_rows_of_a_key_and_the_newest() {
    let text = "SELECT auction, price, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction \
                ORDER BY price DESC) AS n FROM in0) AS r WHERE n <= 2";
    let mut sql = query(text, 1);
    let stream = sql.planned().stream.clone().unwrap();
    assert_eq!(stream.changes, Changes::Upsert { key: vec!["auction".into(), "n".into()] });
    sql.push(&json!([bid(1, 1, 10, 1), bid(1, 1, 30, 2), bid(1, 1, 5, 3)]));
    sql.expect(&json!([
        {"auction": 1, "price": 10, "n": 1, "_op": "insert"},
        {"auction": 1, "price": 30, "n": 1, "_op": "update"},
        {"auction": 1, "price": 10, "n": 2, "_op": "insert"},
    ]));
    let text = "SELECT bidder, price FROM (SELECT bidder, price, ROW_NUMBER() OVER (PARTITION BY \
                bidder ORDER BY at DESC) AS n FROM in0) AS r WHERE n = 1";
    let mut sql = query(text, 1);
    let stream = sql.planned().stream.clone().unwrap();
    assert_eq!(stream.changes, Changes::Upsert { key: vec!["bidder".into()] });
    sql.push(&json!([bid(1, 1, 10, 1)]));
    sql.push(&json!([bid(1, 1, 30, 3), bid(1, 1, 5, 2)]));
    sql.expect(&json!([
        {"bidder": 1, "price": 10, "_op": "insert"}, {"bidder": 1, "price": 30, "_op": "update"},
    ]));
    let text = format!(
        "SELECT auction, price FROM (SELECT auction, price, ROW_NUMBER() OVER (PARTITION BY \
         window_start, window_end ORDER BY price DESC) AS n FROM {TUMBLE}) AS r WHERE n <= 1"
    );
    let mut sql = query(&text, 1);
    assert!(!sql.planned().stream.clone().unwrap().is_upsert());
    sql.push(&json!([bid(1, 1, 10, 1), bid(2, 1, 30, 3), bid(3, 1, 1, 11)]));
    sql.end().unwrap();
    sql.expect(&json!([{"auction": 2, "price": 30}, {"auction": 3, "price": 1}]));
}

#[test]
fn running_aggregates_replace_each_other() {
    let mut sql = query("SELECT count(*) AS n, auction FROM in0 GROUP BY auction", 1);
    let stream = sql.planned().stream.clone().unwrap();
    assert_eq!(stream.changes, Changes::Upsert { key: vec!["auction".into()] });
    sql.push(&json!([bid(1, 1, 1, 1)]));
    sql.push(&json!([bid(1, 1, 1, 2)]));
    sql.end().unwrap();
    // Changes that come together may be one row.
    let found = sql.take_rows(0);
    assert_eq!(found[0]["_op"], "insert");
    let last = found.last().unwrap();
    assert_eq!((&last["n"], &last["auction"]), (&json!(2), &json!(1)));
}

#[test]
fn event_time_goes_on_with_its_column() {
    let time = |text: &str| query(text, 1).planned().stream.clone().unwrap().event_time;
    let group = "GROUP BY auction, window_start, window_end";
    let of =
        |columns: &str| time(&format!("SELECT {columns}, count(*) AS n FROM {TUMBLE} {group}"));
    assert_eq!(of("auction, window_time AS closed").as_deref(), Some("closed"));
    assert_eq!(of("auction"), None);
}

#[test]
fn what_a_stream_cannot_do_is_refused_with_the_cure() {
    let join = "SELECT a.id FROM in0 AS b JOIN in1 AS a ON b.auction = a.id";
    let hop = "TABLE(HOP(TABLE in0, DESCRIPTOR(at), INTERVAL '5' SECOND, INTERVAL '10' SECOND))";
    let nested = "SELECT n FROM (SELECT auction, count(*) AS n FROM in0 GROUP BY auction) AS g";
    for (text, inputs, code, cure) in [
        ("SELECT price FROM in0 ORDER BY price".to_owned(), 1, "SW0351", "ROW_NUMBER"),
        ("SELECT price FROM in0 LIMIT 5".to_owned(), 1, "SW0351", "ROW_NUMBER"),
        (join.to_owned(), 2, "SW0352", "BETWEEN"),
        (format!("{join} AND b.at >= a.opened"), 2, "SW0352", "BETWEEN"),
        ("SELECT *, ROW_NUMBER() OVER (ORDER BY price) AS n FROM in0".to_owned(), 1, "SW0305", "top"),
        (
            "SELECT price FROM (SELECT price, ROW_NUMBER() OVER (ORDER BY price) AS n FROM in0) AS r"
                .to_owned(),
            1,
            "SW0353",
            "WHERE n <= 10",
        ),
        ("SELECT DISTINCT auction FROM in0".to_owned(), 1, "SW0354", "deduplicate"),
        (format!("SELECT auction FROM {hop}"), 1, "SW0355", "GROUP BY window_start"),
        (format!("SELECT auction, count(*) AS n FROM {hop} GROUP BY auction"), 1, "SW0355", "GROUP BY window_start"),
        (
            "SELECT * FROM TABLE(TUMBLE(TABLE in0, DESCRIPTOR(price), INTERVAL '1' SECOND))".to_owned(),
            1,
            "SW0355",
            "DESCRIPTOR(at)",
        ),
        (nested.to_owned(), 1, "SW0356", "`auction`"),
        (format!("{nested} WHERE n > 1").replace("SELECT n", "SELECT *"), 1, "SW0356", "filter"),
        (
            "SELECT auction, random() AS r FROM (SELECT auction, count(*) AS n FROM in0 GROUP BY auction) AS g"
                .to_owned(),
            1,
            "SW0356",
            "random",
        ),
        ("SELECT auction, price FROM in0 GROUP BY auction".to_owned(), 1, "SW0358", "`price`"),
        ("SELECT count(*) + 1 FROM in0".to_owned(), 1, "SW0307", "AS name"),
        ("SELECT price FROM in0 AS b, in1 AS a WHERE b.auction = a.id".to_owned(), 2, "SW0352", "BETWEEN"),
        (
            format!("{join} AND b.at = a.opened WHERE price > 1"),
            2,
            "SW0301",
            "b.price or a.price",
        ),
        ("SELECT 1 AS one FROM nobody, in0".to_owned(), 2, "SW0303", "in0"),
        ("SELECT price FROM in0".to_owned(), 2, "SW0358", "`inputs`"),
    ] {
        let error = error(&text, inputs);
        assert_eq!(error.code, code, "{text}: {error}");
        let told = error.to_string();
        assert!(told.contains(cure), "{text}: {told}");
    }
}

#[test]
fn several_tasks_need_one_key() {
    let plan = |text: &str, tasks: usize| {
        let schema = rows::columns(&bids());
        let mut node = node::<SqlOptions>(json!(text), 1);
        node.parallelism = Some(tasks);
        let cx = NodeContext {
            topology: "test",
            node: &node,
            inputs: &[schema],
            streams: &[Stream::at("at")],
        };
        SqlOptions(text.to_owned()).plan(&cx)
    };
    let counts = format!(
        "SELECT auction, count(*) AS n FROM {TUMBLE} GROUP BY auction, window_start, window_end"
    );
    assert!(plan(&counts, 4).is_ok());
    let again = format!(
        "SELECT max(n) AS most, window_end FROM ({}) AS c GROUP BY window_start, window_end",
        counts.replace("AS n", "AS n, window_start, window_end")
    );
    assert!(plan(&again, 1).is_ok());
    assert_eq!(plan(&again, 2).err().unwrap().code, "SW0357");
}

#[test]
fn nulls_of_a_missing_side_meet_on_one_task() {
    let plan = |kind: &str, key: &str| {
        let text = format!(
            "SELECT {key} AS k, count(*) AS n FROM in0 AS b {kind} JOIN in1 AS a ON b.auction = a.id \
             AND b.at BETWEEN a.opened AND a.opened + INTERVAL '5' SECOND GROUP BY {key}"
        );
        let schemas = [rows::columns(&bids()), rows::columns(&auctions())];
        let mut node = node::<SqlOptions>(json!(text), 2);
        node.parallelism = Some(2);
        let streams = [Stream::at("at"), Stream::at("opened")];
        let cx = NodeContext { topology: "test", node: &node, inputs: &schemas, streams: &streams };
        SqlOptions(text.clone()).plan(&cx).map(|plan| plan.input_keys).map_err(|e| e.code)
    };
    let keys = vec![vec!["auction".to_owned()], vec!["id".to_owned()]];
    for (kind, key) in
        [("INNER", "b.auction"), ("INNER", "a.id"), ("LEFT", "b.auction"), ("RIGHT", "a.id")]
    {
        assert_eq!(plan(kind, key), Ok(keys.clone()), "{kind} {key}");
    }
    // The nulls of all tasks are one group.
    for (kind, key) in
        [("LEFT", "a.id"), ("RIGHT", "b.auction"), ("FULL", "a.id"), ("FULL", "b.auction")]
    {
        assert_eq!(plan(kind, key), Err("SW0357"), "{kind} {key}");
    }
}
