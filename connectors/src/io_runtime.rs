//! The one tokio runtime of all connectors that speak asynchronously over the network.
//!
//! Sinks and sources run on threads of the engine and hand their requests over to this runtime. Two
//! threads are plenty: they only move bytes, encoding and decoding stay with the engine's threads.

use std::sync::OnceLock;

use swiftwater_engine::{Error, Result};
use tokio::runtime::{Builder, Handle, Runtime};

/// Threads that move bytes.
const THREADS: usize = 2;
/// Most threads for calls that block, such as looking up a host's address.
const BLOCKING_THREADS: usize = 16;

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// The runtime, started by whoever needs it first; it lasts as long as the process.
///
/// # Errors
/// `State` (`SW2059`) where the system gives no further threads.
pub(crate) fn handle() -> Result<Handle> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.handle().clone());
    }
    let made = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("swiftwater-io")
        .enable_all()
        .build()
        .map_err(|e| {
            Error::state("SW2059", "start the threads that speak over the network").with_source(e)
        })?;
    // Where two threads come here at once, the slower one's runtime is dropped unused.
    Ok(RUNTIME.get_or_init(|| made).handle().clone())
}
