//! Clients of object stores: S3, Google Cloud Storage and Azure, from a URL and options.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::multipart::MultipartStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Secret;
use swiftwater_engine::{Error, Result};

/// How an object store is reached. What is not given comes from the environment, as the stores' own
/// tools read it (`AWS_…`, `GOOGLE_…`, `AZURE_…`), or from the machine's identity in its cloud.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreOptions {
    /// Address of the server, where it is not the cloud's own, such as `http://minio:9000`.
    pub endpoint: Option<String>,
    /// Whether an endpoint without TLS may be used.
    pub allow_http: bool,
    /// S3: region of the bucket.
    pub region: Option<String>,
    /// S3: id of the access key.
    pub access_key_id: Option<Secret>,
    /// S3: the secret of the access key.
    pub secret_access_key: Option<Secret>,
    /// S3: token of temporary credentials.
    pub session_token: Option<Secret>,
    /// S3: addresses of the form `bucket.host` instead of `host/bucket`.
    pub virtual_hosted_style: bool,
    /// Google Cloud Storage: path of a service account's key file.
    pub service_account: Option<String>,
    /// Azure: name of the storage account.
    pub account: Option<String>,
    /// Azure: key of the storage account.
    pub account_key: Option<Secret>,
    /// Azure: shared access signature.
    pub sas_token: Option<Secret>,
    /// Sends requests without a signature, for public buckets.
    pub anonymous: bool,
}

/// A client with both faces of a store.
#[derive(Clone)]
pub(crate) struct Client {
    /// Lists and reads, and writes whole objects.
    pub objects: Arc<dyn ObjectStore>,
    /// Writes objects in parts.
    pub parts: Arc<dyn MultipartStore>,
}

impl Client {
    /// A client of one store.
    pub(crate) fn of(store: impl ObjectStore + MultipartStore) -> Self {
        let store = Arc::new(store);
        let parts = Arc::clone(&store);
        Self { objects: store, parts }
    }
}

/// URL schemes of object stores.
pub(crate) const SCHEMES: &[&str] = &["s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl"];

fn refused(url: &str, error: object_store::Error) -> Error {
    Error::config("SW2010", format!("reach the object store `{url}`")).with_source(error)
}

fn client_options(allow_http: bool) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(allow_http)
        .with_connect_timeout(Duration::from_secs(5))
        .with_timeout(Duration::from_secs(30))
}

/// The engine backs off and tries again, so a request itself is tried only briefly.
fn retry() -> RetryConfig {
    RetryConfig { max_retries: 2, retry_timeout: Duration::from_secs(10), ..RetryConfig::default() }
}

impl StoreOptions {
    /// Connects nothing yet: the first request does.
    ///
    /// # Errors
    /// `Config` (`SW2010`) for options that contradict each other or belong to another store.
    pub(crate) fn client(&self, scheme: &str, bucket_url: &str) -> Result<Client> {
        if let Some(endpoint) = &self.endpoint
            && endpoint.starts_with("http://")
            && !self.allow_http
        {
            return Err(Error::config(
                "SW2010",
                format!("use the endpoint `{endpoint}` without TLS"),
            )
            .with_hint("set `allow_http: true` if that is meant, or give an https:// address"));
        }
        match scheme {
            "s3" | "s3a" => self.s3(bucket_url),
            "gs" => self.gcs(bucket_url),
            _ => self.azure(bucket_url),
        }
    }

    /// Refuses options that another store than `store` has.
    fn only_for(&self, store: &str) -> Result<()> {
        let s3 = "S3";
        let azure = "Azure";
        let given = [
            ("region", s3, self.region.is_some()),
            ("access_key_id", s3, self.access_key_id.is_some()),
            ("secret_access_key", s3, self.secret_access_key.is_some()),
            ("session_token", s3, self.session_token.is_some()),
            ("virtual_hosted_style", s3, self.virtual_hosted_style),
            ("service_account", "Google Cloud Storage", self.service_account.is_some()),
            ("account", azure, self.account.is_some()),
            ("account_key", azure, self.account_key.is_some()),
            ("sas_token", azure, self.sas_token.is_some()),
        ];
        let stray = given.into_iter().find(|(_, of, given)| *given && *of != store);
        let Some((option, of, _)) = stray else { return Ok(()) };
        Err(Error::config("SW2010", format!("use the option `{option}` with {store}"))
            .with_hint(format!("`{option}` belongs to {of}: remove it")))
    }

    /// Refuses all options on a local path.
    pub(crate) fn refuse_for_local_path(&self, path: &str) -> Result<()> {
        if *self == Self::default() {
            return Ok(());
        }
        Err(Error::config("SW2010", format!("use `store` with the local path `{path}`"))
            .with_hint("remove `store`, or give a URL such as s3://bucket/prefix"))
    }

    fn s3(&self, url: &str) -> Result<Client> {
        self.only_for("S3")?;
        let mut builder = AmazonS3Builder::from_env().with_url(url).with_retry(retry());
        let allow_http =
            self.allow_http || std::env::var("AWS_ALLOW_HTTP").is_ok_and(|v| v == "true");
        builder = builder.with_client_options(client_options(allow_http));
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        if let Some(id) = &self.access_key_id {
            builder = builder.with_access_key_id(id.expose());
        }
        if let Some(secret) = &self.secret_access_key {
            builder = builder.with_secret_access_key(secret.expose());
        }
        if let Some(token) = &self.session_token {
            builder = builder.with_token(token.expose());
        }
        if self.virtual_hosted_style {
            builder = builder.with_virtual_hosted_style_request(true);
        }
        if self.anonymous {
            builder = builder.with_skip_signature(true);
        }
        Ok(Client::of(builder.build().map_err(|e| refused(url, e))?))
    }

    fn gcs(&self, url: &str) -> Result<Client> {
        self.only_for("Google Cloud Storage")?;
        let mut builder = GoogleCloudStorageBuilder::from_env()
            .with_url(url)
            .with_retry(retry())
            .with_client_options(client_options(self.allow_http));
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_base_url(endpoint);
        }
        if let Some(path) = &self.service_account {
            builder = builder.with_service_account_path(path);
        }
        if self.anonymous {
            builder = builder.with_skip_signature(true);
        }
        Ok(Client::of(builder.build().map_err(|e| refused(url, e))?))
    }

    fn azure(&self, url: &str) -> Result<Client> {
        self.only_for("Azure")?;
        let mut builder = MicrosoftAzureBuilder::from_env()
            .with_url(url)
            .with_retry(retry())
            .with_client_options(client_options(self.allow_http));
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.clone());
        }
        if let Some(account) = &self.account {
            builder = builder.with_account(account);
        }
        if let Some(key) = &self.account_key {
            builder = builder.with_access_key(key.expose());
        }
        if let Some(token) = &self.sas_token {
            builder = builder.with_config(AzureConfigKey::SasKey, token.expose());
        }
        if self.anonymous {
            builder = builder.with_skip_signature(true);
        }
        Ok(Client::of(builder.build().map_err(|e| refused(url, e))?))
    }
}
