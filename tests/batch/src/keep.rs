//! A sink that shows its rows to the test, each once: staged at the end of an epoch, shown when the
//! epoch is committed.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use swiftwater_engine::{
    Batch, Epoch, ExactlyOnce, NodeContext, Result, Sequence, Sink, SinkContext, SinkOptions,
    SinkPlan, Staged,
};

use crate::world::{self, World};

/// Shows rows under the name of the node.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keep {}

struct Keeping {
    world: Arc<World>,
    node: String,
    last: Sequence,
    rows: Vec<RecordBatch>,
}

impl SinkOptions for Keep {
    const KIND: &'static str = "keep";
    const EXAMPLE: &'static str = "";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SinkPlan> {
        let (world, node) = (world::of(cx.topology), cx.node.name.clone());
        let make = move || {
            let (world, node) = (Arc::clone(&world), node.clone());
            Ok(Box::new(Keeping { world, node, last: 0, rows: Vec::new() }) as Box<dyn Sink>)
        };
        let plan = SinkPlan::new(Arc::new(make));
        Ok(SinkPlan { exactly_once: true, takes_upserts: true, ..plan })
    }
}

impl Sink for Keeping {
    fn open(&mut self, cx: SinkContext) -> Result<()> {
        let committed = cx.exactly_once.and_then(|ExactlyOnce { committed }| committed);
        if let Some((epoch, Some(staged))) = committed {
            self.finalise(epoch, &staged)?;
        }
        self.world.forget_staged(&self.node);
        Ok(())
    }

    fn write(&mut self, sequence: Sequence, batch: &Batch) -> Result<()> {
        self.last = sequence;
        self.rows.push(batch.records.clone());
        Ok(())
    }

    fn acknowledged(&mut self, _wait: Duration) -> Result<Sequence> {
        Ok(self.last)
    }

    fn stage(&mut self, epoch: Epoch) -> Result<Staged> {
        self.world.stage(&self.node, epoch, std::mem::take(&mut self.rows));
        Ok(json!({}))
    }

    fn finalise(&mut self, epoch: Epoch, _staged: &Staged) -> Result<()> {
        self.world.show(&self.node, epoch);
        Ok(())
    }
}
