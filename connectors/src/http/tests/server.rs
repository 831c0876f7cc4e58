//! An HTTP server that remembers what it was sent and answers as a test wants.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::io_runtime;

/// A request that came in.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// What it was answered.
    pub(super) status: u16,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The column `n` of its rows, whatever the body's form.
    pub(super) fn rows(&self) -> Vec<i64> {
        let text = match self.body.as_bytes().first() {
            Some(b'[') => self.body.clone(),
            _ => format!("[{}]", self.body.trim_end().replace('\n', ",")),
        };
        let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
        rows.iter().map(|row| row["n"].as_i64().unwrap()).collect()
    }
}

/// An answer.
pub(super) struct Answer {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    text: String,
}

impl Answer {
    pub(super) fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }
}

pub(super) fn status(status: u16) -> Answer {
    Answer { status, headers: Vec::new(), text: String::new() }
}

type Script = Box<dyn Fn(usize, &Seen) -> Answer + Send + Sync>;

struct Shared {
    script: Script,
    seen: Mutex<Vec<Seen>>,
    /// One permit an answer; closed where answers are given freely.
    gate: Semaphore,
}

/// A server on this machine.
pub(super) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = String::from_utf8(body.to_vec()).unwrap();
    let mut request = Seen { method, path: uri.path().to_owned(), headers, body, status: 0 };
    let answer = {
        let mut seen = shared.seen.lock().unwrap();
        let answer = (shared.script)(seen.len(), &request);
        request.status = answer.status;
        seen.push(request);
        answer
    };
    if let Ok(permit) = shared.gate.acquire().await {
        permit.forget();
    }
    let mut response = (StatusCode::from_u16(answer.status).unwrap(), answer.text).into_response();
    for (name, value) in answer.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

impl Server {
    /// Answers each request as `script` says, which is given its number from 0.
    pub(super) fn start(script: impl Fn(usize, &Seen) -> Answer + Send + Sync + 'static) -> Self {
        let server = Self::gated("127.0.0.1:0".parse().unwrap(), script);
        server.shared.gate.close();
        server
    }

    /// Answers only as often as [`Server::let_through`] allows.
    pub(super) fn gated(
        address: SocketAddr,
        script: impl Fn(usize, &Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            seen: Mutex::default(),
            gate: Semaphore::new(0),
        });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let task = io_runtime::handle().unwrap().spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
        Self { address, shared, task }
    }

    pub(super) fn let_through(&self, answers: usize) {
        self.shared.gate.add_permits(answers);
    }

    pub(super) fn let_all_through(&self) {
        self.shared.gate.close();
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/bids", self.address)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Rows of all requests that were answered with 200, in the order in which they came.
    pub(super) fn delivered(&self) -> Vec<i64> {
        let seen = self.seen();
        seen.iter().filter(|request| request.status == 200).flat_map(Seen::rows).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
