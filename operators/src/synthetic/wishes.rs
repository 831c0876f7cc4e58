//! What made-up rows shall be: conditions on columns, orders between columns, keys, and values of
//! other tables.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use swiftwater_engine::{Error, Result};

/// A condition on a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Wish {
    /// What is allowed.
    Limits(Limits),
    /// The only text.
    Text(String),
    /// The only number.
    Number(f64),
    /// The only truth.
    Flag(bool),
    /// Null.
    Null(()),
}

/// What a column may hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The least number.
    #[serde(default)]
    pub min: Option<f64>,
    /// The greatest number.
    #[serde(default)]
    pub max: Option<f64>,
    /// The values that are allowed.
    #[serde(default)]
    pub one_of: Option<Vec<Value>>,
    /// Whether null is allowed beside them.
    #[serde(default)]
    pub null: bool,
}

/// How a key is made: from the number of the row, so that it never repeats.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unique {
    /// The number of the first row.
    #[serde(default)]
    pub start: i64,
    /// Stands before the number; the key is then a text.
    #[serde(default)]
    pub prefix: Option<String>,
}

/// A value of another table, which rows refer to: one of `values` or of those of `file`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Foreign {
    /// The values; each is as likely as any other.
    #[serde(default)]
    pub values: Vec<Value>,
    /// A file of JSON lines, whose column of the same name (or `column`) has the values.
    #[serde(default)]
    pub file: Option<String>,
    /// The column of the file.
    #[serde(default)]
    pub column: Option<String>,
}

impl Foreign {
    /// All values, each once in the order of their first row.
    fn all(self, name: &str) -> Result<Vec<Value>> {
        let Some(path) = &self.file else {
            return Ok(self.values);
        };
        let hint = "name a file of JSON lines that has the keys of the other table";
        let unfit = |why: String| mistake(format!("take `{name}` from `{path}`: {why}"), hint);
        let text = std::fs::read_to_string(path).map_err(|e| unfit(e.to_string()))?;
        let column = self.column.as_deref().unwrap_or(name);
        let (mut values, mut seen) = (self.values, BTreeSet::new());
        values.iter().for_each(|value| {
            seen.insert(value.to_string());
        });
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let row: Value = serde_json::from_str(line)
                .map_err(|e| unfit(format!("line {}: {e}", number + 1)))?;
            match row.get(column) {
                None => return Err(unfit(format!("line {} has no `{column}`", number + 1))),
                Some(Value::Null) => {}
                Some(value) if seen.insert(value.to_string()) => values.push(value.clone()),
                Some(_) => {}
            }
        }
        Ok(values)
    }
}

/// The options of `synthesize` that say what rows shall be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) conditions: Map<String, Value>,
    pub(crate) order: Vec<String>,
    pub(crate) unique: BTreeMap<String, Unique>,
    pub(crate) foreign: BTreeMap<String, Foreign>,
    pub(crate) observed: Vec<Vec<String>>,
}

/// What a column may hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Condition {
    pub(crate) least: Option<f64>,
    pub(crate) most: Option<f64>,
    /// As texts.
    pub(crate) one_of: Option<BTreeSet<String>>,
    pub(crate) null: bool,
    /// Only null.
    pub(crate) only_null: bool,
}

impl Condition {
    /// Whether a value, written as a text, is allowed.
    pub(crate) fn accepts(&self, text: Option<&str>) -> bool {
        let Some(text) = text else {
            return self.null;
        };
        let number = || text.parse::<f64>().ok();
        let inside = || {
            number().is_some_and(|n| {
                self.least.is_none_or(|l| n >= l) && self.most.is_none_or(|m| n <= m)
            })
        };
        let bounded = self.least.is_some() || self.most.is_some();
        let named = self.one_of.as_ref().is_none_or(|all| {
            all.contains(text) || number().is_some_and(|n| self.numbers().any(|of| of == n))
        });
        !self.only_null && named && (!bounded || inside())
    }

    /// The allowed values that are numbers.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = f64> {
        self.one_of.iter().flatten().filter_map(|text| text.parse().ok())
    }
}

/// One column is at most, or below, another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) low: String,
    pub(crate) high: String,
    pub(crate) strict: bool,
}

/// What rows shall be, in itself without contradiction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    pub(crate) conditions: BTreeMap<String, Condition>,
    pub(crate) orders: Vec<Order>,
    pub(crate) unique: BTreeMap<String, Unique>,
    pub(crate) foreign: BTreeMap<String, Vec<Value>>,
    pub(crate) observed: Vec<Vec<String>>,
}

fn mistake(message: impl Into<String>, hint: &str) -> Error {
    Error::config("SW0384", message).with_hint(hint)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn condition(column: &str, value: &Value) -> Result<Condition> {
    let hint = "write a value, or {min: 1, max: 9}, {one_of: [a, b]}, {…, null: true}";
    let fields = match value {
        Value::Null => {
            return Ok(Condition { null: true, only_null: true, ..Condition::default() });
        }
        Value::Object(fields) => fields,
        Value::Array(_) => return Err(mistake(format!("take {value} for `{column}`"), hint)),
        one => {
            let one_of = Some(BTreeSet::from([text(one)]));
            return Ok(Condition { one_of, ..Condition::default() });
        }
    };
    let limits: Limits = serde_json::from_value(Value::Object(fields.clone()))
        .map_err(|e| mistake(format!("read the condition of `{column}`: {e}"), hint))?;
    let null = limits.null || limits.one_of.iter().flatten().any(Value::is_null);
    let one_of: Option<BTreeSet<String>> =
        limits.one_of.map(|all| all.iter().filter(|value| !value.is_null()).map(text).collect());
    let condition =
        Condition { least: limits.min, most: limits.max, one_of, null, only_null: false };
    if let (Some(min), Some(max)) = (limits.min, limits.max)
        && min > max
    {
        let message = format!("make rows in which `{column}` is from {min} to {max}");
        return Err(mistake(message, "`min` is at most `max`"));
    }
    if let Some(all) = &condition.one_of {
        let possible = all.iter().any(|value| condition.accepts(Some(value)));
        if !possible && !null {
            let message =
                format!("make rows in which `{column}` is one of {all:?} within its limits");
            return Err(mistake(message, "name values between `min` and `max`"));
        }
    }
    Ok(condition)
}

impl Order {
    fn parse(text: &str) -> Result<Self> {
        let hint = "write order: [\"opened <= closed\"]";
        let words: Vec<&str> = text.split_whitespace().collect();
        let of = |low: &str, high: &str, strict| {
            Ok(Self { low: low.to_owned(), high: high.to_owned(), strict })
        };
        match words.as_slice() {
            [low, "<=", high] => of(low, high, false),
            [low, "<", high] => of(low, high, true),
            [high, ">=", low] => of(low, high, false),
            [high, ">", low] => of(low, high, true),
            _ => Err(mistake(format!("read the order `{text}`"), hint)),
        }
    }
}

impl Wishes {
    /// Reads what is asked for.
    ///
    /// # Errors
    /// `Config` (`SW0384`) where it contradicts itself, with the two that do.
    pub(crate) fn of(asked: Asked) -> Result<Self> {
        let conditions = asked.conditions.iter();
        let conditions = conditions
            .map(|(column, value)| Ok((column.clone(), condition(column, value)?)))
            .collect::<Result<BTreeMap<_, _>>>()?;
        let orders = asked.order.iter().map(|text| Order::parse(text)).collect::<Result<_>>()?;
        let foreign = asked.foreign.into_iter().map(|(column, of)| {
            let values = of.all(&column)?;
            Ok((column, values))
        });
        let foreign = foreign.collect::<Result<BTreeMap<_, _>>>()?;
        let wishes =
            Self { conditions, orders, unique: asked.unique, foreign, observed: asked.observed };
        wishes.check()?;
        Ok(wishes)
    }

    fn check(&self) -> Result<()> {
        for column in self.unique.keys() {
            if self.conditions.contains_key(column) || self.foreign.contains_key(column) {
                let message = format!("make `{column}` unique and choose its values too");
                return Err(mistake(message, "a unique key is made from the number of the row"));
            }
        }
        for (column, values) in &self.foreign {
            if self.conditions.contains_key(column) {
                let message = format!("take `{column}` from other rows and under a condition");
                return Err(mistake(message, "leave values out of `foreign` instead"));
            }
            if values.is_empty() {
                let message = format!("take `{column}` from no value");
                return Err(mistake(message, "name the keys of the other table"));
            }
        }
        for columns in &self.observed {
            if columns.len() < 2 {
                let message = format!("keep {columns:?} together");
                return Err(mistake(message, "name two columns or more"));
            }
        }
        self.orders.iter().try_for_each(|order| self.check_order(order))?;
        self.check_circles()
    }

    fn check_order(&self, order: &Order) -> Result<()> {
        let Order { low, high, strict } = order;
        let made =
            |column: &String| self.unique.contains_key(column) || self.foreign.contains_key(column);
        if low == high || made(low) || made(high) {
            let message = format!("keep `{low}` below `{high}`");
            return Err(mistake(message, "an order is between two columns of the model"));
        }
        let least = |column| {
            let condition = self.conditions.get(column)?;
            let numbers = condition.numbers().min_by(f64::total_cmp);
            let bound = [condition.least, numbers].into_iter().flatten();
            bound.max_by(f64::total_cmp).filter(|_| !condition.null)
        };
        let most = |column| {
            let condition = self.conditions.get(column)?;
            let numbers = condition.numbers().max_by(f64::total_cmp);
            let bound = [condition.most, numbers].into_iter().flatten();
            bound.min_by(f64::total_cmp).filter(|_| !condition.null)
        };
        if let (Some(from), Some(to)) = (least(low), most(high))
            && (from > to || (*strict && from >= to))
        {
            let message = format!(
                "keep `{low}`, which is {from} or more, below `{high}`, which is {to} or less"
            );
            return Err(mistake(message, "the conditions and the order contradict each other"));
        }
        Ok(())
    }

    /// A circle of orders with a strict one among them cannot be.
    fn check_circles(&self) -> Result<()> {
        for start in self.orders.iter().filter(|order| order.strict) {
            let (mut seen, mut waiting) = (BTreeSet::new(), vec![&start.high]);
            while let Some(at) = waiting.pop() {
                if *at == start.low {
                    let message = format!(
                        "keep `{}` below `{}`, and the other way round",
                        start.low, start.high
                    );
                    return Err(mistake(message, "leave out one of the orders"));
                }
                if seen.insert(at) {
                    let above = self.orders.iter().filter(|order| order.low == *at);
                    waiting.extend(above.map(|order| &order.high));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(conditions: Value, order: &[&str]) -> String {
        let asked = Asked {
            conditions: conditions.as_object().unwrap().clone(),
            order: order.iter().map(|text| (*text).to_owned()).collect(),
            ..Asked::default()
        };
        Wishes::of(asked).map_or_else(|e| e.to_string(), |_| String::new())
    }

    #[test]
    fn contradictions_are_told() {
        for (conditions, order, word) in [
            (json!({"a": {"min": 2, "max": 1}}), vec![], "from 2 to 1"),
            (json!({"a": {"one_of": [1, 5], "min": 7}}), vec![], "within its limits"),
            (json!({"a": [1]}), vec![], "take [1]"),
            (json!({"a": {"least": 1}}), vec![], "least"),
            (json!({}), vec!["a < a"], "below"),
            (json!({}), vec!["a b"], "read the order"),
            (json!({}), vec!["a <= b", "b <= c", "c < a"], "the other way round"),
            (json!({"a": {"min": 5}, "b": 4}), vec!["a <= b"], "contradict"),
            (json!({"a": 4, "b": 4}), vec!["a < b"], "contradict"),
        ] {
            let said = told(conditions.clone(), &order);
            assert!(said.contains(word), "{conditions} {order:?}: {said}");
        }
        for (conditions, order) in [
            (json!({"a": {"min": 1, "max": 1}, "b": null, "c": "x"}), vec!["a <= b", "b <= a"]),
            (json!({"a": 4, "b": 4}), vec!["a <= b"]),
            (json!({"a": {"min": 5, "null": true}, "b": 4}), vec!["a <= b"]),
        ] {
            assert_eq!(told(conditions, &order), "");
        }
    }

    #[test]
    fn keys_of_another_table_come_from_a_file() {
        let file =
            std::env::temp_dir().join(format!("swiftwater-keys-{}.jsonl", std::process::id()));
        std::fs::write(&file, "{\"id\": 5}\n{\"id\": null}\n{\"id\": 3}\n{\"id\": 5}\n").unwrap();
        let path = file.to_str().unwrap().to_owned();
        let foreign = |column: &str| Foreign {
            file: Some(path.clone()),
            column: Some(column.into()),
            ..Foreign::default()
        };
        assert_eq!(foreign("id").all("customer").unwrap(), [json!(5), json!(3)]);
        let told = foreign("key").all("customer").unwrap_err().to_string();
        assert!(told.contains("line 1 has no `key`"), "{told}");
        std::fs::remove_file(&file).unwrap();
        assert!(foreign("id").all("customer").is_err());
    }

    #[test]
    fn values_are_accepted_as_conditions_say() {
        let of = |value: Value| condition("a", &value).unwrap();
        let accepts = |value: Value, text: &str| of(value).accepts(Some(text));
        assert!(accepts(json!("de"), "de") && !accepts(json!("de"), "fr"));
        assert!(accepts(json!(5), "5.0") && accepts(json!(true), "true"));
        assert!(accepts(json!({"min": 1.5}), "2") && !accepts(json!({"min": 1.5}), "1"));
        assert!(!accepts(json!({"max": 1}), "one") && !accepts(json!(null), "1"));
        assert!(of(json!(null)).accepts(None) && !of(json!({"min": 1})).accepts(None));
        assert!(of(json!({"one_of": ["a", null]})).accepts(None));
    }
}
