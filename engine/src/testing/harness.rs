//! Drives one operator by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, SchemaRef};
use serde_json::Value;
use swiftwater_config::{NodeConfig, PortRef, Role};

use super::rows;
use crate::batch::{Batch, Readings};
use crate::clock::Timestamp;
use crate::dead_letter::Rejected;
use crate::error::{Error, Result};
use crate::kind::{NodeContext, OperatorOptions, OperatorPlan};
use crate::metrics::NodeMetrics;
use crate::operator::{Operator, Output};
use crate::runtime::isolate;
use crate::spill::SpillRoom;
use crate::state::TableDelta;
use crate::stream::Stream;

/// One operator, its inputs as JSON rows, what it gave back, and a clock that stands still until
/// the test moves it or the operator asks for a delay.
///
/// A batch with a bad row is handled as the engine does: the row is set aside alone. Every batch
/// that comes out is held against the schema that the plan declared.
pub struct Harness {
    plan: OperatorPlan,
    inputs: Vec<SchemaRef>,
    operator: Box<dyn Operator>,
    now: Timestamp,
    emitted: Vec<(usize, RecordBatch)>,
    late: Vec<RecordBatch>,
    rejected: Vec<Rejected>,
    dropped: BTreeMap<&'static str, usize>,
    breaches: BTreeMap<String, usize>,
    waited: Duration,
}

/// A node of the kind `O` with these options, as a topology file would give it.
#[must_use]
pub fn node<O: OperatorOptions>(options: Value, inputs: usize) -> NodeConfig {
    let inputs = (0..inputs).map(|i| PortRef::parse(&format!("in{i}"))).collect();
    NodeConfig { inputs, ..NodeConfig::new(Role::Operator, "node", O::KIND, options) }
}

impl Harness {
    /// An operator of the kind `O` over one input with these columns
    /// (`json!({"price": "int64"})`).
    ///
    /// # Panics
    /// Where the options do not plan.
    #[must_use]
    pub fn new<O: OperatorOptions>(options: Value, columns: &Value) -> Self {
        let planned = Self::plan::<O>(options, &[rows::columns(columns)]);
        planned.map_err(|e| e.to_string()).expect("options that plan")
    }

    /// An operator of the kind `O` over these inputs, named `in0`, `in1` and so on.
    ///
    /// # Errors
    /// What the kind says about its options (`Config`).
    pub fn plan<O: OperatorOptions>(options: Value, inputs: &[SchemaRef]) -> Result<Self> {
        let node = node::<O>(options, inputs.len());
        let streams: Vec<Stream> = inputs.iter().map(stream_of).collect();
        let cx = NodeContext { topology: "test", node: &node, inputs, streams: &streams };
        let options: O = serde_json::from_value(node.options.clone())
            .map_err(|e| Error::config("SW0110", format!("read the options: {e}")))?;
        Self::of(options.plan(&cx)?, inputs)
    }

    /// The first instance of an operator that was planned already.
    ///
    /// # Errors
    /// What making the instance says.
    pub fn of(plan: OperatorPlan, inputs: &[SchemaRef]) -> Result<Self> {
        let operator = (plan.make)(0)?;
        Ok(Self {
            plan,
            inputs: inputs.to_vec(),
            operator,
            now: Timestamp(1_767_225_600_000_000),
            emitted: Vec::new(),
            late: Vec::new(),
            rejected: Vec::new(),
            dropped: BTreeMap::new(),
            breaches: BTreeMap::new(),
            waited: Duration::ZERO,
        })
    }

    /// The plan: ports, keys, warnings.
    #[must_use]
    pub const fn planned(&self) -> &OperatorPlan {
        &self.plan
    }

    /// The clock.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves the clock.
    pub fn advance(&mut self, by: Duration) -> &mut Self {
        self.now.0 += i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self
    }

    /// Calls the operator where the time of its timer has come, until it wants no more.
    ///
    /// # Errors
    /// What the operator says.
    pub fn fire_timers(&mut self) -> Result<&mut Self> {
        while self.operator.next_timer().is_some_and(|at| at <= self.now) {
            let mut out = Output::at(self.now);
            self.operator.on_timer(&mut out)?;
            self.collect(out);
        }
        Ok(self)
    }

    /// Gives the operator its metrics, as the engine does before anything else.
    ///
    /// # Errors
    /// What the operator says.
    pub fn open(&mut self, metrics: &NodeMetrics) -> Result<()> {
        self.operator.open(metrics)
    }

    /// Hands over rows of the first input.
    ///
    /// # Panics
    /// Where the operator fails.
    pub fn push(&mut self, rows: &Value) -> &mut Self {
        self.push_to(0, rows)
    }

    /// Hands over rows of one input.
    ///
    /// # Panics
    /// Where the operator fails.
    pub fn push_to(&mut self, input: usize, json: &Value) -> &mut Self {
        let schema = Arc::clone(self.inputs.get(input).expect("an input of the operator"));
        let result = self.push_batch(input, rows::batch(&schema, json));
        result.map_err(|e| e.to_string()).expect("rows that can be processed");
        self
    }

    /// Hands over a batch of one input.
    ///
    /// # Errors
    /// What stops the topology; a bad row is set aside where the plan allows it.
    ///
    /// # Panics
    /// Where a batch that comes out has other columns than declared.
    pub fn push_batch(&mut self, input: usize, records: RecordBatch) -> Result<()> {
        let batch = Batch::new(records, Readings::polled_at(self.now));
        let most = self.operator.max_rows().max(1);
        let mut from = 0;
        loop {
            let rows = most.min(batch.rows() - from);
            let part = batch.with_records(batch.records.slice(from, rows));
            let mut out = Output::at(self.now);
            if let Err(error) = self.operator.process(input, part.clone(), &mut out) {
                out = Output::at(self.now);
                isolate(
                    self.operator.as_mut(),
                    self.plan.splittable,
                    (input, &part),
                    error,
                    &mut out,
                )?;
            }
            self.collect(out);
            from += rows;
            if from >= batch.rows() {
                return Ok(());
            }
        }
    }

    /// Tells the operator that event time has passed `watermark`.
    ///
    /// # Errors
    /// What the operator says.
    pub fn watermark(&mut self, watermark: Timestamp) -> Result<()> {
        let mut out = Output::at(self.now);
        self.operator.on_watermark(watermark, &mut out)?;
        self.collect(out);
        Ok(())
    }

    /// Tells the operator that its inputs have ended: the watermark passes everything.
    ///
    /// # Errors
    /// What the operator says.
    pub fn end(&mut self) -> Result<()> {
        let mut out = Output::at(self.now);
        self.operator.on_watermark(Timestamp::MAX, &mut out)?;
        self.operator.on_end(&mut out)?;
        self.collect(out);
        Ok(())
    }

    fn collect(&mut self, mut out: Output) {
        for (port, batch) in out.take_batches() {
            let declared = self.plan.ports.get(port).map(|(_, schema)| Arc::clone(schema));
            assert_eq!(
                Some(batch.records.schema()),
                declared,
                "port {port} carries other columns than declared"
            );
            self.emitted.push((port, batch.records));
        }
        self.late.extend(out.take_late().into_iter().map(|b| b.records));
        self.rejected.append(&mut out.take_rejected());
        for (reason, rows) in out.take_dropped() {
            *self.dropped.entry(reason).or_default() += rows;
        }
        for (rule, rows) in out.take_breaches() {
            *self.breaches.entry(rule.to_string()).or_default() += rows;
        }
        let delay = out.take_delay();
        self.advance(delay);
        self.waited += delay;
    }

    /// The batches of one port since they were last taken.
    pub fn take_batches(&mut self, port: usize) -> Vec<RecordBatch> {
        let (taken, rest) =
            std::mem::take(&mut self.emitted).into_iter().partition(|(p, _)| *p == port);
        self.emitted = rest;
        let taken: Vec<(usize, RecordBatch)> = taken;
        taken.into_iter().map(|(_, records)| records).collect()
    }

    /// The rows of one port since they were last taken.
    pub fn take_rows(&mut self, port: usize) -> Vec<Value> {
        self.take_batches(port).iter().flat_map(rows::json).collect()
    }

    /// Compares and takes the rows of the main output.
    ///
    /// # Panics
    /// Where they differ.
    pub fn expect(&mut self, expected: &Value) -> &mut Self {
        rows::assert_rows(&self.take_rows(0), expected);
        self
    }

    /// Compares and takes the rows of a named port.
    ///
    /// # Panics
    /// Where they differ, or there is no such port.
    pub fn expect_at(&mut self, port: &str, expected: &Value) -> &mut Self {
        let number = self.plan.ports.iter().position(|(name, _)| name == port);
        let found = self.take_rows(number.expect("a port of the plan"));
        rows::assert_rows(&found, expected);
        self
    }

    /// The late rows since they were last taken.
    pub fn take_late(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.late).iter().flat_map(rows::json).collect()
    }

    /// What changed in the operator's tables since this was last asked, as at a barrier.
    ///
    /// # Errors
    /// What the operator says.
    pub fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.operator.seal()
    }

    /// Bytes of memory that the state takes.
    #[must_use]
    pub fn state_bytes(&self) -> usize {
        self.operator.state_bytes()
    }

    /// Moves state to disk until what is in memory takes about `target` bytes, as far as that goes.
    ///
    /// # Errors
    /// What the operator says.
    pub fn spill(&mut self, target: usize) -> Result<()> {
        self.operator.spill(target, &SpillRoom::new([std::env::temp_dir()]))
    }

    /// Bytes of the disk that the state takes.
    #[must_use]
    pub fn spilled_bytes(&self) -> usize {
        self.operator.spilled_bytes()
    }

    /// A fresh operator of the same plan, with the state that `deltas` (oldest first) left behind
    /// and the watermark of that time: what is left of this one after a crash. The clock, and what
    /// came out and was not taken yet, stay.
    ///
    /// # Errors
    /// What the operator says.
    pub fn crash_and_restore(
        &mut self,
        deltas: &[TableDelta],
        watermark: Option<Timestamp>,
    ) -> Result<()> {
        self.operator = (self.plan.make)(0)?;
        for delta in deltas {
            self.operator.restore(delta)?;
        }
        watermark.map_or(Ok(()), |w| self.watermark(w))
    }

    /// The records set aside since they were last taken.
    pub fn take_rejected(&mut self) -> Vec<Rejected> {
        std::mem::take(&mut self.rejected)
    }

    /// Compares and takes the records set aside: code and payload as JSON.
    ///
    /// # Panics
    /// Where they differ.
    pub fn expect_rejected(&mut self, expected: &[(&str, Value)]) -> &mut Self {
        let found: Vec<_> = self.take_rejected().iter().map(|r| (r.code, payload(r))).collect();
        let expected: Vec<_> = expected.iter().map(|(code, row)| (*code, row.clone())).collect();
        assert_eq!(found, expected, "other records were set aside");
        self
    }

    /// Rows dropped on purpose, by reason, since they were last taken.
    pub fn take_dropped(&mut self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut self.dropped)
    }

    /// Rows that broke a rule, by rule, since they were last taken.
    pub fn take_breaches(&mut self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.breaches)
    }

    /// The time the operator asked to wait since it was last taken; the clock has moved by it.
    pub const fn take_waited(&mut self) -> Duration {
        std::mem::replace(&mut self.waited, Duration::ZERO)
    }
}

/// The first timestamp column is the event time.
fn stream_of(schema: &SchemaRef) -> Stream {
    let is_time = |f: &&Arc<Field>| matches!(f.data_type(), DataType::Timestamp(..));
    let column = schema.fields().iter().find(is_time).map(|f| f.name().clone());
    Stream { event_time: column, ..Stream::append() }
}

/// The payload of a dead letter as JSON, or null.
#[must_use]
pub fn payload(rejected: &Rejected) -> Value {
    let payload = rejected.payload.as_deref().unwrap_or_default();
    serde_json::from_slice(payload).unwrap_or(Value::Null)
}
