//! The built `swiftwater` as a whole process: how long it takes, how much of the processors, how
//! much memory.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks of `/proc/<pid>/stat`; 100 on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// What one run took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Seconds from start to exit.
    pub(crate) wall: f64,
    /// Seconds of processor time, user and system.
    pub(crate) cpu: f64,
    /// Largest resident memory in bytes.
    pub(crate) memory: u64,
}

/// A running `swiftwater run`.
pub(crate) struct Process {
    child: Child,
    http: SocketAddr,
    started: Instant,
    cost: Cost,
}

/// Any error: a benchmark only tells it.
pub(crate) type Failure = Box<dyn std::error::Error>;

fn binary() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|p| Some(p.parent()?.join("swiftwater")));
    std::env::var_os("SWIFTWATER").map(PathBuf::from).or(beside).unwrap_or("swiftwater".into())
}

impl Process {
    /// Starts a topology.
    ///
    /// # Errors
    /// Where the file cannot be written or the binary (beside this one, or `SWIFTWATER`) not run.
    pub(crate) fn start(topology: &str) -> Result<Self, Failure> {
        let http = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let path = std::env::temp_dir().join(format!("swiftwater-bench-{}.yaml", http.port()));
        std::fs::write(&path, topology)?;
        let log = std::fs::File::create(path.with_extension("log"))?;
        let mut command = Command::new(binary());
        command.arg("run").arg(&path).args(["--http", &http.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let started = Instant::now();
        Ok(Self { child: command.spawn()?, http, started, cost: Cost::default() })
    }

    /// Waits for the end of a bounded topology.
    ///
    /// # Errors
    /// Where it fails.
    pub(crate) fn finish(mut self) -> Result<Cost, Failure> {
        loop {
            self.sample();
            if let Some(status) = self.child.try_wait()? {
                self.cost.wall = self.started.elapsed().as_secs_f64();
                if !status.success() && status.code() != Some(143) {
                    return Err(format!("swiftwater ended with {status}").into());
                }
                return Ok(self.cost);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops an unbounded topology in order.
    ///
    /// # Errors
    /// Where it fails.
    pub(crate) fn stop(self) -> Result<Cost, Failure> {
        Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status()?;
        self.finish()
    }

    /// Processor time and memory so far.
    pub(crate) fn sample(&mut self) -> Cost {
        let pid = self.child.id();
        if let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            let fields: Vec<&str> =
                stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
            let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
            let cpu = (ticks(12) + ticks(13)) / TICKS_PER_SECOND;
            self.cost.cpu = self.cost.cpu.max(cpu);
        }
        if let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) {
            let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
            let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap_or(0);
            self.cost.memory = self.cost.memory.max(kib * 1024);
        }
        self.cost
    }

    /// The text of `/metrics`.
    ///
    /// # Errors
    /// Where the port does not answer.
    pub(crate) fn metrics(&self) -> Result<String, Failure> {
        let mut stream = TcpStream::connect(self.http)?;
        write!(stream, "GET /metrics HTTP/1.0\r\nHost: {}\r\n\r\n", self.http)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Waits until a metric, summed over its series, reaches a value.
    ///
    /// # Errors
    /// Where the process ends first or five minutes pass.
    pub(crate) fn wait_for(&mut self, name: &str, value: f64) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_secs(300);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("swiftwater ended with {status}").into());
            }
            if self.metrics().is_ok_and(|text| sum(&text, name) >= value) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("{name} did not reach {value}").into())
    }

    /// Waits until every node is ready.
    ///
    /// # Errors
    /// Where the process ends first or a minute passes.
    pub(crate) fn wait_ready(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("swiftwater ended with {status}").into());
            }
            let mut answer = String::new();
            if let Ok(mut stream) = TcpStream::connect(self.http) {
                write!(stream, "GET /readyz HTTP/1.0\r\nHost: {}\r\n\r\n", self.http)?;
                stream.read_to_string(&mut answer).ok();
            }
            if answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200") {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("not ready within a minute".into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already where all went well.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A metric in the text of `/metrics`, summed over its series.
#[must_use]
pub(crate) fn sum(text: &str, name: &str) -> f64 {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with(['{', ' ']).then(|| rest.rsplit(' ').next())??.parse::<f64>().ok()
    });
    values.sum()
}

/// Quantile `q` of a histogram in the text of `/metrics`, over all its series, less the counts of
/// an earlier scrape; linear inside the bucket as Prometheus computes it.
#[must_use]
pub(crate) fn quantile(now: &str, earlier: &str, name: &str, q: f64) -> Option<f64> {
    let (now, earlier) = (buckets(now, name), buckets(earlier, name));
    let before = |le: f64| earlier.iter().find(|(b, _)| *b == le).map_or(0.0, |(_, c)| *c);
    let counts: Vec<(f64, f64)> = now.iter().map(|(le, c)| (*le, c - before(*le))).collect();
    let rank = counts.last()?.1 * q;
    let (mut lower, mut below) = (0.0, 0.0);
    for (upper, reached) in counts {
        if reached >= rank && reached > below {
            return Some(lower + (upper - lower) * (rank - below) / (reached - below));
        }
        (lower, below) = (upper, reached);
    }
    None
}

fn buckets(text: &str, name: &str) -> Vec<(f64, f64)> {
    let prefix = format!("{name}_bucket{{");
    let mut all: Vec<(f64, f64)> = Vec::new();
    for line in text.lines().filter(|l| l.starts_with(&prefix)) {
        let bound = line.split("le=\"").nth(1).and_then(|r| r.split('"').next());
        let (Some(bound), Some(value)) = (bound, line.rsplit(' ').next()) else { continue };
        let bound = bound.parse().unwrap_or(f64::INFINITY);
        let count: f64 = value.parse().unwrap_or(0.0);
        match all.iter_mut().find(|(b, _)| *b == bound) {
            Some((_, sum)) => *sum += count,
            None => all.push((bound, count)),
        }
    }
    all
}
