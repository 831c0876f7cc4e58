//! A file without a name, and the parts of it that are in use.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::blocks::{Blocks, Run};
use super::failed;
use crate::error::{Error, Result};

/// Bytes of a block.
const BLOCK: u64 = 16 * 1024;

/// A file that is gone once nothing uses it. Clones are the same file.
#[derive(Debug, Clone)]
pub struct SpillFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: File,
    directory: PathBuf,
    blocks: Mutex<Blocks>,
}

impl Inner {
    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self, runs: &[Run]) {
        let mut blocks = self.blocks();
        if blocks.give(runs) {
            // Where this fails the disk is given back later.
            self.file.set_len(blocks.end * BLOCK).ok();
        }
    }
}

/// Bytes in a file, given back when they are dropped.
#[derive(Debug)]
pub struct SpillExtent {
    file: Arc<Inner>,
    runs: Vec<Run>,
    length: usize,
}

impl SpillFile {
    pub(super) fn new(file: File, directory: PathBuf) -> Self {
        Self(Arc::new(Inner { file, directory, blocks: Mutex::default() }))
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// `State` (`SW4327`) where the disk is full or broken; then nothing is kept.
    pub fn write(&self, bytes: &[u8]) -> Result<SpillExtent> {
        let runs = self.0.blocks().take((bytes.len() as u64).div_ceil(BLOCK));
        let extent = SpillExtent { file: Arc::clone(&self.0), runs, length: bytes.len() };
        let mut rest = bytes;
        for run in &extent.runs {
            let length = usize::try_from(run.count * BLOCK).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at(length);
            self.0
                .file
                .write_all_at(now, run.first * BLOCK)
                .map_err(|e| failed("write", &self.0.directory, e))?;
            rest = later;
        }
        Ok(extent)
    }
}

impl SpillExtent {
    /// Reads the bytes from `at` on.
    ///
    /// # Errors
    /// `State` (`SW4327`) where the disk is broken; `Bug` beyond the end.
    pub fn read(&self, at: usize, mut into: &mut [u8]) -> Result<()> {
        if at.checked_add(into.len()).is_none_or(|end| end > self.length) {
            return Err(Error::bug("read spilled state beyond its end"));
        }
        let mut skip = at as u64;
        for run in &self.runs {
            let bytes = run.count * BLOCK;
            if skip >= bytes {
                skip -= bytes;
                continue;
            }
            let length = usize::try_from(bytes - skip).unwrap_or(usize::MAX).min(into.len());
            let (now, later) = into.split_at_mut(length);
            self.file
                .file
                .read_exact_at(now, run.first * BLOCK + skip)
                .map_err(|e| failed("read", &self.file.directory, e))?;
            into = later;
            skip = 0;
            if into.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Bytes that were written.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether no byte was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Bytes of the disk.
    #[must_use]
    pub fn disk_bytes(&self) -> usize {
        let blocks: u64 = self.runs.iter().map(|run| run.count).sum();
        usize::try_from(blocks * BLOCK).unwrap_or(usize::MAX)
    }
}

impl Drop for SpillExtent {
    fn drop(&mut self) {
        self.file.release(&self.runs);
    }
}
