//! The commit point of a topology without Kafka: the object store itself. A commit is a file with the
//! epoch's number that one process alone can create, and that holds the name of the manifest.

use super::checkpoint::Checkpoints;
use crate::commit::Committed;
use crate::error::{Error, Result};
use crate::message::Epoch;

/// Directory of the commits.
const COMMITS: &str = "commits";

/// File of a commit.
fn commit_name(epoch: Epoch) -> String {
    format!("{COMMITS}/{epoch:012}")
}

/// The epoch of such a file.
fn number(name: &str) -> Option<Epoch> {
    name.rsplit('/').next()?.parse().ok()
}

impl Checkpoints {
    /// Commits the last manifest once more, under the next number, so that an earlier process cannot
    /// commit the epoch it is at while its files are swept away. The manifest's name is empty where no
    /// epoch was committed yet.
    pub(super) fn claim(&self) -> Result<Option<Committed>> {
        loop {
            let (epoch, manifest) = self.last_commit()?;
            let committed = Committed { epoch: epoch + 1, manifest };
            let name = commit_name(committed.epoch);
            if self.store.create(&name, committed.manifest.clone().into())? {
                if !self.is_outrun(&committed)? {
                    return Ok(Some(committed));
                }
                self.store.delete(&name)?;
            }
        }
    }

    fn last_commit(&self) -> Result<(Epoch, String)> {
        let names = self.store.list(COMMITS)?;
        let Some((epoch, name)) = names.iter().filter_map(|n| Some((number(n)?, n))).max() else {
            return Ok((0, String::new()));
        };
        let manifest = self.store.get(name)?.ok_or_else(|| {
            // Whoever cleared it away has committed since: it is to be looked at again.
            Error::unavailable(
                "SW4321",
                format!("read `{name}` in {}: it is gone", self.store.url()),
            )
        })?;
        Ok((epoch, String::from_utf8_lossy(&manifest).into_owned()))
    }

    /// Whether there are commits after this one. A process that was frozen for long finds that the
    /// commit of its epoch was made by another, and cleared away.
    fn is_outrun(&self, committed: &Committed) -> Result<bool> {
        let all = self.store.list(COMMITS)?;
        Ok(all.iter().filter_map(|name| number(name)).any(|n| n > committed.epoch))
    }

    /// Makes an epoch true.
    pub(super) fn commit_in_store(&self, committed: &Committed) -> Result<()> {
        let name = commit_name(committed.epoch);
        let ours = || bytes::Bytes::from(committed.manifest.clone());
        let created = self.patiently(|| self.store.create(&name, ours()))?;
        // An earlier try of ours may have succeeded without our hearing of it.
        let taken_over = || {
            let message = format!("commit epoch {}: another process did", committed.epoch);
            Error::state("SW4310", message)
                .with_hint("a newer process of this topology has taken over; this one stops")
        };
        if !created && self.patiently(|| self.store.get(&name))? != Some(ours()) {
            return Err(taken_over());
        }
        if self.patiently(|| self.is_outrun(committed))? {
            self.patiently(|| self.store.delete(&name))?;
            return Err(taken_over());
        }
        let all = self.patiently(|| self.store.list(COMMITS))?;
        for old in all.iter().filter(|old| number(old).is_some_and(|n| n + 1 < committed.epoch)) {
            if let Err(error) = self.store.delete(old) {
                tracing::warn!(%error, "clear an old commit away");
            }
        }
        Ok(())
    }
}
