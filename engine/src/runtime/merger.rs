//! Merges files of snapshots in the background, one table at a time.

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::message::Epoch;
use crate::snapshot::{Job, Merged, Store, TableState, due, merge, part_name};
use crate::state::TableSpec;

/// A merge takes this part of the memory that state may take,
const SHARE: u64 = 8;
/// but no less than this.
const AT_LEAST: usize = 16 << 20;

/// At most one merge at work.
pub(super) struct Merger {
    store: Arc<Store>,
    run: String,
    /// Bytes of memory that a merge may take.
    most: usize,
    at_work: Option<JoinHandle<Result<Merged>>>,
}

impl Merger {
    /// Merges in `store`, where the state of all nodes may take `state_bytes` of memory.
    pub(super) fn new(store: Arc<Store>, run: String, state_bytes: u64) -> Self {
        let most = usize::try_from(state_bytes / SHARE).unwrap_or(usize::MAX).max(AT_LEAST);
        Self { store, run, most, at_work: None }
    }

    /// Bytes of memory that a part of a table may take where it is read.
    pub(super) const fn most(&self) -> usize {
        self.most
    }

    /// The merge that is done, if one is. One that failed is tried again later: its inputs are
    /// still there.
    pub(super) fn take(&mut self) -> Option<Merged> {
        let done = self.at_work.take_if(|thread| thread.is_finished())?.join();
        let merged =
            done.unwrap_or_else(|_| Err(Error::bug("merge snapshots: the thread panicked")));
        merged.inspect_err(|error| tracing::warn!(%error, "merge snapshots")).ok()
    }

    /// Starts a merge of `table` where it has many parts and nothing else is at work.
    pub(super) fn offer(&mut self, node: &str, spec: &TableSpec, table: &TableState, epoch: Epoch) {
        let Some(count) = due(table).filter(|_| self.at_work.is_none()) else {
            return;
        };
        let (older, newest) = table.parts.split_at(table.parts.len().saturating_sub(count));
        // State of an instance must not be joined with that of another.
        if spec.partition == 0
            && newest.iter().any(|p| Some(p.instance) != newest.first().map(|p| p.instance))
        {
            return;
        }
        let instance = newest.last().map_or(0, |p| p.instance);
        let job = Job {
            node: node.to_owned(),
            spec: spec.clone(),
            parts: newest.to_vec(),
            has_older: !older.is_empty(),
            most: self.most,
            expired_below: table.expired_below,
            file: part_name(node, spec.name, epoch, instance, &format!("{}-merged", self.run)),
        };
        let store = Arc::clone(&self.store);
        let thread = std::thread::Builder::new().name("merge".into());
        match thread.spawn(move || merge(&store, job)) {
            Ok(thread) => self.at_work = Some(thread),
            Err(error) => tracing::warn!(%error, "start a thread to merge snapshots"),
        }
    }
}
