//! A sink that is away while the topic fills: memory stays within the budget, and everything
//! arrives when it is back.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{Broker, Launch, Record, Topic, wait_until};

const ROWS: usize = 1_000_000;
const MEMORY: u64 = 256 << 20;

/// How long the sink is away; `SWIFTWATER_TEST_DEAD_SECONDS` makes it longer.
fn dead_time() -> Duration {
    let seconds = std::env::var("SWIFTWATER_TEST_DEAD_SECONDS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(seconds.unwrap_or(15))
}

/// A webhook that notes which rows came, until the test ends.
fn serve(address: SocketAddr, seen: Arc<Mutex<Vec<bool>>>) {
    let listener = TcpListener::bind(address).expect("the port is still free");
    let accept = move || {
        for stream in listener.incoming().flatten() {
            let seen = Arc::clone(&seen);
            std::thread::Builder::new().spawn(move || answer(stream, &seen)).expect("a thread");
        }
    };
    std::thread::Builder::new().spawn(accept).expect("a thread");
}

fn answer(stream: TcpStream, seen: &Mutex<Vec<bool>>) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&body).expect("an array of rows");
        let mut seen = seen.lock().unwrap();
        for row in rows {
            seen[row["id"].as_u64().unwrap() as usize] = true;
        }
        drop(seen);
        writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}

#[test]
fn a_dead_sink_costs_no_memory_and_no_rows() {
    let broker = Broker::shared();
    let bids = Topic::create(broker, "lagging", 4);
    let padding = "x".repeat(200);
    let appending = Instant::now();
    bids.produce((0..ROWS).map(|id| {
        Record::new(format!("{{\"id\": {id}, \"note\": \"{padding}\"}}")).partition((id % 4) as i32)
    }));
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let topology = format!(
        r#"
name: lagging
memory: {MEMORY}B
checkpoint: {{interval: 200ms}}
retry: {{initial: 50ms, max: 500ms}}
sources:
  bids:
    kafka: {{brokers: "{}", topic: {topic}, group: {topic}, start: earliest}}
    format: json
    schema: {{id: int64!, note: utf8}}
sinks:
  hook: {{input: bids, http: {{url: "http://{address}/rows", body: array, batch: {{rows: 2000}}}}}}
"#,
        broker.bootstrap(),
        topic = bids.name()
    );
    let mut process = Launch::new(topology).start();
    process.wait_metrics("the sink to be found dead", Duration::from_secs(60), |metrics| {
        metrics.total("swiftwater_retries_total", &[("node", "hook")]) > 0.0
    });
    let until = Instant::now() + dead_time();
    let mut highest = 0;
    wait_until("the dead time to pass", dead_time() * 2, || {
        highest = highest.max(process.resident_bytes());
        Instant::now() >= until
    });
    assert!(highest < MEMORY, "{} MiB of {} MiB", highest >> 20, MEMORY >> 20);
    assert_eq!(bids.committed(bids.name()).into_iter().flatten().sum::<i64>(), 0);

    let seen = Arc::new(Mutex::new(vec![false; ROWS]));
    serve(address, Arc::clone(&seen));
    let all = |offsets: Vec<Option<i64>>| offsets.into_iter().flatten().sum::<i64>() == ROWS as i64;
    wait_until("every row to arrive", Duration::from_secs(180), || {
        highest = highest.max(process.resident_bytes());
        all(bids.committed(bids.name()))
    });
    assert!(highest < MEMORY, "{} MiB of {} MiB", highest >> 20, MEMORY >> 20);
    println!("highest resident memory {} MiB of {} MiB", highest >> 20, MEMORY >> 20);
    // The latency that is reported is the one there was: at least the dead time, at most all of it.
    let metrics = process.metrics();
    let latency = metrics.quantile("swiftwater_e2e_latency_seconds", 0.5, &[("sink", "hook")]);
    let known = dead_time().as_secs_f64()..appending.elapsed().as_secs_f64() * 1.1;
    assert!(latency.is_some_and(|l| known.contains(&l)), "{latency:?} is not in {known:?}");
    assert_eq!(process.drain(Duration::from_secs(60)), 143, "{}", process.log());
    let missing = seen.lock().unwrap().iter().filter(|s| !**s).count();
    assert_eq!(missing, 0);
}
