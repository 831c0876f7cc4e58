//! The built `swiftwater`: started, watched, signalled and judged from outside.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::http::get;
use super::{Samples, wait_for, wait_until};

const BINARY: &str = env!("CARGO_BIN_EXE_swiftwater");
const START: Duration = Duration::from_secs(60);

/// Runs `swiftwater` with `arguments` in `directory` to its end.
pub(crate) fn swiftwater(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).current_dir(directory).output().expect("the binary runs")
}

/// How to start `swiftwater run`.
pub(crate) struct Launch {
    topology: String,
    environment: Vec<(String, String)>,
    options: Vec<String>,
}

impl Launch {
    /// Runs the topology file whose text this is.
    pub(crate) fn new(topology: impl Into<String>) -> Self {
        Self { topology: topology.into(), environment: Vec::new(), options: Vec::new() }
    }

    /// Sets a variable of the process's environment.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Adds an option of `swiftwater run`.
    pub(crate) fn option(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }

    /// Starts the process in a working directory of its own.
    pub(crate) fn start(self) -> Swiftwater {
        let directory = TempDir::with_prefix("swiftwater-run-").expect("a temporary directory");
        let path = directory.path().to_owned();
        let mut running = self.start_in(&path);
        running._directory = Some(directory);
        running
    }

    /// Starts the process in a directory that outlives it, so that a later one finds its files.
    pub(crate) fn start_in(self, directory: &Path) -> Swiftwater {
        let http = free_address();
        let name = format!("{}", http.port());
        let topology = directory.join(format!("topology-{name}.yaml"));
        fs::write(&topology, &self.topology).expect("the topology is written");
        let log = directory.join(format!("log-{name}.txt"));
        let file = File::create(&log).expect("the log is made");
        let child = Command::new(BINARY)
            .arg("run")
            .arg(&topology)
            .arg("--http")
            .arg(http.to_string())
            .args(&self.options)
            .envs(self.environment)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("one file for both outputs"))
            .stderr(file)
            .spawn()
            .expect("the binary starts");
        Swiftwater { child, http, log, _directory: None }
    }
}

/// A port nobody listens on; the kernel does not hand it out again at once.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
}

/// A running `swiftwater run`; dropping it kills it.
pub(crate) struct Swiftwater {
    child: Child,
    http: SocketAddr,
    log: PathBuf,
    /// Held so that it is deleted after the process has ended.
    _directory: Option<TempDir>,
}

impl Swiftwater {
    /// `GET path` from its HTTP port: status and body; `None` while nothing answers.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        get(self.http, path, None)
    }

    /// What `/metrics` says now; fails where it does not answer.
    pub(crate) fn metrics(&self) -> Samples {
        match self.get("/metrics") {
            Some((200, text)) => Samples::parse(&text),
            other => panic!("/metrics answered {other:?}\n{}", self.log()),
        }
    }

    /// Waits until `/readyz` says yes; fails when the process ends first.
    pub(crate) fn wait_ready(&mut self) {
        wait_until("/readyz to answer 200", START, || {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                panic!("ended with {status} before it was ready\n{}", self.log());
            }
            matches!(self.get("/readyz"), Some((200, _)))
        });
    }

    /// Waits until a condition on `/metrics` holds.
    pub(crate) fn wait_metrics(
        &self,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut(&Samples) -> bool,
    ) -> Samples {
        wait_for(what, limit, || {
            let (status, text) = self.get("/metrics")?;
            assert_eq!(status, 200, "/metrics answered {text}");
            let samples = Samples::parse(&text);
            condition(&samples).then_some(samples)
        })
    }

    /// Sends a signal by its name, such as `TERM`, `INT`, `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.expect("kill runs").success(), "failed to send SIG{name}");
    }

    /// Kills the process with SIGKILL and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
    }

    /// Waits for the process to end; fails after `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let child = &mut self.child;
        wait_for("the process to end", limit, || child.try_wait().expect("a child of ours"))
    }

    /// How the process ended; `None` while it runs.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Asks the process to drain (SIGTERM), waits for it and returns its exit code.
    pub(crate) fn drain(&mut self, limit: Duration) -> i32 {
        self.signal("TERM");
        let status = self.wait(limit);
        status.code().unwrap_or_else(|| panic!("ended by a signal: {status}\n{}", self.log()))
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:").expect("the process runs")
    }

    /// Resident memory in bytes without the pages of files, which are the program's own code and the
    /// system's to take back; `None` once the process has ended.
    pub(crate) fn anonymous_bytes(&self) -> Option<u64> {
        self.status_bytes("RssAnon:")
    }

    fn status_bytes(&self, name: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = rest.trim().trim_end_matches(" kB").parse().expect("a number of kB");
        Some(kib * 1024)
    }

    /// Standard output and standard error so far.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Address of its HTTP port.
    pub(crate) fn http(&self) -> SocketAddr {
        self.http
    }
}

impl Drop for Swiftwater {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            let log = self.log();
            let last: Vec<&str> = log.lines().rev().take(60).collect();
            for line in last.into_iter().rev() {
                eprintln!("| {line}");
            }
        }
    }
}
