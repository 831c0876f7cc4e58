//! Projections with filters, and what becomes of event time and keys in them.

use std::collections::BTreeMap;

use datafusion_sql::sqlparser::ast::Expr;
use swiftwater_engine::stream::OP_COLUMN;
use swiftwater_engine::{Changes, OperatorPlan, Result, Stream};

use super::builder::Builder;
use super::refusal::Refusal;
use super::relation::{Named, Relation, as_column, column};
use crate::query::{INPUT, Query};

/// A column of a projection: the expression over columns of the rows, and its name.
pub(super) type Item = (Expr, String);

impl Builder<'_> {
    /// Adds a projection of the rows for which `filter` is true. Event time goes on as the item that
    /// is its column, or as a column that cannot be named; so do `_op` and the key of rows that
    /// replace earlier ones.
    ///
    /// # Errors
    /// What the planner of expressions says; `SW0356` where rows that replace earlier ones lose their
    /// key, are filtered, or get values that differ from time to time.
    pub(super) fn project(
        &mut self,
        relation: &Relation,
        mut items: Vec<Item>,
        filter: Option<&Expr>,
    ) -> Result<Relation> {
        let named: Vec<String> = items.iter().map(|(_, name)| name.clone()).collect();
        let stream = self.stream_after(relation, &mut items, filter)?;
        let unchanged = items.len() == relation.schema.fields().len()
            && items
                .iter()
                .zip(relation.schema.fields())
                .all(|((expr, name), field)| name == field.name() && as_column(expr) == Some(name));
        let origin = |(expr, name): &Item| {
            Some((name.clone(), relation.origins.get(as_column(expr)?)?.clone()))
        };
        let origins: BTreeMap<_, _> = items.iter().filter_map(origin).collect();
        let projected = if unchanged && filter.is_none() {
            Relation { stream, origins, ..relation.clone() }
        } else {
            let plan = self.projection(relation, &items, filter)?;
            let relation = self.push("select", plan, &[relation], origins)?;
            Relation { stream, ..relation }
        };
        let table = relation.table();
        let columns = named.into_iter().map(|name| Named {
            table: table.to_owned(),
            column: name.clone(),
            name,
        });
        Ok(Relation {
            columns: columns.collect(),
            opened: None,
            closed: relation.closed,
            ..projected
        })
    }

    /// The plan of a projection.
    ///
    /// # Errors
    /// As for [`Builder::project`].
    pub(super) fn projection(
        &self,
        relation: &Relation,
        items: &[Item],
        filter: Option<&Expr>,
    ) -> Result<OperatorPlan> {
        let items: Vec<String> =
            items.iter().map(|(expr, name)| format!("{expr} AS {}", column(name))).collect();
        let filter = filter.map(|f| format!(" WHERE {f}")).unwrap_or_default();
        let text = format!("SELECT {} FROM {INPUT}{filter}", items.join(", "));
        let query = Query::select(&text, INPUT, &relation.schema)?
            .into_plan(&relation.schema, &Stream::append());
        if relation.stream.is_upsert() && !query.warnings.is_empty() {
            let what =
                "compute values that differ from time to time from rows that replace earlier ones";
            let hint = "leave out functions such as random() and uuid()";
            return Err(Refusal::Upserts.error(what, hint, self.text));
        }
        Ok(OperatorPlan { takes_upserts: true, ..query })
    }

    fn stream_after(
        &self,
        relation: &Relation,
        items: &mut Vec<Item>,
        filter: Option<&Expr>,
    ) -> Result<Stream> {
        let mut stream = Stream::append();
        if let Some(time) = &relation.stream.event_time {
            stream.event_time = Some(carried(items, time));
        }
        let Changes::Upsert { key } = &relation.stream.changes else {
            return Ok(stream);
        };
        if filter.is_some() {
            let what =
                "filter rows that replace earlier ones: a row that no longer passes would stay";
            let hint = "filter before the aggregate, or read the result with a filter";
            return Err(Refusal::Upserts.error(what, hint, self.text));
        }
        let mut renamed = Vec::new();
        for name in key {
            let item = items.iter().find(|(expr, _)| as_column(expr) == Some(name));
            let Some((_, new)) = item else {
                let what = format!("leave out `{name}`, by which rows replace earlier ones");
                let hint = "add it to the SELECT list";
                return Err(Refusal::Upserts.error(what, hint, self.text));
            };
            renamed.push(new.clone());
        }
        items.push((column(OP_COLUMN), OP_COLUMN.to_owned()));
        Ok(stream.upserting(renamed))
    }
}

/// The name under which the column goes on, as an item of its own where it is none yet.
fn carried(items: &mut Vec<Item>, name: &str) -> String {
    if let Some((_, new)) = items.iter().find(|(expr, _)| as_column(expr) == Some(name)) {
        return new.clone();
    }
    let taken = |items: &[Item], name: &str| items.iter().any(|(_, n)| n == name);
    let mut free = name.to_owned();
    while taken(items, &free) {
        free.insert(0, '_');
    }
    items.push((column(name), free.clone()));
    free
}
