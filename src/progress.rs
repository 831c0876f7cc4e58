//! Progress: a block at the bottom of the terminal that is drawn again each second, or a log line a
//! minute where nobody watches.

mod block;
mod screen;

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use swiftwater_engine::runtime::HealthHandle;
use swiftwater_engine::{Error, Result};

use crate::live::{Sampler, Snapshot};

pub(crate) use block::Header;
use screen::Screen;

/// Time between two samples.
const SAMPLE: Duration = Duration::from_secs(1);
/// Time between two log lines of a node.
const LOGGED: Duration = Duration::from_secs(60);

/// Samples and shows, on a thread of its own, until it is stopped.
pub(crate) struct Progress {
    stop: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts. With `shown` the block is drawn on the terminal behind stderr.
    ///
    /// # Errors
    /// `Unavailable` where the system gives no thread.
    pub(crate) fn start(
        mut sampler: Sampler,
        header: Header,
        health: HealthHandle,
        shown: bool,
    ) -> Result<Self> {
        let (stop, stopped) = sync_channel(1);
        let body = move || {
            let mut screen = shown.then(Screen::new);
            let mut logged = Instant::now();
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(SAMPLE) {
                let snapshot = sampler.sample();
                if let Some(screen) = &mut screen {
                    screen.draw(&block::lines(&header, &snapshot, &health.health()));
                } else if logged.elapsed() >= LOGGED {
                    logged = Instant::now();
                    log(&snapshot);
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("progress".into())
            .spawn(body)
            .map_err(|e| Error::unavailable("SW4001", "start a thread").with_source(e))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // It ends by itself where nobody listens any more.
        self.stop.try_send(()).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn log(snapshot: &Snapshot) {
    for node in &snapshot.nodes {
        let latency = node.e2e_latency_seconds.or(node.ingest_to_ack_seconds);
        tracing::info!(
            node = node.node,
            rows_in = node.rows_in,
            rows_out = node.rows_out,
            rows_in_per_second = node.rows_in_per_second.round(),
            rows_out_per_second = node.rows_out_per_second.round(),
            busy = percent(node.busy),
            backpressured = percent(node.backpressured),
            lag_records = node.lag_records,
            latency_p50_seconds = latency.map(|l| l.p50),
            latency_p99_seconds = latency.map(|l| l.p99),
            dead_letters = node.dead_letters,
            "progress"
        );
    }
}

/// A share rounded to whole hundredths.
fn percent(share: f64) -> f64 {
    (share * 100.0).round() / 100.0
}
