//! Rows from an HTTP service: a request for each key, or one for many.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, StatusCode, redirect};
use swiftwater_config::Secret;
use swiftwater_engine::{Error, Result, Timestamp};
use url::Url;

use super::backend::{Backend, Columns, Found, Objects, unreadable};
use super::table::matched;
use crate::io_call;
use crate::redis::Template;
use crate::value_text::{as_json, as_text};

/// Requests under way at once.
const AT_ONCE: usize = 16;
/// Largest answer that is read.
const ANSWER: usize = 64 << 20;

/// How a service is asked.
#[derive(Clone)]
pub(crate) enum Asking {
    /// `GET` with the key in the address.
    Each(Template),
    /// `POST` with an array of so many keys; the answer holds rows with their keys.
    Many(String, usize),
}

/// A service.
pub(crate) struct HttpTable {
    client: Client,
    asking: Asking,
    place: String,
    columns: Columns,
    /// Reads rows: with their keys where many are asked for at once.
    objects: Objects,
}

fn wrong(message: impl Into<String>, hint: &str) -> Error {
    Error::config("SW2232", message).with_hint(hint)
}

/// What asks a service.
///
/// # Errors
/// `Config` (`SW2232`) for headers or certificates that cannot be used.
pub(crate) fn client(
    headers: &BTreeMap<String, Secret>,
    ca_file: Option<&Path>,
    timeout: Duration,
) -> Result<Client> {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        let known = HeaderName::from_bytes(name.as_bytes());
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| {
            wrong(format!("send the header `{name}`"), "its value has a line break")
        })?;
        value.set_sensitive(true);
        let hint = "a header's name is letters, digits and `-`";
        all.insert(known.map_err(|_| wrong(format!("send the header `{name}`"), hint))?, value);
    }
    let mut builder = Client::builder()
        .default_headers(all)
        .redirect(redirect::Policy::none())
        .timeout(timeout)
        .user_agent(concat!("swiftwater/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = ca_file {
        let hint = "give a PEM file with one or more certificates";
        let refuse = || wrong(format!("read `ca_file: {}`", path.display()), hint);
        let pem = std::fs::read(path).map_err(|e| refuse().with_source(e))?;
        for certificate in
            Certificate::from_pem_bundle(&pem).map_err(|e| refuse().with_source(e))?
        {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|e| {
        wrong("prepare requests", "TLS needs the system's certificates, or `ca_file`")
            .with_source(e.without_url())
    })
}

impl HttpTable {
    /// `place` is what messages call the service: its address may be secret.
    ///
    /// # Errors
    /// `Config` for columns that JSON cannot hold.
    pub(crate) fn new(
        client: Client,
        asking: Asking,
        place: String,
        columns: Columns,
    ) -> Result<Self> {
        let schema = match asking {
            Asking::Each(_) => Arc::clone(&columns.added),
            Asking::Many(..) => columns.all(),
        };
        let objects = Objects::new(schema, format!("`{place}`"))?;
        Ok(Self { client, asking, place, columns, objects })
    }

    /// The body of an answer; `None` where the service says that there is nothing.
    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Option<Vec<u8>>> {
        let place = &self.place;
        let away = |why: String| {
            Error::unavailable("SW2233", format!("look rows up at `{place}`: {why}"))
                .with_hint("look whether the service runs and can be reached from here")
        };
        let mut response = request.send().await.map_err(|e| away(e.without_url().to_string()))?;
        let status = response.status();
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::NO_CONTENT) {
            return Ok(None);
        }
        let busy =
            [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
        if status.is_server_error() || busy.contains(&status) {
            return Err(away(format!("it answered {status}")));
        }
        if !status.is_success() {
            return Err(wrong(
                format!("look rows up at `{place}`: it answered {status}"),
                "correct `url` or `headers`",
            ));
        }
        let mut body = Vec::new();
        while let Some(part) =
            response.chunk().await.map_err(|e| away(e.without_url().to_string()))?
        {
            body.extend_from_slice(&part);
            if body.len() > ANSWER {
                return Err(unreadable(&format!("`{place}`"), "the answer is larger than 64 MiB"));
            }
        }
        Ok(Some(body))
    }

    fn addresses(&self, template: &Template, keys: &RecordBatch) -> Result<Vec<Url>> {
        let texts: Vec<_> = template
            .places(&self.columns.key)?
            .into_iter()
            .map(|place| keys.columns().get(place).map_or_else(|| Ok(Vec::new()), as_text))
            .collect::<Result<_>>()?;
        let escaped: Vec<Vec<Vec<u8>>> = texts
            .into_iter()
            .map(|column| {
                column.into_iter().map(|text| escape(&text.unwrap_or_default())).collect()
            })
            .collect();
        let address = |row: usize| {
            let text = template.key(|i| escaped.get(i)?.get(row).map(Vec::as_slice));
            let text = text.and_then(|text| String::from_utf8(text).ok()).unwrap_or_default();
            Url::parse(&text).map_err(|_| wrong("make an address of a key", "correct `url`"))
        };
        (0..keys.num_rows()).map(address).collect()
    }

    fn each(&mut self, template: &Template, keys: &RecordBatch) -> Result<Found> {
        let addresses = self.addresses(template, keys)?;
        let answers: Vec<Option<Vec<u8>>> = io_call::block_on(Box::pin(async {
            let asked = addresses.into_iter().map(|address| self.answer(self.client.get(address)));
            stream::iter(asked).buffered(AT_ONCE).try_collect().await
        }))??;
        let there: Vec<&[u8]> = answers.iter().flatten().map(Vec::as_slice).collect();
        let rows = self.objects.decode(&there)?;
        let mut next = 0..;
        let of = answers.iter().map(|answer| answer.as_ref().and_then(|_| next.next())).collect();
        Ok(Found { rows, of })
    }

    fn many(&mut self, url: &str, size: usize, keys: &RecordBatch) -> Result<Found> {
        let bodies = bodies(&self.columns, keys, size)?;
        let answers: Vec<Option<Vec<u8>>> = io_call::block_on(Box::pin(async {
            let asked = bodies.into_iter().map(|body| {
                let request = self.client.post(url).header(CONTENT_TYPE, "application/json");
                self.answer(request.body(body))
            });
            stream::iter(asked).buffered(AT_ONCE).try_collect().await
        }))??;
        let mut objects: Vec<String> = Vec::new();
        for answer in answers.iter().flatten() {
            let rows: Vec<serde_json::Value> = serde_json::from_slice(answer).map_err(|e| {
                unreadable(
                    &format!("`{}`", self.place),
                    &format!("the answer is no JSON array: {e}"),
                )
            })?;
            objects.extend(rows.iter().filter(|row| !row.is_null()).map(ToString::to_string));
        }
        let texts: Vec<&[u8]> = objects.iter().map(String::as_bytes).collect();
        let rows = self.objects.decode(&texts)?;
        matched(&self.columns, &rows, keys)
    }
}

/// Arrays of objects with the key's columns.
fn bodies(columns: &Columns, keys: &RecordBatch, size: usize) -> Result<Vec<String>> {
    let values: Vec<Vec<Option<String>>> =
        keys.columns().iter().map(as_json).collect::<Result<_>>()?;
    let names: Vec<String> = columns
        .key
        .fields()
        .iter()
        .map(|f| serde_json::Value::from(f.name().as_str()).to_string())
        .collect();
    let object = |row: usize| {
        let fields = names.iter().zip(&values).map(|(name, column)| {
            let value = column.get(row).and_then(Option::as_deref).unwrap_or("null");
            format!("{name}:{value}")
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    };
    let objects: Vec<String> = (0..keys.num_rows()).map(object).collect();
    Ok(objects.chunks(size.max(1)).map(|part| format!("[{}]", part.join(","))).collect())
}

/// Text as a part of an address.
fn escape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

impl Backend for HttpTable {
    fn fetch(&mut self, keys: &RecordBatch, _now: Timestamp) -> Result<Found> {
        match self.asking.clone() {
            Asking::Each(template) => self.each(&template, keys),
            Asking::Many(url, size) => self.many(&url, size, keys),
        }
    }
}
