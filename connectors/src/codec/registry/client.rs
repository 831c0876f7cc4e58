//! The requests to a schema registry and what their answers mean.

use std::collections::HashSet;

use reqwest::{Certificate, Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use swiftwater_config::Secret;
use swiftwater_engine::{Error, Result};
use url::Url;

use super::{Language, Registered, RegistryOptions};
use crate::codec::codes;

/// Schemas that one may refer to, directly or not.
const MAX_REFERENCES: usize = 256;
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// Knows where the registry is and who asks.
pub(super) struct Client {
    url: Url,
    username: Option<String>,
    password: Option<Secret>,
    token: Option<Secret>,
    certificates: Vec<Certificate>,
    timeout: std::time::Duration,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    id: u32,
    #[serde(default)]
    schema: String,
    #[serde(rename = "schemaType")]
    language: Option<String>,
    #[serde(default)]
    references: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    name: String,
    subject: String,
    version: u32,
}

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    error_code: u32,
    #[serde(default)]
    message: String,
}

impl Client {
    pub(super) fn new(url: Url, options: &RegistryOptions) -> Result<Self> {
        let certificates = match &options.ca_file {
            Some(path) => certificates(path)?,
            None => Vec::new(),
        };
        Ok(Self {
            url,
            username: options.username.clone(),
            password: options.password.clone(),
            token: options.token.clone(),
            certificates,
            timeout: options.timeout.0,
        })
    }

    /// The schema of a number.
    pub(super) fn schema(&self, id: u32) -> Result<Option<Registered>> {
        let Some(answer) = self.get(&["schemas", "ids", &id.to_string()])? else {
            return Ok(None);
        };
        self.resolve(answer).map(Some)
    }

    /// The newest schema of a subject.
    pub(super) fn latest(&self, subject: &str) -> Result<Option<(u32, Registered)>> {
        let Some(answer) = self.get(&["subjects", subject, "versions", "latest"])? else {
            return Ok(None);
        };
        Ok(Some((answer.id, self.resolve(answer)?)))
    }

    /// Files a schema under a subject.
    pub(super) fn register(&self, subject: &str, language: Language, text: &str) -> Result<u32> {
        let mut body = json!({ "schema": text });
        if let (Some(body), true) = (body.as_object_mut(), language != Language::Avro) {
            body.insert("schemaType".to_owned(), language.name().into());
        }
        let path = ["subjects", subject, "versions"];
        let answer: Option<Answer> = self.send(Method::POST, &path, Some(&body))?;
        answer.map(|answer| answer.id).ok_or_else(|| {
            let message = format!("register a schema for subject `{subject}`: not found");
            Error::config(codes::REGISTRY_REFUSED, message)
        })
    }

    /// Fetches what a schema refers to, each after what it needs itself.
    fn resolve(&self, answer: Answer) -> Result<Registered> {
        let mut references = Vec::new();
        let mut seen = HashSet::new();
        self.collect(&answer.references, &mut seen, &mut references)?;
        Ok(Registered {
            language: answer.language.unwrap_or_else(|| Language::Avro.name().to_owned()),
            text: answer.schema,
            references,
        })
    }

    fn collect(
        &self,
        references: &[Reference],
        seen: &mut HashSet<String>,
        found: &mut Vec<(String, String)>,
    ) -> Result<()> {
        for reference in references {
            if !seen.insert(reference.name.clone()) {
                continue;
            }
            let (subject, version) = (&reference.subject, reference.version);
            if seen.len() > MAX_REFERENCES {
                let message = format!("read a schema with more than {MAX_REFERENCES} references");
                return Err(Error::config(codes::REGISTRY_REFUSED, message));
            }
            let path = ["subjects", subject, "versions", &version.to_string()];
            let answer = self.get(&path)?.ok_or_else(|| {
                let message = format!(
                    "find version {version} of subject `{subject}`, which a schema refers to"
                );
                Error::config(codes::REGISTRY_REFUSED, message)
            })?;
            self.collect(&answer.references, seen, found)?;
            found.push((reference.name.clone(), answer.schema));
        }
        Ok(())
    }

    fn get(&self, path: &[&str]) -> Result<Option<Answer>> {
        self.send(Method::GET, path, None)
    }

    /// Sends a request and waits; `None` is the registry's own "not found".
    fn send<T>(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Option<T>>
    where
        T: DeserializeOwned + Send,
    {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| Error::bug("use a registry without a path"))?
            .pop_if_empty()
            .extend(path);
        let exchange = self.exchange(method, url, body);
        // The caller may be a task of a runtime, which must not be blocked from within.
        std::thread::scope(|scope| {
            let wait = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map_err(|e| away("start a request").with_source(e))?.block_on(exchange)
            };
            let thread = std::thread::Builder::new().name("schema-registry".to_owned());
            let thread = thread.spawn_scoped(scope, wait);
            let thread = thread.map_err(|e| away("start a request").with_source(e))?;
            thread
                .join()
                .map_err(|_| Error::bug("ask the schema registry: the request panicked"))?
        })
        .and_then(|(status, text)| self.read(path, status, &text))
    }

    async fn exchange(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<(StatusCode, String)> {
        let fail = |e: reqwest::Error| {
            // The host is enough: the rest of the URL says nothing that the message does not.
            away(&format!("ask the schema registry at `{}`", self.host()))
                .with_source(e.without_url())
        };
        let mut client = reqwest::Client::builder().timeout(self.timeout);
        for certificate in &self.certificates {
            client = client.add_root_certificate(certificate.clone());
        }
        let client = client.build().map_err(fail)?;
        let mut request = client.request(method, url).header("accept", MEDIA_TYPE);
        if let Some(user) = &self.username {
            request = request.basic_auth(user, self.password.as_ref().map(Secret::expose));
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        if let Some(body) = body {
            request = request.header("content-type", MEDIA_TYPE).body(body.to_string());
        }
        let answer = request.send().await.map_err(fail)?;
        let status = answer.status();
        Ok((status, answer.text().await.map_err(fail)?))
    }

    /// What an answer means.
    fn read<T: DeserializeOwned>(
        &self,
        path: &[&str],
        status: StatusCode,
        text: &str,
    ) -> Result<Option<T>> {
        let (host, path) = (self.host(), path.join("/"));
        if status.is_success() {
            return serde_json::from_str(text).map(Some).map_err(|e| {
                let message = format!("read the answer of `{host}` to `/{path}`");
                refused(message).with_source(e)
            });
        }
        let refusal: Refusal = serde_json::from_str(text).unwrap_or_default();
        if status == StatusCode::NOT_FOUND && (40_400..40_500).contains(&refusal.error_code) {
            return Ok(None);
        }
        let reason = if refusal.message.is_empty() { status.to_string() } else { refusal.message };
        let message = format!("ask the schema registry at `{host}` for `/{path}`: {reason}");
        if status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
        {
            return Err(away(&message));
        }
        let hint = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "check `username` and `password`",
            StatusCode::NOT_FOUND => "check `url`: what answers there is no schema registry",
            StatusCode::CONFLICT => "the subject's compatibility rule forbids the new schema",
            _ => "check `url` and the schema",
        };
        Err(refused(message).with_hint(hint))
    }

    fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

fn away(message: &str) -> Error {
    Error::unavailable(codes::REGISTRY_AWAY, message)
}

fn refused(message: String) -> Error {
    Error::config(codes::REGISTRY_REFUSED, message)
}

fn certificates(path: &str) -> Result<Vec<Certificate>> {
    let refuse = || Error::config(codes::BAD_OPTIONS, format!("read the certificates of `{path}`"));
    let text = std::fs::read(path).map_err(|e| refuse().with_source(e))?;
    Certificate::from_pem_bundle(&text).map_err(|e| refuse().with_source(e))
}
