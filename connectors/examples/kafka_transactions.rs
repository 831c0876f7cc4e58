//! Rows per second that the `kafka` sink writes: by itself, and with a transaction for each epoch of
//! 1 s and of 100 ms; and how long a commit takes.
//!
//! `SWIFTWATER_TEST_BROKERS=localhost:9092 cargo run --release -p swiftwater-connectors --example kafka_transactions`

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use serde_json::{Value, json};
use swiftwater_config::{FormatConfig, NodeConfig, OnError, Role};
use swiftwater_engine::kind::CommitContext;
use swiftwater_engine::metrics::{Metrics, SinkMetrics};
use swiftwater_engine::{
    Batch, Clock, CommitPoint, Committed, ExactlyOnce, NodeContext, Readings, Registry, Sequence,
    Shared, Sink, SinkContext, SinkPlan,
};

const ROWS: usize = 3_000_000;
const BATCH: usize = 8192;
const BUDGET: Duration = Duration::from_secs(60);

/// Rows of about 200 bytes as JSON.
fn rows() -> RecordBatch {
    let count = |from: i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values((0..BATCH as i64).map(|n| n * 7 + from)))
    };
    let text = |length: usize| -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..BATCH).map(|n| format!("{n:0length$}"))))
    };
    RecordBatch::try_from_iter([
        ("auction", count(1000)),
        ("bidder", count(20_000)),
        ("price", count(300)),
        ("channel", text(16)),
        ("url", text(80)),
        ("date_time", count(1_700_000_000_000)),
    ])
    .expect("columns of one length")
}

fn plan(topic: &str, records: &RecordBatch) -> SinkPlan {
    let brokers = std::env::var("SWIFTWATER_TEST_BROKERS").expect("SWIFTWATER_TEST_BROKERS is set");
    let options = json!({
        "brokers": brokers, "topic": topic, "key": ["bidder"], "create": {"partitions": 4},
        "transactional_id": format!("{topic}-writer"),
    });
    let node = NodeConfig {
        name: "out".into(),
        role: Role::Sink,
        kind: "kafka".into(),
        options,
        inputs: Vec::new(),
        format: Some(FormatConfig { name: "json".into(), options: Value::Null }),
        schema: None,
        event_time: None,
        late: None,
        on_error: OnError::Fail,
        parallelism: None,
        partition_by: Vec::new(),
        pointer: String::new(),
    };
    let mut registry = Registry::new();
    swiftwater_connectors::register(&mut registry);
    let inputs = [records.schema()];
    let cx = NodeContext { topology: "rate", node: &node, inputs: &inputs, streams: &[] };
    registry.plan_sink(&cx).expect("a sink")
}

struct Writing {
    sink: Box<dyn Sink>,
    sequence: Sequence,
}

impl Writing {
    fn open(plan: &SinkPlan, exactly_once: Option<Arc<Shared>>) -> Self {
        let mut sink = (plan.make)().expect("a sink");
        let metrics = Metrics::new("rate").expect("metrics");
        sink.open(SinkContext {
            exactly_once: exactly_once.as_ref().map(|_| ExactlyOnce::default()),
            shared: exactly_once.unwrap_or_default(),
            topology: "rate".into(),
            node: "out".into(),
            buffer_bytes: 64 << 20,
            retry_budget: BUDGET,
            clock: Clock::system(),
            metrics: SinkMetrics::new(&metrics, "out"),
        })
        .expect("the brokers answer");
        Self { sink, sequence: 0 }
    }

    fn write(&mut self, batch: &Batch) {
        self.sequence += 1;
        self.sink.write(self.sequence, batch).expect("rows are taken");
    }

    fn wait(&mut self) {
        while self.sink.acknowledged(Duration::from_millis(1)).expect("written") < self.sequence {}
    }
}

/// Rows per second, and how long each epoch's end and its commit took.
fn run(epoch: Option<Duration>, batch: &Batch) -> (f64, Vec<(Duration, Duration)>) {
    let topic = format!("rate-{}-{:?}", std::process::id(), epoch.unwrap_or_default());
    let plan = plan(&topic, &batch.records);
    let shared: Arc<Shared> = Arc::default();
    let point: Option<Arc<dyn CommitPoint>> = epoch.map(|_| {
        let made = plan.commit_point.as_ref().expect("kafka commits");
        let cx = CommitContext {
            topology: "rate".into(),
            shared: Arc::clone(&shared),
            retry_budget: BUDGET,
        };
        let point = (made.make)(&cx).expect("a commit point");
        point.recover().expect("the brokers answer");
        point
    });
    let mut writing = Writing::open(&plan, epoch.map(|_| shared));
    let (started, mut begun, mut number) = (Instant::now(), Instant::now(), 0);
    let mut ends = Vec::new();
    let mut end = |writing: &mut Writing| {
        let Some(point) = &point else {
            return;
        };
        number += 1;
        let ending = Instant::now();
        writing.wait();
        writing.sink.stage(number).expect("staged");
        let staged = Instant::now();
        let committed = Committed { epoch: number, manifest: format!("epochs/{number}") };
        point.commit(&committed, &[]).expect("committed");
        ends.push((ending.elapsed(), staged.elapsed()));
    };
    for _ in 0..ROWS / BATCH {
        writing.write(batch);
        if epoch.is_some_and(|epoch| begun.elapsed() >= epoch) {
            end(&mut writing);
            begun = Instant::now();
        }
    }
    writing.wait();
    end(&mut writing);
    let seconds = started.elapsed().as_secs_f64();
    ((ROWS / BATCH * BATCH) as f64 / seconds, ends)
}

#[expect(clippy::print_stdout, reason = "what it is for")]
fn main() {
    let batch = Batch::new(rows(), Readings::polled_at(Clock::system().now()));
    for epoch in [None, Some(1000), Some(100)].map(|e: Option<u64>| e.map(Duration::from_millis)) {
        for _ in 0..2 {
            let (rate, mut ends) = run(epoch, &batch);
            ends.sort_unstable();
            let median = ends.get(ends.len() / 2).copied().unwrap_or_default();
            println!(
                "epoch {epoch:?}: {:.2} M rows/s; {} commits, end of an epoch {:?}, commit {:?}",
                rate / 1e6,
                ends.len(),
                median.0,
                median.1
            );
        }
    }
}
