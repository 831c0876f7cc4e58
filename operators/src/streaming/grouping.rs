//! GROUP BY: aggregates over windows, and running aggregates.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    Expr, GroupByExpr, Select, SelectItem, Visit, Visitor, visit_expressions_mut,
};
use serde_json::{Map, Value, json};
use swiftwater_engine::Result;

use super::builder::Builder;
use super::from::is_bound;
use super::is_aggregate;
use super::projection::Item;
use super::refusal::Refusal;
use super::relation::{Relation, Scope, as_column, column};
use super::time_window::{BOUNDS, TimeWindow, WINDOW_TIME};

/// A key of the groups: the expression over columns of the rows, and the column it becomes.
struct Key {
    expr: Expr,
    name: String,
}

/// What a query groups by and what it computes.
struct Groups {
    keys: Vec<Key>,
    /// Aggregates by their columns.
    aggregates: Vec<(String, Expr)>,
}

impl Groups {
    /// The expression over the columns of the result: keys and aggregates become columns.
    fn extract(&mut self, mut expr: Expr) -> Expr {
        let walked: ControlFlow<()> = visit_expressions_mut(&mut expr, |part| {
            if let Some(key) = self.keys.iter().find(|key| key.expr == *part) {
                *part = column(&key.name);
            } else if is_aggregate(part) {
                *part = column(&self.aggregate(part));
            }
            ControlFlow::Continue(())
        });
        debug_assert!(walked.is_continue(), "nothing stops the walk");
        expr
    }

    fn aggregate(&mut self, call: &Expr) -> String {
        if let Some((name, _)) = self.aggregates.iter().find(|(_, known)| known == call) {
            return name.clone();
        }
        let name = format!("_aggregate_{}", self.aggregates.len());
        self.aggregates.push((name.clone(), call.clone()));
        name
    }

    fn has(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.name == name)
            || self.aggregates.iter().any(|(own, _)| own == name)
    }
}

/// How the rows are brought together.
enum By {
    /// By windows that a table function opened.
    Opened(TimeWindow),
    /// By windows whose results the rows are.
    Closed(TimeWindow),
    /// For ever.
    Running,
}

impl Builder<'_> {
    /// The rows of a SELECT with aggregates or GROUP BY.
    ///
    /// # Errors
    /// `SW0355` for windows without their bounds, `SW0358` for columns that are neither grouped nor
    /// aggregated.
    pub(super) fn grouped(
        &mut self,
        relation: Relation,
        select: &Select,
        filter: Option<Expr>,
    ) -> Result<Relation> {
        let scope = Scope::of(&relation);
        let keys = self.keys(&relation, select)?;
        let by = self.by(&relation, &keys)?;
        let opened = matches!(by, By::Opened(_));
        let mut groups = Groups { keys: Vec::new(), aggregates: Vec::new() };
        for expr in keys.into_iter().filter(|k| !(opened && as_column(k).is_some_and(is_bound))) {
            let own = as_column(&expr).filter(|name| !is_bound(name)).map(str::to_owned);
            let name = own.unwrap_or_else(|| format!("_key_{}", groups.keys.len()));
            groups.keys.push(Key { expr, name });
        }
        let mut items = Vec::new();
        for item in &select.projection {
            if matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)) {
                let hint = "list the columns of GROUP BY and the aggregates";
                return Err(Refusal::Clause.error("select `*` of groups", hint, self.text));
            }
            let (expr, name) = self.named(item)?;
            items.push((groups.extract(scope.resolve(expr)?), name));
        }
        let having = select.having.as_ref().map(|h| scope.resolve(h)).transpose()?;
        let having = having.map(|h| groups.extract(h));
        let filter = filter.map(|f| scope.resolve(&f)).transpose()?;
        let staged = self.aggregate(&relation, &groups, by, filter.as_ref())?;
        self.check_columns(items.iter().map(|(expr, _)| expr).chain(&having), &groups, &staged)?;
        self.project(&staged, items, having.as_ref())
    }

    /// The expressions of GROUP BY over columns of the rows; names of the SELECT list are looked up.
    fn keys(&self, relation: &Relation, select: &Select) -> Result<Vec<Expr>> {
        let GroupByExpr::Expressions(exprs, _) = &select.group_by else {
            return Ok(Vec::new());
        };
        let scope = Scope::of(relation);
        let meant = |expr: &Expr| {
            let Some(name) = as_column(expr) else { return expr.clone() };
            if relation.columns.iter().any(|c| c.name == name) {
                return expr.clone();
            }
            let aliased = select.projection.iter().find_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if alias.value == name => Some(expr),
                _ => None,
            });
            aliased.unwrap_or(expr).clone()
        };
        exprs.iter().map(|expr| scope.resolve(&meant(expr))).collect()
    }

    fn by(&self, relation: &Relation, keys: &[Expr]) -> Result<By> {
        let named = |name: &str| keys.iter().any(|k| as_column(k) == Some(name));
        let bounds = BOUNDS.iter().filter(|name| named(name)).count();
        match (relation.opened, relation.closed) {
            (Some(window), _) if bounds == BOUNDS.len() => Ok(By::Opened(window)),
            (Some(_), _) => {
                let what = "group the rows of windows without the windows";
                let hint = "write GROUP BY window_start, window_end and the other columns";
                Err(Refusal::Window.error(what, hint, self.text))
            }
            (None, Some(window)) if bounds == BOUNDS.len() => Ok(By::Closed(window)),
            _ => Ok(By::Running),
        }
    }

    fn aggregate(
        &mut self,
        relation: &Relation,
        groups: &Groups,
        by: By,
        filter: Option<&Expr>,
    ) -> Result<Relation> {
        let mut needed: Vec<Item> =
            groups.keys.iter().map(|key| (key.expr.clone(), key.name.clone())).collect();
        let mut read = BTreeSet::new();
        for (_, call) in &groups.aggregates {
            columns_of(call, &mut read);
        }
        // What a key became is read under its new name.
        for name in read.iter().filter(|name| relation.has(name)) {
            if !needed.iter().any(|(_, known)| known == name) {
                needed.push((column(name), name.clone()));
            }
        }
        let plain = Relation { opened: None, ..relation.clone() };
        let rows = self.project(&plain, needed, filter)?;
        let mut aggregate: Map<String, Value> = Map::new();
        for (name, call) in &groups.aggregates {
            aggregate.insert(name.clone(), json!(call.to_string()));
        }
        if aggregate.is_empty() {
            aggregate.insert("_rows".to_owned(), json!("count(*)"));
        }
        let key: Vec<&str> = groups.keys.iter().map(|key| key.name.as_str()).collect();
        let mut options = json!({"key": key, "aggregate": aggregate});
        let (kind, closed) = match by {
            By::Running => ("group", None),
            By::Opened(window) => ("window", Some((window, window))),
            By::Closed(window) => ("window", Some((window, self.step_of(window)?))),
        };
        if let Some((_, window)) = closed {
            let (shape, lengths) = window.options();
            if let Some(options) = options.as_object_mut() {
                options.insert(shape.to_owned(), lengths);
            }
        }
        let staged = self.stage(kind, options, &[&rows])?;
        Ok(Relation { closed: closed.map(|(window, _)| window), ..staged })
    }

    /// Windows of which each holds exactly one end of `window`: all results of a window fall into one.
    fn step_of(&self, window: TimeWindow) -> Result<TimeWindow> {
        match window {
            TimeWindow::Tumble { .. } => Ok(window),
            TimeWindow::Hop { slide, .. } => Ok(TimeWindow::Tumble { size: slide, offset: 0 }),
            TimeWindow::Cumulate { step, .. } => Ok(TimeWindow::Tumble { size: step, offset: 0 }),
            TimeWindow::Session { .. } => {
                let what = "group the results of sessions by their bounds";
                let hint = "open new windows over `window_time`";
                Err(Refusal::Window.error(what, hint, self.text))
            }
        }
    }

    /// Refuses columns that are neither keys nor aggregates.
    fn check_columns<'e>(
        &self,
        exprs: impl Iterator<Item = &'e Expr>,
        groups: &Groups,
        staged: &Relation,
    ) -> Result<()> {
        let mut read = BTreeSet::new();
        exprs.for_each(|expr| columns_of(expr, &mut read));
        let windowed = staged.closed.is_some();
        let known = |name: &&String| groups.has(name) || windowed && is_bound(name);
        match read.iter().find(|name| !known(name)) {
            None => Ok(()),
            Some(name) => {
                let what = format!("select `{name}`, which is neither grouped nor aggregated,");
                let hint = if [BOUNDS[0], BOUNDS[1], WINDOW_TIME].contains(&name.as_str()) {
                    "read from TABLE(TUMBLE(…)) and group by window_start, window_end"
                } else {
                    "add it to GROUP BY, or take an aggregate such as max() of it"
                };
                Err(Refusal::Clause.error(what, hint, self.text))
            }
        }
    }
}

/// Adds the columns that an expression reads.
pub(super) fn columns_of(expr: &Expr, columns: &mut BTreeSet<String>) {
    struct Search<'c>(&'c mut BTreeSet<String>);
    impl Visitor for Search<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(name) => {
                    self.0.insert(name.value.clone());
                }
                Expr::CompoundIdentifier(path) => {
                    self.0.extend(path.first().map(|name| name.value.clone()));
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let walked = expr.visit(&mut Search(columns));
    debug_assert!(walked.is_continue(), "nothing stops the walk");
}
