//! The sink: batches at once into the table, or epochs by way of a table beside it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use swiftwater_engine::{
    Batch, Epoch, Error, ErrorKind, Result, Sequence, Sink, SinkContext, Staged,
};

use super::copy::{Column, Extra, encode};
use super::faults::within;
use super::server::Server;
use super::session::Session;
use super::staging::Staging;
use super::table::Wanted;
use crate::freshness::{Freshness, newest};
use crate::io_call;
use crate::store_metrics::StoreMetrics;

/// Checked options.
pub(crate) struct Settings {
    /// The server.
    pub(crate) server: Server,
    /// The table and the columns that go into it.
    pub(crate) wanted: Wanted,
    /// What a row of an upsert stream does.
    pub(crate) op: Option<Column>,
    /// The feature view that rows belong to.
    pub(crate) view: Option<KeptView>,
}

/// A feature view in a table.
pub(crate) struct KeptView {
    /// Its name.
    pub(crate) name: String,
    /// Place of the event time in the input.
    pub(crate) event_time: usize,
    /// How old the newest event time should be at most.
    pub(crate) freshness: Option<Duration>,
}

/// A `postgres` sink.
pub(crate) struct PostgresSink {
    settings: Arc<Settings>,
    opened: Option<Opened>,
    acknowledged: Sequence,
}

struct Opened {
    metrics: StoreMetrics,
    freshness: Option<Freshness>,
    application: String,
    /// `None` where the connection is to be made (again).
    session: Option<Session>,
    /// Set where the topology is exactly-once.
    staging: Option<Staging>,
}

impl PostgresSink {
    pub(crate) const fn new(settings: Arc<Settings>) -> Self {
        Self { settings, opened: None, acknowledged: 0 }
    }

    /// Tells the metrics how new the rows are, once readers see them.
    fn note_written(&mut self, batch: &Batch) -> Result<()> {
        let Some(view) = &self.settings.view else { return Ok(()) };
        let times = batch.records.columns().get(view.event_time);
        let times = times.ok_or_else(|| Error::bug("find the event time of features"))?;
        let newest = newest(times)?;
        if let Some(Opened { freshness: Some(freshness), staging, .. }) = &mut self.opened {
            freshness.written(newest);
            if staging.is_none() {
                freshness.seen();
            }
        }
        Ok(())
    }

    /// A session, then a call on it; the session is given up where its state is unknown.
    fn call<T>(
        &mut self,
        step: &'static str,
        what: &str,
        call: impl AsyncFnOnce(&Session, Option<&mut Staging>) -> Result<T>,
    ) -> Result<T> {
        let settings = Arc::clone(&self.settings);
        let opened = self.opened.as_mut();
        let opened = opened.ok_or_else(|| Error::bug("use a `postgres` sink before it is open"))?;
        let started = Instant::now();
        let outcome = io_call::block_on(Box::pin(async {
            let session = match opened.session.take().filter(|s| !s.client.is_closed()) {
                Some(session) => session,
                None => connect_again(&settings, opened).await?,
            };
            let called = call(&session, opened.staging.as_mut());
            let outcome = within(settings.server.timeout, what, called).await;
            if !matches!(&outcome, Err(e) if e.kind != ErrorKind::Data) {
                opened.session = Some(session);
            }
            outcome
        }))?;
        if outcome.is_ok() {
            opened.metrics.took(step, started.elapsed());
        }
        outcome
    }
}

async fn connect(settings: &Settings, application: &str) -> Result<Session> {
    let Settings { server, wanted, op, .. } = settings;
    let opened = Session::open(server, wanted, op.as_ref(), application);
    within(server.timeout, "look at the table", opened).await
}

async fn connect_again(settings: &Settings, opened: &mut Opened) -> Result<Session> {
    let mut session = connect(settings, &opened.application).await?;
    let prepared = async {
        match &mut opened.staging {
            Some(staging) => staging.go_on(&session).await,
            None => session.prepare_direct(settings.op.is_some()).await,
        }
    };
    within(settings.server.timeout, "prepare to write", prepared).await?;
    Ok(session)
}

impl Sink for PostgresSink {
    fn open(&mut self, cx: SinkContext) -> Result<()> {
        let settings = Arc::clone(&self.settings);
        let metrics = StoreMetrics::open(cx.metrics.all(), &cx.node)?;
        let freshness = settings
            .view
            .as_ref()
            .map(|view| Freshness::open(cx.metrics.all(), (&cx.node, &view.name), view.freshness));
        let freshness = freshness.transpose()?;
        let ops = settings.op.is_some();
        let mut staging = cx
            .exactly_once
            .as_ref()
            .map(|_| Staging::new(&cx.topology, &cx.node, &settings.wanted.name));
        let application = match &staging {
            Some(staging) => staging.application(),
            None => "swiftwater".to_owned(),
        };
        let session = io_call::block_on(Box::pin(async {
            let mut session = connect(&settings, &application).await?;
            let prepared = async {
                match (&mut staging, &cx.exactly_once) {
                    (Some(staging), Some(exactly_once)) => {
                        staging.recover(&session, exactly_once, ops).await
                    }
                    _ => session.prepare_direct(ops).await,
                }
            };
            within(settings.server.timeout, "prepare to write", prepared).await?;
            Ok::<Session, Error>(session)
        }))??;
        let session = Some(session);
        self.opened = Some(Opened { metrics, freshness, application, session, staging });
        Ok(())
    }

    fn write(&mut self, sequence: Sequence, batch: &Batch) -> Result<()> {
        let what = format!("write to the table {}", self.settings.wanted.name.sql());
        let records = &batch.records;
        self.call("write", &what, async |session, staging| match staging {
            Some(staging) => staging.write(session, sequence, records, &what).await,
            None => {
                let keyed = !session.table.key.is_empty();
                let number = [sequence.cast_signed()];
                let numbers: &[i64] = if keyed { &number } else { &[] };
                let extra = Extra { numbers, row_numbers: keyed };
                let rows = encode(records, &session.copied, &extra)?;
                session.write_direct(rows, &what).await
            }
        })?;
        self.acknowledged = sequence;
        self.note_written(batch)
    }

    fn acknowledged(&mut self, _wait: Duration) -> Result<Sequence> {
        Ok(self.acknowledged)
    }

    fn stage(&mut self, epoch: Epoch) -> Result<Staged> {
        let ops = self.settings.op.is_some();
        self.call("stage", "make staged rows durable", async |session, staging| match staging {
            Some(staging) => staging.stage(session, epoch, ops).await,
            None => Err(Error::bug("stage an epoch of a sink that is not exactly-once")),
        })
    }

    fn finalise(&mut self, epoch: Epoch, staged: &Staged) -> Result<()> {
        self.call("finalise", "finish an epoch", async |session, staging| match staging {
            Some(staging) => staging.finalise(session, epoch, staged).await,
            None => Err(Error::bug("finish an epoch of a sink that is not exactly-once")),
        })?;
        if let Some(Opened { freshness: Some(freshness), .. }) = &mut self.opened {
            freshness.seen();
        }
        Ok(())
    }
}
