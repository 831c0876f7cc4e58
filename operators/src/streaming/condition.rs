//! The condition of a join: which columns are equal, and how far apart in time rows may be.

use std::collections::BTreeSet;

use datafusion_sql::sqlparser::ast::{BinaryOperator, Expr};

use super::from::{is_bound, shifted};
use super::grouping::columns_of;
use super::relation::{Relation, as_column};
use super::time_window::WINDOW_TIME;

/// Marks of the sides before the names of columns, while both are looked at.
pub(super) const MARKS: [&str; 2] = ["left.", "right."];

/// The side and the name of a marked column.
pub(super) fn side_of(name: &str) -> Option<(usize, &str)> {
    MARKS.iter().enumerate().find_map(|(side, mark)| Some((side, name.strip_prefix(mark)?)))
}

/// What the parts of a condition come to. Columns carry the mark of their side.
#[derive(Default)]
pub(super) struct Parts {
    /// Equal columns: left and right.
    pub(super) keys: Vec<(String, String)>,
    /// Whether the windows that both tables opened are equal.
    pub(super) same_window: bool,
    /// Microseconds from the left row's time to the right row's, at least.
    pub(super) least: Option<i64>,
    /// The same, at most.
    pub(super) most: Option<i64>,
    /// What is left of the condition.
    pub(super) rest: Vec<Expr>,
}

impl Parts {
    /// Takes a part of the condition, over marked columns.
    pub(super) fn add(&mut self, expr: Expr, sides: [&Relation; 2]) {
        if let Expr::Between { expr: of, negated: false, low, high } = &expr {
            let compare = |op, bound: &Expr| Expr::BinaryOp {
                left: of.clone(),
                op,
                right: Box::new(bound.clone()),
            };
            self.add(compare(BinaryOperator::GtEq, low), sides);
            self.add(compare(BinaryOperator::LtEq, high), sides);
            return;
        }
        let exact = match &expr {
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                self.equality(left, right, sides)
            }
            Expr::BinaryOp { left, op: BinaryOperator::LtEq, right } => {
                self.bound(left, right, sides)
            }
            Expr::BinaryOp { left, op: BinaryOperator::GtEq, right } => {
                self.bound(right, left, sides)
            }
            Expr::BinaryOp { left, op: BinaryOperator::Lt, right } => {
                self.bound(left, right, sides);
                false
            }
            Expr::BinaryOp { left, op: BinaryOperator::Gt, right } => {
                self.bound(right, left, sides);
                false
            }
            _ => false,
        };
        if !exact {
            self.rest.push(expr);
        }
    }

    /// Takes note of `a = b`; whether that says it all.
    fn equality(&mut self, a: &Expr, b: &Expr, sides: [&Relation; 2]) -> bool {
        let (Some(a_name), Some(b_name)) = (as_column(a), as_column(b)) else {
            return self.bound(a, b, sides) & self.bound(b, a, sides);
        };
        let ((l, r), opened) = match (side_of(a_name), side_of(b_name)) {
            (Some((0, l)), Some((1, r))) | (Some((1, r)), Some((0, l))) => {
                ((l, r), sides.iter().all(|side| side.opened.is_some()))
            }
            _ => return false,
        };
        if opened && (is_bound(l) || is_bound(r)) {
            self.same_window |= l == r && l != WINDOW_TIME;
            return l == r;
        }
        self.bound(a, b, sides);
        self.bound(b, a, sides);
        self.keys.push((l.to_owned(), r.to_owned()));
        true
    }

    /// Takes note of `low <= high` where both are the event times of the sides, less or more an
    /// interval; whether the join itself sees to it.
    fn bound(&mut self, low: &Expr, high: &Expr, sides: [&Relation; 2]) -> bool {
        let time = |expr: &Expr| {
            let (name, shift) = shifted(expr)?;
            let (side, column) = side_of(&name)?;
            let own = sides.get(side)?.stream.event_time.as_deref();
            (own == Some(column)).then_some((side, shift))
        };
        match (time(low), time(high)) {
            // left + a <= right + b: the right row is at least a - b after the left one.
            (Some((0, a)), Some((1, b))) => {
                let least = a - b;
                self.least = Some(self.least.map_or(least, |known| known.max(least)));
                least <= 0
            }
            // right + a <= left + b: it is at most b - a after it.
            (Some((1, a)), Some((0, b))) => {
                let most = b - a;
                self.most = Some(self.most.map_or(most, |known| known.min(most)));
                most >= 0
            }
            _ => false,
        }
    }
}

/// Whether an expression reads columns of both sides, and nothing else.
pub(super) fn of_both(expr: &Expr) -> bool {
    let mut read = BTreeSet::new();
    columns_of(expr, &mut read);
    let sides: Vec<Option<usize>> = read.iter().map(|n| side_of(n).map(|(side, _)| side)).collect();
    sides.contains(&Some(0)) && sides.contains(&Some(1)) && !sides.contains(&None)
}
