//! The `http` sink: rows as requests to an endpoint, such as a webhook.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use swiftwater_config::{ByteSize, Duration, Secret};
use swiftwater_engine::{Error, NodeContext, Result, SinkOptions, SinkPlan};

use crate::codec::{self, CodecContext};
use crate::http::settings::Settings;
use crate::http::sink::HttpSink;

/// Sends rows as JSON to an HTTP endpoint, such as a webhook.
///
/// A row is delivered once the endpoint has answered with a status from 200 to 299. Rows wait for a
/// free request (`concurrency` of them are under way at once), and what has collected by then goes
/// out together; `batch` bounds a request, and `linger` lets rows wait for company even where a
/// request is free. With `concurrency: 1`, rows arrive in the order in which they were written.
///
/// Without an answer, and for 408, 425, 429 and 5xx, the rows are kept and the same request is sent
/// again, with pauses as the topology's `retry` says and no sooner than a `Retry-After` header asks.
/// The same goes for redirects, which are not followed, and for 401, 403, 404, 405, 407 and 410:
/// they say that the address or the credentials are wrong, not the rows. For any other 4xx the
/// request is sent again in halves until the rows at fault stand alone; those go where `on_error`
/// says, with the status and the beginning of the answer.
///
/// Delivery is at least once: after a crash, or when an answer is lost, rows may be sent again. Each
/// request carries a key in the header `Idempotency-Key` that stays the same from try to try, so that
/// an endpoint can tell a repetition within a run.
///
/// The proxy is taken from `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` in the environment. A request
/// appears in `swiftwater_http_requests_total` and `swiftwater_http_request_seconds`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpOptions {
    /// Address of the endpoint, `http://…` or `https://…`. One that is secret itself, as many
    /// webhooks' are, belongs in a secret file: `${file:/run/secrets/webhook}`.
    pub url: String,
    /// `POST` or `PUT`.
    #[serde(default)]
    pub method: HttpMethod,
    /// What a request holds: `array`, a JSON array of rows; `ndjson`, one row a line; `object`, a
    /// single row.
    #[serde(default)]
    pub body: HttpBody,
    /// How many rows go out together. Of no use with `body: object`.
    #[serde(default)]
    pub batch: Option<HttpBatch>,
    /// Headers of every request. They may replace `Content-Type` and `User-Agent`.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Credentials: `{bearer: TOKEN}`, or `{basic: {username: …, password: …}}`.
    #[serde(default)]
    pub auth: Option<HttpAuth>,
    /// Most requests under way at once, up to 256. Above 1, rows may arrive out of order.
    #[serde(default = "one")]
    pub concurrency: usize,
    /// How long an answer may take, from the start of the connection to its end.
    #[serde(default = "half_a_minute")]
    pub timeout: Duration,
    /// Header that carries the request's key; an empty text leaves it out.
    #[serde(default = "idempotency_key")]
    pub idempotency_header: String,
    /// PEM file of certificate authorities to trust beside those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

fn one() -> usize {
    1
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

fn idempotency_key() -> String {
    "Idempotency-Key".to_owned()
}

/// Methods that carry rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// The endpoint takes the rows in.
    #[default]
    Post,
    /// The endpoint replaces what it has by the rows.
    Put,
}

/// What a request holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HttpBody {
    /// A JSON array of rows (`application/json`).
    #[default]
    Array,
    /// One row a line (`application/x-ndjson`).
    Ndjson,
    /// A single row (`application/json`).
    Object,
}

/// How many rows go out together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpBatch {
    /// Most rows in a request.
    pub rows: usize,
    /// Most bytes in a request; a larger row goes out on its own.
    pub bytes: ByteSize,
    /// How long rows may wait for a fuller request while a request is free. `0s`: not at all.
    pub linger: Duration,
}

impl Default for HttpBatch {
    fn default() -> Self {
        Self { rows: 500, bytes: ByteSize(1 << 20), linger: Duration::from_millis(0) }
    }
}

/// Credentials of every request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HttpAuth {
    /// A token (`Authorization: Bearer …`).
    Bearer(#[schemars(description = "A token (`Authorization: Bearer …`).")] Secret),
    /// User name and password (`Authorization: Basic …`).
    Basic(HttpBasicAuth),
}

/// User name and password.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpBasicAuth {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

impl SinkOptions for HttpOptions {
    const KIND: &'static str = "http";
    const EXAMPLE: &'static str = "\
name: alerts
sources:
  bids: {generate: {preset: bids, rate: 20, count: 200}}
sinks:
  webhook:
    input: bids
    http:
      url: \"${WEBHOOK:-http://localhost:8000/bids}\"
      batch: {rows: 100, linger: 50ms}
      timeout: 10s
    on_error: {dead_letter: refused}
  refused: {stdout: {}}
";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SinkPlan> {
        let format = cx.node.format.as_ref();
        if let Some(format) = format.filter(|f| f.name != "json") {
            let message = format!("send rows as `{}` over HTTP", format.name);
            return Err(Error::config("SW2054", message)
                .with_hint("`http` writes JSON: remove `format`, or set `format: json`"));
        }
        let (settings, warnings) = Settings::check(self)?;
        let codec = CodecContext { topic: None, node: &cx.node.name };
        let encoder = codec::encoder(format, cx.input()?, &codec)?;
        let settings = Arc::new(settings);
        Ok(SinkPlan {
            warnings,
            ..SinkPlan::new(Arc::new(move || {
                Ok(Box::new(HttpSink::new(Arc::clone(&settings), encoder()?)))
            }))
        })
    }
}
