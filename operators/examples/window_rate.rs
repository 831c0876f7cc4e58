//! Rows per second that one `window` instance takes on one thread, by number of keys, with a
//! snapshot taken for each second of event time (a million rows), and what the state weighs.
//!
//! `cargo run --release -p swiftwater-operators --example window_rate [most keys]`

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use serde_json::{Value, json};
use swiftwater_engine::testing::{node, rows};
use swiftwater_engine::{Batch, NodeContext, OperatorOptions, Output, Readings, Stream, Timestamp};
use swiftwater_operators::catalog::WindowOptions;

const BATCH: u64 = 8192;
/// Rows per second of event time.
const RATE: u64 = 1_000_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// What one run took.
#[derive(Default)]
struct Spent {
    rows: u64,
    given: usize,
    working: Duration,
    sealing: Duration,
    longest_seal: Duration,
    longest_close: Duration,
    most_bytes: usize,
}

/// Keys as a stream of many users has them: mixed well (SplitMix64), all equally likely.
fn batch(from: u64, keys: u64) -> Outcome<RecordBatch> {
    let mixed = |n: u64| {
        let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z ^ (z >> 27)
    };
    let numbers = from..from + BATCH;
    let key = numbers.clone().map(|n| (mixed(n) % keys).cast_signed());
    let price = numbers.clone().map(|n| (mixed(n ^ 77) % 10_000).cast_signed());
    let at = numbers.map(|n| (n * 1000 / RATE).cast_signed());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(key)),
        Arc::new(Int64Array::from_iter_values(price)),
        Arc::new(TimestampMillisecondArray::from_iter_values(at)),
    ];
    let schema = rows::columns(&json!({"bidder": "int64", "price": "int64", "at": "timestamp_ms"}));
    Ok(RecordBatch::try_new(schema, columns)?)
}

fn run(options: &Value, keys: u64, total: u64) -> Outcome<Spent> {
    let config = node::<WindowOptions>(options.clone(), 1);
    let inputs = [batch(0, 1)?.schema()];
    let streams = [Stream::at("at")];
    let cx = NodeContext { topology: "rate", node: &config, inputs: &inputs, streams: &streams };
    let made: WindowOptions = serde_json::from_value(options.clone())?;
    let mut operator = (made.plan(&cx)?.make)(0)?;
    let mut spent = Spent::default();
    let mut next_seal = RATE;
    while spent.rows < total {
        let records = batch(spent.rows, keys)?;
        spent.rows += BATCH;
        let mut out = Output::at(Timestamp(0));
        let started = Instant::now();
        operator.process(0, Batch::new(records, Readings::polled_at(Timestamp(0))), &mut out)?;
        let closing = Instant::now();
        let watermark = (spent.rows * 1000 / RATE).cast_signed() - 1;
        operator.on_watermark(Timestamp::from_millis(watermark), &mut out)?;
        spent.longest_close = spent.longest_close.max(closing.elapsed());
        spent.working += started.elapsed();
        spent.given += out.take_batches().iter().map(|(_, b)| b.rows()).sum::<usize>();
        if spent.rows >= next_seal {
            next_seal += RATE;
            spent.most_bytes = spent.most_bytes.max(operator.state_bytes());
            let started = Instant::now();
            drop(operator.seal()?);
            spent.sealing += started.elapsed();
            spent.longest_seal = spent.longest_seal.max(started.elapsed());
        }
    }
    Ok(spent)
}

fn main() -> Outcome<()> {
    let most = std::env::args().nth(1).map_or(Ok(10_000_000), |text| text.parse::<u64>())?;
    let shapes = [
        ("tumbling 10s", json!({"tumbling": {"size": "10s"}})),
        ("hopping 10s/2s", json!({"hopping": {"size": "10s", "slide": "2s"}})),
    ];
    let mut out = std::io::stdout().lock();
    for (name, shape) in shapes {
        for keys in [1000, 10_000, 1_000_000, 10_000_000].into_iter().filter(|k| *k <= most) {
            let mut options = shape.clone();
            if let Value::Object(fields) = &mut options {
                fields.insert("key".into(), json!(["bidder"]));
                let aggregate = json!({"bids": "count(*)", "top": "max(price)"});
                fields.insert("aggregate".into(), aggregate);
            }
            let total = if keys > 1_000_000 { 30 * RATE } else { 20 * RATE };
            let spent = run(&options, keys, total)?;
            let rate = |time: Duration| {
                f64::from(u32::try_from(spent.rows).unwrap_or(u32::MAX)) / time.as_secs_f64() / 1e6
            };
            writeln!(
                out,
                "{name:15} {keys:9} keys  {:6.2} M rows/s, {:6.2} with snapshots  \
                 longest snapshot {:?}, longest close {:?}, {} rows out, {} MiB of state",
                rate(spent.working),
                rate(spent.working + spent.sealing),
                spent.longest_seal,
                spent.longest_close,
                spent.given,
                spent.most_bytes >> 20,
            )?;
        }
    }
    Ok(())
}
