//! Codes of streaming SQL.

use super::Code;

pub(super) const CODES: &[Code] = &[
    (
        "SW0351",
        "A query sorts or cuts its whole result.",
        "A stream has no end to sort. Keep the first rows of each key: `SELECT … FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY price DESC) AS n FROM t) AS r WHERE n <= 10`, in windows with `PARTITION BY window_start, window_end`.",
    ),
    (
        "SW0352",
        "A join has no bound in time, so each row would be kept for ever.",
        "Bound the event times of both sides, `a.ts BETWEEN b.ts - INTERVAL '10' SECOND AND b.ts + INTERVAL '5' SECOND`; open the same windows on both sides and compare `window_start` and `window_end`; or take the version that held, `JOIN b FOR SYSTEM_TIME AS OF a.ts ON …`.",
    ),
    (
        "SW0353",
        "Rows are ranked without a bound.",
        "Give the rank a name in a subquery and a bound around it, `WHERE n <= 10`. RANK() needs windows, because ties have no bound.",
    ),
    (
        "SW0354",
        "DISTINCT would remember every row for ever.",
        "Group by the columns in windows, take the first row of each key by `ROW_NUMBER() = 1`, or use a `deduplicate` node with a `ttl`.",
    ),
    (
        "SW0355",
        "Windows are not what the query makes of them.",
        "A window table function takes an input with event time, and the column of that in DESCRIPTOR. Its rows are grouped by `window_start, window_end`, ranked by them (TUMBLE), or joined with the rows of equal windows (TUMBLE).",
    ),
    (
        "SW0356",
        "Rows that replace earlier ones meet something that takes each row for itself.",
        "A running GROUP BY, the newest row of a key and a running ROW_NUMBER() give upserts. They can be renamed and computed with, but not filtered, joined or aggregated again, and keep the columns of their key. Aggregate in windows, whose results are final.",
    ),
    (
        "SW0357",
        "Parts of a query bring rows together by different columns and cannot run on several tasks.",
        "Leave out `parallelism`, or give the inner query a `sql` node of its own: then rows are spread anew between the two.",
    ),
    (
        "SW0358",
        "A query uses a clause or a column in a place where it has no meaning.",
        "The message names it and the hint says what to write.",
    ),
];
