//! The vectorised form of an expression.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion_common::{DFSchema, DataFusionError, ScalarValue};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::{ColumnarValue, Expr, ExprSchemable, Operator};
use datafusion_physical_expr::expressions::{BinaryExpr, Column};
use datafusion_physical_expr::utils::collect_columns;
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};
use swiftwater_engine::{Result, Timestamp};

use super::functions::Functions;
use super::{fault, now};

type Planned<T> = std::result::Result<T, DataFusionError>;

/// A typed expression, ready to be evaluated on batches.
#[derive(Debug, Clone)]
pub(crate) struct Computed {
    /// What it is in messages: its text in backquotes, or "column `x`".
    what: Arc<str>,
    physical: Arc<dyn PhysicalExpr>,
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

impl Computed {
    /// Plans a typed expression and tries it on a batch without rows: kernels that do not know a
    /// type say so now, not at 3 a.m.
    pub(crate) fn new(logical: &Expr, columns: &DFSchema, what: &str) -> Planned<Self> {
        let physical = physical(logical, columns)?;
        let (_, field) = logical.to_field(columns)?;
        probe(&physical, columns.inner(), field.data_type())?;
        Ok(Self { what: what.into(), physical })
    }

    /// One value for each row.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where a row cannot be evaluated.
    pub(crate) fn evaluate(&self, records: &RecordBatch, now: Timestamp) -> Result<ArrayRef> {
        let value = self.value(records, now)?;
        value.into_array(records.num_rows()).map_err(|e| fault::running(&e, &self.what))
    }

    /// The rows for which the answer is true.
    ///
    /// # Errors
    /// As for [`Computed::evaluate`].
    pub(crate) fn take(&self, records: &RecordBatch, now: Timestamp) -> Result<Taken> {
        Ok(match self.value(records, now)? {
            ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))) => Taken::All,
            ColumnarValue::Scalar(_) => Taken::None,
            ColumnarValue::Array(array) => array.as_boolean_opt().map_or(Taken::None, Taken::of),
        })
    }

    fn value(&self, records: &RecordBatch, now: Timestamp) -> Result<ColumnarValue> {
        now::at(now, || self.physical.evaluate(records)).map_err(|e| fault::running(&e, &self.what))
    }

    /// The columns it reads, by number, in ascending order.
    pub(crate) fn columns(&self) -> Vec<usize> {
        let mut columns: Vec<_> =
            collect_columns(&self.physical).iter().map(Column::index).collect();
        columns.sort_unstable();
        columns
    }

    /// The number of the column that it is, where it is nothing else.
    pub(crate) fn as_column(&self) -> Option<usize> {
        self.physical.downcast_ref::<Column>().map(Column::index)
    }

    /// The same over a batch that has only these columns of the original.
    pub(crate) fn over_columns(self, kept: &[usize]) -> Planned<Self> {
        let moved = self.physical.transform_up(|node| {
            let Some(column) = node.downcast_ref::<Column>() else {
                return Ok(Transformed::no(node));
            };
            let at = kept.iter().position(|k| *k == column.index());
            let at = at.ok_or_else(|| {
                DataFusionError::Internal(format!("column {} was pruned", column.name()))
            })?;
            Ok(Transformed::yes(Arc::new(Column::new(column.name(), at)) as Arc<dyn PhysicalExpr>))
        });
        Ok(Self { what: self.what, physical: moved.data()? })
    }
}

/// The physical form, with arithmetic that reports an overflow instead of wrapping around.
fn physical(logical: &Expr, columns: &DFSchema) -> Planned<Arc<dyn PhysicalExpr>> {
    let mut properties = ExecutionProps::new();
    properties.config_options = Some(Arc::clone(Functions::get().options()));
    let planning = PhysicalPlanningContext::default();
    let physical = create_physical_expr(logical, columns, &properties, &planning)?;
    physical
        .transform_up(|node| {
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
        })
        .data()
}

fn probe(physical: &Arc<dyn PhysicalExpr>, schema: &SchemaRef, declared: &DataType) -> Planned<()> {
    let empty = RecordBatch::new_empty(Arc::clone(schema));
    let value = now::at(Timestamp(0), || physical.evaluate(&empty))?;
    let found = value.data_type();
    if found == *declared {
        return Ok(());
    }
    Err(DataFusionError::Plan(format!("the result is {found} where {declared} was promised")))
}
