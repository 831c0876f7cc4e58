//! The `aggregate` option: expressions over aggregates by the name of their column, planned once.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema, DataFusionError};
use datafusion_expr::{Expr, ExprSchemable};
use serde_json::{Map, Value};
use swiftwater_engine::{Error, Result, Timestamp};

use super::call::{Call, Taking};
use super::keys::KeyColumns;
use crate::expression::{self, Computed, fault};

/// Planned aggregates.
#[derive(Debug, Clone)]
pub(crate) struct Aggregates {
    /// The calls in all expressions, each once.
    pub(super) calls: Vec<Call>,
    outcomes: Vec<Outcome>,
    fields: Vec<FieldRef>,
    /// Columns of the keys, then of the calls.
    called: SchemaRef,
    warnings: Vec<String>,
}

/// How a column of the result comes from the calls.
#[derive(Debug, Clone)]
enum Outcome {
    /// It is the call of this number.
    Call(usize),
    /// It is computed from keys and calls.
    Computed(Computed),
}

/// What all calls take from a batch.
#[derive(Debug)]
pub(crate) struct Inputs(pub(super) Vec<Taking>);

impl Inputs {
    /// The same rows in another order, or some of them.
    ///
    /// # Errors
    /// None for rows of the batch.
    pub(crate) fn reordered(&self, rows: &UInt32Array) -> Result<Self> {
        let reordered = self.0.iter().map(|taking| {
            let arguments = taking.arguments.iter().map(|a| Ok(take(a, rows, None)?));
            let filter = taking.filter.as_ref().map(|f| take(f, rows, None)).transpose()?;
            Ok(Taking {
                arguments: arguments.collect::<Result<_>>()?,
                filter: filter.map(|f| f.as_boolean().clone()),
            })
        });
        Ok(Self(reordered.collect::<Result<_>>()?))
    }
}

/// The name of a call's column in the schema that outcomes are computed from; no key has it.
fn call_column(number: usize) -> String {
    format!("\u{0}{number}")
}

impl Aggregates {
    /// Plans the option `aggregate` over the columns of the input.
    ///
    /// # Errors
    /// `Config` as for an expression; `SW0341` where a column is no expression over aggregates.
    pub(crate) fn plan(
        options: &Map<String, Value>,
        schema: &SchemaRef,
        key: &KeyColumns,
    ) -> Result<Self> {
        if options.is_empty() {
            let error = Error::config("SW0341", "aggregate nothing");
            return Err(error.with_hint("write aggregate: {rows: \"count(*)\"}"));
        }
        let mut planner = Planner { schema, calls: Vec::new(), found: Vec::new() };
        let mut read = Vec::with_capacity(options.len());
        let mut warnings = Vec::new();
        for (name, value) in options {
            let Value::String(text) = value else {
                let message = format!("read the aggregate of column `{name}`: it is {value}");
                return Err(Error::config("SW0341", message).with_hint("write it as text"));
            };
            let logical = expression::read_aggregates(text, schema)?;
            warnings.extend(expression::warnings(&logical));
            read.push((name, text, planner.replace_calls(logical, text, key)?));
        }
        let calls = planner.calls;
        let call_field = |(n, call): (usize, &Call)| {
            Arc::new(call.field().as_ref().clone().with_name(call_column(n)))
        };
        let of_calls = calls.iter().enumerate().map(call_field);
        let called: Vec<FieldRef> = key.fields().iter().cloned().chain(of_calls).collect();
        let called = Arc::new(Schema::new(called));
        let mut planned =
            Self { calls, outcomes: Vec::new(), fields: Vec::new(), called, warnings };
        for (name, text, logical) in read {
            planned.add_outcome(name, text, logical)?;
        }
        Ok(planned)
    }

    fn add_outcome(&mut self, name: &str, text: &str, logical: Expr) -> Result<()> {
        let fail = |e: DataFusionError| fault::planning(&e, text, &self.called, None);
        let columns = DFSchema::try_from(Arc::clone(&self.called)).map_err(fail)?;
        let (_, field) = logical.to_field(&columns).map_err(fail)?;
        let plain = match logical.clone().unalias() {
            Expr::Column(column) => {
                (0..self.calls.len()).find(|call| column.name == call_column(*call))
            }
            _ => None,
        };
        let outcome = match plain {
            Some(call) => Outcome::Call(call),
            None => Outcome::Computed(
                Computed::new(&logical, &columns, &fault::quote(text)).map_err(fail)?,
            ),
        };
        self.outcomes.push(outcome);
        self.fields.push(Arc::new(Field::new(
            name,
            field.data_type().clone(),
            field.is_nullable(),
        )));
        Ok(())
    }

    /// Columns of the results.
    pub(crate) fn fields(&self) -> &[FieldRef] {
        &self.fields
    }

    /// Columns of the partial states, in the order of the calls.
    pub(crate) fn state_fields(&self) -> Vec<FieldRef> {
        let states = self.calls.iter().enumerate().flat_map(|(number, call)| {
            let named = call.states().iter().enumerate();
            named.map(move |(part, data_type)| {
                Arc::new(Field::new(format!("state_{number}_{part}"), data_type.clone(), true))
            })
        });
        states.collect()
    }

    /// What `check` should tell the user.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What the calls take from the rows of a batch.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where a row cannot be evaluated.
    pub(crate) fn inputs(&self, records: &RecordBatch, now: Timestamp) -> Result<Inputs> {
        Ok(Inputs(self.calls.iter().map(|c| c.take(records, now)).collect::<Result<_>>()?))
    }

    /// The columns of the results, from those of the keys and the results of the calls.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where a result cannot be computed.
    pub(crate) fn outcomes(
        &self,
        keys: &[ArrayRef],
        calls: &[ArrayRef],
        now: Timestamp,
    ) -> Result<Vec<ArrayRef>> {
        let columns: Vec<ArrayRef> = keys.iter().chain(calls).cloned().collect();
        let rows = calls.first().map_or(0, |c| c.len());
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let called =
            RecordBatch::try_new_with_options(Arc::clone(&self.called), columns, &options)?;
        let outcomes = self.outcomes.iter().map(|outcome| match outcome {
            Outcome::Call(number) => Ok(Arc::clone(called.column(keys.len() + number))),
            Outcome::Computed(computed) => computed.evaluate(&called, now),
        });
        outcomes.collect()
    }
}

/// Takes the calls out of expressions.
struct Planner<'a> {
    schema: &'a SchemaRef,
    calls: Vec<Call>,
    found: Vec<Expr>,
}

impl Planner<'_> {
    /// Puts a column in the place of each call.
    fn replace_calls(&mut self, logical: Expr, text: &str, key: &KeyColumns) -> Result<Expr> {
        let before = self.found.len();
        let mut calls = 0;
        let replaced = logical.transform_down(|node| {
            if !matches!(node, Expr::AggregateFunction(_)) {
                return Ok(Transformed::no(node));
            }
            calls += 1;
            let number = self.found.iter().position(|f| *f == node).unwrap_or_else(|| {
                self.found.push(node);
                self.found.len() - 1
            });
            let column = Expr::Column(Column::from_name(call_column(number)));
            Ok::<_, DataFusionError>(Transformed::new(column, true, TreeNodeRecursion::Jump))
        });
        let fail = |e: DataFusionError| fault::planning(&e, text, self.schema, None);
        let replaced = replaced.map_err(fail)?.data;
        if calls == 0 {
            let message = format!("aggregate with {}: it calls no aggregate", fault::quote(text));
            let hint = "such as count(*), sum(price) or max(price) - min(price)";
            return Err(Error::config("SW0341", message).with_hint(hint));
        }
        refuse_loose_columns(&replaced, text, key)?;
        let columns = DFSchema::try_from(Arc::clone(self.schema)).map_err(fail)?;
        for call in self.found.get(before..).unwrap_or_default() {
            refuse_nested(call, text)?;
            self.calls.push(Call::plan(call, &columns, text).map_err(fail)?);
        }
        Ok(replaced)
    }
}

/// Refuses columns that are neither aggregated nor part of the key.
fn refuse_loose_columns(replaced: &Expr, text: &str, key: &KeyColumns) -> Result<()> {
    let refs = replaced.column_refs();
    let mut names: Vec<&str> = refs.iter().map(|c| c.name.as_str()).collect();
    names.sort_unstable();
    let loose = names
        .into_iter()
        .find(|name| !name.starts_with('\u{0}') && !key.fields().iter().any(|f| f.name() == name));
    match loose {
        None => Ok(()),
        Some(name) => {
            let text = fault::quote(text);
            let message = format!("use `{name}` in {text}: it is neither aggregated nor a key");
            let hint = format!("write last_value({name}), or put it into `key`");
            Err(Error::config("SW0341", message).with_hint(hint))
        }
    }
}

fn refuse_nested(call: &Expr, text: &str) -> Result<()> {
    let mut inner = 0;
    let walked = call.apply(|node| {
        inner += usize::from(matches!(node, Expr::AggregateFunction(_)));
        Ok::<_, DataFusionError>(TreeNodeRecursion::Continue)
    });
    debug_assert!(walked.is_ok(), "walking an expression cannot fail");
    if inner > 1 {
        let message = format!("aggregate an aggregate in {}", fault::quote(text));
        let hint = "a second node aggregates the results of the first";
        return Err(Error::config("SW0341", message).with_hint(hint));
    }
    Ok(())
}
