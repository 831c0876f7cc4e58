//! Rows transformed by parameters that do not change: no event time, no state, no waiting.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use swiftwater_engine::operator::Input;
use swiftwater_engine::{Batch, Operator, Output, Result};

use super::fit::Fit;
use super::node::{Layout, count_infinite};
use super::parameters::{Served, key_texts};
use super::transform::{Growing, Known, Values};

/// A node that does not learn.
pub(super) struct Serving {
    pub(super) layout: Arc<Layout>,
    pub(super) served: Arc<Served>,
    /// What is known of a key that the file does not have.
    pub(super) unknown: Vec<Fit>,
    /// Times of rows, where the input has them.
    pub(super) time: Option<crate::keyed::EventTime>,
}

impl Operator for Serving {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        let (batch, times) = match &self.time {
            Some(time) => {
                let rows = time.of(batch, out)?;
                (rows.batch, rows.times.to_vec())
            }
            None => (batch.clone(), vec![0; batch.rows()]),
        };
        let records = &batch.records;
        let keys = key_texts(&self.layout.keys.of(records), records.num_rows())?;
        let fits: Vec<&[Fit]> = if self.layout.keys.numbers.is_empty() {
            vec![self.served.get(&None).unwrap_or(&self.unknown).as_slice(); records.num_rows()]
        } else {
            keys.iter()
                .map(|key| self.served.get(key).unwrap_or(&self.unknown).as_slice())
                .collect()
        };
        let made = self.make(records, &fits, &times, out)?;
        out.emit(batch.with_records(made));
        Ok(())
    }
}

impl Serving {
    fn make(
        &self,
        records: &RecordBatch,
        fits: &[&[Fit]],
        times: &[i64],
        out: &mut Output,
    ) -> Result<RecordBatch> {
        let mut made: Vec<ArrayRef> = Vec::with_capacity(self.layout.columns.len());
        for (number, column) in self.layout.columns.iter().enumerate() {
            let source = records.column(column.source);
            let (values, mut infinite) = Values::of(source, column.reads)?;
            let mut grown = Growing::new(column.field.data_type(), records.num_rows());
            for (row, (fits, time)) in fits.iter().zip(times).enumerate() {
                let Some(fit) = fits.get(number) else { continue };
                let known = Known { fit, spec: &column.spec, time: *time };
                let answer = column.transform.one(known, values.get(row));
                infinite += usize::from(!grown.push(answer));
            }
            count_infinite(column, infinite, out);
            made.push(grown.into_column(column, (records, &values))?);
        }
        self.layout.output(records, made)
    }
}
