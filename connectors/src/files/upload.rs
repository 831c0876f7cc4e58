//! Making a file: bytes go where nobody sees them, and all of them appear at once.

use std::time::Duration;

use swiftwater_engine::Result;

use super::local_upload::LocalUpload;
use super::location::Location;
use super::naming::Naming;
use super::object_upload::ObjectUpload;
use super::staged::{Finalised, StagedEpoch, StagedFile, joined};

/// A file in the making. Dropped before it was committed, it leaves nothing behind.
pub(crate) trait Upload: Send {
    /// Stores bytes from the front of `buffer` and takes them out of it; a little waits for more,
    /// unless it is `urgent` to free memory.
    ///
    /// # Errors
    /// `Unavailable` where they cannot be stored now: `buffer` holds what is left.
    fn store(&mut self, buffer: &mut Vec<u8>, urgent: bool) -> Result<()>;

    /// Stores all of `buffer` and lets the file appear under its name, waiting at most `wait`.
    /// Returns whether it has; otherwise, and after an error, it is called again.
    ///
    /// # Errors
    /// `Unavailable` where that cannot be done now; `State` where bytes that were stored are lost.
    fn commit(&mut self, buffer: &mut Vec<u8>, wait: Duration) -> Result<bool>;

    /// Stores all of `buffer` so that it outlives the process, without letting the file appear,
    /// waiting at most `wait`. `None`, and after an error: call again. A staged file stays when
    /// this is dropped.
    ///
    /// # Errors
    /// As for `commit`.
    fn stage(&mut self, buffer: &mut Vec<u8>, wait: Duration) -> Result<Option<StagedFile>>;

    /// Bytes held in memory beside the buffer.
    fn held(&self) -> usize;

    /// Bytes taken out of the buffer so far.
    fn stored(&self) -> u64;
}

/// Where a sink's files go.
pub(crate) struct Target {
    location: Location,
    naming: Naming,
}

impl Target {
    /// Files at `location`, named by `naming`.
    pub(crate) const fn new(location: Location, naming: Naming) -> Self {
        Self { location, naming }
    }

    /// Prepares the place: makes the directory and sweeps what a crashed run left in it.
    ///
    /// # Errors
    /// `Unavailable` (`SW2020`) where the directory cannot be made.
    pub(crate) fn prepare(&self) -> Result<()> {
        match &self.location {
            Location::Local(directory) => super::local_upload::prepare(directory, &self.naming),
            Location::Object { .. } => Ok(()),
        }
    }

    /// Names of this run; never those of another.
    pub(crate) fn run(&self) -> &str {
        self.naming.run()
    }

    /// Lets the files of a committed epoch appear, if they have not yet.
    ///
    /// # Errors
    /// As [`Finalised::finalise`].
    pub(crate) fn finalise(&self, epoch: &StagedEpoch) -> Result<()> {
        Finalised { location: &self.location, note: self.naming.note() }.finalise(epoch)
    }

    /// Begins the next file, in the sub-directory `partition` (with its trailing slash, or empty).
    ///
    /// # Errors
    /// `Unavailable` where it cannot be begun.
    pub(crate) fn begin(&mut self, partition: &str) -> Result<Box<dyn Upload>> {
        let name = self.naming.next();
        Ok(match &self.location {
            Location::Local(directory) => {
                let temporary = self.naming.temporary(&name);
                Box::new(LocalUpload::begin(directory, partition, &name, &temporary)?)
            }
            Location::Object { client, bucket_url, key } => {
                let key = joined(key, &format!("{partition}{name}"));
                Box::new(ObjectUpload::begin(client, bucket_url, &key)?)
            }
        })
    }
}
