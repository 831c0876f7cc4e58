//! Exactly once: the commands of an epoch wait in Redis until it is committed; a script then runs
//! them, unless a later epoch has been there.

use std::hash::{BuildHasher, RandomState};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline};
use serde::{Deserialize, Serialize};
use swiftwater_engine::{Epoch, Error, ExactlyOnce, Result, Sequence, Staged};

use super::command::{Command, packed};
use super::faults::told;
use super::script::APPLY;

/// So many rows are brought in by one run of the script: Redis does nothing else meanwhile.
const ROWS_AT_ONCE: usize = 20_000;

/// What an epoch staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StagedBatches {
    /// Key of the batches.
    key: String,
    /// Rows of each batch.
    batches: Vec<usize>,
}

/// The keys of our own, and what is staged under them.
pub(super) struct Staging {
    topology: String,
    sink: String,
    run: u64,
    part: u64,
    /// Rows of each batch of the epoch under way, and the number that the engine gave the last one.
    batches: Vec<usize>,
    last: Option<(Epoch, StagedBatches)>,
}

const LOST_HINT: &str = "Redis removed them (`maxmemory-policy` should be `noeviction`) or lost them in a crash; the topology goes on from the last epoch";

impl Staging {
    pub(super) fn new(topology: &str, sink: &str) -> Self {
        // Every hasher of the standard library is seeded at random.
        let run = RandomState::new().hash_one(sink);
        Self {
            topology: topology.to_owned(),
            sink: sink.to_owned(),
            run,
            part: 1,
            batches: Vec::new(),
            last: None,
        }
    }

    /// A key of our own. The braces keep all of them on one server of whatever splits keys.
    fn own(&self, name: &str) -> String {
        format!("sw:{{{}:{}}}:{name}", self.topology, self.sink)
    }

    fn key(&self) -> String {
        self.own(&format!("staged:{:016x}:{}", self.run, self.part))
    }

    /// Finishes the last committed epoch where that is still to be done, and clears away what was
    /// never committed.
    ///
    /// # Errors
    /// `State` (`SW2217`, `SW2218`) where Redis and the snapshots do not agree.
    pub(super) async fn recover(
        &self,
        connection: &mut MultiplexedConnection,
        exactly_once: &ExactlyOnce,
    ) -> Result<()> {
        let what = "look at the epochs in Redis";
        let fence = self.own("epoch");
        let applied: Option<u64> = Cmd::new()
            .arg("GET")
            .arg(&fence)
            .query_async(connection)
            .await
            .map_err(|e| told(what, e))?;
        let applied = applied.unwrap_or(0);
        let committed = exactly_once.committed.as_ref();
        let epoch = committed.map_or(0, |(epoch, _)| *epoch);
        if applied > epoch {
            return Err(Error::state(
                "SW2218",
                format!("go on from epoch {epoch} where Redis has rows up to epoch {applied}"),
            )
            .with_hint(format!(
                "another process of this topology goes on already, or its snapshots were removed; to begin anew: DEL {fence}"
            )));
        }
        if applied < epoch {
            if let Some((_, Some(staged))) = committed {
                let staged = read(staged)?;
                self.apply(connection, epoch, &staged).await.map_err(|error| {
                    let cure = format!("; to go on without them: SET {fence} {epoch}");
                    let hint = error.hint.clone().unwrap_or_default();
                    if error.code == "SW2217" { error.with_hint(hint + &cure) } else { error }
                })?;
            }
            let set = Cmd::new().arg("SET").arg(&fence).arg(epoch).exec_async(connection).await;
            set.map_err(|e| told(what, e))?;
        }
        let index = self.own("staged");
        let left: Vec<String> = Cmd::new()
            .arg("SMEMBERS")
            .arg(&index)
            .query_async(connection)
            .await
            .map_err(|e| told(what, e))?;
        let mut clear = Cmd::new();
        clear.arg("UNLINK").arg(&index).arg(left);
        clear.exec_async(connection).await.map_err(|e| told(what, e))
    }

    /// Stages the commands of a batch. Written again with the same number, they replace themselves.
    ///
    /// # Errors
    /// As [`told`].
    pub(super) async fn write(
        &mut self,
        connection: &mut MultiplexedConnection,
        (_, rows): (Sequence, usize),
        commands: &[Command],
        what: &str,
    ) -> Result<()> {
        let (number, key) = (self.batches.len() + 1, self.key());
        let mut pipeline = Pipeline::new();
        // The key is listed before it exists, so that none is ever forgotten.
        pipeline.cmd("SADD").arg(self.own("staged")).arg(&key).ignore();
        pipeline.cmd("HSET").arg(&key).arg(number).arg(packed(commands)).ignore();
        pipeline.exec_async(connection).await.map_err(|e| told(what, e))?;
        self.batches.push(rows);
        Ok(())
    }

    /// Says what the epoch has staged; all of it is there.
    ///
    /// # Errors
    /// `State` (`SW2217`) where batches are gone.
    pub(super) async fn stage(
        &mut self,
        connection: &mut MultiplexedConnection,
        epoch: Epoch,
    ) -> Result<Staged> {
        if let Some((_, staged)) = self.last.as_ref().filter(|(last, _)| *last == epoch) {
            return write(staged);
        }
        let (key, expected) = (self.key(), self.batches.len());
        if expected > 0 {
            let there: usize = Cmd::new()
                .arg("HLEN")
                .arg(&key)
                .query_async(connection)
                .await
                .map_err(|e| told("count staged batches", e))?;
            if there != expected {
                let message =
                    format!("find {expected} staged batches under `{key}`: {there} are there");
                return Err(Error::state("SW2217", message).with_hint(LOST_HINT));
            }
        }
        let staged = StagedBatches { key, batches: std::mem::take(&mut self.batches) };
        let value = write(&staged)?;
        self.last = Some((epoch, staged));
        self.part += 1;
        Ok(value)
    }

    /// Runs the commands of a committed epoch, once.
    ///
    /// # Errors
    /// `State` where batches are gone or a key holds something else.
    pub(super) async fn finalise(
        &mut self,
        connection: &mut MultiplexedConnection,
        epoch: Epoch,
        staged: &Staged,
    ) -> Result<()> {
        self.apply(connection, epoch, &read(staged)?).await?;
        self.last = None;
        Ok(())
    }

    async fn apply(
        &self,
        connection: &mut MultiplexedConnection,
        epoch: Epoch,
        staged: &StagedBatches,
    ) -> Result<()> {
        let (mut from, mut rows) = (1, 0);
        for (number, size) in (1..).zip(&staged.batches) {
            rows += size;
            let last = number == staged.batches.len();
            if rows < ROWS_AT_ONCE && !last {
                continue;
            }
            let what = format!("finish epoch {epoch}");
            let mut script = Cmd::new();
            script.arg("EVAL").arg(APPLY).arg(2).arg(self.own("epoch")).arg(&staged.key);
            script.arg(epoch).arg(from).arg(number).arg(u8::from(last));
            let (outcome, about): (i64, String) =
                script.query_async(connection).await.map_err(|e| told(&what, e))?;
            match outcome {
                -2 => {
                    let message = format!("find staged batch {about} under `{}`", staged.key);
                    return Err(Error::state("SW2217", message).with_hint(LOST_HINT));
                }
                -3 => {
                    return Err(Error::state("SW2216", format!("{what}: {about}"))
                        .with_hint("the key holds something else: remove it, then start again"));
                }
                // An epoch that was done before needs nothing more.
                -1 => return Ok(()),
                _ => (from, rows) = (number + 1, 0),
            }
        }
        Ok(())
    }
}

fn read(staged: &Staged) -> Result<StagedBatches> {
    serde_json::from_value(staged.clone()).map_err(|e| {
        Error::state("SW2217", "read what the last committed epoch had staged")
            .with_hint("give the node the kind back that it had, or another name")
            .with_source(e)
    })
}

fn write(staged: &StagedBatches) -> Result<Staged> {
    serde_json::to_value(staged)
        .map_err(|e| Error::bug("write what an epoch has staged").with_source(e))
}
