//! Streaming SQL: queries over time and state, planned to the operators that do the work.
//!
//! The text is read by DataFusion's parser. Each clause becomes a stage, which is an operator of the
//! catalog planned from its own options (`window`, `join`, `top`, `deduplicate`, `group`) or a
//! projection with a filter; the stages run inside one node ([`pipeline`]). What would wait or grow
//! without end is refused with the reason and the cure.

mod builder;
mod condition;
mod from;
mod grouping;
mod joining;
mod outer;
mod pipeline;
mod projection;
mod ranking;
mod refusal;
mod relation;
mod select;
mod span;
mod time_window;

use datafusion_sql::sqlparser::ast::{
    Expr, GroupByExpr, Query as SqlQuery, SelectItem, SetExpr, Statement, TableFactor, Visit,
    Visitor,
};
use regex::Regex;
use std::ops::ControlFlow;
use std::sync::LazyLock;
use swiftwater_engine::{NodeContext, OperatorPlan, Result};

use crate::expression::{self, Functions};
use builder::Builder;

/// `TUMBLE(TABLE bids, …)`: the parser knows no tables among arguments, so the word is blanked out.
static TABLE_ARGUMENT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\b((?:TUMBLE|HOP|SESSION|CUMULATE)\s*\(\s*)TABLE(\s)").ok());

/// Plans a query that needs more than one row at a time; `None` where each row is looked at by itself.
///
/// # Errors
/// `Config`: `SW0351` to `SW0358` for what cannot run on a stream, and what the operators behind the
/// query say.
pub(crate) fn plan(text: &str, cx: &NodeContext<'_>) -> Result<Option<OperatorPlan>> {
    let readable = TABLE_ARGUMENT
        .as_ref()
        .map_or_else(|| text.into(), |regex| regex.replace_all(text, "$1     $2"));
    let statement = expression::statement(&readable)?;
    let Statement::Query(query) = &statement else {
        return Ok(None);
    };
    if cx.inputs.len() == 1 && is_stateless(query) {
        return Ok(None);
    }
    let mut builder = Builder::new(text, cx);
    let relation = builder.query(query)?;
    builder.finish(&relation).map(Some)
}

/// Whether a query is one SELECT over one table that looks at each row by itself.
fn is_stateless(query: &SqlQuery) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return matches!(query.body.as_ref(), SetExpr::Values(_) | SetExpr::SetOperation { .. });
    };
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(all, _) => !all.is_empty(),
        GroupByExpr::All(_) => true,
    };
    let plain = match select.from.as_slice() {
        [one] => {
            one.joins.is_empty()
                && matches!(&one.relation, TableFactor::Table { args: None, version: None, .. })
                || matches!(&one.relation, TableFactor::UNNEST { .. })
        }
        [] => true,
        _ => false,
    };
    let items = select.projection.iter().any(has_aggregate);
    let rest = query.with.is_some() || query.order_by.is_some() || query.limit_clause.is_some();
    plain && !grouped && !items && !rest && select.distinct.is_none() && select.having.is_none()
}

fn has_aggregate(item: &SelectItem) -> bool {
    contains(item, is_aggregate)
}

/// Whether an expression within `ast` has a property.
fn contains(ast: &impl Visit, property: impl Fn(&Expr) -> bool) -> bool {
    struct Search<F>(F);
    impl<F: Fn(&Expr) -> bool> Visitor for Search<F> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if (self.0)(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    ast.visit(&mut Search(property)).is_break()
}

/// Whether an expression is the call of an aggregate, and not one over a window of rows.
fn is_aggregate(expr: &Expr) -> bool {
    let Expr::Function(call) = expr else {
        return false;
    };
    let name = call.name.to_string().to_lowercase();
    let named = |known: &str| known == name;
    call.over.is_none()
        && Functions::get().aggregates().any(named)
        && !Functions::get().names().any(named)
}

#[cfg(test)]
mod tests;
