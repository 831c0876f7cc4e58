//! Epochs that are kept in the object store: every task seals its state, every sink finishes or stages,
//! and only then is the epoch committed. One is under way at a time.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

use super::checkpoint::{Checkpoints, Finished};
use super::control::{Control, Stopped, lock};
use super::epochs::{Epochs, LOOK, MOMENT, Pending, SinkId, SourceId, State};
use super::snapshot::{Recovered, Sealed};
use crate::error::{Error, Result};
use crate::message::Epoch;
use crate::sink::Staged;
use crate::snapshot::SourceState;
use crate::source::Position;

/// What tasks say about an epoch that is to be kept.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) watermarks: BTreeMap<SourceId, BTreeMap<String, i64>>,
    pub(super) sealed: BTreeMap<usize, Vec<Sealed>>,
    pub(super) staged: BTreeMap<SinkId, Staged>,
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
            let (finished, started, positions) = self.await_finished(control)?;
            let epoch = finished.epoch;
            checkpoints.keep(finished)?;
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
            if state.all_ended() {
                self.ending.store(true, Ordering::Release);
            }
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
