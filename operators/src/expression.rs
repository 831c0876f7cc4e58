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

mod dialect;
pub(crate) mod fault;
pub(crate) mod functions;
mod now;
mod patterns;
mod refusal;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, DataFusionError, ScalarValue};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::{ColumnarValue, Expr, ExprSchemable, Operator, Volatility};
use datafusion_optimizer::simplify_expressions::{ExprSimplifier, SimplifyContext};
use datafusion_physical_expr::expressions::BinaryExpr;
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion_sql::planner::{PlannerContext, SqlToRel};
use swiftwater_engine::{Error, Result, Timestamp};

pub(crate) use dialect::{item, statement};
pub(crate) use functions::{Context, Functions};
pub(crate) use refusal::refuse_in_expressions;

type Planned<T> = std::result::Result<T, DataFusionError>;

/// An expression ready to be evaluated.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Arc<str>,
    physical: Arc<dyn PhysicalExpr>,
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
        let ast = dialect::expression(text)?;
        refuse_in_expressions(&ast, text)?;
        let context = Context::expression();
        let fail = |e: DataFusionError| fault::planning(&e, text, schema, context.unknown());
        let columns = DFSchema::try_from(Arc::clone(schema)).map_err(fail)?;
        let logical = SqlToRel::new(&context)
            .sql_to_expr(ast, &columns, &mut PlannerContext::new())
            .map_err(fail)?;
        Self::from_logical(logical, text, schema)
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
        let logical = coerce(logical, &columns).map_err(fail)?;
        let (_, field) = logical.to_field(&columns).map_err(fail)?;
        let physical = physical(&logical, &columns).map_err(fail)?;
        probe(&physical, schema, field.data_type()).map_err(fail)?;
        Ok(Self { text: text.into(), physical, field, warnings })
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
        let columns = datafusion_physical_expr::utils::collect_columns(&self.physical);
        let mut columns: Vec<_> = columns.iter().map(|c| c.index()).collect();
        columns.sort_unstable();
        columns
    }

    /// One value for each row of `records`, which must have the columns it was planned for.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where a row cannot be evaluated.
    pub fn evaluate(&self, records: &RecordBatch, now: Timestamp) -> Result<ArrayRef> {
        let value = self.value(records, now)?;
        value.into_array(records.num_rows()).map_err(|e| fault::running(&e, &self.text))
    }

    fn value(&self, records: &RecordBatch, now: Timestamp) -> Result<ColumnarValue> {
        now::at(now, || self.physical.evaluate(records)).map_err(|e| fault::running(&e, &self.text))
    }
}

/// Which rows of a batch a predicate takes.
#[derive(Debug)]
pub enum Taken {
    /// All of them.
    All,
    /// None of them.
    None,
    /// Those that are set; the mask has no nulls.
    Some(BooleanArray),
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
        let mask = match self.0.value(records, now)? {
            ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))) => return Ok(Taken::All),
            ColumnarValue::Scalar(_) => return Ok(Taken::None),
            ColumnarValue::Array(array) => match array.as_boolean_opt() {
                Some(mask) => mask.clone(),
                None => return Ok(Taken::None),
            },
        };
        Ok(Taken::of(&mask))
    }
}

impl Taken {
    /// Rows of a mask; null is not taken.
    #[must_use]
    pub fn of(mask: &BooleanArray) -> Self {
        match mask.true_count() {
            0 => Self::None,
            all if all == mask.len() => Self::All,
            _ if mask.null_count() > 0 => Self::Some(arrow::compute::prep_null_mask_filter(mask)),
            _ => Self::Some(mask.clone()),
        }
    }
}

/// Adds the casts that SQL implies, and folds what is constant.
fn coerce(logical: Expr, columns: &Arc<DFSchema>) -> Planned<Expr> {
    let context = SimplifyContext::builder()
        .with_schema(Arc::clone(columns))
        .with_config_options(Arc::clone(Functions::get().options()))
        .build();
    let simplifier = ExprSimplifier::new(context);
    let coerced = simplifier.coerce(logical, columns)?;
    simplifier.simplify(coerced)
}

/// The vectorised form, with arithmetic that reports an overflow instead of wrapping around.
pub(crate) fn physical(logical: &Expr, columns: &DFSchema) -> Planned<Arc<dyn PhysicalExpr>> {
    let mut properties = ExecutionProps::new();
    properties.config_options = Some(Arc::clone(Functions::get().options()));
    let planning = PhysicalPlanningContext::default();
    let physical = create_physical_expr(logical, columns, &properties, &planning)?;
    let checked = physical.transform_up(|node| {
        let Some(binary) = node.downcast_ref::<BinaryExpr>() else {
            return Ok(Transformed::no(node));
        };
        match binary.op() {
            Operator::Plus | Operator::Minus | Operator::Multiply => {
                let checked = binary.clone().with_fail_on_overflow(true);
                Ok(Transformed::yes(Arc::new(checked) as Arc<dyn PhysicalExpr>))
            }
            _ => Ok(Transformed::no(node)),
        }
    })?;
    Ok(checked.data)
}

/// Evaluates on a batch without rows: kernels that do not know a type say so now, not at 3 a.m.
pub(crate) fn probe(
    physical: &Arc<dyn PhysicalExpr>,
    schema: &SchemaRef,
    declared: &DataType,
) -> Planned<()> {
    let empty = RecordBatch::new_empty(Arc::clone(schema));
    let value = now::at(Timestamp(0), || physical.evaluate(&empty))?;
    if value.data_type() == *declared {
        return Ok(());
    }
    Err(DataFusionError::Plan(format!(
        "the result is {} where {declared} was promised",
        value.data_type()
    )))
}

/// What is worth knowing about an expression that gives another answer each time.
pub(crate) fn warnings(logical: &Expr) -> Vec<String> {
    let mut found = Vec::new();
    // The closure cannot fail, so the walk cannot either.
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

/// The value of `schema`'s column number `index` in words, for messages.
pub(crate) fn column_name(schema: &Schema, index: usize) -> &str {
    schema.fields().get(index).map_or("", |f| f.name().as_str())
}

#[cfg(test)]
#[path = "expression/tests.rs"]
mod tests;
