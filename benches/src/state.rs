//! What state and exactly-once cost: windows from Kafka, the same work under each guarantee, the
//! growth of state with the number of keys, and the time to restore it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::process::{Cost, Failure, Process, sum};
use crate::{seed, source, tell};

/// How often each guarantee runs, in turns, so that a noisy neighbour hits all alike.
const TURNS: usize = 3;

/// Windows by auction and by bidder, then Kafka to Kafka under each guarantee.
///
/// # Errors
/// Where a process fails.
pub(crate) fn measure(brokers: &str, rows: u64) -> Result<(), Failure> {
    let run = std::process::id();
    let [bids, empty] = [format!("bids-{run}"), format!("empty-{run}")];
    println!("{rows} bids of about 230 bytes in 4 partitions");
    Process::start(&seed(brokers, &bids, rows))?.finish()?;
    Process::start(&seed(brokers, &empty, 0))?.finish()?;

    for (what, options) in [
        (
            "tumbling 10 s by auction",
            "{tumbling: {size: 10s}, key: [auction], aggregate: {bids: count(*), highest: max(price)}}",
        ),
        (
            "hopping 10 s / 2 s by bidder",
            "{hopping: {size: 10s, slide: 2s}, key: [bidder], aggregate: {bids: count(*), highest: max(price)}}",
        ),
    ] {
        let topology = |topic: &str, name: &str| windows(brokers, topic, name, options);
        let empty_run = fresh(|name| topology(&empty, name))?;
        for _ in 0..TURNS {
            tell(what, fresh(|name| topology(&bids, name))?, empty_run, rows);
        }
    }

    let guarantees = [
        ("at_least_once, 1 s", "at_least_once", "1s"),
        ("exactly_once, 1 s", "exactly_once", "1s"),
        ("at_least_once, 100 ms", "at_least_once", "100ms"),
        ("exactly_once, 100 ms", "exactly_once", "100ms"),
    ];
    for (work, operators) in [("copy", COPY), ("keyed", KEYED)] {
        let mut rates = vec![Vec::new(); guarantees.len()];
        for _ in 0..TURNS {
            for ((label, guarantee, interval), rates) in guarantees.iter().zip(&mut rates) {
                let topology = |topic: &str, name: &str| {
                    to_kafka(brokers, topic, name, operators, guarantee, interval)
                };
                let empty_run = fresh(|name| topology(&empty, name))?;
                let cost = fresh(|name| topology(&bids, name))?;
                rates.push(tell(&format!("{work}: {label}"), cost, empty_run, rows));
            }
        }
        let medians: Vec<f64> = rates.into_iter().map(median).collect();
        if let [loose, exact, loose_often, exact_often] = medians.as_slice() {
            println!(
                "{work}: exactly_once keeps {:.2} of at_least_once at 1 s, {:.2} at 100 ms (medians)",
                exact / loose,
                exact_often / loose_often
            );
        }
    }
    Ok(())
}

/// Fills the state of a `lag` and of a window, kills the process and times the way back; then the
/// size of an epoch in which little changes.
///
/// # Errors
/// Where a process fails.
pub(crate) fn restore(keys: u64) -> Result<(), Failure> {
    for keys in [1000, 100_000, 1_000_000, keys] {
        for (what, operator) in [("lag", LAST), ("window", DAY)] {
            let random = format!("uniform: {{min: 1, max: {keys}}}, type: int64");
            let rows = (2 * keys).max(20_000_000);
            let cost = fresh(|name| generated(name, operator, &random, &format!("count: {rows}")))?;
            tell(&format!("{what}, {keys} keys, generated"), cost, Cost::default(), rows);
        }
    }
    for (what, operator) in [("lag", LAST), ("window", DAY)] {
        let name = unique();
        let each = format!("sequence: {{restart: {keys}}}");
        let mut first = Process::start(&generated(&name, operator, &each, "event_rate: 1e6"))?;
        first.wait_for("swiftwater_rows_total", 5.0 * keys as f64)?;
        let epochs = sum(&first.metrics()?, EPOCHS);
        first.wait_for(EPOCHS, epochs + 2.0)?;
        let held = sum(&first.metrics()?, "swiftwater_state_bytes");
        drop(first);
        let started = Instant::now();
        let slow = generated(&name, operator, &each, "event_rate: 1e6")
            .replace("input: rows", "input: paced")
            .replace(
                "operators:",
                "operators:\n  paced: {input: rows, throttle: {rows_per_second: 10000}}",
            );
        let mut second = Process::start(&slow)?;
        second.wait_ready()?;
        let took = started.elapsed();
        let before = second.metrics()?;
        std::thread::sleep(Duration::from_secs(10));
        let after = second.metrics()?;
        let grown = |name: &str| sum(&after, name) - sum(&before, name);
        println!(
            "{what}: {keys} keys, {:.0} MiB of state, restored in {:.1} s; then 10 000 rows/s: {:.0} KiB an epoch",
            held / 1048576.0,
            took.as_secs_f64(),
            grown("swiftwater_epoch_bytes_total") / grown(EPOCHS) / 1024.0,
        );
        drop(second);
        std::fs::remove_dir_all(store()).ok();
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Epochs committed so far: the count of their histogram.
const EPOCHS: &str = concat!("swiftwater_epoch_seconds", "_count");

const LAST: &str = "lag: {key: [id], columns: {previous: value}}";
const DAY: &str =
    "window: {tumbling: {size: 1d}, key: [id], aggregate: {rows: count(*), highest: max(value)}}";

fn generated(name: &str, operator: &str, id: &str, more: &str) -> String {
    format!(
        r#"
name: {name}
memory: 6GiB
{}sources:
  rows:
    generate:
      start: "2026-01-01T00:00:00Z"
      columns: {{id: {{{id}}}, value: {{uniform: {{min: 1, max: 100}}}}, at: {{timestamp: {{}}}}}}
      {more}
    event_time: {{column: at}}
operators:
  held: {{input: rows, {operator}}}
sinks:
  out: {{input: held, blackhole: {{}}}}
"#,
        checkpoint("at_least_once", "1s")
    )
}

const COPY: &str = "  done: {input: bids, filter: \"price >= 1000\"}\n";
const KEYED: &str = "  done: {input: bids, lag: {key: [auction], columns: {previous: price}}}\n";

/// Runs a topology under a name of its own, so that it finds no state.
fn fresh(topology: impl Fn(&str) -> String) -> Result<Cost, Failure> {
    let name = unique();
    let cost = Process::start(&topology(&name))?.finish();
    std::fs::remove_dir_all(store()).ok();
    cost
}

fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static RUNS: AtomicU32 = AtomicU32::new(0);
    format!("r{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed))
}

fn store() -> PathBuf {
    std::env::temp_dir().join(format!("swiftwater-bench-state-{}", std::process::id()))
}

fn checkpoint(guarantee: &str, interval: &str) -> String {
    let store = store();
    format!(
        "guarantee: {guarantee}\ncheckpoint: {{interval: {interval}, store: \"file://{}\"}}\n",
        store.display()
    )
}

fn windows(brokers: &str, topic: &str, name: &str, options: &str) -> String {
    let source = source(brokers, topic, name).replace(
        "    format: json",
        "    event_time: {column: date_time, out_of_orderness: 1s}\n    format: json",
    );
    let source = source.split("operators:").next().unwrap_or_default().to_owned();
    format!(
        "{source}{}operators:\n  windows: {{input: bids, window: {options}}}\n\
         sinks:\n  out: {{input: windows, blackhole: {{}}}}\n",
        checkpoint("at_least_once", "1s")
    )
}

fn to_kafka(
    brokers: &str,
    topic: &str,
    name: &str,
    operators: &str,
    guarantee: &str,
    interval: &str,
) -> String {
    let source = source(brokers, topic, name);
    let source = source.split("operators:").next().unwrap_or_default();
    format!(
        "{source}{}operators:\n{operators}\
         sinks:\n  out: {{input: done, kafka: {{brokers: \"{brokers}\", topic: out-{topic}, create: {{partitions: 4}}}}, format: json}}\n",
        checkpoint(guarantee, interval)
    )
}
