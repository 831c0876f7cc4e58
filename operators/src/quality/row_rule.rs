//! Rules that each row holds to or breaks by itself.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion_common::Column;
use datafusion_expr::expr::InList;
use datafusion_expr::{Expr, Operator, binary_expr, lit};
use datafusion_functions::math::expr_fn::isnan;
use serde_json::Value;
use swiftwater_engine::{Error, Result, Timestamp};

use super::{Broken, Terms, values};
use crate::expression::{Expression, Predicate};

/// A predicate that is true or unknown for every good row.
#[derive(Debug, Clone)]
pub(crate) struct RowRule {
    /// Name and consequence.
    pub(crate) terms: Terms,
    predicate: Predicate,
    columns: Vec<usize>,
}

/// What a rule asks of one column.
#[derive(Debug, Clone)]
pub(crate) enum Demand<'a> {
    /// It has a value.
    NotNull,
    /// It lies between two values, both included.
    Range(Option<&'a Value>, Option<&'a Value>),
    /// It is one of these.
    OneOf(&'a [Value]),
    /// It has a match of this regular expression.
    Matches(&'a str),
}

impl RowRule {
    /// A rule on one column.
    ///
    /// # Errors
    /// `Config` where the values do not fit the column's type, or the pattern does not compile.
    pub(crate) fn column(
        terms: Terms,
        column: &str,
        demand: &Demand<'_>,
        schema: &SchemaRef,
    ) -> Result<Self> {
        let logical = demand.expression(column, schema)?;
        let expression = Expression::from_logical(logical, &terms.label, schema)?;
        Self::of(terms, expression)
    }

    /// A rule that the user wrote as a predicate.
    ///
    /// # Errors
    /// As for [`Predicate::plan`].
    pub(crate) fn predicate(terms: Terms, text: &str, schema: &SchemaRef) -> Result<Self> {
        Self::of(terms, Expression::plan(text, schema)?)
    }

    fn of(terms: Terms, expression: Expression) -> Result<Self> {
        let columns = expression.columns();
        Ok(Self { terms, predicate: Predicate::from_expression(expression)?, columns })
    }

    /// What `check` should tell the user.
    pub(crate) fn warnings(&self) -> &[String] {
        self.predicate.expression().warnings()
    }

    /// The rows that break the rule, in their order. A row for which it cannot be evaluated does.
    pub(crate) fn broken(&self, records: &RecordBatch, now: Timestamp) -> Vec<Broken> {
        let mut found = Vec::new();
        self.search(records, 0, now, &mut found);
        found
    }

    fn search(&self, records: &RecordBatch, from: usize, now: Timestamp, found: &mut Vec<Broken>) {
        let rows = records.num_rows();
        match self.predicate.expression().evaluate(records, now) {
            Ok(answers) => {
                let Some(answers) = answers.as_boolean_opt() else { return };
                if answers.true_count() + answers.null_count() == rows {
                    return;
                }
                let no = |row: &usize| answers.is_valid(*row) && !answers.value(*row);
                found.extend((0..rows).filter(no).map(|row| {
                    let values = values(records, &self.columns, row);
                    self.says(from + row, &values)
                }));
            }
            Err(error) if rows <= 1 => found.push(self.says(from, &error.message)),
            Err(_) => {
                let half = rows / 2;
                self.search(&records.slice(0, half), from, now, found);
                self.search(&records.slice(half, rows - half), from + half, now, found);
            }
        }
    }

    fn says(&self, row: usize, what: &str) -> Broken {
        let message = format!("keep the rule `{}`: {what}", self.terms.label);
        Broken { row, code: "SW3210", message }
    }
}

impl Demand<'_> {
    fn expression(&self, column: &str, schema: &Schema) -> Result<Expr> {
        let value = || Expr::Column(Column::new_unqualified(column));
        Ok(match self {
            Self::NotNull => value().is_not_null(),
            Self::Range(min, max) => {
                let min = min.map(|v| Ok::<_, Error>(value().gt_eq(literal(v)?))).transpose()?;
                let max = max.map(|v| Ok::<_, Error>(value().lt_eq(literal(v)?))).transpose()?;
                let bounds = min.into_iter().chain(max).reduce(Expr::and);
                let bounds = bounds.unwrap_or_else(|| lit(true));
                let float =
                    schema.field_with_name(column).is_ok_and(|f| f.data_type().is_floating());
                // Not a number lies in no range, though it sorts above all numbers.
                match float {
                    true => bounds.and(!isnan(value())),
                    false => bounds,
                }
            }
            Self::OneOf(allowed) => {
                let list = allowed.iter().map(literal).collect::<Result<Vec<_>>>()?;
                Expr::InList(InList::new(Box::new(value()), list, false))
            }
            Self::Matches(pattern) => binary_expr(value(), Operator::RegexMatch, lit(*pattern)),
        })
    }
}

fn literal(value: &Value) -> Result<Expr> {
    match value {
        Value::String(text) => Ok(lit(text.as_str())),
        Value::Bool(value) => Ok(lit(*value)),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(n), _, _) => Ok(lit(n)),
            (_, Some(n), _) => Ok(lit(n)),
            (_, _, Some(n)) => Ok(lit(n)),
            _ => Err(Error::config("SW0313", format!("read the number {number} in a rule"))),
        },
        other => Err(Error::config("SW0313", format!("compare a column with {other} in a rule"))
            .with_hint("values are texts, numbers, true and false; `not_null` forbids null")),
    }
}
