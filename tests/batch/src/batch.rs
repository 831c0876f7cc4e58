//! Batch SQL: DataFusion over tables in memory.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use tokio::runtime::{Builder, Runtime};

/// Tables to ask.
pub(crate) struct Tables {
    context: SessionContext,
    runtime: Runtime,
}

impl Tables {
    /// Tables by name.
    pub(crate) fn new(tables: impl IntoIterator<Item = (&'static str, RecordBatch)>) -> Self {
        let config = SessionConfig::new().with_target_partitions(1);
        let context = SessionContext::new_with_config(config);
        for (name, rows) in tables {
            let table = MemTable::try_new(rows.schema(), vec![vec![rows]]).unwrap();
            context.register_table(name, Arc::new(table)).unwrap();
        }
        Self { context, runtime: Builder::new_current_thread().build().unwrap() }
    }

    /// The answer to a query.
    ///
    /// # Panics
    /// Where the query fails.
    pub(crate) fn query(&self, text: &str) -> Vec<RecordBatch> {
        let answer = self.runtime.block_on(async { self.context.sql(text).await?.collect().await });
        answer.unwrap_or_else(|error| panic!("{error}\n{text}"))
    }
}
