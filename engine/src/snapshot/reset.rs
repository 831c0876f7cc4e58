//! Starting anew: the snapshots go, and a mark stays that the commits up to now count no more,
//! wherever they are remembered.

use super::manifest::Manifest;
use super::store::Store;
use crate::error::{Error, Result};
use crate::message::Epoch;

/// The mark: the last epoch that counts no more.
const MARK: &str = "reset.json";
/// Everything else that a topology writes.
const DIRECTORIES: [&str; 3] = ["state", "epochs", "commits"];

/// Deletes the snapshots of a topology that does not run; returns the number of files.
///
/// # Errors
/// `Unavailable` where the store does not answer; calling it again finishes what was begun.
pub fn reset(store: &Store) -> Result<usize> {
    let names = Manifest::names(store)?;
    let newest = names.last().map(|name| Manifest::read(store, name)).transpose()?;
    let epoch = newest.map_or(0, |m| m.epoch).max(last_reset(store)?);
    store.put(MARK, epoch.to_string().into())?;
    store.delete(LAST)?;
    let mut files = 0;
    for directory in DIRECTORIES {
        for file in store.list(directory)? {
            store.delete(&file)?;
            files += 1;
        }
    }
    Ok(files)
}

/// What was committed last, for a reader's eye and to notice that the commit point lost its memory.
pub(crate) const LAST: &str = "committed.json";

/// The last epoch that counts no more; 0 where the topology was never started anew.
pub(crate) fn last_reset(store: &Store) -> Result<Epoch> {
    let Some(bytes) = store.get(MARK)? else {
        return Ok(0);
    };
    String::from_utf8_lossy(&bytes).trim().parse().map_err(|_| {
        Error::state("SW4322", format!("read `{MARK}` in {}", store.url()))
            .with_hint("delete the file if the topology was never started anew")
    })
}
