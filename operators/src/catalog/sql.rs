//! `sql`: one SELECT over the rows of its input.

use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::{NodeContext, OperatorOptions, OperatorPlan, Result};

use crate::query::Query;

/// Runs one SQL SELECT over the rows of its input: columns, WHERE and UNNEST.
///
/// The option is the query itself; its table is named `input`, or as the input node: `sql: "SELECT
/// auction, price * 0.92 AS euros FROM bids WHERE price > 1000"`. Columns are named exactly as in
/// the schema, and everything but a plain column needs `AS name`. `UNNEST(list) AS name` gives a
/// row for each element; rows whose list is null or empty give none (`UNNEST_OUTER` keeps them).
///
/// Each row is looked at by itself. What would need other rows is refused with the reason: GROUP BY
/// and aggregates, JOIN, DISTINCT, ORDER BY, LIMIT, OVER, WITH and subqueries.
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
        let input = cx.input()?;
        let node = cx.node.inputs.first().map_or("", |input| input.node.as_str());
        Ok(Query::select(&self.0, node, &input)?.into_plan())
    }
}

#[cfg(test)]
#[path = "sql/tests.rs"]
mod tests;
