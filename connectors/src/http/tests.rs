//! The sink against a real server on this machine.

mod answers;
mod away;
mod batches;
mod options;
mod server;
mod topology;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::{Value, json};
use swiftwater_engine::metrics::{Metrics, SinkMetrics};
use swiftwater_engine::{
    Barrier, Batch, Clock, Error, Readings, Sequence, Sink, SinkContext, Timestamp,
};

use self::server::Server;
use super::settings::Settings;
use super::sink::HttpSink;
use crate::codec::{self, CodecContext};

/// Long enough for anything that works.
const DEADLINE: Duration = Duration::from_secs(30);

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

fn batch(rows: Range<i64>) -> Batch {
    let column = Arc::new(Int64Array::from_iter_values(rows));
    let records = RecordBatch::try_new(schema(), vec![column]).unwrap();
    Batch::new(records, Readings::polled_at(Timestamp(0)))
}

/// An open sink; its clock stands still at 1970 and 7 ms.
struct Hook {
    sink: HttpSink,
    metrics: Arc<Metrics>,
    sequence: Sequence,
}

impl Hook {
    fn open(server: &Server, options: Value, buffer_bytes: usize) -> Self {
        let mut all = json!({"url": server.url()});
        all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let (settings, _) = Settings::check(serde_json::from_value(all).unwrap()).unwrap();
        let node = CodecContext { topic: None, node: "hook" };
        let encoder = codec::encoder(None, schema(), &node).unwrap()().unwrap();
        let mut sink = HttpSink::new(Arc::new(settings), encoder);
        let metrics = Metrics::new("test").unwrap();
        sink.open(SinkContext {
            shared: Arc::default(),
            exactly_once: None,
            topology: "test".into(),
            node: "hook".into(),
            buffer_bytes,
            retry_budget: Duration::from_secs(600),
            clock: Clock::manual(Timestamp::from_millis(7)),
            metrics: SinkMetrics::new(&metrics, "hook"),
        })
        .unwrap();
        Self { sink, metrics, sequence: 0 }
    }

    fn with_options(server: &Server, options: Value) -> Self {
        Self::open(server, options, 64 << 20)
    }

    fn new(server: &Server) -> Self {
        Self::with_options(server, json!({}))
    }

    fn write(&mut self, rows: Range<i64>) -> Result<(), Error> {
        self.sink.write(self.sequence + 1, &batch(rows))?;
        self.sequence += 1;
        Ok(())
    }

    /// Serves the sink as the engine does until `done`, with the errors that it reports.
    fn serve_until(&mut self, mut done: impl FnMut(&mut HttpSink, Sequence) -> bool) -> Vec<Error> {
        let deadline = Instant::now() + DEADLINE;
        let mut errors = Vec::new();
        let mut durable = 0;
        while !done(&mut self.sink, durable) {
            assert!(Instant::now() < deadline, "not done after {durable}: {errors:?}");
            match self.sink.acknowledged(Duration::from_millis(10)) {
                Ok(now) => durable = now,
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    /// Serves the sink until it reports an error.
    fn first_error(&mut self) -> Error {
        let deadline = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < deadline, "nothing went wrong");
            if let Err(error) = self.sink.acknowledged(Duration::from_millis(10)) {
                return error;
            }
        }
    }

    /// Until everything written is durable.
    fn settle(&mut self) -> Vec<Error> {
        let last = self.sequence;
        self.serve_until(|_, durable| durable == last)
    }

    fn flush(&mut self) {
        self.sink.barrier(Barrier { epoch: 1, flush: true }).unwrap();
    }

    fn durable(&mut self) -> Sequence {
        self.sink.acknowledged(Duration::ZERO).unwrap()
    }
}
