//! `route`: sends rows to ports by predicates.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use swiftwater_engine::operator::{Input, Port};
use swiftwater_engine::{
    Batch, Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result,
};

use crate::expression::{Predicate, Taken};

/// Sends each row to the port whose predicate it meets.
///
/// `routes` maps ports to SQL predicates. They are tried in their order, and a row goes to the
/// first it meets, or with `match: all` to every one. Another node reads a port as `input:
/// node.port`. Rows that meet none go to the port `otherwise`, which is also the node's main
/// output (`input: node`).
///
/// A row of a port that no node reads is gone, and counted in
/// `swiftwater_dropped_rows_total{reason="unread_port"}`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteOptions {
    /// Predicates by the name of their port, in the order in which they are tried.
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub routes: Map<String, Value>,
    /// Whether a row goes to the `first` port whose predicate it meets, or to `all` of them.
    #[serde(default, rename = "match")]
    pub matching: Matching,
    /// Name of the port of rows that meet no predicate.
    #[serde(default = "default_otherwise")]
    pub otherwise: String,
}

/// How many ports a row can go to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Matching {
    /// The first whose predicate is true.
    #[default]
    First,
    /// All whose predicate is true.
    All,
}

fn default_otherwise() -> String {
    "otherwise".into()
}

impl OperatorOptions for RouteOptions {
    const KIND: &'static str = "route";
    const EXAMPLE: &'static str = r#"name: route_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
operators:
  split:
    input: bids
    route:
      routes:
        high: "price >= 1000000"
        google: "channel = 'Google'"
sinks:
  high: {input: split.high, stdout: {}}
  google: {input: split.google, blackhole: {}}
  rest: {input: split.otherwise, blackhole: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let schema = cx.input()?;
        if self.routes.is_empty() {
            let hint = "write routes: {port: \"price > 0\"}";
            return Err(Error::config("SW0309", "route rows without `routes`").with_hint(hint));
        }
        let mut ports = vec![(self.otherwise.clone(), Arc::clone(&schema))];
        let mut routes = Vec::new();
        let mut warnings = Vec::new();
        for (port, predicate) in &self.routes {
            check_port(port, &self.otherwise)?;
            let Value::String(text) = predicate else {
                let message = format!("read the predicate of port `{port}`: it is {predicate}");
                return Err(Error::config("SW0309", message).with_hint("write it as text"));
            };
            let predicate = Predicate::plan(text, &schema)?;
            warnings.extend(predicate.expression().warnings().iter().cloned());
            routes.push(predicate);
            ports.push((port.clone(), Arc::clone(&schema)));
        }
        check_port(&self.otherwise, "")?;
        let matching = self.matching;
        let make = Arc::new(move |_| {
            Ok(Box::new(Route { routes: routes.clone(), matching }) as Box<dyn Operator>)
        });
        Ok(OperatorPlan { ports, warnings, ..OperatorPlan::stateless(schema, make) })
    }
}

fn check_port(name: &str, other: &str) -> Result<()> {
    let valid = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let problem = if name.is_empty() || !valid {
        "letters, digits, `_` and `-` are allowed"
    } else if name == "errors" || name == "late" {
        "every node has a port of that name"
    } else if name == other {
        "the port of the other rows has that name; `otherwise` renames it"
    } else {
        return Ok(());
    };
    Err(Error::config("SW0309", format!("name a port `{name}`")).with_hint(problem))
}

struct Route {
    routes: Vec<Predicate>,
    matching: Matching,
}

impl Route {
    /// The rows of each port, the port of the others first.
    fn split(&self, batch: &Batch, out: &Output) -> Result<Vec<(Port, BooleanBuffer)>> {
        let rows = batch.rows();
        let mut rest = BooleanBuffer::new_set(rows);
        let mut ports = Vec::with_capacity(self.routes.len() + 1);
        for (number, predicate) in self.routes.iter().enumerate() {
            // Rows that have found their port need no further answer, which may be an error: a
            // route can guard the ones after it.
            if self.matching == Matching::First && rest.count_set_bits() == 0 {
                break;
            }
            let met = match predicate.take(&batch.records, out.now())? {
                Taken::All => BooleanBuffer::new_set(rows),
                Taken::None => continue,
                Taken::Some(mask) => mask.values().clone(),
            };
            let taken = match self.matching {
                Matching::First => &met & &rest,
                Matching::All => met.clone(),
            };
            rest = &rest & &!&met;
            ports.push((number + 1, taken));
        }
        ports.insert(0, (0, rest));
        Ok(ports)
    }
}

impl Operator for Route {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        for (port, rows) in self.split(&batch, out)? {
            match Taken::of(&BooleanArray::from(rows)) {
                Taken::All => out.emit_to(port, batch.clone()),
                Taken::None => {}
                Taken::Some(rows) => {
                    let records = filter_record_batch(&batch.records, &rows)?;
                    out.emit_to(port, batch.with_records(records));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "route/tests.rs"]
mod tests;
