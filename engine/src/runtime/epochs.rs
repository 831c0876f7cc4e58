//! Epochs: a barrier enters at every source, and once every sink has finished what came before it,
//! the sources' positions at that barrier are committed. Nothing is ever committed past an
//! unfinished record.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::control::{Control, lock};
use super::kept_epochs::{Kept, Parties};
use super::snapshot::Recovered;
use crate::error::{Error, ErrorKind};
use crate::memory::resident_bytes;
use crate::message::{Barrier, Epoch};
use crate::metrics::Metrics;
use crate::source::{Commit, Position};

/// Number of a source instance.
pub(super) type SourceId = usize;
/// Number of a sink.
pub(super) type SinkId = usize;

/// Longest wait for news before looking whether the topology was cancelled.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// Shortest wait.
pub(super) const MOMENT: Duration = Duration::from_millis(1);

/// More unfinished epochs than this and the middle ones are forgotten: commits are cumulative.
const PENDING_AT_MOST: usize = 512;

#[derive(Default)]
pub(super) struct SourceEntry {
    pub(super) injected: Epoch,
    pub(super) last: Position,
    pub(super) ended: bool,
    pub(super) committer: Option<Arc<dyn Commit>>,
}

pub(super) struct Pending {
    pub(super) started: Instant,
    pub(super) positions: BTreeMap<SourceId, Position>,
    pub(super) kept: Kept,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) requested: Epoch,
    pub(super) flush: bool,
    pub(super) sources: Vec<SourceEntry>,
    pub(super) sinks: Vec<Epoch>,
    pub(super) pending: BTreeMap<Epoch, Pending>,
    pub(super) committed: Epoch,
    pub(super) finished: bool,
    pub(super) newest_started: Option<Instant>,
    pub(super) recovered: Option<Arc<Recovered>>,
}

/// The coordinator of a topology.
pub(super) struct Epochs {
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
    /// Requested epoch and flush flag in one word, for sources to look at without a lock.
    pub(super) request: AtomicU64,
    /// Whether the sources have ended, and what sinks hold should become durable at once.
    pub(super) ending: AtomicBool,
    pub(super) interval: Duration,
    pub(super) metrics: Arc<Metrics>,
    /// Who is who, where epochs are kept in the object store.
    pub(super) parties: Option<Parties>,
}

impl Epochs {
    pub(super) fn new(
        sources: usize,
        sinks: usize,
        interval: Duration,
        metrics: Arc<Metrics>,
        parties: Option<Parties>,
    ) -> Self {
        let state = State {
            sources: (0..sources).map(|_| SourceEntry::default()).collect(),
            sinks: vec![0; sinks],
            recovered: parties.is_none().then(Arc::default),
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            request: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            interval,
            metrics,
            parties,
        }
    }

    /// The barrier that a source should inject next, if it has not yet.
    pub(super) fn requested(&self, injected: Epoch) -> Option<Barrier> {
        let word = self.request.load(Ordering::Acquire);
        (word >> 1 > injected).then_some(Barrier { epoch: word >> 1, flush: word & 1 == 1 })
    }

    /// A source is open; positions go to `committer`.
    pub(super) fn opened(&self, source: SourceId, committer: Option<Arc<dyn Commit>>) {
        if let Some(entry) = lock(&self.state).sources.get_mut(source) {
            entry.committer = committer;
        }
    }

    /// A source has sent the barrier of `epoch`, standing at `position`.
    pub(super) fn injected(
        &self,
        source: SourceId,
        epoch: Epoch,
        position: Position,
        watermarks: BTreeMap<String, i64>,
    ) {
        let mut state = lock(&self.state);
        if let Some(entry) = state.sources.get_mut(source) {
            entry.injected = epoch;
            entry.last.clone_from(&position);
        }
        if let Some(pending) = state.pending.get_mut(&epoch) {
            pending.positions.insert(source, position);
            pending.kept.watermarks.insert(source, watermarks);
        }
        self.changed.notify_all();
    }

    /// A source has come to its end.
    pub(super) fn ended(&self, source: SourceId, position: Position) {
        let mut state = lock(&self.state);
        if let Some(entry) = state.sources.get_mut(source) {
            entry.ended = true;
            entry.last = position;
        }
        self.changed.notify_all();
    }

    /// A sink has finished everything before the barrier of `epoch`.
    pub(super) fn finished(&self, sink: SinkId, epoch: Epoch) {
        if let Some(entry) = lock(&self.state).sinks.get_mut(sink) {
            *entry = epoch.max(*entry);
        }
        self.changed.notify_all();
    }

    /// Asks for an epoch that ends now and is flushed; returns its number.
    pub(super) fn request_flush(&self) -> Epoch {
        let mut state = lock(&self.state);
        // One that was requested and not injected by all would end before rows that were read since.
        if !state.all_injected() {
            state.flush = true;
            return state.requested + 1;
        }
        self.begin(&mut state, true)
    }

    /// Waits until `epoch` is committed, the deadline has passed or the topology stops.
    pub(super) fn is_committed(&self, epoch: Epoch) -> bool {
        let state = lock(&self.state);
        state.committed >= epoch || state.finished
    }

    pub(super) fn begin(&self, state: &mut State, flush: bool) -> Epoch {
        state.requested += 1;
        let ended = state.sources.iter().enumerate().filter(|(_, s)| s.ended);
        let positions = ended.map(|(id, s)| (id, s.last.clone())).collect();
        let pending = Pending { started: Instant::now(), positions, kept: Kept::default() };
        state.pending.insert(state.requested, pending);
        if state.pending.len() > PENDING_AT_MOST
            && let Some(middle) = state.pending.keys().copied().nth(PENDING_AT_MOST / 2)
        {
            state.pending.remove(&middle);
        }
        self.request.store(state.requested << 1 | u64::from(flush), Ordering::Release);
        state.requested
    }

    /// Runs until every source has ended and every sink has finished, or the topology stops.
    pub(super) fn run(&self, control: &Control) {
        let mut next = Instant::now() + self.interval;
        while !control.is_cancelled() {
            control.beat();
            control.check_drain();
            let mut state = lock(&self.state);
            if state.is_done() {
                drop(state);
                self.commit_final(control);
                return;
            }
            if state.all_injected() && !state.all_ended() && (Instant::now() >= next || state.flush)
            {
                let flush = std::mem::take(&mut state.flush);
                self.begin(&mut state, flush);
                next = Instant::now() + self.interval;
            }
            let ready = state.take_finished();
            self.show(&state);
            if let Some((epoch, pending)) = ready {
                let committers = state.committers();
                drop(state);
                self.commit(epoch, &pending, &committers, control);
                continue;
            }
            let wait = next
                .saturating_duration_since(Instant::now())
                .clamp(Duration::from_millis(1), Duration::from_millis(200));
            drop(self.changed.wait_timeout(state, wait));
        }
    }

    fn commit(
        &self,
        epoch: Epoch,
        pending: &Pending,
        committers: &BTreeMap<SourceId, Arc<dyn Commit>>,
        control: &Control,
    ) {
        for (source, position) in &pending.positions {
            let Some(committer) = committers.get(source) else {
                continue;
            };
            if let Err(error) = committer.commit(position, false) {
                if error.kind != ErrorKind::Unavailable {
                    control.fail(error);
                    return;
                }
                // The next epoch commits these positions too.
                tracing::warn!(epoch, %error, "commit offsets");
            }
        }
        self.committed(epoch, pending.started);
    }

    pub(super) fn committed(&self, epoch: Epoch, started: Instant) {
        let mut state = lock(&self.state);
        state.committed = epoch;
        state.newest_started = Some(started);
        self.metrics.epoch_seconds.observe(started.elapsed().as_secs_f64(), 1);
        self.changed.notify_all();
    }

    /// Commits where every source ended, and waits for the origin's word.
    fn commit_final(&self, control: &Control) {
        let (committers, positions): (_, Vec<_>) = {
            let state = lock(&self.state);
            (state.committers(), state.sources.iter().map(|s| s.last.clone()).collect())
        };
        for (source, committer) in committers {
            let Some(position) = positions.get(source) else {
                continue;
            };
            if let Err(error) = committer.commit(position, true) {
                let hint = "rows since the last commit will be written again after a restart";
                control.fail(
                    Error::unavailable("SW4003", "commit the last offsets")
                        .with_source(error)
                        .with_hint(hint),
                );
            }
        }
        let mut state = lock(&self.state);
        state.finished = true;
        self.changed.notify_all();
    }

    pub(super) fn show(&self, state: &State) {
        let age = state.newest_started.map_or(0.0, |s| s.elapsed().as_secs_f64());
        self.metrics.epoch_age_seconds.set(age);
        if let Some(rss) = resident_bytes() {
            let rss = i64::try_from(rss).unwrap_or(i64::MAX);
            self.metrics.memory_bytes.with_label_values(&["rss"]).set(rss);
        }
    }
}

impl State {
    pub(super) fn all_ended(&self) -> bool {
        self.sources.iter().all(|s| s.ended)
    }

    pub(super) fn all_injected(&self) -> bool {
        self.sources.iter().all(|s| s.ended || s.injected >= self.requested)
    }

    fn is_done(&self) -> bool {
        self.all_ended() && self.sinks.iter().all(|s| *s == Epoch::MAX)
    }

    /// The newest epoch that all sources have injected and all sinks have finished; older ones are
    /// forgotten with it.
    fn take_finished(&mut self) -> Option<(Epoch, Pending)> {
        let by_sinks = self.sinks.iter().copied().min().unwrap_or(0);
        let newest = *self.pending.range(..=by_sinks).map(|(e, _)| e).next_back()?;
        let by_sources = |s: &SourceEntry| s.ended || s.injected >= newest;
        if !self.sources.iter().all(by_sources) {
            return None;
        }
        let mut pending = self.pending.remove(&newest)?;
        self.pending = self.pending.split_off(&newest);
        // A source that ended before it saw the barrier stands at its end.
        for (id, source) in self.sources.iter().enumerate() {
            if source.ended {
                pending.positions.entry(id).or_insert_with(|| source.last.clone());
            }
        }
        Some((newest, pending))
    }

    pub(super) fn committers(&self) -> BTreeMap<SourceId, Arc<dyn Commit>> {
        let some =
            |(id, s): (SourceId, &SourceEntry)| Some((id, Arc::clone(s.committer.as_ref()?)));
        self.sources.iter().enumerate().filter_map(some).collect()
    }
}
