//! A query as the operator of a node.

use std::sync::Arc;

use swiftwater_engine::operator::Input;
use swiftwater_engine::{Batch, Operator, OperatorPlan, Output, Result};

use super::Query;

impl Query {
    /// The plan of a node that runs the query on each batch.
    pub(crate) fn into_plan(self) -> OperatorPlan {
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
