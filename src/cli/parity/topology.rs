//! The topology that compares: a full join by key and time, a row for each feature, sums by feature.

use arrow::datatypes::{DataType, SchemaRef};
use serde_json::{Map, Value, json};
use swiftwater_engine::{Error, Plan, Result};

use super::Arguments;

/// The window of the report where none was asked for: 100 years.
const EVER: &str = "36500d";
/// Rows meet within windows of this length, so that no more of them are held.
const MEET: &str = "1h";

/// A topology that only reads both sides.
pub(super) fn inputs(served: &str, replayed: &str) -> Value {
    json!({
        "name": "parity",
        "sources": {"served": source(served), "replayed": source(replayed)},
        "sinks": {"one": {"input": "served", "blackhole": {}},
                  "other": {"input": "replayed", "blackhole": {}}},
    })
}

fn source(path: &str) -> Value {
    if path.rsplit('/').next().unwrap_or_default().contains('.') {
        json!({"files": {"path": path}})
    } else {
        json!({"files": {"path": path, "format": "parquet"}})
    }
}

/// What is compared, and how.
pub(super) struct Comparison<'a> {
    arguments: &'a Arguments,
    /// Name, and whether it is a number on both sides.
    features: Vec<(String, bool)>,
}

impl<'a> Comparison<'a> {
    /// The features that both sides of `plan`, made of [`inputs`], have.
    pub(super) fn new(arguments: &'a Arguments, plan: &Plan) -> Result<Self> {
        let served = columns(plan, "served")?;
        let replayed = columns(plan, "replayed")?;
        let not_feature =
            |name: &str| name == arguments.time || arguments.key.iter().any(|key| key == name);
        let names: Vec<String> = if arguments.features.is_empty() {
            let names = served.fields().iter().map(|f| f.name().clone());
            names
                .filter(|name| !not_feature(name) && replayed.column_with_name(name).is_some())
                .collect()
        } else {
            arguments.features.clone()
        };
        let wanted = names.iter().chain(&arguments.key).chain([&arguments.time]);
        for (name, side, path) in wanted.flat_map(|name| {
            [(name, &served, &arguments.served), (name, &replayed, &arguments.replayed)]
        }) {
            if side.column_with_name(name).is_none() {
                let has: Vec<&str> = side.fields().iter().map(|f| f.name().as_str()).collect();
                return Err(Error::config("SW4120", format!("compare `{name}` of `{path}`"))
                    .with_hint(format!("its columns are {}", has.join(", "))));
            }
        }
        let number = |side: &SchemaRef, name: &str| {
            let found = side.column_with_name(name).map(|(_, field)| field.data_type().clone());
            found.is_some_and(|t| t.is_numeric() || t == DataType::Boolean)
        };
        let features = names.into_iter().map(|name| {
            let numbers = number(&served, &name) && number(&replayed, &name);
            (name, numbers)
        });
        let features: Vec<(String, bool)> = features.collect();
        if features.is_empty() {
            return Err(Error::config("SW4120", "find a feature that both sides have"));
        }
        Ok(Self { arguments, features })
    }

    /// The topology; its rows come to lie in `result/` of the directory.
    pub(super) fn topology(&self, directory: &str) -> Value {
        let Arguments { served, replayed, time, window, disorder, .. } = self.arguments;
        let window = window.map_or_else(|| EVER.to_owned(), |window| window.to_string());
        let input = |path: &str| {
            let mut source = source(path);
            if let Some(source) = source.as_object_mut() {
                let time = json!({"column": time, "out_of_orderness": disorder.to_string()});
                source.insert("event_time".into(), time);
            }
            source
        };
        let on: Vec<&String> = self.arguments.key.iter().chain([time]).collect();
        json!({
            "name": "parity",
            "checkpoint": {"interval": "1min", "store": format!("file://{directory}/state")},
            "sources": {"served": input(served), "replayed": input(replayed)},
            "operators": {
                "of_served": {"input": "served", "select": self.side("served")},
                "of_replayed": {"input": "replayed", "select": self.side("replayed")},
                "both": {
                    "inputs": ["of_served", "of_replayed"],
                    "join": {"type": "full", "on": on, "window": {"tumbling": {"size": MEET}}},
                    "late": "late",
                },
                "compared": {"input": "both", "select": ["window_time", self.compared()]},
                "features": {"input": "compared", "unnest": {"column": "features", "expand": true}},
                "sums": {
                    "input": "features",
                    "window": {"tumbling": {"size": window}, "key": ["feature"],
                               "aggregate": sums()},
                },
            },
            "sinks": {
                "late": {"files": {"path": format!("{directory}/late/")}, "format": "json"},
                "result": {
                    "input": "sums",
                    "files": {"path": format!("{directory}/result/")},
                    "format": "json",
                },
            },
        })
    }

    /// Columns of one side: the key, the time, and each feature with its number.
    fn side(&self, side: &str) -> Vec<String> {
        let plain = self.arguments.key.iter().chain([&self.arguments.time]).map(|c| quoted(c));
        let features = self.features.iter().enumerate();
        let features = features.map(|(i, (name, _))| format!("{} AS {side}_{i}", quoted(name)));
        plain.chain(features).chain([format!("true AS in_{side}")]).collect()
    }

    /// A list with what is to be known of each feature of a row.
    fn compared(&self) -> String {
        let each = self.features.iter().enumerate().map(|(i, (name, number))| {
            let (served, replayed) = (format!("served_{i}"), format!("replayed_{i}"));
            let tolerance = self.arguments.tolerance;
            let float = |column: &str| {
                if *number { format!("CAST({column} AS DOUBLE)") } else { "CAST(NULL AS DOUBLE)".into() }
            };
            let (s, r) = (float(&served), float(&replayed));
            let same = if *number && tolerance > 0.0 {
                format!("{served} = {replayed} OR abs({s} - {r}) <= {tolerance:?} * greatest(abs({s}), abs({r}))")
            } else {
                format!("{served} = {replayed}")
            };
            let text = name.replace('\'', "''");
            format!(
                "named_struct('feature', '{text}', 'served', {s}, 'replayed', {r}, \
                 'on_both', in_served IS NOT NULL AND in_replayed IS NOT NULL, \
                 'on_served', in_served IS NOT NULL, 'on_replayed', in_replayed IS NOT NULL, \
                 'served_null', {served} IS NULL, 'replayed_null', {replayed} IS NULL, \
                 'same', {same})"
            )
        });
        format!("make_array({}) AS features", each.collect::<Vec<_>>().join(", "))
    }
}

/// What is said of each feature; sMAPE as the mean over rows of `2 |a - b| / (|a| + |b|)`.
fn sums() -> Value {
    let mut sums = Map::new();
    let mut add = |name: &str, expression: String| sums.insert(name.into(), expression.into());
    let mut count = |name: &str, which: &str| {
        add(name, format!("count(*) FILTER (WHERE {which})"));
    };
    count("compared", "on_both");
    count("served_only", "NOT on_replayed");
    count("replayed_only", "NOT on_served");
    count("both_null", "on_both AND served_null AND replayed_null");
    count("served_null", "on_both AND served_null AND NOT replayed_null");
    count("replayed_null", "on_both AND NOT served_null AND replayed_null");
    count("mismatch", "on_both AND NOT same");
    add(
        "mean_smape",
        "avg(CASE WHEN served = replayed THEN 0.0 \
         ELSE 2.0 * abs(served - replayed) / (abs(served) + abs(replayed)) END)"
            .into(),
    );
    for side in ["served", "replayed"] {
        for (name, q) in [("p05", "0.05"), ("p50", "0.5"), ("p95", "0.95")] {
            add(
                &format!("{side}_{name}"),
                format!("approx_percentile_cont({q}) WITHIN GROUP (ORDER BY {side})"),
            );
        }
    }
    Value::Object(sums)
}

fn columns(plan: &Plan, node: &str) -> Result<SchemaRef> {
    let found = plan.node(node).and_then(|node| node.outputs.first());
    found
        .map(|(_, schema)| SchemaRef::clone(schema))
        .ok_or_else(|| Error::bug(format!("find the columns of `{node}`")))
}

fn quoted(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}
