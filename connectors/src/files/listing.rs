//! Finding the files that a source reads: all matches of a path, ordered by name.

use std::fs;
use std::path::{Path as LocalPath, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use swiftwater_engine::{Error, Result};

use super::glob::{Glob, is_pattern};
use super::location::{Location, object_path};
use crate::io_call;

/// One file that can be read.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Its path or URL: how it is named in positions and dead letters.
    pub name: Arc<str>,
    /// Where its bytes are.
    pub file: FileRef,
}

/// Where a file's bytes are.
#[derive(Clone)]
pub(crate) enum FileRef {
    /// On the local file system.
    Local(PathBuf),
    /// In an object store.
    Object(Arc<dyn ObjectStore>, Path),
}

/// Directories are not followed deeper than this, so that a link to its own parent ends.
const DEEPEST: usize = 64;

/// Whether a file in a directory is skipped: hidden ones and those that start with an underscore,
/// which is how writers mark what is not finished or not data.
fn is_skipped(relative: &str) -> bool {
    relative.split('/').any(|part| part.starts_with(['.', '_']))
}

fn is_hidden(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with('.'))
}

impl Location {
    /// All files that match now, ordered by name.
    ///
    /// # Errors
    /// `Unavailable` (`SW2012`) where the directory or the store cannot be listed.
    pub(crate) fn list(&self) -> Result<Vec<Entry>> {
        let mut found = match self {
            Self::Local(path) => local(path)?,
            Self::Object { client, bucket_url, key } => {
                let listed = objects(client.objects.as_ref(), key)?;
                let entry = |path: Path| Entry {
                    name: format!("{bucket_url}/{path}").into(),
                    file: FileRef::Object(Arc::clone(&client.objects), path),
                };
                listed.into_iter().map(entry).collect()
            }
        };
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }
}

fn unreadable(path: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::unavailable("SW2012", format!("list the files at `{path}`")).with_source(error)
}

fn local(path: &LocalPath) -> Result<Vec<Entry>> {
    let text = path.to_string_lossy();
    let mut found = Vec::new();
    let entry =
        |name: String| Entry { file: FileRef::Local(name.clone().into()), name: name.into() };
    if is_pattern(&text) && !path.exists() {
        let glob = Glob::parse(&text)?;
        let base = if glob.base.is_empty() { "." } else { glob.base.as_str() };
        let names = walk(LocalPath::new(base), &glob.base)?;
        let matching = names.into_iter().filter(|name| glob.matches(name) && !is_hidden(name));
        found.extend(matching.map(entry));
    } else if path.is_dir() {
        let prefix = format!("{}/", text.trim_end_matches('/'));
        let names = walk(path, &prefix)?;
        let data = |name: &String| name.strip_prefix(&prefix).is_some_and(|rest| !is_skipped(rest));
        found.extend(names.into_iter().filter(data).map(entry));
    } else if path.exists() {
        found.push(entry(text.into_owned()));
    }
    Ok(found)
}

/// Files under `directory`, named with `prefix` before their path in it. A directory that is not
/// there has none.
fn walk(directory: &LocalPath, prefix: &str) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut directories = vec![(directory.to_owned(), prefix.to_owned(), 0)];
    while let Some((directory, prefix, depth)) = directories.pop() {
        let told = |e: std::io::Error| unreadable(&directory.to_string_lossy(), e);
        let entries = match fs::read_dir(&directory) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(told)?,
        };
        for entry in entries {
            let entry = entry.map_err(told)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            // A file that went away since it was listed is no file.
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            if metadata.is_file() {
                files.push(name);
            } else if metadata.is_dir() && depth < DEEPEST {
                directories.push((entry.path(), format!("{name}/"), depth + 1));
            }
        }
    }
    Ok(files)
}

fn objects(store: &dyn ObjectStore, key: &str) -> Result<Vec<Path>> {
    let list = |prefix: &str| -> Result<Vec<Path>> {
        let prefix = if prefix.is_empty() { None } else { Some(object_path(prefix)?) };
        let listed = io_call::block_on(store.list(prefix.as_ref()).try_collect::<Vec<_>>())?;
        let listed = listed.map_err(|e| unreadable(key, e))?;
        Ok(listed.into_iter().filter(|o| o.size > 0).map(|o| o.location).collect())
    };
    if is_pattern(key) {
        let glob = Glob::parse(key)?;
        let mut found = list(&glob.base)?;
        found.retain(|path| glob.matches(path.as_ref()) && !is_hidden(path.as_ref()));
        return Ok(found);
    }
    if !key.is_empty() && !key.ends_with('/') {
        let path = object_path(key)?;
        match io_call::block_on(store.head(&path))? {
            Ok(object) => return Ok(vec![object.location]),
            Err(object_store::Error::NotFound { .. }) => {}
            Err(e) => return Err(unreadable(key, e)),
        }
    }
    let mut found = list(key)?;
    let prefix = format!("{}/", key.trim_end_matches('/'));
    found.retain(|path| !is_skipped(path.as_ref().strip_prefix(&prefix).unwrap_or(path.as_ref())));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::store::{Client, StoreOptions};
    use object_store::memory::InMemory;

    const FILES: [&str; 7] = [
        "in/b.json",
        "in/a.json",
        "in/.hidden.json",
        "in/_SUCCESS",
        "in/deep/c.json",
        "in/.tmp/d.json",
        "other/e.json",
    ];

    fn names(location: &Location, root: &str) -> Vec<String> {
        let listed = location.list().unwrap();
        listed.iter().map(|e| e.name.strip_prefix(root).unwrap().to_owned()).collect()
    }

    fn cases() -> [(&'static str, Vec<&'static str>); 6] {
        [
            ("in/", vec!["in/a.json", "in/b.json", "in/deep/c.json"]),
            ("in", vec!["in/a.json", "in/b.json", "in/deep/c.json"]),
            ("in/*.json", vec!["in/a.json", "in/b.json"]),
            ("**/[c-e].json", vec!["in/.tmp/d.json", "in/deep/c.json", "other/e.json"]),
            ("in/b.json", vec!["in/b.json"]),
            ("nothing/*.json", vec![]),
        ]
    }

    #[test]
    fn local_files_are_found_in_the_order_of_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let root = format!("{}/", dir.path().display());
        for file in FILES {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        for (pattern, expected) in cases() {
            let text = format!("{root}{pattern}");
            let location = Location::parse(&text, &StoreOptions::default()).unwrap();
            assert_eq!(names(&location, &root), expected, "{pattern}");
        }
    }

    #[test]
    fn objects_are_found_in_the_order_of_their_names() {
        let client = Client::of(InMemory::new());
        for file in FILES {
            let path = Path::from(file);
            let put = client.objects.put(&path, "{}".into());
            io_call::block_on(put).unwrap().unwrap();
        }
        for (pattern, expected) in cases() {
            let location = Location::Object {
                client: client.clone(),
                bucket_url: "s3://bucket".into(),
                key: pattern.into(),
            };
            assert_eq!(names(&location, "s3://bucket/"), expected, "{pattern}");
        }
    }
}
