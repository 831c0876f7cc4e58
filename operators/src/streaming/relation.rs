//! What a part of a query gives: rows of an input or a stage, and the names they go by.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use arrow::datatypes::SchemaRef;
use datafusion_sql::sqlparser::ast::{Expr, Ident, visit_expressions_mut};
use swiftwater_engine::{Error, Result, Stream};

use super::time_window::TimeWindow;

/// Where rows come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    /// An input of the node.
    Input(usize),
    /// A stage before.
    Stage(usize),
}

/// A column as the query names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The table's name or alias.
    pub(super) table: String,
    /// The name in the query.
    pub(super) name: String,
    /// The name in the rows.
    pub(super) column: String,
}

/// Rows with their names.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// Where the rows come from.
    pub(super) feed: Feed,
    /// Their columns, those that cannot be named included.
    pub(super) schema: SchemaRef,
    /// What they are beyond their columns.
    pub(super) stream: Stream,
    /// The columns that can be named.
    pub(super) columns: Vec<Named>,
    /// The columns that are columns of the node's inputs: number of the input, and name there.
    pub(super) origins: BTreeMap<String, Vec<(usize, String)>>,
    /// Windows that a table function opened and that are not there as columns yet.
    pub(super) opened: Option<TimeWindow>,
    /// Windows that the rows are results of: all rows of a window come together when it closes.
    pub(super) closed: Option<TimeWindow>,
}

/// A column of the rows as an expression.
pub(super) fn column(name: &str) -> Expr {
    Expr::Identifier(Ident::with_quote('"', name))
}

/// The column that an expression is.
pub(super) fn as_column(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Identifier(name) => Some(&name.value),
        Expr::Nested(inner) => as_column(inner),
        _ => None,
    }
}

/// The names that an expression can use.
pub(super) struct Scope<'a>(pub(super) Vec<&'a Named>);

impl<'a> Scope<'a> {
    /// The names of one relation.
    pub(super) fn of(relation: &'a Relation) -> Self {
        Self(relation.columns.iter().collect())
    }

    /// The column of the rows that `name`, of `table` where one is given, stands for.
    ///
    /// # Errors
    /// `Config` (`SW0301`) where several tables have it.
    fn find(&self, table: Option<&str>, name: &str) -> Result<Option<&'a Named>> {
        let fits = |n: &&&Named| n.name == name && table.is_none_or(|t| n.table == t);
        let mut found = self.0.iter().filter(fits).copied();
        let Some(first) = found.next() else {
            return Ok(None);
        };
        if found.any(|other| other.column != first.column) {
            let tables: Vec<String> = self
                .0
                .iter()
                .filter(|n| n.name == name)
                .map(|n| format!("{}.{name}", n.table))
                .collect();
            return Err(Error::config("SW0301", format!("tell which `{name}` is meant"))
                .with_hint(format!("write {}", tables.join(" or "))));
        }
        Ok(Some(first))
    }

    fn has_table(&self, table: &str) -> bool {
        self.0.iter().any(|n| n.table == table)
    }

    /// The expression over columns of the rows. Names that nobody has stay, for the planner to tell.
    ///
    /// # Errors
    /// `Config` (`SW0301`) for a name that several tables have, or that its table does not have.
    pub(super) fn resolve(&self, expr: &Expr) -> Result<Expr> {
        let mut expr = expr.clone();
        let walked = visit_expressions_mut(&mut expr, |part| match self.replace(part) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        });
        match walked {
            ControlFlow::Continue(()) => Ok(expr),
            ControlFlow::Break(error) => Err(*error),
        }
    }

    fn replace(&self, part: &mut Expr) -> Result<()> {
        match part {
            Expr::Identifier(name) => {
                if let Some(named) = self.find(None, &name.value)? {
                    *part = column(&named.column);
                }
            }
            Expr::CompoundIdentifier(path) => {
                let (table, fields) = match path.as_slice() {
                    [table, name, fields @ ..] if self.has_table(&table.value) => {
                        let Some(named) = self.find(Some(&table.value), &name.value)? else {
                            return Err(self.no_such(&table.value, &name.value));
                        };
                        (named, fields)
                    }
                    [name, fields @ ..] => match self.find(None, &name.value)? {
                        Some(named) => (named, fields),
                        None => return Ok(()),
                    },
                    [] => return Ok(()),
                };
                let first = Ident::with_quote('"', &table.column);
                *part = if fields.is_empty() {
                    Expr::Identifier(first)
                } else {
                    let path = std::iter::once(first).chain(fields.iter().cloned());
                    Expr::CompoundIdentifier(path.collect())
                };
            }
            _ => {}
        }
        Ok(())
    }

    fn no_such(&self, table: &str, name: &str) -> Error {
        let there: Vec<&str> =
            self.0.iter().filter(|n| n.table == table).map(|n| n.name.as_str()).collect();
        Error::config("SW0301", format!("find the column `{name}` of `{table}`"))
            .with_hint(format!("columns: {}", there.join(", ")))
    }
}

impl Relation {
    /// The same rows under another table name.
    pub(super) fn named(mut self, table: &str) -> Self {
        for named in &mut self.columns {
            table.clone_into(&mut named.table);
        }
        self
    }

    /// Whether a column of the rows can be named so and is the column itself.
    pub(super) fn has(&self, column: &str) -> bool {
        self.schema.column_with_name(column).is_some()
    }
}
