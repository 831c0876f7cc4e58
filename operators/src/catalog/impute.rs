//! `impute`: values in the place of missing ones.

mod methods;

use std::sync::Arc;

use arrow::array::{Array as _, StringArray};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::{DataType, Field};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use swiftwater_config::Duration;
use swiftwater_engine::{NodeContext, OperatorOptions, OperatorPlan, Result};

use self::methods::{Filling, Missing};
use crate::keyed::micros;
use crate::learned::{self, Column, Learning, Reads, Spec, mistake};

/// Puts values in the place of missing ones, by what is learned as the stream goes on.
///
/// `impute: {columns: {age: {method: median}}}` replaces each null in `age` by the median of the rows
/// before. NaN and infinity count as missing too. A row is filled first and learned from afterwards,
/// in the order of event time, rows of the same time in the order in which they came; what was filled
/// in is not learned.
///
/// Methods: `constant` (with `value`), `mean`, `median` (to 1 %, by a `DDSketch`), `most_frequent`
/// (of equals the one that came first) and `last` (the last value of the key, not older than
/// `max_age`). Where nothing was seen yet, null stays. `mean` and `median` make a column of doubles,
/// the others keep its type. `indicator: true` adds a column `NAME_missing`.
///
/// What was learned leaves through the port `parameters`, as rows with column, key, category,
/// statistic, value and version: when learning ends (`freeze_after`), each `export_every`, and when
/// the stream ends. `learn: false` with `parameters: FILE` serves such rows without learning; the
/// node then needs no event time, and rows do not wait.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImputeOptions {
    /// Columns by name: a map with the method, and with `of` where the source has another name.
    #[schemars(with = "std::collections::BTreeMap<String, FilledColumn>")]
    pub columns: Map<String, Json>,
    /// Whether each column gets another one beside it, `NAME_missing`, that says whether the value
    /// was missing.
    #[serde(default)]
    pub indicator: bool,
    /// Most categories that `most_frequent` counts of a column (of a key).
    #[serde(default = "many")]
    pub max_categories: usize,
    /// What is learned, and for how long.
    #[serde(flatten)]
    pub learning: Learning,
}

const fn many() -> usize {
    100_000
}

/// What takes the place of a missing value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Method {
    /// `value`.
    Constant,
    /// The mean.
    Mean,
    /// The median.
    Median,
    /// The most frequent value.
    MostFrequent,
    /// The last value of the key.
    Last,
}

/// A column without missing values.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FilledColumn {
    /// The column that it is made from; the same name if left out.
    #[serde(default)]
    #[expect(dead_code, reason = "read by its name")]
    of: String,
    /// The method.
    method: Method,
    /// For `constant`: the value.
    #[serde(default)]
    value: Option<Json>,
    /// For `last`: how old the value may be, by event time.
    #[serde(default)]
    max_age: Option<Duration>,
}

impl OperatorOptions for ImputeOptions {
    const KIND: &'static str = "impute";
    const EXAMPLE: &'static str = r#"name: impute_example
sources:
  readings:
    kafka: {brokers: "localhost:9092", topic: readings}
    format: json
    schema: {sensor: int64, temperature: float64, state: utf8, at: timestamp_ms}
    event_time: {column: at, out_of_orderness: 2s}
operators:
  whole:
    input: readings
    impute:
      key: [sensor]
      columns:
        temperature: {method: last, max_age: 10min}
        state: {method: constant, value: unknown}
      indicator: true
sinks:
  out: {input: whole, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let half_life = learned::half_life(self.learning.half_life)?;
        let mut columns = Vec::new();
        for wanted in learned::columns::<FilledColumn>(&self.columns, &input)? {
            let (name, of) = (&wanted.name, &wanted.of);
            let filling = self.filling(name, of, &wanted.options)?;
            let reads = if filling.is_numeric() { Reads::Numbers } else { Reads::Texts };
            let data_type = if filling.is_numeric() { DataType::Float64 } else { of.clone() };
            if matches!(filling, Filling::Last { .. }) && half_life.is_some() {
                let message = format!("forget the last value of `{name}` by half-life");
                return Err(mistake(&message, "use `max_age`"));
            }
            let column = Column {
                source: wanted.source,
                field: Arc::new(Field::new(name, data_type, true)),
                reads,
                spec: Spec { statistic: filling.statistic(self.max_categories), half_life },
                supervised: false,
                fills: true,
                method: format!("{filling:?} {half_life:?} {}", self.max_categories),
                transform: Arc::new(filling),
            };
            if self.indicator {
                columns.push(indicator(&column, name));
                if input.column_with_name(&format!("{name}_missing")).is_some() {
                    let message = format!("add a second column `{name}_missing`");
                    return Err(mistake(&message, "rename it in a `select` before"));
                }
            }
            columns.push(column);
        }
        learned::plan(self.learning, columns, None, cx)
    }
}

fn indicator(column: &Column, name: &str) -> Column {
    Column {
        field: Arc::new(Field::new(format!("{name}_missing"), DataType::Boolean, true)),
        spec: Spec { statistic: learned::Statistic::None, half_life: None },
        fills: false,
        method: "missing".into(),
        transform: Arc::new(Missing),
        ..column.clone()
    }
}

impl ImputeOptions {
    fn filling(&self, name: &str, of: &DataType, options: &FilledColumn) -> Result<Filling> {
        let wrong = |why: &str, hint: &str| Err(mistake(&format!("fill `{name}`: {why}"), hint));
        let textual = can_cast_types(of, &DataType::Utf8) && can_cast_types(&DataType::Utf8, of);
        if of.is_nested() || !textual {
            return wrong(&format!("it is made from {of}"), "take a column of single values");
        }
        if options.value.is_some() != (options.method == Method::Constant) {
            return wrong("`value` belongs to `constant`", "write {method: constant, value: 0}");
        }
        if options.max_age.is_some() && options.method != Method::Last {
            return wrong("`max_age` belongs to `last`", "write {method: last, max_age: 10min}");
        }
        let numeric = matches!(options.method, Method::Mean | Method::Median);
        if numeric && !of.is_numeric() {
            return wrong(&format!("{of} has no mean"), "use `most_frequent` or `constant`");
        }
        Ok(match options.method {
            Method::Mean => Filling::Mean,
            Method::Median => Filling::Median,
            Method::MostFrequent => Filling::MostFrequent,
            Method::Last if self.learning.key.is_empty() => {
                return wrong("the last value of whom?", "name the `key` whose values go together");
            }
            Method::Last => Filling::Last { max_age: options.max_age.map(micros) },
            Method::Constant => {
                let text = match &options.value {
                    Some(Json::String(text)) => text.clone(),
                    Some(Json::Number(number)) => number.to_string(),
                    Some(Json::Bool(flag)) => flag.to_string(),
                    _ => return wrong("`value` is no single value", "write value: 0"),
                };
                let value = StringArray::from(vec![text.as_str()]);
                if cast(&value, of).is_ok_and(|value| value.is_valid(0)) {
                    Filling::Constant(text)
                } else {
                    return wrong(&format!("`{text}` is no {of}"), "give a value of its type");
                }
            }
        })
    }
}

#[cfg(test)]
mod tests;
