//! Files that are whole and durable and that nobody sees yet: what an epoch staged, how they get
//! their names once it is committed, and how a restart finds out whether they have.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path as LocalPath, PathBuf};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::multipart::PartId;
use object_store::{ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};
use swiftwater_engine::{Error, Result, Staged};

use super::local_upload::{away as disk_away, make_durable};
use super::location::{Location, object_path};
use super::object_upload::away as store_away;
use super::store::Client;
use crate::io_call;

/// Completions of uploads that are under way at once.
const AT_ONCE: usize = 8;

/// One file, with all that is needed to let it appear. Paths are relative to the sink's `path`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StagedFile {
    /// On the local file system, under a hidden name.
    Local {
        /// The hidden name.
        temporary: String,
        /// The name it gets.
        name: String,
        /// Its size.
        bytes: u64,
    },
    /// In an object store, as an upload whose parts have arrived.
    Object {
        /// The key it gets, from the bucket on.
        key: String,
        /// The upload's id.
        upload: String,
        /// What the store gave back for each part.
        parts: Vec<String>,
        /// Its size.
        bytes: u64,
    },
}

/// All files of one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StagedEpoch {
    /// Run and epoch: never used twice, also where epochs are counted from 1 again.
    pub id: String,
    /// The files.
    pub files: Vec<StagedFile>,
}

impl StagedEpoch {
    /// What a manifest kept.
    ///
    /// # Errors
    /// `State` (`SW2028`) where it is not what a `files` sink stages.
    pub(crate) fn read(staged: &Staged) -> Result<Self> {
        serde_json::from_value(staged.clone()).map_err(|e| {
            Error::state("SW2028", "read which files the last committed epoch had staged")
                .with_hint("give the node the kind back that it had, or another name")
                .with_source(e)
        })
    }

    /// What a manifest keeps.
    ///
    /// # Errors
    /// None in practice.
    pub(crate) fn write(&self) -> Result<Staged> {
        serde_json::to_value(self)
            .map_err(|e| Error::bug("write what an epoch has staged").with_source(e))
    }
}

/// Remembers which epoch was finalised last. Files may be moved away by their readers, so that a
/// restart cannot tell by the files alone whether they had appeared.
pub(crate) struct Finalised<'a> {
    /// Where the sink writes.
    pub location: &'a Location,
    /// Path of the note, relative to the sink's `path`.
    pub note: String,
}

impl Finalised<'_> {
    /// Lets the files of an epoch appear, all of them, however often it is called.
    ///
    /// # Errors
    /// `Unavailable` where that cannot be done now; `State` (`SW2028`) where files are gone that
    /// never appeared.
    pub(crate) fn finalise(&self, epoch: &StagedEpoch) -> Result<()> {
        if epoch.files.is_empty() {
            return Ok(());
        }
        let gone = match self.location {
            Location::Local(base) => local(base, &epoch.files)?,
            Location::Object { client, bucket_url, .. } => {
                io_call::block_on(objects(client, bucket_url, &epoch.files))??
            }
        };
        if let Some(gone) = gone
            && self.last()?.as_deref() != Some(epoch.id.as_str())
        {
            let place = self.place();
            return Err(Error::state("SW2028", format!("find the staged file `{gone}`")).with_hint(
                format!(
                    "start with the `path` that the sink had; to go on without the file, write `{}` into `{place}`",
                    epoch.id
                ),
            ));
        }
        self.note(&epoch.id)
    }

    fn place(&self) -> String {
        match self.location {
            Location::Local(base) => base.join(&self.note).display().to_string(),
            Location::Object { bucket_url, key, .. } => {
                format!("{bucket_url}/{}", joined(key, &self.note))
            }
        }
    }

    /// The id of the epoch that was finalised last.
    fn last(&self) -> Result<Option<String>> {
        match self.location {
            Location::Local(base) => match fs::read_to_string(base.join(&self.note)) {
                Ok(id) => Ok(Some(id.trim_end().to_owned())),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(e) => Err(disk_away(&base.join(&self.note), "read", e)),
            },
            Location::Object { client, key, .. } => {
                let path = object_path(&joined(key, &self.note))?;
                let read =
                    io_call::block_on(async { client.objects.get(&path).await?.bytes().await })?;
                match read {
                    Ok(id) => Ok(Some(String::from_utf8_lossy(&id).trim_end().to_owned())),
                    Err(object_store::Error::NotFound { .. }) => Ok(None),
                    Err(e) => Err(store_away(&self.place(), e)),
                }
            }
        }
    }

    /// The note need not outlive a power cut: without it, the files themselves are looked at.
    fn note(&self, id: &str) -> Result<()> {
        match self.location {
            Location::Local(base) => {
                let path = base.join(&self.note);
                let told = |e| disk_away(&path, "write", e);
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).map_err(told)?;
                }
                let beside = path.with_extension("new");
                fs::write(&beside, id).map_err(told)?;
                fs::rename(&beside, &path).map_err(told)
            }
            Location::Object { client, key, .. } => {
                let path = object_path(&joined(key, &self.note))?;
                let put = client.objects.put(&path, PutPayload::from(id.to_owned()));
                let put = io_call::block_on(put)?;
                put.map(|_| ()).map_err(|e| store_away(&self.place(), e))
            }
        }
    }
}

/// A key below the key of a sink's `path`.
pub(super) fn joined(key: &str, below: &str) -> String {
    let prefix = key.trim_end_matches('/');
    let slash = if prefix.is_empty() { "" } else { "/" };
    format!("{prefix}{slash}{below}")
}

/// Renames the files; returns one that is neither there nor staged.
fn local(base: &LocalPath, files: &[StagedFile]) -> Result<Option<String>> {
    let (mut directories, mut gone) = (BTreeSet::<PathBuf>::new(), None);
    for file in files {
        let StagedFile::Local { temporary, name, bytes } = file else {
            gone = Some("an upload to an object store".to_owned());
            continue;
        };
        let path = base.join(name);
        let there = match fs::rename(base.join(temporary), &path) {
            Ok(()) => true,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                fs::metadata(&path).is_ok_and(|m| m.len() == *bytes)
            }
            Err(e) => return Err(disk_away(&path, "name", e)),
        };
        if there {
            directories.extend(path.parent().map(PathBuf::from));
        } else {
            gone = Some(path.display().to_string());
        }
    }
    for directory in directories {
        make_durable(&directory).map_err(|e| disk_away(&directory, "make durable", e))?;
    }
    Ok(gone)
}

/// Completes the uploads; returns one that is neither complete nor there to be completed.
async fn objects(
    client: &Client,
    bucket_url: &str,
    files: &[StagedFile],
) -> Result<Option<String>> {
    let completed = stream::iter(files.iter().cloned())
        .map(|file| complete(client, bucket_url, file))
        .buffer_unordered(AT_ONCE);
    let gone: Vec<Option<String>> = completed.try_collect().await?;
    Ok(gone.into_iter().flatten().next())
}

async fn complete(client: &Client, bucket_url: &str, file: StagedFile) -> Result<Option<String>> {
    let StagedFile::Object { key, upload, parts, bytes } = file else {
        return Ok(Some("a file on a local disk".to_owned()));
    };
    let (path, url) = (object_path(&key)?, format!("{bucket_url}/{key}"));
    let parts = parts.into_iter().map(|content_id| PartId { content_id }).collect();
    let Err(error) = client.parts.complete_multipart(&path, &upload, parts).await else {
        return Ok(None);
    };
    // It may have been completed before: by an earlier call, or by one whose answer got lost.
    match client.objects.head(&path).await {
        Ok(object) if object.size == bytes => Ok(None),
        Err(object_store::Error::NotFound { .. })
            if matches!(error, object_store::Error::NotFound { .. }) =>
        {
            Ok(Some(url))
        }
        _ => Err(store_away(&url, error)),
    }
}
