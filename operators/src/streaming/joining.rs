//! JOIN: the bounds in time and the equal columns of its condition, as a `join` operator.

use std::collections::BTreeMap;

use datafusion_sql::sqlparser::ast::{BinaryOperator, Expr, Join, JoinConstraint, JoinOperator};
use serde_json::{Map, Value, json};
use swiftwater_engine::Result;

use super::builder::Builder;
use super::condition::{MARKS, Parts, of_both};
use super::from::{conjunction, conjuncts, is_bound};
use super::outer::{free_suffix, merged, with_names};
use super::refusal::Refusal;
use super::relation::{Named, Relation, Scope, as_column, column};
use super::span;
use super::time_window::{BOUNDS, TimeWindow};

/// A table of a FROM clause.
pub(super) struct Side {
    /// Its rows.
    pub(super) relation: Relation,
    /// The time at which its version is meant.
    pub(super) as_of: Option<Expr>,
}

impl Side {
    /// A table of which every row is meant.
    pub(super) const fn new(relation: Relation) -> Self {
        Self { relation, as_of: None }
    }
}

/// How a table is joined.
pub(super) struct Joined {
    /// `inner`, `left`, `right` or `full`.
    pub(super) kind: &'static str,
    on: Vec<Expr>,
    /// Columns that both sides have, and by which rows meet.
    pub(super) using: Vec<String>,
}

impl Joined {
    /// A join whose condition is in WHERE.
    pub(super) const fn inner() -> Self {
        Self { kind: "inner", on: Vec::new(), using: Vec::new() }
    }

    /// Reads what stands in the query.
    ///
    /// # Errors
    /// `SW0358` for kinds of joins that there are not.
    pub(super) fn of(join: &Join, text: &str) -> Result<Self> {
        let (kind, constraint) = match &join.join_operator {
            JoinOperator::Join(c) | JoinOperator::Inner(c) => ("inner", c),
            JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => ("left", c),
            JoinOperator::Right(c) | JoinOperator::RightOuter(c) => ("right", c),
            JoinOperator::FullOuter(c) => ("full", c),
            JoinOperator::CrossJoin(JoinConstraint::None) => return Ok(Self::inner()),
            _ => {
                let hint = "use INNER, LEFT, RIGHT or FULL JOIN … ON …";
                return Err(Refusal::Clause.error("use such a join", hint, text));
            }
        };
        let (on, using) = match constraint {
            JoinConstraint::On(expr) => (conjuncts(expr), Vec::new()),
            JoinConstraint::Using(names) => {
                let names = names.iter().map(|n| n.to_string().trim_matches('"').to_owned());
                (Vec::new(), names.collect())
            }
            JoinConstraint::None => (Vec::new(), Vec::new()),
            JoinConstraint::Natural => {
                let hint = "write ON or USING with the columns";
                return Err(Refusal::Clause.error("use NATURAL JOIN", hint, text));
            }
        };
        Ok(Self { kind, on, using })
    }
}

fn marked(side: usize, relation: &Relation) -> Vec<Named> {
    let mark = MARKS.get(side).copied().unwrap_or_default();
    let mark = |c: &Named| Named { column: format!("{mark}{}", c.column), ..c.clone() };
    relation.columns.iter().map(mark).collect()
}

impl Builder<'_> {
    /// The joined rows. Conditions of WHERE that say how the rows of an inner join meet are taken out.
    ///
    /// # Errors
    /// `SW0352` for a join without a bound in time, `SW0355` for windows that differ.
    pub(super) fn join(
        &mut self,
        left: &Relation,
        side: &Side,
        joined: Joined,
        conditions: &mut Vec<Expr>,
    ) -> Result<Relation> {
        let right = &side.relation;
        let names: Vec<Named> = [marked(0, left), marked(1, right)].concat();
        let scope = Scope(names.iter().collect());
        let mut parts = Parts::default();
        for expr in &joined.on {
            parts.add(scope.resolve(expr)?, [left, right]);
        }
        for name in &joined.using {
            let of = |relation: &Relation| {
                relation.columns.iter().find(|c| c.name == *name).map(|c| c.column.clone())
            };
            let (Some(l), Some(r)) = (of(left), of(right)) else {
                let hint = "both sides must have the column; write ON where names differ";
                let what = format!("join USING `{name}`");
                return Err(Refusal::Clause.error(what, hint, self.text));
            };
            parts.keys.push((l, r));
        }
        if joined.kind == "inner" {
            conditions.retain(|condition| match scope.resolve(condition) {
                Ok(expr) if of_both(&expr) => {
                    parts.add(expr, [left, right]);
                    false
                }
                _ => true,
            });
        }
        let meeting = self.meeting(left, side, &scope, &mut parts)?;
        if joined.kind == "inner" || !joined.using.is_empty() {
            let relation = self.joined(left, right, &joined, parts, meeting)?;
            return Ok(merged(relation, left.table(), right.table(), &joined));
        }
        let right = self.apart(left, right, &mut parts)?;
        self.joined(left, &right, &joined, parts, meeting)
    }

    /// The option that says how rows meet in time.
    fn meeting(
        &self,
        left: &Relation,
        side: &Side,
        scope: &Scope<'_>,
        parts: &mut Parts,
    ) -> Result<(&'static str, Value)> {
        let right = &side.relation;
        if let Some(time) = &side.as_of {
            let time = scope.resolve(time)?;
            let own = left.stream.event_time.as_ref().map(|name| format!("{}{name}", MARKS[0]));
            if own.is_none() || as_column(&time) != own.as_deref() {
                let what = "read a version at another time than the event time of the left table";
                let hint = "write FOR SYSTEM_TIME AS OF with the event time of the left table";
                return Err(Refusal::UnboundedJoin.error(what, hint, self.text));
            }
            return Ok(("as_of", json!({})));
        }
        match (left.opened, right.opened) {
            (None, None) => {}
            (Some(window), Some(other)) if window == other && parts.same_window => {
                if let TimeWindow::Tumble { size, offset: 0 } = window {
                    return Ok(("window", json!({"tumbling": {"size": span::option(size)}})));
                }
                let hint =
                    "join windows of TUMBLE without an offset, or aggregate both sides first";
                return Err(Refusal::Window.error("join such windows", hint, self.text));
            }
            _ => {
                let what = "join windows with other rows";
                let hint = "open the same TUMBLE on both sides, ON a.window_start = b.window_start AND a.window_end = b.window_end";
                return Err(Refusal::Window.error(what, hint, self.text));
            }
        }
        let equal = |bound: &str| parts.keys.iter().any(|(l, r)| *l == *bound && *r == *bound);
        let same_closed = left.closed.is_some() && left.closed == right.closed;
        if same_closed && BOUNDS.into_iter().all(equal) {
            return Ok(("within", json!({"before": "0s", "after": "0s"})));
        }
        let (Some(least), Some(most)) = (parts.least, parts.most) else {
            let what = "join rows without a bound in time: each would be kept for ever";
            let hint = "bound both event times, a.ts BETWEEN b.ts - INTERVAL '10' SECOND AND b.ts; or \
                        join windows, or the version that held: JOIN b FOR SYSTEM_TIME AS OF a.ts";
            return Err(Refusal::UnboundedJoin.error(what, hint, self.text));
        };
        let (before, after) = (span::option((-least).max(0)), span::option(most.max(0)));
        Ok(("within", json!({"before": before, "after": after})))
    }

    fn joined(
        &mut self,
        left: &Relation,
        right: &Relation,
        &Joined { kind, .. }: &Joined,
        parts: Parts,
        (how, option): (&str, Value),
    ) -> Result<Relation> {
        if parts.keys.is_empty() {
            let what = "join rows of which no columns are equal";
            let hint = "add an equality of a column of each side, a.id = b.id, to ON";
            return Err(Refusal::Clause.error(what, hint, self.text));
        }
        let suffix = free_suffix(left, right);
        let shared = |name: &str| parts.keys.iter().any(|(l, r)| l == name && r == name);
        let right_name = |name: &str| {
            if left.has(name) && !shared(name) {
                format!("{name}{suffix}")
            } else {
                name.to_owned()
            }
        };
        let mut on: Map<String, Value> = Map::new();
        let mut rest = parts.rest;
        for (l, r) in &parts.keys {
            if on.contains_key(l) {
                rest.push(equal(&format!("{}{l}", MARKS[0]), &format!("{}{r}", MARKS[1])));
            } else {
                on.insert(l.clone(), json!(r));
            }
        }
        let mut options = json!({"type": kind, "on": on, "suffix": {"right": suffix}});
        if let Some(options) = options.as_object_mut() {
            options.insert(how.to_owned(), option);
            let rest: Vec<Expr> = rest.into_iter().map(|e| unmarked(e, &right_name)).collect();
            if let Some(condition) = conjunction(rest) {
                options.insert("where".to_owned(), json!(condition.to_string()));
            }
            if kind == "full" && how == "within" {
                options.insert("time".to_owned(), json!("_joined_at"));
            }
        }
        let plain = |relation: &Relation| Relation { opened: None, ..relation.clone() };
        let staged = self.stage("join", options, &[&plain(left), &plain(right)])?;
        let mut columns = left.columns.clone();
        columns.extend(right.columns.iter().map(|c| {
            let made = how == "window" && is_bound(&c.column);
            let column = if made { c.column.clone() } else { right_name(&c.column) };
            Named { column, ..c.clone() }
        }));
        // Where a side is missing its columns are null, and rows with such nulls are on any task.
        let stays = |name: &str, missing: &[&str]| shared(name) || !missing.contains(&kind);
        let mut origins: BTreeMap<String, Vec<(usize, String)>> = left.origins.clone();
        origins.retain(|name, _| stays(name, &["right", "full"]));
        for (name, of) in right.origins.iter().filter(|(n, _)| stays(n, &["left", "full"])) {
            origins.entry(right_name(name)).or_default().extend(of.iter().cloned());
        }
        let closed = if how == "window" { left.opened } else { left.closed };
        let closed = closed.filter(|_| how == "window" || right.closed == left.closed);
        Ok(Relation { columns, origins, closed, ..staged })
    }
}

fn equal(left: &str, right: &str) -> Expr {
    let (left, right) = (Box::new(column(left)), Box::new(column(right)));
    Expr::BinaryOp { left, op: BinaryOperator::Eq, right }
}

/// The expression over the columns of the result.
fn unmarked(expr: Expr, right_name: &impl Fn(&str) -> String) -> Expr {
    with_names(expr, &|side, name| if side == 0 { name.to_owned() } else { right_name(name) })
}
