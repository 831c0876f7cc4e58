//! `anonymize`: hides who or what a row is about, column by column.

mod methods;
mod options;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result, Stream,
};

use self::methods::Change;
pub use self::options::AnonymizeOptions;
use crate::expression::fault;

impl OperatorOptions for AnonymizeOptions {
    const KIND: &'static str = "anonymize";
    const EXAMPLE: &'static str = r#"name: anonymize_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
operators:
  shared:
    input: bids
    anonymize:
      key: "${ANONYMIZE_KEY:-an example, give a secret of 32 characters}"
      columns:
        bidder: {method: hash, domain: person}
        price: {method: bin, width: 1000}
        date_time: {method: truncate, to: hour}
        url: {method: prefix, length: 12}
        channel: {method: keep}
      others: drop
sinks:
  out: {input: shared, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let (columns, kept) = self.columns(&input)?;
        let fields: Vec<FieldRef> = columns.iter().map(|c| Arc::clone(&c.field)).collect();
        let output: SchemaRef = Arc::new(Schema::new(fields));
        let mut stream: Stream = cx.stream(0);
        // A time that is not the event's own any more must not meet its watermark.
        stream.event_time = stream.event_time.filter(|time| kept.contains(time));
        let shared = Arc::new(Shared { columns, output: Arc::clone(&output) });
        let make = Arc::new(move |_| {
            Ok(Box::new(Anonymize { shared: Arc::clone(&shared) }) as Box<dyn Operator>)
        });
        Ok(OperatorPlan { stream: Some(stream), ..OperatorPlan::stateless(output, make) })
    }
}

/// A column of the result.
struct Column {
    source: usize,
    field: FieldRef,
    change: Change,
}

struct Shared {
    columns: Vec<Column>,
    output: SchemaRef,
}

struct Anonymize {
    shared: Arc<Shared>,
}

impl Operator for Anonymize {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        let columns = self.shared.columns.iter().map(|column| {
            let values = batch.records.column(column.source);
            column.change.apply(values, &batch.records, out.now())
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let records = RecordBatch::try_new(Arc::clone(&self.shared.output), columns)?;
        out.emit(batch.with_records(records));
        Ok(())
    }
}

fn mistake(message: impl Into<String>, hint: &str) -> Error {
    Error::config("SW0395", message).with_hint(hint)
}

fn find(input: &Schema, name: &str) -> Result<usize> {
    input.index_of(name).map_err(|_| fault::unknown_column(name, "columns", input))
}

#[cfg(test)]
mod tests;
