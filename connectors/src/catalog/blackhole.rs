//! The `blackhole` sink: takes rows and forgets them, to measure what stands before it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use swiftwater_engine::{
    Batch, NodeContext, Result, Sequence, Sink, SinkContext, SinkOptions, SinkPlan,
};

use crate::unused_fields;

/// Takes every row, acknowledges it at once and forgets it.
///
/// Rows and bytes are counted like those of any sink (`swiftwater_rows_total`), so the rate and the
/// latency of what stands before it can be measured without the cost of an outside system.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlackholeOptions {}

impl SinkOptions for BlackholeOptions {
    const KIND: &'static str = "blackhole";
    const EXAMPLE: &'static str = "\
name: measure
sources:
  bids: {generate: {preset: bids, count: 100000}}
sinks:
  nowhere: {input: bids, blackhole: {}}
";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SinkPlan> {
        unused_fields::refuse_format(cx.node)?;
        let plan = SinkPlan::new(Arc::new(|| Ok(Box::new(Blackhole::default()))));
        Ok(SinkPlan { takes_upserts: true, ..plan })
    }
}

/// The sink: remembers only the number of the last batch.
#[derive(Default)]
struct Blackhole {
    taken: Sequence,
}

impl Sink for Blackhole {
    fn open(&mut self, _cx: SinkContext) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, sequence: Sequence, _batch: &Batch) -> Result<()> {
        self.taken = sequence;
        Ok(())
    }

    fn acknowledged(&mut self, _wait: Duration) -> Result<Sequence> {
        Ok(self.taken)
    }
}
