//! FROM: tables, window table functions, subqueries and what joins them.

use datafusion_sql::sqlparser::ast::{
    Expr, SelectItem, TableAlias, TableFactor, TableVersion, TableWithJoins,
};
use swiftwater_engine::{Error, Result};

use super::builder::Builder;
use super::joining::{Joined, Side};
use super::projection::Item;
use super::refusal::Refusal;
use super::relation::{Named, Relation, column};
use super::span;
use super::time_window::{self, BOUNDS, TimeWindow, WINDOW_TIME};
use crate::expression;

/// Reads an expression that was put together here.
pub(super) fn parsed(text: &str) -> Result<Expr> {
    match expression::item(text)? {
        SelectItem::UnnamedExpr(expr) => Ok(expr),
        other => Err(Error::bug(format!("read the expression {other}"))),
    }
}

impl Builder<'_> {
    /// The rows of a FROM clause. Conditions of WHERE that a join makes use of are taken out of
    /// `conditions`.
    ///
    /// # Errors
    /// `SW0352` for joins without a bound in time, `SW0355` for windows that make no sense.
    pub(super) fn from(
        &mut self,
        tables: &[TableWithJoins],
        conditions: &mut Vec<Expr>,
    ) -> Result<Relation> {
        let Some((first, rest)) = tables.split_first() else {
            let hint = "write FROM with the name of an input";
            return Err(Refusal::Clause.error("select without FROM", hint, self.text));
        };
        let mut relation = self.table(&first.relation)?.relation;
        for join in &first.joins {
            let side = self.table(&join.relation)?;
            let joined = Joined::of(join, self.text)?;
            relation = self.join(&relation, &side, joined, conditions)?;
        }
        for table in rest {
            let side = self.table(&table.relation)?;
            if !table.joins.is_empty() {
                let hint = "write FROM a JOIN b ON … JOIN c ON …";
                let what = "mix joins with a list of tables";
                return Err(Refusal::Clause.error(what, hint, self.text));
            }
            relation = self.join(&relation, &side, Joined::inner(), conditions)?;
        }
        Ok(relation)
    }

    fn table(&mut self, factor: &TableFactor) -> Result<Side> {
        match factor {
            TableFactor::Table { name, alias, args: Some(args), version: None, .. } => {
                let call = time_window::read(&name.to_string(), &args.args);
                self.windows(call, alias.as_ref()).map(Side::new)
            }
            TableFactor::TableFunction { expr, alias } => {
                self.windows(time_window::read_expr(expr), alias.as_ref()).map(Side::new)
            }
            TableFactor::Table { name, alias, args: None, version, sample: None, .. } => {
                let relation = self.known(&unquoted(&name.to_string()))?;
                let as_of = match version {
                    None => None,
                    Some(TableVersion::ForSystemTimeAsOf(time)) => Some(time.clone()),
                    Some(_) => {
                        let what = "read another version of a table";
                        let hint = "write FOR SYSTEM_TIME AS OF with the time of the other table";
                        return Err(Refusal::Clause.error(what, hint, self.text));
                    }
                };
                Ok(Side { relation: aliased(relation, alias.as_ref()), as_of })
            }
            TableFactor::Derived { lateral: false, subquery, alias, .. } => {
                let relation = self.query(subquery)?;
                Ok(Side::new(aliased(relation, alias.as_ref())))
            }
            other => {
                let what = format!("read from {other}");
                let hint = "FROM takes inputs, subqueries and window table functions";
                Err(Refusal::Clause.error(what, hint, self.text))
            }
        }
    }

    fn known(&self, name: &str) -> Result<Relation> {
        self.tables.get(name).cloned().ok_or_else(|| {
            let mut names: Vec<&str> = self.tables.keys().map(String::as_str).collect();
            names.sort_unstable();
            Error::config("SW0303", format!("find the table `{name}`"))
                .with_hint(format!("tables: {}; list more in `inputs`", names.join(", ")))
        })
    }

    fn windows(
        &mut self,
        call: Option<time_window::Call>,
        alias: Option<&TableAlias>,
    ) -> Result<Relation> {
        let Some(call) = call else {
            let what = "open windows";
            return Err(Refusal::Window.error(what, time_window::USAGE, self.text));
        };
        let relation = self.known(&call.table)?;
        let named = relation.columns.iter().find(|c| c.name == call.time);
        let time = named.map(|c| c.column.clone());
        if time.is_none() || time != relation.stream.event_time {
            let known = relation.stream.event_time.as_deref();
            let hint = known.map_or_else(
                || "name it at the source: event_time: {column: date_time}".to_owned(),
                |name| format!("write DESCRIPTOR({name})"),
            );
            let what = format!("open windows by `{}`, which is not the event time", call.time);
            return Err(Refusal::Window.error(what, &hint, self.text));
        }
        if relation.stream.is_upsert() || relation.opened.is_some() {
            let what = "open windows over rows that replace earlier ones, or over windows";
            let hint = "open windows over an input, or over the result of closed windows";
            return Err(Refusal::Window.error(what, hint, self.text));
        }
        let mut relation = Relation { opened: Some(call.window), ..relation };
        let table = relation.table().to_owned();
        for name in [BOUNDS[0], BOUNDS[1], WINDOW_TIME] {
            relation.columns.retain(|c| c.name != name);
            let (name, column) = (name.to_owned(), name.to_owned());
            relation.columns.push(Named { table: table.clone(), name, column });
        }
        Ok(aliased(relation, alias))
    }

    /// The rows with the bounds of the windows that a table function opened, as columns.
    ///
    /// # Errors
    /// `SW0355` for windows that overlap or depend on the rows.
    pub(super) fn with_bounds(&mut self, relation: Relation) -> Result<Relation> {
        let (size, offset) = match relation.opened {
            None => return Ok(relation),
            Some(TimeWindow::Tumble { size, offset }) => (size, offset),
            Some(_) => {
                let what = "use windows that overlap or depend on the rows without GROUP BY";
                let hint = "add GROUP BY window_start, window_end, or use TUMBLE";
                return Err(Refusal::Window.error(what, hint, self.text));
            }
        };
        let Some(time) = relation.stream.event_time.clone() else {
            return Err(Error::bug("open windows without event time"));
        };
        let own: Vec<&Named> = relation.columns.iter().collect();
        let own = own.iter().filter(|c| relation.has(&c.column) && !is_bound(&c.column));
        let mut items: Vec<Item> = own.map(|c| (column(&c.column), c.column.clone())).collect();
        items.dedup_by(|a, b| a.1 == b.1);
        let start = format!(
            "date_bin(INTERVAL '{size} microseconds', {}, to_timestamp_micros({offset}))",
            column(&time)
        );
        let end = format!("{start} + INTERVAL '{size} microseconds'");
        let last = format!("{end} - INTERVAL '1 millisecond'");
        for (text, name) in [(start, BOUNDS[0]), (end, BOUNDS[1]), (last, WINDOW_TIME)] {
            let text = format!("CAST({text} AS TIMESTAMP(3))");
            items.push((parsed(&text)?, name.to_owned()));
        }
        let columns = relation.columns.clone();
        let plain = Relation { opened: None, ..relation };
        let projected = self.project(&plain, items, None)?;
        Ok(Relation { columns, ..projected })
    }
}

/// Whether a column is one that a window table function adds.
pub(super) fn is_bound(name: &str) -> bool {
    BOUNDS.contains(&name) || name == WINDOW_TIME
}

fn aliased(relation: Relation, alias: Option<&TableAlias>) -> Relation {
    match alias {
        Some(alias) => relation.named(&alias.name.value),
        None => relation,
    }
}

/// A name without the quotes that it is shown with.
fn unquoted(name: &str) -> String {
    name.trim_matches('"').to_owned()
}

/// The `AND`ed parts of a condition.
pub(super) fn conjuncts(expr: &Expr) -> Vec<Expr> {
    use datafusion_sql::sqlparser::ast::BinaryOperator;
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut all = conjuncts(left);
            all.extend(conjuncts(right));
            all
        }
        Expr::Nested(inner) => conjuncts(inner),
        other => vec![other.clone()],
    }
}

/// The parts as one condition.
pub(super) fn conjunction(parts: Vec<Expr>) -> Option<Expr> {
    use datafusion_sql::sqlparser::ast::BinaryOperator;
    parts.into_iter().map(|part| Expr::Nested(Box::new(part))).reduce(|left, right| {
        Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) }
    })
}

/// A time column less or more an interval: the column, and microseconds to add.
pub(super) fn shifted(expr: &Expr) -> Option<(String, i64)> {
    use datafusion_sql::sqlparser::ast::BinaryOperator;
    match expr {
        Expr::Identifier(name) => Some((name.value.clone(), 0)),
        Expr::Nested(inner) => shifted(inner),
        Expr::BinaryOp { left, op: BinaryOperator::Plus, right } => {
            let (name, shift) = shifted(left)?;
            Some((name, shift.checked_add(span::micros(right)?)?))
        }
        Expr::BinaryOp { left, op: BinaryOperator::Minus, right } => {
            let (name, shift) = shifted(left)?;
            Some((name, shift.checked_sub(span::micros(right)?)?))
        }
        _ => None,
    }
}
