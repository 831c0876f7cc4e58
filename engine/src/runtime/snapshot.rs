//! The state of tasks at a barrier, and back from the object store into fresh tasks.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use super::chain::Chain;
use super::control::Stopped;
use super::state_share::{Held, Share};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::key_group;
use crate::message::Epoch;
use crate::operator::Operator;
use crate::sink::ExactlyOnce;
use crate::snapshot::{Contents, Manifest, NodeState, Store};
use crate::source::Position;
use crate::state::{TableDelta, TableSpec};

/// What one node of one task held at a barrier.
pub(super) struct Sealed {
    pub(super) node: String,
    pub(super) deltas: Vec<TableDelta>,
    pub(super) watermark: Option<Timestamp>,
    /// What its state takes.
    pub(super) held: Held,
}

/// What the last committed epoch left behind; nothing on a first start.
#[derive(Default)]
pub(super) struct Recovered {
    pub(super) manifest: Option<Manifest>,
    pub(super) store: Option<Arc<Store>>,
    /// The last number of an epoch that is taken: by a commit, or since the topology was started anew.
    pub(super) base: Epoch,
}

impl Recovered {
    /// The last epoch: numbers go on after it.
    pub(super) fn epoch(&self) -> Epoch {
        self.manifest.as_ref().map_or(0, |m| m.epoch).max(self.base)
    }

    /// What a sink had staged.
    pub(super) fn of_sink(&self, node: &str) -> ExactlyOnce {
        let of = |m: &Manifest| (m.epoch, m.sinks.get(node).cloned());
        ExactlyOnce { committed: self.manifest.as_ref().map(of) }
    }

    /// Where a source instance goes on: all splits of the node, those of its own before others of
    /// the same name.
    pub(super) fn position(&self, node: &str, instance: usize) -> Option<Position> {
        let instances = self.manifest.as_ref()?.sources.get(node)?;
        let mut position = Position::default();
        let own = instances.get(&instance);
        for state in instances.values().chain(own) {
            position.0.extend(state.position.0.clone());
        }
        Some(position)
    }

    /// Watermarks of the splits of a source.
    pub(super) fn watermarks(&self, node: &str, instance: usize) -> BTreeMap<String, i64> {
        let instances = self.manifest.as_ref().and_then(|m| m.sources.get(node));
        let Some(instances) = instances else {
            return BTreeMap::new();
        };
        let all = instances.values().chain(instances.get(&instance));
        all.flat_map(|s| s.watermarks.clone()).collect()
    }
}

/// A task's part of snapshots.
pub(super) struct TaskSnapshots {
    /// Number of the task.
    pub(super) task: usize,
    /// Number of the instance, and how many there are.
    pub(super) instance: usize,
    pub(super) instances: usize,
}

impl TaskSnapshots {
    /// Gives the nodes of a task their state.
    pub(super) fn restore(&self, recovered: &Recovered, chain: &mut Chain) -> Result<(), Stopped> {
        let (Some(manifest), Some(store)) = (&recovered.manifest, &recovered.store) else {
            return Ok(());
        };
        chain.restore(|node, operator, share| match manifest.nodes.get(node) {
            Some(state) => self.restore_node(store, state, (operator, share)),
            None => Ok(None),
        })
    }

    fn restore_node(
        &self,
        store: &Store,
        state: &NodeState,
        (operator, share): (&mut dyn Operator, &mut Share),
    ) -> Result<Option<Timestamp>> {
        for spec in operator.tables() {
            let Some(table) = state.tables.get(spec.name) else {
                continue;
            };
            for part in &table.parts {
                if spec.partition == 0 && part.instance % self.instances != self.instance {
                    continue;
                }
                let contents = Contents::read(store, part)?;
                let delta = TableDelta {
                    table: spec.name,
                    rows: self.own(&spec, &contents.rows)?,
                    deleted: contents.deleted.map(|d| self.own(&spec, &d)).transpose()?,
                    expired_below: table.expired_below,
                };
                operator.restore(&delta)?;
                drop(delta);
                share.keep_within(operator)?;
            }
        }
        Ok(state.watermark.map(Timestamp))
    }

    /// The rows whose keys belong to this instance.
    fn own(&self, spec: &TableSpec, rows: &RecordBatch) -> Result<RecordBatch> {
        if spec.partition == 0 || self.instances == 1 {
            return Ok(rows.clone());
        }
        let keys: Vec<ArrayRef> = rows.columns().iter().take(spec.partition).cloned().collect();
        let groups = key_group::of_rows(&keys)?;
        let mine = groups.iter().map(|g| key_group::task(*g, self.instances) == self.instance);
        Ok(filter_record_batch(rows, &mine.map(Some).collect::<BooleanArray>())?)
    }
}
