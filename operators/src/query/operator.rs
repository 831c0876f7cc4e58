//! A query as the operator of a node.

use std::sync::Arc;

use arrow::datatypes::Schema;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{Batch, Operator, OperatorPlan, Output, Result, Stream};

use super::{Query, Step};

impl Query {
    /// The plan of a node that runs the query on each batch of `input`. The event time of the stream
    /// goes on under the name that the query gives it.
    pub(crate) fn into_plan(self, input: &Schema, stream: &Stream) -> OperatorPlan {
        let renamed = self
            .renamed(input, stream)
            .map(|column| Stream { event_time: Some(column), changes: stream.changes.clone() });
        OperatorPlan { stream: renamed, ..self.into_operator() }
    }

    /// The event-time column under its new name, where it has one.
    fn renamed(&self, input: &Schema, stream: &Stream) -> Option<String> {
        let column = stream.event_time.as_ref()?;
        if self.schema.column_with_name(column).is_some() {
            return None;
        }
        let start = input.index_of(column).ok()?;
        let place = self.steps.iter().try_fold(start, |at, step| match step {
            Step::Columns { numbers, .. } => numbers.iter().position(|n| *n == at),
            Step::Project { columns, .. } => columns.iter().position(|c| c.as_column() == Some(at)),
            Step::Filter { keep: Some(keep), .. } => keep.iter().position(|n| *n == at),
            Step::Filter { keep: None, .. } => Some(at),
            Step::Unnest(_) => None,
        })?;
        Some(self.schema.fields().get(place)?.name().clone())
    }

    fn into_operator(self) -> OperatorPlan {
        let query = Arc::new(self);
        let (schema, warnings) = (Arc::clone(&query.schema), query.warnings.clone());
        let make = Arc::new(move |_| {
            Ok(Box::new(QueryOperator { query: Arc::clone(&query) }) as Box<dyn Operator>)
        });
        OperatorPlan { warnings, ..OperatorPlan::stateless(schema, make) }
    }
}

struct QueryOperator {
    query: Arc<Query>,
}

impl Operator for QueryOperator {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        let mut results = Vec::with_capacity(1);
        self.query.run(batch.records.clone(), out.now(), &mut results)?;
        results.into_iter().for_each(|records| out.emit(batch.with_records(records)));
        Ok(())
    }
}
