//! Where a topology goes on: earlier processes are fenced, the last committed epoch is found, and
//! what does not fit it is refused before anything runs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::checkpoint::Checkpoints;
use super::snapshot::Recovered;
use crate::commit::Committed;
use crate::error::{Error, Result};
use crate::failpoint::{failpoint, skips};
use crate::snapshot::{LAST, Manifest, last_reset};

impl Checkpoints {
    /// Fences earlier processes and finds what the last committed epoch left behind.
    pub(super) fn recover(&mut self) -> Result<Recovered> {
        self.patiently(|| self.check_successor())?;
        let committed = match &self.commit_point {
            Some(point) => self.patiently(|| point.recover())?,
            None => self.patiently(|| self.claim())?,
        };
        failpoint("fenced");
        self.patiently(|| self.check_pointer(committed.as_ref()))?;
        let reset = self.patiently(|| last_reset(&self.store))?;
        let base = reset.max(committed.as_ref().map_or(0, |c| c.epoch));
        let is_there = |c: &Committed| c.epoch > reset && !c.manifest.is_empty();
        let Some(committed) = committed.filter(is_there) else {
            self.patiently(|| self.sweep(&Manifest::default(), ""))?;
            return Ok(Recovered { manifest: None, store: Some(Arc::clone(&self.store)), base });
        };
        let mut manifest = self.patiently(|| Manifest::read(&self.store, &committed.manifest))?;
        if let Some(previous) = manifest.previous.take_if(|_| skips("newest_manifest", "")) {
            manifest = Manifest::read(&self.store, &previous)?;
        }
        self.check_layouts(&manifest)?;
        self.patiently(|| self.sweep(&manifest, &committed.manifest))?;
        failpoint("swept");
        tracing::info!(epoch = committed.epoch, manifest = committed.manifest, "recovered");
        self.committed.store(manifest.epoch, Ordering::Release);
        self.last = Some((committed.manifest, manifest.clone()));
        Ok(Recovered { manifest: Some(manifest), store: Some(Arc::clone(&self.store)), base })
    }

    /// Before an earlier run of this process shuts others out: one that has committed since is newer.
    /// A process that was frozen for longer than its transaction may last finds it ended, and cannot
    /// tell by that whether somebody has taken over.
    fn check_successor(&self) -> Result<()> {
        let (Some(own), Some(bytes)) = (self.before, self.store.get(LAST)?) else {
            return Ok(());
        };
        let last: Manifest = serde_json::from_slice(&bytes).unwrap_or_default();
        if last.epoch <= own {
            return Ok(());
        }
        let message = format!(
            "go on after epoch {own}: a newer process has committed epoch {} since",
            last.epoch
        );
        Err(Error::state("SW4310", message)
            .with_hint("a newer process of this topology has taken over; this one stops"))
    }

    /// The store remembers a commit that the commit point has forgotten: its offsets expired, or
    /// the topics were made anew.
    fn check_pointer(&self, committed: Option<&Committed>) -> Result<()> {
        let Some(bytes) = self.store.get(LAST)? else {
            return Ok(());
        };
        let last: Manifest = serde_json::from_slice(&bytes).unwrap_or_default();
        let found = committed.map_or(0, |c| c.epoch);
        if found >= last.epoch {
            return Ok(());
        }
        let message = format!(
            "go on after epoch {}, which {} remembers: the commit point remembers {}",
            last.epoch,
            self.store.url(),
            committed.map_or_else(|| "none".to_owned(), |c| format!("epoch {}", c.epoch)),
        );
        Err(Error::state("SW4324", message).with_hint(
            "the offsets of the topology's group expired or were deleted: to start anew delete its \
             snapshots with `swiftwater state reset`",
        ))
    }

    /// State that the nodes of today cannot take is refused before anything runs.
    fn check_layouts(&self, manifest: &Manifest) -> Result<()> {
        for (node, state) in &manifest.nodes {
            let Some(now) = self.layouts.get(node) else {
                tracing::warn!(node, "its state is left behind: the topology has no such node");
                continue;
            };
            let tables = state.tables.iter().find_map(|(name, table)| {
                let Some(spec) = now.tables.iter().find(|s| s.name == name) else {
                    return Some(format!("it has a table `{name}` that is not known any more"));
                };
                table.misfit(spec)
            });
            let kind = (state.kind != now.kind)
                .then(|| format!("it is of a `{}`, the node is a `{}` now", state.kind, now.kind));
            let layout = (state.layout != now.layout)
                .then(|| format!("it is of `{}`, the node is `{}` now", state.layout, now.layout));
            if let Some(why) = kind.or(layout).or(tables) {
                return Err(Error::state("SW4325", format!("go on from its state: {why}"))
                    .at_node(node)
                    .with_hint(
                        "undo the change, or give the node another name to start it without state",
                    ));
            }
        }
        Ok(())
    }

    /// Clears away what earlier processes wrote and never committed.
    fn sweep(&self, manifest: &Manifest, name: &str) -> Result<()> {
        let needed: BTreeSet<&str> = manifest.files().chain([name]).collect();
        for directory in ["state", "epochs"] {
            for file in self.store.list(directory)? {
                if !needed.contains(file.as_str()) {
                    self.store.delete(&file)?;
                }
            }
        }
        Ok(())
    }
}
