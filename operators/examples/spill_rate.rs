//! Rows per second that one `lag` and one interval `join` take on one thread, with all rows of their
//! state in memory and with a part of them on disk.
//!
//! `cargo run --release -p swiftwater-operators --example spill_rate [keys]`

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use serde_json::{Value, json};
use swiftwater_engine::testing::{node, rows};
use swiftwater_engine::{
    Batch, NodeContext, Operator, OperatorOptions, Output, Readings, SpillRoom, Stream, Timestamp,
};
use swiftwater_operators::catalog::{JoinOptions, LagOptions};

const BATCH: u64 = 8192;
/// Rows are moved to disk after so many batches, as the engine does now and then.
const LOOK: u64 = 8;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn mixed(n: u64) -> u64 {
    let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 27)
}

/// Rows of 300 bytes whose keys are equally likely.
fn batch(from: u64, keys: u64) -> Outcome<RecordBatch> {
    let numbers = from..from + BATCH;
    let key = numbers.clone().map(|n| (mixed(n) % keys).cast_signed());
    let note = numbers.clone().map(|n| format!("{n:0280}"));
    let at = numbers.map(u64::cast_signed);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(key)),
        Arc::new(StringArray::from_iter_values(note)),
        Arc::new(TimestampMillisecondArray::from_iter_values(at)),
    ];
    let schema = rows::columns(&json!({"k": "int64", "note": "utf8", "at": "timestamp_ms"}));
    Ok(RecordBatch::try_new(schema, columns)?)
}

fn make<O: OperatorOptions>(options: Value, inputs: usize) -> Outcome<Box<dyn Operator>> {
    let config = node::<O>(options.clone(), inputs);
    let schemas = vec![batch(0, 1)?.schema(); inputs];
    let streams = vec![Stream::at("at"); inputs];
    let cx = NodeContext { topology: "rate", node: &config, inputs: &schemas, streams: &streams };
    let made: O = serde_json::from_value(options)?;
    Ok((made.plan(&cx)?.make)(0)?)
}

struct Run {
    operator: Box<dyn Operator>,
    keys: u64,
    next: u64,
    given: usize,
}

impl Run {
    /// Rows of one input after the other, and time that goes on with them.
    fn push(&mut self, inputs: &[usize], rows: u64, left: Option<usize>) -> Outcome<Duration> {
        let room = SpillRoom::new([std::env::temp_dir()]);
        let mut spent = Duration::ZERO;
        for number in 0..rows / BATCH {
            let records = batch(self.next, self.keys)?;
            let input = inputs.get(usize::try_from(number)? % inputs.len()).copied();
            self.next += BATCH;
            let started = Instant::now();
            let mut out = Output::at(Timestamp(0));
            let rows = Batch::new(records, Readings::polled_at(Timestamp(0)));
            self.operator.process(input.unwrap_or_default(), rows, &mut out)?;
            let passed = Timestamp::from_millis(self.next.cast_signed() - 1);
            self.operator.on_watermark(passed, &mut out)?;
            if let Some(target) = left.filter(|_| number % LOOK == 0) {
                drop(self.operator.seal()?);
                self.operator.spill(target, &room)?;
            }
            spent += started.elapsed();
            self.given += out.take_batches().iter().map(|(_, b)| b.rows()).sum::<usize>();
        }
        Ok(spent)
    }
}

fn main() -> Outcome<()> {
    let keys = std::env::args().nth(1).map_or(Ok(500_000), |text| text.parse::<u64>())?;
    let mut out = std::io::stdout().lock();
    let mut floors = std::collections::BTreeMap::new();
    for part in [100, 0, 50, 90] {
        let held = format!("{}ms", keys * 2);
        let kinds: [(&str, &[usize], Box<dyn Operator>); 2] = [
            (
                "lag",
                &[0],
                make::<LagOptions>(json!({"key": ["k"], "columns": {"before": "note"}}), 1)?,
            ),
            (
                "join",
                &[0, 1],
                make::<JoinOptions>(
                    json!({"on": ["k"], "within": {"before": held, "after": "0s"}, "suffix": ["_l", "_r"]}),
                    2,
                )?,
            ),
        ];
        for (name, inputs, operator) in kinds {
            let mut run = Run { operator, keys, next: 0, given: 0 };
            run.push(inputs, keys * 4, None)?;
            drop(run.operator.seal()?);
            let whole = run.operator.state_bytes();
            // Keys, times and numbers stay in memory.
            let floor = floors.get(name).copied().unwrap_or_default();
            let target = floor + (whole - floor) * (100 - part) / 100;
            let spent = run.push(inputs, 1_000_000, (part > 0).then_some(target))?;
            if part == 100 {
                floors.insert(name, run.operator.state_bytes());
            }
            writeln!(
                out,
                "{name:5} {part:3} %  {:8.0} rows/s, {} MiB in memory, {} MiB on disk, {} rows out",
                1e6 / spent.as_secs_f64(),
                run.operator.state_bytes() >> 20,
                run.operator.spilled_bytes() >> 20,
                run.given,
            )?;
        }
    }
    Ok(())
}
