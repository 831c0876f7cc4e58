//! The options of `assert`, and the rules they make.

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use swiftwater_config::OnError;
use swiftwater_engine::{Error, Result};

use super::Rules;
use crate::expression::fault;
use crate::quality::{BatchRule, Breach, Demand, RowRule, Terms};

/// Holds rows to data-quality rules; what breaks one is set aside, counted, or stops the topology.
///
/// Each rule has one check. Rules on a row: `not_null`, `range`, `one_of`, `matches` (with
/// `column`), or any `predicate`; a value that is null breaks only `not_null`, as in a CHECK
/// constraint. Rules on a batch, which look at the rows that the others left: `max_null_rate` and
/// `unique`. Batches are as large as the load makes them, so they suit alarms (`on_breach: count`)
/// better than hard limits.
///
/// `on_breach` says what happens, for all rules or for one: `dead_letter` sets the row aside as
/// `on_error` of the node says (of a batch with too many nulls all rows, of repeated rows all but
/// the first), `count` lets it pass, `stop` ends the topology. Every breach counts in
/// `swiftwater_rule_breaches_total{rule}`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssertOptions {
    /// The rules; a row is set aside for the first it breaks.
    pub rules: Vec<RuleOptions>,
    /// What happens on a breach of a rule that does not say.
    #[serde(default)]
    pub on_breach: Breach,
}

/// One rule: a name, one check, and what happens on a breach.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleOptions {
    /// Name in metrics and dead letters; the check in words without it.
    #[serde(default)]
    pub name: Option<String>,
    /// What happens on a breach of this rule.
    #[serde(default)]
    pub on_breach: Option<Breach>,
    /// Column of the check.
    #[serde(default)]
    pub column: Option<String>,
    /// The column has a value.
    #[serde(default)]
    pub not_null: bool,
    /// The column lies between two values.
    #[serde(default)]
    pub range: Option<RangeOptions>,
    /// The column is one of these values.
    #[serde(default)]
    pub one_of: Option<Vec<Value>>,
    /// The column has a match of this regular expression; `^` and `$` stand for its ends.
    #[serde(default)]
    pub matches: Option<String>,
    /// A SQL predicate over all columns that is not false.
    #[serde(default)]
    pub predicate: Option<String>,
    /// At most this share of the rows of a batch has no value in the column (0 to 1).
    #[serde(default)]
    pub max_null_rate: Option<f64>,
    /// Rows a batch must have for `max_null_rate` to be judged.
    #[serde(default)]
    pub min_rows: Option<usize>,
    /// No two rows of a batch have the same values in these columns.
    #[serde(default)]
    pub unique: Option<Vec<String>>,
}

/// Bounds of a `range`, both included.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RangeOptions {
    /// Smallest value allowed.
    #[serde(default)]
    pub min: Option<Value>,
    /// Largest value allowed.
    #[serde(default)]
    pub max: Option<Value>,
}

impl AssertOptions {
    pub(super) fn rules(&self, schema: &SchemaRef) -> Result<Rules> {
        if self.rules.is_empty() {
            return Err(mistake("assert without `rules`", "write rules: [{column: …}]"));
        }
        let mut rules = Rules { rows: Vec::new(), batches: Vec::new() };
        for (number, rule) in self.rules.iter().enumerate() {
            rule.add(number, self.on_breach, schema, &mut rules)?;
        }
        Ok(rules)
    }
}

impl Rules {
    /// Dead letters need somewhere to go; without it the first breach stops the topology.
    pub(super) fn without_dead_letters(&self, on_error: &OnError) -> Option<String> {
        let rows = self.rows.iter().map(|rule| &rule.terms);
        let mut all = rows.chain(self.batches.iter().map(|rule| &rule.terms));
        let first = all.find(|terms| terms.breach == Breach::DeadLetter)?;
        (*on_error == OnError::Fail).then(|| {
            format!(
                "the first row that breaks the rule `{}` stops the topology; add on_error: \
                 {{dead_letter: SINK}} or on_error: drop to the node",
                first.label
            )
        })
    }
}

fn mistake(message: impl Into<String>, hint: &str) -> Error {
    Error::config("SW0313", message).with_hint(hint)
}

impl RuleOptions {
    fn add(
        &self,
        number: usize,
        on_breach: Breach,
        schema: &SchemaRef,
        rules: &mut Rules,
    ) -> Result<()> {
        self.check_one(number)?;
        let label = self.name.clone().unwrap_or_else(|| self.in_words());
        let terms =
            Terms { label: label.as_str().into(), breach: self.on_breach.unwrap_or(on_breach) };
        if let Some(text) = &self.predicate {
            rules.rows.push(RowRule::predicate(terms, text, schema)?);
            return Ok(());
        }
        if let Some(columns) = &self.unique {
            let find = |name: &String| {
                schema.index_of(name).map_err(|_| fault::unknown_column(name, &label, schema))
            };
            let columns = columns.iter().map(find).collect::<Result<Vec<_>>>()?;
            rules.batches.push(BatchRule::unique(terms, columns, schema)?);
            return Ok(());
        }
        let name = self.column.as_deref().unwrap_or_default();
        let column =
            schema.index_of(name).map_err(|_| fault::unknown_column(name, &label, schema))?;
        if let Some(most) = self.max_null_rate {
            let min_rows = self.min_rows.unwrap_or(1);
            rules.batches.push(BatchRule::null_rate(terms, column, most, min_rows));
            return Ok(());
        }
        rules.rows.push(RowRule::column(terms, name, &self.demand(), schema)?);
        Ok(())
    }

    fn demand(&self) -> Demand<'_> {
        if let Some(range) = &self.range {
            Demand::Range(range.min.as_ref(), range.max.as_ref())
        } else if let Some(values) = &self.one_of {
            Demand::OneOf(values)
        } else if let Some(pattern) = &self.matches {
            Demand::Matches(pattern)
        } else {
            Demand::NotNull
        }
    }

    fn check_one(&self, number: usize) -> Result<()> {
        let rule = self.name.as_ref().map_or_else(|| format!("{}", number + 1), Clone::clone);
        let on_column = [
            ("not_null", self.not_null),
            ("range", self.range.is_some()),
            ("one_of", self.one_of.is_some()),
            ("matches", self.matches.is_some()),
            ("max_null_rate", self.max_null_rate.is_some()),
        ];
        let others = [("predicate", self.predicate.is_some()), ("unique", self.unique.is_some())];
        let given = |checks: &[(&'static str, bool)]| -> Vec<&'static str> {
            checks.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect()
        };
        let (columns, others) = (given(&on_column), given(&others));
        let all: Vec<_> = columns.iter().chain(&others).copied().collect();
        let problem = match (all.as_slice(), &self.column) {
            ([], _) => "it has no check".to_owned(),
            ([_, _, ..], _) => format!("it has several checks: {}", all.join(", ")),
            ([one], None) if !columns.is_empty() => format!("`{one}` needs `column`"),
            ([one], Some(_)) if columns.is_empty() => format!("`{one}` takes no `column`"),
            _ => match self.bad_value() {
                Some(problem) => problem,
                None => return Ok(()),
            },
        };
        let hint = "a rule has one of not_null, range, one_of, matches, max_null_rate (with \
                    column), predicate, unique";
        Err(mistake(format!("read rule {rule}: {problem}"), hint))
    }

    fn bad_value(&self) -> Option<String> {
        if self.min_rows.is_some() && self.max_null_rate.is_none() {
            return Some("`min_rows` goes with `max_null_rate`".into());
        }
        if let Some(rate) = self.max_null_rate.filter(|rate| !(0.0..=1.0).contains(rate)) {
            return Some(format!("`max_null_rate` is {rate}, not between 0 and 1"));
        }
        if self.range.as_ref().is_some_and(|r| r.min.is_none() && r.max.is_none()) {
            return Some("`range` has neither `min` nor `max`".into());
        }
        if self.one_of.as_ref().is_some_and(Vec::is_empty) {
            return Some("`one_of` is empty".into());
        }
        if self.unique.as_ref().is_some_and(Vec::is_empty) {
            return Some("`unique` is empty".into());
        }
        None
    }

    fn in_words(&self) -> String {
        let column = self.column.as_deref().unwrap_or_default();
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if let Some(predicate) = &self.predicate {
            return predicate.clone();
        }
        if let Some(columns) = &self.unique {
            return format!("{} unique", columns.join(", "));
        }
        if let Some(rate) = self.max_null_rate {
            return format!("{column} null in at most {} %", rate * 100.0);
        }
        match self.demand() {
            Demand::NotNull => format!("{column} not null"),
            Demand::Range(Some(min), Some(max)) => {
                format!("{column} from {} to {}", text(min), text(max))
            }
            Demand::Range(Some(min), None) => format!("{column} at least {}", text(min)),
            Demand::Range(None, max) => {
                format!("{column} at most {}", max.map(text).unwrap_or_default())
            }
            Demand::OneOf(values) => {
                let values: Vec<_> = values.iter().map(text).collect();
                format!("{column} one of {}", values.join(", "))
            }
            Demand::Matches(pattern) => format!("{column} matches {pattern}"),
        }
    }
}
