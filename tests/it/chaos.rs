//! The process is killed at random moments and at every named step of the commit, again and again;
//! an independent reader sees every row once, in order, and only ever a prefix.
//!
//! The short form runs with the other tests. `SWIFTWATER_TEST_KILLS=500` makes it longer (`make
//! chaos`).

mod checker;
mod tampering;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use self::checker::{Follower, Seen, expected_windows, read_files, read_table};
use crate::support::{Broker, Launch, Record, Swiftwater, Topic, shared_server};

/// Keys, and rows of each.
const KEYS: u64 = 40;
const PARTITIONS: i32 = 4;
/// Event time between two rows of a key, in milliseconds.
const STEP: u64 = 20;
/// Size of the windows, in milliseconds.
const WINDOW: u64 = 1000;
const LIMIT: Duration = Duration::from_secs(120);

/// Steps of the commit at which the process ends itself.
const PLACES: [&str; 9] = [
    "staged",
    "state_written",
    "manifest_written",
    "before_send_offsets",
    "before_commit_transaction",
    "after_commit_transaction",
    "committed",
    "before_finalise",
    "finalised",
];

fn kills() -> usize {
    let kills = std::env::var("SWIFTWATER_TEST_KILLS").ok().and_then(|s| s.parse().ok());
    kills.unwrap_or(2 * PLACES.len())
}

/// What one run of the topology reads and writes.
struct Setting {
    events: Topic,
    out: Topic,
    directory: tempfile::TempDir,
    brokers: String,
    postgres: String,
    name: String,
}

impl Setting {
    fn new(broker: &Broker) -> Self {
        let events = Topic::create(broker, "events", PARTITIONS);
        let out = Topic::create(broker, "chained", PARTITIONS);
        let directory = tempfile::tempdir().unwrap();
        let name = events.name().replace(['-', '.'], "_");
        let brokers = broker.bootstrap().to_owned();
        let postgres = shared_server("SWIFTWATER_TEST_POSTGRES", "postgres.sh");
        Self { events, out, directory, brokers, postgres, name }
    }

    fn files(&self) -> std::path::PathBuf {
        self.directory.path().join("windows")
    }

    fn topology(&self) -> String {
        format!(
            r#"
name: {name}
guarantee: exactly_once
checkpoint: {{interval: 100ms, store: "file://{store}"}}
memory: 512MiB
sources:
  events:
    kafka: {{brokers: "{brokers}", topic: {events}, start: earliest}}
    format: json
    schema: {{key: int64!, seq: int64!, value: int64!, at: timestamp_ms!}}
    event_time: {{column: at, out_of_orderness: 100ms}}
operators:
  chained: {{input: events, parallelism: 2, lag: {{key: [key], columns: {{before: seq}}}}}}
  per_key:
    input: events
    parallelism: 2
    window: {{tumbling: {{size: {WINDOW}ms}}, key: [key], aggregate: {{rows: "count(*)", total: "sum(value)"}}}}
sinks:
  chain: {{input: chained, kafka: {{brokers: "{brokers}", topic: {out}, key: [key]}}, format: json}}
  windows: {{input: per_key, files: {{path: "{files}"}}, format: json}}
  table:
    input: per_key
    postgres: {{url: "{postgres}", table: "{name}", create: true, key: [key, window_start]}}
"#,
            postgres = self.postgres,
            name = self.name,
            store = self.directory.path().join("state").display(),
            brokers = self.brokers,
            events = self.events.name(),
            out = self.out.name(),
            files = self.files().display(),
        )
    }

    fn launch(&self) -> Launch {
        Launch::new(self.topology()).env("RUST_BACKTRACE", "0")
    }
}

/// Row number `n` of all keys together; the last of each key closes its windows.
fn event(n: u64) -> Record {
    let (key, seq) = (n % KEYS, n / KEYS + 1);
    let value = n.wrapping_mul(0x9e37_79b9) % 1000;
    let at = seq * STEP;
    let text = format!("{{\"key\":{key},\"seq\":{seq},\"value\":{value},\"at\":{at}}}");
    Record::new(text).partition((key % PARTITIONS as u64) as i32)
}

/// Produces events at a steady rate until it is told to stop; the number of rows of each key.
fn produce(events: &Topic, stop: &AtomicBool) -> u64 {
    let mut rounds = 0;
    while !stop.load(Ordering::Acquire) {
        let from = rounds * KEYS;
        events.produce((from..from + KEYS * 20).map(event));
        rounds += 20;
        std::thread::sleep(Duration::from_millis(25));
    }
    rounds
}

/// A number that looks random, the same in every run.
fn random(seed: usize, below: u64) -> u64 {
    let mixed = (seed as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) % below.max(1)
}

/// Kills the process once: at a named place, or at some moment.
fn kill_once(setting: &Setting, round: usize) -> Swiftwater {
    let named = PLACES.get(round / 2 % PLACES.len()).filter(|_| round.is_multiple_of(2));
    let directory = setting.directory.path();
    match named {
        Some(place) => {
            let times = 1 + random(round, 3);
            let variable = format!("{place}:{times}");
            let launch = setting.launch().env("SWIFTWATER_FAILPOINT", variable);
            let mut process = launch.start_in(directory);
            process.wait(LIMIT);
            let log = process.log();
            assert!(!log.contains("error"), "at {place}: {log}");
            process
        }
        None => {
            let mut process = setting.launch().start_in(directory);
            std::thread::sleep(Duration::from_millis(100 + random(round, 1500)));
            process.kill();
            process
        }
    }
}

/// Lets the topology finish what there is, and compares everything.
fn finish(setting: &Setting, follower: Follower, rounds: u64) -> Seen {
    let mut process = setting.launch().start_in(setting.directory.path());
    process.wait_ready();
    let seen = follower.wait_for(KEYS * rounds, LIMIT, || process.log());
    let windows = expected_windows(rounds);
    let started = Instant::now();
    while read_files(&setting.files()).len() < windows.len() && started.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(process.drain(LIMIT), 143, "{}", process.log());
    seen
}

fn check_windows(setting: &Setting, rounds: u64) {
    let expected = expected_windows(rounds);
    let mut found = read_files(&setting.files());
    found.sort_unstable();
    assert!(found == expected, "the windows in files are not those of the rows");
    let mut found = read_table(&setting.postgres, &setting.name);
    found.sort_unstable();
    assert!(found == expected, "the windows in PostgreSQL are not those of the rows");
}

#[test]
fn killed_at_any_moment_nothing_is_lost_doubled_or_out_of_order() {
    let broker = Broker::shared();
    let setting = Setting::new(broker);
    let stop = Arc::new(AtomicBool::new(false));
    let events = Topic::named(broker, setting.events.name(), PARTITIONS);
    let stopped = Arc::clone(&stop);
    let producer = std::thread::Builder::new()
        .name("producer".into())
        .spawn(move || produce(&events, &stopped))
        .unwrap();
    let follower = Follower::start(&setting.brokers, setting.out.name());

    let kills = kills();
    for round in 0..kills {
        drop(kill_once(&setting, round));
    }
    stop.store(true, Ordering::Release);
    let rounds = producer.join().unwrap();
    let seen = finish(&setting, follower, rounds);
    check_windows(&setting, rounds);
    println!(
        "{kills} kills, {} rows, {} windows: 0 lost, 0 doubled, 0 out of order",
        seen.rows,
        expected_windows(rounds).len()
    );
}
