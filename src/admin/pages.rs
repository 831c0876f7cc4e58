//! The pages for people and for Prometheus.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Site;

/// What there is.
pub(super) async fn index(State(site): State<Arc<Site>>) -> String {
    format!(
        "swiftwater {} runs the topology {}\n\n\
         /metrics   Prometheus series\n\
         /topology  the graph with rates, lag, back-pressure, watermarks and state\n\
         /config    the topology file without its secrets\n\
         /readyz    what each node waits for\n\
         /livez     whether the engine is alive\n\
         /version   version and trace id of this run\n",
        env!("CARGO_PKG_VERSION"),
        site.shared.graph.topology,
    )
}

/// All series in the text format of Prometheus.
pub(super) async fn metrics(State(site): State<Arc<Site>>) -> Response {
    match site.shared.metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            let text = format!("failed to {error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

/// What runs.
pub(super) async fn version(State(site): State<Arc<Site>>) -> Json<Value> {
    Json(json!({
        "name": "swiftwater",
        "version": env!("CARGO_PKG_VERSION"),
        "topology": site.shared.graph.topology,
        "trace_id": site.shared.trace_id,
    }))
}

/// The graph, and what goes on in it.
pub(super) async fn topology(State(site): State<Arc<Site>>) -> Json<Value> {
    let health = site.shared.health.health();
    let states: serde_json::Map<_, _> = health
        .nodes
        .iter()
        .map(|(name, node)| (name.clone(), Value::from(node.state.as_str())))
        .collect();
    Json(json!({
        "graph": site.shared.graph,
        "live": site.shared.live.get(),
        "states": states,
        "draining": health.draining,
    }))
}

/// The topology as it was loaded, defaults filled in, secrets left out.
pub(super) async fn config(State(site): State<Arc<Site>>) -> Json<Value> {
    Json(site.shared.config.clone())
}
