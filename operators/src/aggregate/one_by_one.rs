//! Groups of aggregates for which DataFusion has only an accumulator of one group: each group has
//! its own.
//!
//! DataFusion's adapter for them walks over all groups with every batch; here a batch costs what it
//! touches, because a stream has millions of groups and small batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, UInt32Array, new_empty_array};
use arrow::compute::{filter, prep_null_mask_filter, take};
use datafusion_common::{DataFusionError, Result, ScalarValue};
use datafusion_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;

/// An accumulator for each group.
pub(super) struct OneByOne {
    aggregate: Arc<AggregateFunctionExpr>,
    groups: Vec<Box<dyn Accumulator>>,
}

impl OneByOne {
    pub(super) fn new(aggregate: &Arc<AggregateFunctionExpr>) -> Self {
        Self { aggregate: Arc::clone(aggregate), groups: Vec::new() }
    }

    /// Calls `call` for each group that has rows, with its rows in their order.
    fn each(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        mask: Option<&BooleanArray>,
        total: usize,
        call: impl Fn(&mut dyn Accumulator, &[ArrayRef]) -> Result<()>,
    ) -> Result<()> {
        while self.groups.len() < total {
            self.groups.push(self.aggregate.create_accumulator()?);
        }
        let mut rows: Vec<(usize, u32)> = group_indices.iter().copied().zip(0..).collect();
        rows.sort_unstable();
        let order = UInt32Array::from_iter_values(rows.iter().map(|(_, row)| *row));
        let taken = |column: &ArrayRef| take(column, &order, None);
        let values: Vec<ArrayRef> =
            values.iter().map(taken).collect::<std::result::Result<_, _>>()?;
        let mask = mask.map(|mask| take(mask, &order, None)).transpose()?;
        let mut from = 0;
        for run in rows.chunk_by(|a, b| a.0 == b.0) {
            let part: Vec<ArrayRef> = values.iter().map(|v| v.slice(from, run.len())).collect();
            let part = match &mask {
                Some(mask) => {
                    let mask = mask.slice(from, run.len());
                    let mask = prep_null_mask_filter(mask.as_boolean());
                    let kept = part.iter().map(|v| filter(v, &mask));
                    kept.collect::<std::result::Result<Vec<_>, _>>()?
                }
                None => part,
            };
            from += run.len();
            let group = run.first().and_then(|(group, _)| self.groups.get_mut(*group));
            let group = group.ok_or_else(|| {
                DataFusionError::Internal("a group beyond the number of groups".into())
            })?;
            call(group.as_mut(), &part)?;
        }
        Ok(())
    }
}

impl GroupsAccumulator for OneByOne {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.each(values, group_indices, opt_filter, total_num_groups, |group, values| {
            group.update_batch(values)
        })
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.each(values, group_indices, None, total_num_groups, |group, states| {
            group.merge_batch(states)
        })
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = emit_to.take_needed(&mut self.groups);
        if groups.is_empty() {
            return Ok(new_empty_array(self.aggregate.field().data_type()));
        }
        let values = groups.into_iter().map(|mut group| group.evaluate());
        ScalarValue::iter_to_array(values.collect::<Result<Vec<_>>>()?)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = emit_to.take_needed(&mut self.groups);
        if groups.is_empty() {
            let fields = self.aggregate.state_fields()?;
            return Ok(fields.iter().map(|f| new_empty_array(f.data_type())).collect());
        }
        let mut columns: Vec<Vec<ScalarValue>> = Vec::new();
        for mut group in groups {
            for (number, value) in group.state()?.into_iter().enumerate() {
                match columns.get_mut(number) {
                    Some(column) => column.push(value),
                    None => columns.push(vec![value]),
                }
            }
        }
        columns.into_iter().map(ScalarValue::iter_to_array).collect()
    }

    fn convert_to_state(
        &self,
        _values: &[ArrayRef],
        _opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        Err(DataFusionError::NotImplemented("states of single rows".into()))
    }

    fn size(&self) -> usize {
        self.groups.iter().map(|group| group.size()).sum()
    }
}
