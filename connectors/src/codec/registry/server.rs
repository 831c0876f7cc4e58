//! A small schema registry for tests: numbers, subjects, references, passwords and outages, by the
//! documented REST API. Not a registry to use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::RegistryOptions;
use crate::codec::Decoder;

/// What the registry holds.
#[derive(Default)]
pub(in crate::codec) struct Shelf {
    /// Schemas by number, from 1.
    pub(in crate::codec) schemas: Vec<Value>,
    subjects: HashMap<String, Vec<u32>>,
    /// Requests so far.
    pub(in crate::codec) requests: usize,
    /// Answer everything with this status.
    pub(in crate::codec) status: Option<u16>,
    /// Required basic authentication, as the header has it.
    pub(in crate::codec) authorization: Option<String>,
}

impl Shelf {
    /// Files a schema under a subject, as the REST API would.
    pub(in crate::codec) fn add(&mut self, subject: &str, schema: &Value) -> u32 {
        let at = self.schemas.iter().position(|known| known == schema).unwrap_or_else(|| {
            self.schemas.push(schema.clone());
            self.schemas.len() - 1
        });
        let id = u32::try_from(at + 1).unwrap();
        let versions = self.subjects.entry(subject.to_owned()).or_default();
        if !versions.contains(&id) {
            versions.push(id);
        }
        id
    }
}

type Shared = Arc<Mutex<Shelf>>;

/// A registry that is served until it is dropped.
pub(in crate::codec) struct Server {
    shelf: Shared,
    pub(in crate::codec) url: String,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Serves an empty registry on a free port.
    pub(in crate::codec) fn start() -> Self {
        let shelf = Shared::default();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/schemas/ids/{id}", get(by_id))
            .route("/subjects/{subject}/versions", post(register))
            .route("/subjects/{subject}/versions/{version}", get(by_version))
            .with_state(Arc::clone(&shelf));
        runtime.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { shelf, url, _runtime: runtime }
    }

    /// Options that reach it.
    pub(in crate::codec) fn options(&self) -> RegistryOptions {
        serde_json::from_value(json!({ "url": self.url })).unwrap()
    }

    /// Options of a format that uses it, and what `more` adds.
    pub(in crate::codec) fn format(&self, more: Value) -> Value {
        let mut options = json!({ "registry": { "url": self.url } });
        let Value::Object(more) = more else { panic!("options are an object") };
        options.as_object_mut().unwrap().extend(more);
        options
    }

    /// What it holds.
    pub(in crate::codec) fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }
}

/// Fails unless each payload costs itself and not the good ones around it, also when it comes again.
pub(in crate::codec) fn assert_each_costs_itself(
    reader: &mut dyn Decoder,
    good: &[u8],
    cases: &[(Vec<u8>, &str, &str)],
) {
    for (payload, code, message) in cases {
        for _ in 0..2 {
            let decoded = reader.decode(&[Some(good), Some(payload), Some(good)]).unwrap();
            assert_eq!(decoded.records.num_rows(), 2, "{code}");
            let [rejected] = decoded.rejected.as_slice() else { panic!("{code}: not one") };
            assert_eq!(rejected.code, *code, "{}", rejected.message);
            assert!(rejected.message.contains(message), "{}", rejected.message);
        }
    }
}

fn refuse(status: u16, code: u32, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, Json(json!({ "error_code": code, "message": message }))).into_response()
}

/// Counts the request and answers it where it must not be served.
fn enter(shelf: &mut Shelf, headers: &HeaderMap) -> Option<Response> {
    shelf.requests += 1;
    if let Some(status) = shelf.status {
        return Some(refuse(status, u32::from(status) * 100 + 1, "as the test asked"));
    }
    let given = headers.get("authorization").map(|v| v.to_str().unwrap().to_owned());
    if shelf.authorization.is_some() && shelf.authorization != given {
        return Some(refuse(401, 40_101, "unauthorized"));
    }
    None
}

async fn by_id(State(shelf): State<Shared>, Path(id): Path<usize>, headers: HeaderMap) -> Response {
    let mut shelf = shelf.lock().unwrap();
    if let Some(refusal) = enter(&mut shelf, &headers) {
        return refusal;
    }
    match id.checked_sub(1).and_then(|at| shelf.schemas.get(at)) {
        Some(schema) => Json(schema.clone()).into_response(),
        None => refuse(404, 40_403, "schema not found"),
    }
}

async fn by_version(
    State(shelf): State<Shared>,
    Path((subject, version)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let mut shelf = shelf.lock().unwrap();
    if let Some(refusal) = enter(&mut shelf, &headers) {
        return refusal;
    }
    let versions = shelf.subjects.get(&subject).map_or(&[][..], Vec::as_slice);
    let at = version.parse::<usize>().map_or(versions.len(), |version| version);
    let Some(id) = at.checked_sub(1).and_then(|at| versions.get(at)) else {
        return refuse(404, 40_401, "subject or version not found");
    };
    let mut answer = shelf.schemas[*id as usize - 1].clone();
    answer["id"] = (*id).into();
    answer["version"] = at.into();
    answer["subject"] = subject.into();
    Json(answer).into_response()
}

async fn register(
    State(shelf): State<Shared>,
    Path(subject): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let mut shelf = shelf.lock().unwrap();
    if let Some(refusal) = enter(&mut shelf, &headers) {
        return refusal;
    }
    match serde_json::from_str::<Value>(&body) {
        Ok(schema) if schema["schema"].is_string() => {
            Json(json!({ "id": shelf.add(&subject, &schema) })).into_response()
        }
        _ => refuse(422, 42_201, "invalid schema"),
    }
}
