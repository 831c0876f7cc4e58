//! The endpoint that takes the rows: one client, and what every request to it has in common.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Request, Response, redirect};
use swiftwater_engine::{Error, Result, SinkContext};

use super::answer::Reply;
use super::settings::Settings;

/// Longest wait for a connection.
const CONNECT_AT_MOST: Duration = Duration::from_secs(10);
/// As much of an answer is read, so that its connection can be used again; of a longer one it is
/// not worth it.
const READ_AT_MOST: usize = 64 << 10;
/// As much of an answer is looked at for the text of a message.
const LOOKED_AT: usize = 4096;
/// Most characters of an answer in a message.
const SHOWN: usize = 200;

/// The endpoint.
pub(super) struct Endpoint {
    settings: Arc<Settings>,
    client: Client,
    /// The beginning of every request's key: this run of this node.
    run: String,
    host: String,
}

impl Endpoint {
    /// Makes the client. Nothing is sent.
    ///
    /// # Errors
    /// `Config` for a `ca_file` that cannot be used.
    pub(super) fn open(settings: Arc<Settings>, cx: &SinkContext) -> Result<Self> {
        let secure = settings.url.scheme() == "https";
        let mut builder = Client::builder()
            .default_headers(settings.headers.clone())
            .redirect(redirect::Policy::none())
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout.min(CONNECT_AT_MOST))
            .pool_max_idle_per_host(settings.concurrency)
            .tls_built_in_native_certs(secure);
        if secure {
            for certificate in authorities(&settings)? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().map_err(|e| {
            Error::config("SW2055", format!("prepare requests to `{}`", settings.host()))
                .with_hint("TLS needs the system's certificates, or `ca_file`")
                .with_source(e.without_url())
        })?;
        let run = format!("{}/{}/{}", cx.topology, cx.node, cx.clock.now().0 / 1000);
        Ok(Self { host: settings.host(), settings, client, run })
    }

    /// Host and port, for messages.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// How long an answer may take.
    pub(super) fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// One attempt: sends rows and reads the answer. `key` tells requests of this run apart.
    pub(super) fn send(&self, key: &str, body: Bytes) -> impl Future<Output = Reply> + use<> {
        let mut request = Request::new(self.settings.method.clone(), self.settings.url.clone());
        if let Some(header) = &self.settings.idempotency_header
            && let Ok(key) = HeaderValue::try_from(format!("{}/{key}", self.run))
        {
            request.headers_mut().insert(header, key);
        }
        *request.body_mut() = Some(body.into());
        let (client, settings) = (self.client.clone(), Arc::clone(&self.settings));
        async move {
            match client.execute(request).await {
                Ok(response) => read(response, &settings.secrets).await,
                Err(error) => Reply::silent(&error),
            }
        }
    }
}

fn authorities(settings: &Settings) -> Result<Vec<Certificate>> {
    let Some(path) = &settings.ca_file else {
        return Ok(Vec::new());
    };
    let refuse = |why: Box<dyn std::error::Error + Send + Sync>| {
        Error::config("SW2055", format!("read `ca_file: {}`", path.display()))
            .with_hint("give a PEM file with one or more certificates")
            .with_source(why)
    };
    let pem = std::fs::read(path).map_err(|e| refuse(e.into()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|e| refuse(e.into()))?;
    if certificates.is_empty() {
        return Err(refuse("it holds no certificate".into()));
    }
    Ok(certificates)
}

async fn read(mut response: Response, secrets: &[String]) -> Reply {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|v| v.to_str().ok()).map(str::to_owned);
    let (mut text, mut read) = (Vec::new(), 0);
    // The status has been given: what breaks off after it changes nothing.
    while read < READ_AT_MOST
        && let Ok(Some(chunk)) = response.chunk().await
    {
        read += chunk.len();
        let wanted = LOOKED_AT.saturating_sub(text.len()).min(chunk.len());
        text.extend_from_slice(chunk.get(..wanted).unwrap_or_default());
    }
    Reply::Answered { status, retry_after, text: excerpt(&text, secrets) }
}

/// The beginning of an answer on one line, without secrets that it repeats.
fn excerpt(text: &[u8], secrets: &[String]) -> String {
    let mut text = String::from_utf8_lossy(text).into_owned();
    for secret in secrets {
        text = text.replace(secret.as_str(), "***");
    }
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    line.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_on_one_line_and_without_secrets() {
        let secrets = ["s3cret".to_owned()];
        assert_eq!(excerpt(b"bad\r\n\ttoken s3cret\xff\0.\n", &secrets), "bad token ***\u{fffd} .");
        assert_eq!(excerpt("é".repeat(300).as_bytes(), &[]).chars().count(), 200);
        assert_eq!(excerpt(b"", &secrets), "");
    }
}
