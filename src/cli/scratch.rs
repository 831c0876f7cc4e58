//! A directory for what a verb writes on its way.

use std::fs;
use std::path::{Path, PathBuf};

use swiftwater_engine::{Error, Result};

/// A directory that is gone when this is.
pub(super) struct Scratch(String);

impl Scratch {
    /// Makes the directory of a verb.
    ///
    /// # Errors
    /// `Unavailable` where it cannot be made.
    pub(super) fn new(verb: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("swiftwater-{verb}-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| unreadable(&path, error))?;
        Ok(Self(path.display().to_string()))
    }

    /// The directory.
    pub(super) fn path(&self) -> &str {
        &self.0
    }

    /// The files of a sink, which have no row without being there. Sorted by name, and so by the time
    /// they were begun.
    ///
    /// # Errors
    /// `Unavailable` where the directory cannot be read.
    pub(super) fn files(&self, sink: &str) -> Result<Vec<PathBuf>> {
        let directory = PathBuf::from(&self.0).join(sink);
        let mut files = Vec::new();
        // Without a row there is no directory.
        if directory.exists() {
            for entry in fs::read_dir(&directory).map_err(|error| unreadable(&directory, error))? {
                let path = entry.map_err(|error| unreadable(&directory, error))?.path();
                let name = path.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
                if !name.starts_with(['.', '_']) {
                    files.push(path);
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, path = self.0, "a temporary directory stays");
        }
    }
}

/// A file or directory of the verb cannot be used.
pub(super) fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::unavailable("SW4119", format!("use the directory `{}`", path.display()))
        .with_source(error)
}
