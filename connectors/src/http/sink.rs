//! The sink: encodes batches and hands them to the delivery.

use std::sync::Arc;
use std::time::Duration;

use swiftwater_engine::{Barrier, Batch, Error, Rejected, Result, Sequence, Sink, SinkContext};

use super::delivery::Delivery;
use super::endpoint::Endpoint;
use super::outbox::Outbox;
use super::settings::Settings;
use crate::codec::{Encoder, Payloads};

/// An `http` sink.
pub(crate) struct HttpSink {
    settings: Arc<Settings>,
    encoder: Box<dyn Encoder>,
    payloads: Payloads,
    /// Set when it opens.
    delivery: Option<Delivery>,
    acknowledged: Sequence,
}

impl HttpSink {
    pub(crate) fn new(settings: Arc<Settings>, encoder: Box<dyn Encoder>) -> Self {
        Self { settings, encoder, payloads: Payloads::default(), delivery: None, acknowledged: 0 }
    }
}

fn opened(delivery: &mut Option<Delivery>) -> Result<&mut Delivery> {
    delivery.as_mut().ok_or_else(|| Error::bug("use an `http` sink before it is open"))
}

impl Sink for HttpSink {
    fn open(&mut self, cx: SinkContext) -> Result<()> {
        let endpoint = Endpoint::open(Arc::clone(&self.settings), &cx)?;
        let outbox = Outbox::new(self.settings.limits);
        self.delivery = Some(Delivery::new(endpoint, outbox, self.settings.concurrency, &cx)?);
        Ok(())
    }

    fn write(&mut self, sequence: Sequence, batch: &Batch) -> Result<()> {
        self.payloads.clear();
        self.encoder.encode(&batch.records, &mut self.payloads)?;
        opened(&mut self.delivery)?.take(sequence, &self.payloads)
    }

    fn acknowledged(&mut self, wait: Duration) -> Result<Sequence> {
        let durable = opened(&mut self.delivery)?.durable(self.acknowledged, wait)?;
        self.acknowledged = durable;
        Ok(durable)
    }

    fn barrier(&mut self, barrier: Barrier) -> Result<()> {
        opened(&mut self.delivery)?.barrier(barrier.flush)
    }

    fn take_rejected(&mut self) -> Vec<Rejected> {
        self.delivery.as_mut().map(Delivery::take_rejected).unwrap_or_default()
    }
}

#[cfg(test)]
impl HttpSink {
    pub(super) fn delivery(&mut self) -> &mut Delivery {
        self.delivery.as_mut().unwrap()
    }
}
