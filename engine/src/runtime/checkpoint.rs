//! How an epoch is kept: the state that tasks sealed and what sinks staged become durable under a
//! manifest, then one commit makes it true, then what older epochs left is cleared away.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use swiftwater_config::RetryConfig;

use crate::clock::Timestamp;
use crate::commit::{CommitPoint, Committed, Shared};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::{failpoint, skips};
use crate::kind::CommitContext;
use crate::message::Epoch;
use crate::metrics::Metrics;
use crate::plan::{Plan, Planned};
use crate::sink::Staged;
use crate::snapshot::{
    Contents, LAST, Manifest, NodeState, Slice, SourceState, Store, TableState, encode, part_name,
};
use crate::state::{TableDelta, TableSpec};

use super::control::Control;
use super::merger::Merger;
use super::snapshot::Sealed;
use super::state_share::Held;

/// Code of the error after which the topology goes on from what is committed.
pub(crate) const OUTCOME_UNKNOWN: &str = "SW4311";

/// What a plan says of a stateful node.
#[derive(Clone)]
pub(super) struct NodeLayout {
    pub(super) kind: String,
    pub(super) layout: String,
    pub(super) tables: Vec<TableSpec>,
}

/// Everything that tasks said about one epoch.
pub(super) struct Finished {
    pub(super) epoch: Epoch,
    /// By node and instance.
    pub(super) sources: Vec<(String, usize, SourceState)>,
    /// What each task sealed, with its instance.
    pub(super) sealed: Vec<(usize, Vec<Sealed>)>,
    pub(super) sinks: BTreeMap<String, Staged>,
}

/// Keeps epochs.
pub(super) struct Checkpoints {
    pub(super) topology: String,
    pub(super) store: Arc<Store>,
    /// `None` where the store is the commit point.
    pub(super) commit_point: Option<Arc<dyn CommitPoint>>,
    pub(super) layouts: HashMap<String, NodeLayout>,
    pub(super) metrics: Arc<Metrics>,
    /// Tells files of this process from those of others.
    pub(super) run: String,
    pub(super) control: Arc<Control>,
    pub(super) retry: RetryConfig,
    /// Most bytes that the state of all nodes may take.
    pub(super) state_budget: u64,
    pub(super) merger: Merger,
    /// The last committed manifest and its name.
    pub(super) last: Option<(String, Manifest)>,
    /// Files of the epoch before the last, which nothing refers to any more.
    pub(super) unneeded: BTreeSet<String>,
    /// The last epoch that an earlier run of this process knew to be committed; `None` where there was
    /// no such run.
    pub(super) before: Option<Epoch>,
    /// The last epoch that this run knows to be committed.
    pub(super) committed: Arc<AtomicU64>,
}

impl Checkpoints {
    /// Keeps an epoch; when this returns, it is committed.
    pub(super) fn keep(&mut self, finished: Finished) -> Result<()> {
        let epoch = finished.epoch;
        let positions: Vec<_> = finished
            .sources
            .iter()
            .map(|(node, _, state)| (node.clone(), state.position.clone()))
            .collect();
        let name = Manifest::name(epoch, &self.run);
        let manifest = self.manifest(finished)?;
        failpoint("state_written");
        self.patiently(|| manifest.write(&self.store, &name))?;
        failpoint("manifest_written");
        let committed = Committed { epoch, manifest: name.clone() };
        match &self.commit_point {
            Some(point) => {
                point.commit(&committed, &positions).map_err(|e| unknown_outcome(epoch, e))?;
            }
            None => self.commit_in_store(&committed)?,
        }
        self.committed.store(epoch, Ordering::Release);
        failpoint("committed");
        self.clear(name, manifest);
        failpoint("cleared");
        Ok(())
    }

    /// Calls the store, or the commit point, until it answers, within the retry budget.
    pub(super) fn patiently<T>(&self, mut call: impl FnMut() -> Result<T>) -> Result<T> {
        let since = Instant::now();
        let mut pause = self.retry.initial.0;
        loop {
            let error = match call() {
                Err(error) if error.kind == ErrorKind::Unavailable => error,
                other => return other,
            };
            if since.elapsed() > self.retry.budget.0 || self.control.pause(pause).is_err() {
                return Err(error);
            }
            if pause == self.retry.initial.0 {
                tracing::warn!(%error, "an epoch waits for the store of snapshots or the commit point, trying again");
            }
            pause = (pause * 2).min(self.retry.max.0).max(Duration::from_millis(1));
        }
    }

    /// What the epoch leaves behind: the last manifest with the changes.
    fn manifest(&mut self, finished: Finished) -> Result<Manifest> {
        let mut manifest = match &self.last {
            Some((name, last)) => Manifest { previous: Some(name.clone()), ..last.clone() },
            None => Manifest::new(&self.topology),
        };
        manifest.epoch = finished.epoch;
        manifest.created = chrono::Utc::now().timestamp_millis();
        manifest.sinks = finished.sinks;
        manifest.sources.clear();
        for (node, instance, state) in finished.sources {
            manifest.sources.entry(node).or_default().insert(instance, state);
        }
        for (node, layout) in &self.layouts {
            let state = manifest.nodes.entry(node.clone()).or_default();
            state.kind.clone_from(&layout.kind);
            state.layout.clone_from(&layout.layout);
            state.watermark = None;
        }
        manifest.nodes.retain(|node, _| self.layouts.contains_key(node));
        let (mut written, mut held) = (0, BTreeMap::<String, Held>::new());
        for (instance, nodes) in finished.sealed {
            for sealed in nodes {
                held.entry(sealed.node.clone()).or_default().add(sealed.held);
                if let Some((node, layout)) = self.layouts.get_key_value(&sealed.node)
                    && let Some(state) = manifest.nodes.get_mut(node)
                {
                    let epoch = finished.epoch;
                    let keep = Keep { checkpoints: self, node, layout, epoch, instance };
                    written += keep.node(state, sealed)?;
                }
            }
        }
        self.install_merged(&mut manifest);
        self.show(&held, written);
        self.check_budget(&held)?;
        Ok(manifest)
    }

    /// Puts merged files in the place of those they were made of, and asks for the next merge.
    fn install_merged(&mut self, manifest: &mut Manifest) {
        if let Some(merged) = self.merger.take() {
            let table = manifest.nodes.get_mut(&merged.node);
            if let Some(table) = table.and_then(|n| n.tables.get_mut(merged.table)) {
                table.replace(&merged.files, merged.parts);
            }
        }
        for (node, state) in &manifest.nodes {
            let Some(layout) = self.layouts.get(node) else {
                continue;
            };
            for spec in &layout.tables {
                if let Some(table) = state.tables.get(spec.name) {
                    self.merger.offer(node, spec, table, manifest.epoch);
                }
            }
        }
    }

    fn show(&self, held: &BTreeMap<String, Held>, written: usize) {
        let number = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        for (node, held) in held {
            let (memory, disk) = (&self.metrics.state_bytes, &self.metrics.state_spilled_bytes);
            memory.with_label_values(&[node]).set(number(held.memory));
            disk.with_label_values(&[node]).set(number(held.disk));
        }
        self.metrics.epoch_bytes.inc_by(written as u64);
    }

    fn check_budget(&self, held: &BTreeMap<String, Held>) -> Result<()> {
        let bytes = held.iter().map(|(node, held)| (node, held.memory));
        let total: usize = bytes.clone().map(|(_, bytes)| bytes).sum();
        if total as u64 <= self.state_budget {
            return Ok(());
        }
        let (node, bytes) = bytes.max_by_key(|(_, bytes)| *bytes).unwrap_or((&self.topology, 0));
        let message = format!(
            "keep the state in memory: it takes {}, `{node}` alone {}, and {} are its share of `memory`",
            swiftwater_config::ByteSize(total as u64),
            swiftwater_config::ByteSize(bytes as u64),
            swiftwater_config::ByteSize(self.state_budget),
        );
        Err(Error::state("SW4326", message).with_hint(
            "give the topology more `memory`, a shorter `ttl` or smaller windows; the last epoch is kept",
        ))
    }

    /// Remembers what was committed, and deletes what only the epoch before the last needed: that
    /// one stays, because the outcome of a commit may be learnt after the fact.
    fn clear(&mut self, name: String, manifest: Manifest) {
        let now: BTreeSet<&str> = manifest.files().chain([name.as_str()]).collect();
        let before: BTreeSet<String> = self
            .last
            .iter()
            .flat_map(|(name, last)| {
                last.files().chain([name.as_str()]).map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        let gone: Vec<String> = self
            .unneeded
            .iter()
            .filter(|f| !before.contains(*f) && !now.contains(f.as_str()))
            .cloned()
            .collect();
        for file in gone {
            if let Err(error) = self.store.delete(&file) {
                tracing::warn!(%error, "clear an old snapshot away");
            }
        }
        self.unneeded = before.into_iter().filter(|f| !now.contains(f.as_str())).collect();
        let last = Manifest {
            epoch: manifest.epoch,
            created: manifest.created,
            ..Manifest::new(&self.topology)
        };
        if self.commit_point.is_some()
            && let Err(error) = last.write(&self.store, LAST)
        {
            tracing::warn!(%error, "note the last commit");
        }
        self.last = Some((name, manifest));
    }
}

/// The commit did not say whether it happened: only a fresh start can tell.
fn unknown_outcome(epoch: Epoch, error: Error) -> Error {
    if error.kind != ErrorKind::Unavailable || error.code == OUTCOME_UNKNOWN {
        return error;
    }
    Error::unavailable(OUTCOME_UNKNOWN, format!("learn whether epoch {epoch} was committed"))
        .with_source(error)
}

/// What keeps the epochs of a plan.
pub(super) fn of_plan(
    plan: &Plan,
    metrics: &Arc<Metrics>,
    control: &Arc<Control>,
    shared: &Arc<Shared>,
) -> Result<Checkpoints> {
    let store = Arc::new(Store::open(&plan.config.checkpoint.store_url(), &plan.config.name)?);
    let mut layouts = HashMap::new();
    for node in &plan.nodes {
        if let Planned::Operator(operator) = &node.planned
            && operator.stateful
        {
            let instance = (operator.make)(0).map_err(|e| e.at_node(node.name()))?;
            let layout = NodeLayout {
                kind: node.config.kind.clone(),
                layout: instance.layout(),
                tables: instance.tables(),
            };
            layouts.insert(node.name().to_owned(), layout);
        }
    }
    let context = CommitContext {
        topology: plan.config.name.clone(),
        shared: Arc::clone(shared),
        retry_budget: plan.config.retry.budget.0,
    };
    let commit_point = plan.commit_point().map(|point| (point.make)(&context)).transpose()?;
    let run = control.trace_id.clone();
    Ok(Checkpoints {
        topology: plan.config.name.clone(),
        commit_point,
        layouts,
        metrics: Arc::clone(metrics),
        control: Arc::clone(control),
        retry: plan.config.retry.clone(),
        state_budget: plan.memory.state_bytes,
        merger: Merger::new(Arc::clone(&store), run.clone(), plan.memory.state_bytes),
        store,
        run,
        last: None,
        unneeded: BTreeSet::new(),
        before: None,
        committed: Arc::default(),
    })
}

/// Writes the state that one node of one task sealed.
struct Keep<'a> {
    checkpoints: &'a Checkpoints,
    node: &'a str,
    layout: &'a NodeLayout,
    epoch: Epoch,
    instance: usize,
}

impl Keep<'_> {
    /// Adds what changed to `state`; returns the bytes that were written for it.
    fn node(&self, state: &mut NodeState, sealed: Sealed) -> Result<usize> {
        let lowest = |a: Option<i64>, b: Timestamp| Some(a.map_or(b.0, |a| a.min(b.0)));
        if let Some(watermark) = sealed.watermark {
            state.watermark = lowest(state.watermark, watermark);
        }
        let mut written = 0;
        for delta in sealed.deltas {
            let spec = self.layout.tables.iter().find(|s| s.name == delta.table);
            let spec = spec.ok_or_else(|| {
                Error::bug(format!("seal a table `{}` that was not declared", delta.table))
            })?;
            let table =
                state.tables.entry(spec.name.to_owned()).or_insert_with(|| TableState::new(spec));
            table.expired_below = table.expired_below.max(delta.expired_below);
            written += self.table(table, spec, delta)?;
            table.drop_expired();
        }
        Ok(written)
    }

    fn table(&self, table: &mut TableState, spec: &TableSpec, delta: TableDelta) -> Result<usize> {
        let deleted = delta.deleted.filter(|d| d.num_rows() > 0);
        if delta.rows.num_rows() == 0 && deleted.is_none() {
            return Ok(0);
        }
        let Self { checkpoints, node, epoch, instance, .. } = *self;
        let contents = Contents { rows: delta.rows, deleted };
        if skips("delta", node) {
            return Ok(0);
        }
        let whole = part_name(node, spec.name, epoch, instance, &checkpoints.run);
        let pieces = contents.pieces(checkpoints.merger.most());
        let (mut size, count) = (0, pieces.len());
        for (number, piece) in pieces.into_iter().enumerate() {
            let run = match number {
                0 => checkpoints.run.clone(),
                _ => format!("{}-{number}", checkpoints.run),
            };
            let name = part_name(node, spec.name, epoch, instance, &run);
            let (mut part, bytes) = encode(&piece, spec, (name, instance, epoch))?;
            // All of them together are what one epoch changed.
            part.slice = (count > 1).then(|| Slice { merge: whole.clone(), index: 0, of: 1 });
            if !skips("durable_state", node) {
                checkpoints.patiently(|| checkpoints.store.put(&part.file, bytes.clone()))?;
            }
            size += part.bytes;
            table.parts.push(part);
        }
        Ok(size)
    }
}
