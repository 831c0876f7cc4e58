//! Local disk for the part of state that memory has no room for.
//!
//! Its files have no names, so that nothing is left behind however the process ends. They play no
//! part in snapshots: after a start, state comes from the object store and is moved here again.

mod blocks;
mod file;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use swiftwater_config::CheckpointConfig;

pub use file::{SpillExtent, SpillFile};

use crate::error::{Error, Result};

/// Code of everything that goes wrong with the disk.
pub(crate) const CODE: &str = "SW4327";

/// Where operators make files for state that memory has no room for.
#[derive(Debug, Clone)]
pub struct SpillRoom {
    /// Tried one after the other.
    directories: Arc<[PathBuf]>,
    /// The one that could be written.
    chosen: Arc<OnceLock<PathBuf>>,
}

impl SpillRoom {
    /// The first of these directories that can be written when the first file is made.
    #[must_use]
    pub fn new(directories: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { directories: directories.into_iter().collect(), chosen: Arc::default() }
    }

    /// What a topology file says; `None` where spilling is off.
    ///
    /// # Errors
    /// `State` (`SW4327`) where the named directory cannot be written.
    pub(crate) fn of(config: &CheckpointConfig) -> Result<Option<Self>> {
        let Some(directories) = config.spill_directories() else {
            return Ok(None);
        };
        let room = Self::new(directories);
        if config.spill.is_some() {
            room.file()?;
        }
        Ok(Some(room))
    }

    /// A new file, gone with its last use.
    ///
    /// # Errors
    /// `State` (`SW4327`) where none of the directories can be written.
    pub fn file(&self) -> Result<SpillFile> {
        if let Some(directory) = self.chosen.get() {
            let file = nameless(directory).map_err(|e| failed("write", directory, e))?;
            return Ok(SpillFile::new(file, directory.clone()));
        }
        let mut last = None;
        for directory in self.directories.iter() {
            match nameless(directory) {
                Ok(file) => {
                    let directory = self.chosen.get_or_init(|| directory.clone());
                    return Ok(SpillFile::new(file, directory.clone()));
                }
                Err(error) => last = Some(failed("write", directory, error)),
            }
        }
        Err(last.unwrap_or_else(|| Error::bug("spill state to no directory")))
    }
}

fn nameless(directory: &Path) -> std::io::Result<std::fs::File> {
    std::fs::create_dir_all(directory)?;
    tempfile::tempfile_in(directory)
}

/// What went wrong with the disk, and the cure.
pub(crate) fn failed(what: &str, directory: &Path, error: std::io::Error) -> Error {
    let message = format!("{what} spilled state in `{}`", directory.display());
    Error::state(CODE, message).with_source(error).with_hint(
        "make room there, name another directory with `checkpoint: {spill: …}`, or give the topology \
         more `memory`; the last epoch is kept",
    )
}

#[cfg(test)]
mod tests;
