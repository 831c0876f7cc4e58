//! One call of an aggregate, such as `max(price) FILTER (WHERE price > 0)`, planned.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{DFSchema, DataFusionError};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::{EmitTo, Expr, GroupsAccumulator};
use datafusion_physical_expr::aggregate::{AggregateFunctionExpr, LoweredAggregateBuilder};
use swiftwater_engine::{Error, Result, Timestamp};

use super::one_by_one::OneByOne;
use crate::expression::{Computed, Functions, Taken, fault};

type Planned<T> = std::result::Result<T, DataFusionError>;

/// A planned call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    what: Arc<str>,
    aggregate: Arc<AggregateFunctionExpr>,
    arguments: Vec<Computed>,
    filter: Option<Computed>,
    /// Types of its partial state.
    states: Vec<DataType>,
    /// What it takes from a batch without rows.
    none: Taking,
}

/// What a call takes from a batch.
#[derive(Debug, Clone)]
pub(super) struct Taking {
    pub(super) arguments: Vec<ArrayRef>,
    pub(super) filter: Option<BooleanArray>,
}

impl Call {
    /// Plans a typed `Expr::AggregateFunction` over the columns of the input.
    pub(super) fn plan(logical: &Expr, columns: &DFSchema, text: &str) -> Planned<Self> {
        let Expr::AggregateFunction(function) = logical else {
            return Err(DataFusionError::Internal(format!("{logical} is no aggregate")));
        };
        let mut properties = ExecutionProps::new();
        properties.config_options = Some(Arc::clone(Functions::get().options()));
        let planning = PhysicalPlanningContext::default();
        let schema = columns.inner();
        let lowered =
            LoweredAggregateBuilder::new(logical, columns, schema, &properties, &planning)
                .build()?;
        let parameters = &function.params;
        let what = fault::quote(text);
        if !parameters.order_by.is_empty()
            && lowered.aggregate.order_sensitivity().hard_requires()
            && !function.func.supports_within_group_clause()
        {
            let name = function.func.name();
            let cure = match name {
                "string_agg" => "; write `array_to_string(array_agg(x ORDER BY y), ', ')`",
                _ => "",
            };
            let message =
                format!("`{name}` needs its rows in order, and those of a stream are not{cure}");
            return Err(DataFusionError::Plan(message));
        }
        let ordering = parameters.order_by.iter().map(|sort| &sort.expr);
        let arguments = parameters.args.iter().chain(ordering);
        let filter = parameters.filter.as_deref();
        let mut call = Self {
            arguments: arguments
                .map(|argument| Computed::new(argument, columns, &what))
                .collect::<Planned<_>>()?,
            filter: filter.map(|f| Computed::new(f, columns, &what)).transpose()?,
            what: what.into(),
            aggregate: lowered.aggregate,
            states: Vec::new(),
            none: Taking { arguments: Vec::new(), filter: None },
        };
        // What the accumulator of one empty group gives counts, not what is written about it.
        let empty = RecordBatch::new_empty(Arc::clone(schema));
        call.none =
            call.take(&empty, Timestamp(0)).map_err(|e| DataFusionError::Plan(e.message))?;
        let mut probe = call.new_accumulator()?;
        probe.update_batch(&call.none.arguments, &[], call.none.filter.as_ref(), 1)?;
        let states = probe.state(EmitTo::All)?;
        call.states = states.iter().map(|state| state.data_type().clone()).collect();
        Ok(call)
    }

    /// The result's column.
    pub(super) fn field(&self) -> FieldRef {
        self.aggregate.field()
    }

    /// Types of the partial state's columns.
    pub(super) fn states(&self) -> &[DataType] {
        &self.states
    }

    fn new_accumulator(&self) -> Planned<Box<dyn GroupsAccumulator>> {
        if self.aggregate.groups_accumulator_supported() {
            self.aggregate.create_groups_accumulator()
        } else {
            Ok(Box::new(OneByOne::new(&self.aggregate)))
        }
    }

    /// An accumulator without groups.
    ///
    /// # Errors
    /// None once the call is planned.
    pub(super) fn accumulator(&self) -> Result<Box<dyn GroupsAccumulator>> {
        self.new_accumulator().map_err(|e| self.failed(&e))
    }

    /// An accumulator of `total` groups to merge states into, in any order.
    ///
    /// Without a filter DataFusion takes it that each call has a row for every group that is new
    /// with it, and does not keep track of which had a value. A filter, here one without rows,
    /// makes it keep track.
    ///
    /// # Errors
    /// None once the call is planned.
    pub(super) fn merging(&self, total: usize) -> Result<Box<dyn GroupsAccumulator>> {
        let mut accumulator = self.accumulator()?;
        let nothing = BooleanArray::from(Vec::<bool>::new());
        accumulator
            .update_batch(&self.none.arguments, &[], Some(&nothing), total)
            .map_err(|e| self.failed(&e))?;
        Ok(accumulator)
    }

    /// What it takes from the rows of a batch.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where a row cannot be evaluated.
    pub(super) fn take(&self, records: &RecordBatch, now: Timestamp) -> Result<Taking> {
        let arguments = self.arguments.iter().map(|a| a.evaluate(records, now));
        let rows = records.num_rows();
        let filter = match &self.filter {
            None => None,
            Some(filter) => match filter.take(records, now)? {
                Taken::All => None,
                Taken::None => Some(BooleanArray::from(vec![false; rows])),
                Taken::Some(mask) => Some(mask),
            },
        };
        Ok(Taking { arguments: arguments.collect::<Result<_>>()?, filter })
    }

    /// The partial states of all groups of an accumulator, which is spent afterwards.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(super) fn state(&self, accumulator: &mut dyn GroupsAccumulator) -> Result<Vec<ArrayRef>> {
        let states = accumulator.state(EmitTo::All).map_err(|e| self.failed(&e))?;
        let typed = states.into_iter().zip(&self.states).map(|(state, declared)| {
            if state.data_type() == declared { Ok(state) } else { Ok(cast(&state, declared)?) }
        });
        typed.collect()
    }

    /// The results of all groups of an accumulator, which is spent afterwards.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(super) fn result(&self, accumulator: &mut dyn GroupsAccumulator) -> Result<ArrayRef> {
        let result = accumulator.evaluate(EmitTo::All).map_err(|e| self.failed(&e))?;
        let declared = self.aggregate.field();
        if result.data_type() == declared.data_type() {
            return Ok(result);
        }
        Ok(cast(&result, declared.data_type())?)
    }

    /// DataFusion's error in our words.
    pub(super) fn failed(&self, error: &DataFusionError) -> Error {
        fault::running(error, &self.what)
    }
}
