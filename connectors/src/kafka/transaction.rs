//! The transactional producer that all Kafka sinks of a topology share, and that commits the
//! offsets of its Kafka sources.
//!
//! One transaction spans one epoch: the first record begins it, the commit point ends it. A
//! producer with a transaction that failed, or of which nobody knows how it ended, is never used
//! again: what the brokers still hold of it could end a later transaction. The next start makes a
//! new one, whose `init_transactions` shuts this one out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;
use swiftwater_engine::failpoint::{failpoint, skips};
use swiftwater_engine::{Error, ErrorKind, Result};

use super::context::Note;
use super::ffi::{Marked, Pipe, Trouble};
use super::mailbox::{Boxes, Mailbox, Sorter};
use super::outcome;
use super::terms::Terms;

/// Longest wait for one event.
const LOOK: Duration = Duration::from_millis(100);
/// After each step of the start it is looked whether waiting on makes sense.
const STEP: Duration = Duration::from_millis(500);
/// Longest wait for an abort, which only spares readers the wait for the timeout.
const FAREWELL: Duration = Duration::from_secs(5);

/// How the transaction stands.
enum Phase {
    Ready,
    /// Begun at this time.
    Open(Instant),
    /// Never to be used again, and why.
    Broken(ErrorKind, &'static str, String),
}

/// What the sinks and the thread that serves events share.
struct Desk {
    boxes: Boxes,
    /// The newest statistics of the client, and how many came before.
    statistics: Mutex<(u64, Arc<[u8]>)>,
    stopping: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A transactional producer.
pub(super) struct Transaction {
    pub(super) pipe: Arc<Pipe>,
    pub(super) terms: Terms,
    phase: Mutex<Phase>,
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// A sink's place in a transaction.
pub(super) struct Joint {
    pub(super) transaction: Arc<Transaction>,
    pub(super) sink: usize,
    pub(super) mailbox: Arc<Mailbox>,
    seen: u64,
}

fn serve(pipe: &Pipe, desk: &Desk) {
    while !desk.stopping.load(Ordering::Acquire) {
        let mut wait = LOOK;
        loop {
            let mut sorter = Sorter::new(&desk.boxes);
            let served = pipe.serve(wait, |d| sorter.sort(d.opaque, d.error));
            sorter.finish();
            if !served {
                break;
            }
            wait = Duration::ZERO;
        }
        for note in pipe.client().context().take_notes() {
            if let Note::Statistics(json) = note {
                let mut newest = lock(&desk.statistics);
                *newest = (newest.0 + 1, json.into());
            }
        }
        // A client that is shut out delivers nothing more: nobody waits for it.
        if let Some((code, _)) = pipe.client().fatal_error() {
            lock(&desk.boxes).iter().for_each(|mailbox| mailbox.fail(code));
        }
    }
}

impl Transaction {
    /// Shuts out every earlier producer of the same transactional id, ends what it left open, and
    /// is ready for the first transaction.
    ///
    /// # Errors
    /// `Unavailable` (`SW4311`) where the brokers do not answer in time; `Config` (`SW2113`)
    /// without permission.
    pub(super) fn start(pipe: Pipe, terms: Terms, brokers: &str, wait: Duration) -> Result<Self> {
        let (pipe, desk) = (
            Arc::new(pipe),
            Arc::new(Desk {
                boxes: Mutex::default(),
                statistics: Mutex::new((0, Arc::from([]))),
                stopping: AtomicBool::new(false),
            }),
        );
        let (served, notes) = (Arc::clone(&pipe), Arc::clone(&desk));
        let thread = thread::Builder::new()
            .name("kafka-transaction".to_owned())
            .spawn(move || serve(&served, &notes))
            .map_err(|e| Error::bug(format!("start the thread of a transaction: {e}")))?;
        let phase = Mutex::new(Phase::Ready);
        let this = Self { pipe, terms, phase, desk, thread: Some(thread) };
        this.init(brokers, wait)?;
        Ok(this)
    }

    /// The call goes on in the background between two steps, which look whether waiting makes sense.
    fn init(&self, brokers: &str, wait: Duration) -> Result<()> {
        let deadline = Instant::now() + wait;
        let faults = self.pipe.client().context().faults();
        loop {
            match self.pipe.init_transactions(STEP) {
                Ok(()) => return Ok(()),
                Err(_) if faults.is_hopeless() => return Err(faults.unreachable(brokers)),
                Err(trouble) if trouble.retriable && Instant::now() < deadline => {}
                Err(trouble) => {
                    return Err(self.told("shut out earlier processes", &trouble, None));
                }
            }
        }
    }

    /// Gives a sink a place.
    pub(super) fn join(self: &Arc<Self>) -> Joint {
        let mailbox = Arc::new(Mailbox::default());
        let mut boxes = lock(&self.desk.boxes);
        boxes.push(Arc::clone(&mailbox));
        Joint { transaction: Arc::clone(self), sink: boxes.len() - 1, mailbox, seen: 0 }
    }

    /// Opens a transaction unless one is.
    ///
    /// # Errors
    /// What broke the producer.
    pub(super) fn begin(&self) -> Result<()> {
        self.begin_in(&mut lock(&self.phase)).map(drop)
    }

    fn begin_in(&self, phase: &mut Phase) -> Result<Instant> {
        match phase {
            Phase::Open(since) => Ok(*since),
            Phase::Broken(kind, code, message) => Err(Error::new(*kind, code, message.clone())),
            Phase::Ready => match self.pipe.begin_transaction() {
                Ok(()) => {
                    let now = Instant::now();
                    *phase = Phase::Open(now);
                    Ok(now)
                }
                Err(trouble) => Err(self.broken(phase, "begin a transaction", &trouble, None)),
            },
        }
    }

    /// Commits what was written since the last commit with offsets of groups: all or nothing.
    ///
    /// # Errors
    /// `State` (`SW4310`) where a newer producer of the same transactional id has taken over,
    /// `Unavailable` (`SW4311`) where the transaction was aborted or nobody knows.
    pub(super) fn commit(&self, offsets: &[(String, Vec<Marked>)]) -> Result<()> {
        let mut phase = lock(&self.phase);
        let since = self.begin_in(&mut phase)?;
        // An answer that comes later than this is of a transaction that the brokers have ended.
        let left = || self.terms.timeout.saturating_sub(since.elapsed());
        if skips("one_transaction", "") {
            // Outputs alone, so that a crash before the second one doubles them.
            patiently(left, |wait| self.pipe.commit_transaction(wait))
                .and_then(|()| self.pipe.begin_transaction())
                .map_err(|t| self.broken(&mut phase, "commit outputs alone", &t, Some(since)))?;
        }
        failpoint("before_send_offsets");
        for (group, marked) in offsets {
            let sent = patiently(left, |wait| self.pipe.send_offsets(group, marked, wait));
            if let Err(trouble) = sent {
                let what = format!("commit an epoch: offsets of the group `{group}`");
                return Err(self.broken(&mut phase, &what, &trouble, Some(since)));
            }
        }
        if left().is_zero() {
            let late = Trouble::late(since.elapsed());
            return Err(self.broken(&mut phase, "commit an epoch", &late, Some(since)));
        }
        failpoint("before_commit_transaction");
        match patiently(left, |wait| self.pipe.commit_transaction(wait)) {
            Ok(()) => {
                failpoint("after_commit_transaction");
                *phase = Phase::Ready;
                Ok(())
            }
            Err(trouble) => Err(self.broken(&mut phase, "commit an epoch", &trouble, Some(since))),
        }
    }

    /// Why a sink can write nothing more, where that is so.
    pub(super) fn failure(&self) -> Option<Error> {
        let phase = lock(&self.phase);
        if let Phase::Broken(kind, code, message) = &*phase {
            return Some(outcome::restarting(Error::new(*kind, code, message.clone())));
        }
        let since = if let Phase::Open(since) = &*phase { Some(*since) } else { None };
        let (code, reason) = self.pipe.client().fatal_error()?;
        Some(outcome::restarting(outcome::told(&self.terms, "go on", code, &reason, since)))
    }

    /// A record of the transaction could not be written: it must never be committed.
    pub(super) fn doom(&self, error: Error, code: Code) {
        let error = if outcome::passes(code) { outcome::restarting(error) } else { error };
        let mut phase = lock(&self.phase);
        if !matches!(*phase, Phase::Broken(..)) {
            *phase = Phase::Broken(error.kind, error.code, error.message);
        }
    }

    fn broken(
        &self,
        phase: &mut Phase,
        what: &str,
        trouble: &Trouble,
        since: Option<Instant>,
    ) -> Error {
        let error = self.told(what, trouble, since);
        *phase = Phase::Broken(error.kind, error.code, error.message.clone());
        if trouble.abort && !trouble.fatal {
            // Its outcome is known, and readers need not wait until it times out.
            if let Err(trouble) = self.pipe.abort_transaction(FAREWELL) {
                tracing::debug!(reason = trouble.reason, "abort a transaction");
            }
        }
        error
    }

    fn told(&self, what: &str, trouble: &Trouble, since: Option<Instant>) -> Error {
        let fatal = self.pipe.client().fatal_error().filter(|_| trouble.fatal);
        let (code, reason) = fatal.unwrap_or_else(|| (trouble.code, trouble.reason.clone()));
        outcome::told(&self.terms, what, code, &reason, since)
    }
}

/// Makes a call again for as long as it says so and there is time.
fn patiently(
    left: impl Fn() -> Duration,
    call: impl Fn(Duration) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    loop {
        match call(left().max(Duration::from_millis(1))) {
            Err(trouble) if trouble.retriable && !left().is_zero() => {
                tracing::debug!(reason = trouble.reason, "transaction, trying again");
            }
            done => return done,
        }
    }
}

impl Joint {
    /// The client's statistics, where new ones came.
    pub(super) fn statistics(&mut self) -> Option<Arc<[u8]>> {
        let newest = lock(&self.transaction.desk.statistics);
        if newest.0 == self.seen {
            return None;
        }
        self.seen = newest.0;
        Some(Arc::clone(&newest.1))
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.desk.stopping.store(true, Ordering::Release);
        self.pipe.wake();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of a transaction panicked");
        }
    }
}
