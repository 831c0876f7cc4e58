//! `sql`: a query over the rows of its inputs.

use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::{NodeContext, OperatorOptions, OperatorPlan, Result};

use crate::query::Query;
use crate::streaming;

/// Runs a SQL query over its inputs.
///
/// The option is the query itself; its tables are named as the input nodes, and `input` where there is
/// one: `sql: "SELECT auction, price * 0.92 AS euros FROM bids WHERE price > 1000"`. Columns are named
/// exactly as in the schema, and everything but a plain column needs `AS name`. `UNNEST(list) AS
/// name` gives a row for each element; rows whose list is null or empty give none (`UNNEST_OUTER`
/// keeps them).
///
/// Over time and several rows a query plans to the operators of the same names:
///
/// - `FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(date_time), INTERVAL '10' SECOND)) GROUP BY
///   window_start, window_end, auction` is a `window`; HOP (slide, size), CUMULATE (step, size) and
///   SESSION (gap) likewise. GROUP BY without windows is a `group`: a stream of upserts.
/// - `a JOIN b ON a.id = b.id AND a.ts BETWEEN b.ts - INTERVAL '10' SECOND AND b.ts` is a `join` with
///   `within`; with the same TUMBLE on both sides and equal windows a `join` by windows; with `JOIN b
///   FOR SYSTEM_TIME AS OF a.ts` an as-of join.
/// - `SELECT … FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY price DESC) AS n FROM bids)
///   WHERE n <= 10` is a `top`, or a `deduplicate` where it is the newest row; RANK keeps ties in
///   windows.
///
/// Subqueries and WITH can be nested. Event time goes on with the column that it is in:
/// `window_time` behind windows. What would grow or wait without end is refused with the reason.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct SqlOptions(
    /// The query.
    pub String,
);

impl OperatorOptions for SqlOptions {
    const KIND: &'static str = "sql";
    const EXAMPLE: &'static str = r#"name: sql_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
operators:
  serious:
    input: bids
    sql: |
      SELECT auction, bidder, price * 0.92 AS euros, date_trunc('hour', date_time) AS hour
      FROM input
      WHERE price >= 1000 AND channel <> 'Apple'
sinks:
  out: {input: serious, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        if let Some(plan) = streaming::plan(&self.0, cx)? {
            return Ok(plan);
        }
        let input = cx.input()?;
        let node = cx.node.inputs.first().map_or("", |input| input.node.as_str());
        Ok(Query::select(&self.0, node, &input)?.into_plan(&input, &cx.stream(0)))
    }
}

#[cfg(test)]
#[path = "sql/tests.rs"]
mod tests;
