//! Where files are: a local path or the URL of an object store.

use std::path::PathBuf;

use object_store::path::Path;
use swiftwater_engine::{Error, Result};

use super::store::{Client, SCHEMES, StoreOptions};

/// A local path, or a key in an object store; either may be a pattern.
#[derive(Clone)]
pub(crate) enum Location {
    /// A path of the local file system.
    Local(PathBuf),
    /// A key of an object store.
    Object {
        /// The store.
        client: Client,
        /// Its URL up to the bucket, such as `s3://bucket`.
        bucket_url: String,
        /// What follows, without a leading slash.
        key: String,
    },
}

impl Location {
    /// Reads a path, a `file://` URL or the URL of an object store.
    ///
    /// # Errors
    /// `Config` (`SW2010`) for an unknown scheme or options that do not fit.
    pub(crate) fn parse(text: &str, options: &StoreOptions) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once("://") else {
            options.refuse_for_local_path(text)?;
            return Ok(Self::Local(text.into()));
        };
        if scheme == "file" {
            options.refuse_for_local_path(text)?;
            return Ok(Self::Local(rest.strip_prefix("localhost").unwrap_or(rest).into()));
        }
        if !SCHEMES.contains(&scheme) {
            return Err(Error::config("SW2010", format!("reach files at `{text}`")).with_hint(
                format!("give a local path or a URL with file, {}", SCHEMES.join(", ")),
            ));
        }
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let bucket_url = format!("{scheme}://{bucket}");
        let client = options.client(scheme, &bucket_url)?;
        Ok(Self::Object { client, bucket_url, key: key.into() })
    }
}

/// A key as the client takes it.
///
/// # Errors
/// `Config` (`SW2010`) for a key with empty or relative segments.
pub(crate) fn object_path(key: &str) -> Result<Path> {
    let key = key.trim_end_matches('/');
    Path::parse(key)
        .map_err(|e| Error::config("SW2010", format!("use the object key `{key}`")).with_source(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use swiftwater_config::Secret;

    #[test]
    fn paths_and_urls_are_told_apart() {
        let none = StoreOptions::default();
        let local = |text: &str| match Location::parse(text, &none) {
            Ok(Location::Local(path)) => path.to_string_lossy().into_owned(),
            _ => panic!("{text}"),
        };
        assert_eq!(local("data/*.json"), "data/*.json");
        assert_eq!(local("file:///var/x"), "/var/x");
        let Ok(Location::Object { bucket_url, key, .. }) =
            Location::parse("s3://bucket/a/b*.json", &none)
        else {
            panic!("an object store")
        };
        assert_eq!((bucket_url.as_str(), key.as_str()), ("s3://bucket", "a/b*.json"));
    }

    #[test]
    fn options_that_do_not_fit_are_told_without_secrets() {
        let key = Some(Secret::new("hunter2"));
        let s3 = StoreOptions { secret_access_key: key, ..StoreOptions::default() };
        for (text, options) in [
            ("gs://bucket/x", &s3),
            ("data/", &s3),
            ("ftp://host/x", &StoreOptions::default()),
            (
                "s3://bucket/x",
                &StoreOptions { endpoint: Some("http://minio:9000".into()), ..Default::default() },
            ),
        ] {
            let error = Location::parse(text, options).err().unwrap();
            assert_eq!(error.code, "SW2010");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
