//! What the sources of one test read, how far they may read, and what its sinks have shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

/// All batches may be read.
pub(crate) const ALL: usize = 1000;

/// What a source reads: batch n is in partition n modulo `partitions`.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) partitions: usize,
}

impl Feed {
    /// The batches of one partition.
    pub(crate) fn partition(&self, number: usize) -> Vec<RecordBatch> {
        self.batches.iter().skip(number).step_by(self.partitions).cloned().collect()
    }
}

#[derive(Default)]
struct State {
    /// How many thousandths of each partition may be read.
    limit: usize,
    /// Partitions that have been read that far, by source and number.
    waiting: BTreeSet<(String, usize)>,
    /// The last epoch that a sink has shown.
    epoch: u64,
    staged: BTreeMap<(String, u64), Vec<RecordBatch>>,
    shown: BTreeMap<String, Vec<RecordBatch>>,
}

/// The outside of one topology.
pub(crate) struct World {
    pub(crate) feeds: BTreeMap<String, Feed>,
    state: Mutex<State>,
    changed: Condvar,
}

static WORLDS: OnceLock<Mutex<BTreeMap<String, Arc<World>>>> = OnceLock::new();

fn worlds() -> MutexGuard<'static, BTreeMap<String, Arc<World>>> {
    WORLDS.get_or_init(Mutex::default).lock().unwrap()
}

/// The world of the topology of this name.
pub(crate) fn of(topology: &str) -> Arc<World> {
    Arc::clone(worlds().get(topology).unwrap())
}

/// Makes a world for the topology of this name, for as long as it is held.
pub(crate) fn create(topology: &str, feeds: BTreeMap<String, Feed>) -> Existing {
    let world = World { feeds, state: Mutex::default(), changed: Condvar::new() };
    worlds().insert(topology.to_owned(), Arc::new(world));
    Existing(topology.to_owned())
}

/// A world that is there until this is dropped.
pub(crate) struct Existing(String);

impl Drop for Existing {
    fn drop(&mut self) {
        worlds().remove(&self.0);
    }
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How many of `batches` of a partition may be read; `None` where all may and the partition ends.
    pub(crate) fn limit(&self, batches: usize) -> Option<usize> {
        let limit = self.state().limit;
        (limit < ALL).then(|| batches * limit / ALL)
    }

    /// A partition has been read as far as it may.
    pub(crate) fn waits(&self, source: &str, partition: usize) {
        if self.state().waiting.insert((source.to_owned(), partition)) {
            self.changed.notify_all();
        }
    }

    /// Waits until something changes.
    pub(crate) fn pause(&self, most: Duration) {
        drop(self.changed.wait_timeout(self.state(), most).unwrap());
    }

    /// Lets sources read so many thousandths.
    pub(crate) fn allow(&self, limit: usize) {
        let mut state = self.state();
        state.limit = limit;
        state.waiting.clear();
        self.changed.notify_all();
    }

    /// Whether every partition has been read as far as it may.
    pub(crate) fn is_waiting(&self) -> bool {
        let partitions: usize = self.feeds.values().map(|f| f.partitions).sum();
        self.state().waiting.len() == partitions
    }

    /// The last epoch that was shown.
    pub(crate) fn epoch(&self) -> u64 {
        self.state().epoch
    }

    /// Keeps rows of an epoch unseen.
    pub(crate) fn stage(&self, sink: &str, epoch: u64, rows: Vec<RecordBatch>) {
        self.state().staged.insert((sink.to_owned(), epoch), rows);
    }

    /// Forgets what a sink staged and nobody committed.
    pub(crate) fn forget_staged(&self, sink: &str) {
        self.state().staged.retain(|(of, _), _| of != sink);
    }

    /// Shows the rows of an epoch, once.
    pub(crate) fn show(&self, sink: &str, epoch: u64) {
        let mut state = self.state();
        if let Some(rows) = state.staged.remove(&(sink.to_owned(), epoch)) {
            state.shown.entry(sink.to_owned()).or_default().extend(rows);
        }
        state.epoch = state.epoch.max(epoch);
        self.changed.notify_all();
    }

    /// What a sink has shown.
    pub(crate) fn shown(&self, sink: &str) -> Vec<RecordBatch> {
        self.state().shown.get(sink).cloned().unwrap_or_default()
    }
}
