//! One stateless SELECT over the rows of a batch: filter, projection and UNNEST, planned once.
//!
//! DataFusion reads, types and optimises the query (constant folding, common subexpressions, unread
//! columns); what is left is a short chain of steps that run on each batch without its executor.

mod lowering;
mod operator;
mod shape;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use datafusion_common::DataFusionError;
use datafusion_expr::logical_plan::builder::LogicalTableSource;
use datafusion_expr::{LogicalPlan, TableSource};
use datafusion_optimizer::analyzer::Analyzer;
use datafusion_optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion_optimizer::optimize_projections::OptimizeProjections;
use datafusion_optimizer::simplify_expressions::SimplifyExpressions;
use datafusion_optimizer::{Optimizer, OptimizerContext};
use datafusion_sql::planner::SqlToRel;
use datafusion_sql::sqlparser::ast::{SelectItem, SetExpr, Statement};
use swiftwater_engine::{Result, Timestamp};

use crate::expression::{self, Computed, Context, Functions, Taken, fault};
use crate::unnest::Unnest;

/// The name under which a query finds its input, beside the name of the input node.
pub(crate) const INPUT: &str = "input";

/// A planned query.
#[derive(Debug)]
pub(crate) struct Query {
    steps: Vec<Step>,
    schema: SchemaRef,
    warnings: Vec<String>,
}

/// What happens to a batch, one after the other.
#[derive(Debug)]
enum Step {
    /// Columns by number: nothing is copied.
    Columns { numbers: Vec<usize>, schema: SchemaRef },
    /// Computed columns.
    Project { columns: Vec<Computed>, schema: SchemaRef },
    /// Rows for which the predicate is true, and of them only the columns that are read later.
    Filter { predicate: Computed, keep: Option<Vec<usize>> },
    /// Elements of lists as rows.
    Unnest(Unnest),
}

impl Query {
    /// Plans the text of a `sql` node, whose input is known as `input` and as `node`.
    ///
    /// # Errors
    /// `Config` as for an expression; `SW0305` for what a stateless query over a stream cannot do.
    pub(crate) fn select(text: &str, node: &str, schema: &SchemaRef) -> Result<Self> {
        let mut statement = expression::statement(text)?;
        shape::check(&statement, text)?;
        if let Some(projection) = projection(&mut statement) {
            let items = std::mem::take(projection).into_iter();
            *projection = items.map(|item| shape::name(item, text)).collect::<Result<_>>()?;
        }
        Self::plan(statement, text, vec![INPUT.to_owned(), node.to_owned()], schema)
    }

    /// Plans a list of columns, each with the text it was read from; a row in gives a row out.
    ///
    /// # Errors
    /// As for [`Query::select`].
    pub(crate) fn columns(items: Vec<(SelectItem, &str)>, schema: &SchemaRef) -> Result<Self> {
        let texts: Vec<_> = items.iter().map(|(_, text)| *text).collect();
        let texts = texts.join(", ");
        let mut named = Vec::new();
        for (item, text) in items {
            expression::refuse_in_expression(&item, text)?;
            named.push(shape::name(item, text)?);
        }
        let mut statement = expression::statement("SELECT 1 FROM input")?;
        if let Some(projection) = projection(&mut statement) {
            *projection = named;
        }
        Self::plan(statement, &texts, vec![INPUT.to_owned()], schema)
    }

    fn plan(
        statement: Statement,
        text: &str,
        names: Vec<String>,
        schema: &SchemaRef,
    ) -> Result<Self> {
        let source: Arc<dyn TableSource> = Arc::new(LogicalTableSource::new(Arc::clone(schema)));
        let context = Context::query(names, Some(source));
        let fail = |e: DataFusionError| fault::planning(&e, text, schema, context.unknown());
        let logical = SqlToRel::new(&context).sql_statement_to_plan(statement).map_err(fail)?;
        let warnings = lowering::review(&logical, text)?;
        let optimized = optimize(logical).map_err(fail)?;
        let steps = lowering::steps(&optimized).map_err(fail)?;
        let schema = Arc::clone(optimized.schema().inner());
        Ok(Self { steps, schema, warnings })
    }

    /// Runs the query on the rows of one batch, adding the results to `out`.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where a row cannot be evaluated.
    fn run(&self, records: RecordBatch, now: Timestamp, out: &mut Vec<RecordBatch>) -> Result<()> {
        run(&self.steps, records, now, out)
    }
}

fn projection(statement: &mut Statement) -> Option<&mut Vec<SelectItem>> {
    match statement {
        Statement::Query(query) => match query.body.as_mut() {
            SetExpr::Select(select) => Some(&mut select.projection),
            _ => None,
        },
        _ => None,
    }
}

fn run(
    steps: &[Step],
    records: RecordBatch,
    now: Timestamp,
    out: &mut Vec<RecordBatch>,
) -> Result<()> {
    let Some((step, rest)) = steps.split_first() else {
        out.push(records);
        return Ok(());
    };
    let records = match step {
        Step::Columns { numbers, schema } => {
            let columns = numbers.iter().map(|i| Arc::clone(records.column(*i))).collect();
            batch(schema, columns, records.num_rows())?
        }
        Step::Project { columns, schema } => {
            let computed: Result<Vec<_>> =
                columns.iter().map(|c| c.evaluate(&records, now)).collect();
            batch(schema, computed?, records.num_rows())?
        }
        Step::Filter { predicate, keep } => {
            let taken = predicate.take(&records, now)?;
            let kept = match keep {
                Some(columns) => records.project(columns)?,
                None => records,
            };
            match taken {
                Taken::All => kept,
                Taken::None => return Ok(()),
                Taken::Some(mask) => filter_record_batch(&kept, &mask)?,
            }
        }
        Step::Unnest(unnest) => {
            let mut parts = Vec::new();
            unnest.run(&records, &mut parts)?;
            return parts.into_iter().try_for_each(|part| run(rest, part, now, out));
        }
    };
    run(rest, records, now, out)
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

fn optimize(logical: LogicalPlan) -> std::result::Result<LogicalPlan, DataFusionError> {
    let options = Functions::get().options();
    let typed = Analyzer::new().execute_and_check(logical, options, |_, _| {})?;
    let rules = Optimizer::with_rules(vec![
        Arc::new(SimplifyExpressions::new()),
        Arc::new(CommonSubexprEliminate::new()),
        Arc::new(OptimizeProjections::new()),
    ]);
    let context = OptimizerContext::new_with_config_options(Arc::clone(options));
    rules.optimize(typed, &context, |_, _| {})
}
