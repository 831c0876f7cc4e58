//! `/livez`: whether to restart the process; `/readyz`: whether it does its work.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use swiftwater_engine::Clock;

use super::Site;
use super::access::is_trusted;

/// An engine loop that has been silent for this many seconds hangs.
const SILENT: f64 = 30.0;

/// 200 as long as the engine's own loop goes round; waiting for a broker is no reason to restart.
pub(super) async fn livez(State(site): State<Arc<Site>>) -> Response {
    let silent = Clock::system().now().seconds_since(site.shared.health.health().heartbeat);
    if silent < SILENT {
        (StatusCode::OK, "alive\n").into_response()
    } else {
        let text = format!("the engine loop has been silent for {silent:.0} s\n");
        (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
    }
}

/// 200 once every source is assigned and every sink is open, and 503 before that and while it
/// drains; the body says what each node waits for, to whoever may know.
pub(super) async fn readyz(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let health = site.shared.health.health();
    let ready = health.is_ready();
    let nodes: serde_json::Map<_, _> = health
        .nodes
        .iter()
        .map(|(name, node)| {
            let state = json!({"ready": node.ready, "state": node.state});
            (name.clone(), state)
        })
        .collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = if is_trusted(site.token.as_ref(), &headers) {
        json!({"ready": ready, "draining": health.draining, "nodes": nodes})
    } else {
        json!({"ready": ready, "draining": health.draining})
    };
    (status, Json(body)).into_response()
}
