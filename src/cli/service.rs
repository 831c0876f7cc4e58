//! Runs a planned topology to its end: logs, HTTP, progress and signals around the engine.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use swiftwater_engine::metrics::Metrics;
use swiftwater_engine::runtime::HealthHandle;
use swiftwater_engine::{Epoch, Error, Outcome, Plan, Result, Running, is_recoverable};

use super::load::Checked;
use crate::admin::{Bound, Shared, Token};
use crate::exit::Exit;
use crate::graph::Graph;
use crate::live::Sampler;
use crate::logging::{self, Logging};
use crate::progress::{Header, Progress};
use crate::signals::{Asked, Signals};

/// How often signals and the end are looked for.
const LOOK: Duration = Duration::from_millis(20);
/// How long threads may take to notice an abort.
const ABORT: Duration = Duration::from_secs(1);

/// Options of every verb that runs a topology.
#[derive(Args)]
pub(super) struct Options {
    /// Where to serve metrics and health: an address with its port, a port of 127.0.0.1 (0 takes
    /// any free one), or `off` [default: 9464, or any free one where that is taken]
    #[arg(long, value_name = "ADDRESS", env = "SWIFTWATER_HTTP", value_parser = http_address)]
    http: Option<Http>,
    /// File with the bearer token that requests must show; required where other machines can reach
    /// the address
    #[arg(long, value_name = "FILE", env = "SWIFTWATER_HTTP_TOKEN_FILE")]
    http_token_file: Option<PathBuf>,
    /// How log lines look
    #[arg(long, value_enum, default_value_t, env = "SWIFTWATER_LOG_FORMAT")]
    log_format: logging::Format,
    /// Which log lines appear: a level, or `info,swiftwater_connectors=debug`
    #[arg(long, value_name = "FILTER", default_value = "info", env = "SWIFTWATER_LOG")]
    log_level: String,
    /// Whether rates and latencies are drawn at the bottom of the terminal
    #[arg(long, value_enum, default_value_t)]
    progress: Shown,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Shown {
    /// On a terminal
    #[default]
    Auto,
    /// Not at all
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Http {
    Off,
    At(SocketAddr),
}

fn http_address(text: &str) -> Result<Http, String> {
    if text == "off" {
        return Ok(Http::Off);
    }
    if let Ok(port) = text.parse::<u16>() {
        return Ok(Http::At(([127, 0, 0, 1], port).into()));
    }
    let address = text.replace("localhost:", "127.0.0.1:");
    let expected = "write 127.0.0.1:9464, a port such as 9464, or off";
    address.parse().map(Http::At).map_err(|_| expected.to_owned())
}

impl Options {
    /// Starts logging as the options say.
    ///
    /// # Errors
    /// `Config` for a filter that cannot be read.
    pub(super) fn logging(&self) -> Result<Logging> {
        logging::start(self.log_format, &self.log_level)
    }

    fn bind(&self) -> Result<Option<Bound>> {
        let token = self.http_token_file.as_deref().map(Token::read).transpose()?;
        match self.http {
            Some(Http::Off) => Ok(None),
            Some(Http::At(address)) => Bound::new(Some(address), token).map(Some),
            None => Bound::new(None, token).map(Some),
        }
    }

    fn shows_progress(&self, logging: &Logging) -> bool {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        self.progress == Shown::Auto && !dumb && !logging.json && io::stderr().is_terminal()
    }
}

/// Runs the topology until it ends, is told to by a signal, or `limit` has passed.
///
/// # Errors
/// What kept it from starting, or stopped it.
pub(super) fn serve(
    checked: Checked,
    options: &Options,
    logging: &Logging,
    limit: Option<Duration>,
) -> Result<Exit> {
    let Checked { plan, redacted, secrets, .. } = checked;
    logging.secrets.set(&secrets);
    let bound = options.bind()?;
    let signals = Signals::take_over()?;
    let metrics = Metrics::new(&plan.config.name)?;
    metrics.hide(&secrets);
    let url = bound.as_ref().map(Bound::url);
    if !logging.json {
        // Before anything runs, because rows may be drawn where this line would come.
        tracing::info!(metrics = url.as_ref().map(|url| format!("{url}/metrics")), "started");
    }
    let running = Running::start(&plan, &metrics)?;
    logging.identity.set(&plan.config.name, running.trace_id());
    let health = running.health_handle();
    let sampler = Sampler::new(&plan, &metrics);
    let shared = Shared {
        graph: Graph::new(&plan),
        config: redacted,
        metrics: Arc::clone(&metrics),
        health: health.clone(),
        live: sampler.live(),
        trace_id: running.trace_id().to_owned(),
    };
    let admin = bound.map(|bound| bound.serve(shared));
    if logging.json {
        let (version, metrics) = (env!("CARGO_PKG_VERSION"), url.as_ref());
        tracing::info!(version, metrics = metrics.map(|url| format!("{url}/metrics")), "started");
    }
    let header = Header {
        topology: plan.config.name.clone(),
        url,
        started: Instant::now(),
        budget: plan.memory.budget,
    };
    let shown = options.shows_progress(logging);
    let progress = Progress::start(sampler, header, health.clone(), shown)?;
    let supervised = Supervised {
        plan: &plan,
        metrics: &metrics,
        health,
        running: Some(running),
        committed: None,
    };
    let ended = supervised.until_the_end(signals, limit, logging);
    drop(progress);
    drop(admin);
    ended
}

/// How watching a topology ended.
enum Ended {
    /// Its threads have ended.
    ByItself,
    /// A second signal came.
    Aborted(Exit),
}

/// A topology that goes on from its last commit where that is the cure.
struct Supervised<'a> {
    plan: &'a Plan,
    metrics: &'a Arc<Metrics>,
    health: HealthHandle,
    running: Option<Running>,
    /// The last epoch that a run of this process knew to be committed.
    committed: Option<Epoch>,
}

impl Supervised<'_> {
    /// Watches over the topology until it has ended for good.
    fn until_the_end(
        mut self,
        mut signals: Signals,
        limit: Option<Duration>,
        logging: &Logging,
    ) -> Result<Exit> {
        let started = Instant::now();
        loop {
            let running = self.running.as_ref();
            let running = running.ok_or_else(|| Error::bug("find the running topology"))?;
            let left = limit.map(|limit| limit.saturating_sub(started.elapsed()));
            if let Ended::Aborted(exit) = watch(running, &mut signals, left)? {
                return Ok(exit);
            }
            if let Some(outcome) = self.go_on(logging)? {
                let seconds = started.elapsed().as_secs_f64();
                let word = if outcome == Outcome::Drained { "drained" } else { "finished" };
                tracing::info!(seconds, "{word}");
                return Ok(exit(outcome, &signals));
            }
        }
    }

    /// The outcome; `None` where it was started again.
    fn go_on(&mut self, logging: &Logging) -> Result<Option<Outcome>> {
        let Some(running) = self.running.take() else {
            return Err(Error::bug("find the running topology"));
        };
        let committed = Some(running.committed()).filter(|epoch| *epoch > 0);
        self.committed = committed.or(self.committed);
        let error = match running.wait() {
            Ok(outcome) => return Ok(Some(outcome)),
            Err(error) if is_recoverable(&error) => error,
            Err(error) => return Err(error),
        };
        tracing::warn!(%error, "going on from the last commit");
        self.metrics.recoveries.inc();
        let running = Running::start_after(self.plan, self.metrics, self.committed)?;
        self.health.follow(&running);
        logging.identity.set(&self.plan.config.name, running.trace_id());
        self.running = Some(running);
        Ok(None)
    }
}

/// Waits for the end, passing signals on.
fn watch(running: &Running, signals: &mut Signals, limit: Option<Duration>) -> Result<Ended> {
    let started = Instant::now();
    let mut limit = limit;
    while !running.is_finished() {
        match signals.look() {
            Asked::Nothing => {}
            Asked::Drain => {
                tracing::info!("draining: finishing what is in flight; a second signal aborts");
                running.drain();
            }
            Asked::Abort => return abort(running, signals).map(Ended::Aborted),
        }
        if limit.is_some_and(|limit| started.elapsed() >= limit) {
            limit = None;
            running.drain();
        }
        std::thread::sleep(LOOK);
    }
    Ok(Ended::ByItself)
}

/// What the process says at its end.
fn exit(outcome: Outcome, signals: &Signals) -> Exit {
    match (outcome, signals.first()) {
        (Outcome::Drained, Some(signal)) => Exit::Drained(signal),
        _ => Exit::Finished,
    }
}

fn abort(running: &Running, signals: &Signals) -> Result<Exit> {
    tracing::warn!("aborted: what was not committed is read again after a restart");
    running.abort();
    let until = Instant::now() + ABORT;
    while !running.is_finished() && Instant::now() < until {
        std::thread::sleep(LOOK);
    }
    let signal = signals.first().ok_or_else(|| Error::bug("find the signal that aborts"))?;
    Ok(Exit::Drained(signal))
}
