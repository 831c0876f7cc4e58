//! Where snapshots live: a directory of this machine, or a bucket.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind as Io, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use tokio::runtime::Runtime;
use url::Url;

use crate::error::{Error, Result};

/// An object store under one prefix. What [`Store::put`] and [`Store::create`] have returned from
/// outlives the machine's power; a file is seen whole or not at all.
pub struct Store {
    place: Place,
    url: String,
}

enum Place {
    Directory(PathBuf),
    Bucket { objects: Box<dyn ObjectStore>, prefix: ObjectPath, runtime: Arc<Runtime> },
}

impl Store {
    /// The part of the store at `url` that belongs to a topology. Credentials of a bucket come from
    /// the environment, as the cloud's own tools read them. What begins with `/`, `./` or `../` is a
    /// directory of this machine, as seen from the working directory.
    ///
    /// # Errors
    /// `Config` (`SW4320`) for a URL that is none or names no known store.
    pub fn open(url: &str, topology: &str) -> Result<Self> {
        let unfit = |why: String| {
            Error::config("SW4320", format!("use `{url}` as `checkpoint.store`: {why}")).with_hint(
                "give the URL of an object store, such as file:///var/lib/swiftwater or s3://bucket/prefix, or a directory, such as ./state",
            )
        };
        let is_path = ["/", "./", "../"].iter().any(|start| url.starts_with(start));
        let parsed = if is_path {
            let path = std::path::absolute(url).map_err(|e| unfit(e.to_string()))?;
            Url::from_directory_path(path).map_err(|()| unfit("it is no path".into()))?
        } else {
            Url::parse(url).map_err(|e| unfit(e.to_string()))?
        };
        let place = if parsed.scheme() == "file" {
            let path =
                parsed.to_file_path().map_err(|()| unfit("it is no absolute path".into()))?;
            Place::Directory(path.join(topology))
        } else {
            let variables = std::env::vars().map(|(k, v)| (k.to_ascii_lowercase(), v));
            let (objects, prefix) = object_store::parse_url_opts(&parsed, variables)
                .map_err(|e| unfit(e.to_string()))?;
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("snapshots")
                .enable_all()
                .build()
                .map_err(|e| Error::unavailable("SW4001", "start a thread").with_source(e))?;
            Place::Bucket { objects, prefix: prefix.join(topology), runtime: Arc::new(runtime) }
        };
        let url = if is_path { parsed.as_str() } else { url };
        Ok(Self { place, url: format!("{}/{topology}", url.trim_end_matches('/')) })
    }

    /// The URL of the topology's part.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    fn failed(
        &self,
        doing: &str,
        name: &str,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::unavailable("SW4321", format!("{doing} `{name}` in {}", self.url)).with_source(error)
    }

    /// Writes a file, in the place of one of the same name.
    ///
    /// # Errors
    /// `Unavailable` (`SW4321`), also where the disk is full.
    pub fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        match &self.place {
            Place::Directory(root) => {
                write_file(root, name, &bytes).map_err(|e| self.failed("write", name, e))
            }
            Place::Bucket { objects, prefix, runtime } => {
                let path = below(prefix, name);
                let written = objects.put(&path, PutPayload::from_bytes(bytes));
                runtime.block_on(written).map_err(|e| self.failed("write", name, e))?;
                Ok(())
            }
        }
    }

    /// Writes a file unless there is one of this name already; says whether it was written. Of
    /// several processes that try, one succeeds.
    ///
    /// # Errors
    /// `Unavailable` (`SW4321`).
    pub fn create(&self, name: &str, bytes: Bytes) -> Result<bool> {
        match &self.place {
            Place::Directory(root) => {
                create_file(root, name, &bytes).map_err(|e| self.failed("create", name, e))
            }
            Place::Bucket { objects, prefix, runtime } => {
                let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
                let path = below(prefix, name);
                let put = objects.put_opts(&path, PutPayload::from_bytes(bytes), options);
                match runtime.block_on(put) {
                    Ok(_) => Ok(true),
                    Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                    Err(error) => Err(self.failed("create", name, error)),
                }
            }
        }
    }

    /// The content of a file; `None` where there is none of this name.
    ///
    /// # Errors
    /// `Unavailable` (`SW4321`).
    pub fn get(&self, name: &str) -> Result<Option<Bytes>> {
        match &self.place {
            Place::Directory(root) => match fs::read(root.join(name)) {
                Ok(bytes) => Ok(Some(bytes.into())),
                Err(error) if error.kind() == Io::NotFound => Ok(None),
                Err(error) => Err(self.failed("read", name, error)),
            },
            Place::Bucket { objects, prefix, runtime } => {
                let path = below(prefix, name);
                let got = runtime.block_on(async { objects.get(&path).await?.bytes().await });
                match got {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(object_store::Error::NotFound { .. }) => Ok(None),
                    Err(error) => Err(self.failed("read", name, error)),
                }
            }
        }
    }

    /// Names of the files in a directory, in order.
    ///
    /// # Errors
    /// `Unavailable` (`SW4321`).
    pub fn list(&self, directory: &str) -> Result<Vec<String>> {
        let mut names = match &self.place {
            Place::Directory(root) => list_directory(&root.join(directory), directory)
                .map_err(|e| self.failed("list", directory, e))?,
            Place::Bucket { objects, prefix, runtime } => {
                use futures::TryStreamExt as _;
                let path = below(prefix, directory);
                let listed = runtime.block_on(objects.list(Some(&path)).try_collect::<Vec<_>>());
                let listed = listed.map_err(|e| self.failed("list", directory, e))?;
                let name = |o: object_store::ObjectMeta| {
                    o.location.filename().map(|f| format!("{directory}/{f}"))
                };
                listed.into_iter().filter_map(name).collect()
            }
        };
        names.sort();
        Ok(names)
    }

    /// Deletes a file; one that is not there is no error.
    ///
    /// # Errors
    /// `Unavailable` (`SW4321`).
    pub fn delete(&self, name: &str) -> Result<()> {
        match &self.place {
            Place::Directory(root) => match fs::remove_file(root.join(name)) {
                Err(error) if error.kind() != Io::NotFound => {
                    Err(self.failed("delete", name, error))
                }
                _ => Ok(()),
            },
            Place::Bucket { objects, prefix, runtime } => {
                match runtime.block_on(objects.delete(&below(prefix, name))) {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                    Err(error) => Err(self.failed("delete", name, error)),
                }
            }
        }
    }
}

fn below(prefix: &ObjectPath, name: &str) -> ObjectPath {
    name.split('/').fold(prefix.clone(), |path, part| path.join(part))
}

/// Files that a crash may leave half written end so.
const TEMPORARY: &str = ".tmp";

fn write_temporary(root: &Path, name: &str, bytes: &[u8]) -> std::io::Result<(PathBuf, PathBuf)> {
    let path = root.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut temporary = path.clone().into_os_string();
    temporary.push(format!(".{}{TEMPORARY}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // A full disk must not stay full of what was not written.
        fs::remove_file(&temporary).ok();
        return Err(error);
    }
    Ok((temporary, path))
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

fn write_file(root: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let (temporary, path) = write_temporary(root, name, bytes)?;
    fs::rename(temporary, &path)?;
    sync_parent(&path)
}

fn create_file(root: &Path, name: &str, bytes: &[u8]) -> std::io::Result<bool> {
    let (temporary, path) = write_temporary(root, name, bytes)?;
    let linked = fs::hard_link(&temporary, &path);
    fs::remove_file(&temporary)?;
    match linked {
        Ok(()) => sync_parent(&path).map(|()| true),
        Err(error) if error.kind() == Io::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn list_directory(path: &Path, directory: &str) -> std::io::Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == Io::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.push(format!("{directory}/{name}"));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_whole_and_one_of_several_creates() {
        let directory = tempfile::tempdir().unwrap();
        let url = Url::from_directory_path(directory.path()).unwrap();
        let store = Store::open(url.as_str(), "t").unwrap();
        assert_eq!(store.list("epochs").unwrap(), Vec::<String>::new());
        assert!(store.create("epochs/1", "a".into()).unwrap());
        assert!(!store.create("epochs/1", "b".into()).unwrap());
        store.put("epochs/2", "c".into()).unwrap();
        store.put("epochs/2", "d".into()).unwrap();
        assert_eq!(store.get("epochs/1").unwrap().unwrap(), "a");
        assert_eq!(store.get("epochs/2").unwrap().unwrap(), "d");
        assert_eq!(store.get("epochs/3").unwrap(), None);
        assert_eq!(store.list("epochs").unwrap(), ["epochs/1", "epochs/2"]);
        store.delete("epochs/1").unwrap();
        store.delete("epochs/1").unwrap();
        assert_eq!(store.list("epochs").unwrap(), ["epochs/2"]);
    }

    #[test]
    fn a_path_is_a_directory_of_this_machine() {
        let directory = tempfile::tempdir().unwrap();
        let path = format!("{}/a b/state/", directory.path().display());
        let store = Store::open(&path, "t").unwrap();
        store.put("epochs/1", "a".into()).unwrap();
        assert!(directory.path().join("a b/state/t/epochs/1").is_file());
        assert!(store.url().starts_with("file:///") && store.url().ends_with("/t"));
        let here = Store::open("./state", "t").unwrap();
        let expected = Url::from_file_path(std::env::current_dir().unwrap().join("state/t"));
        assert_eq!(here.url(), expected.unwrap().as_str());
    }

    #[test]
    fn a_place_that_is_none_is_told() {
        for url in ["nowhere", "ftp://x/y", "file://relative/../x?"] {
            let told = Store::open(url, "t").err().map(|e| e.to_string());
            assert!(told.as_ref().is_none_or(|t| t.contains(url)), "{told:?}");
        }
        assert!(Store::open("nowhere", "t").is_err());
    }
}
