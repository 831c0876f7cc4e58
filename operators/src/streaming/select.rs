//! A query, and SELECT without aggregates.

use datafusion_sql::sqlparser::ast::{
    Expr, GroupByExpr, Query as SqlQuery, Select, SelectItem, SelectItemQualifiedWildcardKind,
    SetExpr, WildcardAdditionalOptions,
};
use swiftwater_engine::{Error, Result};

use super::builder::Builder;
use super::from::{conjunction, conjuncts};
use super::projection::Item;
use super::refusal::Refusal;
use super::relation::{Relation, Scope, column};
use super::{contains, is_aggregate};
use crate::expression::fault::quote;

impl Builder<'_> {
    /// The rows of a query.
    ///
    /// # Errors
    /// `SW0351` to `SW0358` for what cannot run on a stream.
    pub(super) fn query(&mut self, query: &SqlQuery) -> Result<Relation> {
        self.check_query(query)?;
        if let Some(with) = &query.with {
            if with.recursive {
                let hint = "a topology is a graph without circles";
                return Err(Refusal::Clause.error("use WITH RECURSIVE", hint, self.text));
            }
            for table in &with.cte_tables {
                let relation = self.query(&table.query)?;
                let name = table.alias.name.value.clone();
                self.tables.insert(name.clone(), relation.named(&name));
            }
        }
        match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(inner) => self.query(inner),
            _ => {
                let hint = "join streams by a `union` node before the query";
                Err(Refusal::Clause.error("use UNION or VALUES", hint, self.text))
            }
        }
    }

    fn check_query(&self, query: &SqlQuery) -> Result<()> {
        if query.order_by.is_some() || query.limit_clause.is_some() || query.fetch.is_some() {
            let what = "sort or cut the whole result, which has no end";
            let hint = "write ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) AS n in a subquery and \
                        WHERE n <= 10 around it";
            return Err(Refusal::Order.error(what, hint, self.text));
        }
        if !query.locks.is_empty()
            || query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            let hint = "write SELECT … FROM … WHERE … GROUP BY … HAVING …";
            return Err(Refusal::Clause.error("use a clause of another dialect", hint, self.text));
        }
        Ok(())
    }

    fn check_select(&self, select: &Select) -> Result<()> {
        if select.distinct.is_some() {
            let what = "remember every row for DISTINCT, without end";
            let hint = "GROUP BY window_start, window_end and the columns, or keep the first row by \
                        ROW_NUMBER() = 1; a `deduplicate` node has a `ttl`";
            return Err(Refusal::Distinct.error(what, hint, self.text));
        }
        if select.qualify.is_some() || !select.named_window.is_empty() {
            let hint = "write ROW_NUMBER() in a subquery, and the condition around it";
            return Err(Refusal::Clause.error("use QUALIFY or WINDOW", hint, self.text));
        }
        if select.top.is_some()
            || select.into.is_some()
            || select.exclude.is_some()
            || select.prewhere.is_some()
            || select.value_table_mode.is_some()
            || !select.lateral_views.is_empty()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
        {
            let hint = "write SELECT … FROM … WHERE … GROUP BY … HAVING …";
            return Err(Refusal::Clause.error("use a clause of another dialect", hint, self.text));
        }
        Ok(())
    }

    fn select(&mut self, select: &Select) -> Result<Relation> {
        self.check_select(select)?;
        let mut conditions = select.selection.as_ref().map(conjuncts).unwrap_or_default();
        let relation = match self.ranked(select, &mut conditions)? {
            Some(ranked) => ranked,
            None => self.from(&select.from, &mut conditions)?,
        };
        let filter = conjunction(conditions);
        let grouped = match &select.group_by {
            GroupByExpr::Expressions(all, modifiers) if modifiers.is_empty() => !all.is_empty(),
            _ => {
                let hint = "list the columns in GROUP BY";
                return Err(Refusal::Clause.error("use GROUP BY ALL or sets", hint, self.text));
            }
        };
        let aggregates =
            contains(&select.projection, is_aggregate) || contains(&select.having, is_aggregate);
        if grouped || aggregates {
            return self.grouped(relation, select, filter);
        }
        let relation = self.with_bounds(relation)?;
        self.plain(&relation, select, filter.as_ref())
    }

    /// A projection with a filter.
    fn plain(
        &mut self,
        relation: &Relation,
        select: &Select,
        filter: Option<&Expr>,
    ) -> Result<Relation> {
        let over = |expr: &Expr| matches!(expr, Expr::Function(call) if call.over.is_some());
        if contains(&select.projection, over) {
            let what = "rank rows without a bound";
            let hint = "ROW_NUMBER() stands alone in a subquery, with WHERE n <= 10 around it";
            return Err(Refusal::UnboundedRank.error(what, hint, self.text));
        }
        let items = self.items(relation, &select.projection)?;
        let filter = filter.map(|f| Scope::of(relation).resolve(f)).transpose()?;
        self.project(relation, items, filter.as_ref())
    }

    /// The columns of a SELECT list over those of the rows, `*` spelled out.
    ///
    /// # Errors
    /// `SW0307` for an expression without a name.
    pub(super) fn items(&self, relation: &Relation, list: &[SelectItem]) -> Result<Vec<Item>> {
        let scope = Scope::of(relation);
        let mut items: Vec<Item> = Vec::new();
        for item in list {
            match item {
                SelectItem::Wildcard(options) => {
                    items.extend(self.wildcard(relation, None, options)?);
                }
                SelectItem::QualifiedWildcard(kind, options) => {
                    let SelectItemQualifiedWildcardKind::ObjectName(name) = kind else {
                        return Err(Error::bug(format!("read the columns of {kind}")));
                    };
                    let table = name.to_string();
                    items.extend(self.wildcard(relation, Some(&table), options)?);
                }
                other => {
                    let (expr, name) = self.named(other)?;
                    items.push((scope.resolve(expr)?, name));
                }
            }
        }
        let twice = items
            .iter()
            .enumerate()
            .find(|(i, item)| items.iter().take(*i).any(|other| other.1 == item.1));
        match twice {
            None => Ok(items),
            Some((_, (_, name))) => {
                let message = format!("give two columns the name `{name}` in {}", quote(self.text));
                Err(Error::config("SW0307", message).with_hint("write AS with another name"))
            }
        }
    }

    /// The expression of an item and the name it goes by.
    ///
    /// # Errors
    /// `SW0307` where it has none.
    pub(super) fn named<'i>(&self, item: &'i SelectItem) -> Result<(&'i Expr, String)> {
        match item {
            SelectItem::ExprWithAlias { expr, alias } => Ok((expr, alias.value.clone())),
            SelectItem::UnnamedExpr(expr @ Expr::Identifier(name)) => {
                Ok((expr, name.value.clone()))
            }
            SelectItem::UnnamedExpr(expr @ Expr::CompoundIdentifier(path)) => {
                let name = path.last().map(|n| n.value.clone()).unwrap_or_default();
                Ok((expr, name))
            }
            other => {
                let what = format!(
                    "name the column {} in {}",
                    quote(&other.to_string()),
                    quote(self.text)
                );
                Err(Error::config("SW0307", what).with_hint(format!("write {other} AS name")))
            }
        }
    }

    fn wildcard(
        &self,
        relation: &Relation,
        table: Option<&str>,
        options: &WildcardAdditionalOptions,
    ) -> Result<Vec<Item>> {
        let mut left_out: Vec<&str> = Vec::new();
        if let Some(except) = &options.opt_except {
            left_out.push(&except.first_element.value);
            left_out.extend(except.additional_elements.iter().map(|name| name.value.as_str()));
        }
        if options.opt_ilike.is_some()
            || options.opt_exclude.is_some()
            || options.opt_replace.is_some()
            || options.opt_rename.is_some()
        {
            let hint = "write * EXCEPT (name, …), or list the columns";
            return Err(Refusal::Clause.error("change the columns of `*`", hint, self.text));
        }
        let columns = relation.columns.iter();
        let columns = columns.filter(|c| table.is_none_or(|t| c.table == t));
        let columns = columns.filter(|c| !left_out.contains(&c.name.as_str()));
        Ok(columns.map(|c| (column(&c.column), c.name.clone())).collect())
    }
}
