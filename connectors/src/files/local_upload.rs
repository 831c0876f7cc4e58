//! Files on the local file system: written under a hidden name, made durable, then renamed.
//!
//! A name that readers see is given last, and the directory is made durable after it; so after a
//! power cut a file is there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use swiftwater_engine::{Error, Result};

use super::naming::Naming;
use super::staged::StagedFile;
use super::upload::Upload;

/// Bytes gathered before they are handed to the operating system.
const GATHER: usize = 1 << 20;

pub(super) fn away(path: &Path, what: &str, error: io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space: rows wait and are written then"
        }
        io::ErrorKind::PermissionDenied => "let the user of this process write the directory",
        _ => "look after the disk: rows wait and are written then",
    };
    Error::unavailable("SW2020", format!("{what} `{}`", path.display()))
        .with_hint(hint)
        .with_source(error)
}

/// Makes the directory, and sweeps files that a run of the same sink left in the making.
///
/// Files of a run that is alive are locked by it and stay.
///
/// # Errors
/// `Unavailable` (`SW2020`) where the directory cannot be made or read.
pub(super) fn prepare(directory: &Path, naming: &Naming) -> Result<()> {
    make_directory(directory)?;
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory).map_err(|e| away(&directory, "read", e))?;
        for entry in entries {
            let entry = entry.map_err(|e| away(&directory, "read", e))?;
            let kind = entry.file_type().map_err(|e| away(&directory, "read", e))?;
            if kind.is_dir() {
                directories.push(entry.path());
            } else if naming.is_temporary(&entry.file_name().to_string_lossy()) {
                sweep(&entry.path());
            }
        }
    }
    Ok(())
}

fn sweep(path: &Path) {
    let Ok(file) = File::open(path) else { return };
    if file.try_lock().is_err() {
        return;
    }
    match fs::remove_file(path) {
        Ok(()) => tracing::info!(path = %path.display(), "removed an unfinished file"),
        Err(error) => tracing::warn!(path = %path.display(), %error, "remove an unfinished file"),
    }
}

/// Makes a directory with its parents, each durable in its parent.
fn make_directory(directory: &Path) -> Result<()> {
    let mut missing: Vec<&Path> =
        directory.ancestors().take_while(|d| !d.as_os_str().is_empty() && !d.exists()).collect();
    while let Some(directory) = missing.pop() {
        match fs::create_dir(directory) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(away(directory, "make the directory", e));
            }
            _ => {}
        }
        if let Some(parent) = directory.parent() {
            make_durable(parent).map_err(|e| away(parent, "make durable", e))?;
        }
    }
    Ok(())
}

/// Makes the names in a directory durable.
pub(super) fn make_durable(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    File::open(directory)?.sync_all()
}

/// A file in the making.
pub(super) struct LocalUpload {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    /// What it is staged as.
    staged: (String, String),
    stored: u64,
    /// The file is durable and has its name, or the name under which it is staged.
    named: bool,
}

impl LocalUpload {
    pub(super) fn begin(base: &Path, partition: &str, name: &str, hidden: &str) -> Result<Self> {
        let directory = base.join(partition);
        make_directory(&directory)?;
        let temporary = directory.join(hidden);
        let told = |e| away(&temporary, "begin the file", e);
        loop {
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(&temporary);
            let file = file.map_err(told)?;
            file.lock().map_err(told)?;
            // Another process of this topology may have swept it between the two calls.
            if file.metadata().map_err(told)?.nlink() > 0 {
                return Ok(Self {
                    file,
                    path: directory.join(name),
                    staged: (format!("{partition}{hidden}"), format!("{partition}{name}")),
                    temporary,
                    stored: 0,
                    named: false,
                });
            }
        }
    }

    /// Stores the rest and makes the file's bytes durable.
    fn complete(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        self.write(buffer)?;
        // After a failed fsync the system may have dropped what it could not write, and a second
        // one would report success: the rows must be read again.
        self.file.sync_all().map_err(|e| {
            Error::state("SW2021", format!("make `{}` durable", self.temporary.display()))
                .with_hint("look after the disk; the topology goes on from the last epoch")
                .with_source(e)
        })
    }

    /// Makes the file's name durable.
    fn keep_name(&self) -> Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        make_durable(directory).map_err(|e| away(directory, "make durable", e))
    }

    fn write(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        let mut written = 0;
        let outcome = loop {
            let Some(rest) = buffer.get(written..).filter(|rest| !rest.is_empty()) else {
                break Ok(());
            };
            match self.file.write_at(rest, self.stored) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    written += count;
                    self.stored += count as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
        };
        buffer.drain(..written);
        outcome.map_err(|e| away(&self.temporary, "write", e))
    }
}

impl Upload for LocalUpload {
    fn store(&mut self, buffer: &mut Vec<u8>, urgent: bool) -> Result<()> {
        if buffer.len() < GATHER && !urgent { Ok(()) } else { self.write(buffer) }
    }

    fn commit(&mut self, buffer: &mut Vec<u8>, _wait: Duration) -> Result<bool> {
        if !self.named {
            self.complete(buffer)?;
            fs::rename(&self.temporary, &self.path).map_err(|e| away(&self.path, "name", e))?;
            self.named = true;
        }
        self.keep_name()?;
        Ok(true)
    }

    fn stage(&mut self, buffer: &mut Vec<u8>, _wait: Duration) -> Result<Option<StagedFile>> {
        if !self.named {
            self.complete(buffer)?;
            self.named = true;
        }
        self.keep_name()?;
        let (temporary, name) = self.staged.clone();
        Ok(Some(StagedFile::Local { temporary, name, bytes: self.stored }))
    }

    fn held(&self) -> usize {
        0
    }

    fn stored(&self) -> u64 {
        self.stored
    }
}

impl Drop for LocalUpload {
    fn drop(&mut self) {
        if !self.named
            && let Err(error) = fs::remove_file(&self.temporary)
        {
            tracing::debug!(path = %self.temporary.display(), %error, "remove an unfinished file");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use swiftwater_engine::{ErrorKind, Timestamp};

    fn naming() -> Naming {
        Naming::new("t", "n", Timestamp(0), 1, "json")
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut all: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        all.sort();
        all
    }

    fn begin(directory: &Path) -> LocalUpload {
        let mut naming = naming();
        let name = naming.next();
        LocalUpload::begin(directory, "a=1/", &name, &naming.temporary(&name)).unwrap()
    }

    #[test]
    fn nothing_is_visible_before_the_commit_and_everything_after() {
        let dir = tempfile::tempdir().unwrap();
        let mut upload = begin(dir.path());
        let mut buffer = vec![b'x'; GATHER + 5];
        upload.store(&mut buffer, false).unwrap();
        buffer.extend_from_slice(b"end");
        upload.store(&mut buffer, false).unwrap();
        assert_eq!(buffer, b"end", "a little waits for more");
        let inside = dir.path().join("a=1");
        assert!(names(&inside).iter().all(|n| n.starts_with('.')));
        assert!(upload.commit(&mut buffer, Duration::ZERO).unwrap());
        assert_eq!(names(&inside), ["19700101T000000000Z-00000001-000001.json"]);
        let text = fs::read(inside.join(&names(&inside)[0])).unwrap();
        assert_eq!(text.len(), GATHER + 8);
        assert!(text.ends_with(b"xend"));
        drop(upload);
        assert_eq!(names(&inside).len(), 1);
    }

    #[test]
    fn a_file_that_is_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        drop(begin(dir.path()));
        assert!(names(&dir.path().join("a=1")).is_empty());
    }

    #[test]
    fn a_full_disk_is_unavailable_and_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut upload = begin(dir.path());
        let mut buffer = b"first,".to_vec();
        upload.write(&mut buffer).unwrap();
        // /dev/full answers every write as a full disk does.
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let disk = std::mem::replace(&mut upload.file, full);
        buffer.extend_from_slice(b"second");
        let error = upload.commit(&mut buffer, Duration::ZERO).unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "SW2020"));
        assert_eq!(buffer, b"second");
        upload.file = disk;
        assert!(upload.commit(&mut buffer, Duration::ZERO).unwrap());
        assert_eq!(fs::read(&upload.path).unwrap(), b"first,second");
    }

    #[test]
    fn unfinished_files_of_a_crashed_run_are_swept_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("a=1");
        let alive = begin(dir.path());
        let mut other = Naming::new("t", "other", Timestamp(0), 1, "json");
        let name = other.next();
        fs::write(inside.join(other.temporary(&name)), "of another sink").unwrap();
        fs::write(inside.join("data.json"), "whole").unwrap();
        let mut crashed = Naming::new("t", "n", Timestamp(5), 2, "json");
        let name = crashed.next();
        let left = inside.join(crashed.temporary(&name));
        fs::write(&left, "half").unwrap();
        prepare(dir.path(), &naming()).unwrap();
        assert!(!left.exists());
        assert!(alive.temporary.exists(), "a live run's file is locked");
        assert_eq!(names(&inside).len(), 3);
    }
}
