//! Where a topology goes on: earlier processes are fenced, the last committed epoch is found, and
//! what does not fit it is refused before anything runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::checkpoint::{COMMITS, Checkpoints};
use super::snapshot::Recovered;
use crate::commit::Committed;
use crate::error::{Error, Result};
use crate::message::Epoch;
use crate::snapshot::{LAST, Manifest, last_reset};

impl Checkpoints {
    /// Fences earlier processes and finds what the last committed epoch left behind.
    pub(super) fn recover(&mut self) -> Result<Recovered> {
        let committed = match &self.commit_point {
            Some(point) => self.patiently(|| point.recover())?,
            None => self.patiently(|| self.last_commit())?,
        };
        self.check_pointer(committed.as_ref())?;
        let base = self.patiently(|| last_reset(&self.store))?;
        let Some(committed) = committed.filter(|c| c.epoch > base) else {
            self.sweep(&Manifest::default(), "")?;
            return Ok(Recovered { manifest: None, store: Some(Arc::clone(&self.store)), base });
        };
        let manifest = Manifest::read(&self.store, &committed.manifest)?;
        self.check_layouts(&manifest)?;
        self.sweep(&manifest, &committed.manifest)?;
        tracing::info!(epoch = committed.epoch, manifest = committed.manifest, "recovered");
        self.last = Some((committed.manifest, manifest.clone()));
        Ok(Recovered { manifest: Some(manifest), store: Some(Arc::clone(&self.store)), base })
    }

    fn last_commit(&self) -> Result<Option<Committed>> {
        let names = self.store.list(COMMITS)?;
        let epoch = |name: &String| name.rsplit('/').next()?.parse::<Epoch>().ok();
        let Some((epoch, name)) = names.iter().filter_map(|n| Some((epoch(n)?, n))).max() else {
            return Ok(None);
        };
        let manifest = self.store.get(name)?.unwrap_or_default();
        let manifest = String::from_utf8_lossy(&manifest).into_owned();
        Ok(Some(Committed { epoch, manifest }))
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
