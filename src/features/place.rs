//! Where the registry is kept: a file, or an object of a bucket.

use std::fs;
use std::path::PathBuf;

use swiftwater_engine::snapshot::Store;
use swiftwater_engine::{Error, Result};

use super::Registry;

/// Name of the registry below a URL.
const OBJECT: &str = "registry.json";

/// Where the registry is kept.
pub(crate) enum Place {
    /// A file.
    File(PathBuf),
    /// `feature_views/registry.json` in an object store.
    Objects(Store),
}

impl Place {
    /// A path, or a URL such as `s3://bucket/prefix`.
    ///
    /// # Errors
    /// `Config` for a URL that names no known store.
    pub(crate) fn new(text: &str) -> Result<Self> {
        if text.contains("://") {
            Ok(Self::Objects(Store::open(text, "feature_views")?))
        } else {
            Ok(Self::File(text.into()))
        }
    }

    /// What is there; an empty registry where there is nothing yet.
    ///
    /// # Errors
    /// `Config` (`SW4117`) for what is no registry of this version.
    pub(crate) fn read(&self) -> Result<Registry> {
        let wrong = |what: String| {
            Error::config("SW4117", format!("read the registry: {what}"))
                .with_hint("name the JSON file that `swiftwater features` wrote")
        };
        let bytes = match self {
            Self::File(path) => match fs::read(path) {
                Ok(bytes) => Some(bytes),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => {
                    return Err(wrong(format!("`{}`", path.display())).with_source(error));
                }
            },
            Self::Objects(store) => store.get(OBJECT)?.map(|bytes| bytes.to_vec()),
        };
        let Some(bytes) = bytes else {
            return Ok(Registry { format: 1, views: Vec::new() });
        };
        let registry: Registry = serde_json::from_slice(&bytes)
            .map_err(|error| wrong("it is not in its format".into()).with_source(error))?;
        if registry.format != 1 {
            return Err(wrong(format!("it has the format {}, not 1", registry.format)));
        }
        Ok(registry)
    }

    /// Puts the registry in the place of what is there, in one step.
    ///
    /// # Errors
    /// `Config` (`SW4117`) for a file that cannot be written, `Unavailable` for a store.
    pub(crate) fn write(&self, registry: &Registry) -> Result<()> {
        let text = serde_json::to_string_pretty(registry)
            .map_err(|e| Error::bug("write the registry as JSON").with_source(e))?
            + "\n";
        match self {
            Self::Objects(store) => store.put(OBJECT, text.into_bytes().into()),
            Self::File(path) => {
                let beside = path.with_extension("json.partial");
                let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
                written.map_err(|error| {
                    Error::config("SW4117", format!("write `{}`", path.display()))
                        .with_source(error)
                        .with_hint("name a file in a directory that may be written")
                })
            }
        }
    }
}
