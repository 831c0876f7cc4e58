//! The options of the `http` sink, checked and in the form in which they are used.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName,
    HeaderValue, TRANSFER_ENCODING, USER_AGENT,
};
use swiftwater_config::{ByteSize, Secret};
use swiftwater_engine::{Error, Result};
use url::{Host, Url};

use crate::catalog::{HttpAuth, HttpBatch, HttpBody, HttpMethod, HttpOptions};

/// Most requests under way at once.
const CONCURRENCY_AT_MOST: usize = 256;
/// A shorter secret is not blanked out of answers: it would garble them and protect nobody.
const SECRET_AT_LEAST: usize = 4;

/// Checked options.
pub(crate) struct Settings {
    pub(super) url: Url,
    pub(super) method: Method,
    /// Headers of every request; what is secret is marked as sensitive.
    pub(super) headers: HeaderMap,
    pub(super) idempotency_header: Option<HeaderName>,
    pub(super) timeout: Duration,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) concurrency: usize,
    pub(super) limits: Limits,
    /// Texts that must not be shown, should the endpoint repeat them.
    pub(super) secrets: Vec<String>,
}

/// What bounds a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) form: HttpBody,
    pub(super) rows: usize,
    pub(super) bytes: usize,
    pub(super) linger: Duration,
}

fn wrong(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::config("SW2054", message).with_hint(hint)
}

impl Settings {
    /// Checks the options; with what `check` should warn about.
    ///
    /// # Errors
    /// `Config` (`SW2054`), naming the option.
    pub(crate) fn check(options: HttpOptions) -> Result<(Self, Vec<String>)> {
        let url = address(&options.url)?;
        if !(1..=CONCURRENCY_AT_MOST).contains(&options.concurrency) {
            let message = format!("keep `concurrency: {}` requests under way", options.concurrency);
            return Err(wrong(message, format!("it is 1 to {CONCURRENCY_AT_MOST}")));
        }
        if options.timeout.0.is_zero() {
            return Err(wrong(
                "wait for answers with `timeout: 0s`",
                "give answers some time, such as `30s`",
            ));
        }
        let mut secrets = Vec::new();
        let headers = headers(&options, &mut secrets)?;
        let warnings = warnings(&url, &headers, &options);
        let settings = Self {
            method: match options.method {
                HttpMethod::Post => Method::POST,
                HttpMethod::Put => Method::PUT,
            },
            idempotency_header: idempotency(&options.idempotency_header, &headers)?,
            headers,
            timeout: options.timeout.0,
            ca_file: options.ca_file,
            concurrency: options.concurrency,
            limits: limits(options.body, options.batch)?,
            secrets,
            url,
        };
        Ok((settings, warnings))
    }

    /// The endpoint as it may be shown: host and port.
    pub(super) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

/// Reads the URL. Messages do not quote it: a webhook's address may be a secret.
fn address(text: &str) -> Result<Url> {
    let example = "such as `https://example.com/hooks/bids`";
    let url = Url::parse(text).map_err(|e| {
        wrong(format!("read `url`: {e}"), format!("give a whole address, {example}"))
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        let message = format!("send requests to a `{}:` address", url.scheme());
        return Err(wrong(
            message,
            format!("`url` begins with `http://` or `https://`, {example}"),
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "take credentials from `url`",
            "give them as `auth: {basic: {username: …, password: …}}`",
        ));
    }
    if url.fragment().is_some() {
        return Err(wrong("send the part of `url` after `#`", "remove it: it is never sent"));
    }
    Ok(url)
}

fn limits(form: HttpBody, batch: Option<HttpBatch>) -> Result<Limits> {
    if form == HttpBody::Object {
        if batch.is_some() {
            return Err(wrong(
                "use `batch` with `body: object`",
                "remove `batch`: each row is a request of its own",
            ));
        }
        return Ok(Limits { form, rows: 1, bytes: usize::MAX, linger: Duration::ZERO });
    }
    let HttpBatch { rows, bytes: ByteSize(bytes), linger } = batch.unwrap_or_default();
    if rows == 0 || bytes == 0 {
        let name = if rows == 0 { "rows" } else { "bytes" };
        return Err(wrong(format!("fill requests with `batch: {{{name}: 0}}`"), "give 1 or more"));
    }
    Ok(Limits { form, rows, bytes: usize::try_from(bytes).unwrap_or(usize::MAX), linger: linger.0 })
}

fn headers(options: &HttpOptions, secrets: &mut Vec<String>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let content = match options.body {
        HttpBody::Array | HttpBody::Object => "application/json",
        HttpBody::Ndjson => "application/x-ndjson",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content));
    let agent = concat!("swiftwater/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    for (name, value) in &options.headers {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            wrong(format!("send the header `{name}`"), "a header's name is letters, digits and `-`")
        })?;
        if [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING].contains(&header) {
            return Err(wrong(format!("set the header `{name}`"), "remove it: the client sets it"));
        }
        headers.insert(header, secret(name, value.expose(), secrets)?);
    }
    if let Some(auth) = &options.auth {
        if headers.contains_key(AUTHORIZATION) {
            return Err(wrong(
                "use both `auth` and the header `Authorization`",
                "remove one of them",
            ));
        }
        headers.insert(AUTHORIZATION, authorization(auth, secrets)?);
    }
    Ok(headers)
}

fn authorization(auth: &HttpAuth, secrets: &mut Vec<String>) -> Result<HeaderValue> {
    let text = match auth {
        HttpAuth::Bearer(token) => {
            remember(token.expose(), secrets);
            format!("Bearer {}", token.expose())
        }
        HttpAuth::Basic(basic) => {
            let password: &Secret = &basic.password;
            if basic.username.contains(':') {
                let message = format!("send the user name `{}`", basic.username);
                return Err(wrong(message, "a user name has no `:`"));
            }
            remember(password.expose(), secrets);
            let both = STANDARD.encode(format!("{}:{}", basic.username, password.expose()));
            remember(&both, secrets);
            format!("Basic {both}")
        }
    };
    secret("Authorization", &text, secrets)
}

/// A header's value that must not be shown.
fn secret(name: &str, value: &str, secrets: &mut Vec<String>) -> Result<HeaderValue> {
    let mut header = HeaderValue::from_str(value).map_err(|_| {
        wrong(
            format!("send the value of the header `{name}`"),
            "it holds a line break or another control character",
        )
    })?;
    header.set_sensitive(true);
    remember(value, secrets);
    Ok(header)
}

fn remember(value: &str, secrets: &mut Vec<String>) {
    if value.len() >= SECRET_AT_LEAST {
        secrets.push(value.to_owned());
    }
}

fn idempotency(name: &str, headers: &HeaderMap) -> Result<Option<HeaderName>> {
    if name.is_empty() {
        return Ok(None);
    }
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        wrong(
            format!("use `idempotency_header: {name}`"),
            "a header's name is letters, digits and `-`",
        )
    })?;
    if headers.contains_key(&header) {
        let message = format!("put the request's key into the header `{name}`");
        return Err(wrong(message, "`headers` or `auth` sets it already: name another header"));
    }
    Ok(Some(header))
}

fn warnings(url: &Url, headers: &HeaderMap, options: &HttpOptions) -> Vec<String> {
    let mut warnings = Vec::new();
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" {
        if headers.contains_key(AUTHORIZATION) && !local {
            warnings.push("credentials go out unencrypted: use an `https://` address".to_owned());
        }
        if options.ca_file.is_some() {
            warnings.push("`ca_file` has no effect with an `http://` address".to_owned());
        }
    }
    warnings
}
