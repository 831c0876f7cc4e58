//! The `kafka` sink: one idempotent producer on the sink's thread, or a place at the transactional one
//! that the sinks of an exactly-once topology share.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use swiftwater_engine::dead_letter::Rejected;
use swiftwater_engine::{Batch, Epoch, Error, Result, Sequence, Sink, SinkContext, Staged};

use super::admin::{Admin, CreateTopic, Limits};
use super::client::{Connection, not_created};
use super::context::Consumer;
use super::delivery::Deliveries;
use super::envelope::EnvelopePlan;
use super::ffi::{Pipe, Producer};
use super::keys::KeyPlan;
use super::producing::Producing;
use super::terms::{Seat, Terms};
use super::tombstones::TombstonePlan;
use super::topics::Directory;
use super::transaction::Joint;
use super::writer::{FULL, Writer};
use super::{embedded, faults};
use crate::codec::{MakeEncoder, Payloads};

/// Most bytes of a sink that are on their way in a transaction: more only add latency.
const HOLD_AT_MOST: usize = 64 << 20;

/// A planned sink.
pub(crate) struct Design {
    pub(crate) connection: Connection,
    pub(crate) topic: String,
    pub(crate) create: Option<CreateTopic>,
    pub(crate) producing: Producing,
    pub(crate) make_encoder: MakeEncoder,
    /// Columns of the payload.
    pub(crate) payload: Vec<usize>,
    pub(crate) tombstones: TombstonePlan,
    pub(crate) envelope: EnvelopePlan,
    /// Terms of the producer that exactly-once sinks share.
    pub(crate) terms: Terms,
}

/// The sink.
pub(crate) struct KafkaSink {
    design: Arc<Design>,
    open: Option<Writer>,
}

impl KafkaSink {
    pub(crate) fn new(design: Arc<Design>) -> Self {
        Self { design, open: None }
    }

    /// Finds the topic, or makes it; returns the number of its partitions.
    fn find_topic(&self, brokers: &str, node: &str, admin: Option<&Admin>) -> Result<i32> {
        let design = &self.design;
        let topic = design.topic.as_str();
        let config =
            design.connection.configure(brokers, &[("enable.metrics.push", "false".into())])?;
        let consumer: Consumer = config
            .create_with_context(design.connection.context(node))
            .map_err(|e| not_created(&e))?;
        let directory = Directory { consumer: &consumer, brokers, serves: true };
        let mut found = directory.partitions(topic)?;
        if found.is_none()
            && let (Some(create), Some(admin)) = (design.create, admin)
        {
            admin.create(topic, create)?;
            let deadline = Instant::now() + Duration::from_secs(10);
            while found.as_ref().is_none_or(Vec::is_empty) && Instant::now() < deadline {
                found = directory.partitions(topic)?;
            }
        }
        let numbers = found.ok_or_else(|| {
            let hint =
                "create it, check the name, or let the sink make it: `create: {partitions: 4}`";
            faults::unknown_topic(topic, brokers, hint)
        })?;
        Ok(i32::try_from(numbers.len()).unwrap_or(i32::MAX))
    }

    fn connect(&self, cx: &SinkContext) -> Result<Writer> {
        let design = &self.design;
        let brokers = design.connection.bootstrap()?;
        let admin = if design.connection.is_embedded() {
            let partitions = design.create.map_or(embedded::PARTITIONS, |c| c.partitions);
            embedded::create_topic(&design.topic, partitions)?;
            None
        } else {
            let config = design.connection.configure(&brokers, &[])?;
            Some(Admin::new(&config, design.connection.context(&cx.node))?)
        };
        let partitions = self.find_topic(&brokers, &cx.node, admin.as_ref())?;
        let limits = admin.as_ref().map(|a| a.limits(&design.topic)).unwrap_or_default();
        let (producer, joint) = if cx.exactly_once.is_some() {
            self.share(cx, limits)?
        } else {
            (self.own(cx, &brokers, limits)?, None)
        };
        let key_encoder = match &design.envelope.key {
            KeyPlan::Json(_, make) => Some(make()?),
            _ => None,
        };
        Ok(Writer {
            node: cx.node.clone(),
            brokers,
            producer,
            partitions,
            encoder: (design.make_encoder)()?,
            key_encoder,
            deliveries: Deliveries::default(),
            payloads: Payloads::default(),
            outboxes: Vec::new(),
            joint,
            limits,
            held: VecDeque::new(),
            held_bytes: 0,
            hold_at_most: cx.buffer_bytes.min(HOLD_AT_MOST),
        })
    }

    /// A producer of our own.
    fn own(&self, cx: &SinkContext, brokers: &str, limits: Limits) -> Result<Producer> {
        let design = &self.design;
        let settings = design.producing.of_sink(cx, limits.largest);
        let config = design.connection.configure(brokers, &settings)?;
        let pipe = Pipe::new(&config, design.connection.context(&cx.node));
        let pipe = Arc::new(pipe.map_err(|e| not_created(&e))?);
        Producer::new(pipe, &design.topic, &[]).map_err(|e| not_created(&e))
    }

    /// The producer whose transactions the commit point ends.
    fn share(&self, cx: &SinkContext, limits: Limits) -> Result<(Producer, Option<Joint>)> {
        let design = &self.design;
        let transaction = Seat::of(&cx.shared, &design.connection)?.joined(&design.terms)?;
        let batch = transaction.terms.batch_bytes();
        if let Some(largest) = limits.largest.filter(|largest| *largest < batch) {
            let what = format!(
                "write `{}` in batches of {batch} bytes: the topic takes {largest}",
                design.topic
            );
            return Err(Error::config("SW2141", what).with_hint(format!(
                "give the kafka sinks of the topology `properties: {{batch.size: \"{largest}\"}}`"
            )));
        }
        let pipe = Arc::clone(&transaction.pipe);
        let producer = Producer::new(pipe, &design.topic, &design.producing.of_topic());
        Ok((producer.map_err(|e| not_created(&e))?, Some(transaction.join())))
    }
}

impl Sink for KafkaSink {
    fn open(&mut self, cx: SinkContext) -> Result<()> {
        self.open = Some(self.connect(&cx)?);
        Ok(())
    }

    fn write(&mut self, sequence: Sequence, batch: &Batch) -> Result<()> {
        let design = Arc::clone(&self.design);
        let Some(open) = &mut self.open else {
            return Err(Error::bug("write to a kafka sink that is not open"));
        };
        open.serve(&design.topic, Duration::ZERO);
        open.take_notes(&design.topic);
        if let Some(error) = open.failure(&design.topic) {
            return Err(error);
        }
        open.write(&design, sequence, &batch.records)
    }

    fn acknowledged(&mut self, wait: Duration) -> Result<Sequence> {
        let topic = self.design.topic.as_str();
        let Some(open) = &mut self.open else {
            return Ok(0);
        };
        let before = open.deliveries.durable();
        open.serve(topic, Duration::ZERO);
        let deadline = Instant::now() + wait;
        while open.deliveries.durable() == before {
            let left = deadline.saturating_duration_since(Instant::now());
            if left < FULL {
                break;
            }
            open.serve(topic, left);
        }
        match open.failure(topic) {
            Some(error) => Err(error),
            None => Ok(open.deliveries.durable()),
        }
    }

    fn stage(&mut self, _epoch: Epoch) -> Result<Staged> {
        let topic = self.design.topic.as_str();
        let Some(open) = &mut self.open else {
            return Err(Error::bug("stage an epoch of a kafka sink that is not open"));
        };
        open.serve(topic, Duration::ZERO);
        match open.failure(topic) {
            Some(error) => Err(error),
            None if open.deliveries.is_clear() => Ok(serde_json::json!({"topic": topic})),
            None => Err(Error::bug("stage an epoch before its rows are acknowledged")),
        }
    }

    fn take_rejected(&mut self) -> Vec<Rejected> {
        self.open.as_mut().map(|open| open.deliveries.take_rejected()).unwrap_or_default()
    }

    fn close(&mut self) -> Result<()> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        // What a transaction holds is the others' too, and ends with it.
        let left = if open.joint.is_some() { 0 } else { open.producer.pipe().outstanding() };
        if left > 0 {
            tracing::warn!(node = open.node.as_str(), left, "closing before all is delivered");
        }
        self.open = None;
        Ok(())
    }
}
