//! Sources and sinks planned from options and driven by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use serde_json::{Value, json};
use swiftwater_config::{FormatConfig, NodeConfig, OnError, Role};
use swiftwater_engine::dead_letter::Rejected;
use swiftwater_engine::kind::{CommitContext, CommitPointPlan};
use swiftwater_engine::metrics::{Metrics, SinkMetrics, SourceMetrics};
use swiftwater_engine::{
    Batch, Clock, Commit, CommitPoint, Epoch, ExactlyOnce, NodeContext, Polled, Position, Readings,
    Registry, Result, Sequence, Shared, Sink, SinkContext, SinkPlan, Source, SourceContext,
    SourcePlan, Staged, Stream,
};

use crate::support::Broker;

/// Longest wait for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

fn registry() -> Registry {
    let mut registry = Registry::new();
    swiftwater_connectors::register(&mut registry);
    registry
}

fn node(role: Role, options: Value) -> NodeConfig {
    NodeConfig {
        name: "node".into(),
        role,
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
        pointer: "/node".into(),
    }
}

/// Options with the shared broker's address and what `more` adds.
pub(crate) fn options(broker: &Broker, more: Value) -> Value {
    let mut options = json!({"brokers": broker.bootstrap()});
    let (Value::Object(all), Value::Object(more)) = (&mut options, more) else {
        panic!("options are an object");
    };
    all.extend(more);
    options
}

/// Plans a source of rows `{n: int64}`.
pub(crate) fn plan_source(options: Value) -> Result<SourcePlan> {
    plan_source_of(options, json!({"n": "int64"}))
}

/// Plans a source of rows with these columns.
pub(crate) fn plan_source_of(options: Value, columns: Value) -> Result<SourcePlan> {
    let mut node = node(Role::Source, options);
    node.schema = columns.as_object().cloned();
    registry().plan_source(&NodeContext {
        topology: "test",
        node: &node,
        inputs: &[],
        streams: &[],
    })
}

/// One instance of a source, and what it has read.
pub(crate) struct Reader {
    source: Box<dyn Source>,
    /// All rows with their columns as JSON, in order.
    pub(crate) rows: Vec<Value>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) batches: Vec<Readings>,
    pub(crate) ended: bool,
    pub(crate) metrics: Arc<Metrics>,
}

impl Reader {
    pub(crate) fn open(plan: &SourcePlan) -> Result<Self> {
        Self::open_instance(plan, 0, 1)
    }

    pub(crate) fn open_instance(plan: &SourcePlan, instance: usize, of: usize) -> Result<Self> {
        Self::open_as(plan, (instance, of), false, None, Arc::default())
    }

    /// Opens an instance as stateful topologies do: it takes its share of all partitions.
    pub(crate) fn open_all(
        plan: &SourcePlan,
        instance: (usize, usize),
        resume: Option<Position>,
    ) -> Result<Self> {
        Self::open_as(plan, instance, true, resume, Arc::default())
    }

    /// Opens a source of a topology whose nodes share things.
    pub(crate) fn open_shared(plan: &SourcePlan, shared: &Arc<Shared>) -> Result<Self> {
        Self::open_as(plan, (0, 1), true, None, Arc::clone(shared))
    }

    fn open_as(
        plan: &SourcePlan,
        (instance, of): (usize, usize),
        takes_all: bool,
        resume: Option<Position>,
        shared: Arc<Shared>,
    ) -> Result<Self> {
        let metrics = Metrics::new("test")?;
        let mut source = (plan.make)(instance)?;
        source.open(SourceContext {
            resume,
            takes_all,
            shared,
            topology: "test".into(),
            node: "node".into(),
            instance,
            instances: of,
            prefetch_bytes: 8 << 20,
            batch_rows: 1000,
            clock: Clock::system(),
            metrics: SourceMetrics::new(&metrics, "node"),
        })?;
        let (rows, rejected, batches) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { source, rows, rejected, batches, ended: false, metrics })
    }

    /// Plans and opens a source that must open.
    pub(crate) fn start(options: Value) -> Self {
        Self::open(&plan_source(options).unwrap()).unwrap()
    }

    /// One poll; a revocation is granted once the position is committed.
    pub(crate) fn poll(&mut self) -> Result<()> {
        match self.source.poll(Duration::from_millis(20))? {
            Polled::Rows { batch, rejected, bytes, .. } => {
                assert!(bytes > 0 || batch.rows() + rejected.len() > 0);
                self.rows.extend(to_json(&batch.records));
                self.rejected.extend(rejected);
                self.batches.push(batch.readings);
            }
            Polled::Empty => {}
            Polled::Revoking { within } => {
                assert!(within > Duration::ZERO);
                self.commit(false);
                self.source.release()?;
            }
            Polled::End => self.ended = true,
        }
        Ok(())
    }

    /// Polls until `done` says so.
    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> &mut Self {
        let deadline = Instant::now() + LIMIT;
        while !done(self) {
            assert!(Instant::now() < deadline, "waited for {what}; read {}", self.rows.len());
            self.poll().unwrap();
        }
        self
    }

    /// Reads `count` rows.
    pub(crate) fn read(&mut self, count: usize) -> &mut Self {
        self.until(&format!("{count} rows"), |r| r.rows.len() >= count)
    }

    /// Reads to the end of a bounded source.
    pub(crate) fn read_to_end(&mut self) -> &mut Self {
        self.until("the end", |r| r.ended)
    }

    /// Polls until it fails.
    pub(crate) fn fail(&mut self) -> swiftwater_engine::Error {
        let deadline = Instant::now() + LIMIT;
        loop {
            assert!(Instant::now() < deadline, "waited for an error; read {}", self.rows.len());
            if let Err(error) = self.poll() {
                return error;
            }
        }
    }

    /// The values of column `n`, sorted.
    pub(crate) fn numbers(&self) -> Vec<i64> {
        let mut numbers: Vec<i64> = self.rows.iter().filter_map(|row| row["n"].as_i64()).collect();
        numbers.sort_unstable();
        numbers
    }

    pub(crate) fn position(&self) -> Position {
        self.source.position()
    }

    /// How it stands with each partition: label and whether it is caught up.
    pub(crate) fn reading(&self) -> BTreeMap<String, bool> {
        let all = self.source.reading();
        all.into_iter().map(|r| (r.split.to_string(), r.caught_up)).collect()
    }

    pub(crate) fn committer(&self) -> Arc<dyn Commit> {
        self.source.committer().unwrap()
    }

    /// Commits what was read.
    pub(crate) fn commit(&self, wait: bool) {
        self.committer().commit(&self.position(), wait).unwrap();
    }

    pub(crate) fn close(mut self) {
        self.source.close().unwrap();
    }

    /// A series of the source, such as `swiftwater_source_lag_records{…}`.
    pub(crate) fn series(&self, start: &str) -> Vec<(String, f64)> {
        let text = self.metrics.text().unwrap();
        let parse = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        text.lines().filter(|line| line.starts_with(start)).filter_map(parse).collect()
    }
}

fn to_json(records: &RecordBatch) -> Vec<Value> {
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    writer.write(records).unwrap();
    writer.finish().unwrap();
    let text = String::from_utf8(writer.into_inner()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A sink, and the batches it was given.
pub(crate) struct Writer {
    sink: Box<dyn Sink>,
    sequence: Sequence,
    pub(crate) rejected: Vec<Rejected>,
}

impl Writer {
    /// Plans and opens a sink for rows like `example`.
    pub(crate) fn open(options: Value, example: &RecordBatch) -> Result<Self> {
        Self::open_with(options, example, Duration::from_secs(60), 16 << 20)
    }

    pub(crate) fn open_with(
        options: Value,
        example: &RecordBatch,
        retry_budget: Duration,
        buffer_bytes: usize,
    ) -> Result<Self> {
        let plan = plan_sink(options, example, Stream::append())?;
        Self::open_plan(&plan, retry_budget, buffer_bytes, None)
    }

    /// Opens a sink whose epochs the commit point of its topology commits.
    pub(crate) fn join(plan: &SinkPlan, shared: &Arc<Shared>) -> Result<Self> {
        Self::open_plan(plan, LIMIT, 16 << 20, Some(Arc::clone(shared)))
    }

    /// Opens a sink that stands for itself.
    pub(crate) fn open_alone(plan: &SinkPlan) -> Result<Self> {
        Self::open_plan(plan, LIMIT, 16 << 20, None)
    }

    fn open_plan(
        plan: &SinkPlan,
        retry_budget: Duration,
        buffer_bytes: usize,
        shared: Option<Arc<Shared>>,
    ) -> Result<Self> {
        let metrics = Metrics::new("test")?;
        let mut sink = (plan.make)()?;
        sink.open(SinkContext {
            exactly_once: shared.as_ref().map(|_| ExactlyOnce::default()),
            shared: shared.unwrap_or_default(),
            topology: "test".into(),
            node: "node".into(),
            buffer_bytes,
            retry_budget,
            clock: Clock::system(),
            metrics: SinkMetrics::new(&metrics, "node"),
        })?;
        Ok(Self { sink, sequence: 0, rejected: Vec::new() })
    }

    pub(crate) fn write(&mut self, records: &RecordBatch) -> Result<()> {
        let readings = Readings::polled_at(Clock::system().now());
        self.sink.write(self.sequence + 1, &Batch::new(records.clone(), readings))?;
        self.sequence += 1;
        Ok(())
    }

    /// Waits until everything is acknowledged.
    pub(crate) fn flush(&mut self) -> Result<&mut Self> {
        let deadline = Instant::now() + LIMIT * 2;
        while self.sink.acknowledged(Duration::from_millis(20))? < self.sequence {
            assert!(Instant::now() < deadline, "waited for acknowledgements");
        }
        self.rejected.extend(self.sink.take_rejected());
        Ok(self)
    }

    /// Ends an epoch: everything is acknowledged, then staged.
    pub(crate) fn stage(&mut self, epoch: Epoch) -> Result<Staged> {
        self.flush()?;
        self.sink.stage(epoch)
    }

    pub(crate) fn close(mut self) {
        self.sink.close().unwrap();
    }
}

/// Plans a sink for rows like `example` of a stream.
pub(crate) fn plan_sink(options: Value, example: &RecordBatch, stream: Stream) -> Result<SinkPlan> {
    let node = node(Role::Sink, options);
    let (inputs, streams) = ([example.schema()], [stream]);
    registry().plan_sink(&NodeContext {
        topology: "test",
        node: &node,
        inputs: &inputs,
        streams: &streams,
    })
}

/// The commit point of one process: it and the nodes of the process share `shared`.
pub(crate) fn commit_point(
    plan: Option<&CommitPointPlan>,
    shared: &Arc<Shared>,
) -> Arc<dyn CommitPoint> {
    let cx =
        CommitContext { topology: "test".into(), shared: Arc::clone(shared), retry_budget: LIMIT };
    (plan.unwrap().make)(&cx).unwrap()
}

/// Rows `{n: from..to}`.
pub(crate) fn numbers(from: i64, to: i64) -> RecordBatch {
    let column = arrow::array::PrimitiveArray::<Int64Type>::from_iter_values(from..to);
    RecordBatch::try_from_iter([("n", Arc::new(column) as _)]).unwrap()
}

/// The column `n` of a batch.
pub(crate) fn column_n(records: &RecordBatch) -> Vec<i64> {
    records.column_by_name("n").unwrap().as_primitive::<Int64Type>().values().to_vec()
}

/// How often each value occurs more than once.
pub(crate) fn repeated(values: &[i64]) -> BTreeMap<i64, usize> {
    let mut counts = BTreeMap::new();
    values.iter().for_each(|value| *counts.entry(*value).or_insert(0) += 1);
    counts.retain(|_, count| *count > 1);
    counts
}
