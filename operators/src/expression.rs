//! SQL expressions over the columns of a batch: text and schema in, a vectorised expression out.
//!
//! DataFusion does the work, through its sub-crates for SQL, functions, coercion, simplification
//! and evaluation; its tables, files and executors are not linked. An expression is planned once,
//! when the topology is checked, and evaluated for each batch.
//!
//! Where a stream asks for another meaning than a query, we say so here:
//! - Columns are named exactly as in the schema; `Price` and `price` are two columns.
//! - `now()`, `current_date()` and `current_time()` tell the time at which the batch is processed.
//! - `random()` and `uuid()` draw anew each time; a batch that is read again after a crash gets
//!   other values, and `check` warns of it.
//! - Integer arithmetic that overflows is an error of that row; it never wraps.
//! - A row that cannot be evaluated is an error of that row (`SW3201`), which `on_error` handles.

mod computed;
mod dialect;
pub(crate) mod fault;
mod functions;
mod now;
mod ours;
pub(crate) mod patterns;
mod refusal;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, DataFusionError};
use datafusion_expr::{Expr, ExprSchemable, Volatility};
use datafusion_optimizer::simplify_expressions::{ExprSimplifier, SimplifyContext};
use datafusion_sql::planner::{PlannerContext, SqlToRel};
use swiftwater_engine::{Error, Result, Timestamp};

pub(crate) use computed::Computed;
pub use computed::Taken;
pub(crate) use dialect::{item, order, statement};
pub(crate) use functions::{Context, Functions};
pub(crate) use refusal::{refuse_in_expression, refuse_in_select};

/// An expression ready to be evaluated.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Arc<str>,
    computed: Computed,
    field: FieldRef,
    warnings: Vec<String>,
}

impl Expression {
    /// Plans `text`, such as `price * 0.92`, against the columns of a batch.
    ///
    /// # Errors
    /// `Config`: `SW0301` unknown column, `SW0302` unknown function, `SW0303` types that do not
    /// fit, `SW0304` text that cannot be read, `SW0305` what a stream cannot do, `SW0306` a
    /// pattern that is not a regular expression.
    pub fn plan(text: &str, schema: &SchemaRef) -> Result<Self> {
        Self::from_logical(read(text, schema, &Context::expression())?, text, schema)
    }

    /// Plans an expression that was put together by an operator; `text` stands for it in messages.
    ///
    /// # Errors
    /// As for [`Expression::plan`].
    pub(crate) fn from_logical(logical: Expr, text: &str, schema: &SchemaRef) -> Result<Self> {
        let fail = |e: DataFusionError| fault::planning(&e, text, schema, None);
        patterns::check(&logical, text)?;
        let warnings = warnings(&logical);
        let columns = Arc::new(DFSchema::try_from(Arc::clone(schema)).map_err(fail)?);
        let logical = simplify(logical, &columns).map_err(fail)?;
        let (_, field) = logical.to_field(&columns).map_err(fail)?;
        let computed = Computed::new(&logical, &columns, &fault::quote(text)).map_err(fail)?;
        Ok(Self { text: text.into(), computed, field, warnings })
    }

    /// Type and nullability of the result.
    #[must_use]
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// The text it was planned from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What `check` should tell the user.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The columns it reads, by number, in ascending order.
    #[must_use]
    pub fn columns(&self) -> Vec<usize> {
        self.computed.columns()
    }

    /// One value for each row of `records`, which must have the columns it was planned for.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where a row cannot be evaluated.
    pub fn evaluate(&self, records: &RecordBatch, now: Timestamp) -> Result<ArrayRef> {
        self.computed.evaluate(records, now)
    }
}

/// An expression whose answer is true, false or unknown.
#[derive(Debug, Clone)]
pub struct Predicate(Expression);

impl Predicate {
    /// Plans a predicate, such as `price >= 1000`.
    ///
    /// # Errors
    /// As for [`Expression::plan`]; `SW0303` where the result is not boolean.
    pub fn plan(text: &str, schema: &SchemaRef) -> Result<Self> {
        Self::from_expression(Expression::plan(text, schema)?)
    }

    /// Takes an expression as a predicate.
    ///
    /// # Errors
    /// `Config` (`SW0303`) where the result is not boolean.
    pub fn from_expression(expression: Expression) -> Result<Self> {
        match expression.field().data_type() {
            DataType::Boolean | DataType::Null => Ok(Self(expression)),
            other => {
                let found = swiftwater_engine::schema::name(other);
                let text = fault::quote(&expression.text);
                let message = format!("use {text}: a predicate must be boolean, this is {found}");
                Err(Error::config("SW0303", message).with_hint("compare it, as in `price > 0`"))
            }
        }
    }

    /// The expression.
    #[must_use]
    pub const fn expression(&self) -> &Expression {
        &self.0
    }

    /// The rows for which the answer is true; unknown (null) is not true.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where a row cannot be evaluated.
    pub fn take(&self, records: &RecordBatch, now: Timestamp) -> Result<Taken> {
        self.0.computed.take(records, now)
    }
}

/// Reads `text` as a logical expression over the columns of `schema`.
fn read(text: &str, schema: &SchemaRef, context: &Context) -> Result<Expr> {
    let ast = dialect::expression(text)?;
    refuse_in_expression(&ast, text)?;
    let fail = |e: DataFusionError| fault::planning(&e, text, schema, context.unknown());
    let columns = DFSchema::try_from(Arc::clone(schema)).map_err(fail)?;
    SqlToRel::new(context).sql_to_expr(ast, &columns, &mut PlannerContext::new()).map_err(fail)
}

/// Reads an expression over aggregates, such as `sum(price) / count(*)`, with the casts that SQL
/// implies; the columns of `schema` are those that are aggregated.
///
/// # Errors
/// As for [`Expression::plan`].
pub(crate) fn read_aggregates(text: &str, schema: &SchemaRef) -> Result<Expr> {
    let logical = read(text, schema, &Context::aggregates())?;
    patterns::check(&logical, text)?;
    let fail = |e: DataFusionError| fault::planning(&e, text, schema, None);
    let columns = Arc::new(DFSchema::try_from(Arc::clone(schema)).map_err(fail)?);
    simplify(logical, &columns).map_err(fail)
}

/// Adds the casts that SQL implies, and folds what is constant.
fn simplify(logical: Expr, columns: &Arc<DFSchema>) -> Result<Expr, DataFusionError> {
    let context = SimplifyContext::builder()
        .with_schema(Arc::clone(columns))
        .with_config_options(Arc::clone(Functions::get().options()))
        .build();
    let simplifier = ExprSimplifier::new(context);
    let coerced = simplifier.coerce(logical, columns)?;
    simplifier.simplify(coerced)
}

/// What is worth knowing about an expression that gives another answer each time.
pub(crate) fn warnings(logical: &Expr) -> Vec<String> {
    let mut found = Vec::new();
    let walked = logical.apply(|node| {
        if let Expr::ScalarFunction(call) = node
            && call.func.signature().volatility == Volatility::Volatile
            && !now::is_clock(call.func.name())
        {
            let name = call.func.name();
            let again = "rows that are read again after a crash get other values";
            found.push(format!("`{name}()` draws anew each time: {again}"));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(walked.is_ok(), "walking an expression cannot fail");
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
#[path = "expression/tests.rs"]
mod tests;
