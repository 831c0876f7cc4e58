//! What an expression over a stream cannot hold: other queries, and functions of other rows.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{Expr, Query, Visit, Visitor};
use swiftwater_engine::{Error, Result};

use super::fault::quote;

/// Refuses subqueries, window functions and UNNEST anywhere in `ast`.
///
/// # Errors
/// `Config` (`SW0305`) with the operator to use instead.
pub(crate) fn refuse_in_expression(ast: &impl Visit, text: &str) -> Result<()> {
    search(ast, text, &mut Search { allow_unnest: false })
}

/// Refuses subqueries and window functions anywhere in a clause of a SELECT.
///
/// # Errors
/// `Config` (`SW0305`) with the operator to use instead.
pub(crate) fn refuse_in_select(ast: &impl Visit, text: &str) -> Result<()> {
    search(ast, text, &mut Search { allow_unnest: true })
}

fn search(ast: &impl Visit, text: &str, search: &mut Search) -> Result<()> {
    match ast.visit(search) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(Found { what, instead }) => {
            let message = format!("use {what} in {}", quote(text));
            Err(Error::config("SW0305", message).with_hint(instead))
        }
    }
}

struct Search {
    allow_unnest: bool,
}

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
        let Expr::Function(call) = expr else {
            return ControlFlow::Continue(());
        };
        let name = call.name.to_string().to_lowercase();
        if call.over.is_some() {
            return ControlFlow::Break(Found {
                what: "a window function (OVER)",
                instead: "rows are seen one batch at a time; a `window`, `top` or `lag` node looks \
                          at several",
            });
        }
        if !self.allow_unnest && (name == "unnest" || name == "unnest_outer") {
            return ControlFlow::Break(Found {
                what: "UNNEST, which makes several rows of one",
                instead: "use an `unnest` node, or the SELECT list of a `sql` node",
            });
        }
        ControlFlow::Continue(())
    }
}
