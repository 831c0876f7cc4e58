//! The HTTP interface of a running topology: `/metrics /livez /readyz /version /topology /config`.
//!
//! It listens on 127.0.0.1 unless told otherwise, and on any other address only with a bearer token.
//! It has a thread of its own, so that it answers while every task is busy.

mod access;
mod health;
mod pages;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use serde_json::Value;
use swiftwater_engine::metrics::Metrics;
use swiftwater_engine::runtime::HealthHandle;
use swiftwater_engine::{Error, Result};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::graph::Graph;
use crate::live::Live;

pub(crate) use access::Token;

/// Where the interface listens unless told otherwise: the port that OpenTelemetry's Prometheus
/// exporters use.
pub(crate) const DEFAULT_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// What the pages show.
pub(crate) struct Shared {
    /// The graph that runs.
    pub(crate) graph: Graph,
    /// The topology file without its secrets.
    pub(crate) config: Value,
    /// All series.
    pub(crate) metrics: Arc<Metrics>,
    /// How the nodes are doing.
    pub(crate) health: HealthHandle,
    /// Rates of the last second.
    pub(crate) live: Live,
    /// Trace id of this run.
    pub(crate) trace_id: String,
}

/// An address that is ours, and nothing served on it yet.
pub(crate) struct Bound {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
    token: Option<Token>,
}

/// The interface, until it is dropped.
pub(crate) struct Admin {
    runtime: Option<Runtime>,
}

impl Bound {
    /// Takes the address. Where `address` is not given, the default one is tried and then any free
    /// port, because two topologies on one machine are nothing unusual.
    ///
    /// # Errors
    /// `Config` for an address that is taken, is not this machine's, or is open to others without
    /// a token.
    pub(crate) fn new(address: Option<SocketAddr>, token: Option<Token>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("http")
            .enable_io()
            .enable_time()
            .build()
            .map_err(|e| Error::unavailable("SW4104", "start the HTTP interface").with_source(e))?;
        let wanted = address.unwrap_or(DEFAULT_ADDRESS);
        access::check(wanted, token.as_ref())?;
        let bind = |address| runtime.block_on(TcpListener::bind(address));
        let mut bound = bind(wanted);
        if bound.is_err() && address.is_none() {
            bound = bind(SocketAddr::new(wanted.ip(), 0));
        }
        let listener = bound.map_err(|error| {
            Error::config("SW4104", format!("listen on `{wanted}`"))
                .with_source(error)
                .with_hint("give another address with `--http`; port 0 takes any free one")
        })?;
        let address = listener.local_addr().unwrap_or(wanted);
        Ok(Self { runtime, listener, address, token })
    }

    /// Where it answers, for a person to open.
    pub(crate) fn url(&self) -> String {
        let mut shown = self.address;
        if shown.ip().is_unspecified() {
            shown.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{shown}")
    }

    /// Answers requests from here on.
    pub(crate) fn serve(self, shared: Shared) -> Admin {
        let Self { runtime, listener, token, .. } = self;
        let router = router(Arc::new(Site { shared, token }));
        runtime.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "serve HTTP");
            }
        });
        Admin { runtime: Some(runtime) }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_millis(200));
        }
    }
}

/// What every page is made from.
struct Site {
    shared: Shared,
    token: Option<Token>,
}

fn router(site: Arc<Site>) -> Router {
    let guarded = Router::new()
        .route("/", get(pages::index))
        .route("/metrics", get(pages::metrics))
        .route("/version", get(pages::version))
        .route("/topology", get(pages::topology))
        .route("/config", get(pages::config))
        .layer(from_fn_with_state(Arc::clone(&site), access::require));
    // Probes of an orchestrator carry no token, and learn nothing but a status.
    let open =
        Router::new().route("/livez", get(health::livez)).route("/readyz", get(health::readyz));
    guarded.merge(open).with_state(site)
}
