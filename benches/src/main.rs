//! Whole-process benchmarks on a real Kafka, beside the raw limits of the libraries beneath,
//! measured in the same run.
//!
//! `SWIFTWATER_TEST_BROKERS=host:port cargo run --release -p swiftwater-benches [ROWS]`, or
//! `… -p swiftwater-benches latency RATE [SECONDS]` for the latency at one rate alone,
//! `… state [ROWS]` for windows and the cost of exactly-once, `… restore [KEYS]`.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

mod latency;
mod process;
mod state;

use std::time::Duration;

use process::{Cost, Failure, Process};
use swiftwater_connectors::limits;
use swiftwater_engine::schema;

const COLUMNS: &str =
    "{auction: int64, bidder: int64, price: int64, channel: utf8, date_time: timestamp_ms}";

fn main() -> Result<(), Failure> {
    let brokers = std::env::var("SWIFTWATER_TEST_BROKERS")
        .map_err(|_| "set SWIFTWATER_TEST_BROKERS; `make bench` starts a broker and does so")?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["latency", rate] => latency(&brokers, "alone", rate.parse()?, 15.0),
        ["latency", rate, seconds] => latency(&brokers, "alone", rate.parse()?, seconds.parse()?),
        ["state"] => state::measure(&brokers, 6_000_000),
        ["state", rows] => state::measure(&brokers, rows.parse()?),
        ["restore"] => state::restore(10_000_000),
        ["restore", keys] => state::restore(keys.parse()?),
        [] => everything(&brokers, 3_000_000),
        [rows] => everything(&brokers, rows.parse()?),
        _ => Err(
            "give the number of rows, `latency RATE [SECONDS]`, `state [ROWS]` or `restore [KEYS]`"
                .into(),
        ),
    }
}

/// Throughput, then the latency at some rates.
fn everything(brokers: &str, rows: u64) -> Result<(), Failure> {
    let run = std::process::id();
    let topics = [format!("bids-{run}"), format!("out-{run}"), format!("empty-{run}")];
    let [bids, out, empty] = &topics;
    let cores = std::thread::available_parallelism()?;
    println!("{cores} processors, {rows} bids of about 230 bytes in 4 partitions");

    let seeded = Process::start(&seed(brokers, bids, rows))?.finish()?;
    tell("generate -> Kafka", seeded, Cost::default(), rows);
    Process::start(&seed(brokers, empty, 0))?.finish()?;

    let schema = schema::from_config(columns()?.as_object().ok_or("no columns")?)?;
    let (consume, _) = limits::read(brokers, bids, None)?;
    println!("{:<28} {:>9.0} rows/s", "limit: batch consume", rate(rows, consume));
    let (decode, _) = limits::read(brokers, bids, Some(&schema))?;
    println!("{:<28} {:>9.0} rows/s", "limit: that and arrow-json", rate(rows, decode));

    let empty_run = Process::start(&to_blackhole(brokers, empty, "e1"))?.finish()?;
    let blackhole = Process::start(&to_blackhole(brokers, bids, "b1"))?.finish()?;
    tell("Kafka -> filter -> blackhole", blackhole, empty_run, rows);
    let empty_run = Process::start(&to_kafka(brokers, empty, out, "e2"))?.finish()?;
    let copied = Process::start(&to_kafka(brokers, bids, out, "b2"))?.finish()?;
    let peak = tell("Kafka -> Kafka", copied, empty_run, rows);

    for (label, rate) in [("idle", 20.0), ("steady", 100_000.0), ("50 %", peak * 0.5)] {
        latency(brokers, label, rate, 15.0)?;
    }
    Ok(())
}

/// Prints the latency at a rate, which is held for `seconds` after a third of it to warm up.
fn latency(brokers: &str, label: &str, rate: f64, seconds: f64) -> Result<(), Failure> {
    let name = format!("{}-{rate:.0}", std::process::id());
    let times = (Duration::from_secs_f64(seconds / 3.0), Duration::from_secs_f64(seconds));
    let seen = latency::measure(brokers, &name, rate, times)?;
    println!(
        "{label:<6} {:>8.0} rows/s: append to acknowledgement p50 {:.1} ms, p99 {:.1} ms; \
         append to a consumer p50 {:.1} ms, p99 {:.1} ms ({} rows)",
        seen.rate, seen.reported.0, seen.reported.1, seen.observed.0, seen.observed.1, seen.rows
    );
    Ok(())
}

fn columns() -> Result<serde_json::Value, Failure> {
    Ok(serde_json::json!({
        "auction": "int64", "bidder": "int64", "price": "int64", "channel": "utf8",
        "date_time": "timestamp_ms",
    }))
}

fn rate(rows: u64, seconds: f64) -> f64 {
    rows as f64 / seconds
}

/// Prints one run, the cost of the same topology on an empty topic taken off; returns rows/s.
fn tell(what: &str, cost: Cost, empty: Cost, rows: u64) -> f64 {
    let (wall, cpu) = (cost.wall - empty.wall, cost.cpu - empty.cpu);
    println!(
        "{what:<28} {:>9.0} rows/s, {:.2} us of processor a row, {} MiB",
        rate(rows, wall),
        cpu / rows as f64 * 1e6,
        cost.memory >> 20
    );
    rate(rows, wall)
}

fn seed(brokers: &str, topic: &str, rows: u64) -> String {
    format!(
        r#"
name: seed
sources:
  bids: {{generate: {{preset: bids, count: {rows}, start: "2026-01-01T00:00:00Z"}}}}
sinks:
  out: {{input: bids, kafka: {{brokers: "{brokers}", topic: {topic}, create: {{partitions: 4}}}}, format: json}}
"#
    )
}

fn source(brokers: &str, topic: &str, name: &str) -> String {
    format!(
        r#"
name: {name}
sources:
  bids:
    kafka: {{brokers: "{brokers}", topic: {topic}, group: "{topic}-{name}", start: earliest, until: latest}}
    format: json
    schema: {COLUMNS}
operators:
  serious: {{input: bids, filter: "price >= 1000"}}
"#
    )
}

fn to_blackhole(brokers: &str, topic: &str, name: &str) -> String {
    let source = source(brokers, topic, name);
    format!("{source}sinks:\n  out: {{input: serious, blackhole: {{}}}}\n")
}

fn to_kafka(brokers: &str, topic: &str, out: &str, name: &str) -> String {
    let source = source(brokers, topic, name);
    format!(
        "{source}  short: {{input: serious, select: [auction, bidder, price, channel, date_time]}}\n\
         sinks:\n  out: {{input: short, kafka: {{brokers: \"{brokers}\", topic: {out}, create: {{partitions: 4}}}}, format: json}}\n"
    )
}
