//! One model at a server: a request with its retries, and which version is asked.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use swiftwater_engine::{Error, Result};
use url::Url;

use super::tensors::{OutputColumn, Scores, read};

/// First and longest pause before a server is asked again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));
/// Largest answer that is read.
const ANSWER: usize = 256 << 20;
/// As much of an answer is shown in a message.
const SHOWN: usize = 300;

/// Which version of a model is asked.
#[derive(Debug)]
pub(crate) enum Version {
    /// The one that the server picks.
    Servers,
    /// This one.
    Fixed(String),
    /// The one that a file names at the moment of each request.
    File { path: PathBuf, known: Mutex<Option<String>> },
}

impl Version {
    /// A version that a file names.
    pub(crate) const fn in_file(path: PathBuf) -> Self {
        Self::File { path, known: Mutex::new(None) }
    }

    /// The version to ask now; `None` for the server's.
    fn now(&self) -> std::result::Result<Option<String>, String> {
        let (path, known) = match self {
            Self::Servers => return Ok(None),
            Self::Fixed(version) => return Ok(Some(version.clone())),
            Self::File { path, known } => (path, known),
        };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        match (std::fs::read_to_string(path), known.as_ref()) {
            (Ok(text), before) if !text.trim().is_empty() => {
                let version = text.trim().to_owned();
                if before.is_none_or(|before| *before != version) {
                    tracing::info!(version, "a model is asked in this version");
                    *known = Some(version.clone());
                }
                Ok(Some(version))
            }
            // A file that is just being replaced: the version of before holds.
            (_, Some(version)) => Ok(Some(version.clone())),
            (Ok(_), None) => Err(format!("`{}` names no version", path.display())),
            (Err(error), None) => Err(format!("read `{}`: {error}", path.display())),
        }
    }
}

/// A model.
pub(crate) struct Model {
    pub(crate) client: Client,
    pub(crate) server: Url,
    pub(crate) name: String,
    pub(crate) version: Version,
    /// How long a request is tried again.
    pub(crate) retry: Duration,
}

/// Why a model gave no scores.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) why: String,
    pub(crate) attempts: u32,
    again: bool,
}

impl Failure {
    fn of(why: impl Into<String>, again: bool) -> Self {
        Self { why: why.into(), attempts: 1, again }
    }

    /// A row that cannot be sent.
    pub(super) fn unsendable() -> Self {
        let why =
            "a value of its inputs is null, NaN or infinite: put a `select` with coalesce before";
        Self::of(why, false)
    }
}

impl Model {
    fn address(&self, version: Option<&str>) -> std::result::Result<Url, Failure> {
        let mut url = self.server.clone();
        let hint = || Failure::of("the address of the server takes no path", false);
        let mut path = url.path_segments_mut().map_err(|()| hint())?;
        path.pop_if_empty().extend(["v2", "models", &self.name]);
        if let Some(version) = version {
            path.extend(["versions", version]);
        }
        path.push("infer");
        drop(path);
        Ok(url)
    }

    /// The name of a version in the column of versions.
    fn called(&self, version: Option<&str>) -> String {
        match version {
            Some(version) if !version.is_empty() => format!("{}:{version}", self.name),
            _ => self.name.clone(),
        }
    }

    /// Asks for scores of so many rows; transient failures are tried again for a while.
    pub(crate) async fn ask(
        self: Arc<Self>,
        body: Arc<str>,
        rows: usize,
        outputs: Arc<[OutputColumn]>,
    ) -> std::result::Result<Scores, Failure> {
        let (started, mut pause, mut attempts) = (Instant::now(), PAUSES.0, 0);
        loop {
            attempts += 1;
            match self.try_once(&body, rows, &outputs).await {
                Ok(scores) => return Ok(scores),
                Err(failure) if failure.again && started.elapsed() + pause <= self.retry => {}
                Err(failure) => return Err(Failure { attempts, ..failure }),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn try_once(
        &self,
        body: &Arc<str>,
        rows: usize,
        outputs: &[OutputColumn],
    ) -> std::result::Result<Scores, Failure> {
        let version = self.version.now().map_err(|why| Failure::of(why, false))?;
        let url = self.address(version.as_deref())?;
        let request = self.client.post(url).header(CONTENT_TYPE, "application/json");
        let silent = |e: reqwest::Error| {
            let e = e.without_url();
            let cause = std::error::Error::source(&e).map(|c| format!(": {c}")).unwrap_or_default();
            Failure::of(format!("{e}{cause}"), true)
        };
        let mut response = request.body(body.to_string()).send().await.map_err(silent)?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(silent)? {
            if answer.len() + chunk.len() > ANSWER {
                return Err(Failure::of(
                    format!("the answer is longer than {ANSWER} bytes"),
                    false,
                ));
            }
            answer.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            let text: String = String::from_utf8_lossy(&answer).chars().take(SHOWN).collect();
            let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT];
            let again = status.is_server_error() || busy.contains(&status);
            return Err(Failure::of(format!("the server answers {status}: {text}"), again));
        }
        let scores = read(&answer, rows, outputs).map_err(|why| Failure::of(why, false))?;
        let version = scores.version.as_deref().filter(|v| !v.is_empty()).or(version.as_deref());
        Ok(Scores { version: Some(self.called(version)), ..scores })
    }
}

/// Reads the address of a server.
///
/// # Errors
/// `Config` (`SW2237`) for what is no address of HTTP.
pub(crate) fn server(text: &str) -> Result<Url> {
    let wrong = |why: String| {
        Error::config("SW2237", format!("read `server`: {why}"))
            .with_hint("give a whole address, such as `http://localhost:8080`")
    };
    let url = Url::parse(text).map_err(|e| wrong(e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("it is no address of HTTP".to_owned()));
    }
    Ok(url)
}
