//! One file of a sink while rows are added to it, and while it is being committed.

use std::time::Duration;

use swiftwater_engine::{Result, Sequence, Timestamp};

use super::encoder::{FileEncoder, Making, Prepared};
use super::staged::StagedFile;
use super::upload::Upload;

/// A file that takes rows.
pub(crate) struct OpenFile {
    encoder: FileEncoder,
    upload: Box<dyn Upload>,
    /// Number of the first batch in it.
    first: Sequence,
    /// When its first row came.
    pub(crate) opened: Timestamp,
}

/// A file whose last row has come.
pub(crate) struct ClosingFile {
    rest: Vec<u8>,
    upload: Box<dyn Upload>,
    first: Sequence,
}

impl OpenFile {
    /// An empty file.
    ///
    /// # Errors
    /// Those of the encoder.
    pub(crate) fn begin(
        making: &Making,
        upload: Box<dyn Upload>,
        first: Sequence,
        opened: Timestamp,
    ) -> Result<Self> {
        Ok(Self { encoder: FileEncoder::begin(making)?, upload, first, opened })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// `State` where the encoder fails.
    pub(crate) fn write(&mut self, rows: &Prepared) -> Result<()> {
        self.encoder.write(rows)
    }

    /// Stores what can be stored.
    ///
    /// # Errors
    /// `Unavailable` where it cannot be now; nothing is lost.
    pub(crate) fn store(&mut self) -> Result<()> {
        self.upload.store(self.encoder.buffer(), false)
    }

    /// Frees memory: lets the encoder give out what it holds, and stores it.
    ///
    /// # Errors
    /// As `store`.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.encoder.flush()?;
        self.upload.store(self.encoder.buffer(), true)
    }

    /// Bytes of memory.
    pub(crate) fn held(&mut self) -> usize {
        self.encoder.inside().0 + self.encoder.buffer().len() + self.upload.held()
    }

    /// Bytes of the file so far.
    pub(crate) fn size(&mut self) -> u64 {
        let later = self.encoder.inside().1 + self.encoder.buffer().len();
        self.upload.stored() + later as u64
    }

    /// Number of the first batch in it.
    pub(crate) const fn first(&self) -> Sequence {
        self.first
    }

    /// No row follows.
    ///
    /// # Errors
    /// `State` where the encoder fails.
    pub(crate) fn close(self) -> Result<ClosingFile> {
        Ok(ClosingFile { rest: self.encoder.finish()?, upload: self.upload, first: self.first })
    }
}

impl ClosingFile {
    /// Brings the commit forward, waiting at most `wait`; returns whether the file is there.
    ///
    /// # Errors
    /// `Unavailable`: call again; `State`: its rows are lost to this run.
    pub(crate) fn commit(&mut self, wait: Duration) -> Result<bool> {
        self.upload.commit(&mut self.rest, wait)
    }

    /// Brings it forward that the file outlives the process without appearing, waiting at most
    /// `wait`; `None` until it does.
    ///
    /// # Errors
    /// As `commit`.
    pub(crate) fn stage(&mut self, wait: Duration) -> Result<Option<StagedFile>> {
        self.upload.stage(&mut self.rest, wait)
    }

    /// Bytes of memory.
    pub(crate) fn held(&self) -> usize {
        self.rest.len() + self.upload.held()
    }

    /// Number of the first batch in it.
    pub(crate) const fn first(&self) -> Sequence {
        self.first
    }
}
