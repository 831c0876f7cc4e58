//! Calls over the network from plain threads: waited for, or left running while the caller goes on.

use std::future::Future;
use std::time::Duration;

use swiftwater_engine::{Error, Result};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::io_runtime;

/// Runs `future` to its end on the calling thread.
///
/// # Errors
/// As [`io_runtime::handle`].
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output> {
    Ok(io_runtime::handle()?.block_on(future))
}

/// A call that runs on the I/O threads while its caller goes on; dropping it gives it up.
pub(crate) struct Call<T> {
    task: JoinHandle<T>,
    runtime: Handle,
}

impl<T: Send + 'static> Call<T> {
    /// Starts the call.
    ///
    /// # Errors
    /// As [`io_runtime::handle`].
    pub(crate) fn start(future: impl Future<Output = T> + Send + 'static) -> Result<Self> {
        let runtime = io_runtime::handle()?;
        Ok(Self { task: runtime.spawn(future), runtime })
    }

    /// The outcome, waiting at most `wait` for it; `None` while it is under way. Must not be called
    /// again after the outcome was given.
    ///
    /// # Errors
    /// `Bug` where the call panicked.
    pub(crate) fn outcome(&mut self, wait: Duration) -> Result<Option<T>> {
        if !self.task.is_finished() && wait.is_zero() {
            return Ok(None);
        }
        let Self { task, runtime } = self;
        match runtime.block_on(async { tokio::time::timeout(wait, task).await }) {
            Err(_) => Ok(None),
            Ok(Ok(outcome)) => Ok(Some(outcome)),
            Ok(Err(e)) => Err(Error::bug("finish a call on the I/O threads").with_source(e)),
        }
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
