//! An optimised logical plan as steps on batches.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, DataFusionError, plan_err};
use datafusion_expr::logical_plan::Unnest as LogicalUnnest;
use datafusion_expr::{Expr, LogicalPlan};
use swiftwater_engine::{Error, Result};

use super::Step;
use crate::expression::{self, Computed, patterns};
use crate::unnest::{Empty, Unnest};

type Planned<T> = std::result::Result<T, DataFusionError>;

/// Checks what stands in the expressions of a plan; returns what `check` should tell the user.
///
/// # Errors
/// `Config` (`SW0306`) for a pattern that is not a regular expression.
pub(super) fn review(logical: &LogicalPlan, text: &str) -> Result<Vec<String>> {
    let mut warnings = BTreeSet::new();
    let mut wrong: Option<Error> = None;
    let walked = logical.apply(|node| {
        for expr in node.expressions() {
            warnings.extend(expression::warnings(&expr));
            if let Err(error) = patterns::check(&expr, text) {
                wrong.get_or_insert(error);
            }
        }
        Ok::<_, DataFusionError>(TreeNodeRecursion::Continue)
    });
    debug_assert!(walked.is_ok(), "walking a plan cannot fail");
    wrong.map_or_else(|| Ok(warnings.into_iter().collect()), Err)
}

/// The steps of a plan, the scan's columns first.
///
/// # Errors
/// What DataFusion cannot evaluate, or what is no step on a batch.
pub(super) fn steps(plan: &LogicalPlan) -> Planned<Vec<Step>> {
    let mut steps = Vec::new();
    lower(plan, &mut steps)?;
    Ok(steps)
}

fn lower(plan: &LogicalPlan, steps: &mut Vec<Step>) -> Planned<()> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            if let Some(numbers) = &scan.projection {
                let schema = Arc::clone(scan.projected_schema.inner());
                steps.push(Step::Columns { numbers: numbers.clone(), schema });
            }
            Ok(())
        }
        LogicalPlan::SubqueryAlias(alias) => lower(&alias.input, steps),
        LogicalPlan::Filter(filter) => {
            lower(&filter.input, steps)?;
            let predicate =
                Computed::new(&filter.predicate, filter.input.schema(), "the WHERE clause")?;
            steps.push(Step::Filter { predicate, keep: None });
            Ok(())
        }
        LogicalPlan::Projection(projection) => {
            lower(&projection.input, steps)?;
            let schema = Arc::clone(projection.schema.inner());
            project(&projection.expr, projection.input.schema(), schema, steps)
        }
        LogicalPlan::Unnest(unnest) => {
            lower(&unnest.input, steps)?;
            steps.push(Step::Unnest(unnest_step(unnest)?));
            Ok(())
        }
        other => plan_err!("{} cannot run on a stream", other.display()),
    }
}

fn project(
    exprs: &[Expr],
    input: &DFSchema,
    schema: SchemaRef,
    steps: &mut Vec<Step>,
) -> Planned<()> {
    let named = exprs.iter().zip(schema.fields());
    let mut columns = named
        .map(|(e, field)| Computed::new(e, input, &format!("column `{}`", field.name())))
        .collect::<Planned<Vec<_>>>()?;
    // A filter below need not copy what nobody reads afterwards.
    if let Some(Step::Filter { keep, .. }) = steps.last_mut() {
        let read: BTreeSet<usize> = columns.iter().flat_map(Computed::columns).collect();
        if read.len() < input.fields().len() {
            let kept: Vec<usize> = read.into_iter().collect();
            columns =
                columns.into_iter().map(|c| c.over_columns(&kept)).collect::<Planned<Vec<_>>>()?;
            *keep = Some(kept);
        }
    }
    let plain: Option<Vec<usize>> = columns.iter().map(Computed::as_column).collect();
    steps.push(match plain {
        Some(numbers) => Step::Columns { numbers, schema },
        None => Step::Project { columns, schema },
    });
    Ok(())
}

fn unnest_step(unnest: &LogicalUnnest) -> Planned<Unnest> {
    let lists: Vec<usize> = unnest.list_type_columns.iter().map(|(i, _)| *i).collect();
    let once = lists.iter().collect::<BTreeSet<_>>().len() == lists.len();
    if !once || unnest.list_type_columns.iter().any(|(_, list)| list.depth > 1) {
        return plan_err!("unnest one level at a time: a further level needs a node of its own");
    }
    let empty = match (unnest.options.preserve_nulls(), unnest.options.expand_empty_as_null()) {
        (_, true) => Empty::Keep,
        (true, false) => Empty::KeepNull,
        (false, false) => Empty::Drop,
    };
    Ok(Unnest {
        lists,
        structs: unnest.struct_type_columns.clone(),
        expand: false,
        position: false,
        empty,
        schema: Arc::clone(unnest.schema.inner()),
    })
}
