//! A source that reads what its world holds, in partitions, again from any position.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::{
    Batch, NodeContext, Polled, Position, Reading, Readings, Result, Source, SourceContext,
    SourceOptions, SourcePlan, Split, Timestamp,
};

use crate::world::{self, World};

/// Reads the feed that has the name of the node.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {}

struct Partition {
    number: usize,
    batches: Vec<RecordBatch>,
    next: usize,
}

struct Replaying {
    world: Arc<World>,
    node: String,
    partitions: Vec<Partition>,
    turn: usize,
}

impl SourceOptions for Replay {
    const KIND: &'static str = "replay";
    const EXAMPLE: &'static str = "";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SourcePlan> {
        let (world, node) = (world::of(cx.topology), cx.node.name.clone());
        let schema = Arc::clone(&world.feeds[&node].schema);
        let make = move |_| {
            let (world, node) = (Arc::clone(&world), node.clone());
            let source = Replaying { world, node, partitions: Vec::new(), turn: 0 };
            Ok(Box::new(source) as Box<dyn Source>)
        };
        let plan = SourcePlan::new(schema, Arc::new(make));
        Ok(SourcePlan { bounded: true, replayable: true, ..plan })
    }
}

impl Source for Replaying {
    fn open(&mut self, cx: SourceContext) -> Result<()> {
        assert!(cx.takes_all, "the instances share the partitions among themselves");
        let feed = &self.world.feeds[&self.node];
        let own = (0..feed.partitions).filter(|p| p % cx.instances == cx.instance);
        let resume = cx.resume.unwrap_or_default();
        let next = |number: usize| {
            let at = resume.0.get(&number.to_string()).copied().unwrap_or(0);
            usize::try_from(at).unwrap()
        };
        let partition =
            |number| Partition { number, batches: feed.partition(number), next: next(number) };
        self.partitions = own.map(partition).collect();
        Ok(())
    }

    fn poll(&mut self, wait: Duration) -> Result<Polled> {
        let count = self.partitions.len();
        let mut ended = 0;
        for turn in 0..count {
            let at = (self.turn + turn) % count;
            let partition = &mut self.partitions[at];
            let all = partition.batches.len();
            let limit = self.world.limit(all);
            if partition.next < limit.unwrap_or(all) {
                let records = partition.batches[partition.next].clone();
                partition.next += 1;
                self.turn = at + 1;
                let splits = vec![(Split::from(partition.number.to_string()), records.num_rows())];
                let batch = Batch::new(records, Readings::polled_at(Timestamp(0)));
                return Ok(Polled::Rows { batch, rejected: Vec::new(), bytes: 8, splits });
            }
            match limit {
                Some(_) => self.world.waits(&self.node, partition.number),
                None => ended += 1,
            }
        }
        if ended == count {
            return Ok(Polled::End);
        }
        self.world.pause(wait);
        Ok(Polled::Empty)
    }

    fn position(&self) -> Position {
        let next = |p: &Partition| (p.number.to_string(), i64::try_from(p.next).unwrap());
        Position(self.partitions.iter().map(next).collect::<BTreeMap<_, _>>())
    }

    fn reading(&self) -> Vec<Reading> {
        let reading =
            |p: &Partition| Reading { split: Split::from(p.number.to_string()), caught_up: false };
        self.partitions.iter().map(reading).collect()
    }
}
