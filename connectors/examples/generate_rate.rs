//! Rows per second that the `generate` source makes on one thread.
//!
//! `cargo run --release -p swiftwater-connectors --example generate_rate`

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use swiftwater_config::{NodeConfig, OnError, Role};
use swiftwater_connectors::catalog::GenerateOptions;
use swiftwater_engine::metrics::{Metrics, SourceMetrics};
use swiftwater_engine::{Clock, NodeContext, Polled, SourceContext, SourceOptions};

fn node(options: Value) -> NodeConfig {
    NodeConfig {
        name: "rows".into(),
        role: Role::Source,
        kind: "generate".into(),
        options,
        inputs: Vec::new(),
        format: None,
        schema: None,
        event_time: None,
        late: None,
        on_error: OnError::Fail,
        parallelism: None,
        partition_by: Vec::new(),
        pointer: String::new(),
    }
}

/// Millions of rows per second of the best of five runs.
fn rate(options: &Value) -> Result<f64, Box<dyn std::error::Error>> {
    let node = node(options.clone());
    let made: GenerateOptions = serde_json::from_value(options.clone())?;
    let plan =
        made.plan(&NodeContext { topology: "rate", node: &node, inputs: &[], streams: &[] })?;
    let mut best = Duration::MAX;
    let mut rows = 0;
    for _ in 0..5 {
        let mut source = (plan.make)(0)?;
        source.open(SourceContext {
            resume: None,
            takes_all: false,
            shared: std::sync::Arc::default(),
            topology: "rate".into(),
            node: "rows".into(),
            instance: 0,
            instances: 1,
            prefetch_bytes: 0,
            batch_rows: 8192,
            clock: Clock::system(),
            metrics: SourceMetrics::new(&Metrics::new("rate")?, "rows"),
        })?;
        let started = Instant::now();
        rows = 0;
        while let Polled::Rows { batch, .. } = source.poll(Duration::ZERO)? {
            rows += black_box(&batch).rows();
        }
        best = best.min(started.elapsed());
    }
    Ok(f64::from(u32::try_from(rows)?) / best.as_secs_f64() / 1e6)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers = ["auction", "bidder", "price", "date_time"];
    let column = |column: Value| json!({"columns": {"c": column}, "count": 4_000_000});
    let cases = [
        ("bids, numbers only", json!({"preset": "bids", "only": numbers, "count": 8_000_000})),
        ("bids, all columns", json!({"preset": "bids", "count": 4_000_000})),
        ("nexmark bids", json!({"preset": "nexmark_bids", "count": 4_000_000})),
        ("nexmark auctions", json!({"preset": "nexmark_auctions", "count": 16_000_000})),
        ("nexmark persons", json!({"preset": "nexmark_persons", "count": 48_000_000})),
        ("sequence", column(json!({"sequence": {}}))),
        ("uniform integers", column(json!({"uniform": {"min": 1, "max": 1000}}))),
        ("uniform doubles", column(json!({"uniform": {"min": 0.0, "max": 1.0}}))),
        ("choice of 3", column(json!({"choice": ["a", "b", "c"]}))),
        ("weighted of 3", column(json!({"choice": {"values": [1, 2, 3], "weights": [1, 2, 3]}}))),
        ("zipf of a million", column(json!({"zipf": {"values": 1_000_000}}))),
        ("text of 12", column(json!({"text": {}}))),
        ("uuid", column(json!({"uuid": {}}))),
    ];
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    for (name, options) in cases {
        writeln!(out, "{name:20} {:8.1} M rows/s", rate(&options)?)?;
    }
    Ok(())
}
