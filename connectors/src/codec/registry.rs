//! A schema registry with Confluent's REST API: schemas by the number that a message begins with.
//!
//! Schemas never change, so each is fetched once and kept for all instances of a node. Encoders and
//! decoders are synchronous; a fetch, which happens once for a schema, waits on a thread of its own.

mod client;
#[cfg(test)]
pub(super) mod server;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::{Duration, Secret};
use swiftwater_engine::{Error, Result};
use url::Url;

use self::client::Client;
use super::codes;
use super::rows::Bad;

/// How to reach a schema registry (Confluent's, Karapace, Redpanda, Apicurio's `ccompat` path).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryOptions {
    /// Base URL, such as `https://registry:8081`, without user and password.
    pub url: String,
    /// User for basic authentication.
    #[serde(default)]
    pub username: Option<String>,
    /// Password for basic authentication.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Bearer token, in place of user and password.
    #[serde(default)]
    pub token: Option<Secret>,
    /// File with certificates (PEM) that are trusted besides those of the system.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// Longest wait for an answer.
    #[serde(default = "RegistryOptions::default_timeout")]
    pub timeout: Duration,
}

impl RegistryOptions {
    const fn default_timeout() -> Duration {
        Duration::from_secs(10)
    }
}

/// The language of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Avro,
    Json,
    Protobuf,
}

impl Language {
    /// As the registry spells it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Avro => "AVRO",
            Self::Json => "JSON",
            Self::Protobuf => "PROTOBUF",
        }
    }
}

/// A schema as the registry holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Registered {
    /// Its language as the registry spells it.
    pub(super) language: String,
    pub(super) text: String,
    /// Schemas that it refers to, with the names it knows them by, each after those it needs.
    pub(super) references: Vec<(String, String)>,
}

/// What is known of a schema's number.
enum Known {
    Schema(Arc<Registered>),
    /// The registry did not know it; it is asked again later.
    Unknown(Instant),
}

/// How long the registry is believed that it does not know a schema. Until then a flood of messages
/// with a wrong number costs no request each.
const UNKNOWN_FOR: std::time::Duration = std::time::Duration::from_secs(30);

/// A schema registry.
pub(super) struct Registry {
    client: Client,
    known: Mutex<HashMap<u32, Known>>,
}

impl Registry {
    /// Checks the options; nothing is sent.
    ///
    /// # Errors
    /// `Config` for a URL or file that cannot be used.
    pub(super) fn new(options: &RegistryOptions) -> Result<Self> {
        let refuse = |message: String| Error::config(codes::BAD_OPTIONS, message);
        let url = Url::parse(&options.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                // What is no URL may be a secret that was put in the wrong place.
                refuse("use the `url` of the registry".to_owned())
                    .with_hint("it is like https://registry:8081")
            })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("use user and password in the `url` of the registry".to_owned())
                .with_hint("write them as `username` and `password`"));
        }
        if options.token.is_some() && options.username.is_some() {
            return Err(refuse("use both `token` and `username` of the registry".to_owned()));
        }
        let known = Mutex::new(HashMap::new());
        Ok(Self { client: Client::new(url, options)?, known })
    }

    /// The schema of a number, or `None` where the registry does not know it.
    ///
    /// # Errors
    /// `Unavailable` where the registry does not answer, `Config` where it refuses.
    pub(super) fn schema(&self, id: u32) -> Result<Option<Arc<Registered>>> {
        match self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            Some(Known::Schema(schema)) => return Ok(Some(Arc::clone(schema))),
            Some(Known::Unknown(since)) if since.elapsed() < UNKNOWN_FOR => return Ok(None),
            _ => {}
        }
        // The lock is not held while the registry is asked: other numbers go on.
        let found = self.client.schema(id)?.map(Arc::new);
        let known = match &found {
            Some(schema) => Known::Schema(Arc::clone(schema)),
            None => Known::Unknown(Instant::now()),
        };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id, known);
        Ok(found)
    }

    /// The newest schema of a subject with its number, or `None` where there is none.
    ///
    /// # Errors
    /// As [`Registry::schema`].
    pub(super) fn latest(&self, subject: &str) -> Result<Option<(u32, Registered)>> {
        self.client.latest(subject)
    }

    /// Registers a schema, which may be there already, and returns its number.
    ///
    /// # Errors
    /// As [`Registry::schema`]; also `Config` where it is not compatible with earlier ones.
    pub(super) fn register(&self, subject: &str, language: Language, text: &str) -> Result<u32> {
        self.client.register(subject, language, text)
    }
}

/// Takes the framing off a payload: a zero byte and the schema's number in four bytes.
pub(super) fn unframe(payload: &[u8]) -> Result<(u32, &[u8]), Bad> {
    match payload {
        [0, a, b, c, d, body @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), body)),
        [0, ..] | [] => {
            let message = format!("payload of {} bytes ends within the schema's id", payload.len());
            Err(Bad::new(codes::TRUNCATED, message))
        }
        [other, ..] => {
            let message = format!("expected the magic byte 0x00, found 0x{other:02x}");
            Err(Bad::new(codes::WRONG_MAGIC, message))
        }
    }
}

/// The framing of a payload.
pub(super) fn frame(id: u32) -> [u8; 5] {
    let [a, b, c, d] = id.to_be_bytes();
    [0, a, b, c, d]
}

/// The reason why a payload with this number is no row.
pub(super) fn unknown(id: u32) -> Bad {
    Bad::new(codes::UNKNOWN_SCHEMA, format!("the schema registry does not know schema id {id}"))
}

/// The subject that a node's messages are filed under.
///
/// # Errors
/// `Config` where there is neither the option nor one topic.
pub(super) fn subject(option: Option<&str>, topic: Option<&str>) -> Result<String> {
    match (option, topic) {
        (Some(subject), _) => Ok(subject.to_owned()),
        (None, Some(topic)) => Ok(format!("{topic}-value")),
        (None, None) => Err(Error::config(codes::BAD_OPTIONS, "find the subject of the schema")
            .with_hint("name it with `subject`: the node has not exactly one topic")),
    }
}
