//! Which queries run batch by batch: one SELECT with WHERE over one input. Everything else needs
//! rows of other batches, and has an operator that says how many of them it keeps.

use datafusion_sql::sqlparser::ast::{
    Expr, GroupByExpr, Query, Select, SelectItem, SetExpr, Statement, TableFactor,
};
use swiftwater_engine::{Error, Result};

use crate::expression::fault::quote;
use crate::expression::refuse_in_select;

/// Clauses that a query has, each with what to use instead.
type Refused = (bool, &'static str, &'static str);

/// Refuses what a stateless query over a stream cannot do.
///
/// # Errors
/// `Config`: `SW0305` with the reason and the operator to use, `SW0307` for a column without name.
pub(super) fn check(statement: &Statement, text: &str) -> Result<()> {
    let Statement::Query(query) = statement else {
        return Err(refused(
            "a statement that is no SELECT",
            "write one SELECT … FROM input",
            text,
        ));
    };
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Err(refused(
            "UNION, VALUES or a nested query",
            "a `union` node joins streams",
            text,
        ));
    };
    let clauses = clauses_of_query(query).into_iter().chain(clauses_of_select(select));
    if let Some((_, what, instead)) = clauses.into_iter().find(|(present, _, _)| *present) {
        return Err(refused(what, instead, text));
    }
    check_input(select, text)?;
    refuse_in_select(&select.projection, text)?;
    refuse_in_select(&select.selection, text)
}

fn refused(what: &str, instead: &str, text: &str) -> Error {
    Error::config("SW0305", format!("use {what} in {}", quote(text))).with_hint(instead)
}

fn clauses_of_query(query: &Query) -> [Refused; 4] {
    const NO_END: &str = "a stream has no end to sort or cut; a `top` node keeps the best per key";
    [
        (query.with.is_some(), "WITH", "give the inner query an `sql` node of its own"),
        (query.order_by.is_some(), "ORDER BY", NO_END),
        (query.limit_clause.is_some() || query.fetch.is_some(), "LIMIT", NO_END),
        (
            !query.locks.is_empty()
                || query.for_clause.is_some()
                || query.settings.is_some()
                || query.format_clause.is_some()
                || !query.pipe_operators.is_empty(),
            "a clause after WHERE",
            "write SELECT … FROM input WHERE …",
        ),
    ]
}

fn clauses_of_select(select: &Select) -> [Refused; 5] {
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(exprs, modifiers) => !exprs.is_empty() || !modifiers.is_empty(),
        GroupByExpr::All(_) => true,
    };
    [
        (
            grouped || select.having.is_some(),
            "GROUP BY or HAVING",
            "a stream has no end to aggregate over; a `window` node aggregates",
        ),
        (
            select.distinct.is_some(),
            "DISTINCT",
            "a `deduplicate` node remembers what it has seen, and for how long",
        ),
        (
            select.qualify.is_some() || !select.named_window.is_empty(),
            "QUALIFY or WINDOW",
            "a `top` node keeps the best rows per key",
        ),
        (
            select.from.len() > 1 || select.from.iter().any(|t| !t.joins.is_empty()),
            "a join",
            "a `join` node joins two inputs, and says how long it waits",
        ),
        (
            select.top.is_some()
                || select.into.is_some()
                || select.exclude.is_some()
                || select.prewhere.is_some()
                || select.value_table_mode.is_some()
                || !select.lateral_views.is_empty()
                || !select.connect_by.is_empty()
                || !select.cluster_by.is_empty()
                || !select.distribute_by.is_empty()
                || !select.sort_by.is_empty(),
            "a clause of another dialect",
            "write SELECT … FROM input WHERE …",
        ),
    ]
}

fn check_input(select: &Select, text: &str) -> Result<()> {
    let hint = "write FROM input";
    match select.from.first().map(|table| &table.relation) {
        Some(TableFactor::Table { args: None, sample: None, .. }) => Ok(()),
        Some(TableFactor::UNNEST { .. }) => {
            let hint = "write UNNEST(column) AS name in the SELECT list";
            Err(refused("UNNEST as a table", hint, text))
        }
        Some(TableFactor::Derived { .. }) => {
            Err(refused("a subquery", "give the inner query an `sql` node of its own", text))
        }
        Some(_) => Err(refused("a table function", hint, text)),
        None => Err(refused("a SELECT without FROM", hint, text)),
    }
}

/// Gives each column of a SELECT list the name it goes by: the one after AS, the column's own, or
/// for a field of a struct the field's.
///
/// # Errors
/// `Config` (`SW0307`) for an expression that has none.
pub(super) fn name(item: SelectItem, text: &str) -> Result<SelectItem> {
    match item {
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(path)) => match path.last().cloned() {
            Some(alias) => {
                Ok(SelectItem::ExprWithAlias { expr: Expr::CompoundIdentifier(path), alias })
            }
            None => Err(Error::bug("read a name without parts")),
        },
        SelectItem::UnnamedExpr(Expr::Identifier(_))
        | SelectItem::ExprWithAlias { .. }
        | SelectItem::Wildcard(_)
        | SelectItem::QualifiedWildcard(..) => Ok(item),
        SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAliases { .. } => {
            let expression = quote(&item.to_string());
            let message = format!("name the column {expression} in {}", quote(text));
            Err(Error::config("SW0307", message).with_hint(format!("write {item} AS name")))
        }
    }
}
