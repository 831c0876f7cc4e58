//! What an expression over a stream cannot hold: other queries, and functions of other rows.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{Expr, Query, Visit, Visitor};
use swiftwater_engine::{Error, Result};

use super::fault::quote;

/// Refuses subqueries and window functions anywhere in `ast`.
///
/// # Errors
/// `Config` (`SW0305`) with the operator to use instead.
pub(crate) fn refuse_in_expressions(ast: &impl Visit, text: &str) -> Result<()> {
    match ast.visit(&mut Search) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(Found { what, instead }) => {
            let message = format!("use {what} in {}", quote(text));
            Err(Error::config("SW0305", message).with_hint(instead))
        }
    }
}

struct Search;

struct Found {
    what: &'static str,
    instead: &'static str,
}

impl Visitor for Search {
    type Break = Found;

    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<Found> {
        ControlFlow::Break(Found {
            what: "a subquery",
            instead: "rows of another input come in through a `join` or `lookup` node",
        })
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Found> {
        match expr {
            Expr::Function(call) if call.over.is_some() => ControlFlow::Break(Found {
                what: "a window function (OVER)",
                instead: "rows are seen one batch at a time; a `window`, `top` or `lag` node \
                          looks at several",
            }),
            _ => ControlFlow::Continue(()),
        }
    }
}
