//! The bytes of a file in order, wherever it is.

use std::fs::File;
use std::io::{self, Read};

use bytes::{Buf, Bytes};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::{GetResultPayload, ObjectStoreExt};
use swiftwater_engine::{Error, Result};

use super::listing::{Entry, FileRef};
use crate::io_call;

/// An error of a store that says that the file is not there.
pub(crate) fn is_gone(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. })
}

/// The error of a file that could not be opened or read.
pub(crate) fn unreadable(
    name: &str,
    gone: bool,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let error = if gone {
        Error::data("SW2014", format!("read the file `{name}`, which has gone since it was listed"))
    } else {
        Error::unavailable("SW2012", format!("read the file `{name}`"))
    };
    error.with_source(cause)
}

/// Opens a file for reading from its beginning.
///
/// # Errors
/// `Data` (`SW2014`) for a file that is gone, `Unavailable` (`SW2012`) for one that cannot be read
/// now.
pub(crate) fn open(entry: &Entry) -> Result<Box<dyn Read + Send>> {
    match &entry.file {
        FileRef::Local(path) => match File::open(path) {
            Ok(file) => Ok(Box::new(file)),
            Err(e) => Err(unreadable(&entry.name, e.kind() == io::ErrorKind::NotFound, e)),
        },
        FileRef::Object(store, path) => {
            let got = io_call::block_on(store.get(path))?;
            let got = got.map_err(|e| unreadable(&entry.name, is_gone(&e), e))?;
            Ok(match got.payload {
                GetResultPayload::File(file, _) => Box::new(file),
                GetResultPayload::Stream(chunks) => {
                    Box::new(Chunks { chunks, current: Bytes::new() })
                }
            })
        }
    }
}

/// Chunks from the network as one stream of bytes.
struct Chunks {
    chunks: BoxStream<'static, object_store::Result<Bytes>>,
    current: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            let next = io_call::block_on(self.chunks.next()).map_err(io::Error::other)?;
            match next {
                Some(chunk) => self.current = chunk.map_err(io::Error::other)?,
                None => return Ok(0),
            }
        }
        let length = self.current.len().min(into.len());
        let (head, _) = into.split_at_mut(length);
        self.current.copy_to_slice(head);
        Ok(length)
    }
}
