//! Epochs: a barrier enters at every source, and once every sink has finished what came before it,
//! the sources' positions at that barrier are committed. Nothing is ever committed past an
//! unfinished record.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::checkpoint::{Checkpoints, Finished};
use super::control::{Control, Stopped, lock};
use super::snapshot::{Recovered, Sealed};
use crate::error::{Error, ErrorKind};
use crate::memory::resident_bytes;
use crate::message::{Barrier, Epoch};
use crate::metrics::Metrics;
use crate::sink::Staged;
use crate::snapshot::SourceState;
use crate::source::{Commit, Position};

/// Number of a source instance.
pub(super) type SourceId = usize;
/// Number of a sink.
pub(super) type SinkId = usize;

/// Longest wait for news before looking whether the topology was cancelled.
const LOOK: Duration = Duration::from_millis(100);
/// Shortest wait.
const MOMENT: Duration = Duration::from_millis(1);

/// More unfinished epochs than this and the middle ones are forgotten: commits are cumulative.
const PENDING_AT_MOST: usize = 512;

#[derive(Default)]
struct SourceEntry {
    injected: Epoch,
    last: Position,
    ended: bool,
    committer: Option<Arc<dyn Commit>>,
}

struct Pending {
    started: Instant,
    positions: BTreeMap<SourceId, Position>,
    kept: Kept,
}

/// What tasks say about an epoch that is to be kept.
#[derive(Default)]
struct Kept {
    watermarks: BTreeMap<SourceId, BTreeMap<String, i64>>,
    sealed: BTreeMap<usize, Vec<Sealed>>,
    staged: BTreeMap<SinkId, Staged>,
}

#[derive(Default)]
struct State {
    requested: Epoch,
    flush: bool,
    sources: Vec<SourceEntry>,
    sinks: Vec<Epoch>,
    pending: BTreeMap<Epoch, Pending>,
    committed: Epoch,
    finished: bool,
    newest_started: Option<Instant>,
    recovered: Option<Arc<Recovered>>,
}

/// The coordinator of a topology.
pub(super) struct Epochs {
    state: Mutex<State>,
    changed: Condvar,
    /// Requested epoch and flush flag in one word, for sources to look at without a lock.
    request: AtomicU64,
    interval: Duration,
    metrics: Arc<Metrics>,
    /// Who is who, where epochs are kept in the object store.
    parties: Option<Parties>,
}

/// Who takes part in an epoch that is kept.
pub(super) struct Parties {
    /// Node and instance of each source.
    pub(super) sources: Vec<(String, usize)>,
    /// Instance of each task that runs operators, by its number.
    pub(super) tasks: BTreeMap<usize, usize>,
    /// Node of each sink.
    pub(super) sinks: Vec<String>,
    /// Whether sinks stage their epochs.
    pub(super) exactly_once: bool,
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

    /// What the last committed epoch left behind; waits until that is known.
    pub(super) fn recovered(&self, control: &Control) -> Result<Arc<Recovered>, Stopped> {
        let mut state = lock(&self.state);
        loop {
            if let Some(recovered) = &state.recovered {
                return Ok(Arc::clone(recovered));
            }
            state = self.wait(state, control)?;
        }
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        control: &Control,
    ) -> Result<MutexGuard<'a, State>, Stopped> {
        if control.is_cancelled() {
            return Err(Stopped::Cancelled);
        }
        let waited = self.changed.wait_timeout(state, LOOK);
        Ok(waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Whether epochs are kept in the object store.
    pub(super) const fn are_kept(&self) -> bool {
        self.parties.is_some()
    }

    /// A task has sealed its state of `epoch`.
    pub(super) fn sealed(&self, task: usize, epoch: Epoch, sealed: Vec<Sealed>) {
        if self.are_kept()
            && let Some(pending) = lock(&self.state).pending.get_mut(&epoch)
        {
            pending.kept.sealed.insert(task, sealed);
            self.changed.notify_all();
        }
    }

    /// A sink has staged `epoch`.
    pub(super) fn staged(&self, sink: SinkId, epoch: Epoch, staged: Staged) {
        if let Some(pending) = lock(&self.state).pending.get_mut(&epoch) {
            pending.kept.staged.insert(sink, staged);
        }
        self.finished(sink, epoch);
    }

    /// Waits until `epoch` is committed.
    pub(super) fn wait_committed(&self, epoch: Epoch, control: &Control) -> Result<(), Stopped> {
        let mut state = lock(&self.state);
        while state.committed < epoch {
            state = self.wait(state, control)?;
        }
        Ok(())
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

    fn begin(&self, state: &mut State, flush: bool) -> Epoch {
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

    /// Keeps epochs until every source has ended and the last epoch is committed.
    ///
    /// # Errors
    /// What keeps an epoch from being committed.
    pub(super) fn run_kept(
        &self,
        mut checkpoints: Checkpoints,
        control: &Control,
    ) -> Result<(), Stopped> {
        let recovered = checkpoints.recover()?;
        {
            let mut state = lock(&self.state);
            state.requested = recovered.epoch();
            state.committed = recovered.epoch();
            for source in &mut state.sources {
                source.injected = recovered.epoch();
            }
            self.request.store(state.requested << 1, Ordering::Release);
            state.recovered = Some(Arc::new(recovered));
            self.changed.notify_all();
        }
        loop {
            let is_last = self.await_turn(control)?;
            let finished = self.await_finished(control)?;
            let (epoch, started) = (finished.0.epoch, finished.1);
            let positions = finished.2;
            checkpoints.keep(finished.0)?;
            self.committed(epoch, started);
            self.commit_offsets(epoch, &positions, control);
            if is_last {
                lock(&self.state).finished = true;
                self.changed.notify_all();
                return Ok(());
            }
        }
    }

    /// Waits until an epoch is due, and asks for it; says whether it is the last.
    fn await_turn(&self, control: &Control) -> Result<bool, Stopped> {
        let next = Instant::now() + self.interval;
        let mut state = lock(&self.state);
        loop {
            control.beat();
            control.check_drain();
            self.show(&state);
            if state.all_ended() {
                self.begin(&mut state, true);
                return Ok(true);
            }
            if Instant::now() >= next {
                self.begin(&mut state, false);
                return Ok(false);
            }
            if control.is_cancelled() {
                return Err(Stopped::Cancelled);
            }
            let left = next.saturating_duration_since(Instant::now());
            let waited = self.changed.wait_timeout(state, left.clamp(MOMENT, LOOK));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until everybody has said what they have to say about the epoch that was asked for.
    fn await_finished(
        &self,
        control: &Control,
    ) -> Result<(Finished, Instant, BTreeMap<SourceId, Position>), Stopped> {
        let Some(parties) = &self.parties else {
            return Err(Error::bug("keep epochs that nobody takes part in").into());
        };
        let mut state = lock(&self.state);
        loop {
            control.beat();
            control.check_drain();
            let epoch = state.requested;
            let sinks = state.sinks.iter().all(|s| *s >= epoch);
            let sources = state.sources.iter().all(|s| s.injected >= epoch);
            let tasks = |p: &Pending| p.kept.sealed.len() == parties.tasks.len();
            if sinks
                && sources
                && state.pending.get(&epoch).is_some_and(tasks)
                && let Some(pending) = state.pending.remove(&epoch)
            {
                drop(state);
                let positions = pending.positions.clone();
                return Ok((
                    parties.finished(epoch, pending.positions, pending.kept),
                    pending.started,
                    positions,
                ));
            }
            state = self.wait(state, control)?;
        }
    }

    /// Tells sources' origins, for lag tools, where the snapshots are what counts.
    fn commit_offsets(
        &self,
        epoch: Epoch,
        positions: &BTreeMap<SourceId, Position>,
        control: &Control,
    ) {
        // The commit point has told them.
        if self.parties.as_ref().is_some_and(|p| p.exactly_once) || control.is_cancelled() {
            return;
        }
        let committers = lock(&self.state).committers();
        for (source, committer) in committers {
            if let Some(position) = positions.get(&source)
                && let Err(error) = committer.commit(position, false)
            {
                tracing::warn!(epoch, %error, "commit offsets");
            }
        }
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

    fn committed(&self, epoch: Epoch, started: Instant) {
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

    fn show(&self, state: &State) {
        let age = state.newest_started.map_or(0.0, |s| s.elapsed().as_secs_f64());
        self.metrics.epoch_age_seconds.set(age);
        if let Some(rss) = resident_bytes() {
            let rss = i64::try_from(rss).unwrap_or(i64::MAX);
            self.metrics.memory_bytes.with_label_values(&["rss"]).set(rss);
        }
    }
}

impl Parties {
    /// Names for numbers.
    fn finished(
        &self,
        epoch: Epoch,
        positions: BTreeMap<SourceId, Position>,
        mut kept: Kept,
    ) -> Finished {
        let source = |(id, position): (SourceId, Position)| {
            let (node, instance) = self.sources.get(id)?.clone();
            let watermarks = kept.watermarks.remove(&id).unwrap_or_default();
            Some((node, instance, SourceState { position, watermarks }))
        };
        let sources = positions.into_iter().filter_map(source).collect();
        let instance = |task: &usize| self.tasks.get(task).copied().unwrap_or_default();
        Finished {
            epoch,
            sources,
            sealed: kept.sealed.into_iter().map(|(task, s)| (instance(&task), s)).collect(),
            sinks: kept
                .staged
                .into_iter()
                .filter_map(|(id, staged)| Some((self.sinks.get(id)?.clone(), staged)))
                .collect(),
        }
    }
}

impl State {
    fn all_ended(&self) -> bool {
        self.sources.iter().all(|s| s.ended)
    }

    fn all_injected(&self) -> bool {
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

    fn committers(&self) -> BTreeMap<SourceId, Arc<dyn Commit>> {
        let some =
            |(id, s): (SourceId, &SourceEntry)| Some((id, Arc::clone(s.committer.as_ref()?)));
        self.sources.iter().enumerate().filter_map(some).collect()
    }
}
