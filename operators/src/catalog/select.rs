//! `select`: computes, renames, reorders and leaves out columns.

use datafusion_sql::sqlparser::ast::SelectItem;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use swiftwater_engine::{Error, NodeContext, OperatorOptions, OperatorPlan, Result};

use crate::expression::{self, fault};
use crate::query::Query;

/// Computes, renames, reorders and leaves out columns; each row gives one row.
///
/// The short form is a list of SQL expressions with names: `select: [auction, "price * 0.92 AS
/// euros"]`. `"*"` stands for all columns of the input, `"* EXCEPT (channel)"` for all but some. A
/// column or a field of a struct (`item.name`) keeps its name; everything else needs `AS name`.
/// Columns that are only passed on are not copied.
///
/// The long form has `columns`, a list as above or a map of name and expression, and `except`,
/// which takes columns out of `"*"`.
#[derive(Debug, Clone, JsonSchema)]
#[serde(untagged)]
pub enum SelectOptions {
    /// Columns of the result, in their order: `name`, `expression AS name`, `*` or
    /// `* EXCEPT (name, …)`.
    List(Vec<String>),
    /// The long form.
    Long(LongSelect),
}

/// The long form of `select`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LongSelect {
    /// Columns of the result: a list as in the short form, or a map of name and expression.
    pub columns: Columns,
    /// Columns that `*` leaves out.
    #[serde(default)]
    pub except: Vec<String>,
}

/// Columns of a `select`.
#[derive(Debug, Clone, JsonSchema)]
#[serde(untagged)]
pub enum Columns {
    /// `name`, `expression AS name`, `*` or `* EXCEPT (name, …)`.
    List(Vec<String>),
    /// Expressions by the name of their column.
    Named(
        /// Expressions by the name of their column.
        #[schemars(with = "std::collections::BTreeMap<String, String>")]
        Map<String, Value>,
    ),
}

// By hand rather than derived, so that a mistake is named instead of "no variant matched".
impl<'de> Deserialize<'de> for SelectOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let parsed = match &value {
            Value::Array(_) => serde_json::from_value(value).map(Self::List),
            _ => serde_json::from_value(value).map(Self::Long),
        };
        parsed.map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Object(named) => Ok(Self::Named(named)),
            list => serde_json::from_value(list).map(Self::List).map_err(D::Error::custom),
        }
    }
}

impl OperatorOptions for SelectOptions {
    const KIND: &'static str = "select";
    const EXAMPLE: &'static str = r#"name: select_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
operators:
  priced:
    input: bids
    select: [auction, bidder, "price * 0.92 AS euros", "upper(channel) AS channel"]
  slim:
    input: priced
    select: {columns: ["*", "euros > 1000 AS serious"], except: [channel]}
sinks:
  out: {input: slim, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let (columns, except) = match self {
            Self::List(list) => (Columns::List(list), Vec::new()),
            Self::Long(long) => (long.columns, long.except),
        };
        if let Some(name) = except.iter().find(|name| input.column_with_name(name).is_none()) {
            return Err(fault::unknown_column(name, "except", &input));
        }
        let texts = match columns {
            Columns::List(list) => from_list(list, &except)?,
            Columns::Named(named) => from_map(&named, &except)?,
        };
        let items = texts.iter().map(|text| Ok((expression::item(text)?, text.as_str())));
        let items: Vec<(SelectItem, &str)> = items.collect::<Result<_>>()?;
        Ok(Query::columns(items, &input)?.into_plan(&input, &cx.stream(0)))
    }
}

fn from_list(list: Vec<String>, except: &[String]) -> Result<Vec<String>> {
    if list.is_empty() {
        return Err(Error::config("SW0308", "select no column").with_hint("write \"*\" for all"));
    }
    if except.is_empty() {
        return Ok(list);
    }
    let names: Vec<_> = except.iter().map(|name| identifier(name)).collect();
    let all = format!("* EXCEPT ({})", names.join(", "));
    let replaced = list.iter().map(|item| if item.trim() == "*" { &all } else { item });
    let replaced: Vec<String> = replaced.cloned().collect();
    if replaced == list {
        return Err(misplaced_except());
    }
    Ok(replaced)
}

fn from_map(named: &Map<String, Value>, except: &[String]) -> Result<Vec<String>> {
    if !except.is_empty() {
        return Err(misplaced_except());
    }
    if named.is_empty() {
        return Err(Error::config("SW0308", "select no column"));
    }
    let columns = named.iter().map(|(name, expression)| match expression {
        Value::String(text) => Ok(format!("{text} AS {}", identifier(name))),
        Value::Number(_) | Value::Bool(_) => Ok(format!("{expression} AS {}", identifier(name))),
        other => {
            let message = format!("read the expression of column `{name}`: it is {other}");
            Err(Error::config("SW0308", message).with_hint("write it as text"))
        }
    });
    columns.collect()
}

fn misplaced_except() -> Error {
    Error::config("SW0308", "leave out columns of `*`: there is no `*` among the columns")
        .with_hint("write columns: [\"*\", …]")
}

/// A column name as it stands in SQL, whatever characters it has.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
#[path = "select/tests.rs"]
mod tests;
