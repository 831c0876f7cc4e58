//! The `kafka` sink: one idempotent producer on the sink's thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use swiftwater_engine::dead_letter::Rejected;
use swiftwater_engine::{Batch, Error, Result, Sequence, Sink, SinkContext};

use super::admin::{Admin, CreateTopic};
use super::client::{Connection, not_created};
use super::context::Consumer;
use super::delivery::Deliveries;
use super::envelope::EnvelopePlan;
use super::ffi::Producer;
use super::keys::KeyPlan;
use super::producing::Producing;
use super::topics::Directory;
use super::writer::{FULL, Writer};
use super::{embedded, faults};
use crate::codec::{MakeEncoder, Payloads};

/// A planned sink.
pub(crate) struct Design {
    pub(crate) connection: Connection,
    pub(crate) topic: String,
    pub(crate) create: Option<CreateTopic>,
    pub(crate) producing: Producing,
    pub(crate) make_encoder: MakeEncoder,
    /// Columns of the payload.
    pub(crate) payload: Vec<usize>,
    /// Columns that are all null in a row that becomes a record without a value.
    pub(crate) tombstones: Option<Vec<usize>>,
    pub(crate) envelope: EnvelopePlan,
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
        let largest = admin.as_ref().and_then(|admin| admin.largest_record(&design.topic));
        let settings = design.producing.of_sink(cx, largest);
        let config = design.connection.configure(&brokers, &settings)?;
        let context = design.connection.context(&cx.node);
        let producer =
            Producer::new(&config, context, &design.topic).map_err(|e| not_created(&e))?;
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
        })
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

    fn take_rejected(&mut self) -> Vec<Rejected> {
        self.open.as_mut().map(|open| open.deliveries.take_rejected()).unwrap_or_default()
    }

    fn close(&mut self) -> Result<()> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let left = open.producer.outstanding();
        if left > 0 {
            tracing::warn!(node = open.node.as_str(), left, "closing before all is delivered");
        }
        self.open = None;
        Ok(())
    }
}
