//! ROW_NUMBER and RANK in a subquery with a bound around it: the first rows of each key.

use datafusion_sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, GroupByExpr, OrderByExpr, Query as SqlQuery, Select,
    SelectItem, SetExpr, TableFactor, Value, WindowSpec, WindowType,
};
use serde_json::json;
use swiftwater_engine::{Changes, Result, Stream};

use super::builder::Builder;
use super::from::{conjunction, conjuncts};
use super::projection::Item;
use super::refusal::Refusal;
use super::relation::{Named, Relation, Scope, as_column, column};
use super::time_window::BOUNDS;
use super::{contains, is_aggregate};

/// A subquery that ranks rows.
struct Ranking<'s> {
    inner: &'s Select,
    /// The name of the subquery.
    table: String,
    /// The name of the rank.
    rank: String,
    /// Whether equal rows have equal ranks.
    ties: bool,
    over: &'s WindowSpec,
}

/// The columns that a list of ranked rows is made from.
struct Ranked {
    /// Columns of the subquery and those that only the ranking needs.
    items: Vec<Item>,
    key: Vec<String>,
    /// Columns of the order, each with its direction.
    order: Vec<(String, String)>,
    windowed: bool,
}

const SHAPE: &str = "write SELECT … FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC) AS n FROM t) AS r \
                     WHERE n <= 10";

impl Builder<'_> {
    /// The ranked rows, where the query reads from a subquery that ranks. The bound is taken out of
    /// `conditions`.
    ///
    /// # Errors
    /// `SW0353` for a rank without a bound.
    pub(super) fn ranked(
        &mut self,
        select: &Select,
        conditions: &mut Vec<Expr>,
    ) -> Result<Option<Relation>> {
        let Some(ranking) = self.ranking(select)? else {
            return Ok(None);
        };
        let bound = conditions
            .iter()
            .enumerate()
            .find_map(|(at, condition)| most(condition, &ranking.rank).map(|n| (at, n)));
        let Some((at, n)) = bound else {
            let what = "rank rows without a bound";
            return Err(Refusal::UnboundedRank.error(what, SHAPE, self.text));
        };
        conditions.remove(at);
        let mut inner = ranking.inner.selection.as_ref().map(conjuncts).unwrap_or_default();
        let base = self.from(&ranking.inner.from, &mut inner)?;
        let windows = base.opened.or(base.closed);
        let base = self.with_bounds(base)?;
        let filter = conjunction(inner).map(|f| Scope::of(&base).resolve(&f)).transpose()?;
        let list: Vec<SelectItem> =
            ranking.inner.projection.iter().filter(|item| over(item).is_none()).cloned().collect();
        let items = self.items(&base, &list)?;
        let visible: Vec<String> = items.iter().map(|(_, name)| name.clone()).collect();
        let ranked = ranked(&base, &ranking, items)?;
        let rows = self.project(&base, ranked.items.clone(), filter.as_ref())?;
        let last = rows.stream.event_time.as_deref();
        let newest = matches!(ranked.order.as_slice(),
            [(name, direction)] if Some(name.as_str()) == last && direction.contains("DESC"));
        let shown = shows(select, conditions, &ranking.rank);
        let dedup = n == 1 && newest && !ranked.windowed && !ranking.ties && !ranked.key.is_empty();
        let staged = if dedup && !shown {
            let options = json!({"key": ranked.key, "keep": "last"});
            self.stage("deduplicate", options, &[&rows])?
        } else {
            self.top(&rows, &ranking, &ranked, n)?
        };
        let mut names = visible;
        names.push(ranking.rank.clone());
        names.retain(|name| staged.has(name));
        let table = &ranking.table;
        let named = |name: String| Named { table: table.clone(), column: name.clone(), name };
        let closed = windows.filter(|_| ranked.windowed);
        Ok(Some(Relation { columns: names.into_iter().map(named).collect(), closed, ..staged }))
    }

    fn top(
        &mut self,
        rows: &Relation,
        ranking: &Ranking<'_>,
        ranked: &Ranked,
        n: u64,
    ) -> Result<Relation> {
        if ranking.ties && !ranked.windowed {
            let what = "keep a running RANK(), whose ties have no bound";
            let hint =
                "use ROW_NUMBER(), or rank in windows: PARTITION BY window_start, window_end";
            return Err(Refusal::UnboundedRank.error(what, hint, self.text));
        }
        let by: Vec<String> =
            ranked.order.iter().map(|(name, to)| format!("{}{to}", column(name))).collect();
        let ties = if ranking.ties { "include" } else { "exclude" };
        let options = json!({
            "key": ranked.key, "by": by.join(", "), "n": n, "rank": ranking.rank, "ties": ties,
            "window": ranked.windowed,
        });
        let mut staged = self.stage("top", options, &[rows])?;
        if let (1, Changes::Upsert { key }) = (n, &staged.stream.changes) {
            // There is one rank only.
            let key = key.iter().filter(|name| **name != ranking.rank).cloned().collect();
            let event_time = staged.stream.event_time.clone();
            staged.stream = Stream { event_time, changes: Changes::Upsert { key } };
        }
        Ok(staged)
    }

    fn ranking<'s>(&self, select: &'s Select) -> Result<Option<Ranking<'s>>> {
        let [from] = select.from.as_slice() else {
            return Ok(None);
        };
        let TableFactor::Derived { subquery, alias, .. } = &from.relation else {
            return Ok(None);
        };
        let Some(inner) = simple(subquery) else {
            return Ok(None);
        };
        let mut ranks = inner.projection.iter().filter_map(|item| Some((item, over(item)?)));
        let Some((item, (call, over))) = ranks.next() else {
            return Ok(None);
        };
        let name = call.name.to_string().to_lowercase();
        let grouped = match &inner.group_by {
            GroupByExpr::Expressions(all, _) => !all.is_empty(),
            GroupByExpr::All(_) => true,
        };
        let refused = |what: &str, hint: &str| Refusal::Clause.error(what, hint, self.text);
        if grouped || contains(&inner.projection, is_aggregate) {
            let hint = "aggregate in a subquery, rank its rows around it";
            return Err(refused("aggregate and rank in one SELECT", hint));
        }
        let known = ["row_number", "rank"].contains(&name.as_str());
        if !known || ranks.next().is_some() || !from.joins.is_empty() || over.window_frame.is_some()
        {
            let what = "use OVER so: a stream keeps the first rows of each key, by one ROW_NUMBER() or RANK(),";
            return Err(refused(what, SHAPE));
        }
        let SelectItem::ExprWithAlias { alias: rank, .. } = item else {
            return Err(refused("rank rows without a name for the rank", SHAPE));
        };
        let table = alias.as_ref().map_or_else(String::new, |alias| alias.name.value.clone());
        let rank = rank.value.clone();
        Ok(Some(Ranking { inner, table, rank, ties: name == "rank", over }))
    }
}

/// The SELECT of a query that is nothing more.
fn simple(query: &SqlQuery) -> Option<&Select> {
    let bare = query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none();
    match query.body.as_ref() {
        SetExpr::Select(select) if bare && select.distinct.is_none() => Some(select),
        _ => None,
    }
}

/// The call over a window of rows that an item is.
fn over(item: &SelectItem) -> Option<(&Function, &WindowSpec)> {
    let (SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr)) = item else {
        return None;
    };
    match expr {
        Expr::Function(call) => match &call.over {
            Some(WindowType::WindowSpec(spec)) => Some((call, spec)),
            _ => None,
        },
        _ => None,
    }
}

fn is_rank(expr: &Expr, rank: &str) -> bool {
    match expr {
        Expr::Identifier(name) => name.value == rank,
        Expr::CompoundIdentifier(path) => path.last().is_some_and(|name| name.value == rank),
        Expr::Nested(inner) => is_rank(inner, rank),
        _ => false,
    }
}

fn number(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The highest rank that a condition lets pass, where it is a bound of the rank.
fn most(condition: &Expr, rank: &str) -> Option<u64> {
    let Expr::BinaryOp { left, op, right } = condition else {
        return None;
    };
    let (op, n) = if is_rank(left, rank) {
        (op.clone(), number(right)?)
    } else if is_rank(right, rank) {
        let turned = match op {
            BinaryOperator::GtEq => BinaryOperator::LtEq,
            BinaryOperator::Gt => BinaryOperator::Lt,
            other => other.clone(),
        };
        (turned, number(left)?)
    } else {
        return None;
    };
    match op {
        BinaryOperator::LtEq => Some(n),
        BinaryOperator::Lt => n.checked_sub(1),
        BinaryOperator::Eq if n == 1 => Some(1),
        _ => None,
    }
    .filter(|n| *n > 0)
}

/// Whether the query around the ranking shows or tests the rank beside its bound.
fn shows(select: &Select, conditions: &[Expr], rank: &str) -> bool {
    let all = select
        .projection
        .iter()
        .any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    let named = |expr: &Expr| is_rank(expr, rank);
    all || contains(&select.projection, named) || conditions.iter().any(|c| contains(c, named))
}

fn ranked(base: &Relation, ranking: &Ranking<'_>, items: Vec<Item>) -> Result<Ranked> {
    let scope = Scope::of(base);
    let parts: Vec<Expr> =
        ranking.over.partition_by.iter().map(|e| scope.resolve(e)).collect::<Result<_>>()?;
    let is = |expr: &Expr, name: &str| as_column(expr) == Some(name);
    let windowed = BOUNDS.iter().all(|bound| parts.iter().any(|part| is(part, bound)));
    let mut ranked = Ranked { items, key: Vec::new(), order: Vec::new(), windowed };
    for part in parts {
        let bound = BOUNDS.into_iter().find(|bound| windowed && is(&part, bound));
        match bound {
            Some(bound) => ranked.bound(bound),
            None => {
                let name = ranked.column(part);
                ranked.key.push(name);
            }
        }
    }
    for OrderByExpr { expr, options, .. } in &ranking.over.order_by {
        let name = ranked.column(scope.resolve(expr)?);
        ranked.order.push((name, options.to_string()));
    }
    Ok(ranked)
}

impl Ranked {
    /// The column of an expression: that of the subquery which is the same, or one of its own.
    fn column(&mut self, expr: Expr) -> String {
        if let Some((_, name)) = self.items.iter().find(|(known, _)| *known == expr) {
            return name.clone();
        }
        let name = format!("_ranked_{}", self.items.len());
        self.items.push((expr, name.clone()));
        name
    }

    /// A bound of the windows, which `top` finds by its name.
    fn bound(&mut self, name: &str) {
        let there = |(expr, known): &Item| known == name && as_column(expr) == Some(name);
        if !self.items.iter().any(there) {
            self.items.push((column(name), name.to_owned()));
        }
    }
}
