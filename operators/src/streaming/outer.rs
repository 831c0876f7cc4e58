//! The names of joined columns: in an outer join, columns by which rows meet are null where their side
//! is missing, so that each side keeps its own.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{Expr, visit_expressions_mut};
use swiftwater_engine::Result;

use super::builder::Builder;
use super::condition::{MARKS, Parts, side_of};
use super::joining::Joined;
use super::relation::{Named, Relation, column};

impl Builder<'_> {
    /// The right rows with names of their own for the columns by which they meet. A `join` gives equal
    /// columns of one name once; in an outer join of SQL each is null where its side is missing.
    pub(super) fn apart(
        &mut self,
        left: &Relation,
        right: &Relation,
        parts: &mut Parts,
    ) -> Result<Relation> {
        let suffix = free_suffix(left, right);
        let meets = |name: &str| parts.keys.iter().any(|(l, r)| l == name && r == name);
        let new: BTreeMap<String, String> = right
            .schema
            .fields()
            .iter()
            .map(|f| f.name())
            .filter(|name| meets(name))
            .map(|name| (name.clone(), format!("{name}{suffix}")))
            .collect();
        if new.is_empty() {
            return Ok(right.clone());
        }
        let renamed = |name: &str| new.get(name).map_or(name, String::as_str).to_owned();
        let fields = right.schema.fields().iter();
        let items = fields.map(|f| (column(f.name()), renamed(f.name()))).collect();
        let projected = self.project(right, items, None)?;
        for (_, key) in &mut parts.keys {
            *key = renamed(key);
        }
        for expr in &mut parts.rest {
            *expr = with_names(expr.clone(), &|side, name| match side {
                0 => format!("{}{name}", MARKS[0]),
                _ => format!("{}{}", MARKS[1], renamed(name)),
            });
        }
        let columns = right.columns.iter();
        let columns = columns.map(|c| Named { column: renamed(&c.column), ..c.clone() }).collect();
        Ok(Relation { columns, opened: right.opened, ..projected })
    }
}

/// The names of an outer join USING columns: each of them is one column, which is that of the side
/// that is not missing. By the name of the other side's table it would be null.
pub(super) fn merged(mut relation: Relation, left: &str, right: &str, joined: &Joined) -> Relation {
    let missing: &[&str] = match joined.kind {
        "left" => &[right],
        "right" => &[left],
        "full" => &[left, right],
        _ => &[],
    };
    for name in &joined.using {
        let is_missing = |c: &Named| c.name == *name && missing.contains(&c.table.as_str());
        let column = relation.columns.iter().find(|c| is_missing(c)).map(|c| c.column.clone());
        relation.columns.retain(|c| !is_missing(c));
        if let (Some(column), "full") = (column, joined.kind) {
            relation.columns.push(Named { table: String::new(), name: name.clone(), column });
        }
    }
    relation
}

/// The expression with other names for marked columns, by their side and name.
pub(super) fn with_names(mut expr: Expr, new_name: &impl Fn(usize, &str) -> String) -> Expr {
    let walked: ControlFlow<()> = visit_expressions_mut(&mut expr, |part| {
        let named = |name: &str| side_of(name).map(|(side, name)| new_name(side, name));
        match part {
            Expr::Identifier(name) => {
                if let Some(new) = named(&name.value) {
                    *part = column(&new);
                }
            }
            Expr::CompoundIdentifier(path) => {
                if let Some(first) = path.first_mut()
                    && let Some(new) = named(&first.value)
                {
                    first.value = new;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    debug_assert!(walked.is_continue(), "nothing stops the walk");
    expr
}

/// A suffix that tells names of the right side apart from all others.
pub(super) fn free_suffix(left: &Relation, right: &Relation) -> String {
    let mut suffix = "_right".to_owned();
    let taken = |suffix: &str| {
        right.schema.fields().iter().any(|f| {
            let name = format!("{}{suffix}", f.name());
            left.has(&name) || right.has(&name)
        })
    };
    while taken(&suffix) {
        suffix.push('_');
    }
    suffix
}
